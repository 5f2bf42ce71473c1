import { describe, expect, it } from 'vitest';
import { type KernelBackend, native, typescript } from '../../lib/kernels/index.js';

/**
 * Declares `tests` once for each backend. Where the native backend can't be had, its tests are skipped and the reason
 * is printed; with BLASNET_REQUIRE_NATIVE=1 they fail instead. BLASNET_TEST_TYPESCRIPT=0 skips the TypeScript backend.
 */
export function eachBackend(tests: (backend: KernelBackend) => void): void {
  for (const backend of [typescript, native]) {
    if (backend === typescript && process.env.BLASNET_TEST_TYPESCRIPT === '0') {
      describe.skip(backend.name, () => tests(backend));
    } else if (backend.available) {
      describe(backend.name, () => tests(backend));
    } else if (process.env.BLASNET_REQUIRE_NATIVE === '1') {
      it(`has the ${backend.name} backend that BLASNET_REQUIRE_NATIVE=1 asks for`, () => expect.fail(backend.reason));
    } else {
      console.warn(`golden values on the ${backend.name} backend skipped: ${backend.reason}`);
      describe.skip(`${backend.name}: not available here (${backend.reason})`, () => tests(backend));
    }
  }
}
