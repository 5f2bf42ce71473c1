import type { ConvolutionGeometry, Geometry } from './reference/conv2d.js';

type Pair = readonly [height: number, width: number];

interface Window {
  window: Pair;
  stride?: Pair;
  /** Padding before and after, for rows and columns. */
  padding?: readonly [Pair, Pair];
  filters?: number;
}

function outputs(size: number, window: number, stride: number, [before, after]: Pair): number {
  return Math.floor((size + before + after - window) / stride) + 1;
}

/** The sizes of a window over images of height × width × channels. */
function over(
  rows: number,
  [height, width, channels]: readonly [number, number, number],
  {
    window,
    stride = [1, 1],
    padding = [
      [0, 0],
      [0, 0],
    ],
    filters = channels,
  }: Window,
): ConvolutionGeometry {
  return {
    rows,
    height,
    width,
    channels,
    outHeight: outputs(height, window[0], stride[0], padding[0]),
    outWidth: outputs(width, window[1], stride[1], padding[1]),
    windowHeight: window[0],
    windowWidth: window[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    padTop: padding[0][0],
    padLeft: padding[1][0],
    filters,
  };
}

/** Windows of all kinds: strides, paddings, overlaps, remainders, and channels and filters next to vector widths. */
export const geometries: readonly ConvolutionGeometry[] = [
  // Every size is 3 or more here.
  over(3, [9, 8, 3], {
    window: [4, 5],
    stride: [3, 4],
    padding: [
      [3, 3],
      [4, 3],
    ],
    filters: 5,
  }),
  over(1, [1, 1, 1], { window: [1, 1] }),
  over(2, [1, 1, 7], { window: [1, 1], filters: 3 }),
  over(2, [3, 3, 1], { window: [3, 3], filters: 1 }),
  over(3, [5, 5, 1], { window: [3, 3], filters: 4 }),
  over(2, [6, 5, 2], { window: [2, 2], stride: [2, 2], filters: 3 }),
  over(2, [7, 6, 3], { window: [3, 2], stride: [2, 1], filters: 8 }),
  over(1, [5, 9, 4], { window: [2, 3], stride: [1, 3], filters: 9 }),
  over(2, [4, 4, 8], { window: [1, 1], filters: 16 }),
  over(2, [5, 4, 5], { window: [1, 1], stride: [2, 3], filters: 2 }),
  over(2, [4, 4, 16], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 15,
  }),
  over(2, [5, 7, 17], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 33,
  }),
  over(3, [6, 8, 16], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 32,
  }),
  over(2, [7, 6, 32], { window: [3, 3], filters: 16 }),
  over(1, [3, 17, 9], {
    window: [3, 5],
    padding: [
      [1, 1],
      [2, 2],
    ],
    filters: 7,
  }),
  over(2, [8, 8, 6], { window: [5, 5], filters: 16 }),
  over(2, [12, 12, 1], {
    window: [5, 5],
    padding: [
      [2, 2],
      [2, 2],
    ],
    filters: 6,
  }),
  over(1, [7, 7, 3], {
    window: [3, 3],
    stride: [2, 2],
    padding: [
      [0, 1],
      [0, 1],
    ],
    filters: 10,
  }),
  over(1, [6, 6, 3], {
    window: [3, 3],
    padding: [
      [2, 0],
      [0, 2],
    ],
    filters: 4,
  }),
  over(5, [4, 3, 2], { window: [4, 3], filters: 12 }),
  over(1, [2, 2, 3], {
    window: [4, 4],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 5,
  }),
  over(2, [4, 5, 3], { window: [2, 2], stride: [5, 4], filters: 4 }),
  over(1, [19, 23, 4], { window: [11, 11], stride: [4, 4], filters: 32 }),
  over(2, [31, 2, 3], { window: [3, 2], stride: [3, 1], filters: 5 }),
  over(1, [2, 37, 31], { window: [2, 2], stride: [1, 2], filters: 31 }),
  // Windows that lie outside the image.
  over(1, [3, 3, 3], {
    window: [2, 2],
    stride: [2, 2],
    padding: [
      [3, 3],
      [2, 3],
    ],
    filters: 4,
  }),
  over(1, [4, 3, 3], {
    window: [1, 2],
    stride: [2, 1],
    padding: [
      [3, 2],
      [5, 4],
    ],
    filters: 3,
  }),
  // No rows, and neither windows nor filters.
  over(0, [4, 4, 3], { window: [3, 3], filters: 4 }),
  { ...over(2, [4, 4, 3], { window: [3, 3], filters: 4 }), outHeight: 0 },
];

/** Images that are larger than the blocks kernels work in. */
export const largeGeometries: readonly ConvolutionGeometry[] = [
  over(3, [21, 20, 3], {
    window: [5, 5],
    padding: [
      [2, 2],
      [2, 2],
    ],
    filters: 8,
  }),
  over(2, [13, 12, 48], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 20,
  }),
  over(1, [40, 41, 2], { window: [3, 3], stride: [1, 1], filters: 3 }),
  over(9, [9, 10, 5], {
    window: [3, 3],
    stride: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 66,
  }),
  // Two or more groups of filters as wide as a vector, with few weights and with many.
  over(2, [10, 10, 4], { window: [3, 3], filters: 40 }),
  over(2, [9, 14, 24], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 32,
  }),
  over(2, [7, 7, 18], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 32,
  }),
  over(1, [7, 11, 20], {
    window: [3, 3],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 48,
  }),
  over(1, [6, 33, 40], {
    window: [5, 5],
    padding: [
      [0, 0],
      [2, 2],
    ],
    filters: 16,
  }),
  over(2, [9, 21, 33], {
    window: [3, 3],
    stride: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
    filters: 64,
  }),
];

/** Small ones at which gradients are compared with finite differences. */
export const smallGeometries: readonly ConvolutionGeometry[] = [
  over(1, [3, 3, 1], { window: [2, 2] }),
  over(2, [4, 3, 2], {
    window: [3, 2],
    padding: [
      [1, 1],
      [0, 1],
    ],
    filters: 3,
  }),
  over(2, [5, 5, 2], {
    window: [3, 3],
    stride: [2, 2],
    padding: [
      [1, 0],
      [1, 1],
    ],
    filters: 2,
  }),
  over(1, [6, 4, 3], { window: [2, 2], stride: [3, 2], filters: 4 }),
];

/** The same without filters, for pooling. */
export function pooling({ filters: _, ...geometry }: ConvolutionGeometry): Geometry {
  return geometry;
}

export const inputLength = (g: Geometry) => g.rows * g.height * g.width * g.channels;
export const outputLength = (g: Geometry, channels: number) => g.rows * g.outHeight * g.outWidth * channels;
export const patchLength = (g: Geometry) => g.windowHeight * g.windowWidth * g.channels;

/** A name for one geometry among many. */
export function describeGeometry(g: Geometry): string {
  return `${g.rows}×${g.height}×${g.width}×${g.channels}, window ${g.windowHeight}×${g.windowWidth}`;
}
