/**
 * Matrix product after Goto and van de Geijn (2008): blocks of both operands are copied into the order in which
 * the inner loop reads them, and the inner loop keeps a tile of c in registers. What is particular to V8:
 *
 * - There is no SIMD, and TurboFan computes all products of an iteration before it adds any. A tile of 3 × 2 is
 *   the largest whose sums, products and factors fit into 16 registers; larger ones spill and run at half the speed.
 * - Each operand is packed into one array per row or column of the tile, so that one index, and one bounds check,
 *   serves all of them. The arrays are module constants: TurboFan embeds their addresses and lengths.
 * - They hold doubles: the conversion is paid once, in packing, and sums are in double precision.
 */
import { doubles } from './helpers/scratch.js';
import { flag, float, inout, input, kernel, size } from './signature.js';

export const gemmKernels = {
  gemm: kernel(
    'm',
    inout('c', ['m', 'n']),
    input('a', ['m', 'k'], { whole: true }),
    input('b', ['k', 'n']),
    size('m'),
    size('n'),
    size('k'),
    flag('transA'),
    flag('transB'),
    float('alpha'),
    float('beta'),
  ),
} as const;

/** Rows and columns of the register tile. */
const MR = 3;
const NR = 2;

/** Largest depth of a block: a panel of a and one of b of this depth stay in the L1 cache. */
const KC = 1024;
/** Length of a packed array, which limits the rows or columns of a block. */
const PLANE = 32768;

/** Packed a: rows 0, 1 and 2 of each panel. Packed b: columns 0 and 1. */
const a0 = new Float64Array(PLANE);
const a1 = new Float64Array(PLANE);
const a2 = new Float64Array(PLANE);
const b0 = new Float64Array(PLANE);
const b1 = new Float64Array(PLANE);

/** Receives tiles that extend beyond c. */
const overhang = new Float32Array(MR * NR);

/**
 * c ← alpha · op(a) · op(b) + beta · c, where c is m×n, op(a) m×k, op(b) k×n; a is stored k×m with transA, b n×k
 * with transB. With beta = 0 the old c is not read.
 */
export function gemm(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  transA: number,
  transB: number,
  alpha: number,
  beta: number,
): void {
  // Element (i, p) of op(a) is a[i · aRow + p · aStep]; element (p, j) of op(b) is b[j · bColumn + p · bStep].
  const aRow = transA ? 1 : k;
  const aStep = transA ? m : 1;
  const bColumn = transB ? k : 1;
  const bStep = transB ? 1 : n;
  if (m < MR) {
    fewRows(c, a, b, m, n, k, aRow, aStep, bColumn, bStep, alpha, beta);
    return;
  }
  const kBlocks = Math.max(1, Math.ceil(k / KC));
  const kc = Math.ceil(k / kBlocks);
  const mc = blockSize(m, MR, kc);
  const nc = blockSize(n, NR, kc);
  for (let block = 0, p = 0; block < kBlocks; block++, p += kc) {
    const depth = Math.min(kc, k - p);
    for (let j = 0; j < n; j += nc) {
      const columns = Math.min(nc, n - j);
      packB(b, j * bColumn + p * bStep, bColumn, bStep, columns, depth);
      for (let i = 0; i < m; i += mc) {
        const rows = Math.min(mc, m - i);
        // If packed a holds all rows, it serves all blocks of columns.
        if (j === 0 || mc < m) packA(a, i * aRow + p * aStep, aRow, aStep, rows, depth, alpha);
        multiplyBlock(c, i * n + j, n, rows, columns, depth, block === 0 ? beta : 1);
      }
    }
  }
}

/** The size of equal blocks of `total` rows or columns: a multiple of `unit` that fits when packed with depth kc. */
function blockSize(total: number, unit: number, kc: number): number {
  const largest = unit * Math.floor(PLANE / Math.max(1, kc));
  const blocks = Math.max(1, Math.ceil(total / largest));
  return unit * Math.max(1, Math.ceil(total / (unit * blocks)));
}

/** Rows beyond the last repeat the first row of their panel; their results are discarded. */
function packA(
  a: Float32Array,
  start: number,
  rowStride: number,
  step: number,
  rows: number,
  depth: number,
  alpha: number,
): void {
  for (let i = 0, o = 0; i < rows; i += MR) {
    let s0 = start + i * rowStride;
    let s1 = i + 1 < rows ? s0 + rowStride : s0;
    let s2 = i + 2 < rows ? s1 + rowStride : s0;
    for (const end = o + depth; o < end; o++) {
      a0[o] = alpha * a[s0];
      a1[o] = alpha * a[s1];
      a2[o] = alpha * a[s2];
      s0 += step;
      s1 += step;
      s2 += step;
    }
  }
}

function packB(
  b: Float32Array,
  start: number,
  columnStride: number,
  step: number,
  columns: number,
  depth: number,
): void {
  for (let j = 0, o = 0; j < columns; j += NR) {
    let s0 = start + j * columnStride;
    let s1 = j + 1 < columns ? s0 + columnStride : s0;
    for (const end = o + depth; o < end; o++) {
      b0[o] = b[s0];
      b1[o] = b[s1];
      s0 += step;
      s1 += step;
    }
  }
}

/** Computes the block of c that starts at `start`, from the packed operands. */
function multiplyBlock(
  c: Float32Array,
  start: number,
  n: number,
  rows: number,
  columns: number,
  depth: number,
  beta: number,
): void {
  for (let i = 0, p = 0; i < rows; i += MR, p += depth) {
    const height = Math.min(MR, rows - i);
    for (let j = 0, q = 0; j < columns; j += NR, q += depth) {
      const o = start + i * n + j;
      const width = Math.min(NR, columns - j);
      if (height === MR && width === NR) {
        tile(c, o, n, p, q, depth, beta);
        continue;
      }
      tile(overhang, 0, NR, p, q, depth, 0);
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const at = o + row * n + column;
          c[at] = overhang[row * NR + column] + (beta === 0 ? 0 : beta * c[at]);
        }
      }
    }
  }
}

/** The 3 × 2 tile of c at o; p and q are the offsets of its panels in the packed arrays. */
function tile(c: Float32Array, o: number, n: number, p: number, q: number, depth: number, beta: number): void {
  let c00 = 0;
  let c01 = 0;
  let c10 = 0;
  let c11 = 0;
  let c20 = 0;
  let c21 = 0;
  const end = (q + depth) | 0;
  while (q < end) {
    const y0 = b0[q];
    const y1 = b1[q];
    const x0 = a0[p];
    c00 += x0 * y0;
    c01 += x0 * y1;
    const x1 = a1[p];
    c10 += x1 * y0;
    c11 += x1 * y1;
    const x2 = a2[p];
    c20 += x2 * y0;
    c21 += x2 * y1;
    p = (p + 1) | 0;
    q = (q + 1) | 0;
  }
  const o1 = o + n;
  const o2 = o1 + n;
  if (beta !== 0) {
    c00 += beta * c[o];
    c01 += beta * c[o + 1];
    c10 += beta * c[o1];
    c11 += beta * c[o1 + 1];
    c20 += beta * c[o2];
    c21 += beta * c[o2 + 1];
  }
  c[o] = c00;
  c[o + 1] = c01;
  c[o1] = c10;
  c[o1 + 1] = c11;
  c[o2] = c20;
  c[o2 + 1] = c21;
}

/** The product for fewer rows than a tile, where packing b would cost more than the product. */
function fewRows(
  c: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  n: number,
  k: number,
  aRow: number,
  aStep: number,
  bColumn: number,
  bStep: number,
  alpha: number,
  beta: number,
): void {
  const sums = doubles(n);
  for (let i = 0; i < m; i++) {
    rowTimesMatrix(sums, a, i * aRow, aStep, b, bColumn, bStep, n, k);
    for (let j = 0, o = i * n; j < n; j++, o++) c[o] = alpha * sums[j] + (beta === 0 ? 0 : beta * c[o]);
  }
}

/** sums ← x · op(b), where x_p is a[start + p · step]; processes four columns at a time. */
function rowTimesMatrix(
  sums: Float64Array,
  a: Float32Array,
  start: number,
  step: number,
  b: Float32Array,
  bColumn: number,
  bStep: number,
  n: number,
  k: number,
): void {
  let j = 0;
  for (; j + 3 < n; j += 4) {
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    let s = start;
    let o = j * bColumn;
    for (let p = 0; p < k; p++) {
      const x = a[s];
      const o1 = (o + bColumn) | 0;
      const o2 = (o1 + bColumn) | 0;
      const o3 = (o2 + bColumn) | 0;
      sum0 += x * b[o];
      sum1 += x * b[o1];
      sum2 += x * b[o2];
      sum3 += x * b[o3];
      s = (s + step) | 0;
      o = (o + bStep) | 0;
    }
    sums[j] = sum0;
    sums[j + 1] = sum1;
    sums[j + 2] = sum2;
    sums[j + 3] = sum3;
  }
  for (; j < n; j++) {
    let sum = 0;
    for (let p = 0, s = start, o = j * bColumn; p < k; p++, s += step, o += bStep) sum += a[s] * b[o];
    sums[j] = sum;
  }
}
