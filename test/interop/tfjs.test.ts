import { describe, it } from 'vitest';
import { fromLayersModel, toLayersModel } from '../../lib/interop/tfjs/index.js';
import {
  artifactsOf,
  expectNear,
  type Model,
  modelOf,
  ours,
  predicted,
  randomise,
  sampleShapes,
  tf,
} from './tfjs-support.js';

const { layers: L } = tf;
const image = [7, 6, 3];

/** By name, layers of tfjs on samples of a shape. */
const single: Readonly<Record<string, readonly [readonly number[], () => unknown]>> = {
  dense: [[5], () => L.dense({ units: 4 })],
  'dense without bias': [[5], () => L.dense({ units: 4, useBias: false })],
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
