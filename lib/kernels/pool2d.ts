/**
 * Pooling over windows of images, channels last. Pixels outside the image are ignored. The innermost loops run over
 * channels, where memory is contiguous.
 */
import { type Geometry, input, kernel, out, size, sizes } from './signature.js';

export const pool2dKernels = {
  maxPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    out('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
  maxPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    size('rows'),
    ...sizes('Geometry'),
  ),
  avgPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
  avgPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
} as const;

/** The largest pixel of each window and its position in the image: the first of equal pixels, or the first NaN. */
export function maxPool2dForward(
  y: Float32Array,
  winner: Int32Array,
  x: Float32Array,
  rows: number,
  g: Geometry,
): void {
  const { height, width, channels, outHeight, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, padTop, padLeft } = g;
  const size = height * width * channels;
  for (let row = 0, o = 0; row < rows; row++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = Math.max(0, oy * strideHeight - padTop);
      const bottom = Math.min(height, oy * strideHeight - padTop + windowHeight);
      for (let ox = 0; ox < outWidth; ox++, o += channels) {
        const left = Math.max(0, ox * strideWidth - padLeft);
        const right = Math.min(width, ox * strideWidth - padLeft + windowWidth);
        const empty = top >= bottom || left >= right;
        for (let c = 0; c < channels; c++) {
          let best = empty ? 0 : -Infinity;
          let at = empty ? -1 : (top * width + left) * channels + c;
          for (let iy = top; iy < bottom; iy++) {
            let position = (iy * width + left) * channels + c;
            for (let ix = left; ix < right; ix++, position += channels) {
              const value = x[row * size + position];
              // A NaN replaces any number, and no number replaces a NaN.
              if (value > best || (value !== value && best === best)) {
                best = value;
                at = position;
              }
            }
          }
          y[o + c] = best;
          winner[o + c] = at;
        }
      }
    }
  }
}

/** Adds dy at the positions of the maxima. */
export function maxPool2dBackward(
  dx: Float32Array,
  dy: Float32Array,
  winner: Int32Array,
  rows: number,
  g: Geometry,
): void {
  const { height, width, channels, outHeight, outWidth } = g;
  const size = height * width * channels;
  const outSize = outHeight * outWidth * channels;
  dx.fill(0, 0, rows * height * width * channels);
  for (let row = 0, o = 0, start = 0; row < rows; row++, start += size) {
    for (const end = o + outSize; o < end; o++) {
      const position = winner[o];
      if (position >= 0 && position < size) dx[start + position] += dy[o];
    }
  }
}

/** The mean of the pixels of each window. */
export function avgPool2dForward(y: Float32Array, x: Float32Array, rows: number, g: Geometry): void {
  const { height, width, channels, outHeight, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, padTop, padLeft } = g;
  for (let row = 0, o = 0; row < rows; row++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = Math.max(0, oy * strideHeight - padTop);
      const bottom = Math.min(height, oy * strideHeight - padTop + windowHeight);
      for (let ox = 0; ox < outWidth; ox++, o += channels) {
        const left = Math.max(0, ox * strideWidth - padLeft);
        const right = Math.min(width, ox * strideWidth - padLeft + windowWidth);
        const share = 1 / ((bottom - top) * (right - left));
        const empty = top >= bottom || left >= right;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let iy = top; iy < bottom; iy++) {
            const last = ((row * height + iy) * width + right) * channels + c;
            for (let s = ((row * height + iy) * width + left) * channels + c; s < last; s += channels) sum += x[s];
          }
          y[o + c] = empty ? 0 : sum * share;
        }
      }
    }
  }
}

/** Distributes dy equally among the pixels of its window. */
export function avgPool2dBackward(dx: Float32Array, dy: Float32Array, rows: number, g: Geometry): void {
  const { height, width, channels, outHeight, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, padTop, padLeft } = g;
  dx.fill(0, 0, rows * height * width * channels);
  for (let row = 0, o = 0; row < rows; row++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = Math.max(0, oy * strideHeight - padTop);
      const bottom = Math.min(height, oy * strideHeight - padTop + windowHeight);
      for (let ox = 0; ox < outWidth; ox++, o += channels) {
        const left = Math.max(0, ox * strideWidth - padLeft);
        const right = Math.min(width, ox * strideWidth - padLeft + windowWidth);
        const share = 1 / ((bottom - top) * (right - left));
        for (let iy = top; iy < bottom; iy++) {
          let s = ((row * height + iy) * width + left) * channels;
          for (let ix = left; ix < right; ix++) for (let c = 0; c < channels; c++, s++) dx[s] += dy[o + c] * share;
        }
      }
    }
  }
}
