/** How each of ONNX's operators is read as layers. */
import { MAX_RANK } from '../../checks.js';
import * as merges from '../../graph/functions.js';
import { isIndex, type Node } from '../../graph/node.js';
import * as layers from '../../layers/index.js';
import type { LayerSpec } from '../../layers/layer.js';
import { elements, type Shape } from '../../program/instructions.js';
import { shapeText } from '../../text.js';
import {
  asPlain,
  BATCH,
  channelsFirst,
  type FileValue,
  fileShapeOf,
  inShape,
  type NodeReading,
  type ParameterSource,
  plain,
  withAxes,
} from './graph-reader.js';
import { FLOAT, INT32, INT64, isTensor, type OnnxTensor } from './model.js';

/** What a node gives: a value, or a tensor that does not depend on the inputs. */
type OperatorReader = (reading: NodeReading) => FileValue | OnnxTensor;

const readers = new Map<string, OperatorReader>();

export function operatorReader(operator: string): OperatorReader | undefined {
  return readers.get(operator);
}

/** Operators that map elements and keep the place of the channels; {@link isElementwise}. */
const elementwiseOperators = new Set(['Add', 'Sub', 'Mul', 'Div', 'Identity', 'Cast', 'Dropout']);

export function isElementwise(operator: string): boolean {
  return elementwiseOperators.has(operator);
}

function elementwise(operator: string, layers: (reading: NodeReading) => LayerSpec | readonly LayerSpec[]): void {
  elementwiseOperators.add(operator);
  readers.set(operator, (reading) => {
    const { node, axes } = reading.value();
    return { node: node.pipe(...[layers(reading)].flat()), axes };
  });
}

elementwise('Relu', () => layers.relu());
elementwise('Sigmoid', () => layers.sigmoid());
elementwise('Tanh', () => layers.tanh());
elementwise('Softplus', () => layers.softplus());
elementwise('Softsign', () => layers.softsign());
elementwise('HardSwish', () => layers.hardSwish());
elementwise('Mish', () => layers.mish());
elementwise('Exp', () => merges.exp());
elementwise('Log', () => merges.log());
elementwise('Sqrt', () => merges.sqrt());
elementwise('Abs', () => merges.abs());
elementwise('Neg', () => merges.scale(-1));
elementwise('Reciprocal', () => merges.power(-1));
elementwise('LeakyRelu', (reading) => layers.leakyRelu({ slope: reading.float('alpha', 0.01) }));
elementwise('Elu', (reading) => layers.elu({ alpha: reading.float('alpha', 1) }));

const near = (a: number, b: number) => Math.abs(a - b) < 1e-5;

elementwise('Selu', (reading) => {
  if (!near(reading.float('alpha', 1.6732632), 1.6732632) || !near(reading.float('gamma', 1.050701), 1.050701))
    throw reading.unsupported('blasnet has the usual alpha and gamma only');
  return layers.selu();
});
elementwise('HardSigmoid', (reading) => {
  const [alpha, beta] = [reading.float('alpha', 0.2), reading.float('beta', 0.5)];
  // PyTorch's, which blasnet has as one layer.
  if (near(alpha, 1 / 6) && beta === 0.5) return layers.hardSigmoid();
  return [merges.scale(alpha, beta), merges.clip(0, 1)];
});
elementwise('Gelu', (reading) => {
  reading.only('approximate', 'none');
  return layers.gelu();
});
/** The largest float32: a limit that limits nothing. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

elementwise('Clip', (reading) => {
  // Older sets have attributes.
  const min = Math.max(-LARGEST, reading.has(1) ? reading.number(1) : reading.float('min', -LARGEST));
  const max = Math.min(LARGEST, reading.has(2) ? reading.number(2) : reading.float('max', LARGEST));
  return min === 0 && max === 6 ? layers.relu6() : merges.clip(min, max);
});
elementwise('Pow', (reading) => {
  const exponent = reading.number(1);
  return exponent === 2 ? merges.square() : merges.power(exponent);
});

const same: OperatorReader = (reading) =>
  reading.isConstant(0) ? (reading.constant(0) as OnnxTensor) : reading.value();
readers.set('Identity', same);
readers.set('Dropout', (reading) => {
  if (reading.has(2) && reading.number(2) !== 0)
    throw reading.unsupported('it is in training mode: export the model for inference');
  return reading.value();
});
readers.set('Cast', (reading) => {
  if (!reading.isConstant(0)) {
    const value = reading.value();
    // Indices are whole numbers, of whatever type.
    if (!isIndex(value.node) || ![INT32, INT64].includes(reading.int('to', FLOAT))) reading.only('to', FLOAT);
    return value;
  }
  const { shape, values } = reading.constant(0) as OnnxTensor;
  const isFloat = reading.int('to', FLOAT) === FLOAT;
  return { shape, values: isFloat ? Float32Array.from(values) : Array.from(values, Math.trunc) };
});

readers.set('Erf', (reading) => {
  const { node, axes } = reading.value();
  const { type, factor, offset } = node.spec as unknown as { type: string; factor?: number; offset?: number };
  if (type !== 'scale' || offset !== 0 || !near(factor as number, Math.SQRT1_2))
    throw reading.unsupported('it is only read as a part of a gelu');
  return { node, axes, gelu: { x: node.inputs[0], plusOne: false, timesX: false, half: false } };
});

/** A factor and an offset for each element of the last dimension, as a convolution of one pixel. */
function affine(
  reading: NodeReading,
  node: Node,
  factor: ParameterSource | undefined,
  offset: ParameterSource | undefined,
): Node {
  const channels = node.shape[node.shape.length - 1];
  const ones: ParameterSource = { from: '1', length: channels, make: () => new Float32Array(channels).fill(1) };
  const image = node.shape.length === 3 ? node : inShape(node, [elements(node.shape) / channels, 1, channels]);
  const make = (named: { name?: string }) =>
    layers.depthwiseConv2d({ window: 1, bias: offset !== undefined, ...named });
  const sources = { weight: factor ?? ones, ...(offset && { bias: offset }) };
  return inShape(reading.graph.layer(reading.node, image, make, sources), node.shape);
}

/** The axes of a value whose dimension `along` of the file is to be the node's last; its own if that is so. */
function endingWith({ axes }: FileValue, along: number): readonly number[] {
  const last = axes.length - 1;
  return axes[along] === last ? axes : axes.map((_, i) => (i === along ? last : i < along ? i : i - 1));
}

/** A result in another order of dimensions than the value that it was made of: that of the value, if it is an image. */
function imageAgain(result: FileValue, { axes }: FileValue): FileValue {
  return axes.join() === channelsFirst(3).join() ? { node: withAxes(result, axes), axes } : result;
}

/** Arithmetic of a value and a tensor of the file: one number, or one for each element of a dimension. */
function withConstant(reading: NodeReading, at: 0 | 1): FileValue {
  const { operator } = reading.node;
  const value = reading.value(1 - at);
  const { values, shape } = reading.constant(at) as OnnxTensor;
  const isFirst = at === 0;
  if (values.length === 1) {
    const [c] = values;
    const layer = scalarLayers(reading, operator, c, isFirst);
    return { ...value, node: value.node.pipe(...layer) };
  }
  const dimensions = fileShapeOf(value);
  const missing = dimensions.length + 1 - shape.length;
  const long = shape.findIndex((size) => size !== 1);
  const along = long + missing - 1;
  if (
    missing < 0 ||
    along < 0 ||
    shape.some((size, i) => i !== long && size !== 1) ||
    shape[long] !== dimensions[along]
  )
    throw reading.unsupported(`a constant of the shape ${shapeText(shape)} for samples of ${shapeText(dimensions)}`);
  const axes = endingWith(value, along);
  let node = withAxes(value, axes);
  if (operator === 'Sub' && isFirst) node = node.pipe(merges.scale(-1));
  if (operator === 'Div' && isFirst) node = node.pipe(merges.power(-1));
  const source = reading.parameter(at, shape, undefined, operator === 'Sub' && !isFirst ? -1 : 1);
  const inverse: ParameterSource = { ...source, from: `1/${source.from}`, make: () => source.make().map((x) => 1 / x) };
  if (operator === 'Add' || operator === 'Sub') node = affine(reading, node, undefined, source);
  else node = affine(reading, node, operator === 'Div' && !isFirst ? inverse : source, undefined);
  return imageAgain({ node, axes }, value);
}

function scalarLayers(reading: NodeReading, operator: string, c: number, isFirst: boolean): LayerSpec[] {
  if (operator === 'Add') return [merges.scale(1, c)];
  if (operator === 'Sub') return [isFirst ? merges.scale(-1, c) : merges.scale(1, -c)];
  if (operator === 'Mul') return [merges.scale(c)];
  if (isFirst) return [merges.power(-1), merges.scale(c)];
  if (c === 0) throw reading.unsupported('it divides by 0');
  return [merges.scale(1 / c)];
}

/** The nodes of several values whose dimensions broadcast, in one order of dimensions. */
function together(reading: NodeReading, values: readonly FileValue[]): { nodes: Node[]; axes: readonly number[] } {
  const [{ axes }] = values;
  if (values.some((value) => value.axes.length !== axes.length))
    throw reading.unsupported(`values of ${values.map((value) => value.axes.length + 1).join(' and ')} dimensions`);
  if (values.every((value) => value.axes.join() === axes.join()))
    return { nodes: values.map(({ node }) => node), axes };
  const nodes = values.map(asPlain);
  return { nodes, axes: plain(nodes[0]).axes };
}

type Many = (first: Node, second: Node, ...others: Node[]) => Node;

function merging(operator: string, merge: Many): void {
  readers.set(operator, (reading) => {
    const values = reading.allValues();
    if (values.length === 1) return values[0];
    const { nodes, axes } = together(reading, values);
    const [first, second, ...others] = nodes;
    return { node: merge(first, second, ...others), axes };
  });
}

merging('Sum', merges.add);
merging('Max', merges.maximum);
merging('Min', merges.minimum);
merging('Mean', merges.average);

/** The next part of a gelu, 0.5 · x · (1 + erf(x / √2)) in any order; undefined if it is none. */
function geluPart(reading: NodeReading): FileValue | undefined {
  if (!reading.has(0) || !reading.has(1)) return undefined;
  const at = [0, 1].find((i) => !reading.isConstant(i) && reading.anyValue(i).gelu !== undefined);
  if (at === undefined) return undefined;
  const { node, axes, gelu } = reading.anyValue(at);
  const { x, ...state } = gelu as NonNullable<FileValue['gelu']>;
  const { operator } = reading.node;
  const other = 1 - at;
  const next = { ...state };
  if (reading.isConstant(other)) {
    const { values } = reading.constant(other) as OnnxTensor;
    if (values.length !== 1) return undefined;
    const [c] = values;
    if (operator === 'Add' && near(c, 1) && !state.plusOne) next.plusOne = true;
    else if (operator === 'Mul' && near(c, 0.5) && state.plusOne && !state.half) next.half = true;
    else return undefined;
  } else {
    const value = reading.value(other);
    const { spec, inputs } = value.node as Node & { spec: { factor?: number; offset?: number } };
    const isHalf = spec.type === 'scale' && spec.factor === 0.5 && spec.offset === 0 && inputs[0] === x;
    const fits = operator === 'Mul' && state.plusOne && !state.timesX && value.axes.join() === axes.join();
    if (!fits || !(value.node === x || (isHalf && !state.half))) return undefined;
    next.timesX = true;
    if (value.node !== x) next.half = true;
  }
  if (next.timesX && next.half) return { node: x.pipe(layers.gelu()), axes };
  return { node, axes, gelu: { x, ...next } };
}

function arithmetic(operator: string, merge: (a: Node, b: Node) => Node): void {
  readers.set(operator, (reading) => {
    const part = geluPart(reading);
    if (part !== undefined) return part;
    if (reading.isConstant(0)) return withConstant(reading, 0);
    if (reading.isConstant(1)) return withConstant(reading, 1);
    const [a, b] = [reading.value(0), reading.value(1)];
    if (operator === 'Mul' && a.node === b.node && a.axes.join() === b.axes.join())
      return { ...a, node: a.node.pipe(merges.square()) };
    const { nodes, axes } = together(reading, [a, b]);
    return { node: merge(nodes[0], nodes[1]), axes };
  });
}

arithmetic('Add', merges.add);
arithmetic('Sub', merges.subtract);
arithmetic('Mul', merges.multiply);
arithmetic('Div', merges.divide);

readers.set('Concat', (reading) => {
  if (reading.node.inputs.every((_, i) => reading.isConstant(i))) return joined(reading);
  const values = reading.allValues();
  const { nodes, axes } = together(reading, values);
  const axis = axes[reading.axis(reading.int('axis', 1), axes.length)];
  if (nodes.length === 1) return values[0];
  const [first, second, ...others] = nodes;
  return { node: merges.concat(first, second, ...others, { axis }), axes };
});

/** Integers one after the other: the shape of a reshape. */
function joined(reading: NodeReading): OnnxTensor {
  const values = reading.node.inputs.flatMap((_, i) => [...(reading.integers(i) ?? [])]);
  // Lists that are joined with themselves would double each time.
  if (values.length > MAX_RANK) throw reading.unsupported(`a list of ${values.length} integers`);
  return { shape: [values.length], values };
}

readers.set('MatMul', (reading) => {
  if (!reading.isConstant(1)) {
    const [a, b] = reading.allValues().map(asPlain);
    return plain(merges.matmul(a, b));
  }
  const node = asPlain(reading.value());
  const { shape } = reading.constant(1) as OnnxTensor;
  const features = node.shape[node.shape.length - 1];
  if (shape.length !== 2)
    throw reading.unsupported(`samples of ${shapeText(node.shape)} times a matrix of ${shapeText(shape)}`);
  const units = shape[1];
  const weight = reading.parameter(1, [features, units]);
  // A bias is added by a node of its own.
  const { graph } = reading;
  const [output] = reading.node.outputs;
  const [taker, ...others] = graph.takers.get(output) ?? [];
  const bias = taker?.operator === 'Add' && others.length === 0 ? biasOf(reading, taker, units) : undefined;
  const make = (named: { name?: string }) => layers.dense(units, { bias: bias !== undefined, ...named });
  const value = plain(graph.layer(reading.node, node, make, { weight, ...(bias && { bias }) }));
  if (taker !== undefined && bias !== undefined) {
    graph.values.set(taker.outputs[0], value);
    graph.done.add(taker);
  }
  return value;
});

/** The bias that a node adds to `output`; undefined if it is none. */
function biasOf(reading: NodeReading, taker: NodeReading['node'], units: number): ParameterSource | undefined {
  const name = taker.inputs.find((other) => other !== reading.node.outputs[0]) ?? '';
  const tensor = reading.graph.constants.get(name);
  if (tensor?.values.length !== units || tensor.shape.at(-1) !== units) return undefined;
  const values = tensor.values as Float32Array;
  return values instanceof Float32Array ? { from: `${name}*1`, length: units, make: () => values } : undefined;
}

readers.set('Gemm', (reading) => {
  reading.only('transA', 0);
  const node = asPlain(reading.value());
  const tensor = reading.constant(1);
  if (node.shape.length !== 1 || tensor?.shape.length !== 2)
    throw reading.unsupported(`samples of ${shapeText(node.shape)} and no matrix of weights`);
  const [inputs] = node.shape;
  const isTransposed = reading.int('transB', 0) !== 0;
  const units = tensor.shape[isTransposed ? 0 : 1];
  const place = (i: number) => (i % inputs) * units + Math.floor(i / inputs);
  const weight = isTransposed
    ? reading.parameter(1, [units, inputs], place, reading.float('alpha', 1))
    : reading.parameter(1, [inputs, units], undefined, reading.float('alpha', 1));
  const bias = reading.has(2) ? { bias: repeated(reading, 2, units, reading.float('beta', 1)) } : {};
  const make = (named: { name?: string }) => layers.dense(units, { bias: reading.has(2), ...named });
  return plain(reading.graph.layer(reading.node, node, make, { weight, ...bias }));
});

/** A number for each channel, of which the file may have one for all. */
function repeated(reading: NodeReading, i: number, count: number, factor = 1): ParameterSource {
  if (reading.constant(i)?.values.length !== 1 || count === 1) return reading.parameter(i, [count], undefined, factor);
  const source = reading.parameter(i, [1], undefined, factor);
  return {
    from: `${source.from}, ${count} times`,
    length: count,
    make: () => new Float32Array(count).fill(source.make()[0]),
  };
}

/** Integers of an attribute for the two dimensions of a window. */
function pair(reading: NodeReading, name: string, otherwise: number): [number, number] {
  const [a = otherwise, b = otherwise, ...more] = reading.ints(name) ?? [];
  if (more.length > 0) throw reading.unsupported(`${name} of more than two dimensions`);
  return [a, b];
}

type Margins = [[number, number], [number, number]];

/** Padding before and after, for rows and columns; 'same' as TensorFlow has it. */
function paddingOf(reading: NodeReading): 'same' | Margins {
  const auto = reading.string('auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER') return 'same';
  if (auto === 'SAME_LOWER') throw reading.unsupported('auto_pad SAME_LOWER');
  const pads = auto === 'VALID' ? [0, 0, 0, 0] : (reading.ints('pads') ?? [0, 0, 0, 0]);
  if (pads.length !== 4) throw reading.unsupported(`pads of ${pads.length} numbers`);
  return [
    [pads[0], pads[2]],
    [pads[1], pads[3]],
  ];
}

/** The window that the weights have, which an attribute may repeat. */
function windowOf(reading: NodeReading, shape: Shape): [number, number] {
  const window = reading.ints('kernel_shape') ?? shape.slice(2);
  if (shape.length !== 4 || window.join() !== shape.slice(2).join())
    throw reading.unsupported(`weights of ${shapeText(shape)} and a window of ${shapeText(window)}`);
  return [window[0], window[1]];
}

/** blasnet's place of each of ONNX's weights, [filters, channels, height, width]. */
function placeOf([filters, channels, height, width]: Shape) {
  const area = height * width;
  return (i: number) => {
    const [filter, channel] = [Math.floor(i / (channels * area)), Math.floor(i / area) % channels];
    return ((i % area) * channels + channel) * filters + filter;
  };
}

const image = (node: Node): FileValue => ({ node, axes: channelsFirst(3) });

readers.set('Conv', (reading) => {
  const node = reading.image();
  const { shape = [] } = reading.constant(1) ?? {};
  const window = windowOf(reading, shape);
  const [filters] = shape;
  const groups = reading.int('group', 1);
  const [stride, dilation] = [pair(reading, 'strides', 1), pair(reading, 'dilations', 1)];
  const options = { window, stride, padding: paddingOf(reading), dilation, bias: reading.has(2) };
  const channels = node.shape[2];
  if (shape[1] * groups !== channels)
    throw reading.corrupt(`weights of ${shapeText(shape)} in ${groups} groups for ${channels} channels`);
  const weight = reading.parameter(1, shape, placeOf(shape));
  const sources = { weight, ...(reading.has(2) && { bias: reading.parameter(2, [filters]) }) };
  const isDepthwise = groups === channels && groups > 1 && filters % groups === 0;
  const make = (named: { name?: string }) =>
    isDepthwise
      ? layers.depthwiseConv2d({ ...options, multiplier: filters / groups, ...named })
      : layers.conv2d(filters, { ...options, groups, ...named });
  return image(reading.graph.layer(reading.node, node, make, sources));
});

readers.set('ConvTranspose', (reading) => {
  const node = reading.image();
  const { shape = [] } = reading.constant(1) ?? {};
  const window = windowOf(reading, shape);
  reading.only('group', 1);
  if (pair(reading, 'dilations', 1).some((step) => step !== 1)) throw reading.unsupported('dilations');
  if (reading.ints('output_shape') !== undefined) throw reading.unsupported('output_shape');
  const filters = shape[1];
  const [stride, padding] = [pair(reading, 'strides', 1), paddingOf(reading)];
  const outputPadding = pair(reading, 'output_padding', 0);
  if (padding === 'same' && (outputPadding.some((more) => more > 0) || window.some((size, i) => size < stride[i])))
    throw reading.unsupported('auto_pad SAME_UPPER with gaps between windows, or with output_padding');
  const options = { window, stride, padding, outputPadding, bias: reading.has(2) };
  const weight = reading.parameter(1, shape, placeOf(shape));
  if (shape[0] !== node.shape[2]) throw reading.corrupt(`weights of ${shapeText(shape)} for ${node.shape[2]} channels`);
  const sources = { weight, ...(reading.has(2) && { bias: reading.parameter(2, [filters]) }) };
  const make = (named: { name?: string }) => layers.convTranspose2d(filters, { ...options, ...named });
  return image(reading.graph.layer(reading.node, node, make, sources));
});

function pool(operator: string, layer: typeof layers.maxPool2d, includes: (reading: NodeReading) => boolean): void {
  readers.set(operator, (reading) => {
    const node = reading.image();
    const window = pair(reading, 'kernel_shape', 1);
    const stride = pair(reading, 'strides', 1);
    if (pair(reading, 'dilations', 1).some((step) => step !== 1)) throw reading.unsupported('dilations');
    if (reading.node.outputs.length > 1) throw reading.unsupported('its second output');
    const padding = paddingOf(reading);
    const isPadded = padding === 'same' || padding.flat().some((pixels) => pixels > 0);
    const isWhole = isPadded && includes(reading);
    if (isWhole && padding === 'same') throw reading.unsupported('count_include_pad with auto_pad');
    const padded = isWhole ? node.pipe(merges.pad([...(padding as Margins), [0, 0]])) : node;
    const pooled = padded.pipe(layer(window, { stride, ...(!isWhole && { padding }) }));
    // Rounding up is the same where nothing is left over.
    if (reading.int('ceil_mode', 0) !== 0) {
      const isExact = [0, 1].every((axis) => {
        if (padding === 'same') return true;
        const [before, after] = padding[axis];
        return (node.shape[axis] + before + after - window[axis]) % stride[axis] === 0;
      });
      if (!isExact) throw reading.unsupported('ceil_mode, with a window that goes beyond the image');
    }
    return image(pooled);
  });
}

pool('MaxPool', layers.maxPool2d, () => false);
pool('AveragePool', layers.avgPool2d, (reading) => reading.int('count_include_pad', 0) !== 0);

function globalPool(operator: string, layer: typeof layers.globalAvgPool2d): void {
  readers.set(operator, (reading) => {
    const pooled = reading.image().pipe(layer());
    return image(inShape(pooled, [1, 1, pooled.shape[0]]));
  });
}

globalPool('GlobalAveragePool', layers.globalAvgPool2d);
globalPool('GlobalMaxPool', layers.globalMaxPool2d);

/** A value with its channels, the first dimension of its samples in the file, last; and the axes of the result. */
function withChannelsLast(reading: NodeReading): { node: Node; axes: readonly number[]; channels: number } {
  const value = reading.value();
  const axes = channelsFirst(value.axes.length);
  const node = withAxes(value, axes);
  return { node, axes, channels: node.shape[node.shape.length - 1] };
}

readers.set('BatchNormalization', (reading) => {
  reading.only('training_mode', 0);
  const { node, axes, channels } = withChannelsLast(reading);
  const names = ['gamma', 'beta', 'runningMean', 'runningVariance'];
  const sources = Object.fromEntries(names.map((own, i) => [own, reading.parameter(i + 1, [channels])]));
  const options = { epsilon: reading.float('epsilon', 1e-5), momentum: reading.float('momentum', 0.9) };
  const make = (named: { name?: string }) => layers.batchNorm({ ...options, ...named });
  return { node: reading.graph.layer(reading.node, node, make, sources), axes };
});

readers.set('InstanceNormalization', (reading) => {
  const { node, axes, channels } = withChannelsLast(reading);
  const sources = { gamma: reading.parameter(1, [channels]), beta: reading.parameter(2, [channels]) };
  const epsilon = reading.float('epsilon', 1e-5);
  const make = (named: { name?: string }) => layers.instanceNorm({ epsilon, ...named });
  return { node: reading.graph.layer(reading.node, node, make, sources), axes };
});

readers.set('LayerNormalization', (reading) => {
  const value = reading.value();
  const rank = value.axes.length;
  if (reading.axis(reading.int('axis', -1), rank) !== rank - 1)
    throw reading.unsupported('over more than the last dimension');
  const node = asPlain(value);
  const features = node.shape[rank - 1];
  const zeros: ParameterSource = { from: '0', length: features, make: () => new Float32Array(features) };
  const beta = reading.has(2) ? reading.parameter(2, [features]) : zeros;
  const epsilon = reading.float('epsilon', 1e-5);
  const make = (named: { name?: string }) => layers.layerNorm({ epsilon, ...named });
  return plain(reading.graph.layer(reading.node, node, make, { gamma: reading.parameter(1, [features]), beta }));
});

readers.set('LRN', (reading) => {
  const { node, axes } = withChannelsLast(reading);
  const size = reading.int('size', 1);
  if (size % 2 !== 1) throw reading.unsupported('a window of an even number of channels');
  const options = {
    radius: (size - 1) / 2,
    alpha: reading.float('alpha', 1e-4) / size,
    beta: reading.float('beta', 0.75),
    bias: reading.float('bias', 1),
  };
  return { node: node.pipe(layers.localResponseNorm(options)), axes };
});

readers.set('PRelu', (reading) => {
  const value = reading.value();
  const { shape = [] } = reading.constant(1) ?? {};
  const dimensions = fileShapeOf(value);
  const long = shape.findIndex((each) => each !== 1);
  const along = long < 0 ? 0 : long + dimensions.length - shape.length;
  const axes = endingWith(value, Math.max(0, along));
  const node = withAxes(value, axes);
  const slope = repeated(reading, 1, node.shape[node.shape.length - 1]);
  const made = reading.graph.layer(reading.node, node, (named) => layers.prelu(named), { slope });
  return imageAgain({ node: made, axes }, value);
});

/** A softmax over the last dimension; in sets before 13, over all from `axis` on. */
function softmax(operator: string, layer: () => LayerSpec): void {
  readers.set(operator, (reading) => {
    const value = reading.value();
    const rank = value.axes.length;
    const isOld = reading.graph.model.opset < 13;
    if (reading.axis(reading.int('axis', isOld ? 1 : -1), rank) !== rank - 1)
      throw reading.unsupported('over another dimension than the last');
    return plain(asPlain(value).pipe(layer()));
  });
}

softmax('Softmax', layers.softmax);
softmax('LogSoftmax', layers.logSoftmax);

readers.set('Flatten', (reading) => {
  reading.only('axis', 1);
  const node = asPlain(reading.value());
  return plain(inShape(node, [elements(node.shape)]));
});

/**
 * A value in another shape of its samples in the file. One number a row, [batch] in the file, has the shape [1]; indices
 * have no axes then, so that what a Gather gives of them has no dimension of 1.
 */
function inFileShape(value: FileValue, shape: Shape): FileValue {
  const node = inShape(asPlain(value), shape.length === 0 ? [1] : shape);
  return shape.length === 0 && isIndex(node) ? { node, axes: [] } : plain(node);
}

readers.set('Reshape', (reading) => {
  const value = reading.value();
  const given = reading.integers(1) ?? reading.ints('shape');
  if (given === undefined || given.length === 0) throw reading.corrupt('it has no shape');
  const from = fileShapeOf(value);
  const [first, ...rest] = given;
  const sizes = rest.map((size, i) => (size === 0 ? from[i] : size));
  const total = elements(from);
  const known = elements(sizes.filter((size) => size !== -1));
  const shape = sizes.map((size) => (size === -1 ? total / known : size));
  const keepsBatch = first === 0 || first === BATCH || first === -1 || first === reading.graph.batch;
  if (
    (shape.length === 0 && !isIndex(value.node)) ||
    !keepsBatch ||
    elements(shape) !== total ||
    !shape.every((size) => Number.isSafeInteger(size) && size > 0)
  )
    throw reading.unsupported(`samples of ${shapeText(from)} in the shape ${shapeText(given)}, the batch first`);
  return inFileShape(value, shape);
});

/** Dimensions from an attribute (older sets) or an input. */
function axesOf(reading: NodeReading, i: number): readonly number[] | undefined {
  return reading.has(i) ? reading.integers(i) : reading.ints('axes');
}

readers.set('Squeeze', (reading) => {
  if (reading.isConstant(0)) return flat(reading);
  const value = reading.value();
  const from = fileShapeOf(value);
  const given = axesOf(reading, 1)?.map((axis) => reading.axis(axis, from.length));
  const gone = given ?? from.flatMap((size, i) => (size === 1 ? [i] : []));
  if (gone.some((axis) => from[axis] !== 1)) throw reading.corrupt('it removes a dimension that is not 1');
  return inFileShape(
    value,
    from.filter((_, i) => !gone.includes(i)),
  );
});

readers.set('Unsqueeze', (reading) => {
  if (reading.isConstant(0)) return flat(reading);
  const value = reading.value();
  const shape = fileShapeOf(value);
  const given = axesOf(reading, 1) ?? [];
  const rank = shape.length + given.length;
  for (const axis of given.map((each) => reading.axis(each, rank)).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return inFileShape(value, shape);
});

/** A list of integers, of whatever shape: only a shape is computed with. */
function flat(reading: NodeReading): OnnxTensor {
  const values = reading.integers(0) ?? [];
  return { shape: [values.length], values };
}

readers.set('Shape', (reading) => {
  const shape = [BATCH, ...fileShapeOf(reading.value())];
  // Both may count from the end, and go beyond it.
  const values = shape.slice(reading.int('start', 0), reading.int('end', shape.length));
  return { shape: [values.length], values };
});

/** Rows of a table of weights. */
function embedding(reading: NodeReading): FileValue {
  const value = reading.value(1);
  const table = reading.constant(0);
  if (!isIndex(value.node)) throw reading.unsupported('its indices are not an input');
  if (table?.shape.length !== 2 || reading.int('axis', 0) !== 0)
    throw reading.unsupported('only rows of a matrix are read');
  const [vocabulary, size] = table.shape;
  const make = (named: { name?: string }) => layers.embedding(vocabulary, size, named);
  const sources = { weight: reading.parameter(0, table.shape) };
  const node = reading.graph.layer(reading.node, value.node, make, sources);
  return plain(inShape(node, [...fileShapeOf(value), size]));
}

readers.set('Gather', (reading) => {
  if (reading.isConstant(0) && !reading.isConstant(1)) return embedding(reading);
  const values = reading.integers(0) ?? [];
  const picked = (reading.integers(1) ?? []).map((i) => values[i < 0 ? i + values.length : i]);
  if (picked.includes(undefined as never)) throw reading.corrupt('it takes what is not there');
  return { shape: [picked.length], values: picked };
});

readers.set('Constant', (reading) => {
  const { attributes } = reading.node;
  const value = attributes.get('value');
  if (isTensor(value)) return value;
  const [float, floats] = [attributes.get('value_float'), attributes.get('value_floats')];
  if (typeof float === 'number') return { shape: [], values: Float32Array.of(float) };
  if (Array.isArray(floats)) return { shape: [floats.length], values: Float32Array.from(floats) };
  const [int, ints] = [attributes.get('value_int'), attributes.get('value_ints')];
  if (typeof int === 'number') return { shape: [], values: [int] };
  if (Array.isArray(ints)) return { shape: [ints.length], values: ints };
  throw reading.corrupt('it has no value');
});

readers.set('Transpose', (reading) => {
  const { node, axes } = reading.value();
  const perm = reading.ints('perm');
  const isOrder = perm?.length === axes.length + 1 && [...perm].sort((a, b) => a - b).every((axis, i) => axis === i);
  if (perm === undefined || !isOrder) throw reading.unsupported('without an order of all dimensions');
  if (perm[0] !== 0) throw reading.unsupported('it moves the batch');
  return { node, axes: perm.slice(1).map((axis) => axes[axis - 1]) };
});

function reduction(operator: string, layer: typeof merges.sum): void {
  readers.set(operator, (reading) => {
    const { node, axes } = reading.value();
    const given = axesOf(reading, 1);
    if (given === undefined || given.length === 0) throw reading.unsupported('over all dimensions and the batch');
    const gone = given.map((axis) => reading.axis(axis, axes.length));
    const axis = gone.map((each) => axes[each]);
    // Reduced dimensions are kept first, so that the others stay in their places.
    const kept: FileValue = { node: node.pipe(layer({ axis, keepDimension: true })), axes };
    if (reading.int('keepdims', 1) !== 0) return kept;
    return inFileShape(
      kept,
      fileShapeOf(kept).filter((_, i) => !gone.includes(i)),
    );
  });
}

reduction('ReduceSum', merges.sum);
reduction('ReduceMean', merges.mean);
reduction('ReduceMax', merges.max);
reduction('ReduceLogSumExp', merges.logSumExp);

readers.set('Slice', (reading) => {
  const value = reading.isConstant(0) ? undefined : reading.value();
  // A list of integers has no batch.
  const list = value === undefined ? (reading.integers(0) ?? []) : [];
  const sizes = value === undefined ? [list.length] : fileShapeOf(value);
  const starts = reading.has(1) ? reading.integers(1) : reading.ints('starts');
  const ends = reading.has(2) ? reading.integers(2) : reading.ints('ends');
  const axes = reading.has(3) ? reading.integers(3) : reading.ints('axes');
  if (starts === undefined || ends?.length !== starts.length) throw reading.corrupt('it has no range');
  if (reading.integers(4)?.some((step) => step !== 1)) throw reading.unsupported('steps other than 1');
  const begin = sizes.map(() => 0);
  const end = [...sizes];
  starts.forEach((start, i) => {
    const axis = value === undefined ? 0 : reading.axis(axes?.[i] ?? i, sizes.length);
    const at = (index: number) => Math.min(sizes[axis], Math.max(0, index < 0 ? index + sizes[axis] : index));
    [begin[axis], end[axis]] = [at(start), at(ends[i])];
  });
  if (value === undefined) {
    const values = list.slice(begin[0], end[0]);
    return { shape: [values.length], values };
  }
  if (end.some((last, i) => last <= begin[i])) throw reading.unsupported('nothing is left');
  const { node, axes: places } = value;
  const [from, to] = [[...begin], [...end]];
  places.forEach((place, i) => {
    [from[place], to[place]] = [begin[i], end[i]];
  });
  return { node: node.pipe(merges.slice({ begin: from, end: to })), axes: places };
});

readers.set('Pad', (reading) => {
  const value = reading.value();
  reading.only('mode', 'constant');
  if (reading.has(3)) throw reading.unsupported('axes');
  const { node, axes } = value;
  const pads = reading.has(1) ? reading.integers(1) : reading.ints('pads');
  const rank = axes.length + 1;
  if (pads?.length !== 2 * rank) throw reading.corrupt('it has no margins for each dimension');
  if (pads[0] !== 0 || pads[rank] !== 0) throw reading.unsupported('it pads the batch');
  if (pads.some((pixels) => pixels < 0)) throw reading.unsupported('margins below 0');
  const margins: [number, number][] = [];
  axes.forEach((axis, i) => {
    margins[axis] = [pads[i + 1], pads[rank + i + 1]];
  });
  const fill = reading.has(2) ? reading.number(2) : reading.float('value', 0);
  return { node: node.pipe(merges.pad(margins, { value: fill })), axes };
});

function upsample(operator: string, scalesAt: number): void {
  readers.set(operator, (reading) => {
    const node = reading.image();
    reading.only('mode', 'nearest');
    if (operator === 'Resize') {
      const place = reading.string('coordinate_transformation_mode', 'half_pixel');
      const nearest = reading.string('nearest_mode', 'round_prefer_floor');
      // By whole factors, both repeat each pixel; other pairs do not.
      if (!['asymmetric, floor', 'half_pixel, round_prefer_floor'].includes(`${place}, ${nearest}`))
        throw reading.unsupported(`${place} with ${nearest}`);
      if (reading.has(3)) throw reading.unsupported('sizes; only scales are read');
    }
    const scales = reading.constant(scalesAt)?.values;
    const factor = [scales?.[2] ?? 0, scales?.[3] ?? 0] as const;
    if (
      scales?.length !== 4 ||
      scales[0] !== 1 ||
      scales[1] !== 1 ||
      !factor.every((x) => Number.isInteger(x) && x > 0)
    )
      throw reading.unsupported('other scales than whole ones of height and width');
    return image(node.pipe(merges.upsample2d(factor)));
  });
}

upsample('Resize', 2);
upsample('Upsample', 1);
