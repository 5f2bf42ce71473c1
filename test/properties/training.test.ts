import fc from 'fast-check';
import { expect } from 'vitest';
import type { Dataset } from '../../lib/data/index.js';
import type { Network, Optimizer } from '../../lib/index.js';
import { expectSameBits, onBackends, weights } from '../api/support.js';
import { given, holds, nonFinite } from './checking.js';
import { makeNetwork, makeOptimizer, network, optimizer } from './recipes.js';
import { makeSamples, samples } from './samples.js';

const training = fc.record({
  recipe: network(undefined, 5),
  by: optimizer,
  rows: samples,
  size: fc.integer({ min: 1, max: 15 }),
  epochs: fc.integer({ min: 1, max: 3 }),
});
type Way = (of: Network, by: Optimizer, data: Dataset, size: number, epochs: number) => Promise<unknown>;

/** The batches of some epochs, in the order of the rows. */
function batches(data: Dataset, size: number, epochs: number): Dataset[] {
  const steps = Math.ceil(data.length / size);
  return Array.from({ length: epochs * steps }, (_, step) => {
    const begin = (step % steps) * size;
    return data.slice(begin, Math.min(begin + size, data.length));
  });
}

/** The same training, as a run, as a stream, and as loops of the caller's own; schedules by epoch would see other epochs in these. */
const ways: Readonly<Record<string, Way>> = {
  fit: async (of, by, data, batchSize, epochs) => {
    const history = await of.fit(data, { optimizer: by, batchSize, epochs, sampling: 'inOrder' });
    return history.epochs.flatMap(({ batchLosses }) => [...batchLosses]);
  },
  'fit of a stream': async (of, by, data, size, epochs) => {
    const history = await of.fit(batches(data, size, 1), { optimizer: by, epochs });
    return history.epochs.flatMap(({ batchLosses }) => [...batchLosses]);
  },
  trainBatch: async (of, by, data, size, epochs) =>
    batches(data, size, epochs).map((batch) => of.trainBatch(batch, undefined, by).loss),
  'gradients and applyGradients': async (of, by, data, size, epochs) =>
    batches(data, size, epochs).map((batch) => {
      const { loss } = of.gradients(batch);
      of.applyGradients(by);
      return loss;
    }),
};

onBackends('the ways to train', (backend) => {
  holds(
    'give the same bits',
    50,
    fc.asyncProperty(training, async ({ recipe, by, rows, size, epochs }) => {
      const byEpoch = /epoch|exponential|stepDecay|inverseTime/.test(fc.stringify(by));
      let expected: { losses: unknown; bits: Float32Array[] } | undefined;
      for (const [name, train] of Object.entries(ways)) {
        using made = makeNetwork(recipe, backend);
        const data = makeSamples(rows, made, recipe.loss);
        const result = await given(() => train(made, makeOptimizer(by), data, size, byEpoch ? 1 : epochs));
        // Where a run stops when numbers become too large is another matter.
        if ('error' in result) return void nonFinite(result.error);
        expected ??= { losses: result.value, bits: weights(made) };
        expect(result.value, name).toEqual(expected.losses);
        expectSameBits(weights(made), expected.bits);
      }
    }),
  );
});
