import fc, { type Arbitrary } from 'fast-check';
import { expect } from 'vitest';
import { toPlain } from '../../lib/formats/plain.js';
import { BlasnetError, type LayerSpec, type Loss, Network, type Optimizer } from '../../lib/index.js';
import { nativeMissing } from '../api/support.js';
import { given, holds } from './checking.js';
import {
  Call,
  initializer,
  isPlain,
  layerTypes,
  loss,
  makeNetwork,
  makeOptimizer,
  namesOf,
  network,
  optimizer,
  regularizer,
  schedule,
  shape,
} from './recipes.js';
import { makeSamples, samples } from './samples.js';

const backend = nativeMissing() === undefined ? ('native' as const) : ('typescript' as const);

/** Values that no argument may be, and some that are right for some; none so large that memory for it could be had. */
const odd = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown[]>(
      undefined,
      null,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -1,
      0,
      0.5,
      1,
      2,
      '',
      'zeros',
      'same',
    ),
  },
  fc.constantFrom<unknown[]>(
    2 ** 31,
    2 ** 53,
    -(2 ** 40),
    1e300,
    5n,
    [],
    {},
    [0, 1],
    [[1, 2], [0]],
    { l1: -1, l2: 0 },
    /a/,
    Symbol('s'),
    () => 1,
  ),
  fc.integer({ min: -3, max: 20 }),
  fc.anything({
    maxDepth: 2,
    withNullPrototype: true,
    withBigInt: true,
    withTypedArray: true,
    withSparseArray: true,
    withMap: true,
  }),
  initializer,
  regularizer,
  schedule,
);
const optionNames = [
  'bias window stride padding weightInitializer biasInitializer regularizer name epsilon momentum gammaInitializer betaInitializer',
  'initialMean initialVariance evaluation training singleValue radius alpha beta initial slope labelSmoothing delta learningRate weightDecay groups clipValue',
  'clipNorm dampening nesterov initialAccumulator decay epsilonPlacement beta1 beta2 biasCorrection amsGrad match frozen unheardOf',
].flatMap((line) => line.split(' '));
const oddOptions = fc.dictionary(fc.constantFrom(...optionNames), odd, { maxKeys: 2 });

/** A call with an argument or an option spoilt. */
function spoilt(calls: Arbitrary<Call>): Arbitrary<Call> {
  return fc
    .tuple(calls, fc.nat(2), fc.oneof(odd, oddOptions), oddOptions, fc.boolean())
    .map(([{ name, args }, at, value, options, merge]) => {
      const last = args[args.length - 1];
      if (merge && isPlain(last)) return new Call(name, [...args.slice(0, -1), { ...last, ...options }]);
      const changed = [...args];
      changed[at] = value;
      return new Call(name, changed);
    });
}
const mostly = <T>(right: Arbitrary<T>, wrong: Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: wrong as Arbitrary<T> });
const anyLayer = fc.oneof(...Object.values(layerTypes));
const fields = fc
  .tuple(fc.constantFrom(...Object.keys(layerTypes)), oddOptions)
  .map(([type, options]) => ({ type, ...options }));

const anything = fc.record({
  input: mostly(shape as Arbitrary<unknown>, fc.oneof(odd, fc.array(odd, { maxLength: 4 }))),
  layers: mostly(
    fc.array(mostly(anyLayer as Arbitrary<unknown>, fc.oneof(spoilt(anyLayer), fields, odd)), {
      maxLength: 5,
    }) as Arbitrary<unknown>,
    odd,
  ),
  loss: mostly(loss as Arbitrary<unknown>, fc.oneof(spoilt(loss), odd)),
  regularizer: mostly(fc.constant(undefined) as Arbitrary<unknown>, fc.oneof(regularizer, spoilt(regularizer), odd)),
  seed: mostly(fc.nat() as Arbitrary<unknown>, odd),
});

function made(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(made);
  return value instanceof Call ? value.make() : value;
}

holds(
  'whatever a network is asked to be, it is made or refused with an error of the library',
  400,
  fc.asyncProperty(
    anything,
    mostly(optimizer as Arbitrary<unknown>, fc.oneof(spoilt(optimizer), odd)),
    odd,
    odd,
    async (recipe, by, x, y) => {
      const network = await given(() => {
        const options = Object.fromEntries(Object.entries(recipe).map(([key, value]) => [key, made(value)]));
        return new Network({ ...(options as { input: number[]; layers: LayerSpec[]; loss: Loss }), backend });
      });
      const trainer = await given(() => made(by) as Optimizer);
      if ('error' in network || 'error' in trainer) return;
      const { value } = network;
      const [input, output] = [value.input, value.output].map((sizes) => sizes.reduce((product, n) => product * n, 1));
      const numbers = new Float32Array(2 * input).fill(0.25);
      const targets = new Float32Array(2 * output).fill(0.25);
      await given(() => value.predict(x as Float32Array));
      await given(() => value.gradients(x as Float32Array, y as Float32Array));
      await given(() => value.trainBatch(numbers, y as Float32Array, trainer.value));
      await given(() => value.fit(x as never, { optimizer: trainer.value }));
      await given(() => value.trainBatch(numbers, targets, trainer.value));
      await given(() => value.toBytes({ optimizer: trainer.value }));
      value.dispose();
    },
  ),
);

holds(
  'a network that fits together predicts, evaluates, trains and is listed',
  150,
  fc.asyncProperty(
    network(),
    optimizer,
    samples,
    fc.integer({ min: 1, max: 15 }),
    async (recipe, by, rows, batchSize) => {
      using made = makeNetwork(recipe, backend);
      const data = makeSamples(rows, made, recipe.loss);
      const outputs = data.length * made.output.reduce((product, n) => product * n, 1);
      expect(made.predict(data)).toHaveLength(outputs);
      expect(made.forward(data, { training: true })).toHaveLength(outputs);
      const fitted = await given(() =>
        made.fit(data, { optimizer: makeOptimizer(by, namesOf(made)), batchSize, epochs: 2 }),
      );
      if ('error' in fitted) expect(fitted.error.code).toBe('NON_FINITE');
      else {
        const steps = Math.ceil(data.length / batchSize);
        // Batch norm may take a lone last row into the batch before it.
        const joins =
          steps > 1 && data.length % batchSize === 1 && made.layers.some(({ type }) => type === 'batchNorm');
        for (const { batchLosses } of fitted.value.epochs)
          expect(joins ? [steps, steps - 1] : [steps]).toContain(batchLosses.length);
      }
      for (const { name, value } of made.parameters) expect(value.every(Number.isFinite), name).toBe(true);
      expect(Number.isNaN((await made.evaluate(data)).loss)).toBe(false);
      expect(String(made.program)).toContain('bytes');
    },
  ),
);

/** What a call makes, in a form that can be compared; or the code of its error. */
function outcome(call: Call): unknown {
  try {
    const made = call.make<LayerSpec | Loss | Optimizer>();
    return toPlain('momentNames' in made ? made.options : { ...made });
  } catch (error) {
    return error instanceof BlasnetError ? error.code : expect.fail(String(error));
  }
}

holds(
  'an option that is undefined is as good as omitted',
  300,
  fc.property(fc.oneof(anyLayer, optimizer, loss), (call) => {
    const options = call.args.at(-1);
    if (!isPlain(options)) return;
    const before = outcome(call);
    for (const option of optionNames.filter((name) => !(name in options))) {
      const after = outcome(new Call(call.name, [...call.args.slice(0, -1), { ...options, [option]: undefined }]));
      if (after !== 'UNKNOWN_OPTION') expect(after, option).toEqual(before);
    }
  }),
);
