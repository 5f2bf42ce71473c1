/** Gathers a batch from a dataset by row numbers, and shuffles the row numbers. */
import { multiplyHigh, threefry } from '../../../random.js';

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
  for (let i = 0, o = 0; i < rows; i++) {
    const index = order[i];
    if (index < 0 || index >= sourceRows) {
      x.fill(NaN, o, o + features);
      o += features;
      continue;
    }
    const end = (index + 1) * features;
    for (let s = index * features; s < end; s++, o++) x[o] = source[s] * scale + offset;
  }
}

/** One thread has nothing to share out. */
export { gatherBytes as gatherBytesColumns };

/** As gatherBytes; a row that holds NaN or an infinity becomes NaN throughout. */
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
    // Becomes NaN with the first value that is not finite, as infinity minus infinity is NaN.
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

export function gatherLabels(labels: Int32Array, source: Int32Array, order: Int32Array, rows: number, sourceRows: number): void {
  for (let i = 0; i < rows; i++) {
    const index = order[i];
    labels[i] = index < 0 || index >= sourceRows ? -1 : source[index];
  }
}

const words = new Uint32Array(2);

/** Number q of the random sequence of an epoch, scaled to 0 … bound − 1. Called with q = 0, 1, 2, …, as two words come at a time. */
function randomBelow(bound: number, q: number, seed: number, stream: number, epoch: number): number {
  if ((q & 1) === 0) threefry(words, 0, seed | 0, stream | 0, q >> 1, epoch | 0);
  return multiplyHigh(words[q & 1], bound);
}

/** Fisher and Yates's shuffle of 0 … n−1, with one random word a swap. */
export function permutation(order: Int32Array, n: number, seed: number, stream: number, epoch: number): void {
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1, q = 0; i > 0; i--, q++) {
    const j = randomBelow(i + 1, q, seed, stream, epoch);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

/** n rows of a source, each drawn from all of them. */
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
