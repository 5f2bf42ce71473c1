/** Inverted dropout and noise, with random numbers counted by element. */
import { threefry } from '../random.js';
import { float, input, kernel, out, size, word } from './signature.js';

export const dropoutKernels = {
  // Inverted dropout. Its backward pass is `binary`, the product with the mask.
  dropoutForward: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    out('mask', ['n']),
    input('x', ['n']),
    size('n'),
    word('threshold'),
    float('scale'),
    word('seed'),
    word('stream'),
    word('step'),
  ),
  // Dropout's mask alone, and the product with one factor per sample and channel.
  dropoutMask: kernel(
    'n',
    out('mask', ['n']),
    size('n'),
    word('threshold'),
    float('scale'),
    word('seed'),
    word('stream'),
    word('step'),
  ),
  multiplyChannels: kernel(
    'rows',
    out('y', ['rows', 'pixels', 'channels'], { alias: ['x'] }),
    input('x', ['rows', 'pixels', 'channels']),
    input('factors', ['rows', 'channels']),
    size('rows'),
    size('pixels'),
    size('channels'),
  ),
  // y = x + deviation · a standard normal number. Its gradient is dy.
  gaussianNoise: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    input('x', ['n']),
    size('n'),
    float('deviation'),
    word('seed'),
    word('stream'),
    word('step'),
  ),
} as const;

const PARITY = 0x1bd11bda;

/**
 * y = x · mask, where mask is 0 if the element's random word is below `threshold`, otherwise `scale`; y may be x.
 * Element i uses a word of counter (i >> 5) · 16 + (i & 15): the first if i & 16 is 0, otherwise the second.
 *
 * Threefry is inlined here, as in lib/random.ts: with both words in local variables it is four times as fast as a call
 * that writes them to an array.
 */
export function dropoutForward(
  y: Float32Array,
  mask: Float32Array,
  x: Float32Array,
  n: number,
  threshold: number,
  scale: number,
  seed: number,
  stream: number,
  step: number,
): void {
  const k0 = seed | 0;
  const k1 = stream | 0;
  const k2 = PARITY ^ k0 ^ k1;
  const second = (step + k1) | 0;
  const kept = Math.fround(scale);
  for (let start = 0; start < n; start += 32) {
    const counter = (start / 2) | 0;
    const end = Math.min(start + 16, n);
    // biome-ignore format: one round per line
    for (let i = start; i < end; i++) {
      let x0 = (k0 + counter + (i & 15)) | 0;
      let x1 = second;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
      x0 = (x0 + k1) | 0; x1 = (x1 + k2 + 1) | 0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
      x0 = (x0 + k2) | 0; x1 = (x1 + k0 + 2) | 0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
      x0 = (x0 + k0) | 0; x1 = (x1 + k1 + 3) | 0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
      x0 = (x0 + k1) | 0; x1 = (x1 + k2 + 4) | 0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
      x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
      x0 = (x0 + k2) >>> 0; x1 = (x1 + k0 + 5) >>> 0;

      const factor = x0 < threshold ? 0 : kept;
      mask[i] = factor;
      y[i] = x[i] * factor;
      const upper = i + 16;
      if (upper < n) {
        const upperFactor = x1 < threshold ? 0 : kept;
        mask[upper] = upperFactor;
        y[upper] = x[upper] * upperFactor;
      }
    }
  }
}

const words = new Uint32Array(2);

/** Calls visit(i, first, second) with the words of elements i and i + 16, for each i < n in a block's lower half. */
function forEachPair(
  n: number,
  seed: number,
  stream: number,
  step: number,
  visit: (i: number, first: number, second: number) => void,
): void {
  for (let start = 0; start < n; start += 32) {
    for (let i = start; i < Math.min(start + 16, n); i++) {
      threefry(words, 0, seed | 0, stream | 0, start / 2 + (i & 15), step | 0);
      visit(i, words[0], words[1]);
    }
  }
}

/** The mask of `dropoutForward`. */
export function dropoutMask(
  mask: Float32Array,
  n: number,
  threshold: number,
  scale: number,
  seed: number,
  stream: number,
  step: number,
): void {
  forEachPair(n, seed, stream, step, (i, first, second) => {
    mask[i] = first < threshold ? 0 : scale;
    if (i + 16 < n) mask[i + 16] = second < threshold ? 0 : scale;
  });
}

/** y = x · factors, one factor per row and channel for all its pixels; y may be x. */
export function multiplyChannels(
  y: Float32Array,
  x: Float32Array,
  factors: Float32Array,
  rows: number,
  pixels: number,
  channels: number,
): void {
  for (let row = 0, o = 0; row < rows; row++) {
    const first = row * channels;
    for (let pixel = 0; pixel < pixels; pixel++) {
      for (let c = 0; c < channels; c++, o++) y[o] = x[o] * factors[first + c];
    }
  }
}

/** y = x + deviation · normal numbers, two of each counter (Box and Muller 1958); y may be x. */
export function gaussianNoise(
  y: Float32Array,
  x: Float32Array,
  n: number,
  deviation: number,
  seed: number,
  stream: number,
  step: number,
): void {
  forEachPair(n, seed, stream, step, (i, first, second) => {
    // As many bits as float32 holds exactly.
    const radius = deviation * Math.sqrt(-2 * Math.log(((first >>> 9) + 0.5) * 2 ** -23));
    const angle = 2 * Math.PI * ((second >>> 6) * 2 ** -26);
    y[i] = x[i] + radius * Math.cos(angle);
    if (i + 16 < n) y[i + 16] = x[i + 16] + radius * Math.sin(angle);
  });
}
