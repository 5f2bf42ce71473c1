/**
 * Figures of merit from predictions and truth: `metrics` of the public door, as in
 * `metrics.accuracy(network.predict(test), test)`. All of them throw `EMPTY_DATA` without rows, `SHAPE_MISMATCH` where
 * predictions and truth differ in rows, `LABEL_OUT_OF_RANGE` and `INVALID_ARGUMENT`.
 */
import { types } from 'node:util';
import { checkInteger, checkOptions, checkStorage, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { IntegerArray, SampleSource } from '../types.js';
import { ConfusionMatrix } from './confusion-matrix.js';
import { isSampleSource } from './inputs.js';

export { type Average, type ClassScore, ConfusionMatrix } from './confusion-matrix.js';

/**
 * What a network says: Float32Array or Float64Array of rows × outputs numbers, of which the largest tells the class (the
 * first of equals), or, for one output, whether it is above 0.5. Or the classes themselves, as integers.
 */
export type Predictions = Float32Array | Float64Array | IntegerArray | readonly number[];

/** Class indices, rows of one-hot or probability targets (float), or a dataset with either. */
export type Truth = IntegerArray | readonly number[] | Float32Array | Float64Array | SampleSource;

/** Numbers to compare with numbers: rows × outputs. */
export type Values = Float32Array | Float64Array | readonly number[];

export interface ClassOptions {
  /** Numbers in a row, where predictions and truth are both flat float arrays, so that nothing else tells. */
  outputs?: number;
}

export interface ConfusionOptions extends ClassOptions {
  /** Default: the number of `labelNames`, else the outputs of a row (2 for one output), else the largest class + 1. */
  classes?: number;
  labelNames?: readonly string[];
}

/** The share of rows whose predicted class is the true one. Throws `INVALID_ARGUMENT` for predictions that hold NaN. */
export function accuracy(predictions: Predictions, truth: Truth, options?: ClassOptions): number {
  const { predicted, labels } = classesOf(predictions, truth, checkOptions('accuracy', options, ['outputs']));
  let hits = 0;
  for (let row = 0; row < labels.length; row++) if (predicted[row] === labels[row]) hits++;
  return hits / labels.length;
}

/**
 * The share of rows whose true class is among the `k` largest outputs (of equals, the first ones count).
 * `topK(predictions, truth, 1)` is the accuracy. Throws `INVALID_ARGUMENT` for predictions that hold NaN.
 */
export function topK(predictions: Float32Array | Float64Array, truth: Truth, k: number, options?: ClassOptions): number {
  if (!isFloats(predictions)) throw invalid('predictions', 'a Float32Array or Float64Array of rows × outputs', predictions);
  const { labels, outputs } = classesOf(predictions, truth, checkOptions('topK', options, ['outputs']));
  if (outputs < 2) throw invalid('predictions', 'two outputs or more in a row', outputs);
  checkInteger('k', k, { min: 1, max: outputs });
  let hits = 0;
  for (let row = 0; row < labels.length; row++) {
    const at = row * outputs;
    const own = predictions[at + labels[row]];
    let ahead = 0;
    for (let j = 0; j < outputs; j++) {
      if (predictions[at + j] > own || (predictions[at + j] === own && j < labels[row])) ahead++;
    }
    if (ahead < k) hits++;
  }
  return hits / labels.length;
}

/** Counts how often each class was predicted as each class; gives accuracy, precision, recall and F1. */
export function confusionMatrix(predictions: Predictions, truth: Truth, options?: ConfusionOptions): ConfusionMatrix {
  const given = checkOptions('confusionMatrix', options, ['outputs', 'classes', 'labelNames']);
  const { predicted, labels, outputs } = classesOf(predictions, truth, given);
  const names =
    given.labelNames ?? (isSampleSource(truth) ? (truth as { labelNames?: readonly string[] }).labelNames : undefined);
  const largest = () =>
    predicted.reduce(
      (most, label) => Math.max(most, label),
      labels.reduce((a, b) => Math.max(a, b), 0),
    );
  const fallback = names?.length ?? (outputs > 0 ? Math.max(outputs, 2) : largest() + 1);
  const classes = checkInteger('classes', given.classes ?? fallback, { min: 1, max: 2 ** 15 });
  checkRange('truth', labels, classes);
  checkRange('predictions', predicted, classes);
  const counts = new Float64Array(classes * classes);
  for (let row = 0; row < labels.length; row++) counts[labels[row] * classes + predicted[row]]++;
  return new ConfusionMatrix(counts, names);
}

/**
 * Area under the ROC curve for two classes: the probability that a random row of class 1 scores higher than a random row of
 * class 0, equal scores counting half (Mann and Whitney's U over average ranks). `scores` holds one number a row, or two,
 * of which the second is class 1's; a float `truth` holds one target a row. Throws `INVALID_ARGUMENT` where one of the
 * classes has no row.
 */
export function rocAuc(scores: Values, truth: Truth): number {
  const values = toNumbers('scores', scores);
  const labels = binaryLabels(values.length, truth);
  const rows = labels.length;
  const columns = values.length / rows;
  if (columns !== 1 && columns !== 2) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `scores: expected one or two numbers for each of ${rows} rows, got ${values.length}`,
    );
  }
  const scoreOf = (row: number) => values[row * columns + columns - 1];
  for (let row = 0; row < rows; row++)
    if (Number.isNaN(scoreOf(row))) throw invalid(`scores: row ${row}`, 'a number', Number.NaN);
  const order = Array.from(labels.keys()).sort((a, b) => (scoreOf(a) < scoreOf(b) ? -1 : scoreOf(a) > scoreOf(b) ? 1 : 0));
  let positives = 0;
  let rankSum = 0;
  for (let begin = 0; begin < rows; ) {
    let end = begin + 1;
    while (end < rows && scoreOf(order[end]) === scoreOf(order[begin])) end++;
    let own = 0;
    for (let i = begin; i < end; i++) own += labels[order[i]];
    positives += own;
    rankSum += (own * (begin + 1 + end)) / 2; // ranks begin + 1 … end share their mean
    begin = end;
  }
  if (positives === 0 || positives === rows)
    throw invalid('truth', 'rows of class 0 and of class 1', `${rows} rows of one class`);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (rows - positives));
}

/** Mean over all numbers of abs(prediction − truth). NaN in gives NaN. */
export function meanAbsoluteError(predictions: Values, truth: Values | SampleSource): number {
  const { values, goals } = pairs(predictions, truth);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] - goals[i]);
  return sum / values.length;
}

/** Root of the mean over all numbers of (prediction − truth)². NaN in gives NaN. */
export function rootMeanSquaredError(predictions: Values, truth: Values | SampleSource): number {
  const { values, goals } = pairs(predictions, truth);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - goals[i]) ** 2;
  return Math.sqrt(sum / values.length);
}

/**
 * Coefficient of determination, 1 − Σ(y − ŷ)² / Σ(y − mean y)², for each output and averaged over the outputs. An output whose
 * truth is constant counts 1 when it is met exactly, else 0. `outputs` (default 1) tells the numbers in a row where the
 * truth is no dataset. NaN in gives NaN.
 */
export function r2(predictions: Values, truth: Values | SampleSource, options?: ClassOptions): number {
  const { values, goals, outputs: known } = pairs(predictions, truth);
  const outputs = checkInteger('outputs', checkOptions('r2', options, ['outputs']).outputs ?? known ?? 1, { min: 1 });
  const rows = rowsOf('truth', goals.length, outputs);
  let total = 0;
  for (let j = 0; j < outputs; j++) {
    let mean = 0;
    for (let i = j; i < goals.length; i += outputs) mean += goals[i] / rows;
    let error = 0;
    let spread = 0;
    for (let i = j; i < goals.length; i += outputs) {
      error += (goals[i] - values[i]) ** 2;
      spread += (goals[i] - mean) ** 2;
    }
    if (isConstant(goals, j, outputs)) total += error === 0 ? 1 : Number.isNaN(error) ? error : 0;
    else total += 1 - error / spread;
  }
  return total / outputs;
}

// Decided by the numbers themselves: rounding of the mean leaves a tiny spread.
function isConstant(values: ArrayLike<number>, first: number, step: number): boolean {
  for (let i = first; i < values.length; i += step) if (values[i] !== values[first]) return false;
  return true;
}

function isFloats(value: unknown): value is Float32Array | Float64Array {
  return types.isFloat32Array(value) || types.isFloat64Array(value);
}

function rowsOf(name: string, length: number, outputs: number): number {
  if (length === 0) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
  if (length % outputs !== 0) {
    throw new BlasnetError('SHAPE_MISMATCH', `${name}: expected a multiple of ${outputs} numbers (one row), got ${length}`);
  }
  return length / outputs;
}

function toNumbers(name: string, value: unknown): ArrayLike<number> {
  if (isFloats(value)) {
    checkStorage(name, value);
    return value;
  }
  if (!Array.isArray(value)) throw invalid(name, 'a Float32Array, a Float64Array or an array of numbers', value);
  const wrong = value.findIndex((item) => typeof item !== 'number');
  if (wrong >= 0) throw invalid(`${name}[${wrong}]`, 'a number', value[wrong]);
  return value;
}

function pairs(predictions: Values, truth: Values | SampleSource) {
  const source = isSampleSource(truth) ? truth : undefined;
  if (source && !source.targets) throw invalid('truth', 'a dataset with targets', 'one without');
  const values = toNumbers('predictions', predictions);
  const goals = source?.targets ?? toNumbers('truth', truth);
  rowsOf('truth', goals.length, 1);
  if (values.length !== goals.length) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected ${goals.length} numbers, as many as the truth, got ${values.length}`,
    );
  }
  return { values, goals, outputs: source && goals.length / source.length };
}

/** The class of each row of numbers. */
function largestOf(name: string, values: Float32Array | Float64Array, rows: number): Int32Array {
  const outputs = values.length / rows;
  return Int32Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let j = 0; j < outputs; j++) {
      const value = values[row * outputs + j];
      if (Number.isNaN(value)) throw invalid(`${name}: row ${row}, output ${j}`, 'a number', value);
      if (value > values[row * outputs + best]) best = j;
    }
    return outputs === 1 ? Number(values[row] > 0.5) : best;
  });
}

function toClasses(name: string, value: unknown): Int32Array {
  if (isFloats(value) || !(types.isTypedArray(value) || Array.isArray(value)))
    throw invalid(name, 'integers, or a float array of rows', value);
  if (!Array.isArray(value)) checkStorage(name, value);
  return Int32Array.from(value as readonly number[], (label, row) =>
    checkInteger(`${name}[${row}]`, label, { min: 0, below: 2 ** 31 }),
  );
}

function checkRange(name: string, labels: Int32Array, classes: number): void {
  const row = labels.findIndex((label) => label >= classes);
  if (row >= 0) {
    throw new BlasnetError(
      'LABEL_OUT_OF_RANGE',
      `${name}: row ${row}: expected a class from 0 to ${classes - 1}, got ${labels[row]}`,
    );
  }
}

function binaryLabels(numbers: number, truth: Truth): Int32Array {
  // Flat float truth of as many numbers as there are scores is one target a row.
  const { labels } = readTruth(truth, isFloats(truth) ? Math.min(numbers, truth.length) : undefined);
  checkRange('truth', labels, 2);
  return labels;
}

/** Classes from any form of truth; `rows` is needed where the truth is a flat float array. */
function readTruth(truth: Truth, rows: number | undefined): { labels: Int32Array; outputs: number } {
  const source = isSampleSource(truth) ? truth : undefined;
  const given = source ? (source.labels ?? source.targets) : (truth as Exclude<Truth, SampleSource>);
  if (given === undefined) throw invalid('truth', 'a dataset with labels or targets', 'one without');
  if (!isFloats(given)) {
    const labels = toClasses('truth', given);
    rowsOf('truth', labels.length, 1);
    return { labels, outputs: 0 };
  }
  checkStorage('truth', given);
  const count = source?.length ?? rows;
  if (count === undefined) throw invalid('outputs', 'the numbers in a row, as predictions and truth are both flat', count);
  if (count === 0 || given.length === 0) throw new BlasnetError('EMPTY_DATA', 'truth: expected at least one row, got none');
  if (given.length % count !== 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `truth: expected the same number of targets for each of ${count} rows, got ${given.length}`,
    );
  }
  return { labels: largestOf('truth', given, count), outputs: given.length / count };
}

/** Predicted and true class of each row; `outputs` is 0 where the predictions are classes themselves. */
function classesOf(predictions: Predictions, truth: Truth, options: Partial<ClassOptions>) {
  const flat = isFloats(predictions);
  const perRow = options.outputs === undefined ? undefined : checkInteger('outputs', options.outputs, { min: 1 });
  const given = flat ? undefined : toClasses('predictions', predictions);
  const rows = given?.length ?? (perRow === undefined ? undefined : rowsOf('predictions', predictions.length, perRow));
  const { labels, outputs: goalOutputs } = readTruth(truth, rows);
  if (given) {
    if (given.length !== labels.length) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `predictions: expected one for each of ${labels.length} rows, got ${given.length}`,
      );
    }
    return { predicted: given, labels, outputs: 0 };
  }
  const values = predictions as Float32Array | Float64Array;
  checkStorage('predictions', values);
  const outputs = values.length / labels.length;
  const expected = perRow ?? (goalOutputs > 0 ? goalOutputs : outputs);
  if (!Number.isInteger(outputs) || outputs === 0 || outputs !== expected) {
    const each = Number.isInteger(expected) && expected > 0 ? `${expected} for` : 'as many for';
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected ${each} each of ${labels.length} rows, got ${values.length} numbers`,
    );
  }
  checkRange('truth', labels, Math.max(outputs, 2));
  return { predicted: largestOf('predictions', values, labels.length), labels, outputs };
}
