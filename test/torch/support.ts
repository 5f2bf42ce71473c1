import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BackendName } from '../../lib/backend/backend.js';
import { decodeSafetensors, type StoredTensor } from '../../lib/formats/safetensors.js';
import {
  avgPool2d,
  batchNorm,
  conv2d,
  dense,
  dropout,
  elu,
  flatten,
  gelu,
  globalAvgPool2d,
  type LayerSpec,
  leakyRelu,
  localResponseNorm,
  maxPool2d,
  meanSquaredError,
  Network,
  prelu,
  relu,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  tanh,
} from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';

/** Written by `python3 sequentials.py make fixtures`. */
export const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));

/** The Sequentials of sequentials.py, under the same names. */
export const models: Readonly<Record<string, { readonly input: readonly number[]; readonly layers: readonly LayerSpec[] }>> = {
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
  pooled: {
    input: [8, 5, 1],
    layers: [
      conv2d(6, { window: 3 }),
      silu(),
      maxPool2d(3, { stride: 2, padding: 1 }),
      conv2d(4, { window: 2 }),
      relu(),
      globalAvgPool2d(),
      // Nothing to do behind it; it has the number of PyTorch's.
      flatten(),
      dense(3),
    ],
  },
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

export function labels(tensors: ReadonlyMap<string, StoredTensor>): Int32Array {
  return Int32Array.from(new BigInt64Array(tensor(tensors, 'labels', 'I64').bytes.slice().buffer), Number);
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
    throw new Error(`expected ${expected.length} numbers within ${tolerance}, got ${actual.length} within ${Math.max(...gaps)}`);
  }
}
