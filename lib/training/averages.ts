import { checkChoice, invalid } from '../checks.js';

/**
 * How the values for several classes or labels are averaged. `macro`: unweighted mean. `micro`: computed over all
 * decisions together. `weighted`: mean weighted by the number of true rows. `binary`: the value of class 1 of two.
 * `none`: a list of all values.
 */
export type Average = 'macro' | 'micro' | 'weighted' | 'binary' | 'none';

const AVERAGES: readonly Average[] = ['macro', 'micro', 'weighted', 'binary', 'none'];

export type Figure = 'precision' | 'recall' | 'f1';

/** Decision counts per class or label. */
export interface Margins {
  /** Correct predictions of it. */
  readonly hits: Float64Array;
  /** Rows where it is true. */
  readonly support: Float64Array;
  /** Rows where it is predicted. */
  readonly predicted: Float64Array;
  /** The class or label that the average `binary` is of. */
  readonly positive: number;
}

const formulas: Record<Figure, (hits: number, support: number, predicted: number) => number> = {
  precision: (hits, _, predicted) => ratio(hits, predicted),
  recall: (hits, support) => ratio(hits, support),
  f1: (hits, support, predicted) => ratio(2 * hits, support + predicted),
};

/** The metric for each class. */
export function each(figure: Figure, { hits, support, predicted }: Margins): number[] {
  return Array.from(hits, (own, i) => formulas[figure](own, support[i], predicted[i]));
}

/** The average of a metric; `counted` selects the classes of the macro average. */
export function averaged(
  figure: Figure,
  margins: Margins,
  average: Average,
  counted: (index: number) => boolean,
): number | number[] {
  const { hits, support, predicted, positive } = margins;
  switch (checkChoice('average', average, AVERAGES)) {
    case 'micro':
      return formulas[figure](total(hits), total(support), total(predicted));
    case 'binary': {
      if (hits.length > 2) throw invalid('average', "another one than 'binary', which is for two classes", hits.length);
      // Where all rows are of class 0, there may be no other.
      return formulas[figure](hits[positive] ?? 0, support[positive] ?? 0, predicted[positive] ?? 0);
    }
    default:
  }
  const values = each(figure, margins);
  return average === 'none' ? values : mean(values, average === 'weighted' ? support : undefined, counted);
}

/** Mean over the counted classes, optionally weighted; 0 if none counts. */
export function mean(
  values: readonly number[],
  weights: ArrayLike<number> | undefined,
  counted: (index: number) => boolean,
): number {
  let sum = 0;
  let whole = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights === undefined ? Number(counted(i)) : weights[i];
    if (weight === 0) continue;
    sum += weight * values[i];
    whole += weight;
  }
  return ratio(sum, whole);
}

export function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

/** A ratio; 0/0 is 0. */
export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
