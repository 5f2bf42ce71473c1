import { describe, expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import { tryNative } from '../../lib/backend/select.js';
import { Dataset } from '../../lib/data/index.js';
import {
  batchNorm,
  dense,
  dropout,
  type LayerSpec,
  type Loss,
  Network,
  type NetworkOptions,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';

export { expectError, expectRejection } from '../data/expect-error.js';

/** Why there is no native backend here; undefined where there is one. */
export function nativeMissing(): string | undefined {
  const result = tryNative();
  return 'error' in result ? result.error.message : undefined;
}

/**
 * Runs `suite` for each backend: the native one is skipped with a reason where it is absent, unless it is required.
 * BLASNET_TEST_TYPESCRIPT=0 skips the TypeScript one, in runs that are about native code or about the default backend.
 */
export function onBackends(name: string, suite: (backend: BackendName) => void): void {
  const skipped = process.env.BLASNET_TEST_TYPESCRIPT === '0';
  describe.skipIf(skipped)(`${name} (typescript)`, () => suite('typescript'));
  describeNative(name, () => suite('native'));
}

/** A suite that needs the native backend. */
export function describeNative(name: string, suite: () => void): void {
  const missing = nativeMissing();
  if (missing === undefined) {
    describe(`${name} (native)`, suite);
  } else if (process.env.BLASNET_REQUIRE_NATIVE === '1') {
    it(`${name}: has the native backend that BLASNET_REQUIRE_NATIVE=1 asks for`, () => expect.fail(missing));
  } else {
    console.warn(`${name} (native) skipped: ${missing}`);
    describe.skip(`${name} (native: not available here)`, () => it('runs', () => {}));
  }
}

/** Uniform numbers in [−1, 1), the same for the same seed. */
export function randomFloats(length: number, seed = 1): Float32Array {
  const random = new RandomStream(seed, 77);
  return Float32Array.from({ length }, () => 2 * random.uniform() - 1);
}

/** Rows whose class is given by the largest of the first `classes` features: something that a network can learn. */
export function classData(rows: number, features = 6, classes = 3, seed = 1): Dataset {
  const x = randomFloats(rows * features, seed);
  const labels = Int32Array.from({ length: rows }, (_, row) => {
    const own = x.subarray(row * features, row * features + classes);
    return own.indexOf(Math.max(...own));
  });
  return new Dataset({ features: x, shape: [features], labels, classes });
}

/** Rows with `outputs` smooth functions of the features as targets. */
export function valueData(rows: number, features = 4, outputs = 2, seed = 1): Dataset {
  const x = randomFloats(rows * features, seed);
  const targets = Float32Array.from({ length: rows * outputs }, (_, i) => {
    const [row, output] = [Math.floor(i / outputs), i % outputs];
    return Math.sin(2 * x[row * features + (output % features)]) + 0.5 * x[row * features];
  });
  return new Dataset({ features: x, shape: [features], targets, targetShape: [outputs] });
}

export const smallLayers = (): LayerSpec[] => [dense(8), relu(), dense(3)];
/** Layers of every family that training treats differently from inference. */
export const mixedLayers = (): LayerSpec[] => [dense(16), batchNorm(), relu(), dropout(0.25), dense(3)];

export function classifier(backend: BackendName, options: Partial<NetworkOptions> = {}): Network {
  return new Network({ input: [6], layers: smallLayers(), loss: softmaxCrossEntropy(), seed: 7, backend, ...options });
}

export function regressor(backend: BackendName, layers: LayerSpec[], loss: Loss, features = 4): Network {
  return new Network({ input: [features], layers, loss, seed: 11, backend });
}

/** All that training changes in a network, as one list of copies. */
export function weights(network: Network<string> | Network): Float32Array[] {
  return [...network.parameters, ...network.state].map((entry) => entry.value.slice());
}

export function expectFinite(network: Network): void {
  for (const { name, value } of [...network.parameters, ...network.state]) {
    expect(value.every(Number.isFinite), `${name} is finite`).toBe(true);
  }
}

export function expectSameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((block, i) => expect(Buffer.compare(bytesOf(block), bytesOf(expected[i])), `block ${i}`).toBe(0));
}

function bytesOf(block: Float32Array): Uint8Array {
  return new Uint8Array(block.slice().buffer);
}

/** Largest |a − b| / max(1, |b|) over two lists of blocks; NaN when one holds NaN. */
export function distance(actual: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let worst = 0;
  actual.forEach((block, i) =>
    block.forEach((value, j) => {
      const difference = Math.abs(value - expected[i][j]) / Math.max(1, Math.abs(expected[i][j]));
      if (!(difference <= worst)) worst = difference;
    }),
  );
  return worst;
}

/** An error of a promise that must be rejected. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  return expect.fail(`expected a rejection, got ${String(value)}`);
}
