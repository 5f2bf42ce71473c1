/** The dense layer, y = f(x · w + b), and its gradients: x is rows × inputs, w inputs × outputs. */

import { share } from '../../../kernels/share.js';
import { GRAIN } from '../../../kernels/signature.js';
import { gemm } from './gemm.js';
import { operand } from './operand.js';
import { doubles } from './scratch.js';
import { biasAndActivation } from './tail.js';

/** c ← op(a) · op(b), as `gemm`. */
function multiply(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: number,
  transB: number,
  precision: number,
): void {
  const [left, right] = [operand(a, m * k, precision, 'left'), operand(b, k * n, precision, 'right')];
  gemm(c, left, right, m, n, k, transA, transB, 1, 0);
}

export function denseForward(
  y: Float32Array,
  x: Float32Array,
  w: Float32Array,
  b: Float32Array | null,
  rows: number,
  inputs: number,
  outputs: number,
  activation: number,
  slope: number,
  precision: number,
): void {
  multiply(y, x, w, rows, outputs, inputs, 0, 0, precision);
  biasAndActivation(y, b, rows, outputs, activation, slope);
}

/** dx = dy · wᵀ. */
export function denseBackwardInput(
  dx: Float32Array,
  dy: Float32Array,
  w: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  precision: number,
): void {
  multiply(dx, dy, w, rows, inputs, outputs, 0, 1, precision);
}

/** This backend has one thread, so parts make no difference. */

/** products_p = x · w over the inputs of share p of `parts`; shares are multiples of GRAIN inputs. */
export function denseForwardParts(
  products: Float32Array,
  x: Float32Array,
  w: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  parts: number,
  precision: number,
): void {
  for (let part = 0; part < parts; part++) {
    const [from, to] = share(inputs, GRAIN, part, parts);
    const columns = x.subarray(from * rows, to * rows);
    const product = products.subarray(part * rows * outputs, (part + 1) * rows * outputs);
    multiply(product, columns, w.subarray(from * outputs), rows, outputs, to - from, 0, 0, precision);
  }
}

/** y = f(Σ_p products_p + b). */
export function denseForwardSum(
  y: Float32Array,
  products: Float32Array,
  b: Float32Array | null,
  rows: number,
  outputs: number,
  parts: number,
  activation: number,
  slope: number,
): void {
  const n = rows * outputs;
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let part = 0; part < parts; part++) sum += products[part * n + i];
    y[i] = sum;
  }
  biasAndActivation(y, b, rows, outputs, activation, slope);
}

/** dw = xᵀ · dy. */
export function denseBackwardWeight(
  dw: Float32Array,
  x: Float32Array,
  dy: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  precision: number,
): void {
  multiply(dw, x, dy, inputs, outputs, rows, 1, 0, precision);
}

/** dw = xᵀ · dy, with x in blocks of rows × the inputs of a share. */
export function denseBackwardWeightParts(
  dw: Float32Array,
  x: Float32Array,
  dy: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  parts: number,
  precision: number,
): void {
  for (let part = 0; part < parts; part++) {
    const [from, to] = share(inputs, GRAIN, part, parts);
    const [gradient, columns] = [dw.subarray(from * outputs, to * outputs), x.subarray(from * rows, to * rows)];
    multiply(gradient, columns, dy, to - from, outputs, rows, 1, 0, precision);
  }
}

/** db_j = Σ_i dy_ij. */
export function denseBackwardBias(db: Float32Array, dy: Float32Array, rows: number, outputs: number): void {
  const sums = doubles(outputs);
  for (let j = 0; j < outputs; j++) sums[j] = 0;
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) sums[j] += dy[o];
  for (let j = 0; j < outputs; j++) db[j] = sums[j];
}

/** c_r = op(a_r) · op(b_r) for each row r of the batch. */
export function matmulBatch(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  rows: number,
  m: number,
  n: number,
  k: number,
  transA: number,
  transB: number,
  precision: number,
): void {
  const of = (matrix: Float32Array, row: number, length: number) => matrix.subarray(row * length, (row + 1) * length);
  for (let row = 0; row < rows; row++)
    multiply(of(c, row, m * n), of(a, row, m * k), of(b, row, k * n), m, n, k, transA, transB, precision);
}
