import { types } from 'node:util';
import { checkArity, checkInteger, checkNumber, checkOptions, checkShape, invalid, isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import {
  type Block,
  isIntegerArray,
  readNumbers,
  readSharedFeatures,
  readSharedFloats,
  readSharedLabels,
} from '../numbers.js';
import { sharedBytes, sharedFloats, sharedIntegers } from '../shared-memory.js';
import type { FeatureColumn, IntegerArray, NestedNumbers, Shape, TargetColumn, TypedArray } from '../types.js';
import { oneHot } from './one-hot.js';

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

/** What one of several outputs should be: one integer a row for labels, else rows of targets. */
export type TargetOptions = TypedArray | NestedNumbers;

export interface DatasetOptions {
  /**
   * Rows × product(shape) numbers, row-major. Bytes stay bytes; everything else becomes float32. For a network with
   * several inputs: an object of these by the inputs' names.
   */
  features: TypedArray | NestedNumbers | Readonly<Record<string, FeatureOptions>>;
  /** Shape of one sample, channels last. Default: from nested arrays, else `[features.length / rows]`. */
  shape?: Shape | undefined;
  /** Class index per row. */
  labels?: IntegerArray | readonly number[] | undefined;
  /**
   * Rows × product(targetShape) numbers: one-hot or probability rows, or regression values. For a network with several
   * outputs: an object of targets, or labels (integers, one a row), by the outputs' names.
   */
  targets?: TypedArray | NestedNumbers | Readonly<Record<string, TargetOptions>> | undefined;
  /** Weight of each row in the losses, ≥ 0; for a network with several outputs also by the outputs' names. */
  sampleWeights?: TypedArray | readonly number[] | Readonly<Record<string, TypedArray | readonly number[]>> | undefined;
  /** Shape of one target. Default: from nested arrays, else `[targets.length / rows]`. */
  targetShape?: Shape | undefined;
  /** Number of classes. Default: the number of `labelNames`, else the largest label + 1. */
  classes?: number | undefined;
  /** The network sees `feature * scale + offset`. Default 1, also for bytes. */
  scale?: number | undefined;
  /** Default 0. */
  offset?: number | undefined;
  /** Name of the dataset in messages. */
  name?: string | undefined;
  /** Class names, in the order of the class indices. */
  labelNames?: readonly string[] | undefined;
}

const OPTIONS: readonly (keyof DatasetOptions)[] = [
  'features',
  'shape',
  'labels',
  'targets',
  'targetShape',
  'sampleWeights',
  'classes',
  'scale',
  'offset',
  'name',
  'labelNames',
];

/** Narrower rows are copied in a loop, as creating a view per row would cost more than the copy. */
const NARROW = 48;

/** Maximum number of classes for `classCounts`. */
const MOST_COUNTED = 2 ** 24;

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
export class Dataset {
  /** Number of rows. */
  readonly length: number;
  /** Shape of one sample. */
  readonly shape: Shape;
  /** Numbers per sample: the product of `shape`. */
  readonly featureCount: number;
  /** Rows × featureCount numbers as stored, before `scale` and `offset`. */
  readonly features: Uint8Array | Float32Array;
  readonly scale: number;
  readonly offset: number;
  /** Class index per row. */
  readonly labels: Int32Array | undefined;
  /** Rows × outputs numbers. */
  readonly targets: Float32Array | undefined;
  /** Shape of one target; undefined without targets. */
  readonly targetShape: Shape | undefined;
  /** Numbers per target; 0 without targets. */
  readonly outputs: number;
  /** Number of classes; undefined if neither labels nor options define it. */
  readonly classes: number | undefined;
  readonly labelNames: readonly string[] | undefined;
  readonly name: string | undefined;
  /** Several inputs by name; `features`, `shape`, `scale` and `offset` are then those of the first. */
  readonly inputs: Readonly<Record<string, FeatureColumn>> | undefined;
  /** What several outputs should be, by name. */
  readonly goals: Readonly<Record<string, TargetColumn>> | undefined;
  /** Weight of each row: for all outputs, or by output. */
  readonly sampleWeights: Float32Array | Readonly<Record<string, Float32Array>> | undefined;

  constructor(options: DatasetOptions) {
    checkArity('Dataset', arguments, 1);
    if (options === undefined) throw invalid('options', 'an object with features', options);
    checkOptions('Dataset', options, OPTIONS);
    const { name, labelNames, labels } = options;
    if (name !== undefined && typeof name !== 'string') throw invalid('name', 'a string', name);
    const byName = isPlain(options.targets) && !Array.isArray(options.targets) ? options.targets : undefined;
    const targets = byName === undefined ? (options.targets as TypedArray | NestedNumbers | undefined) : undefined;
    if (labels !== undefined && options.targets !== undefined) {
      throw new BlasnetError('INVALID_ARGUMENT', 'labels, targets: expected one of them or neither, got both');
    }
    if (options.targetShape !== undefined && targets === undefined) {
      throw new BlasnetError('INVALID_ARGUMENT', 'targetShape: expected targets along with it, got none');
    }
    this.name = name;
    this.labelNames = checkNames(labelNames);
    const classes = options.classes ?? this.labelNames?.length;
    if (classes !== undefined) checkInteger('classes', classes, { min: 0, max: 2 ** 31 - 1 });
    this.labels = labels === undefined ? undefined : readSharedLabels('labels', labels, classes);
    this.classes = classes ?? (this.labels && largest(this.labels) + 1);

    const goals = targets === undefined ? undefined : readSharedFloats('targets', targets);
    const targetShape = options.targetShape === undefined ? undefined : checkShape('targetShape', options.targetShape);
    // Targets of known shape determine the number of rows; flat targets without a shape are divided by the number of
    // rows.
    let aims =
      goals && (targetShape || goals.shape.length > 1) ? divide('targets', goals, targetShape, undefined) : undefined;
    const outputs = byName && readColumns('targets', byName, readTarget);
    const known = this.labels?.length ?? aims?.rows ?? knownRows(outputs);
    const samples = readSamples(options, known);
    if (goals) aims ??= divide('targets', goals, undefined, samples.rows);
    this.features = samples.first.features;
    this.scale = samples.first.scale;
    this.offset = samples.first.offset;
    this.shape = samples.first.shape;
    this.inputs = samples.inputs;
    this.length = samples.rows;
    this.featureCount = product(this.shape);
    this.targets = goals?.data;
    this.targetShape = aims && Object.freeze(aims.shape);
    this.outputs = this.targetShape ? product(this.targetShape) : 0;
    this.goals = outputs && finishTargets(outputs, this.length);
    this.sampleWeights = readWeights(options.sampleWeights, this.length);

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
      throw mismatch(
        `labelNames: expected a name for each of the ${this.classes} classes, got ${this.labelNames.length}`,
      );
    }
    Object.freeze(this);
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
    return this.#with({
      features: this.features.subarray(begin * this.featureCount, end * this.featureCount),
      labels: this.labels?.subarray(begin, end),
      targets: this.targets?.subarray(begin * this.outputs, end * this.outputs),
      ...this.#columns(
        <T extends Column>(column: T, width: number) => column.subarray(begin * width, end * width) as T,
      ),
    });
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
    const rows = readRows(indices, this.length);
    const pick = <T extends Column>(column: T, width: number) =>
      gather(allocate(column, rows.length * width), column, rows, width) as T;
    return this.#with({
      features: pick(this.features, this.featureCount),
      labels: this.labels && pick(this.labels, 1),
      targets: this.targets && pick(this.targets, this.outputs),
      ...this.#columns(pick),
    });
  }

  /** A dataset on the same storage with a different `scale` and `offset` (default 0). Throws `INVALID_ARGUMENT`. */
  withScale(scale: number, offset = 0): Dataset {
    checkArity('withScale', arguments, 2);
    checkNumber('scale', scale);
    if (this.inputs !== undefined)
      throw new BlasnetError('INVALID_ARGUMENT', 'withScale: the columns of several inputs have their own scales');
    return this.#with({ scale, offset });
  }

  /**
   * Number of rows per class: `classes` numbers. Throws `INVALID_ARGUMENT` without labels and above 16,777,216 classes
   * (labels are class numbers counted from 0, not IDs).
   */
  classCounts(): number[] {
    checkArity('classCounts', arguments, 0);
    const labels = this.#needLabels('classCounts');
    const classes = checkInteger('classCounts: classes', this.classes ?? 0, { min: 0, max: MOST_COUNTED });
    const counts = new Array<number>(classes).fill(0);
    for (const label of labels) counts[label]++;
    return counts;
  }

  /**
   * A dataset with the same features and one-hot targets, rows × `classes`, instead of labels. Throws
   * `INVALID_ARGUMENT` without labels.
   */
  oneHot(): Dataset {
    checkArity('oneHot', arguments, 0);
    const labels = this.#needLabels('oneHot');
    if (!this.classes) throw invalid('classes', 'at least one class', this.classes);
    return this.#with({ labels: undefined, targets: oneHot(labels, this.classes), targetShape: [this.classes] });
  }

  #needLabels(method: string): Int32Array {
    if (!this.labels)
      throw new BlasnetError('INVALID_ARGUMENT', `${method}: expected a dataset with labels, got one without`);
    return this.labels;
  }

  /** The columns by name and the weights, changed by `change`, as options; the others are left out. */
  #columns(change: <T extends Column>(column: T, width: number) => T): Partial<DatasetOptions> {
    const { inputs, goals, sampleWeights, length } = this;
    const weigh = (weights: Float32Array) => change(weights, 1);
    const width = (column: Column) => (length === 0 ? 0 : column.length / length);
    return {
      ...(inputs && {
        features: each(inputs, ({ features, ...rest }) => ({
          ...rest,
          values: change(features, product(rest.shape)),
        })),
        shape: undefined,
      }),
      ...(goals && {
        targets: each(goals, ({ labels, targets }) => {
          const column = (labels ?? targets) as Int32Array | Float32Array;
          return change(column, width(column));
        }),
      }),
      ...(sampleWeights && {
        sampleWeights: types.isFloat32Array(sampleWeights) ? weigh(sampleWeights) : each(sampleWeights, weigh),
      }),
    };
  }

  #with(changes: Partial<DatasetOptions>): Dataset {
    const { features, shape, labels, targets, targetShape, classes, scale, offset, name, labelNames } = this;
    const own = { features, shape, labels, targets, targetShape, classes, scale, offset, name, labelNames };
    // Columns by name have their own shapes and scales.
    const columns = this.#columns(<T extends Column>(column: T) => column);
    const all: DatasetOptions = { ...own, ...columns, ...changes };
    if (this.inputs !== undefined) for (const option of ['shape', 'scale', 'offset'] as const) all[option] = undefined;
    return new Dataset(all);
  }
}

type Column = Uint8Array | Int32Array | Float32Array;

/** Shared memory for a column of the type of `like`. */
function allocate<T extends Column>(like: T, length: number): T {
  if (types.isFloat32Array(like)) return sharedFloats(length) as T;
  return (types.isInt32Array(like) ? sharedIntegers(length) : sharedBytes(length)) as T;
}

function each<T, U>(columns: Readonly<Record<string, T>>, change: (column: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, change(column)]));
}

/** Reads columns by name. */
function readColumns<T>(
  label: string,
  columns: object,
  read: (label: string, value: unknown) => T,
): ReadonlyMap<string, T> {
  const entries = Object.entries(columns);
  if (entries.length === 0) throw invalid(label, 'at least one column', columns);
  return new Map(entries.map(([name, value]) => [name, read(`${label}.${name}`, value)]));
}

/** A column of numbers with, if known, the shape of a row. */
interface Numbers<T> {
  readonly block: Block<T>;
  readonly shape: number[] | undefined;
  readonly scale: number;
  readonly offset: number;
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

/** The rows of a column, if they are known without the other columns. */
function ownRows(label: string, { block, shape }: Pick<Numbers<unknown>, 'block' | 'shape'>): number | undefined {
  return shape !== undefined || block.shape.length > 1 ? divide(label, block, shape, undefined).rows : undefined;
}

/** Splits features into rows; `rows` is their number if it is known from the targets. */
function readSamples(options: DatasetOptions, rows: number | undefined) {
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

/** A target column: labels, or numbers whose rows are known later. */
type Goal = { readonly labels: Int32Array } | { readonly block: Block<Float32Array>; readonly shape: undefined };

function readTarget(label: string, given: unknown): Goal {
  if (isIntegerArray(given)) return { labels: readSharedLabels(label, given) };
  return { block: readSharedFloats(label, given), shape: undefined };
}

function knownRows(goals: ReadonlyMap<string, Goal> | undefined): number | undefined {
  for (const [name, goal] of goals ?? []) {
    const rows = 'labels' in goal ? goal.labels.length : ownRows(`targets.${name}`, goal);
    if (rows !== undefined) return rows;
  }
  return undefined;
}

function finishTargets(goals: ReadonlyMap<string, Goal>, rows: number): Readonly<Record<string, TargetColumn>> {
  const columns = [...goals].map(([name, goal]): [string, TargetColumn] => {
    const label = `targets.${name}`;
    if ('labels' in goal) {
      if (goal.labels.length !== rows)
        throw mismatch(`${label}: expected one for each of the ${rows} rows of features, got ${goal.labels.length}`);
      return [name, Object.freeze({ labels: goal.labels })];
    }
    // Without rows there is no shape of one.
    const aims = rows === 0 && goal.block.data.length === 0 ? { rows } : divide(label, goal.block, undefined, rows);
    if (aims.rows !== rows)
      throw mismatch(`${label}: expected one for each of the ${rows} rows of features, got ${aims.rows}`);
    return [name, Object.freeze({ targets: goal.block.data })];
  });
  return Object.freeze(Object.fromEntries(columns));
}

function readWeight(label: string, given: unknown, rows: number): Float32Array {
  const { data } = readSharedFloats(label, given);
  if (data.length !== rows)
    throw mismatch(`${label}: expected one for each of the ${rows} rows of features, got ${data.length}`);
  const row = data.findIndex((weight) => weight < 0);
  if (row >= 0) throw invalid(`${label}: row ${row}`, 'a weight of at least 0', data[row]);
  return data;
}

function readWeights(given: unknown, rows: number) {
  if (given === undefined) return undefined;
  if (!isPlain(given) || Array.isArray(given)) return readWeight('sampleWeights', given, rows);
  const weights = readColumns('sampleWeights', given, (label, value) => readWeight(label, value, rows));
  return Object.freeze(Object.fromEntries(weights));
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
  if (!Array.isArray(names) || ![...names].every((name) => typeof name === 'string')) {
    throw invalid('labelNames', 'an array of strings', names);
  }
  return Object.freeze([...names]);
}

/** Splits a block into rows of `shape`; without a shape by nesting, else into `rows` rows. */
function divide<T>(
  name: string,
  block: Block<T>,
  shape: number[] | undefined,
  rows: number | undefined,
): { rows: number; shape: number[] } {
  const total = product(block.shape);
  const nested = block.shape.length > 1;
  if (!shape && !nested && !rows) {
    const options: Record<string, string> = { features: 'shape', targets: 'targetShape' };
    const option = options[name] ?? `${name}: shape`;
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `${option}: expected the shape of one row, as the number of rows is not known otherwise`,
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

/** Checks row numbers, each below `count`. */
function readRows(indices: unknown, count: number): Int32Array {
  const { data, shape } = readNumbers('indices', indices);
  if (shape.length > 1) throw invalid('indices', 'a list of row numbers', indices);
  return Int32Array.from(data, (row, i) => checkInteger(`indices[${i}]`, row, { min: 0, below: count }));
}

/** Copies the rows (`width` numbers each) at `indices` from `source` to `out`. */
function gather<T extends Uint8Array | Int32Array | Float32Array>(
  out: T,
  source: T,
  indices: Int32Array,
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
