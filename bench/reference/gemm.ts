/**
 * Matrix product in plain JavaScript: packed panels and a 3 × 4 register tile with twelve double accumulators. V8 has
 * no SIMD and keeps scalars in 16 registers, so a larger tile spills; Math.fround costs more than it saves.
 */

const ROWS = 3;
const COLUMNS = 4;
/** Depth of a block: a 3-wide and a 4-wide panel of this depth stay in the L1 cache. */
const DEPTH = 1024;

const tile = new Float64Array(ROWS * COLUMNS);
let packedA = new Float32Array(1 << 16);
let packedB = new Float32Array(1 << 16);

/** tile = one panel of a (depth × 3), transposed, times one of b (depth × 4). */
function multiplyPanels(depth: number, a: Float32Array, aAt: number, b: Float32Array, bAt: number): void {
  let c00 = 0;
  let c01 = 0;
  let c02 = 0;
  let c03 = 0;
  let c10 = 0;
  let c11 = 0;
  let c12 = 0;
  let c13 = 0;
  let c20 = 0;
  let c21 = 0;
  let c22 = 0;
  let c23 = 0;
  let ao = aAt;
  let bo = bAt;
  for (let p = 0; p < depth; p++) {
    const b0 = b[bo];
    const b1 = b[bo + 1];
    const b2 = b[bo + 2];
    const b3 = b[bo + 3];
    const a0 = a[ao];
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    const a1 = a[ao + 1];
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    const a2 = a[ao + 2];
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    ao += ROWS;
    bo += COLUMNS;
  }
  tile[0] = c00;
  tile[1] = c01;
  tile[2] = c02;
  tile[3] = c03;
  tile[4] = c10;
  tile[5] = c11;
  tile[6] = c12;
  tile[7] = c13;
  tile[8] = c20;
  tile[9] = c21;
  tile[10] = c22;
  tile[11] = c23;
}

/**
 * Packs rows of op(a) or columns of op(b) into panels. The last panel is padded with copies of its first row or column.
 */
function pack(
  packed: Float32Array,
  width: number,
  source: Float32Array,
  lines: number,
  lineStride: number,
  depthStride: number,
  from: number,
  depth: number,
): void {
  let o = 0;
  for (let line = 0; line < lines; line += width) {
    const live = Math.min(width, lines - line);
    let at = line * lineStride + from * depthStride;
    for (let p = 0; p < depth; p++, at += depthStride) {
      for (let i = 0, s = at; i < width; i++, s += lineStride) packed[o++] = source[i < live ? s : at];
    }
  }
}

/** c (m × n) = op(a) (m × k) · op(b) (k × n), added to c with `add`; all row-major and contiguous. */
export function gemm(
  transA: boolean,
  transB: boolean,
  m: number,
  n: number,
  k: number,
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  add: boolean,
): void {
  const rowPanels = Math.ceil(m / ROWS);
  const columnPanels = Math.ceil(n / COLUMNS);
  for (let from = 0; from < k; from += DEPTH) {
    const depth = Math.min(DEPTH, k - from);
    if (packedA.length < rowPanels * ROWS * depth) packedA = new Float32Array(rowPanels * ROWS * depth);
    if (packedB.length < columnPanels * COLUMNS * depth) packedB = new Float32Array(columnPanels * COLUMNS * depth);
    pack(packedA, ROWS, a, m, transA ? 1 : k, transA ? m : 1, from, depth);
    pack(packedB, COLUMNS, b, n, transB ? k : 1, transB ? 1 : n, from, depth);
    for (let j = 0; j < columnPanels; j++) {
      const columns = Math.min(COLUMNS, n - j * COLUMNS);
      for (let i = 0; i < rowPanels; i++) {
        const rows = Math.min(ROWS, m - i * ROWS);
        multiplyPanels(depth, packedA, i * ROWS * depth, packedB, j * COLUMNS * depth);
        for (let row = 0, at = i * ROWS * n + j * COLUMNS; row < rows; row++, at += n) {
          for (let column = 0; column < columns; column++) {
            const value = tile[row * COLUMNS + column];
            c[at + column] = add || from > 0 ? c[at + column] + value : value;
          }
        }
      }
    }
  }
}
