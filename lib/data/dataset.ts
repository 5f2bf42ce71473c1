import { checkArity, checkInteger, checkNumber, checkOptions, checkShape, invalid, isPlain, lock } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { product, readSharedFeatures } from '../numbers.js';
import type { FeatureColumn, IntegerArray, NestedNumbers, Shape, TypedArray } from '../types.js';
import {
  type ColumnChange,
  divide,
  each,
  LabelledRows,
  type LabelledRowsOptions,
  mismatch,
  type Numbers,
  oneHotOptions,
  ownRows,
  picked,
  ROW_OPTIONS,
  readColumns,
  readRows,
  rowOptions,
  sliced,
  unchanged,
} from './rows.js';

/** One of several inputs: its numbers, or an object with their shape, scale and offset. */
export type FeatureOptions =
  | TypedArray
  | NestedNumbers
  | {
      /** Rows × product(shape) numbers. */
      values: TypedArray | NestedNumbers;
      /** Shape of one sample. */
      shape?: Shape | undefined;
      scale?: number | undefined;
      offset?: number | undefined;
    };

/** Options of {@link Dataset}'s constructor: the rows, and what they are to become. */
export interface DatasetOptions extends LabelledRowsOptions {
  /**
   * Rows × product(shape) numbers, row-major. Bytes stay bytes; everything else becomes float32. For a network with
   * several inputs: an object of these by the inputs' names.
   */
  features: TypedArray | NestedNumbers | Readonly<Record<string, FeatureOptions>>;
  /** Shape of one sample, channels last. Default: from nested arrays, otherwise `[features.length / rows]`. */
  shape?: Shape | undefined;
  /** The network sees `feature * scale + offset`. Default 1, also for bytes. */
  scale?: number | undefined;
  /** Default 0. */
  offset?: number | undefined;
}

const OPTIONS: readonly (keyof DatasetOptions)[] = [...ROW_OPTIONS, 'features', 'shape', 'scale', 'offset'];

/**
 * Samples in shared memory, with class labels, with targets, or with neither (for prediction only).
 *
 * Data in a SharedArrayBuffer is used without a copy: writing to it changes the dataset. Data in an ordinary
 * ArrayBuffer and plain arrays are copied once. `features` is a Uint8Array (from a Uint8Array, Buffer or
 * Uint8ClampedArray) or a Float32Array (from anything else; numbers are rounded to float32). A dataset may have zero
 * rows; training rejects it.
 *
 * The constructor throws `UNKNOWN_OPTION`, `INVALID_ARGUMENT`, `SHAPE_MISMATCH` (inconsistent lengths),
 * `LABEL_OUT_OF_RANGE` (naming the row), `DETACHED_BUFFER`, `RESIZABLE_BUFFER` and `OUT_OF_MEMORY`.
 */
export class Dataset extends LabelledRows {
  /** Shape of one sample. */
  readonly shape: Shape;
  /** Numbers per sample: the product of `shape`. */
  readonly featureCount: number;
  /** Rows × featureCount numbers as stored, before `scale` and `offset`. */
  readonly features: Uint8Array | Float32Array;
  /** The network sees `feature * scale + offset`. */
  readonly scale: number;
  /** Added to each feature after that. */
  readonly offset: number;
  /** Several inputs by name; `features`, `shape`, `scale` and `offset` are then those of the first. */
  readonly inputs: Readonly<Record<string, FeatureColumn>> | undefined;

  constructor(options: DatasetOptions) {
    checkArity('Dataset', arguments, 1);
    if (options === undefined) throw invalid('options', 'an object with features', options);
    checkOptions('Dataset', options, OPTIONS);
    let samples!: Samples;
    super(options, (known) => {
      samples = readSamples(options, known);
      return samples.rows;
    });
    const { features, scale, offset, shape } = samples.first;
    this.features = features;
    this.scale = scale;
    this.offset = offset;
    this.shape = shape;
    this.inputs = samples.inputs;
    this.featureCount = product(shape);
    lock(this, new.target !== Dataset);
  }

  /**
   * Row `index` as the network sees it: Float32Array of `featureCount` numbers, scaled and offset. Throws
   * `INVALID_ARGUMENT`.
   */
  row(index: number): Float32Array {
    checkArity('row', arguments, 1);
    checkInteger('index', index, { min: 0, below: this.length });
    const { featureCount, features } = this;
    const scale = Math.fround(this.scale);
    const offset = Math.fround(this.offset);
    const out = new Float32Array(featureCount);
    for (let i = 0, at = index * featureCount; i < featureCount; i++) {
      out[i] = Math.fround(features[at + i] * scale) + offset;
    }
    return out;
  }

  /**
   * Rows from `begin` to `end` (exclusive; default: the number of rows), sharing storage. Throws `INVALID_ARGUMENT`.
   */
  slice(begin: number, end: number = this.length): Dataset {
    checkArity('slice', arguments, 2);
    checkInteger('begin', begin, { min: 0, max: this.length });
    checkInteger('end', end, { min: begin, max: this.length });
    return this.#with(sliced(begin, end));
  }

  /** The first `count` rows, sharing storage. Throws `INVALID_ARGUMENT` if there are fewer. */
  take(count: number): Dataset {
    checkArity('take', arguments, 1);
    checkInteger('count', count, { min: 0, max: this.length });
    return this.slice(0, count);
  }

  /** A copy of the rows at `indices`, in that order; rows may be repeated. Throws `INVALID_ARGUMENT`. */
  subset(indices: IntegerArray | readonly number[]): Dataset {
    checkArity('subset', arguments, 1);
    return this.#with(picked(readRows(indices, this.length)));
  }

  /** A dataset on the same storage with a different `scale` and `offset` (default 0). Throws `INVALID_ARGUMENT`. */
  withScale(scale: number, offset = 0): Dataset {
    checkArity('withScale', arguments, 2);
    checkNumber('scale', scale);
    if (this.inputs !== undefined)
      throw new BlasnetError('INVALID_ARGUMENT', 'withScale: the columns of several inputs have their own scales');
    return this.#with(unchanged, { scale, offset });
  }

  /**
   * A dataset with the same features and one-hot targets, rows × `classes`, instead of labels. Throws
   * `INVALID_ARGUMENT` without labels.
   */
  oneHot(): Dataset {
    checkArity('oneHot', arguments, 0);
    return this.#with(unchanged, oneHotOptions(this));
  }

  /** The columns changed by `change`, with other options. */
  #with(change: ColumnChange, others: Partial<DatasetOptions> = {}): Dataset {
    const { features, featureCount, shape, scale, offset, inputs } = this;
    const samples =
      inputs === undefined
        ? { features: change(features, featureCount), shape, scale, offset }
        : {
            features: each(inputs, ({ features: values, ...rest }) => ({
              ...rest,
              values: change(values, product(rest.shape)),
            })),
          };
    return new Dataset({ ...rowOptions(this, change), ...samples, ...others });
  }
}

/** The features of a dataset: of its first input, and of all if they have names. */
interface Samples {
  readonly first: FeatureColumn;
  readonly rows: number;
  readonly inputs: Readonly<Record<string, FeatureColumn>> | undefined;
}

function readFeature(label: string, given: unknown): Numbers<Uint8Array | Float32Array> {
  const record = isPlain(given) && !Array.isArray(given);
  const known = ['values', 'shape', 'scale', 'offset'];
  const options = record ? checkOptions<Record<string, unknown>>(label, given as Record<string, unknown>, known) : {};
  const { values = record ? undefined : given, shape, scale = 1, offset = 0 } = options;
  return {
    block: readSharedFeatures(label, values),
    shape: shape === undefined ? undefined : checkShape(`${label}: shape`, shape),
    scale: checkNumber(`${label}: scale`, scale),
    offset: checkNumber(`${label}: offset`, offset),
  };
}

/** Splits features into rows; `rows` is their number if it is known from the targets. */
function readSamples(options: DatasetOptions, rows: number | undefined): Samples {
  const { features, shape, scale, offset } = options;
  if (!isPlain(features) || Array.isArray(features)) {
    const column = {
      block: readSharedFeatures('features', features),
      shape: shape === undefined ? undefined : checkShape('shape', shape),
      scale: checkNumber('scale', scale ?? 1),
      offset: checkNumber('offset', offset ?? 0),
    };
    const first = finishFeature('features', column, rows);
    return { first: first.column, rows: first.rows, inputs: undefined };
  }
  for (const option of ['shape', 'scale', 'offset'] as const) {
    if (options[option] !== undefined)
      throw invalid(
        option,
        'none: with several inputs it belongs to the column, { values, shape, scale, offset }',
        option,
      );
  }
  const columns = readColumns('features', features, readFeature);
  const known = [...columns]
    .map(([name, column]) => ownRows(`features.${name}`, column))
    .find((own) => own !== undefined);
  const count = rows ?? known;
  const read = [...columns].map(([name, column]) => [name, finishFeature(`features.${name}`, column, count)] as const);
  const [[firstName, first]] = read;
  for (const [name, column] of read) {
    if (column.rows !== first.rows)
      throw mismatch(`features.${name}: expected ${first.rows} rows, as features.${firstName} has, got ${column.rows}`);
  }
  const inputs = Object.freeze(Object.fromEntries(read.map(([name, { column }]) => [name, column])));
  return { first: first.column, rows: first.rows, inputs };
}

function finishFeature(label: string, numbers: Numbers<Uint8Array | Float32Array>, rows: number | undefined) {
  const { block, shape, scale, offset } = numbers;
  const samples = divide(label, block, shape, rows);
  const column: FeatureColumn = Object.freeze({
    shape: Object.freeze(samples.shape),
    features: block.data,
    scale,
    offset,
  });
  return { column, rows: samples.rows };
}
