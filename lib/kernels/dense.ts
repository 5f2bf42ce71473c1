/** The dense layer, y = f(x · w + b), and its gradients: x is rows × inputs, w inputs × outputs. */
import { gemm } from './gemm.js';
import { operand } from './helpers/operand.js';
import { doubles } from './helpers/scratch.js';
import { biasAndActivation } from './helpers/tail.js';
import { share } from './share.js';
import { code, flag, float, GRAIN, input, kernel, out, PARTS, precision, size } from './signature.js';

export const denseKernels = {
  // A product for each row of the batch.
  matmulBatch: kernel(
    'rows',
    out('c', ['rows', 'm', 'n']),
    input('a', ['rows', 'm', 'k']),
    input('b', ['rows', 'k', 'n']),
    size('rows'),
    size('m'),
    size('n'),
    size('k'),
    flag('transA'),
    flag('transB'),
    precision(),
  ),
  // Split by columns of the result if weights are larger than batches, so each thread reads only its part
  // of them.
  denseForward: kernel(
    ['rows', 'out'],
    out('y', ['rows', 'out']),
    input('x', ['rows', 'in']),
    input('w', ['in', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('in'),
    size('out'),
    code('activation', 'activation'),
    float('slope'),
    precision(),
  ),
  denseBackwardInput: kernel(
    ['rows', 'in'],
    out('dx', ['rows', 'in']),
    input('dy', ['rows', 'out']),
    input('w', ['in', 'out']),
    size('rows'),
    size('in'),
    size('out'),
    precision(),
  ),
  // A forward pass split by inputs, with the same shares as `denseBackwardWeightParts` and the update: each share
  // multiplies its columns of x, a block as in `gatherBytesParts`, by its rows of w; the sum is computed afterwards. No
  // axis of `denseForward`: bias and activation come after the sum over the shares, so it takes two instructions with a
  // barrier between them.
  denseForwardParts: kernel(
    PARTS,
    out('products', ['parts', 'rows', 'out']),
    input('x', ['in', 'rows'], { along: 'in' }),
    input('w', ['in', 'out'], { along: 'in' }),
    size('rows'),
    size('in'),
    size('out'),
    size('parts'),
    precision(),
  ),
  denseForwardSum: kernel(
    'rows',
    out('y', ['rows', 'out']),
    input('products', ['parts', 'rows', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('out'),
    size('parts'),
    code('activation', 'activation'),
    float('slope'),
  ),
  denseBackwardWeight: kernel(
    'in',
    out('dw', ['in', 'out']),
    input('x', ['rows', 'in']),
    input('dy', ['rows', 'out']),
    size('rows'),
    size('in'),
    size('out'),
    precision(),
  ),
  // With x in blocks, as `denseForwardParts`.
  denseBackwardWeightParts: kernel(
    PARTS,
    out('dw', ['in', 'out'], { along: 'in' }),
    input('x', ['in', 'rows'], { along: 'in' }),
    input('dy', ['rows', 'out']),
    size('rows'),
    size('in'),
    size('out'),
    size('parts'),
    precision(),
  ),
  denseBackwardBias: kernel('out', out('db', ['out']), input('dy', ['rows', 'out']), size('rows'), size('out')),
} as const;

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

/** The TypeScript backend has one thread, so parts make no difference. */

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
