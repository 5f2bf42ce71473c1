/**
 * Batch normalisation over features; x and y are rows × features. Sums run down the rows of all features at
 * once, in doubles, so that memory is read in order.
 */
import { doubles, moreDoubles } from './scratch.js';

export function batchNormForward(
  y: Float32Array,
  mean: Float32Array,
  inverseStd: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  rows: number,
  features: number,
  epsilon: number,
  momentum: number,
): void {
  const center = doubles(features);
  const scale = moreDoubles(features);
  for (let j = 0; j < features; j++) {
    center[j] = 0;
    scale[j] = 0;
  }
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < features; j++, o++) center[j] += x[o];
  for (let j = 0; j < features; j++) center[j] /= rows;
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) {
      const d = x[o] - center[j];
      scale[j] += d * d;
    }
  }
  for (let j = 0; j < features; j++) {
    const variance = scale[j] / rows;
    const inverse = 1 / Math.sqrt(variance + epsilon);
    mean[j] = center[j];
    inverseStd[j] = inverse;
    // With momentum 1 nothing is taken in, not even a NaN.
    if (momentum !== 1) {
      runningMean[j] = momentum * runningMean[j] + (1 - momentum) * center[j];
      runningVariance[j] = momentum * runningVariance[j] + (1 - momentum) * variance;
    }
    scale[j] = inverse * gamma[j];
  }
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) y[o] = (x[o] - center[j]) * scale[j] + beta[j];
  }
}

/** y may be x. */
export function batchNormInference(
  y: Float32Array,
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  rows: number,
  features: number,
  epsilon: number,
): void {
  const scale = doubles(features);
  for (let j = 0; j < features; j++) scale[j] = gamma[j] / Math.sqrt(runningVariance[j] + epsilon);
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) y[o] = (x[o] - runningMean[j]) * scale[j] + beta[j];
  }
}

/** dx may be dy. */
export function batchNormBackward(
  dx: Float32Array,
  dgamma: Float32Array,
  dbeta: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  mean: Float32Array,
  inverseStd: Float32Array,
  gamma: Float32Array,
  rows: number,
  features: number,
): void {
  const sum = doubles(features);
  const product = moreDoubles(features);
  for (let j = 0; j < features; j++) {
    sum[j] = 0;
    product[j] = 0;
  }
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) {
      sum[j] += dy[o];
      product[j] += dy[o] * (x[o] - mean[j]);
    }
  }
  for (let j = 0; j < features; j++) {
    dbeta[j] = sum[j];
    dgamma[j] = product[j] * inverseStd[j];
    // From here on: the mean of dy, and the factor of (x − mean) inside dx.
    sum[j] /= rows;
    product[j] *= (inverseStd[j] * inverseStd[j]) / rows;
  }
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) {
      dx[o] = gamma[j] * inverseStd[j] * (dy[o] - sum[j] - (x[o] - mean[j]) * product[j]);
    }
  }
}
