import * as functions from '../../graph/functions.js';
import { add, average, concat, dot, matmul, maximum, minimum, multiply, subtract } from '../../graph/functions.js';
import type { Node } from '../../graph/node.js';
import { savedInitializer } from '../../initializers.js';
import { MAX_VOCABULARY } from '../../layers/embedding.js';
import * as layers from '../../layers/index.js';
import type { LayerSpec } from '../../layers/layer.js';
import { elements } from '../../program/instructions.js';
import { quote } from '../../text.js';
import type { Shape } from '../../types.js';
import { camelCase, Fields, malformed, unsupported } from './fields.js';

/**
 * The layers of tfjs as layers of blasnet. Both store images channels last and weights in the same order, so values are
 * copied as they are.
 */

/** A layer here, and by the names of its parameters and state those that tfjs has for them (one of the list). */
export interface Part {
  readonly spec: LayerSpec;
  readonly weights?: Readonly<Record<string, readonly string[]>>;
}

/** The class of tfjs's that takes indices; no other one does here. */
export const EMBEDDING = 'Embedding';

/** A unique name for a layer: tfjs's, with a suffix if given. */
export type NameOf = (suffix?: string) => string;

/** The layers that a layer of one input becomes; empty for one that changes nothing. */
type Single = (fields: Fields, input: Shape, name: NameOf) => Part[];
/** The node that a layer of several inputs becomes. */
type Merge = (fields: Fields, nodes: readonly Node[], name: NameOf) => Node;

type Activation = (options: { name: string }) => LayerSpec;

const activations = new Map<string, Activation>(
  Object.entries({
    relu: layers.relu,
    relu6: layers.relu6,
    elu: layers.elu,
    selu: layers.selu,
    gelu: layers.gelu,
    swish: layers.silu,
    silu: layers.silu,
    sigmoid: layers.sigmoid,
    tanh: layers.tanh,
    softplus: layers.softplus,
    softsign: layers.softsign,
    mish: layers.mish,
    logSoftmax: layers.logSoftmax,
  }),
);

const only = (spec: LayerSpec): Part[] => [{ spec }];

/** Softmax over the last dimension of samples of so many dimensions. */
function softmax(rank: number, name: string): Part[] {
  if (rank === 1) return only(layers.softmax({ name }));
  return [...only(layers.logSoftmax()), ...only(functions.exp({ name }))];
}

/** Activation layers with options, which an object may give that stands in place of an activation's name. */
const optioned = (type: string): Single | undefined =>
  ['ELU', 'LeakyReLU', 'ReLU'].includes(type) ? singles.get(type) : undefined;

/** The layers of an activation that is written as a layer with options; undefined if it has none. */
function activationObject(value: unknown, rank: number, name: NameOf): Part[] | undefined {
  if (typeof value !== 'object') return undefined;
  const given = new Fields('activation', value);
  const config = given.get('config');
  if (typeof config !== 'object') return undefined;
  const fields = new Fields('activation: config', config);
  const type = given.text('className');
  const read = optioned(type);
  if (read !== undefined) return read(fields, [], () => name(type.toLowerCase()));
  for (const key of Object.keys(config as object).map(camelCase)) {
    if (key === 'axis') fields.expect(key, -1, rank);
    else if (!['name', 'trainable', 'dtype'].includes(key)) fields.expect(key);
  }
  return undefined;
}

/** The name of an activation: a string, or an object that Keras writes for a function or a layer. */
function activationName(value: unknown): string {
  if (typeof value === 'string') return camelCase(value);
  const fields = new Fields('activation', value);
  const kind = fields.text('className');
  return camelCase(kind === 'function' ? fields.text('config') : kind.toLowerCase());
}

/** The layers of an activation, if any, on samples of so many dimensions. */
function activation(fields: Fields, rank: number, name: NameOf): Part[] {
  const given = fields.get('activation');
  const parts = activationObject(given, rank, name);
  if (parts !== undefined) return parts;
  const kind = given === undefined ? 'linear' : activationName(given);
  if (kind === 'linear') return [];
  if (kind === 'softmax') return softmax(rank, name(kind));
  // Keras's, which is another one than PyTorch's: 0.2 x + 0.5 in [0, 1].
  if (kind === 'hardSigmoid')
    return [...only(functions.scale(0.2, 0.5)), ...only(functions.clip(0, 1, { name: name(kind) }))];
  const make = activations.get(kind);
  if (make === undefined) throw unsupported(`the activation ${quote(kind)}`);
  return only(make({ name: name(kind) }));
}

const bias = { bias: ['bias'] };

/** Weights are read, so none is drawn. The kinds are those of the layers' defaults. */
const drawn = { weightInitializer: savedInitializer('heNormal') };
const separablyDrawn = {
  depthwiseInitializer: savedInitializer('lecunNormal'),
  pointwiseInitializer: savedInitializer('heNormal'),
};

/** Throws unless images are channels last. */
function checkFormat(fields: Fields): void {
  fields.expect('dataFormat', 'channels_last', 'channelsLast');
}

function padding(fields: Fields): 'same' | 'valid' {
  const value = fields.text('padding', 'valid').toLowerCase();
  if (value !== 'same' && value !== 'valid') throw unsupported(`the padding ${quote(value)}`);
  return value;
}

/** Options that all convolutions have. */
function convolution(fields: Fields, name: NameOf) {
  checkFormat(fields);
  return {
    window: fields.pair('kernelSize'),
    stride: fields.pair('strides', 1),
    padding: padding(fields),
    bias: fields.boolean('useBias', true),
    name: name(),
  } as const;
}

const conv2d: Single = (fields, _input, name) => {
  const options = {
    ...convolution(fields, name),
    ...drawn,
    dilation: fields.pair('dilationRate', 1),
    groups: fields.number('groups', 1),
  };
  const weights = { weight: ['kernel'], ...(options.bias && bias) };
  return [{ spec: layers.conv2d(fields.number('filters'), options), weights }, ...activation(fields, 3, name)];
};

const depthwiseConv2d: Single = (fields, _input, name) => {
  // tfjs leaves it out of account.
  fields.expect('dilationRate', 1, [1, 1]);
  const options = { ...convolution(fields, name), ...drawn, multiplier: fields.number('depthMultiplier', 1) };
  const weights = { weight: ['depthwise_kernel', 'kernel'], ...(options.bias && bias) };
  return [{ spec: layers.depthwiseConv2d(options), weights }, ...activation(fields, 3, name)];
};

const separableConv2d: Single = (fields, _input, name) => {
  const options = {
    ...convolution(fields, name),
    ...separablyDrawn,
    dilation: fields.pair('dilationRate', 1),
    multiplier: fields.number('depthMultiplier', 1),
  };
  const weights = { depthwise: ['depthwise_kernel'], pointwise: ['pointwise_kernel'], ...(options.bias && bias) };
  return [{ spec: layers.separableConv2d(fields.number('filters'), options), weights }, ...activation(fields, 3, name)];
};

const convTranspose2d: Single = (fields, _input, name) => {
  fields.expect('dilationRate', 1, [1, 1]);
  fields.expect('outputPadding');
  const { window, stride, ...options } = convolution(fields, name);
  // Windows smaller than the stride leave gaps, also at the end.
  const gap = (axis: 0 | 1) => (options.padding === 'same' ? 0 : Math.max(0, stride[axis] - window[axis]));
  const spec = layers.convTranspose2d(fields.number('filters'), {
    ...options,
    ...drawn,
    window,
    stride,
    outputPadding: [gap(0), gap(1)],
  });
  return [{ spec, weights: { weight: ['kernel'], ...(options.bias && bias) } }, ...activation(fields, 3, name)];
};

/** Of the last dimension: where there are more, a convolution of one pixel. */
const dense: Single = (fields, input, name) => {
  const units = fields.number('units');
  const options = { bias: fields.boolean('useBias', true), ...drawn, name: name() };
  const weights = { weight: ['kernel'], ...(options.bias && bias) };
  const end = activation(fields, input.length, name);
  if (input.length === 1) return [{ spec: layers.dense(units, options), weights }, ...end];
  const pixels = { spec: layers.conv2d(units, { window: 1, ...options }), weights };
  if (input.length === 3) return [pixels, ...end];
  const rows = input.slice(0, -1);
  return [
    ...only(functions.reshape([elements(rows), 1, input[rows.length]], { name: name('pixels') })),
    pixels,
    ...only(functions.reshape([...rows, units], { name: name('reshape') })),
    ...end,
  ];
};

/** The dimension of one index, which it has not here, is there again. */
const embedding: Single = (fields, input, name) => {
  fields.expect('maskZero', false);
  const [vocabulary, size] = [fields.number('inputDim'), fields.number('outputDim')];
  if (vocabulary > MAX_VOCABULARY) throw unsupported(`a vocabulary of ${vocabulary}, more than ${MAX_VOCABULARY},`);
  const spec = layers.embedding(vocabulary, size, { name: name() });
  const table = { spec, weights: { weight: ['embeddings'] } };
  const output = [...input, size];
  const isOne = input.length === 1 && input[0] === 1;
  return isOne ? [table, ...only(functions.reshape(output, { name: name('reshape') }))] : [table];
};

const pool =
  (make: typeof layers.maxPool2d): Single =>
  (fields, _input, name) => {
    checkFormat(fields);
    const window = fields.pair('poolSize', 2);
    const stride = fields.get('strides') === undefined ? window : fields.pair('strides');
    return only(make(window, { stride, padding: padding(fields), name: name() }));
  };

const globalPool =
  (make: typeof layers.globalAvgPool2d): Single =>
  (fields, _input, name) => {
    checkFormat(fields);
    fields.expect('keepdims', false);
    return only(make({ name: name() }));
  };

/** Throws unless a layer works on the last dimension of its input. */
function checkLast(fields: Fields, input: Shape, absent: number): void {
  const axis = fields.get('axis') ?? absent;
  const [first] = Array.isArray(axis) && axis.length === 1 ? axis : [axis];
  if (first !== -1 && first !== input.length)
    throw unsupported(`an axis that is not the last (${JSON.stringify(axis)})`);
}

const batchNorm: Single = (fields, input, name) => {
  checkLast(fields, input, -1);
  const options = { momentum: fields.number('momentum', 0.99), epsilon: fields.number('epsilon', 1e-3), name: name() };
  // Without them, they are what they are at first: 1 and 0.
  const weights = {
    ...(fields.boolean('scale', true) && { gamma: ['gamma'] }),
    ...(fields.boolean('center', true) && { beta: ['beta'] }),
    runningMean: ['moving_mean'],
    runningVariance: ['moving_variance'],
  };
  return [{ spec: layers.batchNorm(options), weights }];
};

const layerNorm: Single = (fields, input, name) => {
  checkLast(fields, input, -1);
  fields.expect('rmsScaling', false);
  const [scale, center] = [fields.boolean('scale', true), fields.boolean('center', true)];
  const spec = layers.layerNorm({
    epsilon: fields.number('epsilon', 1e-3),
    affine: scale || center,
    name: name(),
  });
  return [{ spec, weights: { ...(scale && { gamma: ['gamma'] }), ...(center && { beta: ['beta'] }) } }];
};

const reluLayer: Single = (fields, _input, name) => {
  fields.expect('negativeSlope', 0);
  fields.expect('threshold', 0);
  if (fields.get('maxValue') === undefined) return only(layers.relu({ name: name() }));
  const most = fields.number('maxValue');
  return only(most === 6 ? layers.relu6({ name: name() }) : functions.clip(0, most, { name: name() }));
};

const leakyRelu: Single = (fields, _input, name) => {
  const slope = fields.get('alpha') === undefined ? fields.number('negativeSlope', 0.3) : fields.number('alpha');
  return only(layers.leakyRelu({ slope, name: name() }));
};

const prelu: Single = (fields, input, name) => {
  const shared = fields.get('sharedAxes') === undefined ? [] : [fields.get('sharedAxes')].flat();
  const isPerChannel = input.slice(0, -1).every((size, i) => size === 1 || shared.includes(i + 1));
  if (!isPerChannel || (shared.includes(input.length) && input.at(-1) !== 1))
    throw unsupported('slopes that are not one for each channel');
  return [{ spec: layers.prelu({ name: name() }), weights: { slope: ['alpha'] } }];
};

const softmaxLayer: Single = (fields, input, name) => {
  checkLast(fields, input, 1);
  return softmax(input.length, name());
};

const dropout: Single = (fields, input, name) => {
  const rate = fields.number('rate');
  if (input.length !== 3) fields.expect('noiseShape');
  else fields.expect('noiseShape', [null, 1, 1, null], [null, 1, 1, input[2]]);
  const make = fields.get('noiseShape') === undefined ? layers.dropout : layers.spatialDropout2d;
  return only(make(rate, { name: name() }));
};

/** Rows and columns at each side of an image: one number, or one or two for each dimension. */
function margins(fields: Fields, name: string, absent: number): number[][] {
  checkFormat(fields);
  const given = fields.get(name) ?? absent;
  const sides = Array.isArray(given) ? given : [given, given];
  const pairs = sides.map((side) => (Array.isArray(side) ? side : [side, side]));
  if (pairs.length !== 2 || !pairs.every((pair) => pair.length === 2 && pair.every(Number.isSafeInteger)))
    throw malformed(`${name} must be an integer, two integers or two pairs of them`);
  return pairs;
}

const zeroPadding2d: Single = (fields, _input, name) => {
  const padding = [...margins(fields, 'padding', 1), [0, 0]] as unknown as layers.Margins;
  return only(functions.pad(padding, { name: name() }));
};

const cropping2d: Single = (fields, input, name) => {
  const [rows, columns] = margins(fields, 'cropping', 0);
  const end = [input[0] - rows[1], input[1] - columns[1], input[2]];
  return only(functions.slice({ begin: [rows[0], columns[0], 0], end, name: name() }));
};

const upSampling2d: Single = (fields, _input, name) => {
  checkFormat(fields);
  fields.expect('interpolation', 'nearest');
  return only(functions.upsample2d(fields.pair('size', 2), { name: name() }));
};

const reshape: Single = (fields, _input, name) => {
  const sizes = fields.list('targetShape').map((size) => size ?? -1);
  return only(functions.reshape(sizes as number[], { name: name() }));
};

const permute: Single = (fields, _input, name) => {
  const axes = fields.list('dims').map((axis) => (axis as number) - 1);
  return only(functions.permute(axes, { name: name() }));
};

const flatten: Single = (fields, _input, name) => {
  checkFormat(fields);
  return only(layers.flatten({ name: name() }));
};

/** By their class in tfjs, the layers of one input. */
export const singles: ReadonlyMap<string, Single> = new Map<string, Single>([
  ['Activation', (fields, input, name) => activation(fields, input.length, () => name())],
  ['AveragePooling2D', pool(layers.avgPool2d)],
  ['BatchNormalization', batchNorm],
  ['Conv2D', conv2d],
  ['Conv2DTranspose', convTranspose2d],
  ['Cropping2D', cropping2d],
  ['Dense', dense],
  ['DepthwiseConv2D', depthwiseConv2d],
  ['Dropout', dropout],
  [EMBEDDING, embedding],
  ['ELU', (fields, _, name) => only(layers.elu({ alpha: fields.number('alpha', 1), name: name() }))],
  ['Flatten', flatten],
  ['GaussianNoise', (fields, _, name) => only(layers.gaussianNoise(fields.number('stddev'), { name: name() }))],
  ['GlobalAveragePooling2D', globalPool(layers.globalAvgPool2d)],
  ['GlobalMaxPooling2D', globalPool(layers.globalMaxPool2d)],
  ['LayerNormalization', layerNorm],
  ['LeakyReLU', leakyRelu],
  ['MaxPooling2D', pool(layers.maxPool2d)],
  ['PReLU', prelu],
  ['Permute', permute],
  ['ReLU', reluLayer],
  ['Reshape', reshape],
  ['SeparableConv2D', separableConv2d],
  ['Softmax', softmaxLayer],
  ['SpatialDropout2D', (fields, _, name) => only(layers.spatialDropout2d(fields.number('rate'), { name: name() }))],
  ['UpSampling2D', upSampling2d],
  ['ZeroPadding2D', zeroPadding2d],
]);

type Nodes = readonly [Node, Node, ...Node[]];

function checkCount(nodes: readonly Node[], most = Number.POSITIVE_INFINITY): Nodes {
  if (nodes.length < 2 || nodes.length > most)
    throw malformed(`it must have ${most === 2 ? 'two inputs' : 'two or more inputs'}, got ${nodes.length}`);
  return nodes as unknown as Nodes;
}

const arithmetic =
  (make: typeof add | typeof maximum): Merge =>
  (_, nodes, name) =>
    make(...checkCount(nodes), { name: name() });

const concatenate: Merge = (fields, nodes, name) => {
  const axis = fields.number('axis', -1);
  if (axis === 0) throw unsupported('concatenation along the batch');
  // Keras counts from the last, tfjs takes every negative axis for the last.
  if (axis < -1) throw unsupported('concatenation along a negative axis other than -1');
  return concat(...checkCount(nodes), { axis: axis > 0 ? axis - 1 : axis, name: name() });
};

/** What tfjs adds to squared norms: its `epsilon()`. */
const NORM_EPSILON = 1e-7;

/** x / |x| along a dimension of the samples. */
function normalised(x: Node, axis: number): Node {
  const squares = x.pipe(functions.square(), functions.sum({ axis, keepDimension: true }));
  return multiply(x, squares.pipe(functions.clip(NORM_EPSILON, 3e38), functions.power(-0.5)));
}

/** Products along one dimension of each input, which count from the batch's. */
const dotLayer: Merge = (fields, nodes, name) => {
  const [a, b] = checkCount(nodes, 2);
  const given = fields.get('axes');
  const axes = (Array.isArray(given) ? given : [given, given]).map((axis, i) => {
    const rank = nodes[i]?.shape.length;
    const position = axis < 0 ? axis + rank : axis - 1;
    if (!Number.isInteger(position) || position < 0 || position >= rank) throw malformed('axes must be dimensions');
    return position;
  });
  if (axes.length !== 2) throw malformed('axes must be one number or two');
  const [x, y] = fields.boolean('normalize', false) ? [normalised(a, axes[0]), normalised(b, axes[1])] : [a, b];
  const rank = a.shape.length;
  if (rank === 1 && b.shape.length === 1) return dot(x, y, { name: name() });
  if (rank !== 2 || b.shape.length !== 2) throw unsupported('a product of samples of more or different dimensions');
  return matmul(x, y, { transposeA: axes[0] === 0, transposeB: axes[1] === 1, name: name() });
};

/** By their class in tfjs, the layers of several inputs. */
export const merges: ReadonlyMap<string, Merge> = new Map<string, Merge>([
  ['Add', arithmetic(add)],
  ['Average', arithmetic(average)],
  ['Concatenate', concatenate],
  ['Dot', dotLayer],
  ['Maximum', arithmetic(maximum)],
  ['Minimum', arithmetic(minimum)],
  ['Multiply', arithmetic(multiply)],
  ['Subtract', (_, nodes, name) => subtract(...(checkCount(nodes, 2) as readonly [Node, Node]), { name: name() })],
]);
