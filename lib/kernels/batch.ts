/** Gathers a batch from a dataset by row numbers, and shuffles the row numbers. */
import { multiplyHigh, threefry } from '../random.js';
import { share } from './share.js';
import { float, GRAIN, input, kernel, out, PARTS, size, word } from './signature.js';

export const batchKernels = {
  gatherBytes: kernel(
    'rows',
    out('x', ['rows', 'features']),
    input('source', ['sourceRows', 'features'], { type: 'u8' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    float('scale'),
    float('offset'),
  ),
  // x is a block for each share of the columns, one after the other. Side by side in each row, what processors fetch
  // ahead of one thread's columns would be another thread's.
  gatherBytesParts: kernel(
    PARTS,
    out('x', ['features', 'rows'], { along: 'features' }),
    input('source', ['sourceRows', 'features'], { type: 'u8', along: 'features' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    size('parts'),
    float('scale'),
    float('offset'),
  ),
  gatherFloats: kernel(
    'rows',
    out('x', ['rows', 'features']),
    input('source', ['sourceRows', 'features']),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    float('scale'),
    float('offset'),
  ),
  gatherSparse: kernel(
    'rows',
    out('x', ['rows', 'features']),
    input('starts', ['sourceRows'], { type: 'i32' }),
    input('ends', ['sourceRows'], { type: 'i32' }),
    input('indices', ['indexCount'], { type: 'i32' }),
    input('values', ['valueCount']),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    size('indexCount'),
    size('valueCount'),
  ),
  gatherIndices: kernel(
    'rows',
    out('x', ['rows', 'features'], { type: 'i32' }),
    input('source', ['sourceRows', 'features'], { type: 'i32' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
  ),
  gatherLabels: kernel(
    'rows',
    out('labels', ['rows'], { type: 'i32' }),
    input('source', ['sourceRows'], { type: 'i32' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('sourceRows'),
  ),
  oneHot: kernel(
    'rows',
    out('y', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
  ),
  permutation: kernel(
    undefined,
    out('order', ['n'], { type: 'i32' }),
    size('n'),
    word('seed'),
    word('stream'),
    word('epoch'),
  ),
  drawWithReplacement: kernel(
    undefined,
    out('order', ['n'], { type: 'i32' }),
    size('n'),
    size('sourceRows'),
    word('seed'),
    word('stream'),
    word('epoch'),
  ),
} as const;

/** Rows × columns [from, to) of the source, one row after the other, to x from `at` on. */
function gatherColumns(
  x: Float32Array,
  at: number,
  source: Uint8Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
  from: number,
  to: number,
  scale: number,
  offset: number,
): void {
  for (let i = 0, o = at; i < rows; i++) {
    const index = order[i];
    if (index < 0 || index >= sourceRows) {
      x.fill(NaN, o, o + to - from);
      o += to - from;
      continue;
    }
    const end = index * features + to;
    for (let s = index * features + from; s < end; s++, o++) x[o] = source[s] * scale + offset;
  }
}

/** x_ij = source[order_i, j] · scale + offset. */
export function gatherBytes(
  x: Float32Array,
  source: Uint8Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
  scale: number,
  offset: number,
): void {
  gatherColumns(x, 0, source, order, rows, features, sourceRows, 0, features, scale, offset);
}

/** x in blocks of rows × the columns of a share. */
export function gatherBytesParts(
  x: Float32Array,
  source: Uint8Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
  parts: number,
  scale: number,
  offset: number,
): void {
  for (let part = 0; part < parts; part++) {
    const [from, to] = share(features, GRAIN, part, parts);
    gatherColumns(x, from * rows, source, order, rows, features, sourceRows, from, to, scale, offset);
  }
}

/** Like gatherBytes; if a row contains NaN or an infinity, all of it becomes NaN. */
export function gatherFloats(
  x: Float32Array,
  source: Float32Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
  scale: number,
  offset: number,
): void {
  for (let i = 0, row = 0; i < rows; i++, row += features) {
    const index = order[i];
    // Becomes NaN at the first non-finite value, because infinity minus infinity is NaN.
    let poison = index < 0 || index >= sourceRows ? NaN : 0;
    if (poison === 0) {
      const start = index * features;
      for (let j = 0; j < features; j++) {
        const value = source[start + j];
        poison += value - value;
        x[row + j] = value * scale + offset;
      }
    }
    if (poison !== 0) x.fill(NaN, row, row + features);
  }
}

/**
 * Row i is zero but for x[i, indices[k]] = values[k], k from starts[order_i] to ends[order_i]. A row with NaN, an
 * infinity or an index that is not a column becomes NaN.
 */
export function gatherSparse(
  x: Float32Array,
  starts: Int32Array,
  ends: Int32Array,
  indices: Int32Array,
  values: Float32Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
  indexCount: number,
  valueCount: number,
): void {
  const count = Math.min(indexCount, valueCount);
  x.fill(0, 0, rows * features);
  for (let i = 0, row = 0; i < rows; i++, row += features) {
    const index = order[i];
    const known = index >= 0 && index < sourceRows;
    const [first, last] = known ? [starts[index], ends[index]] : [0, 0];
    let whole = known && first >= 0 && first <= last && last <= count;
    for (let k = first; whole && k < last; k++) {
      const place = indices[k];
      whole = place >= 0 && place < features && Number.isFinite(values[k]);
      if (whole) x[row + place] = values[k] + 0;
    }
    if (!whole) x.fill(NaN, row, row + features);
  }
}

export function gatherIndices(
  x: Int32Array,
  source: Int32Array,
  order: Int32Array,
  rows: number,
  features: number,
  sourceRows: number,
): void {
  for (let i = 0; i < rows; i++) {
    const index = order[i];
    const known = index >= 0 && index < sourceRows;
    for (let j = 0; j < features; j++) x[i * features + j] = known ? source[index * features + j] : -1;
  }
}

export function gatherLabels(
  labels: Int32Array,
  source: Int32Array,
  order: Int32Array,
  rows: number,
  sourceRows: number,
): void {
  for (let i = 0; i < rows; i++) {
    const index = order[i];
    labels[i] = index < 0 || index >= sourceRows ? -1 : source[index];
  }
}

const words = new Uint32Array(2);

/**
 * Number q of an epoch's random sequence, scaled to 0 … bound − 1. Must be called with q = 0, 1, 2, …, because two
 * words are generated at a time.
 */
function randomBelow(bound: number, q: number, seed: number, stream: number, epoch: number): number {
  if ((q & 1) === 0) threefry(words, 0, seed | 0, stream | 0, q >> 1, epoch | 0);
  return multiplyHigh(words[q & 1], bound);
}

/** Fisher-Yates shuffle of 0 … n−1, with one random word per swap. */
export function permutation(order: Int32Array, n: number, seed: number, stream: number, epoch: number): void {
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1, q = 0; i > 0; i--, q++) {
    const j = randomBelow(i + 1, q, seed, stream, epoch);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

/** Draws n rows of a source, with replacement. */
export function drawWithReplacement(
  order: Int32Array,
  n: number,
  sourceRows: number,
  seed: number,
  stream: number,
  epoch: number,
): void {
  for (let i = 0; i < n; i++) order[i] = randomBelow(sourceRows, i, seed, stream, epoch);
}

/** y_rj = 1 where j is the label of row r, otherwise 0; NaN for a label that is not a class. */
export function oneHot(y: Float32Array, labels: Int32Array, rows: number, classes: number): void {
  for (let row = 0; row < rows; row++) {
    const label = labels[row];
    const known = label >= 0 && label < classes;
    y.fill(known ? 0 : NaN, row * classes, (row + 1) * classes);
    if (known) y[row * classes + label] = 1;
  }
}
