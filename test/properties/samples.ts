import fc, { type Arbitrary } from 'fast-check';
import { Dataset } from '../../lib/data/index.js';
import type { Network } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import type { Call } from './recipes.js';

/** Data for a network: how many rows, of which kinds, drawn from which seed. */
export interface SamplesRecipe {
  readonly rows: number;
  readonly seed: number;
  readonly bytes: boolean;
  readonly labels: boolean;
}

export const samples: Arbitrary<SamplesRecipe> = fc.record({
  rows: fc.integer({ min: 1, max: 13 }),
  seed: fc.nat(1000),
  bytes: fc.boolean(),
  labels: fc.boolean(),
});

/** A dataset that the network can be trained on. */
export function makeSamples(
  { rows, seed, bytes, labels }: SamplesRecipe,
  network: Pick<Network, 'input' | 'output'>,
  loss: Call,
): Dataset {
  const random = new RandomStream(seed, 78);
  const count = rows * network.input.reduce((product, n) => product * n, 1);
  const outputs = network.output.reduce((product, n) => product * n, 1);
  const features = bytes
    ? { features: Uint8Array.from({ length: count }, () => random.below(256)), scale: 1 / 128, offset: -1 }
    : { features: Float32Array.from({ length: count }, () => 2 * random.uniform() - 1) };
  const classes = loss.name === 'softmaxCrossEntropy';
  const binary = loss.name === 'binaryCrossEntropy';
  if (labels && (classes || (binary && outputs === 1))) {
    const limit = binary ? 2 : outputs;
    return new Dataset({
      ...features,
      shape: network.input,
      labels: Int32Array.from({ length: rows }, () => random.below(limit)),
    });
  }
  const targets = Float32Array.from({ length: rows * outputs }, () =>
    classes || binary ? random.uniform() : 2 * random.uniform() - 1,
  );
  // Rows of probabilities.
  for (let row = 0; classes && row < rows; row++) {
    const own = targets.subarray(row * outputs, (row + 1) * outputs);
    const sum = own.reduce((total, value) => total + value, 0);
    own.forEach((value, i) => {
      own[i] = value / sum;
    });
  }
  return new Dataset({ ...features, shape: network.input, targets, targetShape: [outputs] });
}
