import fc from 'fast-check';
import { expect } from 'vitest';
import { Dataset, split } from '../../lib/data/index.js';
import { native, typescript } from '../../lib/kernels/index.js';
import { given, holds } from './checking.js';

const share = fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10);
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const numbers = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

holds(
  'a split deals out every row once, with its label, in parts of the sizes asked for',
  200,
  fc.asyncProperty(
    fc.nat(60),
    share,
    share,
    word,
    fc.boolean(),
    fc.integer({ min: 1, max: 5 }),
    async (rows, test, validation, seed, stratify, classes) => {
      const labels = Int32Array.from({ length: rows }, (_, row) => (row * row) % classes);
      const data = new Dataset({ features: Float32Array.from(numbers(rows)), shape: [1], labels, classes });
      const result = await given(() => split(data, { test, validation, seed, stratify }));
      if ('error' in result) {
        expect(result.error.code).toBe('INVALID_ARGUMENT');
        expect(test + validation > 0.9 || rows - Math.round(test * rows) - Math.round(validation * rows) <= 0).toBe(
          true,
        );
        return;
      }
      const parts = [result.value.train, result.value.validation, result.value.test];
      expect(parts.slice(1).map(({ length }) => length)).toEqual(
        [validation, test].map((fraction) => Math.round(fraction * rows)),
      );
      const features = parts.flatMap((part) => [...part.features]);
      expect([...features].sort((a, b) => a - b)).toEqual([...numbers(rows)]);
      expect(parts.flatMap((part) => [...(part.labels ?? [])])).toEqual(features.map((row) => labels[row]));
      if (!stratify) return;
      for (const part of parts) {
        for (const [label, count] of part.classCounts().entries()) {
          const proportion = (part.length * data.classCounts()[label]) / Math.max(1, rows);
          expect(Math.abs(count - proportion)).toBeLessThan(3);
        }
      }
    },
  ),
);

holds(
  'the shuffle of an epoch is a permutation, draws stay inside, and both backends draw the same',
  200,
  fc.property(
    fc.integer({ min: 1, max: 300 }),
    fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    word,
    fc.nat(0xffff),
    word,
    (n, rows, seed, stream, epoch) => {
      const draws = [typescript, ...(native.available ? [native] : [])].map(({ kernels }) => {
        const [order, drawn] = [numbers(n), numbers(n)];
        kernels.permutation(order, n, seed, stream, epoch);
        kernels.drawWithReplacement(drawn, n, rows, seed, stream, epoch);
        return { order: [...order], drawn: [...drawn] };
      });
      expect([...draws[0].order].sort((a, b) => a - b)).toEqual([...numbers(n)]);
      expect(draws[0].drawn.every((row) => row >= 0 && row < rows)).toBe(true);
      expect(draws.at(-1)).toEqual(draws[0]);
    },
  ),
);
