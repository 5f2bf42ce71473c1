import type { Results, Vector } from '../types.js';

export type BatchNormForwardArguments = {
  runningMean: Vector;
  runningVariance: Vector;
  x: Vector;
  gamma: Vector;
  beta: Vector;
  rows: number;
  features: number;
  epsilon: number;
  momentum: number;
};

export function batchNormForward(a: BatchNormForwardArguments) {
  const { x, gamma, beta, rows, features, epsilon, momentum } = a;
  const y = new Float64Array(rows * features);
  const mean = new Float64Array(features);
  const inverseStd = new Float64Array(features);
  const runningMean = new Float64Array(features);
  const runningVariance = new Float64Array(features);
  for (let j = 0; j < features; j++) {
    for (let i = 0; i < rows; i++) mean[j] += x[i * features + j] / rows;
    let variance = 0;
    for (let i = 0; i < rows; i++) variance += (x[i * features + j] - mean[j]) ** 2 / rows;
    inverseStd[j] = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < rows; i++) y[i * features + j] = (x[i * features + j] - mean[j]) * inverseStd[j] * gamma[j] + beta[j];
    runningMean[j] = momentum * a.runningMean[j] + (1 - momentum) * mean[j];
    runningVariance[j] = momentum * a.runningVariance[j] + (1 - momentum) * variance;
  }
  return { y, mean, inverseStd, runningMean, runningVariance };
}

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

export function batchNormInference(a: BatchNormInferenceArguments): Results {
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

export type BatchNormBackwardArguments = {
  dy: Vector;
  x: Vector;
  mean: Vector;
  inverseStd: Vector;
  gamma: Vector;
  rows: number;
  features: number;
};

export function batchNormBackward({ dy, x, mean, inverseStd, gamma, rows, features }: BatchNormBackwardArguments): Results {
  const dx = new Float64Array(rows * features);
  const dgamma = new Float64Array(features);
  const dbeta = new Float64Array(features);
  for (let j = 0; j < features; j++) {
    const normalised = (i: number) => (x[i * features + j] - mean[j]) * inverseStd[j];
    for (let i = 0; i < rows; i++) {
      dbeta[j] += dy[i * features + j];
      dgamma[j] += dy[i * features + j] * normalised(i);
    }
    for (let i = 0; i < rows; i++) {
      dx[i * features + j] =
        gamma[j] * inverseStd[j] * (dy[i * features + j] - dbeta[j] / rows - (normalised(i) * dgamma[j]) / rows);
    }
  }
  return { dx, dgamma, dbeta };
}
