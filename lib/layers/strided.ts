import { BlasnetError } from '../errors.js';
import { type Builder, elements, rows, type Shape, type Tensor } from '../program/instructions.js';

/** Where the elements of an array lie among the elements of a sample: at offset + Σ index · stride. */
interface Places {
  readonly perRow: number;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** A copy of an array of the dimensions `dims` between two samples. */
export interface StridedCopy {
  readonly dims: Shape;
  readonly to: Places;
  readonly from: Places;
}

/** Dimensions that the kernel has. */
const MOST = 5;

/** Distance between neighbours in each dimension of a sample. */
export function stridesOf(shape: Shape): number[] {
  return shape.map((_, i) => elements(shape.slice(i + 1)));
}

/** All of a sample of this shape. */
export function all(shape: Shape): Places {
  return { perRow: elements(shape), offset: 0, strides: stridesOf(shape) };
}

/** The same elements in the other direction. */
export function reversed({ dims, to, from }: StridedCopy): StridedCopy {
  return { dims, to: from, from: to };
}

/** The loops of a copy, outer ones first, without those of one turn, and with those joined that are one. */
function loopsOf({ dims, to, from }: StridedCopy): [count: number, to: number, from: number][] {
  const loops: [number, number, number][] = [];
  dims.forEach((count, i) => {
    if (count === 1) return;
    const [toStride, fromStride] = [to.strides[i], from.strides[i]];
    const outer = loops.at(-1);
    if (outer !== undefined && outer[1] === toStride * count && outer[2] === fromStride * count)
      loops[loops.length - 1] = [outer[0] * count, toStride, fromStride];
    else loops.push([count, toStride, fromStride]);
  });
  return loops;
}

/** Throws `INVALID_ARGUMENT` if the kernel has too few dimensions for a copy. */
export function checkCopy(type: string, copy: StridedCopy): StridedCopy {
  const { length } = loopsOf(copy);
  if (length <= MOST) return copy;
  const text = `expected a copy of at most ${MOST} dimensions that can't be joined, got ${length}`;
  throw new BlasnetError('INVALID_ARGUMENT', `${type}: ${text}`);
}

/** Writes a copy from x to y. With `fill`, the rest of y gets that value; without it, the rest stays. */
export function emitCopy(builder: Builder, y: Tensor, x: Tensor, copy: StridedCopy, fill?: number): void {
  const loops = loopsOf(copy);
  while (loops.length < MOST) loops.unshift([1, 0, 0]);
  const [[dim0, yStride0, xStride0], [dim1, yStride1, xStride1], [dim2, yStride2, xStride2]] = loops;
  const [[dim3, yStride3, xStride3], [dim4, yStride4, xStride4]] = loops.slice(3);
  builder.emit('copyStrided', {
    y,
    x,
    rows: rows(),
    yPerRow: copy.to.perRow,
    xPerRow: copy.from.perRow,
    ...{ dim0, dim1, dim2, dim3, dim4 },
    yOffset: copy.to.offset,
    ...{ yStride0, yStride1, yStride2, yStride3, yStride4 },
    xOffset: copy.from.offset,
    ...{ xStride0, xStride1, xStride2, xStride3, xStride4 },
    clear: fill === undefined ? 0 : 1,
    fill: fill ?? 0,
  });
}
