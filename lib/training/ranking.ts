/** Metrics and curves of scores that rank rows, over all thresholds. */
import { checkChoice, checkInteger, invalid } from '../checks.js';
import { type Average, mean, total } from './averages.js';
import { checkClasses, readScored, type TaskOptions, type Truth, type Values } from './metric-inputs.js';

/** Averages of the ranking metrics. */
export type RankingAverage = Exclude<Average, 'binary'>;

/** Options of `rocAuc` and `averagePrecision`. */
export interface RankingOptions extends TaskOptions {
  /** How the values of several classes (each against the rest) or labels are averaged. Default 'macro'. */
  average?: RankingAverage;
}

/** Options of `rocCurve` and `precisionRecallCurve`. */
export interface CurveOptions extends TaskOptions {
  /**
   * The class (against the rest) or label of the curve; required with more than two classes and with several labels.
   */
  label?: number;
}

/** Points of a ROC curve, by falling thresholds; rows that score at or above a threshold are predicted positive. */
export interface RocCurve {
  /** Fraction of the negative rows predicted positive: from 0 to 1. */
  readonly falsePositiveRate: Float64Array;
  /** Fraction of the positive rows predicted positive: from 0 to 1. */
  readonly truePositiveRate: Float64Array;
  /** Infinity, then each distinct score. */
  readonly thresholds: Float64Array;
}

/**
 * Points of a precision-recall curve, by rising thresholds; rows that score at or above a threshold are predicted
 * positive.
 */
export interface PrecisionRecallCurve {
  /** Fraction of the rows predicted positive that are positive; ends with 1, where no row is predicted positive. */
  readonly precision: Float64Array;
  /** Fraction of the positive rows predicted positive: from 1 to 0. */
  readonly recall: Float64Array;
  /** Each distinct score: one element fewer than there are points. */
  readonly thresholds: Float64Array;
}

/** A binary decision: the scores of all rows, and which rows are positive. */
interface Question {
  readonly name: string;
  readonly scores: Float64Array;
  readonly positive: Uint8Array;
}

/** Counts at or above each distinct score, from the highest down. */
interface Sweep {
  readonly thresholds: Float64Array;
  readonly truePositives: Float64Array;
  readonly falsePositives: Float64Array;
  readonly positives: number;
  readonly negatives: number;
}

/** The binary decisions of scores and truth: one for two classes, otherwise one per class or label. */
function questions(scores: Values, truth: Truth, options: Partial<TaskOptions>): Question[] {
  const { truth: read, scores: data, columns } = readScored('scores', scores, truth, options);
  const { rows, kind, classes, targets } = read;
  const column = (at: number) => Float64Array.from({ length: rows }, (_, row) => data[row * columns + at]);
  if (kind === 'labels') {
    return Array.from({ length: columns }, (_, at) => ({
      name: `label ${at}`,
      scores: column(at),
      positive: Uint8Array.from({ length: rows }, (_, row) => targets[row * columns + at]),
    }));
  }
  if (columns <= 2) {
    checkClasses('truth', classes, 2);
    return [{ name: 'class 1', scores: column(columns - 1), positive: Uint8Array.from(classes) }];
  }
  return Array.from({ length: columns }, (_, at) => ({
    name: `class ${at}`,
    scores: column(at),
    positive: Uint8Array.from(classes, (own) => Number(own === at)),
  }));
}

function sweep({ scores, positive }: Question): Sweep {
  // Sorting two arrays of plain numbers is many times as fast as sorting rows by score.
  const all = scores.slice().sort();
  const hits = scores.filter((_, row) => positive[row] === 1).sort();
  const [thresholds, truePositives, falsePositives]: number[][] = [[], [], []];
  let [i, j] = [all.length - 1, hits.length - 1];
  while (i >= 0) {
    const threshold = all[i];
    while (i >= 0 && all[i] === threshold) i--;
    while (j >= 0 && hits[j] === threshold) j--;
    const called = all.length - 1 - i;
    const right = hits.length - 1 - j;
    thresholds.push(threshold);
    truePositives.push(right);
    falsePositives.push(called - right);
  }
  return {
    thresholds: Float64Array.from(thresholds),
    truePositives: Float64Array.from(truePositives),
    falsePositives: Float64Array.from(falsePositives),
    positives: hits.length,
    negatives: all.length - hits.length,
  };
}

/** Mann-Whitney U over the number of pairs, ties counting half; all terms are multiples of 1/2. */
function areaUnderRoc({ truePositives, falsePositives, positives, negatives }: Sweep): number {
  let halves = 0;
  for (let i = 0; i < truePositives.length; i++) {
    const before = i === 0 ? 0 : truePositives[i - 1];
    halves += (falsePositives[i] - (i === 0 ? 0 : falsePositives[i - 1])) * (truePositives[i] + before);
  }
  return halves / 2 / (positives * negatives);
}

function meanPrecision({ truePositives, falsePositives, positives }: Sweep): number {
  let sum = 0;
  for (let i = 0; i < truePositives.length; i++) {
    const gained = truePositives[i] - (i === 0 ? 0 : truePositives[i - 1]);
    if (gained > 0) sum += (gained * truePositives[i]) / (truePositives[i] + falsePositives[i]);
  }
  return sum / positives;
}

/** Which rows a metric needs. */
type Needs = 'both' | 'positives';

function lacking({ positives, negatives }: Sweep, needs: Needs): boolean {
  return positives === 0 || (needs === 'both' && negatives === 0);
}

function checkAnswerable(list: readonly Question[], asked: Question, sums: Sweep, needs: Needs): void {
  if (!lacking(sums, needs)) return;
  const wanted = needs === 'both' ? 'rows of class 0 and of class 1' : 'rows of class 1';
  const name = list.length === 1 ? 'truth' : `truth: ${asked.name}`;
  throw invalid(
    name,
    list.length === 1 ? wanted : `${wanted} (or average: 'micro')`,
    `${asked.scores.length} rows of one class`,
  );
}

function average(
  list: readonly Question[],
  kind: RankingAverage,
  needs: Needs,
  figure: (sums: Sweep) => number,
): number | number[] {
  checkChoice('average', kind, ['macro', 'micro', 'weighted', 'none']);
  const asked = kind === 'micro' ? [pooled(list)] : list;
  const sweeps = asked.map(sweep);
  if (kind === 'none' && asked.length > 1)
    return sweeps.map((sums) => (lacking(sums, needs) ? Number.NaN : figure(sums)));
  for (const [i, sums] of sweeps.entries()) checkAnswerable(asked, asked[i], sums, needs);
  const figures = sweeps.map(figure);
  if (kind === 'none') return figures;
  const weights = kind === 'weighted' ? sweeps.map(({ positives }) => positives) : undefined;
  return figures.length === 1 ? figures[0] : mean(figures, weights, () => true);
}

/** All decisions combined into one. */
function pooled(list: readonly Question[]): Question {
  const length = total(list.map(({ scores }) => scores.length));
  const result = { name: 'all', scores: new Float64Array(length), positive: new Uint8Array(length) };
  let at = 0;
  for (const { scores, positive } of list) {
    result.scores.set(scores, at);
    result.positive.set(positive, at);
    at += scores.length;
  }
  return result;
}

export function rocAucOf(scores: Values, truth: Truth, options: Partial<RankingOptions>): number | number[] {
  return average(questions(scores, truth, options), options.average ?? 'macro', 'both', areaUnderRoc);
}

export function averagePrecisionOf(scores: Values, truth: Truth, options: Partial<RankingOptions>): number | number[] {
  return average(questions(scores, truth, options), options.average ?? 'macro', 'positives', meanPrecision);
}

/** The sweep for the class or label of a curve. */
function sweepOfLabel(scores: Values, truth: Truth, options: Partial<CurveOptions>, needs: Needs): Sweep {
  const list = questions(scores, truth, options);
  const { label } = options;
  if (label === undefined && list.length > 1) {
    throw invalid('label', `which of the ${list.length} classes or labels the curve is of`, label);
  }
  // With two classes, only class 1 has a curve.
  const first = list.length === 1 && list[0].name === 'class 1' ? 1 : 0;
  const at = checkInteger('label', label ?? first, { min: first, below: first + list.length });
  const asked = list[at - first];
  const sums = sweep(asked);
  checkAnswerable([asked], asked, sums, needs);
  return sums;
}

export function rocCurveOf(scores: Values, truth: Truth, options: Partial<CurveOptions>): RocCurve {
  const { thresholds, truePositives, falsePositives, positives, negatives } = sweepOfLabel(
    scores,
    truth,
    options,
    'both',
  );
  return {
    falsePositiveRate: joined(
      [0],
      falsePositives.map((count) => count / negatives),
    ),
    truePositiveRate: joined(
      [0],
      truePositives.map((count) => count / positives),
    ),
    thresholds: joined([Number.POSITIVE_INFINITY], thresholds),
  };
}

export function precisionRecallCurveOf(
  scores: Values,
  truth: Truth,
  options: Partial<CurveOptions>,
): PrecisionRecallCurve {
  const { thresholds, truePositives, falsePositives, positives } = sweepOfLabel(scores, truth, options, 'positives');
  const precision = truePositives.map((count, i) => count / (count + falsePositives[i])).reverse();
  return {
    precision: joined(precision, [1]),
    recall: joined(truePositives.map((count) => count / positives).reverse(), [0]),
    thresholds: thresholds.slice().reverse(),
  };
}

function joined(first: ArrayLike<number>, second: ArrayLike<number>): Float64Array {
  const result = new Float64Array(first.length + second.length);
  result.set(first);
  result.set(second, first.length);
  return result;
}
