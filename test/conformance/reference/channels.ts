import type { Results, Vector } from '../types.js';

type Sizes = { rows: number; channels: number };

/** Σ term(j) over the channels j of the pixel at `start` that lie within `radius` of channel c. */
function neighbours(start: number, c: number, channels: number, radius: number, term: (at: number) => number): number {
  let sum = 0;
  for (let j = 0; j < channels; j++) if (Math.abs(j - c) <= radius) sum += term(start + j);
  return sum;
}

export type ResponseNormArguments = Sizes & { x: Vector; radius: number; bias: number; alpha: number; beta: number };

export function localResponseNorm({ x, rows, channels, radius, bias, alpha, beta }: ResponseNormArguments) {
  const y = new Float64Array(rows * channels);
  const scale = new Float64Array(rows * channels);
  for (let i = 0; i < rows * channels; i++) {
    const c = i % channels;
    scale[i] = bias + alpha * neighbours(i - c, c, channels, radius, (j) => x[j] ** 2);
    y[i] = x[i] * scale[i] ** -beta;
  }
  return { y, scale };
}

export type ResponseNormGradientArguments = Sizes & {
  dy: Vector;
  x: Vector;
  y: Vector;
  scale: Vector;
  radius: number;
  alpha: number;
  beta: number;
};

export function localResponseNormBackward(a: ResponseNormGradientArguments): Results {
  const { dy, x, y, scale, rows, channels, radius, alpha, beta } = a;
  const dx = Float64Array.from({ length: rows * channels }, (_, i) => {
    const c = i % channels;
    const sum = neighbours(i - c, c, channels, radius, (j) => (dy[j] * y[j]) / scale[j]);
    return dy[i] * scale[i] ** -beta - 2 * alpha * beta * x[i] * sum;
  });
  return { dx };
}

export type PreluArguments = Sizes & { x: Vector; slope: Vector };

export function prelu({ x, slope, rows, channels }: PreluArguments) {
  return {
    y: Float64Array.from({ length: rows * channels }, (_, i) => (x[i] < 0 ? slope[i % channels] * x[i] : x[i])),
  };
}

export type PreluGradientArguments = PreluArguments & { dy: Vector };

export function preluBackward({ dy, x, slope, rows, channels }: PreluGradientArguments): Results {
  const dx = new Float64Array(rows * channels);
  const dslope = new Float64Array(channels);
  for (let i = 0; i < rows * channels; i++) {
    const c = i % channels;
    dx[i] = Number.isNaN(x[i]) ? Number.NaN : dy[i] * (x[i] > 0 ? 1 : slope[c]);
    dslope[c] += dy[i] * Math.min(x[i], 0);
  }
  return { dx, dslope };
}
