/**
 * Elementwise activations, and softmax over rows. y may be x, dx may be dy. A backward kernel takes the forward pass's
 * output y if the gradient can be computed from it, otherwise its input x.
 */
import { doubles } from './helpers/scratch.js';
import { normalCdf } from './helpers/special.js';
import { float, input, kernel, out, size } from './signature.js';

/** y = f(x), elementwise. */
const elementwise = () => kernel('n', out('y', ['n'], { alias: ['x'] }), input('x', ['n']), size('n'));
/** dx = dy * f', where f' is computed from the forward pass's output y. */
const fromOutput = () =>
  kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('y', ['n']), size('n'));
/** dx = dy * f', where f' is computed from the forward pass's input x. */
const fromInput = () =>
  kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('x', ['n']), size('n'));
/** y = f(x), row by row. */
const byRows = () =>
  kernel(
    'rows',
    out('y', ['rows', 'cols'], { alias: ['x'] }),
    input('x', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  );
/** The gradient of such an f from the output y. */
const byRowsFromOutput = () =>
  kernel(
    'rows',
    out('dx', ['rows', 'cols'], { alias: ['dy'] }),
    input('dy', ['rows', 'cols']),
    input('y', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  );

/** Activations and other elementwise operations. */
export const activationKernels = {
  identity: elementwise(),
  relu: elementwise(),
  leakyRelu: kernel('n', ...elementwise().parameters, float('slope')),
  elu: kernel('n', ...elementwise().parameters, float('alpha')),
  selu: elementwise(),
  gelu: elementwise(),
  silu: elementwise(),
  sigmoid: elementwise(),
  tanh: elementwise(),
  softplus: elementwise(),
  relu6: elementwise(),
  hardSigmoid: elementwise(),
  hardSwish: elementwise(),
  mish: elementwise(),
  softsign: elementwise(),
  identityBackward: fromOutput(),
  reluBackward: fromOutput(),
  leakyReluBackward: kernel('n', ...fromOutput().parameters, float('slope')),
  eluBackward: kernel('n', ...fromOutput().parameters, float('alpha')),
  seluBackward: fromOutput(),
  geluBackward: fromInput(),
  siluBackward: fromInput(),
  sigmoidBackward: fromOutput(),
  tanhBackward: fromOutput(),
  softplusBackward: fromOutput(),
  relu6Backward: fromOutput(),
  hardSigmoidBackward: fromOutput(),
  hardSwishBackward: fromInput(),
  mishBackward: fromInput(),
  softsignBackward: fromOutput(),
  softmax: byRows(),
  softmaxBackward: byRowsFromOutput(),
  logSoftmax: byRows(),
  logSoftmaxBackward: byRowsFromOutput(),
} as const;

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
const INVERSE_SQRT_TAU = 1 / Math.sqrt(2 * Math.PI);

export function identity(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = x[i];
}

export function identityBackward(dx: Float32Array, dy: Float32Array, _y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i];
}

/** 1 above 0, otherwise `below`; NaN stays NaN. */
function gate(y: number, below: number): number {
  return y > 0 ? 1 : y <= 0 ? below : NaN;
}

export function relu(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi < 0 ? 0 : xi;
  }
}

export function reluBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i] * gate(y[i], 0);
}

export function leakyRelu(y: Float32Array, x: Float32Array, n: number, slope: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi < 0 ? slope * xi : xi;
  }
}

export function leakyReluBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number, slope: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i] * gate(y[i], slope);
}

export function elu(y: Float32Array, x: Float32Array, n: number, alpha: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi > 0 ? xi : alpha * Math.expm1(xi);
  }
}

export function eluBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number, alpha: number): void {
  for (let i = 0; i < n; i++) {
    const yi = y[i];
    dx[i] = dy[i] * (yi > 0 ? 1 : yi + alpha);
  }
}

export function selu(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = SELU_SCALE * (xi > 0 ? xi : SELU_ALPHA * Math.expm1(xi));
  }
}

export function seluBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const yi = y[i];
    dx[i] = dy[i] * (yi > 0 ? SELU_SCALE : yi + SELU_SCALE * SELU_ALPHA);
  }
}

export function gelu(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi * normalCdf(xi);
  }
}

export function geluBackward(dx: Float32Array, dy: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    dx[i] = dy[i] * (normalCdf(xi) + xi * INVERSE_SQRT_TAU * Math.exp(-0.5 * xi * xi));
  }
}

export function silu(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi / (1 + Math.exp(-xi));
  }
}

export function siluBackward(dx: Float32Array, dy: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    const e = Math.exp(-Math.abs(xi));
    // σ(x) and 1 − σ(x), both without cancellation.
    const small = e / (1 + e);
    const large = 1 / (1 + e);
    dx[i] = dy[i] * (xi < 0 ? small * (1 + xi * large) : large * (1 + xi * small));
  }
}

export function sigmoid(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = 1 / (1 + Math.exp(-x[i]));
}

export function sigmoidBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const yi = y[i];
    dx[i] = dy[i] * (yi * (1 - yi));
  }
}

export function tanh(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = Math.tanh(x[i]);
}

export function tanhBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const yi = y[i];
    dx[i] = dy[i] * (1 - yi * yi);
  }
}

export function softplus(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = Math.max(xi, 0) + Math.log1p(Math.exp(-Math.abs(xi)));
  }
}

export function softplusBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i] * -Math.expm1(-y[i]);
}

/** 1 between 0 and `high`, 0 outside and at both; NaN stays NaN. */
function inside(y: number, high: number): number {
  return y > 0 && y < high ? 1 : y <= 0 || y >= high ? 0 : NaN;
}

export function relu6(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi < 0 ? 0 : xi > 6 ? 6 : xi;
  }
}

export function relu6Backward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i] * inside(y[i], 6);
}

/** min(max(x + 3, 0), 6) / 6. */
function hardGate(x: number): number {
  return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) / 6;
}

export function hardSigmoid(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) y[i] = hardGate(x[i]);
}

export function hardSigmoidBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = (dy[i] * inside(y[i], 1)) / 6;
}

export function hardSwish(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    // Not x · 0: the limit at −∞ is 0.
    y[i] = xi <= -3 ? 0 : xi * hardGate(xi);
  }
}

export function hardSwishBackward(dx: Float32Array, dy: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    dx[i] = dy[i] * (xi <= -3 ? 0 : xi >= 3 ? 1 : (2 * xi + 3) / 6);
  }
}

/** tanh(log(1 + eˣ)), where e is e^(−|x|): (v² − 1) / (v² + 1) with v = 1 + eˣ, without cancellation. */
function mishGate(x: number, e: number): number {
  return x < 0 ? (e * (e + 2)) / (e * (e + 2) + 2) : (1 + 2 * e) / (1 + 2 * e + 2 * e * e);
}

export function mish(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    y[i] = xi * mishGate(xi, Math.exp(-Math.abs(xi)));
  }
}

export function mishBackward(dx: Float32Array, dy: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const xi = x[i];
    const e = Math.exp(-Math.abs(xi));
    const gated = mishGate(xi, e);
    const rest = xi < 0 ? 2 / (e * (e + 2) + 2) : (2 * e * e) / (1 + 2 * e + 2 * e * e);
    const sigmoid = (xi < 0 ? e : 1) / (1 + e);
    dx[i] = dy[i] * (gated + xi * sigmoid * rest * (1 + gated));
  }
}

export function softsign(y: Float32Array, x: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const size = Math.abs(x[i]);
    y[i] = size === Infinity ? Math.sign(x[i]) : x[i] / (1 + size);
  }
}

export function softsignBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) dx[i] = dy[i] * (1 - Math.abs(y[i])) ** 2;
}

export function softmax(y: Float32Array, x: Float32Array, rows: number, cols: number): void {
  const powers = doubles(cols);
  for (let i = 0, row = 0; i < rows; i++, row += cols) {
    let max = -Infinity;
    for (let j = 0; j < cols; j++) if (x[row + j] > max) max = x[row + j];
    let sum = 0;
    for (let j = 0; j < cols; j++) {
      const power = Math.exp(x[row + j] - max);
      powers[j] = power;
      sum += power;
    }
    for (let j = 0; j < cols; j++) y[row + j] = powers[j] / sum;
  }
}

export function softmaxBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, rows: number, cols: number): void {
  for (let i = 0, row = 0; i < rows; i++, row += cols) {
    let dot = 0;
    for (let j = 0; j < cols; j++) dot += dy[row + j] * y[row + j];
    for (let j = 0; j < cols; j++) dx[row + j] = y[row + j] * (dy[row + j] - dot);
  }
}

/** y = x − log Σ eˣ; the largest x is subtracted first. */
export function logSoftmax(y: Float32Array, x: Float32Array, rows: number, cols: number): void {
  for (let i = 0, row = 0; i < rows; i++, row += cols) {
    let max = -Infinity;
    for (let j = 0; j < cols; j++) if (x[row + j] > max) max = x[row + j];
    let sum = 0;
    for (let j = 0; j < cols; j++) sum += Math.exp(x[row + j] - max);
    const logarithm = Math.log(sum);
    for (let j = 0; j < cols; j++) y[row + j] = x[row + j] - max - logarithm;
  }
}

export function logSoftmaxBackward(
  dx: Float32Array,
  dy: Float32Array,
  y: Float32Array,
  rows: number,
  cols: number,
): void {
  for (let i = 0, row = 0; i < rows; i++, row += cols) {
    let sum = 0;
    for (let j = 0; j < cols; j++) sum += dy[row + j];
    for (let j = 0; j < cols; j++) dx[row + j] = dy[row + j] - Math.exp(y[row + j]) * sum;
  }
}
