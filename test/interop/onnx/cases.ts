import {
  abs,
  add,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  clip,
  concat,
  conv2d,
  convTranspose2d,
  dense,
  depthwiseConv2d,
  dropout,
  elu,
  exp,
  flatten,
  gaussianNoise,
  gelu,
  globalAvgPool2d,
  globalMaxPool2d,
  groupNorm,
  hardSigmoid,
  hardSwish,
  identity,
  input,
  instanceNorm,
  type LayerSpec,
  layerNorm,
  leakyRelu,
  localResponseNorm,
  logSoftmax,
  maximum,
  maxPool2d,
  mean,
  meanSquaredError,
  mish,
  multiply,
  Network,
  type Node,
  pad,
  permute,
  poisson,
  prelu,
  relu,
  relu6,
  reshape,
  scale,
  selu,
  separableConv2d,
  shared,
  sigmoid,
  silu,
  slice,
  softmax,
  softmaxCrossEntropy,
  softplus,
  softsign,
  spatialDropout2d,
  square,
  subtract,
  sum,
  tanh,
  upsample2d,
} from '../../../lib/index.js';
import { models } from '../../torch/support.js';

const loss = meanSquaredError();

export type AnyNetwork = Network<string> | Network;

export const chain = (shape: readonly number[], ...layers: LayerSpec[]): AnyNetwork =>
  new Network({ input: shape, layers, loss, seed: 5 });

export const elementwiseLayers: Record<string, LayerSpec> = {
  identity: identity(),
  relu: relu(),
  selu: selu(),
  gelu: gelu(),
  silu: silu(),
  sigmoid: sigmoid(),
  tanh: tanh(),
  softplus: softplus(),
  relu6: relu6(),
  hardSigmoid: hardSigmoid(),
  hardSwish: hardSwish(),
  mish: mish(),
  softsign: softsign(),
  leakyRelu: leakyRelu({ slope: 0.2 }),
  elu: elu({ alpha: 0.7 }),
  prelu: prelu(),
  abs: abs(),
  exp: exp(),
  square: square(),
  clip: clip(-0.4, 0.7),
  scale: scale(3, 0.5),
  'scale without offset': scale(-2),
  'scale by 1': scale(1, 2),
  logSoftmax: logSoftmax(),
  layerNorm: layerNorm({ epsilon: 1e-3 }),
  'layerNorm without parameters': layerNorm({ affine: false }),
  batchNorm: batchNorm({ epsilon: 1e-2 }),
  groupNorm: groupNorm(2),
  'groupNorm without parameters': groupNorm(2, { affine: false }),
  localResponseNorm: localResponseNorm({ radius: 1, alpha: 0.3, bias: 1.5, beta: 0.6 }),
  dropout: dropout(0.5),
  gaussianNoise: gaussianNoise(0.5),
};

/** Layers of images [7, 6, 4]. */
export const imageLayers: Record<string, LayerSpec> = {
  conv2d: conv2d(5),
  'conv2d, no bias, strides': conv2d(5, { window: [3, 2], stride: [2, 1], bias: false }),
  'conv2d, same': conv2d(3, { window: [4, 3], stride: [3, 2], padding: 'same' }),
  'conv2d, margins': conv2d(3, {
    window: 3,
    padding: [
      [0, 2],
      [1, 0],
    ],
  }),
  'conv2d, groups': conv2d(6, { groups: 2, padding: 1 }),
  'conv2d, dilation': conv2d(3, { window: [3, 2], dilation: [2, 3] }),
  'conv2d, dilation, same': conv2d(3, { window: 3, dilation: 2, stride: 2, padding: 'same' }),
  depthwiseConv2d: depthwiseConv2d({ padding: 1 }),
  'depthwiseConv2d, multiplier': depthwiseConv2d({ multiplier: 3, stride: 2, window: 2 }),
  separableConv2d: separableConv2d(5, { multiplier: 2, padding: 'same', dilation: [1, 2] }),
  convTranspose2d: convTranspose2d(3, { window: [3, 4], stride: [2, 3] }),
  'convTranspose2d, padding': convTranspose2d(3, { window: 4, stride: 2, padding: 1, outputPadding: [1, 0] }),
  'convTranspose2d, same': convTranspose2d(3, { window: [4, 3], stride: [2, 3], padding: 'same', bias: false }),
  'convTranspose2d, same, small window': convTranspose2d(3, { window: 2, stride: 3, padding: 'same' }),
  'convTranspose2d, margins': convTranspose2d(3, {
    window: 3,
    stride: 2,
    padding: [
      [0, 1],
      [1, 0],
    ],
  }),
  maxPool2d: maxPool2d(),
  'maxPool2d, overlapping, same': maxPool2d(3, { stride: 2, padding: 'same' }),
  'maxPool2d, padding': maxPool2d([3, 2], {
    stride: [2, 1],
    padding: [
      [1, 0],
      [0, 1],
    ],
  }),
  avgPool2d: avgPool2d([2, 3]),
  'avgPool2d, overlapping, same': avgPool2d(3, { stride: 2, padding: 'same' }),
  'avgPool2d, padding': avgPool2d(3, { stride: 2, padding: 1 }),
  globalAvgPool2d: globalAvgPool2d(),
  globalMaxPool2d: globalMaxPool2d(),
  instanceNorm: instanceNorm(),
  'instanceNorm without parameters': instanceNorm({ affine: false, epsilon: 1e-2 }),
  'groupNorm of one group': groupNorm(1),
  spatialDropout2d: spatialDropout2d(0.5),
  upsample2d: upsample2d([2, 3]),
  'localResponseNorm, wide': localResponseNorm({ radius: 4, alpha: 0.5 }),
  flatten: flatten(),
  reshape: reshape([6, -1]),
  permute: permute([1, 2, 0]),
  slice: slice({ begin: [1, 0, -2] }),
  pad: pad([
    [1, 0],
    [0, 2],
    [1, 1],
  ]),
  mean: mean({ axis: [0, 1] }),
};

/** Layers that only take samples of one dimension. */
export const flatLayers: Record<string, LayerSpec> = {
  dense: dense(3),
  'dense without bias': dense(3, { bias: false }),
  softmax: softmax(),
};

const residual = (filters: number) => (x: Node) =>
  add(x, x.pipe(conv2d(filters, { padding: 'same' }), batchNorm(), relu(), conv2d(filters, { padding: 'same' })));

/** Networks as the examples have them. */
export const networks: Record<string, () => AnyNetwork> = {
  ...Object.fromEntries(
    Object.entries(models).map(([name, { input, layers }]) => [
      `Sequential ${name}`,
      () => new Network({ input, layers, loss, seed: 3 }),
    ]),
  ),
  classifier: () =>
    new Network({
      input: [8, 8, 1],
      layers: [flatten(), dense(12), relu(), dropout(0.3), dense(5)],
      loss: softmaxCrossEntropy(),
      seed: 1,
    }),
  'a softmax as its last layer': () =>
    new Network({
      input: [6],
      layers: [dense(4), softmax()],
      loss: softmaxCrossEntropy({ fromLogits: false }),
      seed: 1,
    }),
  binary: () => new Network({ input: [6], layers: [dense(1)], loss: binaryCrossEntropy(), seed: 1 }),
  counts: () => new Network({ input: [6], layers: [dense(2)], loss: poisson(), seed: 1 }),
  'probabilities of more dimensions': () =>
    new Network({ input: [6], layers: [dense(8), reshape([2, 4])], loss: softmaxCrossEntropy(), seed: 1 }),
  lenet: () =>
    new Network({
      input: [14, 14, 1],
      layers: [
        conv2d(4, { window: 5, padding: 2 }),
        tanh(),
        avgPool2d(2),
        conv2d(6, { window: 3 }),
        tanh(),
        avgPool2d(2),
        flatten(),
        dense(20),
        tanh(),
        dense(10),
      ],
      loss: softmaxCrossEntropy(),
      seed: 1,
    }),
  alexnet: () =>
    new Network({
      input: [20, 20, 3],
      layers: [
        conv2d(8, { window: 5, stride: 2, padding: 2 }),
        relu(),
        localResponseNorm(),
        maxPool2d(3, { stride: 2 }),
        conv2d(12, { groups: 2, padding: 1 }),
        relu(),
        maxPool2d(2),
        flatten(),
        dropout(0.5),
        dense(10),
      ],
      loss: softmaxCrossEntropy(),
      seed: 1,
    }),
  resnet: () => {
    const x = input([10, 10, 3], { name: 'image' });
    const output = x.pipe(
      conv2d(4, { padding: 'same', bias: false }),
      batchNorm(),
      relu(),
      residual(4),
      relu(),
      residual(4),
      maxPool2d(2),
      globalAvgPool2d(),
      dense(3),
    );
    return new Network({ output, loss: softmaxCrossEntropy(), seed: 1 });
  },
  siamese: () => {
    const tower = shared(conv2d(3), prelu(), batchNorm(), flatten(), dense(6));
    const [left, right] = [input([6, 6, 1], { name: 'left' }), input([6, 6, 1], { name: 'right' })];
    const distance = sum(square(subtract(left.pipe(tower), right.pipe(tower))));
    return new Network({ output: distance, loss, seed: 1 });
  },
  autoencoder: () =>
    new Network({
      input: [8, 8, 2],
      layers: [
        conv2d(4, { stride: 2, padding: 'same' }),
        relu(),
        convTranspose2d(4, { stride: 2, padding: 'same' }),
        relu(),
        upsample2d(2),
        avgPool2d(2),
        conv2d(2, { padding: 'same' }),
      ],
      loss: binaryCrossEntropy(),
      seed: 1,
    }),
  'several inputs and outputs': () => {
    const [image, meta] = [input([5, 5, 2], { name: 'image' }), input([3], { name: 'meta' })];
    const features = image.pipe(conv2d(4), relu());
    const weights = features.pipe(globalAvgPool2d(), dense(4), sigmoid(), reshape([1, 1, 4]));
    const trunk = concat(multiply(features, weights).pipe(flatten()), meta);
    return new Network({
      outputs: {
        digit: trunk.pipe(dense(5)),
        parity: trunk.pipe(dense(1)),
        map: features,
        twice: trunk.pipe(identity()),
        again: trunk,
        same: meta,
      },
      losses: { digit: softmaxCrossEntropy(), parity: binaryCrossEntropy() },
      seed: 1,
    }) as AnyNetwork;
  },
  'channels concatenated, branches of other layouts': () => {
    const x = input([6, 6, 3], { name: 'x' });
    const a = x.pipe(conv2d(4, { padding: 'same' }));
    const b = x.pipe(maxPool2d(3, { stride: 1, padding: 'same' }));
    const joined = concat(a, b, x);
    const rows = concat(joined, joined, { axis: 0 });
    const columns = concat(rows, rows, { axis: 1 }).pipe(conv2d(2));
    return new Network({ output: maximum(columns, add(columns, input([2], { name: 'by' }))), loss, seed: 1 });
  },
};
