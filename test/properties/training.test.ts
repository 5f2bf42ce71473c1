import fc from 'fast-check';
import { expect } from 'vitest';
import type { Dataset } from '../../lib/data/index.js';
import type { BatchNormOptions, Network, Optimizer } from '../../lib/index.js';
import { expectSameBits, onBackends, weights } from '../api/support.js';
import { given, holds, nonFinite } from './checking.js';
import { makeNetwork, makeOptimizer, namesOf, network, optimizer } from './recipes.js';
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
function batches(of: Network, data: Dataset, size: number, epochs: number): Dataset[] {
  const whole = Math.ceil(data.length / size);
  // A lone last row joins the batch before it where a layer normalises by the batch.
  const lone = data.length % size === 1 && whole > 1 && joins.has(of);
  const steps = lone ? whole - 1 : whole;
  return Array.from({ length: epochs * steps }, (_, step) => {
    const index = step % steps;
    return data.slice(index * size, index === steps - 1 ? data.length : (index + 1) * size);
  });
}

/** The networks with batch norm that normalises by the batch. */
const joins = new WeakSet<Network>();

/**
 * The same training, as a run, as a stream, and as loops of the caller's own; schedules by epoch would see other epochs
 * in these.
 */
const ways: Readonly<Record<string, Way>> = {
  fit: async (of, by, data, batchSize, epochs) => {
    const history = await of.fit(data, { optimizer: by, batchSize, epochs, sampling: 'inOrder' });
    return history.epochs.flatMap(({ batchLosses }) => [...batchLosses]);
  },
  'fit of a stream': async (of, by, data, size, epochs) => {
    const history = await of.fit(batches(of, data, size, 1), { optimizer: by, epochs });
    return history.epochs.flatMap(({ batchLosses }) => [...batchLosses]);
  },
  trainBatch: async (of, by, data, size, epochs) =>
    batches(of, data, size, epochs).map((batch) => of.trainBatch(batch, undefined, by).loss),
  'gradients and applyGradients': async (of, by, data, size, epochs) =>
    batches(of, data, size, epochs).map((batch) => {
      const { loss } = of.gradients(batch, undefined, by);
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
        const norms = recipe.layers.filter(({ name }) => name === 'batchNorm');
        if (norms.some(({ args }) => (args[0] as BatchNormOptions).training !== 'running')) joins.add(made);
        const data = makeSamples(rows, made, recipe.loss);
        const result = await given(() =>
          train(made, makeOptimizer(by, namesOf(made)), data, size, byEpoch ? 1 : epochs),
        );
        // Where a run stops when numbers become too large is another matter.
        if ('error' in result) return void nonFinite(result.error);
        expected ??= { losses: result.value, bits: weights(made) };
        expect(result.value, name).toEqual(expected.losses);
        expectSameBits(weights(made), expected.bits);
      }
    }),
  );
});
