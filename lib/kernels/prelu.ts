/** Parametric ReLU with one slope per channel; x and y are rows × channels, one row per pixel. */
import { doubles } from './helpers/scratch.js';
import { input, kernel, out, size } from './signature.js';

export const preluKernels = {
  prelu: kernel(
    'rows',
    out('y', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('slope', ['channels']),
    size('rows'),
    size('channels'),
  ),
  preluBackward: kernel(
    'channels',
    out('dx', ['rows', 'channels'], { alias: ['dy'] }),
    out('dslope', ['channels']),
    input('dy', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('slope', ['channels']),
    size('rows'),
    size('channels'),
  ),
} as const;

export function prelu(y: Float32Array, x: Float32Array, slope: Float32Array, rows: number, channels: number): void {
  for (let i = 0, o = 0; i < rows; i++) {
    for (let c = 0; c < channels; c++, o++) y[o] = x[o] < 0 ? slope[c] * x[o] : x[o];
  }
}

/** dx may be dy. */
export function preluBackward(
  dx: Float32Array,
  dslope: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  slope: Float32Array,
  rows: number,
  channels: number,
): void {
  const sums = doubles(channels);
  for (let c = 0; c < channels; c++) sums[c] = 0;
  for (let i = 0, o = 0; i < rows; i++) {
    for (let c = 0; c < channels; c++, o++) {
      const gradient = dy[o];
      const value = x[o];
      sums[c] += gradient * Math.min(value, 0);
      dx[o] = gradient * (value > 0 ? 1 : value <= 0 ? slope[c] : NaN);
    }
  }
  for (let c = 0; c < channels; c++) dslope[c] = sums[c];
}
