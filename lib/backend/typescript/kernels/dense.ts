/** The dense layer, y = f(x · w + b), and its gradients: x is rows × inputs, w inputs × outputs. */
import { gemm } from './gemm.js';
import { doubles, floats } from './scratch.js';
import { biasAndActivation } from './tail.js';

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
): void {
  gemm(y, x, w, rows, outputs, inputs, 0, 0, 1, 0);
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
): void {
  gemm(dx, dy, w, rows, inputs, outputs, 0, 1, 1, 0);
}

/** One thread has nothing to share out. */
export { denseBackwardInput as denseBackwardInputColumns, denseForward as denseForwardColumns };

/** products_p = x · w over the inputs of share p, of `parts` of runs of 16 inputs. */
export function denseForwardParts(
  products: Float32Array,
  x: Float32Array,
  w: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  parts: number,
): void {
  const round = inputs % 16 === 0 ? Math.ceil : Math.floor;
  const start = (part: number) => Math.min(inputs, round((Math.ceil(inputs / 16) * part) / parts) * 16);
  for (let part = 0; part < parts; part++) {
    const [from, to] = [start(part), start(part + 1)];
    const columns = floats(rows * (to - from));
    for (let i = 0, o = 0; i < rows; i++) for (let k = from; k < to; k++, o++) columns[o] = x[i * inputs + k];
    const product = products.subarray(part * rows * outputs, (part + 1) * rows * outputs);
    gemm(product, columns, w.subarray(from * outputs), rows, outputs, to - from, 0, 0, 1, 0);
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
): void {
  gemm(dw, x, dy, inputs, outputs, rows, 1, 0, 1, 0);
}

/** db_j = Σ_i dy_ij. */
export function denseBackwardBias(db: Float32Array, dy: Float32Array, rows: number, outputs: number): void {
  const sums = doubles(outputs);
  for (let j = 0; j < outputs; j++) sums[j] = 0;
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) sums[j] += dy[o];
  for (let j = 0; j < outputs; j++) db[j] = sums[j];
}
