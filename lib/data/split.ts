import { checkArity, checkBoolean, checkInteger, checkNumber, checkOptions, checkSeed, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { RandomStream, Stream } from '../random.js';
import type { Dataset } from './dataset.js';
import { LabelledRows } from './rows.js';
import type { SparseDataset } from './sparse-dataset.js';

/** A dataset of either kind. */
export type AnyDataset = Dataset | SparseDataset;

/** Whether a value is a dataset of either kind. */
export function isDataset(value: unknown): value is AnyDataset {
  return value instanceof LabelledRows;
}

/** Options of {@link split}. */
export interface SplitOptions {
  /** Fraction of rows for the test set, in [0, 1). Default 0.2. */
  test?: number;
  /** Fraction of rows for validation, in [0, 1). Default 0. */
  validation?: number;
  /** 32-bit unsigned integer, default 0: the same seed gives the same split. */
  seed?: number;
  /**
   * Keep the class proportions in every part. Needs labels, or targets of 0 and 1 of which each column is a label to
   * keep in proportion. Default false.
   */
  stratify?: boolean;
}

/** What {@link split} returns. */
export interface SplitDatasets<T extends AnyDataset = Dataset> {
  train: T;
  validation: T;
  test: T;
  /** The dataset's row indices in each part, in order. */
  indices: { train: Int32Array; validation: Int32Array; test: Int32Array };
}

/**
 * Splits a dataset at random into disjoint copies, each in shuffled order. Sizes are the fractions of the rows, rounded
 * to the nearest integer; the training set gets the rest. A part with fraction 0 is a dataset of zero rows. Throws
 * `UNKNOWN_OPTION` and `INVALID_ARGUMENT` (also if no rows remain to train on, or for `stratify` without labels or
 * targets of 0 and 1).
 */
export function split<T extends AnyDataset>(dataset: T, options?: SplitOptions): SplitDatasets<T> {
  checkArity('split', arguments, 2);
  if (!isDataset(dataset)) throw invalid('dataset', 'a Dataset', dataset);
  const known = ['test', 'validation', 'seed', 'stratify'] as const;
  const { test = 0.2, validation = 0, seed = 0, stratify = false } = checkOptions('split', options, known);
  checkNumber('test', test, { min: 0, below: 1 });
  checkNumber('validation', validation, { min: 0, below: 1 });
  checkSeed('seed', seed);
  checkBoolean('stratify', stratify);
  const sizes = [0, Math.round(validation * dataset.length), Math.round(test * dataset.length)];
  sizes[0] = dataset.length - sizes[1] - sizes[2];
  if (test + validation >= 1 || sizes[0] < 0 || (sizes[0] === 0 && dataset.length > 0)) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `test, validation: expected fractions that leave rows to train on, got ${test} and ${validation} of ${dataset.length} rows`,
    );
  }

  const order = shuffled(dataset.length, new RandomStream(seed, Stream.data));
  const [train, rest, held] = gather(order, sizes, stratify ? stratified(dataset, order, sizes) : inTurn(order, sizes));
  return {
    train: subset(dataset, train),
    validation: subset(dataset, rest),
    test: subset(dataset, held),
    indices: { train, validation: rest, test: held },
  };
}

const subset = <T extends AnyDataset>(dataset: T, rows: Int32Array) => dataset.subset(rows) as T;

/** Options of {@link kFold}. */
export interface KFoldOptions {
  /** From 2 to the number of rows; at most 1000 with `stratify`. Default 5. */
  folds?: number;
  /** 32-bit unsigned integer, default 0: the same seed gives the same folds. */
  seed?: number;
  /** As in `split`. Default false. */
  stratify?: boolean;
}

/** One of the folds of {@link kFold}. */
export interface Fold<T extends AnyDataset = Dataset> {
  /** A copy of all rows except `validation`; created on access and kept only while referenced. */
  readonly train: T;
  /** A copy of the rows held out in this fold; created like `train`. */
  readonly validation: T;
  /** The dataset's row indices in each part, in order. */
  readonly indices: { readonly train: Int32Array; readonly validation: Int32Array };
}

/**
 * Splits a dataset at random into `folds` parts whose sizes differ by at most one row. For each part, returns it as
 * validation set with all other rows as training set: `for (const { train, validation } of kFold(data)) …`. Each row is
 * held out once; each part is in shuffled order. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT` (also for fewer rows
 * than folds, or `stratify` without labels or targets of 0 and 1).
 */
export function kFold<T extends AnyDataset>(dataset: T, options?: KFoldOptions): Fold<T>[] {
  checkArity('kFold', arguments, 2);
  if (!isDataset(dataset)) throw invalid('dataset', 'a Dataset', dataset);
  const { folds = 5, seed = 0, stratify = false } = checkOptions('kFold', options, ['folds', 'seed', 'stratify']);
  checkSeed('seed', seed);
  checkBoolean('stratify', stratify);
  checkInteger('folds', folds, { min: 2, max: stratify ? Math.min(MOST_STRATIFIED, dataset.length) : dataset.length });
  const order = shuffled(dataset.length, new RandomStream(seed, Stream.data));
  const sizes = Array.from({ length: folds }, (_, i) => Math.floor((dataset.length + folds - 1 - i) / folds));
  const parts = stratify ? stratified(dataset, order, sizes) : inTurn(order, sizes);
  return gather(order, sizes, parts).map((validation, own): Fold<T> => {
    const training = () => order.filter((row) => parts[row] !== own);
    return new LazyFold(dataset, training, validation);
  });
}

/** Stratifying takes rows × folds steps. */
const MOST_STRATIFIED = 1000;

/** Copies rows only on access, as all folds together would be `folds` copies of the dataset. */
class LazyFold<T extends AnyDataset> implements Fold<T> {
  readonly #dataset: T;
  readonly #training: () => Int32Array;
  readonly #held: Int32Array;
  #indices: Fold['indices'] | undefined;
  #train: WeakRef<T> | undefined;
  #validation: WeakRef<T> | undefined;

  constructor(dataset: T, training: () => Int32Array, held: Int32Array) {
    this.#dataset = dataset;
    this.#training = training;
    this.#held = held;
    Object.freeze(this);
  }

  get indices(): Fold['indices'] {
    this.#indices ??= Object.freeze({ train: this.#training(), validation: this.#held });
    return this.#indices;
  }

  get train(): T {
    const made = this.#train?.deref() ?? subset(this.#dataset, this.indices.train);
    this.#train = new WeakRef(made);
    return made;
  }

  get validation(): T {
    const made = this.#validation?.deref() ?? subset(this.#dataset, this.#held);
    this.#validation = new WeakRef(made);
    return made;
  }
}

/** 0 … n − 1 in random order (Fisher-Yates shuffle). */
export function shuffled(n: number, random: RandomStream): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const row = order[i];
    order[i] = order[j];
    order[j] = row;
  }
  return order;
}

/** The rows of each part, in the order of `order`. */
export function gather(order: Int32Array, sizes: readonly number[], parts: Int32Array): Int32Array[] {
  const rows = sizes.map((size) => new Int32Array(size));
  const filled = sizes.map(() => 0);
  for (const row of order) rows[parts[row]][filled[parts[row]]++] = row;
  return rows;
}

/** Assigns rows to parts, one part after the other along `order`. */
export function inTurn(order: Int32Array, sizes: readonly number[]): Int32Array {
  const parts = new Int32Array(order.length);
  let begin = 0;
  sizes.forEach((size, part) => {
    for (let i = begin; i < begin + size; i++) parts[order[i]] = part;
    begin += size;
  });
  return parts;
}

/** Assigns rows to parts, with the same proportions of classes or labels in all parts. */
function stratified(dataset: AnyDataset, order: Int32Array, sizes: readonly number[]): Int32Array {
  const { labels, targets } = dataset;
  if (labels) return deal(sortByClass(labels, order), sizes);
  if (!targets?.every((value) => value === 0 || value === 1)) {
    const came = targets ? 'one with other targets' : 'one without';
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `stratify: expected a dataset with labels, or with targets of 0 and 1, got ${came}`,
    );
  }
  return dealLabels(targets, dataset.outputs, order, sizes);
}

/** The rows of `order` grouped by class, keeping their order within a class. */
function sortByClass(labels: Int32Array, order: Int32Array): Int32Array {
  // The sort is stable.
  return order.slice().sort((a, b) => labels[a] - labels[b]);
}

/**
 * Assigns each row along `order` to the part that is furthest below its share of the rows seen so far. Every stretch of
 * `order`, and so every class, is then split in the same proportions. The sizes are exact: no part is ever a whole row
 * ahead of its share, and at the end the lags are integers that sum to zero.
 */
export function deal(order: Int32Array, sizes: readonly number[]): Int32Array {
  const parts = new Int32Array(order.length);
  const dealt = sizes.map(() => 0);
  for (let seen = 1; seen <= order.length; seen++) {
    let last = 0;
    let most = -Infinity;
    for (let part = 0; part < sizes.length; part++) {
      // The lag times the number of rows: an integer, so rounding can't change the sizes.
      const lag = seen * sizes[part] - dealt[part] * order.length;
      if (lag > most) {
        most = lag;
        last = part;
      }
    }
    parts[order[seen - 1]] = last;
    dealt[last]++;
  }
  return parts;
}

/**
 * Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011), with exact sizes. Repeatedly takes the label with the
 * fewest remaining rows, and assigns each of its rows to the part that lacks most of the label's share; on ties, to the
 * one that lacks most rows. Rows without labels fill the parts.
 */
function dealLabels(targets: Float32Array, outputs: number, order: Int32Array, sizes: readonly number[]): Int32Array {
  const parts = new Int32Array(order.length).fill(-1);
  const rowsOf: number[][] = Array.from({ length: outputs }, () => []);
  for (const row of order) for (let j = 0; j < outputs; j++) if (targets[row * outputs + j] === 1) rowsOf[j].push(row);
  const total = rowsOf.map((rows) => rows.length);
  const left = [...total];
  const free = [...sizes];
  const dealt = sizes.map(() => new Float64Array(outputs));

  /** How much of a label a part lacks, times the number of rows: an integer. */
  const lag = (part: number, label: number) => total[label] * sizes[part] - dealt[part][label] * order.length;
  const assign = (row: number, part: number) => {
    parts[row] = part;
    free[part]--;
    for (let j = 0; j < outputs; j++) {
      if (targets[row * outputs + j] !== 1) continue;
      dealt[part][j]++;
      left[j]--;
    }
  };
  const best = (label: number | undefined): number => {
    let found = -1;
    for (let part = 0; part < sizes.length; part++) {
      if (free[part] === 0) continue;
      const ahead = found < 0 || label === undefined ? 0 : lag(part, label) - lag(found, label);
      if (found < 0 || ahead > 0 || (ahead === 0 && free[part] > free[found])) found = part;
    }
    return found;
  };

  for (;;) {
    const label = left.reduce((least, count, j) => (count > 0 && (least < 0 || count < left[least]) ? j : least), -1);
    if (label < 0) break;
    for (const row of rowsOf[label]) if (parts[row] < 0) assign(row, best(label));
  }
  for (const row of order) if (parts[row] < 0) assign(row, best(undefined));
  return parts;
}
