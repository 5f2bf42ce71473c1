import { checkInteger, checkNumber, checkOptions, checkShape, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { IntegerArray, NestedNumbers, Shape, TypedArray } from '../types.js';
import { oneHot } from './one-hot.js';
import { type Block, sharedBytes, sharedFloats, sharedIntegers, toFeatures, toFloats, toLabels } from './storage.js';

export interface DatasetOptions {
  /** Rows × product(shape) numbers, row-major. Bytes stay bytes; all but bytes and Float32Array becomes float32. */
  features: TypedArray | NestedNumbers;
  /** One sample's shape, channels last. Default: what nesting gives, else `[features.length / rows]`. */
  shape?: Shape | undefined;
  /** Class index of each row. */
  labels?: IntegerArray | readonly number[] | undefined;
  /** Rows × product(targetShape) numbers: one-hot or probability rows, or values to regress on. */
  targets?: TypedArray | NestedNumbers | undefined;
  /** One target's shape. Default: what nesting gives, else `[targets.length / rows]`. */
  targetShape?: Shape | undefined;
  /** Number of classes. Default: the number of `labelNames`, else the largest label + 1. */
  classes?: number | undefined;
  /** The network sees `feature * scale + offset`. Default 1, for bytes too. */
  scale?: number | undefined;
  /** Default 0. */
  offset?: number | undefined;
  /** What to call the dataset in messages. */
  name?: string | undefined;
  /** What the classes are called, in the order of their indices. */
  labelNames?: readonly string[] | undefined;
}

const OPTIONS: readonly (keyof DatasetOptions)[] = [
  'features',
  'shape',
  'labels',
  'targets',
  'targetShape',
  'classes',
  'scale',
  'offset',
  'name',
  'labelNames',
];

/** Rows narrower than this are copied by a loop, as a view for each row would cost more than the copy. */
const NARROW = 48;

/**
 * Samples in shared memory, with class labels or targets or neither (for prediction only).
 *
 * Data over a SharedArrayBuffer is used as it is: writing there changes the dataset. Data over an ordinary ArrayBuffer,
 * and plain arrays, are copied once. `features` is a Uint8Array (from a Uint8Array, Buffer or Uint8ClampedArray) or a
 * Float32Array (from anything else; numbers are rounded to float32). A dataset of zero rows is legal; training refuses it.
 *
 * The constructor throws `UNKNOWN_OPTION`, `INVALID_ARGUMENT`, `SHAPE_MISMATCH` (lengths that don't fit each other),
 * `LABEL_OUT_OF_RANGE` (naming the row), `DETACHED_BUFFER`, `RESIZABLE_BUFFER` and `OUT_OF_MEMORY`.
 */
export class Dataset {
  /** Number of rows. */
  readonly length: number;
  /** One sample's shape. */
  readonly shape: Shape;
  /** Numbers in one sample: the product of `shape`. */
  readonly featureCount: number;
  /** Rows × featureCount numbers as stored, before `scale` and `offset`. */
  readonly features: Uint8Array | Float32Array;
  readonly scale: number;
  readonly offset: number;
  /** One class index a row. */
  readonly labels: Int32Array | undefined;
  /** Rows × outputs numbers. */
  readonly targets: Float32Array | undefined;
  /** One target's shape; undefined without targets. */
  readonly targetShape: Shape | undefined;
  /** Numbers in one target; 0 without targets. */
  readonly outputs: number;
  /** Number of classes; undefined where neither labels nor the options tell. */
  readonly classes: number | undefined;
  readonly labelNames: readonly string[] | undefined;
  readonly name: string | undefined;

  constructor(options: DatasetOptions) {
    if (options === undefined) throw invalid('options', 'an object with features', options);
    checkOptions('Dataset', options, OPTIONS);
    const { name, labelNames, labels, targets } = options;
    if (name !== undefined && typeof name !== 'string') throw invalid('name', 'a string', name);
    if (labels !== undefined && targets !== undefined) {
      throw new BlasnetError('INVALID_ARGUMENT', 'labels, targets: expected one of them or neither, got both');
    }
    if (options.targetShape !== undefined && targets === undefined) {
      throw new BlasnetError('INVALID_ARGUMENT', 'targetShape: expected targets along with it, got none');
    }
    this.name = name;
    this.labelNames = checkNames(labelNames);
    this.scale = checkNumber('scale', options.scale ?? 1);
    this.offset = checkNumber('offset', options.offset ?? 0);

    const classes = options.classes ?? this.labelNames?.length;
    if (classes !== undefined) checkInteger('classes', classes, { min: 0, max: 2 ** 31 - 1 });
    this.labels = labels === undefined ? undefined : toLabels('labels', labels, classes);
    this.classes = classes ?? (this.labels && largest(this.labels) + 1);

    const features = toFeatures('features', options.features);
    const shape = options.shape === undefined ? undefined : checkShape('shape', options.shape);
    const goals = targets === undefined ? undefined : toFloats('targets', targets);
    const targetShape = options.targetShape === undefined ? undefined : checkShape('targetShape', options.targetShape);
    // Targets of known shape tell the number of rows; flat ones without a shape are divided by it.
    let aims = goals && (targetShape || goals.shape.length > 1) ? divide('targets', goals, targetShape, undefined) : undefined;
    const samples = divide('features', features, shape, this.labels?.length ?? aims?.rows);
    if (goals) aims ??= divide('targets', goals, undefined, samples.rows);
    this.features = features.data;
    this.length = samples.rows;
    this.shape = Object.freeze(samples.shape);
    this.featureCount = product(this.shape);
    this.targets = goals?.data;
    this.targetShape = aims && Object.freeze(aims.shape);
    this.outputs = this.targetShape ? product(this.targetShape) : 0;

    if (this.labels && this.labels.length !== this.length) {
      throw mismatch(`labels: expected one for each of the ${this.length} rows of features, got ${this.labels.length}`);
    }
    if (aims && aims.rows !== this.length) {
      throw mismatch(`targets: expected one for each of the ${this.length} rows of features, got ${aims.rows}`);
    }
    if (this.targets && this.classes !== undefined && this.classes !== this.outputs) {
      throw mismatch(`classes: expected the ${this.outputs} numbers of a target, got ${this.classes}`);
    }
    if (this.labelNames && this.labelNames.length !== this.classes) {
      throw mismatch(`labelNames: expected a name for each of the ${this.classes} classes, got ${this.labelNames.length}`);
    }
    Object.freeze(this);
  }

  /** The network's view of row `index`: Float32Array of `featureCount`, scaled and offset. Throws `INVALID_ARGUMENT`. */
  row(index: number): Float32Array {
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

  /** Rows `begin` up to, not including, `end` (default: all that follow), over the same storage. Throws `INVALID_ARGUMENT`. */
  slice(begin: number, end: number = this.length): Dataset {
    checkInteger('begin', begin, { min: 0, max: this.length });
    checkInteger('end', end, { min: begin, max: this.length });
    return this.#with({
      features: this.features.subarray(begin * this.featureCount, end * this.featureCount),
      labels: this.labels?.subarray(begin, end),
      targets: this.targets?.subarray(begin * this.outputs, end * this.outputs),
    });
  }

  /** The first `count` rows, over the same storage. Throws `INVALID_ARGUMENT` where there are fewer. */
  take(count: number): Dataset {
    checkInteger('count', count, { min: 0, max: this.length });
    return this.slice(0, count);
  }

  /** A copy of the rows at `indices`, in that order; a row may come more than once. Throws `INVALID_ARGUMENT`. */
  subset(indices: IntegerArray | readonly number[]): Dataset {
    if (!Array.isArray(indices) && !ArrayBuffer.isView(indices)) throw invalid('indices', 'a list of row numbers', indices);
    for (let i = 0; i < indices.length; i++) checkInteger(`indices[${i}]`, indices[i], { min: 0, below: this.length });
    const count = indices.length * this.featureCount;
    const features = this.features instanceof Float32Array ? sharedFloats(count) : sharedBytes(count);
    return this.#with({
      features: gather(features, this.features, indices, this.featureCount),
      labels: this.labels && gather(sharedIntegers(indices.length), this.labels, indices, 1),
      targets: this.targets && gather(sharedFloats(indices.length * this.outputs), this.targets, indices, this.outputs),
    });
  }

  /** The same storage under another `scale` and `offset` (default 0). Throws `INVALID_ARGUMENT`. */
  withScale(scale: number, offset = 0): Dataset {
    checkNumber('scale', scale);
    return this.#with({ scale, offset });
  }

  /** Number of rows of each class: `classes` numbers. Throws `INVALID_ARGUMENT` without labels. */
  classCounts(): number[] {
    const counts = new Array<number>(this.classes ?? 0).fill(0);
    for (const label of this.#needLabels('classCounts')) counts[label]++;
    return counts;
  }

  /** The same features with one-hot targets, rows × `classes`, in place of labels. Throws `INVALID_ARGUMENT` without labels. */
  oneHot(): Dataset {
    const labels = this.#needLabels('oneHot');
    if (!this.classes) throw invalid('classes', 'at least one class', this.classes);
    return this.#with({ labels: undefined, targets: oneHot(labels, this.classes), targetShape: [this.classes] });
  }

  #needLabels(method: string): Int32Array {
    if (!this.labels) throw new BlasnetError('INVALID_ARGUMENT', `${method}: expected a dataset with labels, got one without`);
    return this.labels;
  }

  #with(changes: Partial<DatasetOptions>): Dataset {
    const { features, shape, labels, targets, targetShape, classes, scale, offset, name, labelNames } = this;
    return new Dataset({ features, shape, labels, targets, targetShape, classes, scale, offset, name, labelNames, ...changes });
  }
}

function product(shape: Shape): number {
  return shape.reduce((result, size) => result * size, 1);
}

function mismatch(message: string): BlasnetError {
  return new BlasnetError('SHAPE_MISMATCH', message);
}

function largest(labels: Int32Array): number {
  let result = -1;
  for (let i = 0; i < labels.length; i++) if (labels[i] > result) result = labels[i];
  return result;
}

function checkNames(names: unknown): readonly string[] | undefined {
  if (names === undefined) return undefined;
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw invalid('labelNames', 'an array of strings', names);
  }
  return Object.freeze([...names]);
}

/** Splits a block into rows of `shape`; without a shape, by nesting, else into `rows` rows. */
function divide<T>(
  name: string,
  block: Block<T>,
  shape: number[] | undefined,
  rows: number | undefined,
): { rows: number; shape: number[] } {
  const total = product(block.shape);
  const nested = block.shape.length > 1;
  if (!shape && !nested && !rows) {
    const option = name === 'features' ? 'shape' : 'targetShape';
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `${option}: expected the shape of one row, as nothing else tells the number of rows`,
    );
  }
  const sizes = shape ?? (nested ? checkShape(`shape of ${name}`, block.shape.slice(1)) : [total / (rows as number)]);
  const size = product(sizes);
  if (!Number.isInteger(size) || size === 0) {
    throw mismatch(`${name}: expected a multiple of ${rows} numbers, one or more for each row, got ${total}`);
  }
  if (total % size !== 0 || (nested && block.shape[0] !== total / size)) {
    throw mismatch(
      `${name}: expected rows of ${size} numbers (shape [${sizes.join(', ')}]), got shape [${block.shape.join(', ')}]`,
    );
  }
  return { rows: total / size, shape: sizes };
}

/** Copies the rows of `width` numbers at `indices` from `source` to `out`. */
function gather<T extends Uint8Array | Int32Array | Float32Array>(
  out: T,
  source: T,
  indices: IntegerArray | readonly number[],
  width: number,
): T {
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i] * width;
    const to = i * width;
    if (width < NARROW) for (let j = 0; j < width; j++) out[to + j] = source[from + j];
    else out.set(source.subarray(from, from + width), to);
  }
  return out;
}
