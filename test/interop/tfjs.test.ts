import { describe, expect, it } from 'vitest';
import { fromLayersModel, toLayersModel } from '../../lib/interop/tfjs/index.js';
import { expectError } from '../data/expect-error.js';
import {
  artifactsOf,
  core,
  expectNear,
  type Model,
  modelOf,
  ours,
  predicted,
  randomise,
  sampleShapes,
  type Tensor,
  tf,
} from './tfjs-support.js';

const { layers: L } = tf;
const image = [7, 6, 3];

/** By name, layers of tfjs on samples of a shape. */
const single: Readonly<Record<string, readonly [readonly number[], () => unknown]>> = {
  dense: [[5], () => L.dense({ units: 4 })],
  'dense without bias': [[5], () => L.dense({ units: 4, useBias: false })],
  'dense of steps': [[3, 5], () => L.dense({ units: 4, activation: 'tanh' })],
  'dense of steps of one feature': [[3, 1], () => L.dense({ units: 4, activation: 'relu', useBias: false })],
  'dense of images': [image, () => L.dense({ units: 4 })],
  'dense of four dimensions': [[2, 3, 2, 4], () => L.dense({ units: 3 })],
  ...Object.fromEntries(
    // biome-ignore format: a list of names
    ['linear', 'relu', 'relu6', 'elu', 'selu', 'sigmoid', 'hardSigmoid', 'softplus', 'softsign', 'tanh', 'softmax',
      'logSoftmax', 'gelu', 'mish', 'swish'].map((activation) => [
      `dense with ${activation}`,
      [[5], () => L.dense({ units: 4, activation })] as const,
    ]),
  ),
  activation: [[5], () => L.activation({ activation: 'tanh' })],
  'softmax over channels': [image, () => L.activation({ activation: 'softmax' })],
  conv2d: [image, () => L.conv2d({ filters: 4, kernelSize: 3, activation: 'relu' })],
  'conv2d, same and strides': [image, () => L.conv2d({ filters: 4, kernelSize: [3, 2], strides: 2, padding: 'same' })],
  'conv2d with dilation': [image, () => L.conv2d({ filters: 4, kernelSize: 2, dilationRate: [2, 3] })],
  depthwise: [image, () => L.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, padding: 'same' })],
  separable: [image, () => L.separableConv2d({ filters: 4, kernelSize: 3, useBias: false })],
  'separable with dilation': [image, () => L.separableConv2d({ filters: 4, kernelSize: 2, dilationRate: 2 })],
  transposed: [image, () => L.conv2dTranspose({ filters: 4, kernelSize: 3, strides: 2 })],
  'transposed, same': [image, () => L.conv2dTranspose({ filters: 4, kernelSize: 3, strides: [2, 3], padding: 'same' })],
  'transposed with gaps': [image, () => L.conv2dTranspose({ filters: 2, kernelSize: [1, 2], strides: 3 })],
  maxPooling: [image, () => L.maxPooling2d({ poolSize: 2 })],
  'maxPooling, same': [image, () => L.maxPooling2d({ poolSize: [3, 2], strides: 2, padding: 'same' })],
  averagePooling: [image, () => L.averagePooling2d({ poolSize: [2, 3], strides: 1 })],
  'averagePooling, same': [image, () => L.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })],
  globalAveragePooling: [image, () => L.globalAveragePooling2d({})],
  globalMaxPooling: [image, () => L.globalMaxPooling2d({})],
  flatten: [image, () => L.flatten()],
  reshape: [image, () => L.reshape({ targetShape: [-1, 9] })],
  permute: [image, () => L.permute({ dims: [3, 1, 2] })],
  dropout: [[5], () => L.dropout({ rate: 0.5 })],
  'dropout of channels': [image, () => L.dropout({ rate: 0.5, noiseShape: [null, 1, 1, null] })],
  gaussianNoise: [[5], () => L.gaussianNoise({ stddev: 0.5 })],
  batchNormalization: [[5], () => L.batchNormalization({ epsilon: 0.01 })],
  'batchNormalization of images': [image, () => L.batchNormalization({})],
  'batchNormalization, neither scaled nor centred': [
    image,
    () => L.batchNormalization({ scale: false, center: false }),
  ],
  layerNormalization: [[5], () => L.layerNormalization()],
  'layerNormalization of images': [image, () => L.layerNormalization({ epsilon: 0.1, center: false })],
  'layerNormalization, neither': [image, () => L.layerNormalization({ center: false, scale: false })],
  relu: [[5], () => L.reLU()],
  'relu up to 6': [[5], () => L.reLU({ maxValue: 6 })],
  'relu up to 0.5': [[5], () => L.reLU({ maxValue: 0.5 })],
  leakyReLU: [[5], () => L.leakyReLU()],
  prelu: [[5], () => L.prelu()],
  'prelu of images': [image, () => L.prelu({ sharedAxes: [1, 2] })],
  elu: [[5], () => L.elu()],
  softmax: [[5], () => L.softmax({ axis: -1 })],
  'softmax by tfjs alone': [[5], () => L.softmax()],
  zeroPadding: [
    image,
    () =>
      L.zeroPadding2d({
        padding: [
          [1, 2],
          [0, 3],
        ],
      }),
  ],
  cropping: [
    image,
    () =>
      L.cropping2D({
        cropping: [
          [1, 0],
          [2, 1],
        ],
      }),
  ],
  upSampling: [image, () => L.upSampling2d({ size: [2, 3] })],
};

type Symbols = readonly ReturnType<typeof tf.input>[];

/** By name, layers of several inputs of the shapes given. */
const merging: Readonly<Record<string, readonly [readonly (readonly number[])[], (x: Symbols) => unknown]>> = {
  add: [[[4], [4], [4]], (x) => L.add().apply(x)],
  'add, broadcast': [
    [
      [3, 2, 4],
      [1, 1, 4],
    ],
    (x) => L.add().apply(x),
  ],
  multiply: [
    [
      [3, 4],
      [3, 4],
    ],
    (x) => L.multiply().apply(x),
  ],
  average: [[[4], [4]], (x) => L.average().apply(x)],
  maximum: [[[4], [4]], (x) => L.maximum().apply(x)],
  minimum: [[[4], [4]], (x) => L.minimum().apply(x)],
  concatenate: [
    [
      [3, 4],
      [3, 2],
    ],
    (x) => L.concatenate().apply(x),
  ],
  'concatenate along the first': [
    [
      [3, 4],
      [2, 4],
    ],
    (x) => L.concatenate({ axis: 1 }).apply(x),
  ],
  dot: [[[4], [4]], (x) => L.dot({ axes: -1 }).apply(x)],
  'dot, normalised': [[[4], [4]], (x) => L.dot({ axes: 1, normalize: true }).apply(x)],
  'dot of matrices': [
    [
      [3, 4],
      [4, 2],
    ],
    (x) => L.dot({ axes: [2, 1] }).apply(x),
  ],
  'dot of matrices, transposed': [
    [
      [3, 4],
      [2, 3],
    ],
    (x) => L.dot({ axes: [1, 2] }).apply(x),
  ],
  'dot of matrices, normalised': [
    [
      [3, 4],
      [2, 4],
    ],
    (x) => L.dot({ axes: -1, normalize: true }).apply(x),
  ],
};

/** Layers that blasnet can take and tfjs's own set can't be made of again. */
const oneWay = ['softmax over channels', 'dot, normalised', 'dot of matrices, normalised'];

async function compare(name: string, model: Model): Promise<void> {
  const expected = predicted(randomise(model));
  const network = fromLayersModel(await artifactsOf(model), { seed: 1 });
  expectNear(ours(network, sampleShapes(model)), expected);
  if (oneWay.includes(name)) return;
  expectNear(predicted(await modelOf(toLayersModel(network))), expected);
}

describe('a layer of tfjs, here and back in tfjs', () => {
  it.each(Object.keys(single))('%s', async (name) => {
    const [shape, make] = single[name];
    const x = tf.input({ shape });
    const y = (make() as { apply(x: unknown): unknown }).apply(x);
    await compare(name, tf.model({ inputs: x, outputs: y }));
  });

  it.each(Object.keys(merging))('%s', async (name) => {
    const [shapes, make] = merging[name];
    const x = shapes.map((shape) => tf.input({ shape }));
    await compare(name, tf.model({ inputs: x, outputs: make(x) }));
  });
});

describe('embedding', () => {
  const VOCABULARY = 11;
  const ROWS = 5;
  const table = (options = {}) => L.embedding({ inputDim: VOCABULARY, outputDim: 3, ...options });
  const indices = (size: number, from: number) =>
    Float32Array.from({ length: ROWS * size }, (_, i) => (i * i + from * i + from) % VOCABULARY);
  const flat = () => L.flatten();

  /** By name, models on inputs of so many indices. */
  const models: Readonly<Record<string, readonly [readonly number[], (x: Symbols) => unknown]>> = {
    'of one index': [[1], ([x]) => L.dense({ units: 2 }).apply(flat().apply(table().apply(x)) as never)],
    'of several': [[4], ([x]) => table({ inputLength: 4 }).apply(x)],
    'of two inputs, shared': [
      [4, 4],
      (x) => {
        const shared = table();
        return L.multiply().apply(x.map((each) => shared.apply(each)));
      },
    ],
    'two of one input, beside numbers': [
      [1, 2],
      ([x, y]) => L.concatenate().apply([...[table(), table()].map((each) => flat().apply(each.apply(x))), y] as never),
    ],
    'in a model within the model': [
      [4],
      ([x]) => {
        const own = tf.input({ shape: [4] });
        const inner = tf.model({ inputs: own, outputs: flat().apply(table().apply(own)) });
        return L.dense({ units: 2 }).apply(inner.apply(x));
      },
    ],
  };

  it.each(Object.keys(models))('%s: the same predictions here and back in tfjs', async (name) => {
    const [sizes, make] = models[name];
    const x = sizes.map((size) => tf.input({ shape: [size] }));
    const model = randomise(tf.model({ inputs: x, outputs: make(x) }));
    const columns = sizes.map((size, i) => indices(size, i + 1));
    const theirs = (of: Model) => {
      const tensors = columns.map((column, i) => core.tensor(column, [ROWS, sizes[i]]));
      return [of.predict(tensors.length === 1 ? tensors[0] : tensors)].flat().map((result) => result.dataSync());
    };
    const expected = theirs(model);
    const network = fromLayersModel(await artifactsOf(model), { seed: 1 });
    const named = Object.fromEntries(network.inputs.map((input, i) => [input.name as string, columns[i]]));
    const given = columns.length === 1 ? columns[0] : named;
    expectNear([network.predict(given as Float32Array)], expected);
    expectNear(theirs(await modelOf(toLayersModel(network))), expected);
  });

  it('a Sequential', async () => {
    const layers = [table({ inputLength: 4 }), flat(), L.dense({ units: 2 })] as never;
    const model = randomise(tf.sequential({ layers }));
    const x = indices(4, 3);
    const network = fromLayersModel(await artifactsOf(model));
    expectNear([network.predict(x)], [(model.predict(core.tensor(x, [ROWS, 4])) as Tensor).dataSync()]);
    expectError(() => network.predict([0, 1, 2, VOCABULARY]), 'INVALID_ARGUMENT', /index from 0 to 10/);
  });

  it.each<[string, (x: Symbols[0]) => unknown, RegExp]>([
    ['masks', (x) => table({ maskZero: true }).apply(x), /maskZero/],
    ['one behind a layer', (x) => table().apply(L.dense({ units: 2 }).apply(x)), /embedding of other than an input/],
    [
      'one whose input is numbers, too',
      (x) => L.concatenate().apply([flat().apply(table().apply(x)), L.dense({ units: 2 }).apply(x)]),
      /a layer besides embeddings/,
    ],
  ])('refuses %s', async (_, make, message) => {
    const x = tf.input({ shape: [4] });
    const artifacts = await artifactsOf(tf.model({ inputs: x, outputs: make(x) }));
    expectError(() => fromLayersModel(artifacts), 'INVALID_ARGUMENT', message);
  });

  it('refuses a vocabulary that float32 can not count', async () => {
    const x = tf.input({ shape: [4] });
    const artifacts = await artifactsOf(tf.model({ inputs: x, outputs: table({ name: 'words' }).apply(x) }));
    const topology = JSON.stringify(artifacts.modelTopology);
    const changed = topology.replace(`"input_dim":${VOCABULARY}`, `"input_dim":${2 ** 24 + 1}`);
    expect(changed).not.toBe(topology);
    const large = { ...artifacts, modelTopology: JSON.parse(changed) };
    expectError(
      () => fromLayersModel(large),
      'INVALID_ARGUMENT',
      /words.*a vocabulary of 16777217, more than 16777216/,
    );
  });
});
