import { checkBoolean, checkInteger, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { RandomStream, Stream } from '../random.js';
import { Dataset } from './dataset.js';

export interface SplitOptions {
  /** Fraction of the rows for the test set, in [0, 1). Default 0.2. */
  test?: number;
  /** Fraction of the rows for validation, in [0, 1). Default 0. */
  validation?: number;
  /** 32-bit unsigned integer, default 0: the same seed gives the same split. */
  seed?: number;
  /** Give every part the classes in the proportions of the whole; needs labels. Default false. */
  stratify?: boolean;
}

export interface SplitDatasets {
  train: Dataset;
  validation: Dataset;
  test: Dataset;
}

/**
 * Splits a dataset at random into copies that share no row, each in shuffled order. Sizes are the fractions of the rows
 * rounded to the nearest integer, the training set gets the rest; a part of fraction 0 is a dataset of zero rows.
 * Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`: fractions that leave nothing to train on, `stratify` without labels.
 */
export function split(dataset: Dataset, options?: SplitOptions): SplitDatasets {
  if (!(dataset instanceof Dataset)) throw invalid('dataset', 'a Dataset', dataset);
  const known = ['test', 'validation', 'seed', 'stratify'];
  const { test = 0.2, validation = 0, seed = 0, stratify = false } = checkOptions('split', options, known);
  checkNumber('test', test, { min: 0, below: 1 });
  checkNumber('validation', validation, { min: 0, below: 1 });
  checkInteger('seed', seed, { min: 0, max: 2 ** 32 - 1 });
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
  const parts = stratify ? deal(sortByClass(dataset, order), sizes) : undefined;
  const rows = sizes.map((size) => new Int32Array(size));
  const filled = [0, 0, 0];
  let part = 0;
  for (const row of order) {
    if (parts) part = parts[row];
    else while (filled[part] === sizes[part]) part++;
    rows[part][filled[part]++] = row;
  }
  const [train, rest, held] = rows.map((indices) => dataset.subset(indices));
  return { train, validation: rest, test: held };
}

/** 0 … n − 1 in random order (Fisher and Yates's shuffle). */
function shuffled(n: number, random: RandomStream): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const row = order[i];
    order[i] = order[j];
    order[j] = row;
  }
  return order;
}

/** The rows of `order`, class by class, otherwise in that order. */
function sortByClass(dataset: Dataset, order: Int32Array): Int32Array {
  const { labels } = dataset;
  if (!labels) throw new BlasnetError('INVALID_ARGUMENT', 'stratify: expected a dataset with labels, got one without');
  const next: number[] = [];
  let start = 0;
  for (const count of dataset.classCounts()) {
    next.push(start);
    start += count;
  }
  const sorted = new Int32Array(order.length);
  for (const row of order) sorted[next[labels[row]]++] = row;
  return sorted;
}

/**
 * Which part each row goes to, dealt along `order` to the part that lags most behind its share of the rows seen so far.
 * Every stretch of `order`, so every class, is then split in the same proportions, and the sizes come out exactly: no
 * part is ever a whole row ahead of its share, and in the end the lags are integers of sum zero.
 */
function deal(order: Int32Array, sizes: readonly number[]): Uint8Array {
  const parts = new Uint8Array(order.length);
  const dealt = sizes.map(() => 0);
  for (let seen = 1; seen <= order.length; seen++) {
    let last = 0;
    let most = -Infinity;
    for (let part = 0; part < sizes.length; part++) {
      // The lag times the number of rows: an integer, so that no rounding can spoil the sizes.
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
