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

const words = new Uint32Array(2);

/**
 * Each element is 0 if its random word is below `threshold`, otherwise `scale`. Element i uses a word of counter
 * (i >> 5) · 16 + (i & 15): the first if i & 16 is 0, otherwise the second.
 */
export function dropoutMask(
  mask: Float32Array,
  n: number,
  threshold: number,
  scale: number,
  seed: number,
  stream: number,
  step: number,
): void {
  for (let start = 0; start < n; start += 32) {
    for (let i = start; i < Math.min(start + 16, n); i++) {
      threefry(words, 0, seed | 0, stream | 0, start / 2 + (i & 15), step | 0);
      mask[i] = words[0] < threshold ? 0 : scale;
      if (i + 16 < n) mask[i + 16] = words[1] < threshold ? 0 : scale;
    }
  }
}

/** y = x · mask, with the mask of `dropoutMask`; y may be x. */
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
  dropoutMask(mask, n, threshold, scale, seed, stream, step);
  for (let i = 0; i < n; i++) y[i] = x[i] * mask[i];
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

/** y = x + deviation · normal numbers, two of each counter of `dropoutMask` (Box and Muller 1958); y may be x. */
export function gaussianNoise(
  y: Float32Array,
  x: Float32Array,
  n: number,
  deviation: number,
  seed: number,
  stream: number,
  step: number,
): void {
  for (let start = 0; start < n; start += 32) {
    for (let i = start; i < Math.min(start + 16, n); i++) {
      threefry(words, 0, seed | 0, stream | 0, start / 2 + (i & 15), step | 0);
      // As many bits as float32 holds exactly.
      const radius = deviation * Math.sqrt(-2 * Math.log(((words[0] >>> 9) + 0.5) * 2 ** -23));
      const angle = 2 * Math.PI * ((words[1] >>> 6) * 2 ** -26);
      y[i] = x[i] + radius * Math.cos(angle);
      if (i + 16 < n) y[i + 16] = x[i + 16] + radius * Math.sin(angle);
    }
  }
}
