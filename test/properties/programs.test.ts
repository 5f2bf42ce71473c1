import fc from 'fast-check';
import { expect } from 'vitest';
import type { LayerSpec, Loss, Regularizer } from '../../lib/index.js';
import { compile, hasUpdate, type Program, type ProgramKind } from '../../lib/program/compile.js';
import { buildModel } from '../../lib/program/model.js';
import { lifetimes, sharing } from '../program/lifetimes.js';
import { hasLoss, kernelsOf, kinds, request } from '../program/support.js';
import { findRace } from '../program/threads.js';
import { holds } from './checking.js';
import { Call, makeOptimizer, type NetworkRecipe, network, optimizer } from './recipes.js';

function compiled(
  recipe: NetworkRecipe,
  by: Call,
  kind: ProgramKind,
  capacity: number,
  { bytes, rewrite, threads }: { bytes: boolean; rewrite: boolean; threads: number },
) {
  const loss = recipe.loss.make<Loss>();
  const model = buildModel({
    input: recipe.input,
    layers: recipe.layers.map((layer) => layer.make<LayerSpec>()),
    loss,
    regularizer: recipe.regularizer?.make<Regularizer>(),
    seed: recipe.seed,
  });
  const goals = hasLoss(kind) ? [{ target: loss.targets[0], weighted: false }] : [];
  const updates = hasUpdate(kind);
  const changes = { features: [bytes ? 'u8' : 'f32'], goals, rewrite, threads } as const;
  return compile(model, request(kind, capacity, changes), updates ? makeOptimizer(by) : undefined);
}

/** As many threads as a program is made for; any number where it is made for one. */
const threadsOf = (of: Program, others: number) => (of.threads > 1 ? of.threads : others);

const program = {
  recipe: network(),
  by: optimizer,
  kind: fc.constantFrom(...kinds),
  bytes: fc.boolean(),
  rewrite: fc.boolean(),
};

holds(
  'no two tensors of a program that are alive at once share memory, and all lie in its work memory',
  300,
  // Large batches are what lets tensors share memory; compiling takes none.
  fc.property(
    fc.record(program),
    fc.constantFrom(1, 32, 1000, 20_000, 300_000),
    fc.integer({ min: 1, max: 4 }),
    ({ recipe, by, kind, bytes, rewrite }, capacity, threads) => {
      const of = compiled(recipe, by, kind, capacity, { bytes, rewrite, threads });
      expect(sharing(of).atOnce).toEqual([]);
      for (const { tensor, end } of lifetimes(of)) {
        expect(tensor.offset % 16, tensor.name).toBe(0);
        expect(tensor.offset).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(of.workLength);
      }
    },
  ),
);

holds(
  'no thread touches what another one writes before a barrier',
  120,
  fc.property(
    fc.record(program),
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 2, max: 4 }),
    ({ recipe, by, kind, bytes, rewrite }, capacity, threads) => {
      const of = compiled(recipe, by, kind, capacity, { bytes, rewrite, threads });
      const race = findRace(of, threadsOf(of, threads), [capacity, capacity, Math.ceil(capacity / 3)]);
      expect(race, kernelsOf(of.instructions).join(' ')).toBeUndefined();
    },
  ),
);

// Large tensors share memory, in places that overlap by a part: only rows of the same tensor are then a thread's own.
const wide = fc.constantFrom(520, 640, 768, 1024);
const wideLayer = fc.oneof(
  wide.map((units) => new Call('dense', [units, { bias: false }])),
  fc.constantFrom('gelu', 'relu', 'batchNorm', 'silu').map((name) => new Call(name, [])),
);
holds(
  'nor where tensors share memory',
  60,
  fc.property(
    fc.record({ input: fc.tuple(wide), layers: fc.array(wideLayer, { minLength: 3, maxLength: 12 }), by: optimizer }),
    fc.constantFrom(...kinds),
    fc.integer({ min: 2, max: 3 }),
    ({ input, layers, by }, kind, threads) => {
      const recipe = { input, layers, loss: new Call('meanSquaredError', []), regularizer: undefined, seed: 1 };
      const of = compiled(recipe, by, kind, 512, { bytes: false, rewrite: true, threads });
      expect(findRace(of, threadsOf(of, threads), [512, 512]), kernelsOf(of.instructions).join(' ')).toBeUndefined();
    },
  ),
);
