import { types } from 'node:util';
import { checkArity, checkChoice, checkNumber, checkOptions, invalid, lock } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { isNumeric, readNumbers } from '../numbers.js';
import { sharedFloats } from '../shared-memory.js';
import type { NestedNumbers, TypedArray } from '../types.js';
import { Dataset } from './dataset.js';

/** The part of a dataset to scale. */
export type ScaledPart = 'features' | 'targets';

/** Options of {@link Scaler}'s constructor, and what its JSON has. */
export interface ScalerOptions {
  /** Subtracted from each column (a feature, or an output of the targets). */
  center: TypedArray | readonly number[];
  /** Divisor of each column after that: as many finite non-zero numbers. */
  spread: TypedArray | readonly number[];
  /** The part of a dataset to scale. Default 'features'. */
  of?: ScaledPart;
}

/** What {@link standardize} and {@link minMaxScale} return. */
export interface Scaled {
  /** The dataset with scaled features or targets. */
  dataset: Dataset;
  /** The scaler that was used, for other datasets. */
  scaler: Scaler;
}

/**
 * Scales each column with its own numbers: `(x − center) / spread`, where x is the feature as the network sees it
 * (after the dataset's `scale` and `offset`), or the target. Store one in a file with `JSON.stringify(scaler)` and read
 * it with `Scaler.fromJSON(JSON.parse(text))`. The constructor throws `UNKNOWN_OPTION`, `INVALID_ARGUMENT` and
 * `SHAPE_MISMATCH`.
 */
export class Scaler {
  /** Subtracted from each column. */
  readonly center: Float64Array;
  /** Divisor of each column after that; never 0. */
  readonly spread: Float64Array;
  /** The part of a dataset that is scaled: 'features' (default) or 'targets'. */
  readonly of: ScaledPart;

  constructor(options: ScalerOptions) {
    checkArity('Scaler', arguments, 1);
    if (options === undefined) throw invalid('options', 'an object with center and spread', options);
    checkOptions('Scaler', options, ['center', 'spread', 'of']);
    this.center = readColumns('center', options.center);
    this.spread = readColumns('spread', options.spread);
    this.of = checkPart('of', options.of ?? 'features');
    if (this.center.length !== this.spread.length) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `center, spread: expected the same length, got ${this.center.length} and ${this.spread.length}`,
      );
    }
    const zero = this.spread.indexOf(0);
    if (zero >= 0) throw invalid(`spread[${zero}]`, 'a number other than zero', 0);
    lock(this, new.target !== Scaler);
  }

  /** Creates a scaler from what {@link toJSON} returned. Throws like the constructor. */
  static fromJSON(value: ScalerOptions): Scaler {
    checkArity('Scaler.fromJSON', arguments, 1);
    return new Scaler(value);
  }

  /**
   * Returns the dataset with scaled float32 features (`scale` 1 and `offset` 0) or targets, everything else sharing
   * storage; or scaled numbers, rows × columns, as a new Float32Array. Throws `SHAPE_MISMATCH` for a different number
   * of columns, `INVALID_ARGUMENT` for anything else.
   */
  apply(data: Dataset): Dataset;
  apply(data: TypedArray | NestedNumbers): Float32Array;
  apply(data: Dataset | TypedArray | NestedNumbers): Dataset | Float32Array {
    checkArity('apply', arguments, 1);
    return this.#map(data, (x, center, spread) => (x - center) / spread);
  }

  /**
   * The inverse, `x · spread + center`, for a dataset or for numbers such as predictions. Arguments and errors as in
   * `apply`.
   */
  invert(data: Dataset): Dataset;
  invert(data: TypedArray | NestedNumbers): Float32Array;
  invert(data: Dataset | TypedArray | NestedNumbers): Dataset | Float32Array {
    checkArity('invert', arguments, 1);
    return this.#map(data, (x, center, spread) => x * spread + center);
  }

  toJSON(): { center: number[]; spread: number[]; of?: ScaledPart } {
    // The default `of` is omitted, so the JSON is the same as before the option existed.
    return { center: [...this.center], spread: [...this.spread], ...(this.of !== 'features' && { of: this.of }) };
  }

  #map(data: unknown, formula: (x: number, center: number, spread: number) => number): Dataset | Float32Array {
    const map = (values: ArrayLike<number>, out: Float32Array, columns: Columns) => {
      let at = 0;
      visit({ ...columns, values }, (x, i) => {
        out[at++] = formula(x, this.center[i], this.spread[i]);
      });
      return out;
    };
    const count = this.center.length;
    if (!(data instanceof Dataset)) {
      if (!Array.isArray(data) && !isNumeric(data)) throw invalid('dataset', 'a Dataset, or an array of numbers', data);
      const { data: values, shape } = readNumbers('data', data);
      if (count === 0 || values.length % count !== 0 || (shape.length > 1 && shape[0] !== values.length / count)) {
        throw new BlasnetError(
          'SHAPE_MISMATCH',
          `data: expected rows of ${count} numbers, got shape [${shape.join(', ')}]`,
        );
      }
      return map(values, new Float32Array(values.length), { count, scale: 1, offset: 0 });
    }
    const columns = columnsOf(data, this.of);
    if (columns.count !== count) {
      const [what, unit] = this.of === 'features' ? ['samples', 'features'] : ['targets', 'numbers'];
      throw new BlasnetError('SHAPE_MISMATCH', `dataset: expected ${what} of ${count} ${unit}, got ${columns.count}`);
    }
    const out = map(columns.values, sharedFloats(columns.values.length), columns);
    const { features, scale, offset, shape, labels, targets, targetShape, sampleWeights, classes, name, labelNames } =
      data;
    const rest = { shape, labels, targetShape, sampleWeights, classes, name, labelNames };
    return this.of === 'features'
      ? new Dataset({ ...rest, features: out, targets })
      : new Dataset({ ...rest, features, scale, offset, targets: out });
  }
}

/** Options of {@link standardize}. */
export interface StandardizeOptions {
  /** The part to scale. Default 'features'. */
  of?: ScaledPart;
}

/**
 * Scales each feature (or each output of the targets) to mean 0 and standard deviation 1 (of the population: divided by
 * the number of rows); constant columns become 0. Bytes become float32, four times the size. For regression:
 * `standardize(train, { of: 'targets' })`, then `scaler.apply(test)` and `scaler.invert(network.predict(x))`. Throws
 * `EMPTY_DATA` for a dataset of zero rows, `NON_FINITE` naming the row, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function standardize(dataset: Dataset, options?: StandardizeOptions): Scaled {
  checkArity('standardize', arguments, 2);
  const of = checkPart('of', checkOptions('standardize', options, ['of']).of ?? 'features');
  const columns = checkRows(dataset, of);
  const { count } = columns;
  const rows = dataset.length;
  // Sums of differences from the first row, then from the mean: avoids cancellation; exactly 0 for a constant column.
  const first = new Float64Array(count);
  visit({ ...columns, values: columns.values.subarray(0, count) }, (x, i) => {
    first[i] = x;
  });
  const mean = new Float64Array(count);
  visit(columns, (x, i) => {
    mean[i] += x - first[i];
  });
  for (let i = 0; i < count; i++) mean[i] = first[i] + mean[i] / rows;
  const squares = new Float64Array(count);
  visit(columns, (x, i) => {
    squares[i] += (x - mean[i]) ** 2;
  });
  return finish(
    dataset,
    of,
    mean,
    squares.map((sum) => Math.sqrt(sum / rows)),
  );
}

/** Options of {@link minMaxScale}. */
export interface MinMaxOptions extends StandardizeOptions {
  /** New minimum and maximum of each feature. Default [0, 1]. */
  range?: readonly [low: number, high: number];
}

/**
 * Scales each feature (or each output of the targets) so that its minimum becomes `range[0]` and its maximum
 * `range[1]`; constant columns become `range[0]`. Bytes become float32, four times the size. Throws `EMPTY_DATA` for a
 * dataset of zero rows, `NON_FINITE` naming the row, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function minMaxScale(dataset: Dataset, options?: MinMaxOptions): Scaled {
  checkArity('minMaxScale', arguments, 2);
  const { range = [0, 1], of = 'features' } = checkOptions('minMaxScale', options, ['range', 'of']);
  const columns = checkRows(dataset, checkPart('of', of));
  if (!Array.isArray(range) || range.length !== 2) throw invalid('range', 'two numbers', range);
  const low = checkNumber('range[0]', range[0]);
  const high = checkNumber('range[1]', range[1], { above: low });
  const smallest = new Float64Array(columns.count).fill(Infinity);
  const largest = new Float64Array(columns.count).fill(-Infinity);
  visit(columns, (x, i) => {
    if (x < smallest[i]) smallest[i] = x;
    if (x > largest[i]) largest[i] = x;
  });
  // Of a constant column 1, or for large numbers more, as else value − low would be rounded to the value.
  const spread = largest.map(
    (value, i) => (value - smallest[i]) / (high - low) || Math.max(1, Math.abs(value) * 2 ** -20),
  );
  return finish(
    dataset,
    of,
    smallest.map((value, i) => value - low * spread[i]),
    spread,
  );
}

/** A spread of 0 (a constant column) counts as 1. */
function finish(dataset: Dataset, of: ScaledPart, center: Float64Array, spread: Float64Array): Scaled {
  const scaler = new Scaler({ center, spread: spread.map((value) => value || 1), of });
  return { dataset: scaler.apply(dataset), scaler };
}

/** Rows of `count` numbers, seen by the network as `value * scale + offset`. */
interface Columns {
  readonly count: number;
  readonly scale: number;
  readonly offset: number;
}

function columnsOf(dataset: Dataset, of: ScaledPart): Columns & { values: Float32Array | Uint8Array } {
  if (dataset.inputs !== undefined || dataset.goals !== undefined)
    throw invalid(
      'dataset',
      'a dataset with one input and one output; scale the arrays of several',
      'one with several',
    );
  if (of === 'features') {
    const { features, featureCount, scale, offset } = dataset;
    return { values: features, count: featureCount, scale, offset };
  }
  const { targets, outputs } = dataset;
  if (!targets) throw invalid('dataset', 'a dataset with targets', 'one without');
  return { values: targets, count: outputs, scale: 1, offset: 0 };
}

/** Calls back with every number as the network sees it, in float32, and its column. */
function visit(
  { values, count, scale, offset }: Columns & { values: ArrayLike<number> },
  callback: (x: number, column: number) => void,
): void {
  const [factor, shift] = [Math.fround(scale), Math.fround(offset)];
  for (let begin = 0; begin < values.length; begin += count) {
    for (let i = 0; i < count; i++) callback(Math.fround(Math.fround(values[begin + i] * factor) + shift), i);
  }
}

function readColumns(name: string, list: unknown): Float64Array {
  const { data, shape } = readNumbers(name, list);
  if (shape.length > 1) throw invalid(name, 'a flat list of numbers', list);
  return Float64Array.from(data, (value, i) => checkNumber(`${name}[${i}]`, value));
}

function checkPart(name: string, value: unknown): ScaledPart {
  return checkChoice(name, value, ['features', 'targets']);
}

function checkRows(dataset: unknown, of: ScaledPart): Columns & { values: Float32Array | Uint8Array } {
  if (!(dataset instanceof Dataset)) throw invalid('dataset', 'a Dataset', dataset);
  if (dataset.length === 0) throw new BlasnetError('EMPTY_DATA', 'dataset: expected one row or more, got none');
  const columns = columnsOf(dataset, of);
  const { values, count } = columns;
  const at = types.isUint8Array(values) ? -1 : values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return columns;
  const details = { where: of, row: Math.floor(at / count), column: at % count, value: values[at] } as const;
  throw new BlasnetError('NON_FINITE', `${of}: row ${details.row}, column ${details.column} is ${details.value}`, {
    details,
  });
}
