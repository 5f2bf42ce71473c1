import { describe, expect, it } from 'vitest';
import { Dataset, type DatasetOptions, fromOneHot, oneHot, Scaler, SparseDataset } from '../../lib/data/index.js';
import { expectError } from './expect-error.js';

const shared = (bytes: number) => new SharedArrayBuffer(bytes);
const features = [
  [1, 2],
  [3, 4],
  [5, 6],
];

describe('Dataset: errors', () => {
  it.each<[string, object | undefined, RegExp]>([
    ['no options', undefined, /options: expected an object with features, got undefined/],
    ['no features', {}, /features: expected a typed array/],
    [
      'features of big integers',
      { features: new BigInt64Array(2), shape: [1] },
      /features: expected a typed array of numbers/,
    ],
    ['a DataView', { features: new DataView(new ArrayBuffer(8)), shape: [1] }, /features: expected/],
    ['strings among the numbers', { features: [[1, 'a']] }, /features\[0\]\[1\]: expected a number, got "a"/],
    [
      'a number among the rows',
      { features: [[1], 2] },
      /features\[1\]: expected 1 entries, as its siblings have, got 2/,
    ],
    ['flat features that nothing divides', { features: [1, 2, 3] }, /shape: expected the shape of one row/],
    ['a bad shape', { features, shape: [0] }, /shape: expected a non-empty list of positive integers/],
    ['a null shape', { features, shape: null }, /shape: expected/],
    ['empty rows', { features: [[], []] }, /shape of features: expected/],
    ['arrays nested too deep', { features: [[[[[[[[[1]]]]]]]]] }, /nested at most 8 deep/],
    ['labels and targets', { features, labels: [0, 1, 2], targets: [[1], [2], [3]] }, /one of them or neither/],
    ['targetShape alone', { features, targetShape: [1] }, /targetShape: expected targets along with it/],
    ['labels that are no list', { features, labels: 3 }, /labels: expected an integer typed array/],
    ['labels of floats', { features, labels: new Float32Array(3) }, /labels: expected an integer typed array/],
    ['fractional labels', { features, labels: [0, 1.5, 2] }, /labels\[1\]: expected an integer, got 1\.5/],
    ['a bad scale', { features, scale: NaN }, /scale: expected a finite number, got NaN/],
    ['a bad offset', { features, offset: '1' }, /offset: expected a finite number/],
    ['bad classes', { features, labels: [0, 0, 0], classes: 1.5 }, /classes: expected an integer/],
    ['a bad name', { features, name: 7 }, /name: expected a string/],
    ['bad label names', { features, labels: [0, 0, 0], labelNames: [1] }, /labelNames: expected an array of strings/],
  ])('INVALID_ARGUMENT: %s', (_, options, message) => {
    expectError(() => new Dataset(options as DatasetOptions), 'INVALID_ARGUMENT', message);
  });

  it.each<[string, object, RegExp]>([
    ['features no multiple of the shape', { features: [1, 2, 3], shape: [2] }, /features: expected rows of 2 numbers/],
    ['nested rows against the shape', { features, shape: [3] }, /features: expected rows of 3 numbers/],
    ['ragged rows', { features: [[1, 2], [3]] }, /features\[1\]: expected 2 entries, as its siblings have, got 1/],
    [
      'features no multiple of the labels',
      { features: [1, 2, 3], labels: [0, 1] },
      /features: expected a multiple of 2 numbers/,
    ],
    ['features but none for the labels', { features: [], labels: [0, 1] }, /features: expected a multiple of 2/],
    ['too few labels', { features, labels: [0, 1] }, /labels: expected one for each of the 3 rows of features, got 2/],
    [
      'too few targets',
      { features, targets: [[1], [2]] },
      /targets: expected one for each of the 3 rows of features, got 2/,
    ],
    [
      'targets no multiple of their shape',
      { features, targets: [1, 2, 3], targetShape: [2] },
      /targets: expected rows of 2/,
    ],
    ['targets no multiple of the rows', { features, targets: [1, 2] }, /targets: expected a multiple of 3 numbers/],
    [
      'classes unlike the targets',
      { features, targets: [[1], [2], [3]], classes: 2 },
      /classes: expected the 1 numbers/,
    ],
    [
      'label names unlike the classes',
      { features, labels: [0, 1, 1], classes: 2, labelNames: ['a'] },
      /labelNames: expected/,
    ],
  ])('SHAPE_MISMATCH: %s', (_, options, message) => {
    expectError(() => new Dataset(options as DatasetOptions), 'SHAPE_MISMATCH', message);
  });

  it('LABEL_OUT_OF_RANGE names the row', () => {
    expectError(
      () => new Dataset({ features, labels: [0, 1, -1] }),
      'LABEL_OUT_OF_RANGE',
      /labels: row 2: expected 0 to .*, got -1/,
    );
    expectError(
      () => new Dataset({ features, labels: [0, 9, 1], classes: 9 }),
      'LABEL_OUT_OF_RANGE',
      /row 1: expected 0 to 8, got 9/,
    );
    expectError(
      () => new Dataset({ features, labels: [0, 2, 1], labelNames: ['a', 'b'] }),
      'LABEL_OUT_OF_RANGE',
      /row 1/,
    );
    expectError(
      () => new Dataset({ features, labels: new Uint32Array([0, 2 ** 31, 1]) }),
      'LABEL_OUT_OF_RANGE',
      /row 1/,
    );
    const labels = new Int32Array(shared(12)).fill(-1);
    expectError(() => new Dataset({ features, labels }), 'LABEL_OUT_OF_RANGE', /row 0/);
  });

  it('UNKNOWN_OPTION', () => {
    expectError(
      () => new Dataset({ features, label: [0] } as unknown as DatasetOptions),
      'UNKNOWN_OPTION',
      /unknown option "label"/,
    );
  });

  it('DETACHED_BUFFER and RESIZABLE_BUFFER', () => {
    const gone = new Float32Array(4);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expectError(() => new Dataset({ features: gone, shape: [2] }), 'DETACHED_BUFFER', /features: .* detached/);
    const lost = new Uint8Array(4);
    structuredClone(lost.buffer, { transfer: [lost.buffer] });
    expectError(() => new Dataset({ features: lost, shape: [2] }), 'DETACHED_BUFFER', /features/);
    // The library's types of ES2022 do not know the option.
    const Growable = SharedArrayBuffer as unknown as new (length: number, options: object) => SharedArrayBuffer;
    const growable = new Growable(12, { maxByteLength: 24 });
    expectError(
      () => new Dataset({ features: new Float32Array(growable), shape: [1] }),
      'RESIZABLE_BUFFER',
      /features/,
    );
    expectError(() => new Dataset({ features, labels: new Int32Array(growable) }), 'RESIZABLE_BUFFER', /labels/);
  });

  it('methods check their arguments', () => {
    const data = new Dataset({ features, labels: [0, 1, 2] });
    expectError(() => data.row(3), 'INVALID_ARGUMENT', /index: expected an integer ≥ 0 and < 3, got 3/);
    expectError(() => data.row(-1), 'INVALID_ARGUMENT', /index/);
    expectError(() => data.slice(2, 1), 'INVALID_ARGUMENT', /end: expected an integer ≥ 2 and ≤ 3, got 1/);
    expectError(() => data.slice(4), 'INVALID_ARGUMENT', /begin/);
    expectError(() => data.take(4), 'INVALID_ARGUMENT', /count/);
    expectError(() => data.subset([0, 3]), 'INVALID_ARGUMENT', /indices\[1\]: expected an integer ≥ 0 and < 3, got 3/);
    expectError(() => data.subset(2 as unknown as number[]), 'INVALID_ARGUMENT', /indices: expected a typed array/);
    expectError(() => data.withScale(Infinity), 'INVALID_ARGUMENT', /scale/);
    const unlabelled = new Dataset({ features });
    expectError(() => unlabelled.classCounts(), 'INVALID_ARGUMENT', /classCounts: expected a dataset with labels/);
    expectError(() => unlabelled.oneHot(), 'INVALID_ARGUMENT', /oneHot: expected a dataset with labels/);
  });
});

describe('Dataset: shapes', () => {
  it('takes the shape from nesting, from the labels, from the targets or as given', () => {
    expect(new Dataset({ features }).shape).toEqual([2]);
    expect(
      new Dataset({
        features: [
          [[1], [2]],
          [[3], [4]],
        ],
      }).shape,
    ).toEqual([2, 1]);
    expect(new Dataset({ features: [1, 2, 3, 4, 5, 6], labels: [0, 1] }).shape).toEqual([3]);
    expect(new Dataset({ features: [1, 2, 3, 4, 5, 6], targets: [[0], [1]] }).shape).toEqual([3]);
    expect(new Dataset({ features: [1, 2, 3, 4, 5, 6], targets: [1, 2, 3, 4], targetShape: [2] }).shape).toEqual([3]);
    const image = new Dataset({ features: new Uint8Array(24), shape: [2, 3, 1] });
    expect(image).toMatchObject({ length: 4, shape: [2, 3, 1], featureCount: 6, outputs: 0, scale: 1, offset: 0 });
    expect(new Dataset({ features: [new Float32Array([1, 2]), new Float32Array([3, 4])] })).toMatchObject({
      length: 2,
      shape: [2],
    });
  });

  it('takes targets flat or nested', () => {
    expect(new Dataset({ features, targets: [7, 8, 9] })).toMatchObject({ outputs: 1, targetShape: [1] });
    expect(new Dataset({ features, targets: new Float32Array(12), targetShape: [2, 2] })).toMatchObject({
      outputs: 4,
      targetShape: [2, 2],
    });
    const nested = new Dataset({
      features,
      targets: [
        [1, 0],
        [0, 1],
        [1, 0],
      ],
    });
    expect(nested).toMatchObject({ outputs: 2, targetShape: [2], classes: undefined });
    expect([...(nested.targets as Float32Array)]).toEqual([1, 0, 0, 1, 1, 0]);
  });

  it('counts classes by the largest label, the option or the names', () => {
    const labels = [0, 2, 0];
    expect(new Dataset({ features, labels }).classes).toBe(3);
    expect(new Dataset({ features, labels, classes: 5 }).classCounts()).toEqual([2, 0, 1, 0, 0]);
    expect(new Dataset({ features, labels, labelNames: ['a', 'b', 'c', 'd'] }).classes).toBe(4);
  });

  it('allows zero rows', () => {
    const none = new Dataset({ features: [], shape: [2], labels: [] });
    expect(none).toMatchObject({ length: 0, shape: [2], classes: 0 });
    expect(none.slice(0).subset([]).length).toBe(0);
    expect(
      new Dataset({
        features,
        targets: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      }).take(0),
    ).toMatchObject({ length: 0, outputs: 2 });
  });

  it('is frozen', () => {
    const data = new Dataset({ features });
    expect(() => Object.assign(data, { length: 7 })).toThrow(TypeError);
    expect(() => (data.shape as number[]).push(1)).toThrow(TypeError);
    expect(() => Object.assign(data, { other: 7 })).toThrow(TypeError);
  });

  it('a derived dataset or scaler has fields of its own, and those of its base are read-only', () => {
    class Own extends Dataset {
      tag = 1;
    }
    class OwnSparse extends SparseDataset {
      tag = 1;
    }
    class OwnScaler extends Scaler {
      tag = 1;
    }
    const sparse = { rowOffsets: [0, 1], indices: [0], values: [1], columns: 2 };
    for (const own of [new Own({ features }), new OwnSparse(sparse), new OwnScaler({ center: [0], spread: [1] })]) {
      own.tag++;
      expect(own.tag).toBe(2);
      for (const key of Object.keys(own).filter((name) => name !== 'tag'))
        expect(() => Object.assign(own, { [key]: 7 }), key).toThrow(TypeError);
    }
    expect(new Own({ features }).slice(1)).toHaveLength(2);
  });
});

describe('Dataset: storage', () => {
  it('uses shared memory as it is: writes are seen', () => {
    const pixels = new Uint8Array(shared(9), 1, 6);
    const numbers = new Float32Array(shared(28), 4, 6);
    const labels = new Int32Array(shared(12));
    const targets = new Float32Array(shared(12));
    const bytes = new Dataset({ features: pixels, labels });
    const floats = new Dataset({ features: numbers, targets, shape: [2] });
    pixels[5] = 77;
    labels[1] = 4;
    numbers[5] = 0.25;
    targets[2] = -1;
    expect(bytes.features[5]).toBe(77);
    expect(bytes.labels?.[1]).toBe(4);
    expect(floats.features[5]).toBe(0.25);
    expect(floats.targets?.[2]).toBe(-1);
    expect(bytes.features.byteOffset).toBe(1);
    const clamped = new Uint8ClampedArray(shared(6));
    const picture = new Dataset({ features: clamped, shape: [6] });
    clamped[0] = 5;
    expect(picture.features).toBeInstanceOf(Uint8Array);
    expect(picture.features[0]).toBe(5);
  });

  it('copies ordinary memory into shared memory: writes are not seen', () => {
    const pixels = Buffer.from([1, 2, 3, 4, 5, 6]);
    const labels = new Int32Array([0, 1, 0]);
    const targets = new Float32Array([1, 2, 3]);
    const bytes = new Dataset({ features: pixels, labels });
    const floats = new Dataset({ features: new Float32Array(pixels), targets, shape: [2] });
    pixels[0] = 99;
    labels[0] = 3;
    targets[0] = 99;
    expect(bytes.features[0]).toBe(1);
    expect(bytes.labels?.[0]).toBe(0);
    expect(floats.targets?.[0]).toBe(1);
    for (const view of [bytes.features, bytes.labels, floats.features, floats.targets]) {
      expect(view?.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
    expect(Object.getPrototypeOf(bytes.features)).toBe(Uint8Array.prototype);
  });

  it('turns other numbers into float32', () => {
    for (const list of [new Int16Array([-1, 300]), new Float64Array([-1, 300]), [-1, 300]]) {
      const data = new Dataset({ features: list, shape: [1] });
      expect(data.features).toBeInstanceOf(Float32Array);
      expect([...data.features]).toEqual([-1, 300]);
    }
    for (const Type of [Uint8Array, Int8Array, Uint16Array, Uint32Array, Int32Array]) {
      expect([...(new Dataset({ features, labels: new Type([2, 1, 0]) }).labels as Int32Array)]).toEqual([2, 1, 0]);
    }
  });
});

describe('Dataset: methods', () => {
  const data = new Dataset({
    features: new Uint8Array([0, 51, 102, 153, 204, 255]),
    labels: [0, 1, 1],
    scale: 1 / 255,
    offset: -0.5,
    name: 'six',
    labelNames: ['a', 'b'],
  });

  it('row: what the network sees, in float32', () => {
    const row = data.row(1);
    expect(row).toBeInstanceOf(Float32Array);
    expect(row[0]).toBeCloseTo(-0.1, 6);
    expect(row[1]).toBeCloseTo(0.1, 6);
    expect([...new Dataset({ features }).row(2)]).toEqual([5, 6]);
  });

  it('slice and take: the same storage', () => {
    const tail = data.slice(1);
    expect(tail).toMatchObject({
      length: 2,
      scale: 1 / 255,
      offset: -0.5,
      name: 'six',
      classes: 2,
      labelNames: ['a', 'b'],
    });
    expect(tail.features.buffer).toBe(data.features.buffer);
    expect(tail.labels?.buffer).toBe(data.labels?.buffer);
    expect([...tail.features]).toEqual([102, 153, 204, 255]);
    expect([...(data.slice(1, 2).labels as Int32Array)]).toEqual([1]);
    expect([...data.take(1).features]).toEqual([0, 51]);
    expect(data.take(1).classes).toBe(2);
  });

  it('subset: copies in the order asked for', () => {
    const picked = data.subset([2, 0, 2]);
    expect([...picked.features]).toEqual([204, 255, 0, 51, 204, 255]);
    expect([...(picked.labels as Int32Array)]).toEqual([1, 0, 1]);
    expect(picked.features.buffer).not.toBe(data.features.buffer);
    expect(picked.scale).toBe(1 / 255);
    const wide = new Dataset({
      features: Float32Array.from({ length: 300 }, (_, i) => i),
      shape: [100],
      targets: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    });
    const two = wide.subset(new Uint8Array([2, 1]));
    expect([two.features[0], two.features[99], two.features[100]]).toEqual([200, 299, 100]);
    expect([...(two.targets as Float32Array)]).toEqual([5, 6, 3, 4]);
  });

  it('withScale: other numbers, the same storage', () => {
    const doubled = data.withScale(2);
    expect(doubled).toMatchObject({ scale: 2, offset: 0 });
    expect(doubled.features.buffer).toBe(data.features.buffer);
    expect([...doubled.row(0)]).toEqual([0, 102]);
  });

  it('oneHot: targets in place of labels', () => {
    const hot = data.oneHot();
    expect(hot).toMatchObject({ labels: undefined, outputs: 2, targetShape: [2], classes: 2, labelNames: ['a', 'b'] });
    expect([...(hot.targets as Float32Array)]).toEqual([1, 0, 0, 1, 0, 1]);
    expect(hot.features.buffer).toBe(data.features.buffer);
  });
});

describe('oneHot and fromOneHot', () => {
  it('throw', () => {
    expectError(() => oneHot([0, 3], 3), 'LABEL_OUT_OF_RANGE', /row 1: expected 0 to 2, got 3/);
    expectError(() => oneHot([0], 0), 'INVALID_ARGUMENT', /classes/);
    expectError(() => oneHot([0.5], 2), 'INVALID_ARGUMENT', /labels\[0\]/);
    expectError(() => fromOneHot([1, 0, 1], 2), 'SHAPE_MISMATCH', /rows of 2 numbers/);
    expectError(
      () =>
        fromOneHot(
          [
            [1, 0, 1],
            [1, 0, 0],
          ],
          2,
        ),
      'SHAPE_MISMATCH',
      /got shape \[2, 3\]/,
    );
    expectError(() => fromOneHot([0, NaN], 2), 'INVALID_ARGUMENT', /row 0, column 1/);
    expectError(
      () => fromOneHot([1, 0, 1, 1], 2),
      'INVALID_ARGUMENT',
      /targets: row 1: expected a single 1, .* got "2 of them"/,
    );
    expectError(() => fromOneHot([0, 0], 2), 'INVALID_ARGUMENT', /row 0: expected a single 1, .* got "0 of them"/);
  });

  it('are each other’s inverse', () => {
    const labels = [2, 0, 1, 2];
    const rows = oneHot(labels, 3);
    expect([...rows.subarray(0, 3)]).toEqual([0, 0, 1]);
    expect([...fromOneHot(rows, 3)]).toEqual(labels);
    expect([
      ...fromOneHot(
        [
          [0.1, 0.7, 0.2],
          [0.4, 0.4, 0.2],
        ],
        3,
      ),
    ]).toEqual([1, 0]);
  });
});
