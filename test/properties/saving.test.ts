import fc from 'fast-check';
import { expect } from 'vitest';
import type { Dataset } from '../../lib/data/index.js';
import { Network, type Optimizer } from '../../lib/index.js';
import { expectSameBits, onBackends } from '../api/support.js';
import { given, holds, nonFinite } from './checking.js';
import { type Call, makeNetwork, makeOptimizer, type NetworkRecipe, namesOf, network, optimizer } from './recipes.js';
import { makeSamples, type SamplesRecipe, samples } from './samples.js';

/** All that training changes. */
function everything(of: Network, by: Optimizer): Float32Array[] {
  const moments = by.momentNames.length > 0 ? [...by.moments.values()] : [];
  return [...of.parameters, ...of.state, ...moments.map((value) => ({ value }))].map(({ value }) => value.slice());
}

/** What `Network.fromBytes` makes of a saved training, with an optimizer of the same options. */
function reloaded(bytes: Uint8Array, by: Call, saved: Network): [Network, Optimizer] {
  const { backend } = saved;
  const restored = makeOptimizer(by, namesOf(saved));
  return [Network.fromBytes(bytes, { backend, optimizer: restored }), restored];
}

/** One pass over the data in its order, from step `begin` to before `end`, as a loop of the caller's own. */
function loop(of: Network, by: Optimizer, data: Dataset, size: number, begin: number, end: number): number[] {
  const steps = Math.ceil(data.length / size);
  return Array.from({ length: end - begin }, (_, i) => {
    const from = ((begin + i) % steps) * size;
    return of.trainBatch(data.slice(from, Math.min(from + size, data.length)), undefined, by).loss;
  });
}

const training = { recipe: network(undefined, 5), by: optimizer, rows: samples, size: fc.integer({ min: 1, max: 15 }) };
const before = fc.integer({ min: 0, max: 4 });
const after = fc.integer({ min: 1, max: 4 });

onBackends('a network in a file', (backend) => {
  holds(
    'is the network: bytes, parameters, state, moments, predictions',
    60,
    fc.asyncProperty(fc.record(training), before, async ({ recipe, by, rows, size }, steps) => {
      using first = makeNetwork(recipe, backend);
      const trainer = makeOptimizer(by, namesOf(first));
      const data = makeSamples(rows, first, recipe.loss);
      const trained = await given(() => loop(first, trainer, data, size, 0, steps));
      if ('error' in trained) nonFinite(trained.error);
      for (const options of [{}, { optimizer: trainer }]) {
        const bytes = first.toBytes(options);
        const [second, restored] =
          'optimizer' in options ? reloaded(bytes, by, first) : [Network.fromBytes(bytes, { backend }), undefined];
        expect(Buffer.compare(second.toBytes(restored && { optimizer: restored }), bytes)).toBe(0);
        expect([...second.parameters, ...second.state].map(({ name, shape }) => [name, shape])).toEqual(
          [...first.parameters, ...first.state].map(({ name, shape }) => [name, shape]),
        );
        if (restored) {
          expectSameBits(everything(second, restored), everything(first, trainer));
          expect([restored.steps, restored.rateFactor]).toEqual([trainer.steps, trainer.rateFactor]);
        }
        expectSameBits([second.predict(data), second.forward(data)], [first.predict(data), first.forward(data)]);
        second.dispose();
      }
    }),
  );

  const interrupted = async (
    { recipe, by, rows }: { recipe: NetworkRecipe; by: Call; rows: SamplesRecipe },
    whole: (of: Network, by: Optimizer, data: Dataset) => unknown,
    halves: readonly ((of: Network, by: Optimizer, data: Dataset) => unknown)[],
  ) => {
    using first = makeNetwork(recipe, backend);
    const trainer = makeOptimizer(by, namesOf(first));
    const data = makeSamples(rows, first, recipe.loss);
    const expected = await given(() => whole(first, trainer, data));
    if ('error' in expected) return nonFinite(expected.error);
    let [second, restored] = [makeNetwork(recipe, backend), makeOptimizer(by, namesOf(first))];
    const losses: unknown[] = [];
    for (const half of halves) {
      losses.push(await half(second, restored, data));
      [second, restored] = reloaded(second.toBytes({ optimizer: restored }), by, second);
    }
    expect(losses.flat()).toEqual(expected.value);
    expectSameBits(everything(second, restored), everything(first, trainer));
    return 'same';
  };

  holds(
    'between two epochs goes on as if nothing had happened',
    50,
    fc.asyncProperty(
      fc.record(training),
      before,
      after,
      fc.constantFrom('shuffle', 'inOrder', 'withReplacement'),
      async (recipe, before, after, sampling) => {
        const train = (initialEpoch: number, epochs: number) => async (of: Network, by: Optimizer, data: Dataset) => {
          const history = await of.fit(data, { optimizer: by, epochs, initialEpoch, batchSize: recipe.size, sampling });
          return history.epochs.flatMap((epoch) => [epoch.epoch, epoch.learningRate, ...epoch.batchLosses]);
        };
        await interrupted(recipe, train(0, before + after), [train(0, before), train(before, after)]);
      },
    ),
  );

  holds(
    'between two steps goes on as if nothing had happened',
    50,
    fc.asyncProperty(fc.record(training), before, after, async (recipe, before, after) => {
      const part = (begin: number, end: number) => (of: Network, by: Optimizer, data: Dataset) =>
        loop(of, by, data, recipe.size, begin, end);
      await interrupted(recipe, part(0, before + after), [part(0, before), part(before, before + after)]);
    }),
  );
});
