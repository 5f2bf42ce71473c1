import { checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { TypedArray } from '../types.js';
import { Dataset } from './dataset.js';
import { isNumeric, sharedFloats } from './storage.js';

export interface ScalerOptions {
  /** What is subtracted from each feature: featureCount numbers. */
  center: TypedArray | readonly number[];
  /** What each feature is divided by afterwards: featureCount finite numbers other than zero. */
  spread: TypedArray | readonly number[];
}

export interface Scaled {
  /** The dataset with scaled features. */
  dataset: Dataset;
  /** The numbers it was scaled by, for other datasets. */
  scaler: Scaler;
}

/**
 * Scales each feature by numbers of its own: `(x − center) / spread`, where x is what the network sees of a dataset (after
 * its `scale` and `offset`). `JSON.stringify(scaler)` and `new Scaler(JSON.parse(text))` keep one in a file.
 * The constructor throws `UNKNOWN_OPTION`, `INVALID_ARGUMENT` and `SHAPE_MISMATCH`.
 */
export class Scaler {
  readonly center: Float64Array;
  readonly spread: Float64Array;

  constructor(options: ScalerOptions) {
    if (options === undefined) throw invalid('options', 'an object with center and spread', options);
    checkOptions('Scaler', options, ['center', 'spread']);
    this.center = readNumbers('center', options.center);
    this.spread = readNumbers('spread', options.spread);
    if (this.center.length !== this.spread.length) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `center, spread: expected the same length, got ${this.center.length} and ${this.spread.length}`,
      );
    }
    const zero = this.spread.indexOf(0);
    if (zero >= 0) throw invalid(`spread[${zero}]`, 'a number other than zero', 0);
    Object.freeze(this);
  }

  /**
   * A dataset with scaled float32 features, labels and targets on the same storage, `scale` 1 and `offset` 0.
   * Throws `SHAPE_MISMATCH` for another number of features, `INVALID_ARGUMENT` for anything but a Dataset.
   */
  apply(dataset: Dataset): Dataset {
    return this.#map(dataset, (x, center, spread) => (x - center) / spread);
  }

  /** The way back: `x · spread + center`. Throws as `apply` does. */
  invert(dataset: Dataset): Dataset {
    return this.#map(dataset, (x, center, spread) => x * spread + center);
  }

  toJSON(): { center: number[]; spread: number[] } {
    return { center: [...this.center], spread: [...this.spread] };
  }

  #map(dataset: Dataset, formula: (x: number, center: number, spread: number) => number): Dataset {
    checkDataset(dataset);
    const { featureCount, features } = dataset;
    if (featureCount !== this.center.length) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `dataset: expected samples of ${this.center.length} features, got ${featureCount}`,
      );
    }
    const out = sharedFloats(features.length);
    let at = 0;
    visit(dataset, (x, i) => {
      out[at++] = formula(x, this.center[i], this.spread[i]);
    });
    const { shape, labels, targets, targetShape, classes, name, labelNames } = dataset;
    return new Dataset({ features: out, shape, labels, targets, targetShape, classes, name, labelNames });
  }
}

/**
 * Scales each feature to mean 0 and standard deviation 1 (of the population: divided by the number of rows); a constant
 * feature becomes 0. Bytes become float32, four times their size.
 * Throws `EMPTY_DATA` for a dataset of zero rows, `NON_FINITE` naming the row, `INVALID_ARGUMENT`.
 */
export function standardize(dataset: Dataset): Scaled {
  checkRows(dataset);
  const { featureCount, length } = dataset;
  // Sums over differences from the first row, then about the mean: no cancellation, and exactly 0 for a constant feature.
  const first = dataset.row(0);
  const mean = new Float64Array(featureCount);
  visit(dataset, (x, i) => {
    mean[i] += x - first[i];
  });
  for (let i = 0; i < featureCount; i++) mean[i] = first[i] + mean[i] / length;
  const squares = new Float64Array(featureCount);
  visit(dataset, (x, i) => {
    squares[i] += (x - mean[i]) ** 2;
  });
  return finish(
    dataset,
    mean,
    squares.map((sum) => Math.sqrt(sum / length)),
  );
}

export interface MinMaxOptions {
  /** What the smallest and the largest value of a feature become. Default [0, 1]. */
  range?: readonly [low: number, high: number];
}

/**
 * Scales each feature so that its smallest value becomes `range[0]` and its largest `range[1]`; a constant feature becomes
 * `range[0]`. Bytes become float32, four times their size.
 * Throws `EMPTY_DATA` for a dataset of zero rows, `NON_FINITE` naming the row, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function minMaxScale(dataset: Dataset, options?: MinMaxOptions): Scaled {
  checkRows(dataset);
  const { range = [0, 1] } = checkOptions('minMaxScale', options, ['range']);
  if (!Array.isArray(range) || range.length !== 2) throw invalid('range', 'two numbers', range);
  const low = checkNumber('range[0]', range[0]);
  const high = checkNumber('range[1]', range[1], { above: low });
  const smallest = new Float64Array(dataset.featureCount).fill(Infinity);
  const largest = new Float64Array(dataset.featureCount).fill(-Infinity);
  visit(dataset, (x, i) => {
    if (x < smallest[i]) smallest[i] = x;
    if (x > largest[i]) largest[i] = x;
  });
  const spread = largest.map((value, i) => (value - smallest[i]) / (high - low));
  return finish(
    dataset,
    smallest.map((value, i) => value - low * (spread[i] || 1)),
    spread,
  );
}

/** A spread of 0 (a constant feature) counts as 1. */
function finish(dataset: Dataset, center: Float64Array, spread: Float64Array): Scaled {
  const scaler = new Scaler({ center, spread: spread.map((value) => value || 1) });
  return { dataset: scaler.apply(dataset), scaler };
}

/** Calls back with every number that the network sees, in float32 as there, and its column. */
function visit({ features, featureCount, scale, offset }: Dataset, callback: (x: number, column: number) => void): void {
  const [factor, shift] = [Math.fround(scale), Math.fround(offset)];
  for (let begin = 0; begin < features.length; begin += featureCount) {
    for (let i = 0; i < featureCount; i++) callback(Math.fround(Math.fround(features[begin + i] * factor) + shift), i);
  }
}

function readNumbers(name: string, list: unknown): Float64Array {
  if (!Array.isArray(list) && !isNumeric(list)) {
    throw invalid(name, 'an array of numbers', list);
  }
  return Float64Array.from(list, (value, i) => checkNumber(`${name}[${i}]`, value));
}

function checkDataset(dataset: unknown): void {
  if (!(dataset instanceof Dataset)) throw invalid('dataset', 'a Dataset', dataset);
}

function checkRows(dataset: Dataset): void {
  checkDataset(dataset);
  if (dataset.length === 0) throw new BlasnetError('EMPTY_DATA', 'dataset: expected one row or more, got none');
  const { features, featureCount } = dataset;
  if (features instanceof Uint8Array) return;
  const at = features.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const details = {
    where: 'features',
    row: Math.floor(at / featureCount),
    column: at % featureCount,
    value: features[at],
  } as const;
  throw new BlasnetError('NON_FINITE', `features: row ${details.row}, column ${details.column} is ${details.value}`, { details });
}
