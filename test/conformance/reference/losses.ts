import type { Results, Vector } from '../types.js';

export interface LossResults {
  readonly loss: Float64Array;
  readonly dprediction: Float64Array;
}

/** Runs `row` over the batch; it returns the row's loss and its gradient before the factor 1/rows. */
function perRow(rows: number, columns: number, row: (start: number, i: number) => [number, number[]]): LossResults {
  const loss = new Float64Array(rows);
  const dprediction = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const [value, gradient] = row(i * columns, i);
    loss[i] = value;
    for (let j = 0; j < columns; j++) dprediction[i * columns + j] = gradient[j] / rows;
  }
  return { loss, dprediction };
}

const slice = (v: Vector, start: number, n: number) => Array.from({ length: n }, (_, j) => v[start + j]);
const total = (v: readonly number[]) => v.reduce((s, x) => s + x, 0);

function crossEntropyRow(z: number[], t: number[]): [number, number[]] {
  const max = Math.max(...z);
  const lse = max + Math.log(total(z.map((v) => Math.exp(v - max))));
  const sum = total(t);
  return [-total(z.map((v, j) => t[j] * (v - lse))), z.map((v, j) => Math.exp(v - lse) * sum - t[j])];
}

export type LabelLossArguments = {
  dprediction?: null;
  logits: Vector;
  labels: Vector;
  rows: number;
  classes: number;
  smoothing: number;
};

export function softmaxCrossEntropy({ logits, labels, rows, classes, smoothing }: LabelLossArguments): LossResults {
  return perRow(rows, classes, (start, i) =>
    crossEntropyRow(
      slice(logits, start, classes),
      Array.from({ length: classes }, (_, j) => (j === labels[i] ? 1 - smoothing : 0) + smoothing / classes),
    ),
  );
}

export type ProbabilityLossArguments = {
  dprediction?: null;
  logits: Vector;
  target: Vector;
  rows: number;
  classes: number;
  smoothing: number;
};

export function softmaxCrossEntropyProbabilities({
  logits,
  target,
  rows,
  classes,
  smoothing,
}: ProbabilityLossArguments): LossResults {
  return perRow(rows, classes, (start) =>
    crossEntropyRow(
      slice(logits, start, classes),
      slice(target, start, classes).map((t) => (1 - smoothing) * t + smoothing / classes),
    ),
  );
}

export type RegressionArguments = {
  dprediction?: null;
  prediction: Vector;
  target: Vector;
  rows: number;
  outputs: number;
  factor?: number;
  delta?: number;
};

/** A loss that is a sum over a row's outputs; `point` returns value and derivative at one output. */
function pointwise(point: (y: number, t: number, a: RegressionArguments) => [number, number]) {
  return (a: RegressionArguments): LossResults =>
    perRow(a.rows, a.outputs, (start) => {
      const points = Array.from({ length: a.outputs }, (_, j) =>
        point(a.prediction[start + j], a.target[start + j], a),
      );
      return [total(points.map(([value]) => value)), points.map(([, derivative]) => derivative)];
    });
}

export const binaryCrossEntropy = pointwise((z, t, { outputs }) => [
  (Math.max(z, 0) - z * t + Math.log1p(Math.exp(-Math.abs(z)))) / outputs,
  (1 / (1 + Math.exp(-z)) - t) / outputs,
]);

export const squaredError = pointwise((y, t, { factor = Number.NaN }) => [factor * (y - t) ** 2, 2 * factor * (y - t)]);

export const absoluteError = pointwise((y, t, { outputs }) => [Math.abs(y - t) / outputs, Math.sign(y - t) / outputs]);

export const huber = pointwise((y, t, { outputs, delta = Number.NaN }) => {
  const d = y - t;
  return [
    (Math.abs(d) <= delta ? (d * d) / 2 : delta * (Math.abs(d) - delta / 2)) / outputs,
    Math.min(Math.max(d, -delta), delta) / outputs,
  ];
});

export type MeanGradientArguments = { rows: number };

export function meanGradient({ rows }: MeanGradientArguments): Results {
  return { dloss: Array.from({ length: rows }, () => 1 / rows) };
}

export type SumWeightsArguments = { weights: Vector; rows: number };

export function sumWeights({ weights, rows }: SumWeightsArguments): Results {
  return { total: [total(slice(weights, 0, rows))] };
}

export type WeighRowsArguments = {
  x: Vector;
  weights: Vector | null;
  total: Vector | null;
  rows: number;
  cols: number;
  scale: number;
};

/** A row's share of a weighted mean, as a multiple of 1/rows: w · rows / Σ w, and 0 if the weights sum to 0. */
export function weighRows({ x, weights, total: sum, rows, cols, scale }: WeighRowsArguments): Results {
  const y = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    const own = weights === null ? 1 : weights[i];
    const share = sum === null ? own : sum[0] === 0 ? 0 : (own * rows) / sum[0];
    const weight = share * scale;
    for (let j = 0; j < cols; j++) y[i * cols + j] = weight === 0 ? 0 : x[i * cols + j] * weight;
  }
  return { y };
}

export type AddTotalArguments = { carry: Vector | null; x: Vector; factor: number };

export function addTotal({ carry, x, factor }: AddTotalArguments): Results {
  return { total: [(carry === null ? 0 : carry[0]) + factor * x[0]] };
}
