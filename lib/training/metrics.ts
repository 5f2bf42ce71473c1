/**
 * Metrics from predictions and truth: `metrics` of the main entry point, as in
 * `metrics.accuracy(network.predict(test), test)`. All throw `EMPTY_DATA` without rows, `SHAPE_MISMATCH` if predictions
 * and truth differ in their number of rows, `LABEL_OUT_OF_RANGE`, `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 *
 * The classification metrics support two kinds of task: one class per row, or several labels per row (multi-label),
 * where each output is a separate yes/no decision. The kind is inferred from the truth, see `Truth`; rows of targets
 * that fit neither are rejected.
 */
import { types } from 'node:util';
import { checkArity, checkInteger, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { isSampleSource } from '../runtime/columns.js';
import type { SampleSource } from '../types.js';
import { type Average, averaged, type Figure } from './averages.js';
import { ConfusionMatrix, countPairs, MOST_CLASSES } from './confusion-matrix.js';
import {
  checkClasses,
  type Decided,
  type DecisionOptions,
  decide,
  type Predictions,
  readPairs,
  readScored,
  rowsOf,
  type TaskOptions,
  type Truth,
  type Values,
} from './metric-inputs.js';
import {
  averagePrecisionOf,
  type CurveOptions,
  type PrecisionRecallCurve,
  precisionRecallCurveOf,
  type RankingAverage,
  type RankingOptions,
  type RocCurve,
  rocAucOf,
  rocCurveOf,
} from './ranking.js';

export type { Average } from './averages.js';
export { type ClassScore, type ConfusionCell, type ConfusionCells, ConfusionMatrix } from './confusion-matrix.js';
export type { DecisionOptions, Predictions, TaskOptions, Truth, Values } from './metric-inputs.js';
export type { CurveOptions, PrecisionRecallCurve, RankingAverage, RankingOptions, RocCurve } from './ranking.js';
export type { Numbers } from './rows.js';

/** Options of {@link topK} and {@link r2}. */
export interface OutputOptions {
  /** Numbers per row, if not known otherwise. */
  outputs?: number;
}

/** Options of {@link confusionMatrix}. */
export interface ConfusionOptions extends DecisionOptions {
  /**
   * At most 1,048,576. Default: the number of `labelNames`, otherwise the outputs per row (2 for a single output),
   * otherwise the largest class + 1.
   */
  classes?: number;
  labelNames?: readonly string[];
}

/** Options of {@link precision}, {@link recall} and other scores per class. */
export interface ScoreOptions extends DecisionOptions {
  /** How the values of the classes or labels are averaged. Default 'macro'. */
  average?: Average;
}

const DECISION = ['outputs', 'multiLabel', 'threshold'] as const;
const RANKING = ['outputs', 'multiLabel', 'average'] as const;
const CURVE = ['outputs', 'multiLabel', 'label'] as const;

/**
 * Fraction of rows whose class is predicted correctly. With several labels per row: fraction of all single decisions
 * that are correct, as `evaluate` counts ({@link exactMatch} counts whole rows). Throws `INVALID_ARGUMENT` for
 * predictions with NaN.
 */
export function accuracy(predictions: Predictions, truth: Truth, options?: DecisionOptions): number {
  checkArity('metrics.accuracy', arguments, 3);
  return shareRight(decide(predictions, truth, checkOptions('accuracy', options, DECISION)), 1);
}

/**
 * Fraction of rows with all labels correct (subset accuracy); with one class per row, the accuracy. Throws
 * `INVALID_ARGUMENT` for predictions with NaN.
 */
export function exactMatch(predictions: Predictions, truth: Truth, options?: DecisionOptions): number {
  checkArity('metrics.exactMatch', arguments, 3);
  const decided = decide(predictions, truth, checkOptions('exactMatch', options, DECISION));
  return shareRight(decided, decided.kind === 'labels' ? decided.outputs : 1);
}

/** Fraction of groups of `size` decisions that are all correct. */
function shareRight({ predicted, labels }: Decided, size: number): number {
  let hits = 0;
  for (let begin = 0; begin < labels.length; begin += size) {
    let right = true;
    for (let i = begin; i < begin + size; i++) right &&= predicted[i] === labels[i];
    if (right) hits++;
  }
  return hits / (labels.length / size);
}

/**
 * Fraction of rows whose true class is among the `k` largest outputs (on ties, the first ones count).
 * `topK(predictions, truth, 1)` is the accuracy. Throws `INVALID_ARGUMENT` for predictions with NaN and for rows with
 * several labels.
 */
export function topK(predictions: Predictions, truth: Truth, k: number, options?: OutputOptions): number {
  checkArity('metrics.topK', arguments, 4);
  const decided = decide(predictions, truth, { ...checkOptions('topK', options, ['outputs']), multiLabel: false });
  if (decided.kind !== 'classes' || decided.outputs === 0) {
    throw invalid('predictions', 'a Float32Array or other floats, rows × outputs', predictions);
  }
  const { labels, outputs, scores } = decided;
  if (outputs < 2) throw invalid('predictions', 'two outputs or more in a row', outputs);
  checkInteger('k', k, { min: 1, max: outputs });
  let hits = 0;
  for (let row = 0; row < labels.length; row++) {
    const at = row * outputs;
    const own = scores[at + labels[row]];
    let ahead = 0;
    for (let j = 0; j < outputs; j++) {
      if (scores[at + j] > own || (scores[at + j] === own && j < labels[row])) ahead++;
    }
    if (ahead < k) hits++;
  }
  return hits / labels.length;
}

/**
 * Counts how often each class was predicted as each class; gives accuracy, precision, recall and F1. With
 * `multiLabel: true`, a list with one matrix per label: absence (0) and presence (1). Throws `INVALID_ARGUMENT` for
 * rows with several labels without that option.
 */
export function confusionMatrix(
  predictions: Predictions,
  truth: Truth,
  options: ConfusionOptions & { multiLabel: true },
): ConfusionMatrix[];
export function confusionMatrix(
  predictions: Predictions,
  truth: Truth,
  options?: ConfusionOptions & { multiLabel?: false },
): ConfusionMatrix;
export function confusionMatrix(
  predictions: Predictions,
  truth: Truth,
  options?: ConfusionOptions,
): ConfusionMatrix | ConfusionMatrix[] {
  checkArity('metrics.confusionMatrix', arguments, 3);
  const given = checkOptions('confusionMatrix', options, [...DECISION, 'classes', 'labelNames']);
  const decided = decide(predictions, truth, given);
  const names =
    given.labelNames ?? (isSampleSource(truth) ? (truth as { labelNames?: readonly string[] }).labelNames : undefined);
  if (decided.kind === 'classes') return classMatrix(decided, given.classes, names);
  if (given.multiLabel !== true) {
    throw invalid(
      'multiLabel',
      'true, for a matrix of each label, as rows of the truth have several labels',
      given.multiLabel,
    );
  }
  const { outputs } = decided;
  const count = names?.length ?? given.classes ?? outputs;
  if (count !== outputs || (given.classes ?? outputs) !== outputs) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `classes, labelNames: expected one for each of ${outputs} labels, got ${count}`,
    );
  }
  return Array.from({ length: outputs }, (_, at) => {
    const column = (values: Uint8Array) =>
      Int32Array.from({ length: decided.rows }, (_, row) => values[row * outputs + at]);
    const name = names?.[at] ?? String(at);
    return new ConfusionMatrix(countPairs(column(decided.labels), column(decided.predicted), 2), [`not ${name}`, name]);
  });
}

function classMatrix(
  { predicted, labels, outputs }: Decided & { kind: 'classes' },
  wanted: number | undefined,
  names: readonly string[] | undefined,
): ConfusionMatrix {
  const largest = () => predicted.reduce(larger, labels.reduce(larger, 0));
  const fallback = names?.length ?? Math.max(outputs > 0 ? outputs : largest() + 1, 2);
  const classes = checkInteger('classes', wanted ?? fallback, { min: 1, max: MOST_CLASSES });
  checkClasses('truth', labels, classes);
  checkClasses('predictions', predicted, classes);
  return new ConfusionMatrix(countPairs(labels, predicted, classes), names);
}

const larger = (most: number, value: number): number => Math.max(most, value);

/**
 * Fraction of the rows predicted as a class that belong to it, averaged over classes or labels. The macro average
 * covers the classes that occur in truth or predictions, or all labels. 0/0 is 0. `average: 'none'` gives a list.
 */
export function precision(p: Predictions, truth: Truth, options: ScoreOptions & { average: 'none' }): number[];
export function precision(
  p: Predictions,
  truth: Truth,
  options?: ScoreOptions & { average?: Exclude<Average, 'none'> },
): number;
export function precision(predictions: Predictions, truth: Truth, options?: ScoreOptions): number | number[] {
  checkArity('metrics.precision', arguments, 3);
  return score('precision', predictions, truth, options);
}

/** Fraction of the rows of a class that are predicted as it. Averages and results as in {@link precision}. */
export function recall(p: Predictions, truth: Truth, options: ScoreOptions & { average: 'none' }): number[];
export function recall(
  p: Predictions,
  truth: Truth,
  options?: ScoreOptions & { average?: Exclude<Average, 'none'> },
): number;
export function recall(predictions: Predictions, truth: Truth, options?: ScoreOptions): number | number[] {
  checkArity('metrics.recall', arguments, 3);
  return score('recall', predictions, truth, options);
}

/** Harmonic mean of precision and recall per class, averaged. Averages and results as in {@link precision}. */
export function f1(p: Predictions, truth: Truth, options: ScoreOptions & { average: 'none' }): number[];
export function f1(
  p: Predictions,
  truth: Truth,
  options?: ScoreOptions & { average?: Exclude<Average, 'none'> },
): number;
export function f1(predictions: Predictions, truth: Truth, options?: ScoreOptions): number | number[] {
  checkArity('metrics.f1', arguments, 3);
  return score('f1', predictions, truth, options);
}

function score(
  figure: Figure,
  predictions: Predictions,
  truth: Truth,
  options: ScoreOptions | undefined,
): number | number[] {
  const given = checkOptions(figure, options, [...DECISION, 'average']);
  const decided = decide(predictions, truth, given);
  const kind = given.average ?? 'macro';
  if (decided.kind === 'classes') return classMatrix(decided, undefined, undefined)[figure](kind);
  const { predicted, labels, outputs } = decided;
  const zeros = () => new Float64Array(outputs);
  const margins = { hits: zeros(), support: zeros(), predicted: zeros(), positive: outputs - 1 };
  for (let i = 0; i < labels.length; i++) {
    const at = i % outputs;
    margins.hits[at] += labels[i] & predicted[i];
    margins.support[at] += labels[i];
    margins.predicted[at] += predicted[i];
  }
  return averaged(figure, margins, kind, () => true);
}

/**
 * Area under the ROC curve: the probability that a random positive row scores higher than a random negative one, with
 * ties counting half (Mann-Whitney U). For two classes, `scores` holds one number per row, or two of which the second
 * belongs to class 1. For more classes it holds one number per class, and the areas of each class against the rest are
 * averaged; with several labels per row, those of the labels. A flat float `truth` holds one target per row unless
 * `outputs` is given. Throws `INVALID_ARGUMENT` if there are no positive or no negative rows; with `average: 'none'`
 * the list has NaN there.
 */
export function rocAuc(scores: Values, truth: Truth, options: RankingOptions & { average: 'none' }): number[];
export function rocAuc(
  scores: Values,
  truth: Truth,
  options?: RankingOptions & { average?: Exclude<RankingAverage, 'none'> },
): number;
export function rocAuc(scores: Values, truth: Truth, options?: RankingOptions): number | number[] {
  checkArity('metrics.rocAuc', arguments, 3);
  return rocAucOf(scores, truth, checkOptions('rocAuc', options, RANKING));
}

/**
 * Average precision: Σ (recall − previous recall) · precision over the falling thresholds, the area under the
 * precision-recall curve without interpolation. Scores, truth and averages as in {@link rocAuc}. Throws
 * `INVALID_ARGUMENT` if there are no positive rows; with `average: 'none'` the list has NaN there.
 */
export function averagePrecision(scores: Values, truth: Truth, options: RankingOptions & { average: 'none' }): number[];
export function averagePrecision(
  scores: Values,
  truth: Truth,
  options?: RankingOptions & { average?: Exclude<RankingAverage, 'none'> },
): number;
export function averagePrecision(scores: Values, truth: Truth, options?: RankingOptions): number | number[] {
  checkArity('metrics.averagePrecision', arguments, 3);
  return averagePrecisionOf(scores, truth, checkOptions('averagePrecision', options, RANKING));
}

/**
 * The ROC curve, with one point per distinct score. Scores and truth as in {@link rocAuc}; `label` selects one of
 * several classes (against the rest) or labels. Throws `INVALID_ARGUMENT` if there are no positive or no negative rows.
 */
export function rocCurve(scores: Values, truth: Truth, options?: CurveOptions): RocCurve {
  checkArity('metrics.rocCurve', arguments, 3);
  return rocCurveOf(scores, truth, checkOptions('rocCurve', options, CURVE));
}

/**
 * The precision-recall curve, with one point per distinct score. Arguments as in {@link rocCurve}. Throws
 * `INVALID_ARGUMENT` if there are no positive rows.
 */
export function precisionRecallCurve(scores: Values, truth: Truth, options?: CurveOptions): PrecisionRecallCurve {
  checkArity('metrics.precisionRecallCurve', arguments, 3);
  return precisionRecallCurveOf(scores, truth, checkOptions('precisionRecallCurve', options, CURVE));
}

/**
 * Cross-entropy of probabilities, mean over the rows, natural logarithm. One class per row: −log of the true class's
 * probability (a single output is class 1's probability; rows of probabilities as truth are weights). Several labels
 * per row: binary cross-entropy, mean over the labels, as in `binaryCrossEntropy`. Probabilities are clamped to stay
 * 2⁻⁵² away from 0 and 1 (2⁻²³ for a Float32Array). Throws `INVALID_ARGUMENT` for values that are not probabilities,
 * and for rows of several classes that don't sum to 1 within 0.001, such as logits.
 */
export function logLoss(probabilities: Predictions, truth: Truth, options?: TaskOptions): number {
  checkArity('metrics.logLoss', arguments, 3);
  const given = checkOptions('logLoss', options, ['outputs', 'multiLabel']);
  const { truth: read, scores, columns } = readScored('probabilities', probabilities, truth, given, true);
  const margin = types.isFloat32Array(probabilities) ? 2 ** -23 : 2 ** -52;
  const log = (p: number) => Math.log(Math.min(Math.max(p, margin), 1 - margin));
  const { rows, kind, classes, targets } = read;
  const separate = kind === 'labels' || columns === 1;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    let whole = 0;
    for (let j = 0; j < columns; j++) {
      const i = row * columns + j;
      const p = scores[i];
      if (!(p >= 0 && p <= 1)) throw invalid(`probabilities: row ${row}, output ${j}`, 'a number from 0 to 1', p);
      whole += p;
      // With one target per row and two outputs, the target belongs to the second output.
      const soft = read.columns === columns ? targets[i] : Math.abs(targets[row] - Number(j === 0));
      const goal = read.columns > 0 ? soft : Number(classes[row] === (columns === 1 ? 1 : j));
      if (goal > 0) sum -= goal * log(p);
      if (separate && goal < 1) sum -= (1 - goal) * log(1 - p);
    }
    if (!separate && Math.abs(whole - 1) > 1e-3) throw invalid(`probabilities: row ${row}`, 'a sum of 1', whole);
  }
  return sum / (separate ? rows * columns : rows);
}

/** Mean over all numbers of |prediction − truth|. NaN in gives NaN out. */
export function meanAbsoluteError(predictions: Values, truth: Values | SampleSource): number {
  checkArity('metrics.meanAbsoluteError', arguments, 2);
  const { values, goals } = readPairs(predictions, truth);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i] - goals[i]);
  return sum / values.length;
}

/** Root of the mean over all numbers of (prediction − truth)². NaN in gives NaN out. */
export function rootMeanSquaredError(predictions: Values, truth: Values | SampleSource): number {
  checkArity('metrics.rootMeanSquaredError', arguments, 2);
  const { values, goals } = readPairs(predictions, truth);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] - goals[i]) ** 2;
  return Math.sqrt(sum / values.length);
}

/**
 * Coefficient of determination, 1 − Σ(y − ŷ)² / Σ(y − mean y)², per output and averaged over the outputs. An output
 * with constant truth counts 1 if predicted exactly, otherwise 0. `outputs` (default 1) is the numbers per row, needed
 * unless a dataset or list of rows is given. NaN in gives NaN out.
 */
export function r2(predictions: Values, truth: Values | SampleSource, options?: OutputOptions): number {
  checkArity('metrics.r2', arguments, 3);
  const { values, goals, outputs: known } = readPairs(predictions, truth);
  const outputs = checkInteger('outputs', checkOptions('r2', options, ['outputs']).outputs ?? known ?? 1, { min: 1 });
  if (outputs !== (known ?? outputs)) {
    throw new BlasnetError('SHAPE_MISMATCH', `outputs: expected ${known}, as the truth has, got ${outputs}`);
  }
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

// Compares the numbers themselves, as rounding of the mean leaves a tiny spread.
function isConstant(values: ArrayLike<number>, first: number, step: number): boolean {
  for (let i = first; i < values.length; i += step) if (values[i] !== values[first]) return false;
  return true;
}
