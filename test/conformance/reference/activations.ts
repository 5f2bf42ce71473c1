import type { Vector } from '../types.js';
import { normalCdf } from './special.js';

const LAMBDA = 1.0507009873554805;
const ALPHA = 1.6732632423543772;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
/** relu6(x + 3) / 6. */
const hardGate = (x: number) => (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6;

/** y = f(x); `parameter` is the slope of leakyRelu and the alpha of elu. */
export const activation = {
  identity: (x: number) => x,
  relu: (x: number) => (x < 0 ? 0 : x),
  leakyRelu: (x: number, slope: number) => (x < 0 ? slope * x : x),
  elu: (x: number, alpha: number) => (x > 0 ? x : alpha * Math.expm1(x)),
  selu: (x: number) => LAMBDA * (x > 0 ? x : ALPHA * Math.expm1(x)),
  gelu: (x: number) => x * normalCdf(x),
  silu: (x: number) => x * sigmoid(x),
  sigmoid,
  tanh: Math.tanh,
  softplus,
  relu6: (x: number) => (x < 0 ? 0 : x > 6 ? 6 : x),
  hardSigmoid: hardGate,
  hardSwish: (x: number) => (x <= -3 ? 0 : x * hardGate(x)),
  mish: (x: number) => x * Math.tanh(softplus(x)),
  softsign: (x: number) => (Math.abs(x) === Infinity ? Math.sign(x) : x / (1 + Math.abs(x))),
} satisfies Record<string, (x: number, parameter: number) => number>;

export type ActivationName = keyof typeof activation;

/** 1 above 0, `below` at 0 and under it; NaN is never hidden. */
const gate = (y: number, below: number) => (y > 0 ? 1 : y <= 0 ? below : Number.NaN);

/** Derivatives that follow from the output y. */
export const derivativeFromOutput = {
  identity: (_y: number) => 1,
  relu: (y: number) => gate(y, 0),
  leakyRelu: gate,
  elu: (y: number, alpha: number) => (y > 0 ? 1 : y + alpha),
  selu: (y: number) => (y > 0 ? LAMBDA : y + LAMBDA * ALPHA),
  sigmoid: (y: number) => y * (1 - y),
  tanh: (y: number) => 1 - y * y,
  softplus: (y: number) => -Math.expm1(-y),
  relu6: (y: number) => gate(y, 0) * gate(6 - y, 0),
  hardSigmoid: (y: number) => (gate(y, 0) * gate(1 - y, 0)) / 6,
  softsign: (y: number) => (1 - Math.abs(y)) ** 2,
} satisfies Record<string, (y: number, parameter: number) => number>;

/** Derivatives that need the input x. */
export const derivativeFromInput = {
  gelu: (x: number) => normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  silu: (x: number) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  hardSwish: (x: number) => (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5),
  mish: (x: number) => Math.tanh(softplus(x)) + (x * sigmoid(x)) / Math.cosh(softplus(x)) ** 2,
};

export function map(x: Vector, n: number, f: (value: number, i: number) => number): Float64Array {
  const y = new Float64Array(n);
  for (let i = 0; i < n; i++) y[i] = f(x[i], i);
  return y;
}

export function softmax(x: Vector, rows: number, cols: number): Float64Array {
  const y = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    let max = -Infinity;
    for (let j = 0; j < cols; j++) max = Math.max(max, x[i * cols + j]);
    let sum = 0;
    for (let j = 0; j < cols; j++) sum += Math.exp(x[i * cols + j] - max);
    for (let j = 0; j < cols; j++) y[i * cols + j] = Math.exp(x[i * cols + j] - max) / sum;
  }
  return y;
}

export function softmaxBackward(dy: Vector, y: Vector, rows: number, cols: number): Float64Array {
  const dx = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    let dot = 0;
    for (let j = 0; j < cols; j++) dot += dy[i * cols + j] * y[i * cols + j];
    for (let j = 0; j < cols; j++) dx[i * cols + j] = y[i * cols + j] * (dy[i * cols + j] - dot);
  }
  return dx;
}

export function logSoftmax(x: Vector, rows: number, cols: number): Float64Array {
  const y = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    const row = Array.from({ length: cols }, (_, j) => x[i * cols + j]);
    const max = row.reduce((most, value) => Math.max(most, value), -Infinity);
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0));
    for (let j = 0; j < cols; j++) y[i * cols + j] = row[j] - max - logSum;
  }
  return y;
}

export function logSoftmaxBackward(dy: Vector, y: Vector, rows: number, cols: number): Float64Array {
  const dx = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) {
    let total = 0;
    for (let j = 0; j < cols; j++) total += dy[i * cols + j];
    for (let j = 0; j < cols; j++) dx[i * cols + j] = dy[i * cols + j] - total * Math.exp(y[i * cols + j]);
  }
  return dx;
}
