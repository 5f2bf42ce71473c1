/** Rows of a table by their indices. */
import { input, kernel, out, size } from './signature.js';

export const embeddingKernels = {
  embeddingForward: kernel(
    'rows',
    out('y', ['rows', 'width']),
    input('indices', ['rows'], { type: 'i32', below: 'vocabulary' }),
    input('w', ['vocabulary', 'width']),
    size('rows'),
    size('vocabulary'),
    size('width'),
  ),
  embeddingBackward: kernel(
    'vocabulary',
    out('dw', ['vocabulary', 'width']),
    input('dy', ['rows', 'width']),
    input('indices', ['rows'], { type: 'i32', below: 'vocabulary' }),
    size('rows'),
    size('vocabulary'),
    size('width'),
  ),
} as const;

/** y_r = w[indices_r]; NaN for an index that is not a row of w. */
export function embeddingForward(
  y: Float32Array,
  indices: Int32Array,
  w: Float32Array,
  rows: number,
  vocabulary: number,
  width: number,
): void {
  for (let row = 0, o = 0; row < rows; row++) {
    const index = indices[row];
    const known = index >= 0 && index < vocabulary;
    for (let j = 0, i = index * width; j < width; j++, i++, o++) y[o] = known ? w[i] : NaN;
  }
}

/** dw_v is the sum of the dy_r with indices_r = v, added in the order of the rows. */
export function embeddingBackward(
  dw: Float32Array,
  dy: Float32Array,
  indices: Int32Array,
  rows: number,
  vocabulary: number,
  width: number,
): void {
  dw.fill(0, 0, vocabulary * width);
  for (let row = 0, i = 0; row < rows; row++, i += width) {
    const index = indices[row];
    if (index < 0 || index >= vocabulary) continue;
    for (let j = 0, o = index * width; j < width; j++, o++) dw[o] += dy[i + j];
  }
}
