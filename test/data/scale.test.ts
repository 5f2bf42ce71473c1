import { describe, expect, it } from 'vitest';
import { Dataset, minMaxScale, Scaler, type ScalerOptions, standardize } from '../../lib/data/index.js';
import { expectError } from './expect-error.js';

const data = new Dataset({
  features: [
    [1, 10, 0.1],
    [2, 30, 0.1],
    [3, 20, 0.1],
    [6, 60, 0.1],
  ],
  labels: [0, 1, 0, 1],
  labelNames: ['a', 'b'],
});
const column = ({ features, featureCount }: Dataset, i: number) =>
  [...features].filter((_, at) => at % featureCount === i);

describe('scaling: errors', () => {
  it.each([standardize, minMaxScale])('$name', (scale) => {
    expectError(() => scale([1] as unknown as Dataset), 'INVALID_ARGUMENT', /dataset: expected a Dataset/);
    expectError(() => scale(data.take(0)), 'EMPTY_DATA', /expected one row or more/);
    const bad = new Dataset({
      features: [
        [1, 2],
        [3, NaN],
      ],
    });
    expectError(() => scale(bad), 'NON_FINITE', /features: row 1, column 1 is NaN/);
    expect(() => scale(bad)).toThrowError(
      expect.objectContaining({ details: { where: 'features', row: 1, column: 1, value: NaN } }),
    );
  });

  it('minMaxScale: the range', () => {
    expectError(
      () => minMaxScale(data, { range: [1, 1] }),
      'INVALID_ARGUMENT',
      /range\[1\]: expected a finite number > 1/,
    );
    expectError(
      () => minMaxScale(data, { range: [0] as unknown as [number, number] }),
      'INVALID_ARGUMENT',
      /range: expected two numbers/,
    );
    expectError(() => minMaxScale(data, { min: 0 } as object), 'UNKNOWN_OPTION', /"min"/);
  });

  it('Scaler', () => {
    expectError(() => new Scaler(undefined as unknown as ScalerOptions), 'INVALID_ARGUMENT', /options/);
    expectError(() => new Scaler({ center: [0], scale: [1] } as unknown as ScalerOptions), 'UNKNOWN_OPTION', /"scale"/);
    expectError(() => new Scaler({ center: [0], spread: [1, 2] }), 'SHAPE_MISMATCH', /the same length, got 1 and 2/);
    expectError(
      () => new Scaler({ center: [0], spread: [0] }),
      'INVALID_ARGUMENT',
      /spread\[0\]: expected a number other than zero/,
    );
    expectError(() => new Scaler({ center: [NaN], spread: [1] }), 'INVALID_ARGUMENT', /center\[0\]/);
    expectError(
      () => new Scaler({ center: 1 as unknown as number[], spread: [1] }),
      'INVALID_ARGUMENT',
      /center: expected a typed array/,
    );
    const scaler = new Scaler({ center: [0], spread: [1] });
    expectError(() => scaler.apply(data), 'SHAPE_MISMATCH', /dataset: expected samples of 1 features, got 3/);
    expectError(() => scaler.invert(7 as unknown as Dataset), 'INVALID_ARGUMENT', /dataset: expected a Dataset/);
  });
});

describe('scaling: behaviour', () => {
  it('keeps the weights of the rows', () => {
    const weighed = new Dataset({ features: [[1], [3]], targets: [[5], [7]], sampleWeights: [1, 2] });
    for (const of of ['features', 'targets'] as const)
      expect([...(standardize(weighed, { of }).dataset.sampleWeights as Float32Array)]).toEqual([1, 2]);
  });

  it('refuses several inputs or outputs, of which it would lose some', () => {
    const several = [
      new Dataset({ features: { a: [[1], [2]], b: [[3], [4]] }, labels: [0, 1] }),
      new Dataset({ features: [[1], [2]], targets: { c: Int32Array.of(0, 1) } }),
    ];
    for (const data of several) {
      expectError(() => standardize(data), 'INVALID_ARGUMENT', /dataset: expected a dataset with one input/);
      expectError(() => minMaxScale(data), 'INVALID_ARGUMENT', /dataset: expected a dataset with one input/);
      const scaler = new Scaler({ center: [0], spread: [1] });
      expectError(() => scaler.apply(data), 'INVALID_ARGUMENT', /dataset: expected a dataset with one input/);
    }
  });

  it('standardize: mean 0 and deviation 1, constants to 0', () => {
    const { dataset, scaler } = standardize(data);
    expect([...scaler.center]).toEqual([3, 30, Math.fround(0.1)]);
    expect(scaler.spread[0]).toBeCloseTo(Math.sqrt(3.5), 12);
    expect(scaler.spread[2]).toBe(1);
    for (const i of [0, 1]) {
      const values = column(dataset, i);
      expect(values.reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 5);
      expect(values.reduce((sum, x) => sum + x * x, 0) / 4).toBeCloseTo(1, 5);
    }
    expect(column(dataset, 2)).toEqual([0, 0, 0, 0]);
    expect(dataset).toMatchObject({ shape: [3], classes: 2, labelNames: ['a', 'b'], scale: 1, offset: 0 });
    expect(dataset.labels?.buffer).toBe(data.labels?.buffer);
  });

  it('standardize: keeps its digits far from zero', () => {
    const far = new Dataset({ features: Float32Array.from({ length: 1000 }, (_, i) => 1e6 + (i % 2)), shape: [1] });
    const { dataset, scaler } = standardize(far);
    expect(scaler.center[0]).toBe(1e6 + 0.5);
    expect(scaler.spread[0]).toBeCloseTo(0.5, 12);
    expect(dataset.features[0]).toBe(-1);
  });

  it('minMaxScale: ends exactly on the range', () => {
    const { dataset } = minMaxScale(data);
    expect(column(dataset, 0)).toEqual([0, Math.fround(0.2), Math.fround(0.4), 1]);
    expect(column(dataset, 2)).toEqual([0, 0, 0, 0]);
    const wide = minMaxScale(data, { range: [-1, 3] }).dataset;
    expect([Math.min(...column(wide, 1)), Math.max(...column(wide, 1))]).toEqual([-1, 3]);
    expect(column(wide, 2)).toEqual([-1, -1, -1, -1]);
  });

  it.each([1e30, -1e30, 1e16, 1e9, 30, 0])(
    'minMaxScale: a column of %d alone becomes the lower end of the range',
    (value) => {
      const constant = new Dataset({ features: [[value], [value]] });
      for (const range of [
        [-2, 5],
        [0.1, 1],
        [0, 1],
      ] as const) {
        const { dataset, scaler } = minMaxScale(constant, { range });
        expect([...dataset.features]).toEqual([range[0], range[0]].map(Math.fround));
        const error = Math.abs(scaler.invert(dataset).features[0] - constant.features[0]);
        expect(error).toBeLessThanOrEqual(1e-7 * Math.max(1, Math.abs(value)));
      }
      expect(minMaxScale(constant).scaler.center[0]).toBe(Math.fround(value));
    },
  );

  it('sees bytes as the network does, and leaves the original alone', () => {
    const bytes = new Dataset({
      features: new Uint8Array([0, 100, 200]),
      shape: [1],
      scale: 0.5,
      offset: 1,
      targets: [1, 2, 3],
    });
    const { dataset, scaler } = standardize(bytes);
    expect(scaler.center[0]).toBe(51);
    expect(dataset.features).toBeInstanceOf(Float32Array);
    expect(dataset.targets?.buffer).toBe(bytes.targets?.buffer);
    expect([...bytes.features]).toEqual([0, 100, 200]);
    expect([...scaler.invert(dataset).features].map((x) => Math.round(x * 1e4) / 1e4)).toEqual([1, 51, 101]);
  });

  it('applies to other datasets and survives JSON', () => {
    const { scaler } = minMaxScale(data);
    const other = new Dataset({ features: [[11, 35, 0.1]] });
    const again = new Scaler(JSON.parse(JSON.stringify(scaler)));
    expect([...again.apply(other).features]).toEqual([2, 0.5, 0]);
    expect([...again.center]).toEqual([...scaler.center]);
    expect(again.invert(again.apply(other)).features[0]).toBe(11);
  });
});
