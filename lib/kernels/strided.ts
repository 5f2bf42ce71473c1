/** Copies between differently ordered arrays. */
import { flag, float, inout, input, kernel, size } from './signature.js';

export const stridedKernels = {
  // In each row, element (i0, …, i4) of an array of `dim0` × … × `dim4` lies at offset + Σ i · stride. The native
  // kernel does nothing if that leaves the row.
  copyStrided: kernel(
    'rows',
    inout('y', ['rows', 'yPerRow']),
    input('x', ['rows', 'xPerRow']),
    size('rows'),
    size('yPerRow'),
    size('xPerRow'),
    size('dim0'),
    size('dim1'),
    size('dim2'),
    size('dim3'),
    size('dim4'),
    size('yOffset'),
    size('yStride0'),
    size('yStride1'),
    size('yStride2'),
    size('yStride3'),
    size('yStride4'),
    size('xOffset'),
    size('xStride0'),
    size('xStride1'),
    size('xStride2'),
    size('xStride3'),
    size('xStride4'),
    // Whether all of y gets the value `fill` first.
    flag('clear'),
    float('fill'),
  ),
} as const;

export function copyStrided(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  yPerRow: number,
  xPerRow: number,
  dim0: number,
  dim1: number,
  dim2: number,
  dim3: number,
  dim4: number,
  yOffset: number,
  yStride0: number,
  yStride1: number,
  yStride2: number,
  yStride3: number,
  yStride4: number,
  xOffset: number,
  xStride0: number,
  xStride1: number,
  xStride2: number,
  xStride3: number,
  xStride4: number,
  clear: number,
  fill: number,
): void {
  if (clear) y.fill(fill, 0, rows * yPerRow);
  if (dim0 * dim1 * dim2 * dim3 * dim4 === 0) return;
  for (let row = 0; row < rows; row++) {
    const y0 = row * yPerRow + yOffset;
    const x0 = row * xPerRow + xOffset;
    for (let i0 = 0; i0 < dim0; i0++) {
      for (let i1 = 0; i1 < dim1; i1++) {
        for (let i2 = 0; i2 < dim2; i2++) {
          const y2 = y0 + i0 * yStride0 + i1 * yStride1 + i2 * yStride2;
          const x2 = x0 + i0 * xStride0 + i1 * xStride1 + i2 * xStride2;
          for (let i3 = 0; i3 < dim3; i3++) {
            let o = y2 + i3 * yStride3;
            let at = x2 + i3 * xStride3;
            for (let i4 = 0; i4 < dim4; i4++, o += yStride4, at += xStride4) y[o] = x[at];
          }
        }
      }
    }
  }
}
