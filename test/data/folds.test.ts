import { describe, expect, it } from 'vitest';
import { Dataset, type KFoldOptions, kFold, minMaxScale, Scaler, split, standardize } from '../../lib/data/index.js';
import { RandomStream } from '../../lib/random.js';
import { expectError } from './expect-error.js';

/** Row i holds the number i. */
const numbered = (length: number, rest: object = {}) =>
  new Dataset({ features: Float32Array.from({ length }, (_, i) => i), shape: [1], ...rest });

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Targets of several labels, the first frequent and the last rare. */
function multiLabel(length: number, outputs: number, seed: number): Dataset {
  const random = new RandomStream(seed, 8);
  const targets = Array.from({ length }, () =>
    Array.from({ length: outputs }, (_, j) => Number(random.below(2 + 4 * j) === 0)),
  );
  return numbered(length, { targets });
}

const labelCounts = ({ targets = new Float32Array(0), outputs }: Dataset) =>
  range(outputs).map((j) => targets.filter((_, i) => i % outputs === j).reduce((a, b) => a + b, 0));

describe('split: indices and labels', () => {
  it('tells which rows each part holds', () => {
    const data = numbered(50);
    const { train, validation, test, indices } = split(data, { test: 0.2, validation: 0.1, seed: 3 });
    expect([...indices.train]).toEqual([...train.features]);
    expect([...indices.validation]).toEqual([...validation.features]);
    expect([...indices.test]).toEqual([...test.features]);
    const once = [...indices.train, ...indices.validation, ...indices.test];
    expect(once.sort((a, b) => a - b)).toEqual(range(50));
  });

  it('stratifies by labels that are ids', () => {
    const labels = Int32Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? 1e8 : 3));
    const data = numbered(40, { labels });
    const { test } = split(data, { test: 0.5, stratify: true });
    expect([...(test.labels as Int32Array)].filter((label) => label === 1e8)).toHaveLength(5);
    expectError(() => data.classCounts(), 'INVALID_ARGUMENT', /classCounts: classes: .* ≤ 16777216, got 100000001/);
  });

  it.each([1, 2, 3])('stratifies several labels a row (seed %i)', (seed) => {
    const data = multiLabel(400, 5, seed);
    const { train, validation, test } = split(data, { test: 0.25, validation: 0.15, stratify: true, seed });
    expect([train.length, validation.length, test.length]).toEqual([240, 60, 100]);
    const whole = labelCounts(data);
    for (const part of [train, validation, test]) {
      labelCounts(part).forEach((count, j) => expect(Math.abs(count - (whole[j] * part.length) / 400)).toBeLessThan(3));
    }
  });

  it('stratifies one-hot targets as labels, and refuses others', () => {
    const data = numbered(30, { targets: range(30).map((i) => (i < 20 ? [1, 0] : [0, 1])) });
    expect(labelCounts(split(data, { test: 0.3, stratify: true }).test)).toEqual([6, 3]);
    expectError(
      () => split(numbered(2, { targets: [0.5, 1], targetShape: [1] }), { test: 0.5, stratify: true }),
      'INVALID_ARGUMENT',
      /stratify: expected a dataset with labels, or with targets of 0 and 1, got one with other targets/,
    );
  });
});

describe('kFold', () => {
  const data = numbered(103, { labels: range(103).map((i) => Number(i % 3 === 0)) });

  it.each([false, true])('holds out each row once (stratify: %s)', (stratify) => {
    const folds = kFold(data, { folds: 4, seed: 2, stratify });
    expect(folds.map(({ validation }) => validation.length)).toEqual([26, 26, 26, 25]);
    const held = folds.flatMap(({ indices }) => [...indices.validation]);
    expect(held.sort((a, b) => a - b)).toEqual(range(103));
    for (const { train, validation, indices } of folds) {
      expect([...train.features]).toEqual([...indices.train]);
      expect([...validation.features]).toEqual([...indices.validation]);
      expect([...indices.train, ...indices.validation].sort((a, b) => a - b)).toEqual(range(103));
      const ones = validation.labels?.reduce((a, b) => a + b, 0) as number;
      if (stratify) expect(Math.abs(ones - (35 * validation.length) / 103)).toBeLessThan(1.01);
    }
  });

  it('goes by the seed; 5 folds by default', () => {
    expect(kFold(data)).toHaveLength(5);
    const rows = (options: KFoldOptions) => kFold(data, options).map(({ indices }) => [...indices.validation]);
    expect(rows({ seed: 1 })).toEqual(rows({ seed: 1 }));
    expect(rows({ seed: 1 })).not.toEqual(rows({ seed: 2 }));
  });

  it('makes each part once as long as it is held, and leaves one out', () => {
    const [fold] = kFold(data, { folds: 103 });
    expect(fold.train).toBe(fold.train);
    expect([fold.train.length, fold.validation.length]).toEqual([102, 1]);
  });

  it('gives each label in proportion', () => {
    const several = multiLabel(300, 4, 5);
    const whole = labelCounts(several);
    for (const { validation } of kFold(several, { folds: 3, stratify: true })) {
      labelCounts(validation).forEach((count, j) => expect(Math.abs(count - whole[j] / 3)).toBeLessThan(3));
    }
  });

  it('refuses what does not fit', () => {
    expectError(() => kFold(data, { folds: 1 }), 'INVALID_ARGUMENT', /folds: expected an integer ≥ 2 and ≤ 103, got 1/);
    expectError(() => kFold(data, { folds: 104 }), 'INVALID_ARGUMENT', /folds/);
    expectError(() => kFold(data, { k: 3 } as never), 'UNKNOWN_OPTION', /"k"/);
    expectError(() => kFold([1] as never), 'INVALID_ARGUMENT', /dataset: expected a Dataset/);
    expectError(
      () => kFold(numbered(4), { stratify: true, folds: 2 }),
      'INVALID_ARGUMENT',
      /stratify: expected a dataset with labels/,
    );
  });
});

describe('scaling of targets', () => {
  const targets = [
    [100, 1],
    [300, 1],
    [200, 1],
  ];
  const train = numbered(3, { targets });

  it('standardize: fits, applies to other datasets, inverts predictions', () => {
    const { dataset, scaler } = standardize(train, { of: 'targets' });
    expect([...scaler.center]).toEqual([200, 1]);
    expect(scaler.spread[0]).toBeCloseTo(Math.sqrt(20000 / 3), 10);
    expect([...(dataset.targets as Float32Array)].filter((_, i) => i % 2 === 1)).toEqual([0, 0, 0]);
    expect(dataset.features.buffer).toBe(train.features.buffer);
    expect(dataset.targetShape).toEqual([2]);
    const other = scaler.apply(numbered(1, { targets: [[200, 3]] }));
    expect([...(other.targets as Float32Array)]).toEqual([0, 2]);
    const predictions = scaler.invert(dataset.targets as Float32Array);
    expect(predictions).toBeInstanceOf(Float32Array);
    predictions.forEach((value, i) => expect(value).toBeCloseTo(targets.flat()[i], 3));
    expect(scaler.invert([0, 0])).toEqual(Float32Array.of(200, 1));
    expect(scaler.apply([200, 1])).toEqual(Float32Array.of(0, 0));
    expect(
      scaler.apply([
        [200, 1],
        [200, 2],
      ]),
    ).toEqual(Float32Array.of(0, 0, 0, 1));
    const back = scaler.invert(dataset);
    back.targets?.forEach((value, i) => expect(value).toBeCloseTo(targets.flat()[i], 3));
  });

  it('minMaxScale, and what a file keeps', () => {
    const { dataset, scaler } = minMaxScale(train, { of: 'targets', range: [-1, 1] });
    expect([...(dataset.targets as Float32Array)].filter((_, i) => i % 2 === 0)).toEqual([-1, 1, 0]);
    const again = Scaler.fromJSON(JSON.parse(JSON.stringify(scaler)));
    expect(again.of).toBe('targets');
    expect(again.invert([0, 0])).toEqual(scaler.invert([0, 0]));
    expect(JSON.stringify(new Scaler({ center: [0], spread: [1] }))).toBe('{"center":[0],"spread":[1]}');
  });

  it('leaves the scale of byte features alone', () => {
    const bytes = new Dataset({ features: Uint8Array.of(0, 255), shape: [1], scale: 1 / 255, targets: [[1], [3]] });
    const { dataset } = standardize(bytes, { of: 'targets' });
    expect(dataset.scale).toBe(bytes.scale);
    expect(dataset.features).toBeInstanceOf(Uint8Array);
    expect([...(dataset.targets as Float32Array)]).toEqual([-1, 1]);
  });

  it('refuses what does not fit', () => {
    const { scaler } = standardize(train, { of: 'targets' });
    expectError(() => standardize(numbered(2), { of: 'targets' }), 'INVALID_ARGUMENT', /a dataset with targets/);
    expectError(() => standardize(train, { of: 'labels' as never }), 'INVALID_ARGUMENT', /of: expected one of/);
    expectError(() => standardize(train, { part: 1 } as never), 'UNKNOWN_OPTION', /"part"/);
    expectError(
      () => scaler.invert(new Float32Array(3)),
      'SHAPE_MISMATCH',
      /data: expected rows of 2 numbers, got shape \[3\]/,
    );
    expectError(() => scaler.invert(['1', 2] as never), 'INVALID_ARGUMENT', /data\[0\]: expected a number/);
    expectError(() => scaler.apply(numbered(1, { targets: [[1]] })), 'SHAPE_MISMATCH', /targets of 2 numbers, got 1/);
    expectError(
      () => standardize(numbered(2, { targets: [1, NaN], targetShape: [1] }), { of: 'targets' }),
      'NON_FINITE',
      /targets: row 1, column 0/,
    );
  });
});
