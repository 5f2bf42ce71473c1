/**
 * The convolution and its gradients, as matrix products over patches. Each output pixel's window of windowHeight ×
 * windowWidth × channels numbers is a row of a matrix that is written block by block. Images are channels last;
 * positions outside them count as zero.
 */
import { denseBackwardBias } from './dense.js';
import { gemm } from './gemm.js';
import { operand } from './helpers/operand.js';
import { floats, moreDoubles } from './helpers/scratch.js';
import { biasAndActivation } from './helpers/tail.js';
import { share } from './share.js';
import { code, float, type Geometry, input, kernel, out, PARTS, precision, size, sizes } from './signature.js';

export const conv2dKernels = {
  conv2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('x', ['rows', 'height', 'width', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    input('b', ['filters'], { optional: true }),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    code('activation', 'activation'),
    float('slope'),
    precision(),
  ),
  conv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    precision(),
  ),
  // For strides of 1, the input gradient is a convolution of dy with these weights.
  conv2dReverseWeights: kernel(
    'filters',
    out('reversed', ['windowHeight', 'windowWidth', 'filters', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('windowHeight'),
    size('windowWidth'),
    size('channels'),
    size('filters'),
  ),
  // The gradients of weight and bias. The weight is a matrix with patch = windowHeight · windowWidth · channels rows.
  // Split into parts, each share takes its own images, and the parts are added afterwards. Split by the rows of the
  // weight, each share reads all images and would compute all of the bias gradient, so the compiler leaves that out.
  conv2dBackwardWeight: kernel(
    [PARTS, 'patch'],
    out('dwParts', ['parts', 'patch', 'filters']),
    out('dbParts', ['parts', 'filters'], { optional: true }),
    input('x', ['rows', 'height', 'width', 'channels'], { along: 'rows' }),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters'], { along: 'rows' }),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    size('patch'),
    size('parts'),
    precision(),
  ),
} as const;

/** A block of about this many patch elements stays in the L2 cache. */
const BLOCK = 1 << 16;
/** With fewer output pixels, packing the weights costs more than a block saves. */
const FEWEST = 128;

/** Output pixels per block: as many as fit, but at least FEWEST, unless these need 16 times a block's memory. */
function pixelsPerBlock(patch: number): number {
  const elements = Math.max(BLOCK, Math.min(FEWEST * patch, 16 * BLOCK));
  return Math.max(1, Math.floor(elements / Math.max(1, patch)));
}

/** y = f(conv(x, w) + b). */
export function conv2dForward(
  y: Float32Array,
  x: Float32Array,
  w: Float32Array,
  b: Float32Array | null,
  rows: number,
  g: Geometry,
  filters: number,
  activation: number,
  slope: number,
  precision: number,
): void {
  const patch = g.windowHeight * g.windowWidth * g.channels;
  const pixels = rows * g.outHeight * g.outWidth;
  const block = Math.min(pixels, pixelsPerBlock(patch));
  const patches = floats(block * patch);
  const weights = operand(w, patch * filters, precision, 'right');
  for (let from = 0; from < pixels; from += block) {
    const to = Math.min(pixels, from + block);
    gather(patches, x, from, to, g);
    const left = operand(patches, (to - from) * patch, precision, 'left');
    gemm(y.subarray(from * filters, to * filters), left, weights, to - from, filters, patch, 0, 0, 1, 0);
  }
  biasAndActivation(y, b, pixels, filters, activation, slope);
}

/** dx: each patch's gradient, dy · wᵀ, added to the patch's source pixels. */
export function conv2dBackwardInput(
  dx: Float32Array,
  dy: Float32Array,
  w: Float32Array,
  rows: number,
  g: Geometry,
  filters: number,
  precision: number,
): void {
  if (filters === 0) {
    dx.fill(0);
    return;
  }
  const patch = g.windowHeight * g.windowWidth * g.channels;
  const outPixels = g.outHeight * g.outWidth;
  const size = g.height * g.width * g.channels;
  const block = Math.min(outPixels, pixelsPerBlock(patch));
  const patches = floats(block * patch);
  const weights = operand(w, patch * filters, precision, 'right');
  const sums = moreDoubles(size);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < size; i++) sums[i] = 0;
    for (let from = 0; from < outPixels; from += block) {
      const to = Math.min(outPixels, from + block);
      const start = row * outPixels;
      const gradient = dy.subarray((start + from) * filters, (start + to) * filters);
      const left = operand(gradient, (to - from) * filters, precision, 'left');
      gemm(patches, left, weights, to - from, patch, filters, 0, 1, 1, 0);
      scatter(sums, patches, from, to, g);
    }
    for (let i = 0, o = row * size; i < size; i++, o++) dx[o] = sums[i];
  }
}

/** reversed[ky, kx, f, c] = w[windowHeight − 1 − ky, windowWidth − 1 − kx, c, f]. */
export function conv2dReverseWeights(
  reversed: Float32Array,
  w: Float32Array,
  windowHeight: number,
  windowWidth: number,
  channels: number,
  filters: number,
): void {
  const window = windowHeight * windowWidth;
  for (let at = 0, o = 0; at < window; at++) {
    const from = (window - 1 - at) * channels * filters;
    for (let f = 0; f < filters; f++) for (let c = 0; c < channels; c++, o++) reversed[o] = w[from + c * filters + f];
  }
}

/** dw = patchesᵀ · dy. */
function weightGradient(
  dw: Float32Array,
  x: Float32Array,
  dy: Float32Array,
  rows: number,
  g: Geometry,
  filters: number,
  patch: number,
  precision: number,
): void {
  const pixels = rows * g.outHeight * g.outWidth;
  const block = Math.min(pixels, pixelsPerBlock(patch));
  const patches = floats(block * patch);
  if (pixels === 0) dw.fill(0);
  for (let from = 0; from < pixels; from += block) {
    const to = Math.min(pixels, from + block);
    gather(patches, x, from, to, g);
    const left = operand(patches, (to - from) * patch, precision, 'left');
    const right = operand(dy.subarray(from * filters, to * filters), (to - from) * filters, precision, 'right');
    gemm(dw, left, right, patch, filters, to - from, 1, 0, 1, from === 0 ? 0 : 1);
  }
}

/** For each of `parts` shares of the images: the gradients of w and b. */
export function conv2dBackwardWeight(
  dwParts: Float32Array,
  dbParts: Float32Array | null,
  x: Float32Array,
  dy: Float32Array,
  rows: number,
  g: Geometry,
  filters: number,
  patch: number,
  parts: number,
  precision: number,
): void {
  const [image, pixels] = [g.height * g.width * g.channels, g.outHeight * g.outWidth];
  for (let part = 0; part < parts; part++) {
    const [from, to] = share(rows, 1, part, parts);
    const dw = dwParts.subarray(part * patch * filters, (part + 1) * patch * filters);
    const gradient = dy.subarray(from * pixels * filters, to * pixels * filters);
    const images = x.subarray(from * image, to * image);
    weightGradient(dw, images, gradient, to - from, g, filters, patch, precision);
    const db = dbParts?.subarray(part * filters, (part + 1) * filters);
    if (db !== undefined) denseBackwardBias(db, gradient, (to - from) * pixels, filters);
  }
}

/** Writes the patches of output pixels [from, to), counted over all images; zeros outside the image. */
function gather(patches: Float32Array, x: Float32Array, from: number, to: number, g: Geometry): void {
  const { height, width, channels, outHeight, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, padTop, padLeft } = g;
  const run = windowWidth * channels;
  if (run === 0) return;
  let ox = from % outWidth;
  let line = (from - ox) / outWidth;
  for (let pixel = from, o = 0; pixel < to; pixel++) {
    const oy = line % outHeight;
    const image = (line - oy) / outHeight;
    const left = ox * strideWidth - padLeft;
    // Elements of the window's row inside the image.
    const begin = Math.min(run, Math.max(0, -left) * channels);
    const end = Math.max(begin, Math.min(windowWidth, width - left) * channels);
    for (let ky = 0, iy = oy * strideHeight - padTop; ky < windowHeight; ky++, iy++) {
      const inside = iy >= 0 && iy < height;
      const first = o + (inside ? begin : run);
      const last = o + (inside ? end : run);
      const next = o + run;
      let s = ((image * height + iy) * width + left) * channels + begin;
      for (; o < first; o++) patches[o] = 0;
      for (; o < last; o++, s++) patches[o] = x[s];
      for (; o < next; o++) patches[o] = 0;
    }
    if (++ox === outWidth) {
      ox = 0;
      line++;
    }
  }
}

/** Adds the patches of output pixels [from, to) of one image to the positions that `gather` reads. */
function scatter(sums: Float64Array, patches: Float32Array, from: number, to: number, g: Geometry): void {
  const { height, width, channels, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, padTop, padLeft } = g;
  const run = windowWidth * channels;
  if (run === 0) return;
  let ox = from % outWidth;
  let oy = (from - ox) / outWidth;
  for (let pixel = from, start = 0; pixel < to; pixel++) {
    const left = ox * strideWidth - padLeft;
    const begin = Math.max(0, -left) * channels;
    const end = Math.min(windowWidth, width - left) * channels;
    for (let ky = 0, iy = oy * strideHeight - padTop; ky < windowHeight; ky++, iy++, start += run) {
      if (iy < 0 || iy >= height) continue;
      const last = start + end;
      for (let o = start + begin, s = (iy * width + left) * channels + begin; o < last; o++, s++) sums[s] += patches[o];
    }
    if (++ox === outWidth) {
      ox = 0;
      oy++;
    }
  }
}
