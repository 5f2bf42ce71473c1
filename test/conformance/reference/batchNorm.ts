import type { Results, Vector } from '../types.js';

export type BatchNormInferenceArguments = {
  x: Vector;
  gamma: Vector;
  beta: Vector;
  runningMean: Vector;
  runningVariance: Vector;
  rows: number;
  features: number;
  epsilon: number;
};

export function batchNormInference(a: BatchNormInferenceArguments) {
  const { x, gamma, beta, runningMean, runningVariance, rows, features, epsilon } = a;
  const y = new Float64Array(rows * features);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < features; j++) {
      y[i * features + j] =
        ((x[i * features + j] - runningMean[j]) / Math.sqrt(runningVariance[j] + epsilon)) * gamma[j] + beta[j];
    }
  }
  return { y };
}

export type BatchNormInferenceBackwardArguments = Omit<BatchNormInferenceArguments, 'beta'> & { dy: Vector };

export function batchNormInferenceBackward(a: BatchNormInferenceBackwardArguments): Results {
  const { dy, x, gamma, runningMean, runningVariance, rows, features, epsilon } = a;
  const dx = new Float64Array(rows * features);
  const dgamma = new Float64Array(features);
  const dbeta = new Float64Array(features);
  for (let j = 0; j < features; j++) {
    const deviation = Math.sqrt(runningVariance[j] + epsilon);
    for (let i = j; i < rows * features; i += features) {
      dbeta[j] += dy[i];
      dgamma[j] += (dy[i] * (x[i] - runningMean[j])) / deviation;
      dx[i] = (dy[i] * gamma[j]) / deviation;
    }
  }
  return { dx, dgamma, dbeta };
}

/** The rows of share `part`: from the first whose number is not below rows · part / parts. */
function sharedRows(part: number, rows: number, parts: number): [from: number, to: number] {
  const first = (i: number) => {
    let row = 0;
    while (row < rows && row * parts < rows * i) row++;
    return row;
  };
  return [first(part), first(part + 1)];
}

export type BatchNormPartsArguments = { x: Vector; rows: number; pixels: number; features: number; parts: number };

export function batchNormParts({ x, rows, pixels, features, parts }: BatchNormPartsArguments) {
  const means = new Float64Array(parts * features);
  const rests = new Float64Array(parts * features);
  const squares = new Float64Array(parts * features);
  for (let part = 0; part < parts; part++) {
    const [from, to] = sharedRows(part, rows, parts).map((row) => row * pixels);
    for (let j = 0; j < features; j++) {
      const column = Array.from({ length: to - from }, (_, i) => x[(from + i) * features + j]);
      const mean = column.length === 0 ? 0 : column.reduce((sum, value) => sum + value, 0) / column.length;
      means[part * features + j] = Math.fround(mean);
      rests[part * features + j] = mean - Math.fround(mean);
      squares[part * features + j] = column.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    }
  }
  return { means, rests, squares };
}

export type BatchNormStatisticsArguments = Omit<BatchNormPartsArguments, 'x'> & {
  runningMean: Vector;
  runningVariance: Vector;
  means: Vector;
  rests: Vector;
  squares: Vector;
  gamma: Vector;
  beta: Vector;
  epsilon: number;
  momentum: number;
};

type Layer = {
  runningMean: Vector;
  runningVariance: Vector;
  gamma: Vector;
  beta: Vector;
  epsilon: number;
  momentum: number;
};

/** All that follows from the statistics; `shift` is beta less what float32 loses of the mean. */
function outputsOf({ gamma, beta, epsilon, momentum, ...a }: Layer, mean: Float64Array, variance: Float64Array) {
  const mixed = (running: Vector, value: Float64Array) =>
    momentum === 1 ? Float64Array.from(running) : value.map((v, j) => momentum * running[j] + (1 - momentum) * v);
  const inverseStd = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  return {
    mean,
    variance,
    inverseStd,
    shift: mean.map((m, j) => beta[j] - (m - Math.fround(m)) * inverseStd[j] * gamma[j]),
    runningMean: mixed(a.runningMean, mean),
    runningVariance: mixed(a.runningVariance, variance),
  };
}

/** By moments about the mean of the first share with rows, c: E[(x − c)²] − E[x − c]². */
export function batchNormStatistics(a: BatchNormStatisticsArguments) {
  const { means, rests, squares, rows, pixels, features, parts } = a;
  const mean = new Float64Array(features);
  const variance = new Float64Array(features);
  for (let j = 0; j < features; j++) {
    const shares = Array.from({ length: parts }, (_, part) => {
      const [from, to] = sharedRows(part, rows, parts);
      const at = part * features + j;
      return { count: (to - from) * pixels, own: means[at] + rests[at], square: squares[at] };
    });
    const center = shares.find(({ count }) => count > 0)?.own ?? 0;
    const distance = shares.reduce((sum, { count, own }) => sum + count * (own - center), 0) / (rows * pixels);
    const power = shares.reduce((sum, { count, own, square }) => sum + square + count * (own - center) ** 2, 0);
    mean[j] = center + distance;
    variance[j] = power / (rows * pixels) - distance ** 2;
  }
  return outputsOf(a, mean, variance);
}

export type BatchNormSumsArguments = Omit<BatchNormPartsArguments, 'x'> & {
  means: Vector;
  rests: Vector;
  squares: Vector;
  center: Vector;
};

export function batchNormSums(a: BatchNormSumsArguments) {
  const { means, rests, squares, center, rows, pixels, features, parts } = a;
  const sums = new Float64Array(features);
  const powers = new Float64Array(features);
  for (let part = 0; part < parts; part++) {
    const [from, to] = sharedRows(part, rows, parts);
    for (let j = 0; j < features; j++) {
      const distance = means[part * features + j] + rests[part * features + j] - center[j];
      sums[j] += distance * (to - from) * pixels;
      powers[j] += squares[part * features + j] + distance ** 2 * (to - from) * pixels;
    }
  }
  return { sums, powers };
}

export type BatchNormMergeArguments = {
  runningMean: Vector;
  runningVariance: Vector;
  sums: Vector;
  powers: Vector;
  gamma: Vector;
  beta: Vector;
  rows: number;
  features: number;
  epsilon: number;
  momentum: number;
};

export function batchNormMerge(a: BatchNormMergeArguments): Results {
  const { sums, powers, rows, features } = a;
  const each = (of: (j: number) => number) => Float64Array.from({ length: features }, (_, j) => of(j));
  const mean = each((j) => a.runningMean[j] + sums[j] / rows);
  const variance = each((j) => powers[j] / rows - (sums[j] / rows) ** 2);
  return outputsOf(a, mean, variance);
}

export type BatchNormBackwardPartsArguments = BatchNormPartsArguments & {
  dy: Vector;
  mean: Vector;
  inverseStd: Vector;
};

export function batchNormBackwardParts(a: BatchNormBackwardPartsArguments) {
  const { dy, x, mean, inverseStd, rows, pixels, features, parts } = a;
  const dgammaParts = new Float64Array(parts * features);
  const dbetaParts = new Float64Array(parts * features);
  for (let part = 0; part < parts; part++) {
    const [from, to] = sharedRows(part, rows, parts).map((row) => row * pixels);
    for (let i = from; i < to; i++) {
      for (let j = 0; j < features; j++) {
        const d = dy[i * features + j];
        dbetaParts[part * features + j] += d;
        dgammaParts[part * features + j] += d * (x[i * features + j] - mean[j]) * inverseStd[j];
      }
    }
  }
  return { dgammaParts, dbetaParts };
}

export type BatchNormBackwardInputArguments = {
  dy: Vector;
  x: Vector;
  mean: Vector;
  inverseStd: Vector;
  gamma: Vector;
  rows: number;
  features: number;
  dgammaParts: Vector;
  dbetaParts: Vector;
  parts: number;
};

export function batchNormBackwardInput(a: BatchNormBackwardInputArguments): Results {
  const { dy, x, mean, inverseStd, gamma, dgammaParts, dbetaParts, rows, features, parts } = a;
  const sum = (terms: Vector, j: number) =>
    Array.from({ length: parts }, (_, p) => terms[p * features + j]).reduce((s, t) => s + t, 0);
  const dx = new Float64Array(rows * features);
  for (let j = 0; j < features; j++) {
    const [dgamma, dbeta] = [sum(dgammaParts, j), sum(dbetaParts, j)];
    for (let i = 0; i < rows; i++) {
      const at = i * features + j;
      const normalised = (x[at] - mean[j]) * inverseStd[j];
      dx[at] = gamma[j] * inverseStd[j] * (dy[at] - dbeta / rows - (normalised * dgamma) / rows);
    }
  }
  return { dx };
}
