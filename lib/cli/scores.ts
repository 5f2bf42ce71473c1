import { metrics, type Network } from 'blasnet';
import { confusionMatrixPlot, predictionPlot } from 'blasnet/report';
import type { Encoder, Table } from 'blasnet/tables';
import { inFile, predictParts, type RowOf } from './predicting.js';

/** How good predictions are. */
export interface Scores {
  readonly rows: number;
  /** The figures by name. */
  readonly figures: Readonly<Record<string, number>>;
  /** What a constant prediction reaches: the most frequent label, or the mean. */
  readonly baseline: string;
  /** Of a classification: a table of truth and predictions. */
  readonly matrix: metrics.ConfusionMatrix | undefined;
  /** A picture of truth and predictions, as SVG. */
  picture(): Promise<string>;
}

/** Compares the predictions for a table with its column of the target. Errors name the file, and with `rowOf` the row in it. */
export function score(network: Network<string>, encoder: Encoder, table: Table, path: string, rowOf?: RowOf): Scores {
  // Refuses missing targets and unknown labels.
  const { labels } = inFile(path, rowOf, () => encoder.dataset(table));
  const { labels: labelNames } = encoder;
  const parts = predictParts(network, encoder, table, path, rowOf);
  if (labelNames !== undefined && labels !== undefined) {
    const places = new Map(labelNames.map((label, place) => [label, place]));
    const predicted = new Int32Array(table.length);
    let row = 0;
    for (const part of parts) for (const { label = '' } of part) predicted[row++] = places.get(label) as number;
    return scoreLabels(labels, predicted, labelNames);
  }
  const predicted = new Float64Array(table.length);
  let row = 0;
  for (const part of parts) for (const { value = Number.NaN } of part) predicted[row++] = value;
  return scoreValues(Float64Array.from(table.column(encoder.target).values as Float64Array), predicted);
}

function scoreLabels(truth: Int32Array, predicted: Int32Array, labelNames: readonly string[]): Scores {
  const matrix = metrics.confusionMatrix(predicted, truth, { labelNames });
  const most = Math.max(...matrix.perClass().map(({ support }) => support));
  return {
    rows: truth.length,
    figures: { accuracy: matrix.accuracy, f1: matrix.f1() },
    baseline: `accuracy ${figure(most / truth.length)} by always the most frequent label`,
    matrix,
    picture: () => confusionMatrixPlot(matrix),
  };
}

function scoreValues(truth: Float64Array, predicted: Float64Array): Scores {
  const mean = truth.reduce((sum, value) => sum + value / truth.length, 0);
  const constant = truth.map(() => mean);
  return {
    rows: truth.length,
    figures: {
      r2: metrics.r2(predicted, truth),
      rmse: metrics.rootMeanSquaredError(predicted, truth),
      mae: metrics.meanAbsoluteError(predicted, truth),
    },
    baseline: `RMSE ${figure(metrics.rootMeanSquaredError(constant, truth))} by always the mean`,
    matrix: undefined,
    picture: () => predictionPlot(predicted, truth),
  };
}

/** A number with four digits or more; from 1e9 on with an exponent. */
export function figure(value: number): string {
  if (Math.abs(value) >= 1e9) return value.toExponential(3);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

const TITLES: Readonly<Record<string, string>> = { accuracy: 'accuracy', f1: 'F1', r2: 'R²', rmse: 'RMSE', mae: 'MAE' };

/** The figures as pairs of a title and a text. */
export function titled({ figures }: Scores): [string, string][] {
  return Object.entries(figures).map(([name, value]) => [TITLES[name], figure(value)]);
}

/** The figures in a line. */
export function scoreLine(scores: Scores): string {
  return `${titled(scores)
    .map((pair) => pair.join(' '))
    .join(', ')} (${scores.baseline})`;
}
