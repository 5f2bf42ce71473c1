import { describe, it } from 'vitest';
import { native, typescript } from '../../lib/kernels/index.js';
import { kernelNames } from '../../lib/kernels/table.js';
import { compare, describeSample, run } from './call.js';
import { cases } from './cases/index.js';
import type { Placement } from './memory.js';
import { toleranceOf } from './tolerances.js';

const placement: Placement = { offset: 1, storage: 'shared' };

/** Both backends on the same inputs: a network must not change its mind with the backend. */
describe.skipIf(!native.available)('native against TypeScript', () => {
  it.each(kernelNames)('%s', (kernel) => {
    for (const sample of cases[kernel].samples) {
      const expected = run(typescript, kernel, sample, placement);
      for (const [name, array] of run(native, kernel, sample, placement)) {
        const where = `native against TypeScript: ${describeSample(kernel, sample)}`;
        compare(where, name, array, expected.get(name) ?? [], toleranceOf(kernel, name), sample.slack);
      }
    }
  });
});
