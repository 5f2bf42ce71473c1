import type { Results, Vector } from '../types.js';
import { threefry2x32 } from './special.js';

type Draws = { seed: number; stream: number; step: number };
type Images = { x: Vector; rows: number; height: number; width: number; channels: number } & Draws;

export type ShiftArguments = Images & { vertical: number; horizontal: number; fill: number };
export type FlipArguments = Images & { vertical: boolean; probability: number };
export type RotateArguments = Images & { angle: number; fill: number };
export type CutArguments = Images & { cutHeight: number; cutWidth: number; fill: number };
export type MixArguments = { x: Vector; rows: number; features: number; alpha: number } & Draws;

export const wordsOf = ({ seed, stream, step }: Draws, counter: number) =>
  threefry2x32([seed, stream], [counter, step]);
const below = (word: number, bound: number) => Number((BigInt(word) * BigInt(bound)) >> 32n);
const unit = (word: number) => (word + 0.5) / 4294967296;

/** Computes each output number by its row and pixel from a function that reads the image there, or `fill` outside. */
function eachPixel(
  a: Images & { fill?: number },
  value: (at: (y: number, x: number) => number, y: number, x: number, row: number) => number,
): Results {
  const { x, rows, height, width, channels } = a;
  const y = new Float64Array(rows * height * width * channels);
  const fill = Math.fround(a.fill ?? Number.NaN);
  for (let i = 0; i < y.length; i++) {
    const c = i % channels;
    const column = Math.floor(i / channels) % width;
    const line = Math.floor(i / (channels * width)) % height;
    const row = Math.floor(i / (channels * width * height));
    const at = (v: number, u: number) => {
      const inside = v >= 0 && v < height && u >= 0 && u < width;
      return inside ? x[((row * height + v) * width + u) * channels + c] : fill;
    };
    y[i] = value(at, line, column, row);
  }
  return { y };
}

export function shiftImages(a: ShiftArguments): Results {
  return eachPixel(a, (at, y, x, row) => {
    const [first, second] = wordsOf(a, row);
    const down = below(first, 2 * a.vertical + 1) - a.vertical;
    const right = below(second, 2 * a.horizontal + 1) - a.horizontal;
    return at(y - down, x - right);
  });
}

export function flipImages(a: FlipArguments): Results {
  return eachPixel(a, (at, y, x, row) => {
    if (wordsOf(a, row)[0] / 4294967296 >= a.probability) return at(y, x);
    return a.vertical ? at(a.height - 1 - y, x) : at(y, a.width - 1 - x);
  });
}

export function rotateImages(a: RotateArguments): Results {
  const [cy, cx] = [(a.height - 1) / 2, (a.width - 1) / 2];
  return eachPixel(a, (at, y, x, row) => {
    const theta = a.angle * (2 * unit(wordsOf(a, row)[0]) - 1);
    // The place in the image that turns to (y, x), and a tent of width 1 around it.
    const v = cy + Math.sin(theta) * (x - cx) + Math.cos(theta) * (y - cy);
    const u = cx + Math.cos(theta) * (x - cx) - Math.sin(theta) * (y - cy);
    let sum = 0;
    for (const j of [Math.floor(v), Math.floor(v) + 1]) {
      for (const i of [Math.floor(u), Math.floor(u) + 1])
        sum += at(j, i) * (1 - Math.abs(v - j)) * (1 - Math.abs(u - i));
    }
    return sum;
  });
}

export function cutImages(a: CutArguments): Results {
  return eachPixel(a, (at, y, x, row) => {
    const [first, second] = wordsOf(a, row);
    const top = below(first, a.height) - Math.floor(a.cutHeight / 2);
    const left = below(second, a.width) - Math.floor(a.cutWidth / 2);
    const cut = y >= top && y < top + a.cutHeight && x >= left && x < left + a.cutWidth;
    return cut ? Math.fround(a.fill) : at(y, x);
  });
}

/** Bailey's Student's t of 2 alpha degrees of freedom, and what makes a symmetric beta of it. */
export function lambdaOf(a: MixArguments, row: number): number {
  const [first, second] = wordsOf(a, row);
  const nu = 2 * a.alpha;
  const t = Math.sqrt(nu * Math.expm1((-2 / nu) * Math.log(unit(first)))) * Math.cos(2 * Math.PI * unit(second));
  if (!Number.isFinite(t)) return t > 0 ? 1 : 0;
  return (1 + t / Math.hypot(Math.sqrt(nu), t)) / 2;
}

export function mixRows(a: MixArguments): Results {
  const { x, rows, features } = a;
  const shift = rows > 1 ? 1 + below(wordsOf(a, 0xffffffff)[0], rows - 1) : 0;
  const y = new Float64Array(rows * features);
  for (let row = 0; row < rows; row++) {
    const lambda = lambdaOf(a, row);
    const partner = (row + shift) % rows;
    for (let j = 0; j < features; j++)
      y[row * features + j] = lambda * x[row * features + j] + (1 - lambda) * x[partner * features + j];
  }
  return { y };
}
