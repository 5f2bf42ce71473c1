import { expect, it } from 'vitest';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  constantRate,
  conv2d,
  convTranspose2d,
  cosine,
  dense,
  depthwiseConv2d,
  dropout,
  elu,
  exponential,
  flatten,
  gaussianNoise,
  gelu,
  globalAvgPool2d,
  groupNorm,
  halfSquaredError,
  hardSigmoid,
  hardSwish,
  huber,
  identity,
  instanceNorm,
  inverseTime,
  type LayerSpec,
  Lion,
  type Loss,
  l1,
  l1l2,
  layerNorm,
  leakyRelu,
  localResponseNorm,
  logSoftmax,
  Muon,
  maxPool2d,
  meanAbsoluteError,
  meanSquaredError,
  mish,
  Nadam,
  Network,
  type NetworkOptions,
  type Optimizer,
  oneCycle,
  piecewise,
  prelu,
  RmsProp,
  relu,
  relu6,
  type Schedule,
  Sgd,
  selu,
  separableConv2d,
  sigmoid,
  silu,
  softmax,
  softmaxCrossEntropy,
  softplus,
  softsign,
  spatialDropout2d,
  stepDecay,
  tanh,
  uniform,
  warmUp,
} from '../../lib/index.js';
import {
  classData,
  expectError,
  expectSameBits,
  mixedLayers,
  onBackends,
  randomFloats,
  weights,
} from '../api/support.js';
import { withSection } from './support.js';

const images: LayerSpec[] = [
  conv2d(4, {
    window: [3, 2],
    stride: [1, 2],
    padding: [
      [0, 1],
      [1, 2],
    ],
    bias: false,
    weightInitializer: uniform(),
  }),
  batchNorm({ momentum: 0.8, epsilon: 1e-3, evaluation: 'batch', gammaInitializer: 0.5, initialVariance: 2 }),
  prelu({ initial: 0.1, name: 'slopes' }),
  maxPool2d(2, { stride: 1, padding: 'same' }),
  localResponseNorm({ radius: 1, bias: 1, alpha: 0.1, beta: 0.5 }),
  conv2d(3, { padding: 'same', regularizer: l1(0.01) }),
  conv2d(6, { groups: 3, dilation: [1, 2], padding: 2 }),
  depthwiseConv2d({ multiplier: 2, stride: [1, 2], padding: 'same', weightInitializer: uniform() }),
  separableConv2d(4, { window: [1, 2], padding: 1, depthwiseInitializer: 'ones', pointwiseInitializer: 0.3 }),
  convTranspose2d(6, { stride: [1, 2], padding: [0, 1], outputPadding: [0, 1], biasInitializer: 0.2 }),
  instanceNorm({ affine: false, epsilon: 1e-3 }),
  spatialDropout2d(0.25),
  layerNorm({ name: 'pixels', betaInitializer: 0.1 }),
  groupNorm(3, { gammaInitializer: 0.7 }),
  avgPool2d([2, 1]),
  leakyRelu({ slope: 0.2 }),
  globalAvgPool2d({ name: 'pool' }),
  dense(3, { biasInitializer: 'ones', name: 'last' }),
];
const activations = [
  ...[identity, relu, selu, gelu, silu, sigmoid, tanh, softplus, elu],
  ...[relu6, hardSigmoid, hardSwish, mish, softsign, logSoftmax, layerNorm],
].map((layer) => layer());
const flats: LayerSpec[] = [
  flatten(),
  dense(5),
  ...activations,
  elu({ alpha: 0.5 }),
  dropout(0.5),
  gaussianNoise(0.1),
  dense(3),
  softmax(),
  dense(3),
];
const losses: Loss[] = [
  softmaxCrossEntropy(),
  softmaxCrossEntropy({ labelSmoothing: 0.1 }),
  binaryCrossEntropy(),
  meanSquaredError(),
  halfSquaredError(),
  meanAbsoluteError(),
  huber({ delta: 0.3 }),
];
const schedules: Schedule[] = [
  constantRate(0.1),
  inverseTime({ initial: 1, rate: 0.5, interval: 2 }),
  exponential({ initial: 1, factor: 0.9 }),
  stepDecay({ initial: 1, factor: 0.5, interval: 3 }),
  piecewise({ boundaries: [2, 4], values: [1, 0.5, 0.1], by: 'step' }),
  cosine({ initial: 1, epochs: 9 }),
  warmUp({ steps: 3, after: warmUp({ epochs: 1, after: 0.5 }) }),
  oneCycle({ max: 1, steps: 20 }),
];
const optimizers: Optimizer[] = [
  new Sgd(),
  new Sgd({ momentum: 0.9, dampening: 0.1, clipNorm: 1, clipValue: 0.5, weightDecay: 0.01 }),
  new AdaGrad({ initialAccumulator: 0.2 }),
  new RmsProp({ momentum: 0.5, decay: 0.8, epsilonPlacement: 'inside' }),
  new Adam({
    beta1: 0.8,
    amsGrad: true,
    groups: [
      { match: '0', learningRate: 0.1 },
      { match: '1.beta', frozen: true },
    ],
  }),
  new Adam({ epsilonPlacement: 'rawRoot', epsilon: 1e-7 }),
  new AdaDelta({ decay: 0.8, averageWeights: { decay: 0.5, warmUp: false } }),
  new Adamax({ beta2: 0.9, averageWeights: {} }),
  new Nadam({ momentumDecay: 0.01 }),
  new Lion({ beta1: 0.8, weightDecay: 0.1, clipNorm: 1 }),
  new Muon({
    nesterov: false,
    averageWeights: {},
    groups: [
      { match: '0', learningRate: 0.1 },
      { match: '1.beta', frozen: true },
    ],
    adamW: { learningRate: schedules[6], beta2: 0.9, epsilonPlacement: 'inside' },
  }),
  new AdamW({ biasCorrection: false, groups: [{ match: '0.bias', weightDecay: 0, learningRate: schedules[5] }] }),
];

onBackends('a network saved and loaded', (backend) => {
  const network = (options: Partial<NetworkOptions> = {}) =>
    new Network({ input: [6], layers: mixedLayers(), loss: softmaxCrossEntropy(), seed: 3, backend, ...options });

  it.each([
    ['images', images],
    ['everything else', flats],
  ])('is the same: layers of %s', (_, layers) => {
    const saved = network({ input: [6, 5, 2], layers, regularizer: l1l2({ l1: 0.1, l2: 0.2 }) });
    for (const [i, { value }] of [...saved.parameters, ...saved.state].entries())
      value.set(randomFloats(value.length, i).map(Math.abs));
    saved.parameters[0].value.set([Number.NaN, Number.POSITIVE_INFINITY, -0]);
    const bytes = saved.toBytes();
    const loaded = Network.fromBytes(bytes, { backend });
    expect(loaded.toBytes()).toEqual(bytes);
    expectSameBits(weights(loaded), weights(saved));
    expect(loaded.parameters.map(({ name, shape }) => [name, shape])).toEqual(
      saved.parameters.map(({ name, shape }) => [name, shape]),
    );
    expect([loaded.seed, loaded.backend, loaded.input, loaded.output]).toEqual([3, backend, saved.input, saved.output]);
    for (const each of [saved, loaded]) each.parameters[0].value.fill(0.01);
    const x = randomFloats(4 * 60);
    expectSameBits([loaded.predict(x)], [saved.predict(x)]);
    const y = [0, 1, 2, 1];
    expect(loaded.gradients(x, y).loss, 'with penalties and masks').toBe(saved.gradients(x, y).loss);
  });

  it('has its weights whatever the rule is called that drew them', () => {
    const saved = network({ layers: [dense(2, { weightInitializer: 'lecunNormal' })] });
    const bytes = withSection(saved.toBytes(), 'network', (section) => {
      return JSON.parse(JSON.stringify(section).replace('lecunNormal', 'xavierNormal'));
    });
    const loaded = Network.fromBytes(bytes, { backend });
    expectSameBits(weights(loaded), weights(saved));
    expect(Buffer.from(loaded.toBytes()).includes('xavierNormal')).toBe(true);
  });

  it.each(losses.map((loss): [string, Loss] => [`${loss.kind} ${JSON.stringify(loss.options)}`, loss]))(
    'has its loss: %s',
    (_, loss) => {
      const saved = network({ loss, layers: [dense(2)] });
      const loaded = Network.fromBytes(saved.toBytes(), { backend });
      const [x, y] = [
        randomFloats(12),
        [
          [0, 1],
          [0.5, 0.5],
        ],
      ];
      expect(loaded.gradients(x, y).loss).toBe(saved.gradients(x, y).loss);
      expectSameBits([loaded.predict(x)], [saved.predict(x)]);
    },
  );

  it('has a loss of the caller’s own when that is given again', () => {
    const own: Loss = { ...meanSquaredError(), kind: 'own' };
    const bytes = network({ loss: own }).toBytes();
    expect(Network.fromBytes(bytes, { backend, loss: own }).toBytes()).toEqual(bytes);
    expectError(
      () => Network.fromBytes(bytes, { backend }),
      'INVALID_ARGUMENT',
      /^bytes: its loss is of kind "own".*give that loss as `loss`/,
    );
    expectError(
      () => Network.fromBytes(bytes, { backend, loss: huber() }),
      'INVALID_ARGUMENT',
      /of kind "own", not of kind "huber"/,
    );
  });
});

/** Trains, saves, loads, and trains both the saved and the loaded. */
function goOn(make: () => Optimizer): void {
  const data = classData(40);
  const train = (network: Network, optimizer: Optimizer) => {
    for (let i = 0; i < 10; i++) network.trainBatch(data.slice(4 * i, 4 * i + 4), undefined, optimizer);
  };
  const whole = new Network({
    input: [6],
    layers: mixedLayers(),
    loss: softmaxCrossEntropy(),
    seed: 3,
    backend: 'typescript',
  });
  const optimizer = make();
  train(whole, optimizer);
  optimizer.rateFactor = 0.5;
  const bytes = whole.toBytes({ optimizer });
  const other = make();
  const loaded = Network.fromBytes(bytes, { backend: 'typescript', optimizer: other });
  expect(other.steps).toBe(10);
  expect(loaded.toBytes({ optimizer: other })).toEqual(bytes);
  train(whole, optimizer);
  train(loaded, other);
  expectSameBits(weights(loaded), weights(whole));
}

it.each(optimizers.map((optimizer): [string, Optimizer] => [optimizer.kind, optimizer]))(
  'training goes on: %s',
  (_, { options, constructor }) => {
    const make = () => new (constructor as new (options: object) => Optimizer)(options);
    expect(make().options).toEqual(options);
    goOn(make);
  },
);

it.each([/bias/g, (name: string) => name.endsWith('bias')])(
  'training goes on with what no file can hold: %s',
  (match) => {
    const make = () =>
      new Sgd({ momentum: 0.9, learningRate: ({ step }) => 0.1 / (1 + step), groups: [{ match, weightDecay: 0.1 }] });
    goOn(make);
  },
);

/** A section of the metadata with the value at a path, such as 'layers.0.units', replaced; undefined removes it. */
function withValue(bytes: Uint8Array, section: string, path: string, value: unknown): Uint8Array {
  return withSection(bytes, section, (root) => {
    if (path === '') return value;
    const keys = path.split('.');
    const last = keys.pop() as string;
    const holder = keys.reduce((object, key) => object[key] as Record<string, unknown>, root);
    holder[last] = value;
    return root;
  });
}

it.each<[string, string, unknown, RegExp]>([
  ['network', '', 3, /network: section: expected an object, got 3/],
  ['network', '', null, /network: section: expected an object, got null/],
  ['network', '', [], /network: section: expected an object, got \[\]/],
  ['network', 'more', 1, /unknown option "more"/],
  ['network', 'seed', -1, /seed/],
  ['network', 'input', [], /input/],
  ['network', 'input', Array(65).fill(1), /input: expected a list of at most 64/],
  ['network', 'layers', {}, /layers: expected a list/],
  ['network', 'layers', [], /layers: expected a non-empty list/],
  ['network', 'layers', [null], /layers\[0\]: expected an object/],
  ['network', 'layers.0', { initializer: 'heNormal' }, /layers\[0\]/],
  ['network', 'layers.0', { function: true }, /layers\[0\]/],
  ['network', 'layers.0.type', 'constructor', /layers\[0\]: type: expected a type of layer, got "constructor"/],
  ['network', 'layers.0.units', 1e12, /dense: units/],
  ['network', 'layers.0.units', 2 ** 30, /\d+ parameters; a network can have at most/],
  ['network', 'layers.0.units', 17, /tensor "0\.weight": expected F32 \[6, 17\], got F32 \[6, 16\]/],
  ['network', 'layers.0.bias', false, /it has \d+ tensors, the network and its optimizer \d+/],
  ['network', 'layers.0.more', 1, /dense: unknown option "more"/],
  ['network', 'layers.0.name', 'a.b', /dense: name/],
  ['network', 'layers.0.name', 'other', /there is no tensor "other\.weight"/],
  ['network', 'layers.0.name', '1', /dense: name/],
  ['network', 'layers.0.weightInitializer', { initializer: 1 }, /weightInitializer/],
  ['network', 'layers.0.weightInitializer', { function: true }, /weightInitializer/],
  ['network', 'layers.0.regularizer', { l1: -1, l2: 0 }, /l1/],
  ['network', 'layers.3.rate', 1, /dropout: rate/],
  ['network', 'loss', null, /loss/],
  ['network', 'loss.kind', 3, /loss: kind/],
  ['network', 'loss.options.delta', 0, /huber: delta/],
  ['network', 'loss.options', null, /huber/],
  ['network', 'loss', { kind: 'meanSquaredError', options: {} }, /meanSquaredError: expected no arguments/],
  ['network', 'regularizer', 3, /regularizer/],
  ['training', 'epochs', 0.5, /epochs/],
  ['training', 'noiseSteps', null, /noiseSteps/],
  ['training', '', {}, /epochs/],
  ['optimizer', 'steps', -1, /steps/],
  ['optimizer', 'rateFactor', '1', /rateFactor/],
  ['optimizer', 'kind', null, /kind/],
  ['optimizer', 'moments', ['m', 'm'], /moments: expected a list of unique names/],
  ['optimizer', 'moments', ['m', 'w'], /there is no tensor "optimizer\.w\.0\.weight"/],
  ['optimizer', 'moments', ['m'], /it has \d+ tensors, the network and its optimizer \d+/],
])('a file is refused whose %s has at %j %j', (section, path, value, message) => {
  const network = new Network({ input: [6], layers: mixedLayers(), loss: huber(), seed: 3, backend: 'typescript' });
  const changed = withValue(network.toBytes({ optimizer: new Adam() }), section, path, value);
  const load = () => Network.fromBytes(changed, { backend: 'typescript' });
  expectError(load, 'FILE_CORRUPT', /^bytes: byte \d+: /);
  expectError(load, 'FILE_CORRUPT', message);
});
