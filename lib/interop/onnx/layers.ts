/** How each type of layer is written in ONNX's operators (set 17). */
import type { LayerSpec } from '../../layers/layer.js';
import { axisOf } from '../../layers/reduce.js';
import { type Dilation, geometry, type Window2d } from '../../layers/window.js';
import { elements, type Shape } from '../../program/instructions.js';
import { type Channels, fileShape, type GraphValue, type LayerWriting, notExported } from './graph-writer.js';
import { INT64, type NewAttribute } from './model.js';

type Attributes = Readonly<Record<string, NewAttribute>>;

/** Writes a node of the network; returns its value. */
export type LayerWriter = (writing: LayerWriting) => GraphValue;

const writers = new Map<string, LayerWriter>();

export function layerWriter(type: string): LayerWriter | undefined {
  return writers.get(type);
}

/** The options of a layer. */
const specOf = <S>({ node }: LayerWriting): S => node.spec as LayerSpec as unknown as S;

const outputOf = ({ node }: LayerWriting): Shape => node.operation.output;

/** Layers that do nothing in inference. */
const nothing: LayerWriter = ({ inputs: [x] }) => x;
for (const type of ['identity', 'dropout', 'spatialDropout2d', 'gaussianNoise']) writers.set(type, nothing);

/** Registers a layer that maps elements, wherever the channels are. */
function elementwise(type: string, write: (writing: LayerWriting, x: string) => string): void {
  writers.set(type, (writing) => {
    const [x] = writing.inputs;
    return { ...x, name: write(writing, x.name) };
  });
}

/** The same as one operator. */
function one(type: string, operator: string, attributes: Attributes = {}): void {
  elementwise(type, ({ graph }, x) => graph.operator(operator, [x], attributes));
}

one('relu', 'Relu');
one('selu', 'Selu');
one('sigmoid', 'Sigmoid');
one('tanh', 'Tanh');
one('softplus', 'Softplus');
one('softsign', 'Softsign');
one('hardSigmoid', 'HardSigmoid', { alpha: { float: 1 / 6 }, beta: { float: 0.5 } });
one('hardSwish', 'HardSwish');
one('exp', 'Exp');
one('log', 'Log');
one('sqrt', 'Sqrt');
one('abs', 'Abs');
elementwise('square', ({ graph }, x) => graph.operator('Mul', [x, x]));
elementwise('relu6', ({ graph }, x) => graph.operator('Clip', [x, graph.number(0), graph.number(6)]));
elementwise('silu', ({ graph }, x) => graph.operator('Mul', [x, graph.operator('Sigmoid', [x])]));
elementwise('mish', ({ graph }, x) => {
  const y = graph.operator('Tanh', [graph.operator('Softplus', [x])]);
  return graph.operator('Mul', [x, y]);
});
elementwise('gelu', ({ graph }, x) => {
  const inner = graph.operator('Erf', [graph.operator('Mul', [x, graph.number(Math.SQRT1_2)])]);
  const twice = graph.operator('Mul', [x, graph.operator('Add', [inner, graph.number(1)])]);
  return graph.operator('Mul', [twice, graph.number(0.5)]);
});
elementwise('leakyRelu', (writing, x) => {
  const { alpha } = specOf<{ alpha: number }>(writing);
  return writing.graph.operator('LeakyRelu', [x], { alpha: { float: alpha } });
});
elementwise('elu', (writing, x) => {
  const { alpha } = specOf<{ alpha: number }>(writing);
  return writing.graph.operator('Elu', [x], { alpha: { float: alpha } });
});
elementwise('power', (writing, x) => {
  const { exponent } = specOf<{ exponent: number }>(writing);
  return writing.graph.operator('Pow', [x, writing.graph.number(exponent)]);
});
elementwise('clip', (writing, x) => {
  const { min, max } = specOf<{ min: number; max: number }>(writing);
  const { graph } = writing;
  return graph.operator('Clip', [x, graph.number(min), graph.number(max)]);
});
elementwise('scale', (writing, x) => {
  const { factor, offset } = specOf<{ factor: number; offset: number }>(writing);
  const { graph } = writing;
  const product = factor === 1 && offset !== 0 ? x : graph.operator('Mul', [x, graph.number(factor)]);
  return offset === 0 ? product : graph.operator('Add', [product, graph.number(offset)]);
});

/** Registers a layer on values whose channels stand there. */
function placed(
  type: string,
  channels: Channels,
  write: (writing: LayerWriting, x: string, input: Shape) => string,
  result = channels,
): void {
  writers.set(type, (writing) => {
    const [value] = writing.inputs;
    const { name } = writing.graph.as(value, channels);
    return { name: write(writing, name, value.shape), shape: outputOf(writing), channels: result };
  });
}

placed('softmax', 'last', ({ graph }, x) => graph.operator('Softmax', [x], { axis: { int: -1 } }));
placed('logSoftmax', 'last', ({ graph }, x) => graph.operator('LogSoftmax', [x], { axis: { int: -1 } }));

placed('dense', 'last', (writing, x, input) => {
  const { graph } = writing;
  const [w, ...b] = ['weight', 'bias'].filter(writing.has).map((own) => writing.parameter(own));
  if (input.length === 1) return graph.operator('Gemm', [x, w, ...b]);
  const product = graph.operator('MatMul', [x, w]);
  return b.length === 0 ? product : graph.operator('Add', [product, ...b]);
});

/** A slope or factor of each channel that broadcasts over the values of a sample. */
const perChannel = (writing: LayerWriting, own: string, { shape, channels }: GraphValue): string => {
  if (channels === 'last' || shape.length === 1) return writing.parameter(own);
  const form = { shape: [shape[shape.length - 1], ...shape.slice(1).map(() => 1)], place: (i: number) => i };
  // A shared layer may have inputs of several ranks.
  return writing.parameter(own, { ...form, suffix: `/first${shape.length}` });
};

/** Indices are float32 in the file, as all inputs are. */
writers.set('embedding', (writing) => {
  const { graph, inputs } = writing;
  const shape = outputOf(writing);
  const indices = graph.operator('Cast', [graph.as(inputs[0], 'last').name], { to: { int: INT64 } });
  const vectors = graph.operator('Gather', [writing.parameter('weight'), indices]);
  const name = shape.length > inputs[0].shape.length ? vectors : graph.reshaped(vectors, shape);
  return { name, shape, channels: 'last' };
});

writers.set('prelu', (writing) => {
  const [x] = writing.inputs;
  return { ...x, name: writing.graph.operator('PRelu', [x.name, perChannel(writing, 'slope', x)]) };
});

placed('batchNorm', 'first', (writing, x) => {
  const { epsilon, momentum, evaluation } = specOf<{ epsilon: number; momentum: number; evaluation: string }>(writing);
  if (evaluation !== 'running')
    throw notExported(writing.node, "with evaluation: 'batch' its result depends on the other samples of a batch");
  const names = ['gamma', 'beta', 'runningMean', 'runningVariance'].map((own) => writing.parameter(own));
  const attributes = { epsilon: { float: epsilon }, momentum: { float: momentum } };
  return writing.graph.operator('BatchNormalization', [x, ...names], attributes);
});

interface NormSpec {
  readonly epsilon: number;
  readonly affine: boolean;
  readonly groups?: number;
}

placed('layerNorm', 'last', (writing, x, input) => {
  const { epsilon, affine } = specOf<NormSpec>(writing);
  const names = affine
    ? [writing.parameter('gamma'), writing.parameter('beta')]
    : [writing.graph.numbers(1, input[input.length - 1])];
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
  return writing.graph.operator('LayerNormalization', [x, ...names], attributes);
});

placed('instanceNorm', 'first', (writing, x, input) => {
  const { epsilon, affine } = specOf<NormSpec>(writing);
  const channels = input[input.length - 1];
  const names = affine
    ? [writing.parameter('gamma'), writing.parameter('beta')]
    : [writing.graph.numbers(1, channels), writing.graph.numbers(0, channels)];
  return writing.graph.operator('InstanceNormalization', [x, ...names], { epsilon: { float: epsilon } });
});

// Each group as one channel of an instance normalisation; the set's own operator for groups comes in a later version.
placed('groupNorm', 'first', (writing, x, input) => {
  const { epsilon, affine, groups = 1 } = specOf<NormSpec>(writing);
  const { graph } = writing;
  const grouped = graph.reshaped(x, [groups, elements(input) / groups]);
  const ones = [graph.numbers(1, groups), graph.numbers(0, groups)];
  const normal = graph.operator('InstanceNormalization', [grouped, ...ones], { epsilon: { float: epsilon } });
  const y = graph.reshaped(normal, fileShape(input, 'first'));
  if (!affine) return y;
  const value: GraphValue = { name: y, shape: input, channels: 'first' };
  const scaled = graph.operator('Mul', [y, perChannel(writing, 'gamma', value)]);
  return graph.operator('Add', [scaled, perChannel(writing, 'beta', value)]);
});

placed('localResponseNorm', 'first', (writing, x, input) => {
  const { radius, bias, alpha, beta } = specOf<Record<'radius' | 'bias' | 'alpha' | 'beta', number>>(writing);
  const { graph } = writing;
  const channels = input[input.length - 1];
  // ONNX divides alpha by the number of channels in the window.
  const window = 2 * radius + 1;
  const attributes = {
    size: { int: window },
    alpha: { float: alpha * window },
    beta: { float: beta },
    bias: { float: bias },
  };
  if (input.length === 3) return graph.operator('LRN', [x], attributes);
  const image = graph.reshaped(x, [channels, elements(input) / channels, 1]);
  return graph.reshaped(graph.operator('LRN', [image], attributes), fileShape(input, 'first'));
});

/** Attributes of a window on images of this shape, with the padding of each side. */
function windowAttributes(type: string, input: Shape, layer: Window2d, dilation: Dilation = [1, 1]) {
  const { window, stride, padding } = layer;
  const sizes = geometry(type, input, layer, dilation);
  const before = [sizes.padTop, sizes.padLeft];
  const out = [sizes.outHeight, sizes.outWidth];
  const after = [0, 1].map((axis) => {
    if (padding !== 'same') return padding[axis][1];
    const span = (window[axis] - 1) * dilation[axis] + 1;
    return Math.max(0, (out[axis] - 1) * stride[axis] + span - input[axis]) - before[axis];
  });
  return { kernel_shape: { ints: window }, strides: { ints: stride }, pads: { ints: [...before, ...after] } };
}

/**
 * ONNX's order of a convolution's weights, [filters, channels, height, width], by blasnet's, where the window is first.
 */
function filtersFirst([height, width, channels, filters]: Shape) {
  const area = height * width;
  return {
    shape: [filters, channels, height, width],
    place(i: number) {
      const [filter, channel] = [Math.floor(i / (channels * area)), Math.floor(i / area) % channels];
      return ((i % area) * channels + channel) * filters + filter;
    },
  };
}

interface ConvSpec extends Window2d {
  readonly filters: number;
  readonly dilation: Dilation;
  readonly groups: number;
  readonly multiplier: number;
  readonly outputPadding: readonly [number, number];
}

/** The bias, if there is one. */
const biasOf = (writing: LayerWriting) => (writing.has('bias') ? [writing.parameter('bias')] : []);

placed('conv2d', 'first', (writing, x, input) => {
  const layer = specOf<ConvSpec>(writing);
  const { window, filters, groups, dilation } = layer;
  const w = writing.parameter('weight', filtersFirst([...window, input[2] / groups, filters]));
  return writing.graph.operator('Conv', [x, w, ...biasOf(writing)], {
    ...windowAttributes('conv2d', input, layer, dilation),
    dilations: { ints: dilation },
    group: { int: groups },
  });
});

/** The convolution of each channel with filters of its own. */
function depthwise(writing: LayerWriting, x: string, input: Shape, weight: string, bias: readonly string[]): string {
  const layer = specOf<ConvSpec>(writing);
  const { window, multiplier, dilation } = layer;
  const channels = input[2];
  const w = writing.parameter(weight, filtersFirst([...window, 1, channels * multiplier]));
  return writing.graph.operator('Conv', [x, w, ...bias], {
    ...windowAttributes('depthwiseConv2d', input, layer, dilation),
    dilations: { ints: dilation },
    group: { int: channels },
  });
}

placed('depthwiseConv2d', 'first', (writing, x, input) => depthwise(writing, x, input, 'weight', biasOf(writing)));

placed('separableConv2d', 'first', (writing, x, input) => {
  const { filters, multiplier } = specOf<ConvSpec>(writing);
  const between = depthwise(writing, x, input, 'depthwise', []);
  const w = writing.parameter('pointwise', filtersFirst([1, 1, input[2] * multiplier, filters]));
  return writing.graph.operator('Conv', [between, w, ...biasOf(writing)], { kernel_shape: { ints: [1, 1] } });
});

placed('convTranspose2d', 'first', (writing, x, input) => {
  const layer = specOf<ConvSpec>(writing);
  const { window, stride, filters } = layer;
  const image = outputOf(writing);
  // Here the image is the output. What a window smaller than its stride leaves at the end is output padding.
  const { pads, ...attributes } = windowAttributes('convTranspose2d', image, layer);
  const added = [0, 1].map((axis) => {
    const whole = (input[axis] - 1) * stride[axis] + window[axis];
    return image[axis] - (whole - pads.ints[axis] - pads.ints[axis + 2]);
  });
  const w = writing.parameter('weight', filtersFirst([...window, filters, input[2]]));
  return writing.graph.operator('ConvTranspose', [x, w, ...biasOf(writing)], {
    ...attributes,
    pads,
    output_padding: { ints: added },
  });
});

function pool(type: string, operator: string, more: Attributes): void {
  placed(type, 'first', (writing, x, input) => {
    const layer = specOf<Window2d>(writing);
    const attributes = windowAttributes(type, input, layer);
    if (attributes.pads.ints.some((pixels, i) => pixels >= layer.window[i % 2]))
      throw notExported(writing.node, 'its padding is not smaller than its window');
    return writing.graph.operator(operator, [x], { ...attributes, ...more });
  });
}

pool('maxPool2d', 'MaxPool', {});
pool('avgPool2d', 'AveragePool', { count_include_pad: { int: 0 } });

function globalPool(type: string, operator: string): void {
  const write = ({ graph }: LayerWriting, x: string) => graph.operator('Flatten', [graph.operator(operator, [x])]);
  placed(type, 'first', write, 'last');
}

globalPool('globalAvgPool2d', 'GlobalAveragePool');
globalPool('globalMaxPool2d', 'GlobalMaxPool');

placed('upsample2d', 'first', (writing, x) => {
  const { factor } = specOf<{ factor: readonly number[] }>(writing);
  const { graph } = writing;
  return graph.operator('Resize', [x, '', graph.floats([1, 1, ...factor])], {
    mode: { string: 'nearest' },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
  });
});

const reshape = (writing: LayerWriting, x: string, input: Shape) =>
  outputOf(writing).join() === input.join() ? x : writing.graph.reshaped(x, outputOf(writing));
placed('flatten', 'last', reshape);
placed('reshape', 'last', reshape);

placed('permute', 'last', (writing, x) => {
  const { axes } = specOf<{ axes: readonly number[] }>(writing);
  return writing.graph.operator('Transpose', [x], { perm: { ints: [0, ...axes.map((axis) => axis + 1)] } });
});

placed('slice', 'last', (writing, x, input) => {
  const { begin } = specOf<{ begin: readonly number[] }>(writing);
  const { graph } = writing;
  const first = begin.map((at, i) => (at < 0 ? at + input[i] : at));
  const last = first.map((at, i) => at + outputOf(writing)[i]);
  const axes = input.map((_, i) => i + 1);
  return graph.operator('Slice', [x, graph.integers(first), graph.integers(last), graph.integers(axes)]);
});

placed('pad', 'last', (writing, x) => {
  const { padding, value } = specOf<{ padding: readonly (readonly number[])[]; value: number }>(writing);
  const { graph } = writing;
  const margins = [0, ...padding.map(([before]) => before), 0, ...padding.map(([, after]) => after)];
  return graph.operator('Pad', [x, graph.integers(margins), graph.number(value)]);
});

/** Sums take their axes as a tensor in this set, other reductions as an attribute. */
function reduction(type: string, operator: string): void {
  placed(type, 'last', (writing, x, input) => {
    const { axis } = specOf<{ axis: number | readonly number[] | undefined }>(writing);
    const { graph } = writing;
    const given = typeof axis === 'number' ? [axis] : (axis ?? input.map((_, i) => i));
    const axes = [...new Set(given.map((each) => axisOf(type, each, input) + 1))].sort((a, b) => a - b);
    const keepdims = { int: 1 };
    const y =
      operator === 'ReduceSum'
        ? graph.operator(operator, [x, graph.integers(axes)], { keepdims })
        : graph.operator(operator, [x], { axes: { ints: axes }, keepdims });
    const kept = input.map((each, i) => (axes.includes(i + 1) ? 1 : each));
    return kept.join() === outputOf(writing).join() ? y : graph.reshaped(y, outputOf(writing));
  });
}

reduction('sum', 'ReduceSum');
reduction('mean', 'ReduceMean');
reduction('max', 'ReduceMax');
reduction('logSumExp', 'ReduceLogSumExp');

/** The inputs with their channels in one place: first where all can have them there and one does. */
function alike({ graph, inputs }: LayerWriting): { channels: Channels; values: GraphValue[] } {
  const rank = inputs[0].shape.length;
  const first =
    inputs.every(({ shape }) => shape.length === rank) && inputs.some(({ channels }) => channels === 'first');
  const channels = first ? 'first' : 'last';
  return { channels, values: inputs.map((value) => graph.as(value, channels)) };
}

/** Arithmetic of several inputs, which broadcast. */
function arithmetic(type: string, write: (writing: LayerWriting, names: readonly string[]) => string): void {
  writers.set(type, (writing) => {
    const { channels, values } = alike(writing);
    const shape = outputOf(writing);
    // Dimensions that a sample lacks stand between its own and the batch.
    const names = values.map(({ name, shape: own }) => {
      const missing = shape.length - own.length;
      return missing === 0 ? name : writing.graph.reshaped(name, [...Array<number>(missing).fill(1), ...own]);
    });
    return { name: write(writing, names), shape, channels };
  });
}

/** An operator that takes any number of inputs, with one of two where there is one. */
const variadic = (type: string, operator: string, ofTwo = operator) =>
  arithmetic(type, ({ graph }, names) => graph.operator(names.length === 2 ? ofTwo : operator, names));
variadic('add', 'Sum', 'Add');
variadic('average', 'Mean');
variadic('maximum', 'Max');
variadic('minimum', 'Min');
variadic('subtract', 'Sub');
variadic('divide', 'Div');
arithmetic('multiply', ({ graph }, [first, ...others]) =>
  others.reduce((product, name) => graph.operator('Mul', [product, name]), first),
);

writers.set('concat', (writing) => {
  const { channels, values } = alike(writing);
  const { axis } = specOf<{ axis: number }>(writing);
  const shape = outputOf(writing);
  const along = axisOf('concat', axis, shape);
  const place = channels === 'last' ? along + 1 : along === shape.length - 1 ? 1 : along + 2;
  const names = values.map(({ name }) => name);
  return { name: writing.graph.operator('Concat', names, { axis: { int: place } }), shape, channels };
});

writers.set('matmul', (writing) => {
  const { transposeA, transposeB } = specOf<Record<'transposeA' | 'transposeB', boolean>>(writing);
  const { graph, inputs } = writing;
  const [a, b] = inputs.map((value, i) => {
    const { name, shape } = graph.as(value, 'last');
    if (!(i === 0 ? transposeA : transposeB)) return name;
    const rank = shape.length;
    const outer = Array.from({ length: rank - 1 }, (_, axis) => axis);
    return graph.operator('Transpose', [name], { perm: { ints: [...outer, rank, rank - 1] } });
  });
  return { name: graph.operator('MatMul', [a, b]), shape: outputOf(writing), channels: 'last' };
});

writers.set('dot', (writing) => {
  const { graph, inputs } = writing;
  const product = graph.operator(
    'Mul',
    inputs.map((value) => graph.as(value, 'last').name),
  );
  const keepdims = { int: inputs[0].shape.length === 1 ? 1 : 0 };
  const name = graph.operator('ReduceSum', [product, graph.integers([inputs[0].shape.length])], { keepdims });
  return { name, shape: outputOf(writing), channels: 'last' };
});
