import fc, { type Arbitrary } from 'fast-check';
import type { LayerSpec, Loss, Optimizer, Regularizer } from '../../lib/index.js';
import * as blasnet from '../../lib/index.js';
import { createOperation } from '../../lib/layers/layer.js';
import { elements } from '../../lib/program/instructions.js';

/** A call of a public function, or of a constructor: what fails is printed as the code that makes it. */
export class Call {
  readonly name: string;
  readonly args: readonly unknown[];

  constructor(name: string, args: readonly unknown[]) {
    this.name = name;
    this.args = args;
  }

  make<T>(): T {
    const made = (blasnet as Record<string, unknown>)[this.name] as (...args: unknown[]) => T;
    const args = this.args.map(built);
    return /^[A-Z]/.test(this.name) ? Reflect.construct(made, args) : made(...args);
  }

  [fc.toStringMethod](): string {
    return `${/^[A-Z]/.test(this.name) ? 'new ' : ''}${this.name}(${this.args.map((arg) => fc.stringify(arg)).join(', ')})`;
  }
}

/** A record of options: the ones drawn here have no prototype, those that are merged have the usual one. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  return [null, Object.prototype].includes(Object.getPrototypeOf(value));
}

/** A value with every call in it made. */
function built(value: unknown): unknown {
  if (value instanceof Call) return value.make();
  if (Array.isArray(value)) return value.map(built);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, built(entry)]));
}

const int = (min: number, max: number) => fc.integer({ min, max });
/** Numbers with few digits: they shrink and print well. */
const real = (min: number, max: number) => int(0, 100).map((n) => min + ((max - min) * n) / 100);
const options = <T extends object>(model: { [K in keyof T]: Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] });
const call = (name: string, ...args: Arbitrary<unknown>[]) => fc.tuple(...args).map((values) => new Call(name, values));
const bool = fc.boolean();

export const initializer = fc.oneof(
  fc.constantFrom(
    'zeros',
    'ones',
    'glorotNormal',
    'glorotUniform',
    'xavierNormal',
    'xavierUniform',
    'heNormal',
    'heUniform',
  ),
  fc.constantFrom('lecunNormal', 'lecunUniform'),
  real(-1, 1),
  call('constant', real(-1, 1)),
  call('uniform', fc.record({ min: real(-1, 0), max: real(0, 1) })),
  call('normal', options({ mean: real(-1, 1), std: real(0, 1) })),
);
export const regularizer = fc.oneof(
  call('l1', real(0, 0.1)),
  call('l2', real(0, 0.1)),
  call('l1l2', fc.record({ l1: real(0, 0.1), l2: real(0, 0.1) })),
);

const size = (max: number) => fc.oneof(int(1, max), fc.tuple(int(1, max), int(1, max)));
const padding = fc.oneof(
  fc.constantFrom('same', 'valid'),
  int(0, 2),
  fc.tuple(int(0, 2), int(0, 2)),
  fc.tuple(fc.tuple(int(0, 2), int(0, 2)), fc.tuple(int(0, 2), int(0, 2))),
);
const name = fc.constantFrom('a', 'b', 'hidden', 'last');
const weights = { bias: bool, weightInitializer: initializer, biasInitializer: initializer, regularizer, name };
const sliding = { ...weights, window: size(4), stride: size(3), padding };
const pooling = options({ stride: size(3), padding, name });

const normOptions = options({
  epsilon: fc.constantFrom(1e-5, 1e-3),
  affine: bool,
  gammaInitializer: initializer,
  betaInitializer: initializer,
  name,
});

/** Layers that are the identity in evaluation. */
const random = ['dropout', 'spatialDropout2d', 'gaussianNoise'];

/** One layer of each type, with options of all kinds. */
export const layerTypes: Readonly<Record<string, Arbitrary<Call>>> = {
  // Wide ones too: threads share units in runs of sixteen.
  dense: call(
    'dense',
    fc.oneof({ weight: 3, arbitrary: int(1, 12) }, { weight: 1, arbitrary: int(13, 70) }),
    options(weights),
  ),
  conv2d: call('conv2d', int(1, 6), options({ ...sliding, dilation: size(3) })),
  // Groups that divide the filters; networks leave the layer out where they don't divide the channels.
  groupedConv2d: fc
    .tuple(fc.constantFrom(2, 3), int(1, 6), options({ ...sliding, dilation: size(3) }))
    .map(([groups, filters, given]) => new Call('conv2d', [groups * filters, { ...given, groups }])),
  depthwiseConv2d: call('depthwiseConv2d', options({ ...sliding, dilation: size(3), multiplier: int(1, 3) })),
  separableConv2d: call(
    'separableConv2d',
    int(1, 6),
    options({
      ...{ window: size(4), stride: size(3), padding, dilation: size(3), multiplier: int(1, 3), name },
      ...{ bias: bool, biasInitializer: initializer, regularizer },
      ...{ depthwiseInitializer: initializer, pointwiseInitializer: initializer },
    }),
  ),
  convTranspose2d: call('convTranspose2d', int(1, 6), options(sliding)),
  maxPool2d: call('maxPool2d', size(3), pooling),
  avgPool2d: call('avgPool2d', size(3), pooling),
  globalAvgPool2d: call('globalAvgPool2d'),
  globalMaxPool2d: call('globalMaxPool2d'),
  flatten: call('flatten', options({ name })),
  // Batches of one row are among the samples.
  batchNorm: call(
    'batchNorm',
    fc.record(
      {
        singleValue: fc.constant('allow'),
        epsilon: fc.constantFrom(1e-5, 1e-3),
        momentum: real(0, 1),
        gammaInitializer: initializer,
        betaInitializer: initializer,
        initialMean: real(-1, 1),
        training: fc.constantFrom('batch', 'running'),
        initialVariance: real(0, 2),
        evaluation: fc.constantFrom('running', 'batch'),
        name,
      },
      { requiredKeys: ['singleValue'] },
    ),
  ),
  localResponseNorm: call(
    'localResponseNorm',
    options({ radius: int(0, 4), bias: real(0.5, 2.5), alpha: real(0, 0.5), beta: real(0, 1) }),
  ),
  layerNorm: call('layerNorm', normOptions),
  groupNorm: call('groupNorm', int(1, 4), normOptions),
  instanceNorm: call('instanceNorm', normOptions),
  prelu: call('prelu', options({ initial: real(-0.5, 0.5), name })),
  dropout: call('dropout', real(0, 0.9)),
  spatialDropout2d: call('spatialDropout2d', real(0, 0.9)),
  gaussianNoise: call('gaussianNoise', real(0, 0.5)),
  leakyRelu: call('leakyRelu', options({ slope: real(0, 1) })),
  elu: call('elu', options({ alpha: real(0, 2) })),
  ...Object.fromEntries(
    [
      ...['identity', 'relu', 'selu', 'gelu', 'silu', 'sigmoid', 'tanh', 'softplus', 'softmax'],
      ...['relu6', 'hardSigmoid', 'hardSwish', 'mish', 'softsign', 'logSoftmax'],
    ].map((type) => [type, call(type)]),
  ),
};

export const shape = fc.oneof(
  fc.tuple(int(1, 20)),
  fc.tuple(int(1, 9), int(1, 9), int(1, 4)),
  fc.tuple(int(1, 5), int(1, 5)),
) as Arbitrary<number[]>;

export const loss = fc.oneof(
  call('softmaxCrossEntropy', options({ labelSmoothing: real(0, 0.9) })),
  call('huber', options({ delta: real(0.1, 2) })),
  fc
    .constantFrom('binaryCrossEntropy', 'meanSquaredError', 'halfSquaredError', 'meanAbsoluteError')
    .map((kind) => new Call(kind, [])),
);

export interface NetworkRecipe {
  readonly input: number[];
  readonly layers: readonly Call[];
  readonly loss: Call;
  readonly regularizer: Call | undefined;
  readonly seed: number;
}

const LARGEST_SAMPLE = 1500;

/** The layers that fit on each other: a flatten goes in where one is missing, what does not fit at all is omitted. */
function fitting(input: number[], layers: readonly Call[]): Call[] {
  const names = new Set<string>();
  const fit: Call[] = [];
  let current: readonly number[] = input;
  const add = (layer: Call) => {
    const spec = layer.make<LayerSpec>();
    if (spec.name !== undefined && names.has(spec.name)) return;
    const { output } = createOperation(spec, [current]);
    if (elements(output) > LARGEST_SAMPLE) return;
    if (spec.name !== undefined) names.add(spec.name);
    current = output;
    fit.push(layer);
  };
  for (const layer of layers) {
    try {
      // Over one number it is constant, which a network refuses.
      if (layer.name === 'softmax' && elements(current) === 1) continue;
      if ((layer.name === 'dense' || layer.name === 'softmax') && current.length > 1) add(new Call('flatten', []));
      add(layer);
    } catch (error) {
      if (!(error instanceof blasnet.BlasnetError)) throw error;
    }
  }
  return fit.length > 0 ? fit : [new Call('flatten', [])];
}

/**
 * The recipe with a last layer that goes with its loss: a cross-entropy takes over its own activation, and wants no
 * other.
 */
function withLastLayer(recipe: NetworkRecipe): NetworkRecipe {
  const { name, args } = recipe.loss;
  const activation = { softmaxCrossEntropy: 'softmax', binaryCrossEntropy: 'sigmoid' }[name];
  if (activation === undefined) return recipe;
  const { layers } = recipe;
  const last = layers.findLast((layer) => !['identity', 'flatten', ...random].includes(layer.name))?.name;
  if (last !== 'sigmoid' && last !== 'softmax') return recipe;
  const passing = layers.slice(layers.findLastIndex((layer) => layer.name === last) + 1);
  if (last === activation && passing.every((layer) => !random.includes(layer.name))) {
    return { ...recipe, loss: new Call(name, [{ ...(args[0] as object), fromLogits: false }]) };
  }
  return { ...recipe, loss: new Call('meanSquaredError', []) };
}

/** A network that fits together, of layers of the given types. */
export function network(types: readonly string[] = Object.keys(layerTypes), longest = 7): Arbitrary<NetworkRecipe> {
  // Most of what can go wrong has to do with parameters.
  const heavy = ['dense', 'conv2d', 'groupedConv2d', 'depthwiseConv2d', 'batchNorm', 'layerNorm', 'groupNorm', 'prelu'];
  const layer = fc.oneof(
    ...types.map((type) => ({ weight: heavy.includes(type) ? 4 : 1, arbitrary: layerTypes[type] })),
  );
  return fc
    .record({
      input: shape,
      layers: fc.array(layer, { minLength: 1, maxLength: longest }),
      loss,
      regularizer: fc.option(regularizer, { nil: undefined }),
      seed: fc.nat(),
    })
    .map((recipe) => withLastLayer({ ...recipe, layers: fitting(recipe.input, recipe.layers) }));
}

const rate = real(0.001, 0.1);
export const schedule = fc.oneof(
  rate,
  call('constantRate', rate),
  call('inverseTime', fc.record({ initial: rate, rate: real(0, 1) })),
  call('exponential', fc.record({ initial: rate, factor: real(0.5, 1) })),
  call('stepDecay', fc.record({ initial: rate, factor: real(0.5, 1), interval: int(1, 3) })),
  call(
    'piecewise',
    fc.record({
      boundaries: fc.constant([1, 3]),
      values: fc.tuple(rate, rate, rate),
      by: fc.constantFrom('epoch', 'step'),
    }),
  ),
  call('cosine', fc.record({ initial: rate, steps: int(1, 10) })),
  call(
    'warmUp',
    fc.record({ after: call('cosine', fc.record({ initial: rate, epochs: int(1, 5) })), steps: int(1, 5) }),
  ),
  call('oneCycle', fc.record({ max: rate, steps: int(2, 12) })),
);
/** Frozen, or with settings of its own; patterns, so that any network has parameters for it, or none. */
const group = fc
  .tuple(
    fc.constantFrom(/weight$/, /bias/, /^0\./, /gamma|beta/, /^[2-9]/),
    fc.oneof(fc.constant({ frozen: true }), options({ learningRate: schedule, weightDecay: real(0, 0.1) })),
  )
  .map(([match, settings]) => ({ match, ...settings }));
const common = {
  learningRate: schedule,
  weightDecay: real(0, 0.1),
  clipValue: real(0.01, 1),
  clipNorm: real(0.01, 1),
  groups: fc.array(group, { maxLength: 3 }),
  averageWeights: options({ decay: real(0, 0.99), warmUp: bool }),
};
const beta = real(0, 0.99);
const adam = { ...common, beta1: beta, beta2: beta, epsilon: real(1e-6, 1e-3) };
const placements = fc.oneof(
  fc.constant({}),
  fc.constant({ biasCorrection: false }),
  fc.constant({ epsilonPlacement: 'rawRoot' }),
  options({ epsilonPlacement: fc.constantFrom('outside', 'inside'), biasCorrection: bool }),
);
const withPlacement = (model: Arbitrary<object>) => fc.tuple(model, placements).map(([a, b]) => ({ ...a, ...b }));

export const optimizer = fc.oneof(
  call('Sgd', options(common)),
  call(
    'Sgd',
    fc.record(
      { ...common, momentum: real(0.1, 0.9), dampening: real(0, 1), nesterov: bool },
      { requiredKeys: ['momentum'] },
    ),
  ),
  call('AdaGrad', options({ ...common, initialAccumulator: real(0, 1), epsilon: real(1e-6, 1e-3) })),
  call(
    'RmsProp',
    options({
      ...common,
      decay: beta,
      epsilon: real(1e-6, 1e-3),
      epsilonPlacement: fc.constantFrom('outside', 'inside'),
      momentum: beta,
    }),
  ),
  call('Adam', withPlacement(options({ ...adam, amsGrad: bool }))),
  call('AdamW', withPlacement(options(adam))),
  call('AdaDelta', options({ ...common, decay: beta, epsilon: real(1e-6, 1e-3) })),
  call('Adamax', options(adam)),
  call('Nadam', options({ ...adam, momentumDecay: real(0, 0.1) })),
  call('Lion', options({ ...common, beta1: beta, beta2: beta })),
  call(
    'Muon',
    options({ ...common, momentum: beta, nesterov: bool, adamW: options({ learningRate: schedule, beta1: beta }) }),
  ),
);

export function makeNetwork(recipe: NetworkRecipe, backend: blasnet.BackendName): blasnet.Network {
  return new blasnet.Network({
    input: recipe.input,
    layers: recipe.layers.map((layer) => layer.make<LayerSpec>()),
    loss: recipe.loss.make<Loss>(),
    ...(recipe.regularizer && { regularizer: recipe.regularizer.make<Regularizer>() }),
    seed: recipe.seed,
    backend,
  });
}

/**
 * The optimizer of a recipe, without the groups that match none of the parameters of `names`, which a network refuses.
 */
export function makeOptimizer({ name, args: [given, ...rest] }: Call, names: readonly string[] = []): Optimizer {
  const { groups = [], ...others } = (given ?? {}) as { groups?: { match: RegExp }[] };
  const kept = groups.filter(({ match }) => names.length === 0 || names.some((parameter) => match.test(parameter)));
  return new Call(name, [{ ...others, groups: kept }, ...rest]).make<Optimizer>();
}

/** Names of a network's parameters; one that stands for none where it has none. */
export function namesOf(network: { parameters: readonly { name: string }[] }): string[] {
  return network.parameters.length === 0 ? [''] : network.parameters.map(({ name }) => name);
}
