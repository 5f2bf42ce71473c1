import { describe, expect, it } from 'vitest';
import { native } from '../../lib/kernels/index.js';
import { conformance } from './suite.js';

const required = process.env.BLASNET_REQUIRE_NATIVE === '1';

if (native.available) {
  conformance(native);
} else if (required) {
  it('has the native backend that BLASNET_REQUIRE_NATIVE=1 asks for', () => expect.fail(native.reason));
} else {
  console.warn(`native conformance skipped: ${native.reason}`);
  describe.skip(`native: not available here (${native.reason})`, () => it('conforms', () => {}));
}
