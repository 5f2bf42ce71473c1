import { types } from 'node:util';
import { checkArity, checkInteger, checkLabelNames, checkShape, invalid, isPlain, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Block, isIntegerArray, product, readNumbers, readSharedFloats, readSharedLabels } from '../numbers.js';
import { sharedBytes, sharedFloats, sharedIntegers } from '../shared-memory.js';
import type { IntegerArray, NestedNumbers, Shape, TargetColumn, TypedArray } from '../types.js';
import { oneHot } from './one-hot.js';

/** What one of several outputs should be: one integer a row for labels, otherwise rows of targets. */
export type TargetOptions = TypedArray | NestedNumbers;

/** What the rows of a dataset are to become, and their names. */
export interface LabelledRowsOptions {
  /** Class index per row. */
  labels?: IntegerArray | readonly number[] | undefined;
  /**
   * Rows × product(targetShape) numbers: one-hot or probability rows, or regression values. For a network with several
   * outputs: an object of targets, or labels (integers, one a row), by the outputs' names. A typed array of integers is
   * labels; a list of them is labels for a loss that takes these, and targets for others.
   */
  targets?: TypedArray | NestedNumbers | Readonly<Record<string, TargetOptions>> | undefined;
  /** Weight of each row in the losses, ≥ 0; for a network with several outputs also by the outputs' names. */
  sampleWeights?: TypedArray | readonly number[] | Readonly<Record<string, TypedArray | readonly number[]>> | undefined;
  /** Shape of one target. Default: from nested arrays, otherwise `[targets.length / rows]`. */
  targetShape?: Shape | undefined;
  /** Number of classes. Default: the number of `labelNames`, otherwise the largest label + 1. */
  classes?: number | undefined;
  /** Name of the dataset in messages. */
  name?: string | undefined;
  /** Class names, in the order of the class indices. */
  labelNames?: readonly string[] | undefined;
}

/** The fields of {@link LabelledRowsOptions}. */
export const ROW_OPTIONS: readonly (keyof LabelledRowsOptions)[] = [
  'labels',
  'targets',
  'targetShape',
  'sampleWeights',
  'classes',
  'name',
  'labelNames',
];

/** Narrower rows are copied in a loop, as creating a view per row would cost more than the copy. */
const NARROW = 48;

/** Maximum number of classes for `classCounts`. */
const MOST_COUNTED = 2 ** 24;

/** The rows of a dataset but for their features: class labels, targets or neither, in shared memory. */
export abstract class LabelledRows {
  /** Number of rows. */
  readonly length: number;
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
  /** Class names, in the order of the class indices; undefined if none were given. */
  readonly labelNames: readonly string[] | undefined;
  /** Name of the dataset in messages. */
  readonly name: string | undefined;
  /** What several outputs should be, by name. */
  readonly goals: Readonly<Record<string, TargetColumn>> | undefined;
  /** Weight of each row: for all outputs, or by output. */
  readonly sampleWeights: Float32Array | Readonly<Record<string, Float32Array>> | undefined;

  /** `readSamples` reads the features, given the number of rows if the targets say it, and returns that number. */
  constructor(options: LabelledRowsOptions, readSamples: (known: number | undefined) => number) {
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
    if (options.classes !== undefined) checkInteger('classes', options.classes, { min: 0, max: MAX_SIZE });
    this.labelNames =
      labelNames === undefined ? undefined : Object.freeze(checkLabelNames(labelNames, options.classes));
    const classes = options.classes ?? this.labelNames?.length;
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
    this.length = readSamples(known);
    if (goals) aims ??= divide('targets', goals, undefined, this.length);
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
  }

  /**
   * Number of rows per class: `classes` numbers. Throws `INVALID_ARGUMENT` without labels and above 16,777,216 classes
   * (labels are class numbers counted from 0, not IDs).
   */
  classCounts(): number[] {
    checkArity('classCounts', arguments, 0);
    const labels = labelsOf('classCounts', this);
    const classes = checkInteger('classCounts: classes', this.classes ?? 0, { min: 0, max: MOST_COUNTED });
    const counts = new Array<number>(classes).fill(0);
    for (const label of labels) counts[label]++;
    return counts;
  }
}

/** The labels of a dataset, for one of its methods. */
function labelsOf(method: string, { labels }: LabelledRows): Int32Array {
  if (!labels) throw new BlasnetError('INVALID_ARGUMENT', `${method}: expected a dataset with labels, got one without`);
  return labels;
}

/** Options of one-hot targets instead of labels. Throws `INVALID_ARGUMENT` without labels. */
export function oneHotOptions(rows: LabelledRows): LabelledRowsOptions {
  const labels = labelsOf('oneHot', rows);
  if (!rows.classes) throw invalid('classes', 'at least one class', rows.classes);
  return { labels: undefined, targets: oneHot(labels, rows.classes), targetShape: [rows.classes] };
}

/** Makes a column of other rows; `width` is its numbers a row. */
export type ColumnChange = <T extends Column>(column: T, width: number) => T;

/** The rows' columns, changed by `change`, as options. */
export function rowOptions(rows: LabelledRows, change: ColumnChange): LabelledRowsOptions {
  const { length, labels, targets, outputs, targetShape, classes, name, labelNames, goals, sampleWeights } = rows;
  const weigh = (weights: Float32Array) => change(weights, 1);
  const width = (column: Column) => (length === 0 ? 0 : column.length / length);
  return {
    labels: labels && change(labels, 1),
    targets: targets && change(targets, outputs),
    targetShape,
    classes,
    name,
    labelNames,
    ...(goals && {
      targets: each(goals, (goal) => {
        const column = (goal.labels ?? goal.targets) as Int32Array | Float32Array;
        return change(column, width(column));
      }),
    }),
    ...(sampleWeights && {
      sampleWeights: types.isFloat32Array(sampleWeights) ? weigh(sampleWeights) : each(sampleWeights, weigh),
    }),
  };
}

/** Changes of columns: to the rows from `begin` to `end`, sharing storage. */
export const sliced =
  (begin: number, end: number): ColumnChange =>
  <T extends Column>(column: T, width: number) =>
    column.subarray(begin * width, end * width) as T;

/** Changes of columns: to copies of the rows at `indices`. */
export const picked =
  (indices: Int32Array): ColumnChange =>
  <T extends Column>(column: T, width: number) =>
    gather(allocate(column, indices.length * width), column, indices, width) as T;

export const unchanged: ColumnChange = (column) => column;

export type Column = Uint8Array | Int32Array | Float32Array;

/** Shared memory for a column of the type of `like`. */
export function allocate<T extends Column>(like: T, length: number): T {
  if (types.isFloat32Array(like)) return sharedFloats(length) as T;
  return (types.isInt32Array(like) ? sharedIntegers(length) : sharedBytes(length)) as T;
}

export function each<T, U>(columns: Readonly<Record<string, T>>, change: (column: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, change(column)]));
}

/** Reads columns by name. */
export function readColumns<T>(
  label: string,
  columns: object,
  read: (label: string, value: unknown) => T,
): ReadonlyMap<string, T> {
  const entries = Object.entries(columns);
  if (entries.length === 0) throw invalid(label, 'at least one column', columns);
  return new Map(entries.map(([name, value]) => [name, read(`${label}.${name}`, value)]));
}

/** A column of numbers with, if known, the shape of a row. */
export interface Numbers<T> {
  readonly block: Block<T>;
  readonly shape: number[] | undefined;
  readonly scale: number;
  readonly offset: number;
}

/** The rows of a column, if they are known without the other columns. */
export function ownRows(
  label: string,
  { block, shape }: Pick<Numbers<unknown>, 'block' | 'shape'>,
): number | undefined {
  return shape !== undefined || block.shape.length > 1 ? divide(label, block, shape, undefined).rows : undefined;
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

export function mismatch(message: string): BlasnetError {
  return new BlasnetError('SHAPE_MISMATCH', message);
}

function largest(labels: Int32Array): number {
  let result = -1;
  for (let i = 0; i < labels.length; i++) if (labels[i] > result) result = labels[i];
  return result;
}

/** Splits a block into rows of `shape`; without a shape by nesting, otherwise into `rows` rows. */
export function divide<T>(
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
export function readRows(indices: unknown, count: number): Int32Array {
  const { data, shape } = readNumbers('indices', indices);
  if (shape.length > 1) throw invalid('indices', 'a list of row numbers', indices);
  return Int32Array.from(data, (row, i) => checkInteger(`indices[${i}]`, row, { min: 0, below: count }));
}

/** Copies the rows (`width` numbers each) at `indices` from `source` to `out`. */
export function gather<T extends Uint8Array | Int32Array | Float32Array>(
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
