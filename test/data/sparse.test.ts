import { describe, expect, it } from 'vitest';
import { checkSparseRows } from '../../lib/checks.js';
import {
  Dataset,
  type DatasetOptions,
  kFold,
  SparseDataset,
  type SparseDatasetOptions,
  split,
} from '../../lib/data/index.js';
import {
  Adam,
  type BackendName,
  dense,
  dropout,
  type ErrorCode,
  type FitOptions,
  input,
  Network,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { onBackends } from '../api/support.js';
import { expectError } from './expect-error.js';

const ROWS = 70;
const COLUMNS = 50;

/** Rows of which about one number in ten is not 0, some without any, and the same rows as a block. */
function sparseRows() {
  const rowOffsets = [0];
  const indices: number[] = [];
  const values: number[] = [];
  const block = new Float32Array(ROWS * COLUMNS);
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      if (row % 9 === 4 || (row * 7 + column * column) % 11 !== 0) continue;
      const value = Math.fround(Math.sin(row * COLUMNS + column));
      block[row * COLUMNS + column] = value;
      indices.push(column);
      values.push(value);
    }
    rowOffsets.push(indices.length);
  }
  return { sparse: { rowOffsets, indices, values, columns: COLUMNS }, block };
}

const { sparse, block } = sparseRows();
const labels = Int32Array.from({ length: ROWS }, (_, row) => (row * 5) % 3);
const sampleWeights = Float32Array.from({ length: ROWS }, (_, row) => 0.5 + (row % 4));

function both(rest: Partial<DatasetOptions & SparseDatasetOptions>) {
  const dense = { features: block, shape: [COLUMNS] };
  return { sparse: new SparseDataset({ ...sparse, ...rest }), dense: new Dataset({ ...dense, ...rest }) };
}

const network = (backend: BackendName) =>
  new Network({
    input: [COLUMNS],
    layers: [dense(20), relu(), dropout(0.2), dense(3)],
    loss: softmaxCrossEntropy(),
    seed: 5,
    backend,
  });

const parametersOf = (trained: Network) => trained.parameters.map(({ value }) => value.slice());

describe('SparseDataset', () => {
  it('has the rows of the block', () => {
    const { sparse: data } = both({ labels });
    expect([data.length, data.shape, data.columns]).toEqual([ROWS, [COLUMNS], COLUMNS]);
    for (let row = 0; row < ROWS; row++)
      expect(data.row(row)).toEqual(block.subarray(row * COLUMNS, (row + 1) * COLUMNS));
  });

  it('has slices, subsets, splits and folds with the rows of a Dataset', () => {
    const pair = both({ labels, sampleWeights, labelNames: ['a', 'b', 'c'] });
    const parts = [
      [pair.sparse.slice(8, 40), pair.dense.slice(8, 40)],
      [pair.sparse.slice(8, 40).slice(3, 9), pair.dense.slice(11, 17)],
      [pair.sparse.subset([60, 4, 60, 13]), pair.dense.subset([60, 4, 60, 13])],
      [pair.sparse.take(0), pair.dense.take(0)],
      [pair.sparse.oneHot(), pair.dense.oneHot()],
    ] as [SparseDataset, Dataset][];
    for (const stratify of [false, true]) {
      const [a, b] = [split(pair.sparse, { stratify, seed: 3 }), split(pair.dense, { stratify, seed: 3 })];
      parts.push([a.train, b.train], [a.test, b.test]);
      const [c, d] = [kFold(pair.sparse, { stratify, folds: 3 }), kFold(pair.dense, { stratify, folds: 3 })];
      for (const i of [0, 1, 2]) parts.push([c[i].train, d[i].train], [c[i].validation, d[i].validation]);
    }
    for (const [part, other] of parts) {
      expect(part).toBeInstanceOf(SparseDataset);
      expect(part.length).toBe(other.length);
      for (const field of ['labels', 'targets', 'targetShape', 'sampleWeights', 'classes', 'labelNames'] as const)
        expect(part[field], field).toEqual(other[field]);
      for (let row = 0; row < part.length; row++) expect(part.row(row)).toEqual(other.row(row));
    }
  });

  it('refuses what is no rows', () => {
    const good = { rowOffsets: [0, 2, 2, 3], indices: [1, 4, 0], values: [1, 2, 3], columns: 5 };
    const bad: [Partial<SparseDatasetOptions> & Record<string, unknown>, ErrorCode, RegExp][] = [
      [
        { indices: [4, 1, 0] },
        'INVALID_ARGUMENT',
        /indices\[1\]: row 0: expected a column from 5 to 4, ascending, got 1/,
      ],
      [{ indices: [1, 1, 0] }, 'INVALID_ARGUMENT', /indices\[1\]: row 0/],
      [{ indices: [1, 4, 5] }, 'INVALID_ARGUMENT', /indices\[2\]: row 2: expected a column from 0 to 4/],
      [{ indices: new Int32Array(new SharedArrayBuffer(12)).fill(-1) }, 'INVALID_ARGUMENT', /indices\[0\]: row 0/],
      [{ indices: [1, 4, -1] }, 'INVALID_ARGUMENT', /indices\[2\]: expected an integer/],
      [{ indices: [1, 4.5, 0] }, 'INVALID_ARGUMENT', /indices\[1\]: expected an integer/],
      [{ indices: [1, 4] }, 'SHAPE_MISMATCH', /values: expected one for each of the 2 indices, got 3/],
      [{ values: [1, 2] }, 'SHAPE_MISMATCH', /values/],
      [
        { rowOffsets: [0, 2, 1, 3] },
        'INVALID_ARGUMENT',
        /rowOffsets\[2\]: expected from 2, the offset before it, to 3/,
      ],
      [{ rowOffsets: [0, 2, 2, 4] }, 'INVALID_ARGUMENT', /rowOffsets\[3\]/],
      [{ rowOffsets: [] }, 'INVALID_ARGUMENT', /rowOffsets/],
      [{ columns: 0 }, 'INVALID_ARGUMENT', /columns/],
      [{ labels: [0, 1] }, 'SHAPE_MISMATCH', /labels: expected one for each of the 3 rows/],
      [{ shape: [5] }, 'UNKNOWN_OPTION', /shape/],
    ];
    for (const [change, code, message] of bad)
      expectError(() => new SparseDataset({ ...good, ...change } as SparseDatasetOptions), code, message);
    new SparseDataset(good);
  });
});

it('refuses more entries than an int32 counts', () => {
  // No memory for them: only their number is looked at.
  const length = 2 ** 31;
  const indices = Object.defineProperty(new Int32Array(0), 'length', { value: length });
  const check = () => checkSparseRows('data: ', 1, 5, new Int32Array(2), indices, length);
  expectError(check, 'INVALID_ARGUMENT', /^data: indices: expected at most 2147483647 entries, got 2147483648$/);
});

onBackends('training with sparse rows', (backend) => {
  const cases: [string, Partial<FitOptions>, Partial<DatasetOptions & SparseDatasetOptions>][] = [
    ['shuffled', {}, { labels }],
    ['weights of rows and classes', { classWeights: 'balanced' }, { labels, sampleWeights }],
    ['drawn with replacement', { sampling: 'withReplacement' } as Partial<FitOptions>, { labels }],
    [
      'targets, in order, accumulated',
      { shuffle: false, accumulate: 2 },
      { targets: new Float32Array(ROWS * 3).fill(1 / 3), targetShape: [3] },
    ],
  ];
  it.each(cases)('gives the bits of a Dataset: %s', async (_, options, rest) => {
    const pair = both(rest);
    const logs = [];
    const trained = [];
    for (const data of [pair.sparse, pair.dense]) {
      const own = network(backend);
      const { train, test } = split<SparseDataset | Dataset>(data, { seed: 2 });
      const history = await own.fit(train, {
        epochs: 3,
        batchSize: 16,
        optimizer: new Adam(),
        validation: test,
        ...options,
      });
      logs.push(history.epochs.map(({ loss, accuracy, validation }) => [loss, accuracy, validation]));
      trained.push({
        parameters: parametersOf(own),
        evaluated: await own.evaluate(test),
        predicted: own.predict(test),
        later: await own.predictAsync(test),
      });
    }
    expect(trained[0]).toEqual(trained[1]);
    expect(logs[0]).toEqual(logs[1]);
  });

  it('takes streams of sparse batches and named inputs', async () => {
    const pair = both({ labels });
    const named = () => {
      const x = input([COLUMNS], { name: 'text' });
      return new Network({ output: x.pipe(dense(3)), loss: softmaxCrossEntropy(), seed: 2, backend });
    };
    const trained = [];
    for (const data of [pair.sparse, pair.dense]) {
      const own = named();
      await own.fit([data.slice(0, 9), data.slice(9, 40)], { epochs: 2 });
      trained.push(parametersOf(own));
    }
    expect(trained[0]).toEqual(trained[1]);
  });

  it('names the row and column of a number that is not finite', async () => {
    const values = Float32Array.from(sparse.values);
    const entry = sparse.rowOffsets[12] + 1;
    values[entry] = Number.NaN;
    const data = new SparseDataset({ ...sparse, values, labels });
    const where = { where: 'features', row: 12, column: sparse.indices[entry] };
    const own = network(backend);
    const before = parametersOf(own);
    await expect(own.fit(data, { batchSize: ROWS })).rejects.toMatchObject({ code: 'NON_FINITE', details: where });
    expect(parametersOf(own)).toEqual(before);
    await expect(own.evaluate(data)).rejects.toMatchObject({ code: 'NON_FINITE', details: where });
    expect([...own.predict(data.slice(12, 13))].every(Number.isNaN)).toBe(true);
  });

  it('refuses rows changed behind its back, and those of another width', async () => {
    const data = new SparseDataset({ ...sparse, labels });
    const narrow = new SparseDataset({ rowOffsets: [0, 1], indices: [0], values: [1], columns: 3, labels: [0] });
    await expect(network(backend).fit(narrow)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    data.indices[0] = COLUMNS;
    await expect(network(backend).fit(data)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(async () => network(backend).predict(data)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
