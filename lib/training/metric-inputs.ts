/** Reads the inputs of metrics: numbers in any form, and the kind of task, which follows from the truth. */
import { checkBoolean, checkInteger, checkNumber, invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { isSampleSource } from '../runtime/columns.js';
import type { SampleSource } from '../types.js';
import { largestOf } from './argmax.js';
import { type Numbers, readRows } from './rows.js';

/**
 * Predictions of a network: rows × outputs numbers in a float array or a list of rows. The largest output of a row
 * gives the class (the first one on a tie); a single output is compared with the threshold. Or class indices, as
 * integers.
 */
export type Predictions = Numbers;

/**
 * Class indices (integers), rows of targets (floats or a list of rows), or a dataset with either. Rows with a single 1
 * and rows of probabilities (sum 1) mean classes. Rows of 0 and 1 of which some hold several ones or none mean several
 * labels (multi-label).
 */
export type Truth = Numbers | SampleSource;

/** Numbers to compare with other numbers: rows × outputs. */
export type Values = Numbers;

/** What metrics need to know of the task where the truth leaves it open. */
export interface TaskOptions {
  /** Numbers per row; needed if predictions and truth are both flat float arrays. */
  outputs?: number;
  /**
   * Treat each output as a separate yes/no decision. Default: inferred from the truth, see {@link Truth}. Pass `true`
   * if each row of a multi-label truth happens to hold a single 1. With `true`, flat lists and integer arrays of 0 and
   * 1 are read as rows × outputs, too.
   */
  multiLabel?: boolean;
}

/** Options of metrics of decisions, such as `accuracy`. */
export interface DecisionOptions extends TaskOptions {
  /**
   * An output above it means yes: for a single output, with `multiLabel`, and for the second of two outputs. Default
   * 0.5, for probabilities; use 0 for logits.
   */
  threshold?: number;
}

/** Number of rows of `outputs` numbers in `length` numbers. Throws `EMPTY_DATA` and `SHAPE_MISMATCH`. */
export function rowsOf(name: string, length: number, outputs: number): number {
  if (length === 0) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
  if (length % outputs !== 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: expected a multiple of ${outputs} numbers (one row), got ${length}`,
    );
  }
  return length / outputs;
}

/** The truth, row by row. */
export interface TruthBlock {
  readonly rows: number;
  /** `classes`: each row has one of several classes; `labels`: a yes or no for each output. */
  readonly kind: 'classes' | 'labels';
  /** The class of each row; empty for `labels`. */
  readonly classes: Int32Array;
  /** Numbers per row; 0 if the truth was given as class indices. */
  readonly columns: number;
  /** Rows × columns targets; empty if the truth was given as class indices. */
  readonly targets: ArrayLike<number>;
}

interface Hint {
  /** The value from the options. */
  readonly multiLabel: boolean | undefined;
  /** Numbers per row, if known from the options or the predictions. */
  readonly outputs: number | undefined;
  /** Rows, if known from the predictions. */
  readonly rows: number | undefined;
  /** How to read a flat float array if its width is unknown: one target per row, or the reason to reject it. */
  readonly flat: 'one per row' | 'refused';
  /** Targets other than 0 and 1 are allowed for several labels, too. */
  readonly soft?: boolean;
}

function readTruth(truth: Truth, hint: Hint): TruthBlock {
  const source = isSampleSource(truth) ? truth : undefined;
  const given = source ? (source.labels ?? source.targets) : truth;
  if (given === undefined) throw invalid('truth', 'a dataset with labels or targets', 'one without');
  const { data, columns: ownColumns, floats } = readRows('truth', given);
  const { multiLabel, outputs } = hint;
  if (source?.labels && multiLabel) {
    throw invalid('truth', 'a dataset with targets (rows of 0 and 1), as multiLabel is true', 'one with labels');
  }
  // Integers are classes, unless they are a whole number of values for each of several rows.
  const wide = outputs !== undefined && outputs > 1 && hint.rows !== undefined && data.length === hint.rows * outputs;
  if (!floats && !multiLabel && !wide) {
    rowsOf('truth', data.length, 1);
    return { rows: data.length, kind: 'classes', classes: toClasses('truth', data), columns: 0, targets: [] };
  }
  if (data.length === 0) throw new BlasnetError('EMPTY_DATA', 'truth: expected at least one row, got none');
  const flatRows = hint.flat === 'one per row' ? data.length : undefined;
  const rows =
    source?.length ??
    (ownColumns && data.length / ownColumns) ??
    hint.rows ??
    (outputs && rowsOf('truth', data.length, outputs)) ??
    (multiLabel ? undefined : flatRows);
  if (rows === undefined)
    throw invalid('outputs', 'the numbers in a row, as predictions and truth are both flat', rows);
  const columns = data.length / rows;
  if (!Number.isInteger(columns) || columns === 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `truth: expected the same number of targets for each of ${rows} rows, got ${data.length}`,
    );
  }
  const kind = kindOf(data, rows, columns, hint);
  const classes = kind === 'classes' ? classesOfRows(data, rows, columns) : new Int32Array(0);
  return { rows, kind, classes, columns, targets: data };
}

/** Tolerance for the sum of a row's probabilities. */
const SUM_TOLERANCE = 1e-3;

/** Infers the kind of task from rows of targets; throws if they fit neither kind. */
function kindOf(data: ArrayLike<number>, rows: number, columns: number, hint: Hint): 'classes' | 'labels' {
  let several = -1;
  let soft = -1;
  let ambiguous = -1;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    let whole = true;
    for (let j = 0; j < columns; j++) {
      const value = data[row * columns + j];
      if (!(value >= 0 && value <= 1)) throw invalid(`truth: row ${row}, target ${j}`, 'a number from 0 to 1', value);
      if (value !== 0 && value !== 1) whole = false;
      sum += value;
    }
    if (!whole && soft < 0) soft = row;
    if (columns === 1 || (whole && sum === 1)) continue;
    if (whole && several < 0) several = row;
    if (!whole && Math.abs(sum - 1) > SUM_TOLERANCE && ambiguous < 0) ambiguous = row;
  }
  const { multiLabel = several >= 0 } = hint;
  if (multiLabel) {
    const allowed = hint.soft && hint.multiLabel;
    if (soft >= 0 && !allowed)
      throw invalid(`truth: row ${soft}`, 'targets of 0 and 1, as a row has several labels', 'others');
    return 'labels';
  }
  const wrong = several >= 0 ? several : ambiguous;
  if (wrong >= 0) {
    const wanted =
      hint.multiLabel === false
        ? 'a single 1 or probabilities that sum to 1, as multiLabel is false'
        : 'a single 1, probabilities that sum to 1, or targets of 0 and 1';
    throw invalid(`truth: row ${wrong}`, wanted, `a sum of ${rowSum(data, wrong, columns)}`);
  }
  return 'classes';
}

function rowSum(data: ArrayLike<number>, row: number, columns: number): number {
  let sum = 0;
  for (let j = 0; j < columns; j++) sum += data[row * columns + j];
  return sum;
}

function classesOfRows(data: ArrayLike<number>, rows: number, columns: number): Int32Array {
  return columns === 1
    ? Int32Array.from({ length: rows }, (_, row) => Number(data[row] > 0.5))
    : largestOf('truth', data, columns);
}

function toClasses(name: string, data: ArrayLike<number>): Int32Array {
  const labels = new Int32Array(data.length);
  for (let row = 0; row < labels.length; row++) {
    labels[row] = data[row];
    // Integers in range are returned unchanged.
    if (labels[row] !== data[row] || labels[row] < 0)
      checkInteger(`${name}[${row}]`, data[row], { min: 0, max: MAX_SIZE });
  }
  return labels;
}

/** Throws `LABEL_OUT_OF_RANGE` for the first class that is not below `classes`. */
export function checkClasses(name: string, labels: Int32Array, classes: number): void {
  const row = labels.findIndex((label) => label >= classes);
  if (row >= 0) {
    throw new BlasnetError(
      'LABEL_OUT_OF_RANGE',
      `${name}: row ${row}: expected a class from 0 to ${classes - 1}, got ${labels[row]}`,
    );
  }
}

interface CheckedTask {
  readonly outputs: number | undefined;
  readonly multiLabel: boolean | undefined;
}

function checkTask({ outputs, multiLabel }: Partial<TaskOptions>): CheckedTask {
  return {
    outputs: outputs === undefined ? undefined : checkInteger('outputs', outputs, { min: 1 }),
    multiLabel: multiLabel === undefined ? undefined : checkBoolean('multiLabel', multiLabel),
  };
}

/** Predictions and truth by row, before any decision. */
export interface Scored {
  readonly truth: TruthBlock;
  readonly scores: ArrayLike<number>;
  /** Numbers per row of scores. */
  readonly columns: number;
}

/** Scores with their truth: one or two columns for two classes, otherwise one per class or label. */
export function readScored(
  name: string,
  scores: Values,
  truth: Truth,
  options: Partial<TaskOptions>,
  soft = false,
): Scored {
  const task = checkTask(options);
  const block = readRows(name, scores);
  const outputs = agreeing(name, task.outputs, block.columns);
  const rows = outputs === undefined ? undefined : rowsOf(name, block.data.length, outputs);
  const read = readTruth(truth, {
    multiLabel: task.multiLabel,
    outputs,
    rows: flatRows(truth, rows),
    flat: 'one per row',
    soft,
  });
  const columns = block.data.length / read.rows;
  if (!Number.isInteger(columns) || columns === 0 || (outputs !== undefined && columns !== outputs)) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: expected one or two numbers for each of ${read.rows} rows, got ${block.data.length} (or one for each class)`,
    );
  }
  checkColumns(name, columns, read);
  checkNoNaN(name, block.data, columns);
  return { truth: read, scores: block.data, columns };
}

/** The number of rows, if known from a dataset or list of rows. */
function flatRows(truth: Truth, rows: number | undefined): number | undefined {
  return isSampleSource(truth) ? undefined : rows;
}

function agreeing(name: string, wanted: number | undefined, actual: number | undefined): number | undefined {
  if (wanted !== undefined && actual !== undefined && wanted !== actual) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: expected rows of ${wanted} numbers, as outputs says, got rows of ${actual}`,
    );
  }
  return wanted ?? actual;
}

/** Throws if the rows of predictions and of truth can't belong to the same network. */
function checkColumns(name: string, columns: number, { kind, columns: goals, rows, classes }: TruthBlock): void {
  const binary = goals === 1 && columns === 2 && kind === 'classes';
  if (goals > 0 && goals !== columns && !binary) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: expected ${goals} for each of ${rows} rows, got ${columns * rows} numbers`,
    );
  }
  if (kind === 'classes') checkClasses('truth', classes, Math.max(columns, 2));
}

function checkNoNaN(name: string, data: ArrayLike<number>, columns: number): void {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isNaN(data[i])) continue;
    const [row, output] = [Math.floor(i / columns), i % columns];
    throw invalid(`${name}: row ${row}${columns === 1 ? '' : `, output ${output}`}`, 'a number', Number.NaN);
  }
}

/** A network's decisions with their truth. */
export type Decided =
  | {
      readonly kind: 'classes';
      readonly rows: number;
      /** Predicted and true class of each row. */
      readonly predicted: Int32Array;
      readonly labels: Int32Array;
      /** Outputs per row; 0 if the predictions are classes. */
      readonly outputs: number;
      /** The outputs; empty if the predictions are classes. */
      readonly scores: ArrayLike<number>;
    }
  | {
      readonly kind: 'labels';
      readonly rows: number;
      /** Rows × outputs of 0 and 1. */
      readonly predicted: Uint8Array;
      readonly labels: Uint8Array;
      readonly outputs: number;
    };

/** Predicted and true class, or labels, per row. */
export function decide(predictions: Predictions, truth: Truth, options: Partial<DecisionOptions>): Decided {
  const { multiLabel, outputs: wanted } = checkTask(options);
  const threshold = options.threshold === undefined ? undefined : checkNumber('threshold', options.threshold);
  const block = readRows('predictions', predictions);
  const scores = block.floats || multiLabel === true || threshold !== undefined;
  const outputs = agreeing('predictions', wanted, block.columns);
  const rows = scores ? outputs && rowsOf('predictions', block.data.length, outputs) : undefined;
  const hintRows = scores ? flatRows(truth, rows) : block.data.length || undefined;
  const read = readTruth(truth, { multiLabel, outputs, rows: hintRows, flat: scores ? 'refused' : 'one per row' });

  if (read.kind === 'labels') return decideLabels(block.data, read, outputs, threshold ?? 0.5);
  if (!scores) {
    const predicted = toClasses('predictions', block.data);
    if (predicted.length !== read.rows) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `predictions: expected one for each of ${read.rows} rows, got ${predicted.length}`,
      );
    }
    if (outputs !== undefined) {
      checkClasses('truth', read.classes, outputs);
      checkClasses('predictions', predicted, outputs);
    }
    return { kind: 'classes', rows: read.rows, predicted, labels: read.classes, outputs: 0, scores: [] };
  }
  const columns = block.data.length / read.rows;
  const expected = outputs ?? (read.columns > 1 ? read.columns : columns);
  if (!Number.isInteger(columns) || columns === 0 || columns !== expected) {
    const each = Number.isInteger(expected) && expected > 0 ? `${expected} for` : 'as many for';
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected ${each} each of ${read.rows} rows, got ${block.data.length} numbers`,
    );
  }
  checkColumns('predictions', columns, read);
  if (threshold !== undefined && columns > 2) {
    throw invalid(
      'threshold',
      'one or two outputs, or multiLabel (with several classes, the largest output decides)',
      columns,
    );
  }
  const cut = columns === 1 ? (threshold ?? 0.5) : threshold;
  if (cut !== undefined) checkNoNaN('predictions', block.data, columns);
  const predicted =
    cut === undefined
      ? largestOf('predictions', block.data, columns)
      : Int32Array.from({ length: read.rows }, (_, row) => Number(block.data[row * columns + columns - 1] > cut));
  return { kind: 'classes', rows: read.rows, predicted, labels: read.classes, outputs: columns, scores: block.data };
}

function decideLabels(
  data: ArrayLike<number>,
  { rows, columns, targets }: TruthBlock,
  outputs: number | undefined,
  threshold: number,
): Decided {
  if (data.length !== rows * columns || (outputs ?? columns) !== columns) {
    const wanted = `${columns} for each of ${rows} rows, as the truth has several labels per row`;
    throw new BlasnetError('SHAPE_MISMATCH', `predictions: expected ${wanted}, got ${data.length} numbers`);
  }
  checkNoNaN('predictions', data, columns);
  const predicted = Uint8Array.from(data, (value) => Number(value > threshold));
  return { kind: 'labels', rows, predicted, labels: Uint8Array.from(targets), outputs: columns };
}

/** Values and their targets, element by element; `outputs` if known from a dataset or rows. */
export function readPairs(predictions: Values, truth: Values | SampleSource) {
  const source = isSampleSource(truth) ? truth : undefined;
  if (source && !source.targets) throw invalid('truth', 'a dataset with targets', 'one without');
  const values = readRows('predictions', predictions);
  const goals = readRows('truth', source?.targets ?? truth);
  rowsOf('truth', goals.data.length, 1);
  const columns = source ? goals.data.length / source.length : goals.columns;
  const differ = values.columns !== undefined && columns !== undefined && values.columns !== columns;
  if (values.data.length !== goals.data.length || differ) {
    const rows = (count: number | undefined) => (differ ? ` in rows of ${count}` : '');
    const wanted = `${goals.data.length} numbers${rows(columns)}, as many as the truth`;
    const got = `${values.data.length}${rows(values.columns)}`;
    throw new BlasnetError('SHAPE_MISMATCH', `predictions: expected ${wanted}, got ${got}`);
  }
  return { values: values.data, goals: goals.data, outputs: columns ?? values.columns };
}
