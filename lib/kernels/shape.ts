import { code, flag, float, inout, input, kernel, out, size } from './signature.js';

/** Reductions along an axis, and copies between differently ordered arrays. */
export const shapeKernels = {
  reduce: kernel(
    'rows',
    out('y', ['rows', 'inner']),
    input('x', ['rows', 'axis', 'inner']),
    size('rows'),
    size('axis'),
    size('inner'),
    code('operation', 'reduction'),
  ),
  reduceBackward: kernel(
    'rows',
    out('dx', ['rows', 'axis', 'inner']),
    input('dy', ['rows', 'inner']),
    input('x', ['rows', 'axis', 'inner']),
    input('y', ['rows', 'inner']),
    size('rows'),
    size('axis'),
    size('inner'),
    code('operation', 'reduction'),
  ),
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
