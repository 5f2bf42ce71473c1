import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BackendName } from '../../lib/backend/backend.js';
import { decodeSafetensors, type StoredTensor } from '../../lib/formats/safetensors.js';
import {
  avgPool2d,
  batchNorm,
  conv2d,
  convTranspose2d,
  dense,
  depthwiseConv2d,
  dropout,
  elu,
  embedding,
  flatten,
  gelu,
  globalAvgPool2d,
  globalMaxPool2d,
  groupNorm,
  hardSigmoid,
  hardSwish,
  instanceNorm,
  type LayerSpec,
  layerNorm,
  leakyRelu,
  localResponseNorm,
  logSoftmax,
  maxPool2d,
  meanSquaredError,
  mish,
  Network,
  prelu,
  relu,
  relu6,
  selu,
  separableConv2d,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  spatialDropout2d,
  tanh,
} from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';

/** Written by `python3 sequentials.py make fixtures`. */
export const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** The Sequentials of sequentials.py, under the same names. */
export const models: Readonly<
  Record<string, { readonly input: readonly number[]; readonly layers: readonly LayerSpec[] }>
> = {
  mlp: {
    input: [5],
    layers: [dense(7), tanh(), dense(6, { bias: false }), gelu(), dense(6), softmax(), dense(3)],
  },
  norm: {
    input: [6],
    layers: [
      dense(8, { bias: false }),
      batchNorm({ epsilon: 1e-3 }),
      relu(),
      dropout(0.3),
      dense(5),
      prelu(),
      batchNorm({ momentum: 0.8 }),
      sigmoid(),
      dense(3),
    ],
  },
  convnet: {
    input: [9, 8, 2],
    layers: [
      conv2d(4, { window: [3, 2], stride: [1, 2], padding: 1, bias: false }),
      batchNorm(),
      leakyRelu({ slope: 0.1 }),
      maxPool2d(2),
      conv2d(5, { window: 3, padding: 'same' }),
      prelu(),
      flatten(),
      dropout(0.5),
      batchNorm(),
      dense(6),
      elu({ alpha: 0.7 }),
      dense(3),
    ],
  },
  nested: {
    input: [6, 7, 3],
    layers: [
      conv2d(4, { window: 3, padding: [2, 1] }),
      selu(),
      // PyTorch's `alpha` is divided by the number of channels that count.
      localResponseNorm({ radius: 1, bias: 1, alpha: 0.3 / 3, beta: 0.75 }),
      avgPool2d([2, 3]),
      flatten(),
      dense(5),
      softplus(),
      dense(2),
    ],
  },
  grouped: {
    input: [9, 10, 4],
    layers: [
      conv2d(6, { window: [3, 2], groups: 2, dilation: [2, 1], padding: [2, 1] }),
      tanh(),
      depthwiseConv2d({ stride: [2, 1], padding: 1, multiplier: 3 }),
      relu(),
      conv2d(5, { window: 2, dilation: [1, 3], bias: false }),
      batchNorm(),
      convTranspose2d(4, { window: [3, 4], stride: [2, 3], padding: [0, 1], outputPadding: [1, 2] }),
      tanh(),
      separableConv2d(6, { window: 3, stride: 2, padding: 1, multiplier: 2, dilation: [1, 2] }),
      relu(),
      conv2d(6, { window: 1, groups: 6 }),
      globalAvgPool2d(),
      flatten(),
      dense(3),
    ],
  },
  pooled: {
    input: [8, 5, 1],
    layers: [
      conv2d(6, { window: 3 }),
      silu(),
      maxPool2d(3, { stride: 2, padding: 1 }),
      conv2d(4, { window: 2 }),
      relu(),
      globalAvgPool2d(),
      // Nothing to do after it; it has the number of PyTorch's.
      flatten(),
      dense(3),
    ],
  },
  norms: {
    input: [6, 5, 2],
    layers: [
      conv2d(6, { window: 3, padding: 1 }),
      groupNorm(3),
      hardSwish(),
      spatialDropout2d(0.2),
      instanceNorm({ affine: false }),
      conv2d(4, { window: 2 }),
      instanceNorm({ epsilon: 1e-3 }),
      relu6(),
      flatten(),
      layerNorm(),
      dense(5),
      mish(),
      layerNorm({ affine: false }),
      dense(4),
      hardSigmoid(),
      softsign(),
      dense(3),
      logSoftmax(),
    ],
  },
  maxima: {
    input: [8, 5, 1],
    layers: [conv2d(4, { window: 3 }), groupNorm(1, { epsilon: 1e-2 }), mish(), globalMaxPool2d(), flatten(), dense(3)],
  },
  words: { input: [3], layers: [embedding(7, 4), flatten(), dense(5), tanh(), dense(3)] },
};

export function networkOf(name: string, backend: BackendName): Network {
  const { input, layers } = models[name];
  return new Network({ input, layers, loss: meanSquaredError(), seed: 3, backend });
}

export function read(file: string): ReadonlyMap<string, StoredTensor> {
  return decodeSafetensors(new Uint8Array(readFileSync(join(fixtures, file))), file).tensors;
}

function tensor(tensors: ReadonlyMap<string, StoredTensor>, name: string, dtype: string): StoredTensor {
  const found = tensors.get(name);
  if (found?.dtype !== dtype) throw new Error(`expected ${name} of dtype ${dtype}, got ${found?.dtype ?? 'none'}`);
  return found;
}

export function floats(tensors: ReadonlyMap<string, StoredTensor>, name: string): Float32Array {
  return new Float32Array(tensor(tensors, name, 'F32').bytes.slice().buffer);
}

export function labels(tensors: ReadonlyMap<string, StoredTensor>, name = 'labels'): Int32Array {
  return Int32Array.from(new BigInt64Array(tensor(tensors, name, 'I64').bytes.slice().buffer), Number);
}

/** Each sample as a matrix of so many columns, transposed. */
function transposed(x: Float32Array, size: number, columns: number): Float32Array {
  const rows = size / columns;
  return x.map((_, i) => {
    const [sample, row, column] = [Math.floor(i / size), Math.floor((i % size) / columns), i % columns];
    return x[sample * size + column * rows + row];
  });
}

/** Samples in PyTorch's layout, images channels first, in ours: channels last. `input` is a sample's shape for us. */
export function channelsLast(x: Float32Array, input: readonly number[]): Float32Array {
  return transposed(x, elements(input), input.at(-1) as number);
}

/** The way back. */
export function channelsFirst(x: Float32Array, input: readonly number[]): Float32Array {
  return transposed(x, elements(input), elements(input) / (input.at(-1) as number));
}

export function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  const gaps = Array.from(actual, (value, i) => Math.abs(value - expected[i]) / Math.max(1, Math.abs(expected[i])));
  if (actual.length !== expected.length || !(Math.max(...gaps) <= tolerance)) {
    throw new Error(
      `expected ${expected.length} numbers within ${tolerance}, got ${actual.length} within ${Math.max(...gaps)}`,
    );
  }
}
