/** Local response normalisation over neighbouring channels; x and y are rows × channels, one row per pixel. */
import { doubles, moreDoubles } from './helpers/scratch.js';
import { float, input, kernel, out, size } from './signature.js';

export const responseNormKernels = {
  localResponseNorm: kernel(
    'rows',
    out('y', ['rows', 'channels']),
    out('scale', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('bias'),
    float('alpha'),
    float('beta'),
  ),
  localResponseNormBackward: kernel(
    'rows',
    out('dx', ['rows', 'channels']),
    input('dy', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('y', ['rows', 'channels']),
    input('scale', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('alpha'),
    float('beta'),
  ),
} as const;

/** scale^(−beta); AlexNet's beta of 3/4 needs no power. */
function shrink(scale: number, beta: number): number {
  return beta === 0.75 ? 1 / Math.sqrt(scale * Math.sqrt(scale)) : scale ** -beta;
}

/** sums[c] ← Σ terms[j] over the channels j within `radius` of c. */
function neighbourhoods(sums: Float64Array, terms: Float64Array, channels: number, radius: number): void {
  for (let c = 0; c < channels; c++) {
    const end = Math.min(channels, c + radius + 1);
    let sum = 0;
    for (let j = Math.max(0, c - radius); j < end; j++) sum += terms[j];
    sums[c] = sum;
  }
}

export function localResponseNorm(
  y: Float32Array,
  scale: Float32Array,
  x: Float32Array,
  rows: number,
  channels: number,
  radius: number,
  bias: number,
  alpha: number,
  beta: number,
): void {
  const terms = doubles(channels);
  const sums = moreDoubles(channels);
  for (let i = 0, o = 0; i < rows; i++, o += channels) {
    for (let c = 0; c < channels; c++) terms[c] = x[o + c] * x[o + c];
    neighbourhoods(sums, terms, channels, radius);
    for (let c = 0; c < channels; c++) {
      const divisor = bias + alpha * sums[c];
      scale[o + c] = divisor;
      y[o + c] = x[o + c] * shrink(divisor, beta);
    }
  }
}

export function localResponseNormBackward(
  dx: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  y: Float32Array,
  scale: Float32Array,
  rows: number,
  channels: number,
  radius: number,
  alpha: number,
  beta: number,
): void {
  const terms = doubles(channels);
  const sums = moreDoubles(channels);
  const factor = 2 * alpha * beta;
  for (let i = 0, o = 0; i < rows; i++, o += channels) {
    for (let c = 0; c < channels; c++) terms[c] = (dy[o + c] * y[o + c]) / scale[o + c];
    neighbourhoods(sums, terms, channels, radius);
    for (let c = 0; c < channels; c++) {
      dx[o + c] = dy[o + c] * shrink(scale[o + c], beta) - factor * x[o + c] * sums[c];
    }
  }
}
