/**
 * Convolutions of groups of channels: each of `groups` has `channels` channels and `filters` filters of its own. With
 * one channel per group they are depthwise. A window's pixels are `dilation` pixels apart.
 *
 * These are plain loops: a group's products are too small for matrix products to pay. Sums are in double precision.
 */
import { denseBackwardBias } from './dense.js';
import { doubles } from './helpers/scratch.js';
import { biasAndActivation } from './helpers/tail.js';
import { share } from './share.js';
import { code, float, type GroupedGeometry, input, kernel, out, PARTS, size, sizes } from './signature.js';

export const groupedConv2dKernels = {
  groupedConv2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'groups', 'filters']),
    input('x', ['rows', 'height', 'width', 'groups', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    input('b', ['groups', 'filters'], { optional: true }),
    size('rows'),
    ...sizes('GroupedGeometry'),
    code('activation', 'activation'),
    float('slope'),
  ),
  groupedConv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'groups', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'groups', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    size('rows'),
    ...sizes('GroupedGeometry'),
  ),
  // As conv2dBackwardWeight, always split into parts: groups have few weights.
  groupedConv2dBackwardParts: kernel(
    PARTS,
    out('dwParts', ['parts', 'windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    out('dbParts', ['parts', 'groups', 'filters'], { optional: true }),
    input('x', ['rows', 'height', 'width', 'groups', 'channels'], { along: 'rows' }),
    input('dy', ['rows', 'outHeight', 'outWidth', 'groups', 'filters'], { along: 'rows' }),
    size('rows'),
    ...sizes('GroupedGeometry'),
    size('parts'),
  ),
} as const;

/**
 * Calls `visit` for every pixel inside the image that the window of an output pixel sees: the positions of their first
 * elements in one image of y, one of x, and in w.
 */
function eachPixel(g: GroupedGeometry, visit: (y: number, x: number, w: number) => void): void {
  const [inputs, outputs] = [g.groups * g.channels, g.groups * g.filters];
  // Empty images, windows or channels, however large the other sizes are.
  if (inputs * outputs * g.windowHeight * g.windowWidth * g.height * g.width === 0) return;
  for (let oy = 0, y = 0; oy < g.outHeight; oy++) {
    const top = oy * g.strideHeight - g.padTop;
    for (let ox = 0; ox < g.outWidth; ox++, y += outputs) {
      const left = ox * g.strideWidth - g.padLeft;
      for (let ky = 0, iy = top; ky < g.windowHeight; ky++, iy += g.dilationHeight) {
        if (iy < 0 || iy >= g.height) continue;
        for (let kx = 0, ix = left; kx < g.windowWidth; kx++, ix += g.dilationWidth) {
          if (ix < 0 || ix >= g.width) continue;
          visit(y, (iy * g.width + ix) * inputs, (ky * g.windowWidth + kx) * g.channels * outputs);
        }
      }
    }
  }
}

/** y = f(conv(x, w) + b), group by group. */
export function groupedConv2dForward(
  y: Float32Array,
  x: Float32Array,
  w: Float32Array,
  b: Float32Array | null,
  rows: number,
  g: GroupedGeometry,
  activation: number,
  slope: number,
): void {
  const { groups, channels, filters } = g;
  const outputs = groups * filters;
  const [image, size] = [g.height * g.width * groups * channels, g.outHeight * g.outWidth * outputs];
  const sums = doubles(size);
  for (let row = 0; row < rows; row++) {
    sums.fill(0, 0, size);
    eachPixel(g, (to, from, weights) => {
      let [o, s, column] = [to, row * image + from, weights];
      for (let group = 0; group < groups; group++, o += filters, column += filters) {
        for (let c = 0, k = column; c < channels; c++, s++, k += outputs) {
          const value = x[s];
          for (let f = 0; f < filters; f++) sums[o + f] += value * w[k + f];
        }
      }
    });
    for (let i = 0, o = row * size; i < size; i++, o++) y[o] = sums[i];
  }
  biasAndActivation(y, b, rows * g.outHeight * g.outWidth, outputs, activation, slope);
}

/** dx: what each pixel of dy gives to the pixels that its window sees. */
export function groupedConv2dBackwardInput(
  dx: Float32Array,
  dy: Float32Array,
  w: Float32Array,
  rows: number,
  g: GroupedGeometry,
): void {
  const { groups, channels, filters } = g;
  const outputs = groups * filters;
  const [image, size] = [g.height * g.width * groups * channels, g.outHeight * g.outWidth * outputs];
  const sums = doubles(image);
  for (let row = 0; row < rows; row++) {
    sums.fill(0, 0, image);
    eachPixel(g, (from, to, weights) => {
      let [s, o, column] = [row * size + from, to, weights];
      for (let group = 0; group < groups; group++, s += filters, column += filters) {
        for (let c = 0, k = column; c < channels; c++, o++, k += outputs) {
          let sum = 0;
          for (let f = 0; f < filters; f++) sum += dy[s + f] * w[k + f];
          sums[o] += sum;
        }
      }
    });
    for (let i = 0, o = row * image; i < image; i++, o++) dx[o] = sums[i];
  }
}

/** For each of `parts` shares of the images: the gradients of w and b. */
export function groupedConv2dBackwardParts(
  dwParts: Float32Array,
  dbParts: Float32Array | null,
  x: Float32Array,
  dy: Float32Array,
  rows: number,
  g: GroupedGeometry,
  parts: number,
): void {
  const { groups, channels, filters } = g;
  const outputs = groups * filters;
  const [image, pixels] = [g.height * g.width * groups * channels, g.outHeight * g.outWidth];
  const size = pixels * outputs;
  const length = g.windowHeight * g.windowWidth * channels * outputs;
  const sums = doubles(length);
  for (let part = 0; part < parts; part++) {
    const [begin, end] = share(rows, 1, part, parts);
    sums.fill(0, 0, length);
    for (let row = begin; row < end; row++) {
      eachPixel(g, (at, from, weights) => {
        let [d, s, column] = [row * size + at, row * image + from, weights];
        for (let group = 0; group < groups; group++, d += filters, column += filters) {
          for (let c = 0, k = column; c < channels; c++, s++, k += outputs) {
            const value = x[s];
            for (let f = 0; f < filters; f++) sums[k + f] += value * dy[d + f];
          }
        }
      });
    }
    for (let i = 0, o = part * length; i < length; i++, o++) dwParts[o] = sums[i];
    const db = dbParts?.subarray(part * outputs, (part + 1) * outputs);
    const gradient = dy.subarray(begin * size, end * size);
    if (db !== undefined) denseBackwardBias(db, gradient, (end - begin) * pixels, outputs);
  }
}
