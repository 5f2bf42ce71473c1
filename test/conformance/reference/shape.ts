import { codes } from '../../../lib/kernels/codes.js';
import type { Results, Vector } from '../types.js';

type Sizes = { rows: number; axis: number; inner: number; operation: number };
export type ReduceArguments = Sizes & { x: Vector };

/** The numbers along the axis. */
const along = (x: Vector, row: number, j: number, axis: number, inner: number) =>
  Array.from({ length: axis }, (_, k) => x[(row * axis + k) * inner + j]);

export function reduced(name: string, values: readonly number[]): number {
  const total = values.reduce((sum, v) => sum + v, 0);
  if (name === 'sum') return total;
  if (name === 'mean') return total / values.length;
  if (values.some(Number.isNaN)) return Number.NaN;
  const most = values.reduce((m, v) => (v > m ? v : m), Number.NEGATIVE_INFINITY);
  if (name === 'max') return most;
  if (!Number.isFinite(most)) return most;
  return most + Math.log(values.reduce((sum, v) => sum + Math.exp(v - most), 0));
}

export function reduce({ x, rows, axis, inner, operation }: ReduceArguments) {
  const y = new Float64Array(rows * inner);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < inner; j++)
      y[row * inner + j] = reduced(codes.reduction[operation], along(x, row, j, axis, inner));
  }
  return { y };
}

export type ReduceGradientArguments = ReduceArguments & { dy: Vector; y: Vector };

function weights(name: string, values: readonly number[], result: number): number[] {
  if (name === 'sum') return values.map(() => 1);
  if (name === 'mean') return values.map(() => 1 / values.length);
  if (name === 'logSumExp') return values.map((v) => Math.exp(v - result));
  const winner = values.indexOf(result);
  return values.map((_, k) => (Number.isNaN(result) ? Number.NaN : k === winner ? 1 : 0));
}

export function reduceBackward({ dy, x, y, rows, axis, inner, operation }: ReduceGradientArguments): Results {
  const dx = new Float64Array(rows * axis * inner);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < inner; j++) {
      const at = row * inner + j;
      weights(codes.reduction[operation], along(x, row, j, axis, inner), y[at]).forEach((weight, k) => {
        dx[(row * axis + k) * inner + j] = dy[at] * weight;
      });
    }
  }
  return { dx };
}

type Five<N extends string> = { [K in `${N}${0 | 1 | 2 | 3 | 4}`]: number };
export type StridedArguments = Five<'dim'> &
  Five<'yStride'> &
  Five<'xStride'> & {
    y: Vector;
    x: Vector;
    rows: number;
    yPerRow: number;
    xPerRow: number;
    yOffset: number;
    xOffset: number;
    clear: number;
    fill: number;
  };

export function copyStrided(a: StridedArguments): Results {
  const dims = [a.dim0, a.dim1, a.dim2, a.dim3, a.dim4];
  const yStrides = [a.yStride0, a.yStride1, a.yStride2, a.yStride3, a.yStride4];
  const xStrides = [a.xStride0, a.xStride1, a.xStride2, a.xStride3, a.xStride4];
  const y = Float64Array.from(a.y, (v) => (a.clear ? a.fill : v));
  const count = dims.reduce((product, d) => product * d, 1);
  for (let row = 0; row < a.rows; row++) {
    for (let index = 0; index < count; index++) {
      let rest = index;
      let to = row * a.yPerRow + a.yOffset;
      let from = row * a.xPerRow + a.xOffset;
      for (let d = 4; d >= 0; d--) {
        const i = rest % dims[d];
        rest = (rest - i) / dims[d];
        to += i * yStrides[d];
        from += i * xStrides[d];
      }
      y[to] = a.x[from];
    }
  }
  return { y };
}
