import type { LayerSpec } from '../../layers/layer.js';
import type { Shape } from '../../types.js';
import { unwritable } from './fields.js';

/** The layers of blasnet as layers of tfjs. */

/** A tensor of a layer: one of the network's by its own name there, or numbers. */
export interface Weight {
  /** Its name in tfjs. */
  readonly name: string;
  readonly value: string | Float32Array;
  /** If it is not the network's. */
  readonly shape?: Shape;
}

/** A layer of tfjs. */
export interface TfLayer {
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights?: readonly Weight[];
}

/** What is known of a node where it is written. */
export interface Place {
  readonly inputs: readonly Shape[];
  readonly output: Shape;
}

/** The layers that a node becomes, one after the other. The last one takes the node's name. */
type Write<S> = (spec: S, place: Place) => readonly TfLayer[];

type Margins = readonly (readonly [number, number])[];
type Pair = readonly [number, number];

const kernel: Weight = { name: 'kernel', value: 'weight' };
const bias: Weight = { name: 'bias', value: 'bias' };

/** A layer of tfjs whose values stay channels last. */
const layer = (type: string, config: TfLayer['config'] = {}, weights: readonly Weight[] = []): TfLayer => {
  return { type, config, weights };
};

export const activationLayer = (activation: string): TfLayer => layer('Activation', { activation });

/** A linear activation: it gives its input, and carries a name. */
const linear = activationLayer('linear');

/** tfjs normalises samples of three dimensions at most. */
function checkNormalised({ length }: Shape): void {
  if (length > 3) throw unwritable('a normalisation of samples of more than three dimensions');
}

/**
 * factor · x + offset. tfjs has no such layer: it is a normalisation by the mean 0 and the variance 1, to which epsilon
 * adds nothing in float32.
 */
function affine(factor: number, offset: number, shape: Shape): TfLayer {
  checkNormalised(shape);
  const channels = shape[shape.length - 1];
  const all = (name: string, value: number): Weight => {
    return { name, value: new Float32Array(channels).fill(value), shape: [channels] };
  };
  const weights = [all('gamma', factor), all('beta', offset), all('moving_mean', 0), all('moving_variance', 1)];
  const config = { axis: -1, momentum: 0.99, epsilon: 1e-12, center: true, scale: true, trainable: false };
  return layer('BatchNormalization', config, weights);
}

const clipAbove = (most: number): TfLayer => layer('ReLU', { max_value: most });

const isZero = (margins: Margins) => margins.flat().every((size) => size === 0);

const images = { data_format: 'channels_last' };

/** The padding of a window, and the layer before it that pads where tfjs's layers can't. */
function padded(padding: 'same' | Margins): { before: readonly TfLayer[]; padding: 'same' | 'valid' } {
  if (padding === 'same') return { before: [], padding };
  return { before: isZero(padding) ? [] : [layer('ZeroPadding2D', { padding, ...images })], padding: 'valid' };
}

interface WindowSpec extends LayerSpec {
  readonly window: Pair;
  readonly stride: Pair;
  readonly padding: 'same' | Margins;
}

interface ConvolutionSpec extends WindowSpec {
  readonly bias: boolean;
  readonly filters: number;
  readonly groups: number;
  readonly dilation: Pair;
  readonly multiplier: number;
  readonly outputPadding: Pair;
}

/** A convolution after the padding that it needs. */
function convolution(type: string, spec: ConvolutionSpec, own: TfLayer['config'], weights: readonly Weight[]) {
  const { window, stride, dilation = [1, 1], bias: hasBias } = spec;
  if (dilation.some((step) => step > 1) && stride.some((step) => step > 1))
    throw unwritable('a convolution with strides and dilation at once');
  const { before, padding } = padded(spec.padding);
  const config = {
    kernel_size: window,
    strides: stride,
    padding,
    use_bias: hasBias,
    activation: 'linear',
    ...images,
    ...own,
  };
  return [...before, layer(type, config, [...weights, ...(hasBias ? [bias] : [])])];
}

const conv2d: Write<ConvolutionSpec> = (spec) => {
  if (spec.groups !== 1) throw unwritable('a convolution in groups');
  return convolution('Conv2D', spec, { filters: spec.filters, dilation_rate: spec.dilation }, [kernel]);
};

const depthwiseConv2d: Write<ConvolutionSpec> = (spec) => {
  if (spec.dilation.some((step) => step > 1)) throw unwritable('a depthwise convolution with dilation');
  const weights = [{ name: 'depthwise_kernel', value: 'weight' }];
  return convolution('DepthwiseConv2D', spec, { depth_multiplier: spec.multiplier }, weights);
};

const separableConv2d: Write<ConvolutionSpec> = (spec) => {
  const weights = ['depthwise', 'pointwise'].map((own) => ({ name: `${own}_kernel`, value: own }));
  const own = { filters: spec.filters, depth_multiplier: spec.multiplier, dilation_rate: spec.dilation };
  return convolution('SeparableConv2D', spec, own, weights);
};

const convTranspose2d: Write<ConvolutionSpec> = (spec) => {
  const { filters, padding, stride, window, outputPadding } = spec;
  const write = (given: 'same' | Margins) =>
    convolution('Conv2DTranspose', { ...spec, padding: given }, { filters }, [kernel]);
  if (padding === 'same') return write(padding);
  // Windows smaller than the stride leave gaps, which tfjs keeps at the end, too. The rest is cut off.
  const cropping = padding.map(([before, after], axis) => {
    const gap = Math.max(0, stride[axis] - window[axis]);
    return [before, after + gap - outputPadding[axis]] as const;
  });
  if (cropping.flat().some((size) => size < 0)) throw unwritable('this outputPadding');
  const whole = write([
    [0, 0],
    [0, 0],
  ]);
  return isZero(cropping) ? whole : [...whole, layer('Cropping2D', { cropping, ...images })];
};

/** tfjs keeps the dimension of one index. */
const embedding: Write<LayerSpec & { vocabulary: number; size: number }> = (spec, { inputs: [input], output }) => {
  const config = { input_dim: spec.vocabulary, output_dim: spec.size, mask_zero: false };
  const table = layer('Embedding', config, [{ name: 'embeddings', value: 'weight' }]);
  return output.length > input.length ? [table] : [table, reshaping(output)];
};

const pool =
  (type: string): Write<WindowSpec> =>
  ({ window, stride, padding }) => {
    if (padding !== 'same' && !isZero(padding)) throw unwritable("pooling with a padding other than 'same'");
    const config = { pool_size: window, strides: stride, padding: padding === 'same' ? padding : 'valid', ...images };
    return [layer(type, config)];
  };

interface NormSpec extends LayerSpec {
  readonly momentum: number;
  readonly epsilon: number;
  readonly affine: boolean;
  readonly evaluation: string;
}

const gammaBeta = [
  { name: 'gamma', value: 'gamma' },
  { name: 'beta', value: 'beta' },
];

const batchNorm: Write<NormSpec> = ({ momentum, epsilon, evaluation }, { output }) => {
  checkNormalised(output);
  if (evaluation !== 'running') throw unwritable("batch norm with evaluation: 'batch'");
  const statistics = [
    { name: 'moving_mean', value: 'runningMean' },
    { name: 'moving_variance', value: 'runningVariance' },
  ];
  const config = { axis: -1, momentum, epsilon, center: true, scale: true };
  return [layer('BatchNormalization', config, [...gammaBeta, ...statistics])];
};

const layerNorm: Write<NormSpec> = ({ epsilon, affine: isAffine }) => [
  layer('LayerNormalization', { axis: -1, epsilon, center: isAffine, scale: isAffine }, isAffine ? gammaBeta : []),
];

const named =
  (activation: string): Write<LayerSpec> =>
  () => [activationLayer(activation)];

export const flattening: TfLayer = layer('Flatten');

export const reshaping = (shape: Shape): TfLayer => layer('Reshape', { target_shape: shape });

const shaped: Write<LayerSpec> = (_, { output }) => [reshaping(output)];

/** tfjs flattens no samples that are flat. */
const flatten: Write<LayerSpec> = (spec, place) => (place.inputs[0].length > 1 ? [flattening] : shaped(spec, place));

const pad: Write<LayerSpec & { padding: Margins; value: number }> = ({ padding, value }) => {
  if (padding.length !== 3 || value !== 0 || !isZero(padding.slice(2)))
    throw unwritable('padding of other than rows and columns by zeros');
  return [layer('ZeroPadding2D', { padding: padding.slice(0, 2), ...images })];
};

const merge =
  (type: string): Write<LayerSpec> =>
  () => [layer(type)];

/** tfjs takes every negative axis for the last. */
const concat: Write<LayerSpec & { axis: number }> = ({ axis }, { output }) => [
  layer('Concatenate', { axis: axis < 0 ? output.length + axis + 1 : axis + 1 }),
];

const matmul: Write<LayerSpec & { transposeA: boolean; transposeB: boolean }> = (spec, { inputs }) => {
  if (inputs[0].length !== 2) throw unwritable('a product of samples of more than two dimensions');
  return [layer('Dot', { axes: [spec.transposeA ? 1 : 2, spec.transposeB ? 2 : 1], normalize: false })];
};

/** Rows and columns cut off. */
const slice: Write<LayerSpec & { begin: readonly number[] }> = ({ begin }, { inputs: [input], output }) => {
  const cropping = input.map((size, axis) => {
    const before = begin[axis] < 0 ? begin[axis] + size : begin[axis];
    return [before, size - before - output[axis]] as const;
  });
  if (input.length !== 3 || !isZero(cropping.slice(2))) throw unwritable('a slice of other than rows and columns');
  return [layer('Cropping2D', { cropping: cropping.slice(0, 2), ...images })];
};

const elu: Write<LayerSpec & { alpha: number }> = ({ alpha }) => {
  if (alpha !== 1) throw unwritable('elu with an alpha other than 1');
  return [layer('ELU', { alpha })];
};

const clip: Write<LayerSpec & { min: number; max: number }> = ({ min, max }) => {
  if (min !== 0) throw unwritable('clip with a min other than 0');
  return [clipAbove(max)];
};

const hardSigmoid: Write<LayerSpec> = (_, { output }) => [affine(1 / 6, 0.5, output), clipAbove(1)];

const prelu: Write<LayerSpec> = (_, { inputs: [input] }) => {
  const shape = [...input.slice(0, -1).fill(1), input[input.length - 1]];
  const config = { shared_axes: shape.length === 1 ? null : shape.slice(0, -1).map((_size, i) => i + 1) };
  return [layer('PReLU', config, [{ name: 'alpha', value: 'slope', shape }])];
};

const dot: Write<LayerSpec> = (_, { inputs: [input] }) => {
  if (input.length !== 1) throw unwritable('a scalar product of samples of more than one dimension');
  return [layer('Dot', { axes: -1, normalize: false })];
};

/** By their type here, the layers that tfjs can compute. */
export const writers: ReadonlyMap<string, Write<never>> = new Map<string, Write<never>>([
  ['add', merge('Add')],
  ['average', merge('Average')],
  ['avgPool2d', pool('AveragePooling2D')],
  ['batchNorm', batchNorm],
  ['clip', clip],
  ['concat', concat],
  ['conv2d', conv2d],
  ['convTranspose2d', convTranspose2d],
  [
    'dense',
    ({ units, bias: hasBias }: LayerSpec & { units: number; bias: boolean }) => [
      layer('Dense', { units, use_bias: hasBias, activation: 'linear' }, hasBias ? [kernel, bias] : [kernel]),
    ],
  ],
  ['depthwiseConv2d', depthwiseConv2d],
  ['dot', dot],
  ['dropout', ({ rate }: LayerSpec & { rate: number }) => [layer('Dropout', { rate })]],
  ['elu', elu],
  ['embedding', embedding],
  ['flatten', flatten],
  [
    'gaussianNoise',
    ({ deviation }: LayerSpec & { deviation: number }) => [layer('GaussianNoise', { stddev: deviation })],
  ],
  ['gelu', named('gelu')],
  ['globalAvgPool2d', () => [layer('GlobalAveragePooling2D', images)]],
  ['globalMaxPool2d', () => [layer('GlobalMaxPooling2D', images)]],
  ['hardSigmoid', hardSigmoid],
  ['identity', () => [linear]],
  ['layerNorm', layerNorm],
  ['leakyRelu', ({ alpha }: LayerSpec & { alpha: number }) => [layer('LeakyReLU', { alpha })]],
  ['logSoftmax', named('log_softmax')],
  ['matmul', matmul],
  ['maxPool2d', pool('MaxPooling2D')],
  ['maximum', merge('Maximum')],
  ['minimum', merge('Minimum')],
  ['mish', named('mish')],
  ['multiply', merge('Multiply')],
  ['pad', pad],
  ['permute', ({ axes }: LayerSpec & { axes: number[] }) => [layer('Permute', { dims: axes.map((axis) => axis + 1) })]],
  ['prelu', prelu],
  ['relu', named('relu')],
  ['relu6', named('relu6')],
  ['reshape', shaped],
  [
    'scale',
    ({ factor, offset }: LayerSpec & { factor: number; offset: number }, { output }) => [
      affine(factor, offset, output),
    ],
  ],
  ['selu', named('selu')],
  ['separableConv2d', separableConv2d],
  ['sigmoid', named('sigmoid')],
  ['silu', named('swish')],
  ['slice', slice],
  ['softmax', named('softmax')],
  ['softplus', named('softplus')],
  ['softsign', named('softsign')],
  [
    'spatialDropout2d',
    ({ rate }: LayerSpec & { rate: number }) => [layer('Dropout', { rate, noise_shape: [null, 1, 1, null] })],
  ],
  ['tanh', named('tanh')],
  [
    'upsample2d',
    ({ factor }: LayerSpec & { factor: Pair }) => [
      layer('UpSampling2D', { size: factor, interpolation: 'nearest', ...images }),
    ],
  ],
]);

/** −x, the second input of a difference. */
export const negated = (shape: Shape): TfLayer => affine(-1, 0, shape);
