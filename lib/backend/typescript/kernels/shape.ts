/** Reductions along the middle one of three dimensions, and strided copies. */
import { codes } from '../../../kernels/codes.js';

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

export function copyStrided(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  yPerRow: number,
  xPerRow: number,
  dim0: number,
  dim1: number,
  dim2: number,
  dim3: number,
  dim4: number,
  yOffset: number,
  yStride0: number,
  yStride1: number,
  yStride2: number,
  yStride3: number,
  yStride4: number,
  xOffset: number,
  xStride0: number,
  xStride1: number,
  xStride2: number,
  xStride3: number,
  xStride4: number,
  clear: number,
  fill: number,
): void {
  if (clear) y.fill(fill, 0, rows * yPerRow);
  if (dim0 * dim1 * dim2 * dim3 * dim4 === 0) return;
  for (let row = 0; row < rows; row++) {
    const y0 = row * yPerRow + yOffset;
    const x0 = row * xPerRow + xOffset;
    for (let i0 = 0; i0 < dim0; i0++) {
      for (let i1 = 0; i1 < dim1; i1++) {
        for (let i2 = 0; i2 < dim2; i2++) {
          const y2 = y0 + i0 * yStride0 + i1 * yStride1 + i2 * yStride2;
          const x2 = x0 + i0 * xStride0 + i1 * xStride1 + i2 * xStride2;
          for (let i3 = 0; i3 < dim3; i3++) {
            let o = y2 + i3 * yStride3;
            let at = x2 + i3 * xStride3;
            for (let i4 = 0; i4 < dim4; i4++, o += yStride4, at += xStride4) y[o] = x[at];
          }
        }
      }
    }
  }
}
