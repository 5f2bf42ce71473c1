import { expect, it } from 'vitest';
import { share } from '../../lib/kernels/share.js';
import { GRAIN } from '../../lib/kernels/signature.js';
import { eachBackend } from '../golden/backends.js';

const ones = (length: number) => new Float32Array(length).fill(1);
const zeros = (length: number) => new Float32Array(length);

/** The lengths of the shares by lib/kernels/share.ts, which native/kernels/share.h repeats in C++. */
function lengths(units: number, grain: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, part) => {
    const [begin, end] = share(units, grain, part, parts);
    return end - begin;
  });
}

eachBackend(({ kernels }) => {
  it('divides units into the same shares as the compiler', () => {
    for (let parts = 1; parts <= 9; parts++) {
      for (let units = 1; units <= 200; units++) {
        // Each share counts its units: rows one by one, inputs in runs.
        const rows = zeros(parts);
        kernels.batchNormBackwardParts(
          zeros(parts),
          rows,
          ones(units),
          ones(units),
          ones(1),
          ones(1),
          units,
          1,
          1,
          parts,
        );
        expect([...rows], `${units} rows in ${parts} shares`).toEqual(lengths(units, 1, parts));
        const inputs = zeros(parts);
        kernels.denseForwardParts(inputs, ones(units), ones(units), 1, units, 1, parts, 0);
        expect([...inputs], `${units} inputs in ${parts} shares`).toEqual(lengths(units, GRAIN, parts));
      }
    }
  });
});
