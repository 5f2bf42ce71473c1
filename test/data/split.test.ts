import { describe, expect, it } from 'vitest';
import { Dataset, type SplitOptions, split } from '../../lib/data/index.js';
import { expectError } from './expect-error.js';

/** Row i holds the number i; 70 % of the rows are of class 0, 20 % of class 1, 10 % of class 2, sorted by class. */
function numbered(length: number): Dataset {
  const features = Float32Array.from({ length }, (_, i) => i);
  return new Dataset({
    features,
    shape: [1],
    labels: Array.from({ length }, (_, i) => (i < 0.7 * length ? 0 : i < 0.9 * length ? 1 : 2)),
  });
}

describe('split: errors', () => {
  const data = numbered(10);
  it.each<[SplitOptions, RegExp]>([
    [{ test: 1 }, /test: expected a finite number ≥ 0 and < 1, got 1/],
    [{ test: -0.1 }, /test/],
    [{ validation: NaN }, /validation/],
    [{ test: 0.5, validation: 0.5 }, /fractions that leave rows to train on, got 0.5 and 0.5 of 10 rows/],
    [{ test: 0.96 }, /leave rows to train on/],
    [{ seed: -1 }, /seed/],
    [{ seed: 2 ** 32 }, /seed/],
    [{ stratify: 1 as unknown as boolean }, /stratify: expected true or false/],
  ])('INVALID_ARGUMENT: %o', (options, message) => {
    expectError(() => split(data, options), 'INVALID_ARGUMENT', message);
  });

  it('INVALID_ARGUMENT: fractions of no rows', () => {
    expectError(
      () => split(data.take(0), { test: 0.5, validation: 0.5 }),
      'INVALID_ARGUMENT',
      /leave rows to train on/,
    );
  });

  it('INVALID_ARGUMENT: no Dataset, no labels', () => {
    expectError(() => split([1] as unknown as Dataset), 'INVALID_ARGUMENT', /dataset: expected a Dataset/);
    expectError(
      () => split(new Dataset({ features: [[1], [2]] }), { stratify: true, test: 0.5 }),
      'INVALID_ARGUMENT',
      /stratify: expected a dataset with labels/,
    );
  });

  it('UNKNOWN_OPTION', () => {
    expectError(() => split(data, { train: 0.5 } as SplitOptions), 'UNKNOWN_OPTION', /"train"/);
  });
});

describe('split: behaviour', () => {
  const data = numbered(1000);

  it.each([false, true])('parts share no row and leave none out (stratify: %s)', (stratify) => {
    const { train, validation, test } = split(data, { test: 0.2, validation: 0.1, seed: 3, stratify });
    expect([train.length, validation.length, test.length]).toEqual([700, 100, 200]);
    const rows = [...train.features, ...validation.features, ...test.features];
    expect(rows.toSorted((a, b) => a - b)).toEqual([...data.features]);
    expect([...train.features]).not.toEqual(train.features.toSorted());
    train.features.forEach((row, i) => expect(train.labels?.[i]).toBe(data.labels?.[row]));
  });

  it('is 80 to 20 by default; zero rows are legal', () => {
    const { train, validation, test } = split(data);
    expect([train.length, validation.length, test.length]).toEqual([800, 0, 200]);
    expect(split(data.take(0), { stratify: true }).train.length).toBe(0);
    expect(split(data.take(1)).train.length).toBe(1);
  });

  it('goes by the seed', () => {
    const once = [...split(data, { seed: 1 }).test.features];
    expect([...split(data, { seed: 1 }).test.features]).toEqual(once);
    expect([...split(data, { seed: 2 }).test.features]).not.toEqual(once);
    expect([...split(data, { seed: 1, stratify: true }).test.features]).toEqual([
      ...split(data, { seed: 1, stratify: true }).test.features,
    ]);
  });

  it('draws rows evenly from the whole', () => {
    const rows = [...split(data, { test: 0.5 }).test.features];
    expect(rows.reduce((sum, row) => sum + row, 0) / rows.length).toBeGreaterThan(460);
    expect(rows.reduce((sum, row) => sum + row, 0) / rows.length).toBeLessThan(540);
  });

  it('stratify gives each part the classes in proportion', () => {
    const { train, validation, test } = split(data, { test: 0.2, validation: 0.1, stratify: true });
    expect(train.classCounts()).toEqual([490, 140, 70]);
    expect(validation.classCounts()).toEqual([70, 20, 10]);
    expect(test.classCounts()).toEqual([140, 40, 20]);
    expect([...(test.labels as Int32Array)].slice(0, 40)).toContain(1);
  });

  it('stratify keeps the sizes exact where the classes do not divide', () => {
    for (let n = 5; n < 60; n++) {
      const labels = Array.from({ length: n }, (_, i) => (i * i) % 4);
      const odd = new Dataset({ features: new Float32Array(n), shape: [1], labels });
      const { train, validation, test } = split(odd, { test: 0.3, validation: 0.15, stratify: true, seed: n });
      const sizes = [Math.round(0.15 * n), Math.round(0.3 * n)];
      expect([train.length, validation.length, test.length]).toEqual([n - sizes[0] - sizes[1], ...sizes]);
      odd.classCounts().forEach((count, c) => {
        expect(Math.abs((test.classCounts()[c] ?? 0) - (count * sizes[1]) / n)).toBeLessThan(2);
      });
    }
  });
});
