import type { Results, Vector } from '../types.js';
import { placeInBlocks } from './dense.js';
import { threefry2x32 } from './special.js';

export type DropoutArguments = {
  x: Vector;
  n: number;
  threshold: number;
  scale: number;
  seed: number;
  stream: number;
  step: number;
};

export function dropoutForward({ x, n, threshold, scale, seed, stream, step }: DropoutArguments) {
  const y = new Float64Array(n);
  const mask = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const block = i >> 5;
    const words = threefry2x32([seed, stream], [block * 16 + (i & 15), step]);
    const word = (i & 16) === 0 ? words[0] : words[1];
    mask[i] = word < threshold ? 0 : Math.fround(scale);
    y[i] = x[i] * mask[i];
  }
  return { y, mask };
}

export type DropoutMaskArguments = Omit<DropoutArguments, 'x'>;

export function dropoutMask(a: DropoutMaskArguments): Results {
  const { mask } = dropoutForward({ ...a, x: new Float64Array(a.n) });
  return { mask };
}

export type MultiplyChannelsArguments = {
  x: Vector;
  factors: Vector;
  rows: number;
  pixels: number;
  channels: number;
};

export function multiplyChannels({ x, factors, pixels, channels }: MultiplyChannelsArguments): Results {
  const factor = (i: number) => factors[Math.floor(i / (pixels * channels)) * channels + (i % channels)];
  return { y: Float64Array.from(x, (value, i) => value * factor(i)) };
}

export type NoiseArguments = {
  x: Vector;
  n: number;
  deviation: number;
  seed: number;
  stream: number;
  step: number;
};

export function gaussianNoise({ x, n, deviation, seed, stream, step }: NoiseArguments): Results {
  const y = Float64Array.from({ length: n }, (_, i) => {
    const [first, second] = threefry2x32([seed, stream], [(i >> 5) * 16 + (i & 15), step]);
    const radius = Math.sqrt(-2 * Math.log((Math.floor(first / 2 ** 9) + 0.5) / 2 ** 23));
    const angle = (2 * Math.PI * Math.floor(second / 2 ** 6)) / 2 ** 26;
    return x[i] + deviation * radius * ((i & 16) === 0 ? Math.cos(angle) : Math.sin(angle));
  });
  return { y };
}

export type GatherArguments = {
  source: Vector;
  order: Vector;
  rows: number;
  features: number;
  sourceRows: number;
  scale: number;
  offset: number;
};

export function gatherBytes({ source, order, rows, features, scale, offset }: GatherArguments): Results {
  const x = new Float64Array(rows * features);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < features; j++) x[i * features + j] = source[order[i] * features + j] * scale + offset;
  }
  return { x };
}

export function gatherBytesParts({ parts, ...rest }: GatherArguments & { parts: number }): Results {
  const { rows, features } = rest;
  const [plain, place] = [gatherBytes(rest).x, placeInBlocks(rows, features, parts)];
  const x = new Float64Array(rows * features);
  for (let i = 0; i < rows; i++) for (let j = 0; j < features; j++) x[place(i, j)] = plain[i * features + j];
  return { x };
}

export function gatherFloats(a: GatherArguments): Results {
  const x = Float64Array.from(gatherBytes(a).x);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.features; j++) {
      if (!Number.isFinite(a.source[a.order[i] * a.features + j]))
        x.fill(Number.NaN, i * a.features, (i + 1) * a.features);
    }
  }
  return { x };
}

export type PermutationArguments = { n: number; seed: number; stream: number; epoch: number };

export function permutation({ n, seed, stream, epoch }: PermutationArguments): Results {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i >= 1; i--) {
    const q = n - 1 - i;
    const word = threefry2x32([seed, stream], [q >> 1, epoch])[q & 1];
    const j = Number((BigInt(word) * BigInt(i + 1)) >> 32n);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return { order };
}

export type DrawArguments = PermutationArguments & { sourceRows: number };

export function drawWithReplacement({ n, sourceRows, seed, stream, epoch }: DrawArguments): Results {
  const order = Float64Array.from({ length: n }, (_, i) => {
    const word = threefry2x32([seed, stream], [i >> 1, epoch])[i & 1];
    return Number((BigInt(word) * BigInt(sourceRows)) >> 32n);
  });
  return { order };
}
