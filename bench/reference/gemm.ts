/**
 * Matrix product in plain JavaScript: packed panels and a 3 × 4 register tile with twelve double accumulators. V8 has no
 * SIMD and keeps scalars in 16 registers, so a larger tile spills; Math.fround costs more than it saves.
 */

const ROWS = 3;
const COLUMNS = 4;
/** Depth block: a 3-wide and a 4-wide panel of this depth stay in the first-level cache. */
const DEPTH = 1024;

const edgeTile = new Float64Array(ROWS * COLUMNS);
let packedA = new Float32Array(1 << 16);
let packedB = new Float32Array(1 << 16);

/** c += or = one panel of a (k × 3) times one of b (k × 4); `rows` and `columns` are the live ones of the tile. */
function multiplyPanels(
  k: number,
  a: Float32Array,
  aAt: number,
  b: Float32Array,
  bAt: number,
  c: Float32Array,
  cAt: number,
  ldc: number,
  rows: number,
  columns: number,
  add: boolean,
): void {
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
  for (let p = 0; p < k; p++) {
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
  if (rows === ROWS && columns === COLUMNS) {
    let at = cAt;
    if (add) {
      c[at] += c00;
      c[at + 1] += c01;
      c[at + 2] += c02;
      c[at + 3] += c03;
      at += ldc;
      c[at] += c10;
      c[at + 1] += c11;
      c[at + 2] += c12;
      c[at + 3] += c13;
      at += ldc;
      c[at] += c20;
      c[at + 1] += c21;
      c[at + 2] += c22;
      c[at + 3] += c23;
    } else {
      c[at] = c00;
      c[at + 1] = c01;
      c[at + 2] = c02;
      c[at + 3] = c03;
      at += ldc;
      c[at] = c10;
      c[at + 1] = c11;
      c[at + 2] = c12;
      c[at + 3] = c13;
      at += ldc;
      c[at] = c20;
      c[at + 1] = c21;
      c[at + 2] = c22;
      c[at + 3] = c23;
    }
    return;
  }
  edgeTile[0] = c00;
  edgeTile[1] = c01;
  edgeTile[2] = c02;
  edgeTile[3] = c03;
  edgeTile[4] = c10;
  edgeTile[5] = c11;
  edgeTile[6] = c12;
  edgeTile[7] = c13;
  edgeTile[8] = c20;
  edgeTile[9] = c21;
  edgeTile[10] = c22;
  edgeTile[11] = c23;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const value = edgeTile[i * COLUMNS + j];
      if (add) c[cAt + i * ldc + j] += value;
      else c[cAt + i * ldc + j] = value;
    }
  }
}

/** Packs rows of op(a), three by three, from depth `from` on. A missing row of the last panel repeats the first. */
function packA(transposed: boolean, a: Float32Array, m: number, k: number, from: number, depth: number): void {
  let o = 0;
  for (let i = 0; i < m; i += ROWS) {
    const live = Math.min(ROWS, m - i);
    if (transposed) {
      const d1 = live > 1 ? 1 : 0;
      const d2 = live > 2 ? 2 : 0;
      for (let p = 0, s = from * m + i; p < depth; p++, s += m) {
        packedA[o] = a[s];
        packedA[o + 1] = a[s + d1];
        packedA[o + 2] = a[s + d2];
        o += ROWS;
      }
    } else {
      const r0 = i * k + from;
      const r1 = live > 1 ? r0 + k : r0;
      const r2 = live > 2 ? r1 + k : r0;
      for (let p = 0; p < depth; p++) {
        packedA[o] = a[r0 + p];
        packedA[o + 1] = a[r1 + p];
        packedA[o + 2] = a[r2 + p];
        o += ROWS;
      }
    }
  }
}

/** Packs columns of op(b), four by four, from depth `from` on. */
function packB(transposed: boolean, b: Float32Array, n: number, k: number, from: number, depth: number): void {
  let o = 0;
  for (let j = 0; j < n; j += COLUMNS) {
    const live = Math.min(COLUMNS, n - j);
    const d1 = live > 1 ? 1 : 0;
    const d2 = live > 2 ? 2 : 0;
    const d3 = live > 3 ? 3 : 0;
    if (transposed) {
      const r0 = j * k + from;
      const r1 = r0 + d1 * k;
      const r2 = r0 + d2 * k;
      const r3 = r0 + d3 * k;
      for (let p = 0; p < depth; p++) {
        packedB[o] = b[r0 + p];
        packedB[o + 1] = b[r1 + p];
        packedB[o + 2] = b[r2 + p];
        packedB[o + 3] = b[r3 + p];
        o += COLUMNS;
      }
    } else {
      for (let p = 0, s = from * n + j; p < depth; p++, s += n) {
        packedB[o] = b[s];
        packedB[o + 1] = b[s + d1];
        packedB[o + 2] = b[s + d2];
        packedB[o + 3] = b[s + d3];
        o += COLUMNS;
      }
    }
  }
}

/** For a row or two: packing b would cost more than the product, so b's rows are walked as they lie, four at a time. */
function multiplyThin(m: number, n: number, k: number, a: Float32Array, b: Float32Array, c: Float32Array, add: boolean): void {
  for (let i = 0; i < m; i++) {
    const at = i * n;
    if (!add) c.fill(0, at, at + n);
    let p = 0;
    for (; p + 3 < k; p += 4) {
      const a0 = a[i * k + p];
      const a1 = a[i * k + p + 1];
      const a2 = a[i * k + p + 2];
      const a3 = a[i * k + p + 3];
      let b0 = p * n;
      let b1 = b0 + n;
      let b2 = b1 + n;
      let b3 = b2 + n;
      for (let j = 0; j < n; j++) c[at + j] += a0 * b[b0++] + a1 * b[b1++] + a2 * b[b2++] + a3 * b[b3++];
    }
    for (; p < k; p++) {
      const a0 = a[i * k + p];
      for (let j = 0; j < n; j++) c[at + j] += a0 * b[p * n + j];
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
  if (m < ROWS && !transA && !transB) {
    multiplyThin(m, n, k, a, b, c, add);
    return;
  }
  const rowPanels = Math.ceil(m / ROWS);
  const columnPanels = Math.ceil(n / COLUMNS);
  for (let from = 0; from < k; from += DEPTH) {
    const depth = Math.min(DEPTH, k - from);
    if (packedA.length < rowPanels * ROWS * depth) packedA = new Float32Array(rowPanels * ROWS * depth);
    if (packedB.length < columnPanels * COLUMNS * depth) packedB = new Float32Array(columnPanels * COLUMNS * depth);
    packA(transA, a, m, k, from, depth);
    packB(transB, b, n, k, from, depth);
    for (let j = 0; j < columnPanels; j++) {
      const columns = Math.min(COLUMNS, n - j * COLUMNS);
      for (let i = 0; i < rowPanels; i++) {
        const rows = Math.min(ROWS, m - i * ROWS);
        const at = i * ROWS * n + j * COLUMNS;
        multiplyPanels(depth, packedA, i * ROWS * depth, packedB, j * COLUMNS * depth, c, at, n, rows, columns, add || from > 0);
      }
    }
  }
}
