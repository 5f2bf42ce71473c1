/** Reductions along the middle one of three dimensions. */
import { codes } from './codes.js';
import { code, input, kernel, out, size } from './signature.js';

export const reductionKernels = {
  reduce: kernel(
    'rows',
    out('y', ['rows', 'inner']),
    input('x', ['rows', 'axis', 'inner']),
    size('rows'),
    size('axis'),
    size('inner'),
    code('operation', 'reduction'),
  ),
  reduceBackward: kernel(
    'rows',
    out('dx', ['rows', 'axis', 'inner']),
    input('dy', ['rows', 'inner']),
    input('x', ['rows', 'axis', 'inner']),
    input('y', ['rows', 'inner']),
    size('rows'),
    size('axis'),
    size('inner'),
    code('operation', 'reduction'),
  ),
} as const;

/** The first maximum of `axis` numbers, `inner` apart; NaN if one is NaN. */
function largest(x: Float32Array, start: number, axis: number, inner: number): number {
  let most = -Infinity;
  for (let k = 0, at = start; k < axis; k++, at += inner) {
    const value = x[at];
    if (value > most || Number.isNaN(value)) most = value;
  }
  return most;
}

function total(x: Float32Array, start: number, axis: number, inner: number): number {
  let sum = 0;
  for (let k = 0, at = start; k < axis; k++, at += inner) sum += x[at];
  return sum;
}

/** log Σ eˣ, shifted by the maximum unless that is infinite. */
function logSumExp(x: Float32Array, start: number, axis: number, inner: number): number {
  const most = largest(x, start, axis, inner);
  const shift = Number.isFinite(most) ? most : 0;
  let sum = 0;
  for (let k = 0, at = start; k < axis; k++, at += inner) sum += Math.exp(x[at] - shift);
  return shift + Math.log(sum);
}

const reductions = {
  sum: total,
  mean: (x: Float32Array, start: number, axis: number, inner: number) => total(x, start, axis, inner) / axis,
  max: largest,
  logSumExp,
};

/** y_rj = the reduction of x_rkj over k. */
export function reduce(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  axis: number,
  inner: number,
  operation: number,
): void {
  const f = reductions[codes.reduction[operation]];
  for (let row = 0, o = 0; row < rows; row++) {
    for (let j = 0; j < inner; j++, o++) y[o] = f(x, row * axis * inner + j, axis, inner);
  }
}

/** dx_rkj = dy_rj times the derivative by x_rkj. */
export function reduceBackward(
  dx: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  y: Float32Array,
  rows: number,
  axis: number,
  inner: number,
  operation: number,
): void {
  const name = codes.reduction[operation];
  for (let row = 0, o = 0; row < rows; row++) {
    for (let j = 0; j < inner; j++, o++) {
      const d = dy[o];
      let left = 1; // what no winner has taken
      for (let k = 0, at = row * axis * inner + j; k < axis; k++, at += inner) {
        if (name === 'sum') dx[at] = d;
        else if (name === 'mean') dx[at] = d / axis;
        else if (name === 'logSumExp') dx[at] = d * Math.exp(x[at] - y[o]);
        else {
          const wins = x[at] === y[o];
          dx[at] = d * (Number.isNaN(y[o]) ? NaN : wins ? left : 0);
          if (wins) left = 0;
        }
      }
    }
  }
}
