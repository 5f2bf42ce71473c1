/**
 * Random changes of a batch before the first layer. Row i draws from counter (i, step), so the draws depend on neither
 * batch nor threads.
 */
import { multiplyHigh, threefry } from '../random.js';
import { flag, float, input, kernel, out, precise, size, word } from './signature.js';

/** A batch of images, and what is made of it. */
const images = (alias: readonly string[] = []) =>
  [
    out('y', ['rows', 'height', 'width', 'channels'], { alias }),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    size('height'),
    size('width'),
    size('channels'),
  ] as const;
const draws = () => [word('seed'), word('stream'), word('step')] as const;

export const augmentKernels = {
  shiftImages: kernel('rows', ...images(), size('vertical'), size('horizontal'), float('fill'), ...draws()),
  flipImages: kernel('rows', ...images(), flag('vertical'), precise('probability'), ...draws()),
  rotateImages: kernel('rows', ...images(), precise('angle'), float('fill'), ...draws()),
  cutImages: kernel('rows', ...images(['x']), size('cutHeight'), size('cutWidth'), float('fill'), ...draws()),
  // Mixes each row with another one of the batch. Calls with the same draws mix the same rows alike.
  mixRows: kernel(
    'rows',
    out('y', ['rows', 'features']),
    input('x', ['rows', 'features'], { whole: true }),
    size('rows'),
    size('features'),
    precise('alpha'),
    ...draws(),
  ),
} as const;

const words = new Uint32Array(2);

/** Counter of what is drawn once for the whole batch: no row has it. */
const WHOLE_BATCH = 2 ** 32 - 1;

function draw(seed: number, stream: number, step: number, counter: number): void {
  threefry(words, 0, seed | 0, stream | 0, counter | 0, step | 0);
}

/** A random word in (0, 1). */
const unit = (word: number) => (word + 0.5) / 2 ** 32;

/** y = x moved by dy, dx pixels, uniform in −vertical … vertical and −horizontal … horizontal. */
export function shiftImages(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  height: number,
  width: number,
  channels: number,
  vertical: number,
  horizontal: number,
  fill: number,
  seed: number,
  stream: number,
  step: number,
): void {
  const line = width * channels;
  for (let row = 0; row < rows; row++) {
    draw(seed, stream, step, row);
    const down = multiplyHigh(words[0], 2 * vertical + 1) - vertical;
    const right = multiplyHigh(words[1], 2 * horizontal + 1) - horizontal;
    // The part of a line that comes from the image.
    const begin = Math.min(width, Math.max(0, right)) * channels;
    const end = Math.max(0, Math.min(width, width + right)) * channels;
    for (let i = 0; i < height; i++) {
      const to = (row * height + i) * line;
      const from = (row * height + i - down) * line - right * channels;
      if (i - down < 0 || i - down >= height || begin >= end) {
        y.fill(fill, to, to + line);
        continue;
      }
      y.fill(fill, to, to + begin);
      for (let j = begin; j < end; j++) y[to + j] = x[from + j];
      y.fill(fill, to + end, to + line);
    }
  }
}

/** y = x, mirrored with the given probability: upside down (`vertical`), or left to right. */
export function flipImages(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  height: number,
  width: number,
  channels: number,
  vertical: number,
  probability: number,
  seed: number,
  stream: number,
  step: number,
): void {
  const line = width * channels;
  const size = height * line;
  for (let row = 0; row < rows; row++) {
    draw(seed, stream, step, row);
    const flipped = words[0] < probability * 2 ** 32;
    for (let i = 0; i < height; i++) {
      const to = row * size + i * line;
      const from = row * size + (flipped && vertical ? height - 1 - i : i) * line;
      if (!flipped || vertical) {
        for (let j = 0; j < line; j++) y[to + j] = x[from + j];
        continue;
      }
      for (let j = 0; j < width; j++) {
        const other = from + (width - 1 - j) * channels;
        for (let c = 0; c < channels; c++) y[to + j * channels + c] = x[other + c];
      }
    }
  }
}

/** y = x turned about its centre by an angle uniform in −angle … angle (radians, counter-clockwise), bilinear. */
export function rotateImages(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  height: number,
  width: number,
  channels: number,
  angle: number,
  fill: number,
  seed: number,
  stream: number,
  step: number,
): void {
  const middleY = (height - 1) / 2;
  const middleX = (width - 1) / 2;
  const line = width * channels;
  for (let row = 0, at = 0; row < rows; row++) {
    draw(seed, stream, step, row);
    const theta = angle * (2 * unit(words[0]) - 1);
    const cos = Math.cos(theta);
    const sin = Math.sin(theta);
    const image = row * height * line;
    for (let i = 0; i < height; i++) {
      const startY = middleY + cos * (i - middleY);
      const startX = middleX - sin * (i - middleY);
      for (let j = 0; j < width; j++) {
        const sourceY = startY + sin * (j - middleX);
        const sourceX = startX + cos * (j - middleX);
        const top = Math.floor(sourceY);
        const left = Math.floor(sourceX);
        const fy = sourceY - top;
        const fx = sourceX - left;
        const upperIn = top >= 0 && top < height;
        const lowerIn = top >= -1 && top < height - 1;
        const leftIn = left >= 0 && left < width;
        const rightIn = left >= -1 && left < width - 1;
        const corner = image + top * line + left * channels;
        for (let c = corner; c < corner + channels; c++, at++) {
          const a = upperIn && leftIn ? x[c] : fill;
          const b = upperIn && rightIn ? x[c + channels] : fill;
          const d = lowerIn && leftIn ? x[c + line] : fill;
          const e = lowerIn && rightIn ? x[c + line + channels] : fill;
          y[at] = (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * d + fx * e);
        }
      }
    }
  }
}

/** y = x with a rectangle set to `fill`, whose middle is uniform over the pixels; y may be x. */
export function cutImages(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  height: number,
  width: number,
  channels: number,
  cutHeight: number,
  cutWidth: number,
  fill: number,
  seed: number,
  stream: number,
  step: number,
): void {
  const line = width * channels;
  if (y !== x) y.set(x.subarray(0, rows * height * line));
  for (let row = 0; row < rows; row++) {
    draw(seed, stream, step, row);
    const top = multiplyHigh(words[0], height) - Math.floor(cutHeight / 2);
    const left = multiplyHigh(words[1], width) - Math.floor(cutWidth / 2);
    const begin = Math.max(0, left) * channels;
    const end = Math.min(width, left + cutWidth) * channels;
    for (let i = Math.max(0, top); i < Math.min(height, top + cutHeight); i++) {
      const at = (row * height + i) * line;
      y.fill(fill, at + begin, at + end);
    }
  }
}

/**
 * y_i = λ_i x_i + (1 − λ_i) x_k, where k = (i + shift) mod rows with one shift for the batch, and λ_i ~ Beta(alpha,
 * alpha). The formula turns Bailey's form of Student's t (1994) into a symmetric beta.
 */
export function mixRows(
  y: Float32Array,
  x: Float32Array,
  rows: number,
  features: number,
  alpha: number,
  seed: number,
  stream: number,
  step: number,
): void {
  draw(seed, stream, step, WHOLE_BATCH);
  const shift = rows > 1 ? 1 + multiplyHigh(words[0], rows - 1) : 0;
  for (let row = 0; row < rows; row++) {
    draw(seed, stream, step, row);
    const exponent = Math.log(unit(words[0])) / alpha;
    const [power, rest] = [Math.exp(exponent), -Math.expm1(exponent)];
    const cos = Math.cos(2 * Math.PI * unit(words[1]));
    const lambda = Math.fround(0.5 + (0.5 * cos * Math.sqrt(rest)) / Math.sqrt(power + rest * cos * cos));
    const own = row * features;
    const partner = ((row + shift) % rows) * features;
    for (let j = 0; j < features; j++) y[own + j] = lambda * x[own + j] + (1 - lambda) * x[partner + j];
  }
}
