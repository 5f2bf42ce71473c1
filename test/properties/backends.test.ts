import fc from 'fast-check';
import { expect } from 'vitest';
import type { Backend } from '../../lib/backend/backend.js';
import { tryNative, typescript } from '../../lib/backend/select.js';
import type { Dataset } from '../../lib/data/index.js';
import type { LayerSpec, Loss, Regularizer } from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';
import { buildModel } from '../../lib/program/model.js';
import { RandomStream } from '../../lib/random.js';
import { fromDataset } from '../../lib/runtime/dataset-inputs.js';
import { Engine } from '../../lib/runtime/engine.js';
import { describeNative, expectSameBits } from '../api/support.js';
import { holds } from './checking.js';
import { Call, makeOptimizer, type NetworkRecipe, network, optimizer } from './recipes.js';
import { makeSamples, type SamplesRecipe, samples } from './samples.js';

interface Example {
  readonly recipe: NetworkRecipe;
  readonly by: Call;
  readonly rows: SamplesRecipe;
  /** Rows of a batch. */
  readonly size: number;
  readonly epochs: number;
}

/**
 * The backend with work that is one thread's split into so many shares; what is compiled for several has its own
 * number.
 */
function inShares(backend: Backend, threads: number): Backend {
  return {
    ...backend,
    load(program, memory) {
      const executable = backend.load(program, memory);
      if (program.threads > 1) return executable;
      return {
        runSync: (request) => executable.runSync({ ...request, threads }),
        run: (request, control) => executable.run({ ...request, threads }, control),
      };
    },
  };
}

/** About one unit in the last place. */
const JITTER = 2 ** -23;

/** Changes each number by a rounding error; zeros stay zeros, as they do in a network's arithmetic. */
function jitter(block: Float32Array, random: RandomStream): void {
  block.forEach((value, i) => {
    block[i] = value * (1 + JITTER * (2 * random.uniform() - 1));
  });
}

type Results = Readonly<Record<string, Float32Array>>;

/**
 * All that a network computes, and what training makes of it. `shaken`: number of a variant with other rounding errors.
 */
function computed({ recipe, by, rows, size, epochs }: Example, backend: Backend, shaken = 0): Results {
  const model = buildModel({
    input: recipe.input,
    layers: recipe.layers.map((layer) => layer.make<LayerSpec>()),
    loss: recipe.loss.make<Loss>(),
    regularizer: recipe.regularizer?.make<Regularizer>(),
    seed: recipe.seed,
  });
  const engine = new Engine(model, backend);
  const [input, output] = [model.inputs[0].shape, model.outputs[0].shape];
  const data: Dataset = makeSamples(rows, { input, output }, recipe.loss);
  if (shaken > 0) {
    const random = new RandomStream(shaken, 79);
    for (const block of [engine.parameters, engine.state, data.features])
      if (block instanceof Float32Array) jitter(block, random);
  }
  const source = fromDataset('data', model, data, true);
  const results: Record<string, Float32Array> = {};
  for (const kind of ['forward', 'predict'] as const) {
    results[kind] = new Float32Array(rows.rows * elements(output));
    engine.runSync({ kind, source: { ...source, goals: [] }, batchSize: size, results: { output: results[kind] } });
  }
  engine.runSync({ kind: 'evaluate', source, batchSize: size });
  results['evaluation loss'] = Float32Array.of(engine.metric[0]);
  const before = engine.state.slice();
  const inputGradient = new Float32Array(rows.rows * elements(input));
  engine.runSync({ kind: 'gradients', source, batchSize: rows.rows, results: { inputGradient } });
  Object.assign(results, { 'training loss': Float32Array.of(engine.metric[0]), 'input gradient': inputGradient });
  for (const [name, { tensor }] of model.parameters) {
    results[`gradient of ${name}`] = engine.gradients.slice(tensor.offset, tensor.offset + tensor.fixed);
  }
  engine.state.set(before);
  const trainer = makeOptimizer(by, [...engine.model.parameters.keys(), '']);
  engine.attach(trainer);
  const perEpoch = Math.ceil(rows.rows / size);
  const scalars = new Float64Array(epochs * perEpoch * trainer.scalarCount);
  for (let step = 0; step < epochs * perEpoch; step++) {
    trainer.writeScalars(scalars, step * trainer.scalarCount, { step, epoch: Math.floor(step / perEpoch) });
  }
  engine.runSync({ kind: 'train', source, batchSize: size, epochs, sampling: 'shuffle', optimizer: trainer, scalars });
  for (const [name, { tensor }] of model.parameters) {
    results[`${name} after training`] = engine.parameters.slice(tensor.offset, tensor.offset + tensor.fixed);
  }
  for (const [name, { tensor }] of model.state) {
    results[`${name} after training`] = engine.state.slice(tensor.offset, tensor.offset + tensor.fixed);
  }
  engine.dispose();
  return results;
}

const largest = (block: Float32Array) => block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const apart = (a: Float32Array, b: Float32Array) => {
  // Infinities of the same sign are as near as numbers can be; a NaN is near to none but NaN.
  const gaps = a.map((value, i) => (Object.is(value, b[i]) || value === b[i] ? 0 : Math.abs(value - b[i])));
  return gaps.some(Number.isNaN) ? Number.POSITIVE_INFINITY : largest(gaps);
};

/** Networks differ in how much they make of a rounding error; this many variants tell how much. */
const VARIANTS = 4;

/**
 * Holds results to the TypeScript backend's: within the tolerance of a sum of some hundred products of order 1
 * (test/conformance/tolerances.ts), or what errors of one unit in the last place of inputs and weights do to them.
 */
function expectClose(example: Example, reference: Results, candidates: Readonly<Record<string, Results>>): void {
  let spread: Readonly<Record<string, number>> | undefined;
  for (const [who, results] of Object.entries(candidates)) {
    for (const [what, block] of Object.entries(results)) {
      const allowed = 2e-5 * Math.max(1, largest(reference[what]));
      const gap = apart(block, reference[what]);
      if (gap <= allowed) continue;
      spread ??= spreadOf(example, reference);
      expect(gap, `${who}: ${what}: distance from TypeScript`).toBeLessThanOrEqual(allowed + 16 * spread[what]);
    }
  }
}

function spreadOf(example: Example, reference: Results): Record<string, number> {
  const variants = Array.from({ length: VARIANTS }, (_, i) => computed(example, typescript(), i + 1));
  return Object.fromEntries(
    Object.keys(reference).map((what) => [
      what,
      Math.max(...variants.map((variant) => apart(variant[what], reference[what]))),
    ]),
  );
}

/**
 * Adaptive rules divide a gradient by its own size, and batch norm a feature by its deviation: what is nothing but
 * rounding errors would come out as large as anything else. A larger epsilon keeps it small.
 */
function steadied(call: Call): Call {
  const [options] = call.args as [Record<string, unknown>];
  // What these take from a gradient is a direction, that of rounding errors too: their steps are as small as those.
  if (['Lion', 'Muon'].includes(call.name)) {
    const adamW = call.name === 'Muon' ? { adamW: { learningRate: 1e-3, epsilon: 0.1 } } : {};
    return new Call(call.name, [{ ...options, learningRate: 1e-7, groups: [], ...adamW }]);
  }
  const adaptive = ['AdaDelta', 'AdaGrad', 'RmsProp', 'Adam', 'Adamax', 'AdamW', 'Nadam'];
  if (call.name !== 'batchNorm' && !adaptive.includes(call.name)) return call;
  return new Call(call.name, [{ ...options, epsilon: 0.1 }]);
}

const examples = (smallest: number, longest: number) =>
  fc.record({
    recipe: network(undefined, 6).map((recipe) => ({ ...recipe, layers: recipe.layers.map(steadied) })),
    by: optimizer.map(steadied),
    rows: samples,
    size: fc.integer({ min: smallest, max: 15 }),
    epochs: fc.integer({ min: 1, max: longest }),
  });

/** A test of the native backend with its work in each of these numbers of shares. */
function agrees(name: string, runs: number, counts: readonly number[], examples: fc.Arbitrary<Example>): void {
  holds(
    name,
    runs,
    fc.property(examples, (example) => {
      const result = tryNative();
      if ('error' in result) throw result.error;
      const native = (shares: number) => computed(example, inShares(result.backend, shares));
      const results = Object.fromEntries(counts.map((shares) => [`${shares} shares`, native(shares)]));
      expectClose(example, computed(example, typescript()), results);
      for (const shares of counts) {
        expectSameBits(Object.values(native(shares)), Object.values(results[`${shares} shares`]));
      }
    }),
  );
}

describeNative('the native backend', () => {
  agrees(
    'computes and learns what the TypeScript backend does, with the same bits each time',
    120,
    [1],
    examples(1, 3),
  );
  // Few steps: threads that wait for each other take long where other processes have the cores.
  agrees('does so when threads share the work', 10, [2, 3], examples(7, 1));
});
