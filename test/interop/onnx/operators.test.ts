import { describe, expect, it } from 'vitest';
import { fromOnnx } from '../../../lib/interop/onnx/index.js';
import { encodeModel, type NewAttribute, type NewNode, type OnnxTensor } from '../../../lib/interop/onnx/model.js';
import { MessageWriter } from '../../../lib/interop/onnx/wire.js';
import { elements } from '../../../lib/program/instructions.js';
import { randomFloats } from '../../api/support.js';
import { expectError } from '../../data/expect-error.js';
import { channelsFirst, describeOrt, runOrt } from './support.js';

/** What neither our exports nor the files of PyTorch have. The input is x; the last node gives y. */
interface Case {
  /** Shape of a sample in the file. */
  readonly input: readonly number[];
  readonly nodes: readonly NewNode[];
  readonly tensors?: Readonly<Record<string, OnnxTensor>>;
  /** Dimensions of a sample of the output. */
  readonly output: readonly number[];
  readonly positive?: boolean;
}

type Attributes = Readonly<Record<string, NewAttribute>>;
const node = (operator: string, inputs: string[], attributes: Attributes = {}, output = 'y'): NewNode => {
  return { name: `${operator}_${output}`, operator, inputs, outputs: [output], attributes };
};
const floats = (shape: readonly number[], seed = 1): OnnxTensor => {
  return { shape, values: randomFloats(elements(shape), seed).map((x) => x + 0.1) };
};
const number = (value: number): OnnxTensor => ({ shape: [], values: Float32Array.of(value) });
const integers = (...values: number[]): OnnxTensor => ({ shape: [values.length], values });
const of = (
  input: readonly number[],
  output: readonly number[],
  nodes: NewNode | readonly NewNode[],
  tensors: Readonly<Record<string, OnnxTensor>> = {},
  positive = false,
): Case => ({ input, output, nodes: [nodes].flat(), tensors, positive });

const image = [3, 6, 5];
const ints = (...values: number[]): NewAttribute => ({ ints: values });
const int = (value: number): NewAttribute => ({ int: value });

const text = (value: string): NewAttribute => ({ string: value });
const conv = (output: string) => node('Conv', ['x', 'w'], {}, output);
/** After a convolution, so that there is an image, its channels last. */
const afterConv = (
  output: readonly number[],
  then: NewNode | readonly NewNode[],
  tensors: Readonly<Record<string, OnnxTensor>> = {},
) => of(image, output, [conv('a'), then].flat(), { w: floats([3, 3, 1, 1]), ...tensors });
/** A node with several outputs, along a dimension. */
const parts = (operator: string, inputs: string[], outputs: string[], axis: number): NewNode => {
  return { name: operator, operator, inputs, outputs, attributes: { axis: int(axis) } };
};
/** The transpose c of the tensor b. */
const flip = node('Transpose', ['b'], { perm: ints(1, 0) }, 'c');
const resize = (factor: number, attributes: Attributes) =>
  of(image, [3, 6 * factor, 5 * factor], node('Resize', ['x', '', 's'], attributes), {
    s: { shape: [4], values: Float32Array.of(1, 1, factor, factor) },
  });

const cases: Readonly<Record<string, Case>> = {
  'a matrix and its transpose': of(
    [3],
    [3],
    [node('Gemm', ['x', 'w'], { transB: int(1) }, 'a'), node('Relu', ['a'], {}, 'b'), node('Gemm', ['b', 'w'])],
    { w: floats([3, 3]) },
  ),
  'a matrix of MatMul and its transpose': of(
    [3],
    [3],
    [node('MatMul', ['x', 'w'], {}, 'a'), node('Gemm', ['a', 'w'], { transB: int(1) })],
    { w: floats([3, 3]) },
  ),
  'times its transpose': of(
    [3, 3],
    [3, 3],
    [node('Transpose', ['x'], { perm: ints(0, 2, 1) }, 't'), node('Mul', ['x', 't'])],
  ),
  ...Object.fromEntries(
    [2, 3, 4].flatMap((factor) => [
      [`Resize by ${factor} with ONNX's defaults`, resize(factor, {})],
      [
        `Resize by ${factor}, asymmetric`,
        resize(factor, { coordinate_transformation_mode: text('asymmetric'), nearest_mode: text('floor') }),
      ],
    ]),
  ),
  'Slice of an image': afterConv([2, 4, 2], node('Slice', ['a', 's', 'e', 'i']), {
    s: integers(1, 1, -2),
    e: integers(3, 5, 9),
    i: integers(1, 2, -1),
  }),
  'plus columns of an image': afterConv(image, node('Add', ['a', 'c']), { c: floats([5]) }),
  'slopes of rows of an image': afterConv(image, node('PRelu', ['a', 'c']), { c: floats([6, 1]) }),
  'a part of the shape': of(
    [3, 2, 2],
    [12],
    [
      node('Relu', ['x'], {}, 'a'),
      node('Shape', ['a'], { start: int(-9), end: int(1) }, 's'),
      node('Concat', ['s', 'm'], { axis: int(0) }, 'c'),
      node('Reshape', ['a', 'c'], {}, 'r'),
      node('Softmax', ['r'], { axis: int(-1) }),
    ],
    { m: integers(-1) },
  ),
  'Gemm with factors': of([4], [3], node('Gemm', ['x', 'w', 'b'], { alpha: { float: 0.5 }, beta: { float: 2 } }), {
    w: floats([4, 3]),
    b: floats([1, 3], 2),
  }),
  'Gemm with one bias for all': of([4], [3], node('Gemm', ['x', 'w', 'b'], { transB: int(1) }), {
    w: floats([3, 4]),
    b: floats([1], 2),
  }),
  'MatMul with an Add': of([4], [3], [node('MatMul', ['x', 'w'], {}, 'a'), node('Add', ['b', 'a'])], {
    w: floats([4, 3]),
    b: floats([3], 2),
  }),
  'MatMul of steps': of([5, 4], [5, 3], node('MatMul', ['x', 'w']), { w: floats([4, 3]) }),
  'MatMul of images, with an Add': of(
    [2, 5, 4],
    [2, 5, 3],
    [node('MatMul', ['x', 'w'], {}, 'a'), node('Add', ['b', 'a'])],
    { w: floats([4, 3]), b: floats([3], 2) },
  ),
  'MatMul whose sum is taken twice': of(
    [4],
    [4],
    [node('MatMul', ['x', 'w'], {}, 'a'), node('Add', ['a', 'b'], {}, 'c'), node('Mul', ['c', 'a'])],
    { w: floats([4, 4]), b: floats([4], 2) },
  ),
  'AveragePool with its padding': of(
    image,
    [3, 3, 3],
    node('AveragePool', ['x'], {
      kernel_shape: ints(3, 2),
      strides: ints(2, 2),
      pads: ints(1, 0, 0, 1),
      count_include_pad: int(1),
    }),
  ),
  'MaxPool that rounds up to what it has': of(
    image,
    [3, 3, 4],
    node('MaxPool', ['x'], { kernel_shape: ints(2, 2), strides: ints(2, 1), ceil_mode: int(1) }),
  ),
  'Conv, SAME_UPPER': of(
    image,
    [2, 3, 3],
    node('Conv', ['x', 'w'], { auto_pad: { string: 'SAME_UPPER' }, strides: ints(2, 2) }),
    {
      w: floats([2, 3, 3, 2]),
    },
  ),
  'Conv, VALID': of(image, [2, 4, 4], node('Conv', ['x', 'w', 'b'], { auto_pad: { string: 'VALID' } }), {
    w: floats([2, 3, 3, 2]),
    b: floats([2], 3),
  }),
  'a number minus': of([4], [4], node('Sub', ['c', 'x']), { c: number(2) }),
  'a number divided by': of([4], [4], node('Div', ['c', 'x']), { c: number(2) }, true),
  'minus a number': of([4], [4], node('Sub', ['x', 'c']), { c: number(2) }),
  'plus features': of([4], [4], node('Add', ['x', 'c']), { c: floats([4]) }),
  'features minus': of([4], [4], node('Sub', ['c', 'x']), { c: floats([1, 4]) }),
  'divided by features': of([4], [4], node('Div', ['x', 'c']), { c: floats([4], 5) }),
  'features divided by': of([4], [4], node('Div', ['c', 'x']), { c: floats([4]) }, true),
  'times channels': of(image, image, node('Mul', ['x', 'c']), { c: floats([1, 3, 1, 1]) }),
  'times rows': of(image, image, node('Mul', ['x', 'c']), { c: floats([6, 1]) }),
  'times columns': of(image, image, node('Mul', ['x', 'c']), { c: floats([5]) }),
  'plus a number for each of steps and features': of([4, 3], [4, 3], node('Add', ['x', 'c']), { c: floats([1, 4, 3]) }),
  'a number for each of rows and columns minus images': afterConv(image, node('Sub', ['c', 'a']), {
    c: floats([6, 5]),
  }),
  'images divided by a number for each of channels and columns': afterConv(image, node('Div', ['a', 'c']), {
    c: floats([1, 3, 1, 5], 5),
  }),
  'times steps': of([4, 3], [4, 3], node('Mul', ['x', 'c']), { c: floats([4, 1]) }),
  'HardSigmoid of Keras': of([6], [6], node('HardSigmoid', ['x'])),
  'Clip from below': of([6], [6], node('Clip', ['x', 'c']), { c: number(-0.2) }),
  'Clip from above': of([6], [6], node('Clip', ['x', '', 'c']), { c: number(0.3) }),
  Neg: of([6], [6], node('Neg', ['x'])),
  Reciprocal: of([6], [6], node('Reciprocal', ['x']), {}, true),
  'PRelu with one slope': of(image, image, node('PRelu', ['x', 's']), { s: floats([1]) }),
  'PRelu with one slope for several numbers of channels': of(
    image,
    [2, 6, 5],
    [node('PRelu', ['x', 's'], {}, 'a'), node('Conv', ['a', 'w'], {}, 'b'), node('PRelu', ['b', 's'])],
    { s: floats([1]), w: floats([2, 3, 1, 1]) },
  ),
  'PRelu with slopes of channels': of(image, image, node('PRelu', ['x', 's']), { s: floats([1, 3, 1, 1]) }),
  'PRelu with slopes of channels first': of(image, image, node('PRelu', ['x', 's']), { s: floats([3, 1, 1]) }),
  'PRelu with slopes of columns': of(image, image, node('PRelu', ['x', 's']), { s: floats([5]) }),
  'Mul with itself': of([6], [6], node('Mul', ['x', 'x'])),
  'Sum of one': of([6], [6], node('Sum', ['x'])),
  'Min of three': of(
    [6],
    [6],
    [node('Neg', ['x'], {}, 'a'), node('Abs', ['x'], {}, 'b'), node('Min', ['x', 'a', 'b'])],
  ),
  Squeeze: of([3, 1, 4], [3, 4], [node('Relu', ['x'], {}, 'a'), node('Squeeze', ['a', 'i'])], { i: integers(2) }),
  Unsqueeze: of([3, 4], [3, 1, 4, 1], node('Unsqueeze', ['x', 'i']), { i: integers(2, -1) }),
  'ReduceMean of rows, not kept': of(image, [3, 5], node('ReduceMean', ['x'], { axes: ints(2), keepdims: int(0) })),
  'ReduceMax of channels': of(image, [1, 6, 5], node('ReduceMax', ['x'], { axes: ints(1), keepdims: int(1) })),
  'LayerNormalization without a bias': of([3, 4], [3, 4], node('LayerNormalization', ['x', 's']), { s: floats([4]) }),
  'Transpose of all but the batch': of([2, 3, 4], [4, 3, 2], node('Transpose', ['x'], { perm: ints(0, 3, 2, 1) })),
  'Transpose between layers': of(
    image,
    [5, 6, 3],
    [
      node('MaxPool', ['x'], { kernel_shape: ints(1, 1) }, 'a'),
      node('Transpose', ['a'], { perm: ints(0, 3, 2, 1) }, 'b'),
      node('AveragePool', ['b'], { kernel_shape: ints(1, 1) }, 'c'),
      node('Relu', ['c']),
    ],
  ),
  'Slice from the end': of(image, [2, 6, 3], node('Slice', ['x', 's', 'e', 'a']), {
    s: integers(-2, 0),
    e: integers(2 ** 40, -2),
    a: integers(1, 3),
  }),
  'Pad of images': of(image, [3, 9, 6], node('Pad', ['x', 'p', 'c']), {
    p: integers(0, 0, 1, 0, 0, 0, 2, 1),
    c: number(0.5),
  }),
  'Reshape by computed sizes': of(
    [3, 4],
    [12],
    [
      node('Shape', ['x'], {}, 's'),
      node('Gather', ['s', 'i'], {}, 'n'),
      node('Concat', ['n', 'rest'], { axis: int(0) }, 't'),
      node('Reshape', ['x', 't']),
    ],
    { i: integers(0), rest: integers(-1) },
  ),
  'Flatten of images from the end': of(image, [90], node('Flatten', ['x'], { axis: int(-3) })),
  'Flatten of images': of(image, [90], node('Flatten', ['x'])),
  'Softmax of features': of([4], [4], node('Softmax', ['x'], { axis: int(1) })),
  'Cast, Identity, Dropout': of(
    [4],
    [4],
    [node('Cast', ['x'], { to: int(1) }, 'a'), node('Identity', ['a'], {}, 'b'), node('Dropout', ['b'])],
  ),
  'one number a row, with another': of(
    [3],
    [],
    [
      node('ReduceSum', ['x', 'last'], { keepdims: int(0) }, 'a'),
      node('ReduceMax', ['x'], { axes: ints(1), keepdims: int(0) }, 'b'),
      ...[node('Mul', ['a', 'b'], {}, 'c'), node('Sum', ['c', 'a', 'b'], {}, 'd')],
      ...[
        node('Add', ['d', 'two'], {}, 'e'),
        node('Mul', ['e', 'e'], {}, 'f'),
        node('Transpose', ['f'], { perm: ints(0) }),
      ],
    ],
    { last: integers(-1), two: { shape: [1], values: Float32Array.of(2) } },
  ),
  'one number a row as a column': of(
    [3, 1, 1],
    [1],
    [
      node('ReduceMean', ['x'], { axes: ints(1, 2, 3), keepdims: int(0) }, 'a'),
      ...[
        node('Unsqueeze', ['a', 'one'], {}, 'b'),
        node('ReduceMax', ['x'], { axes: ints(1, 2), keepdims: int(0) }, 'c'),
      ],
      ...[
        node('Mul', ['b', 'c'], {}, 'd'),
        node('Reshape', ['d', 'all'], {}, 'e'),
        node('PRelu', ['e', 'slope'], {}, 'f'),
      ],
      ...[node('Shape', ['f'], {}, 's'), node('Concat', ['s', 'one'], { axis: int(0) }, 't')],
      ...[node('Reshape', ['f', 't'], {}, 'g'), node('Squeeze', ['g', 'one'], {}, 'h'), node('Flatten', ['h'])],
    ],
    { one: integers(1), all: integers(-1), slope: { shape: [1], values: Float32Array.of(0.3) } },
  ),
  Celu: of([6], [6], node('Celu', ['x'], { alpha: { float: 0.7 } })),
  'Softmax over channels of images': afterConv(image, node('Softmax', ['a'], { axis: int(1) })),
  'Softmax over rows of images': afterConv(image, node('Softmax', ['a'], { axis: int(2) })),
  'LogSoftmax over channels of images': afterConv(image, node('LogSoftmax', ['a'], { axis: int(-3) })),
  'Softmax over steps': of([4, 3], [4, 3], node('Softmax', ['x'], { axis: int(1) })),
  'Softmax over the last of four': of([2, 3, 4, 2], [2, 3, 4, 2], node('Softmax', ['x'], { axis: int(-1) })),
  ...Object.fromEntries(
    ['ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare'].map((operator) => [
      operator,
      of(image, [3, 5], node(operator, ['x'], { axes: ints(2), keepdims: int(0) })),
    ]),
  ),
  'an image times what a reduction and Unsqueeze leave of it': afterConv(
    image,
    [
      node('ReduceMean', ['a'], { axes: ints(1), keepdims: int(0) }, 'm'),
      node('Unsqueeze', ['m', 'one'], {}, 'u'),
      node('Mul', ['u', 'a']),
    ],
    { one: integers(1) },
  ),
  'Split by sizes': afterConv([1, 6, 5], [parts('Split', ['a', 's'], ['b', 'c'], 1), node('Relu', ['c'])], {
    s: integers(2, 1),
  }),
  'Split in equal parts': of(
    [6, 4],
    [2, 4],
    [parts('Split', ['x'], ['b', 'c', 'd'], 1), node('Sub', ['b', 'd'], {}, 'e'), node('Mul', ['e', 'c'])],
  ),
  'Gather of one column': afterConv([3, 6], node('Gather', ['a', 'i'], { axis: int(3) }), {
    i: { shape: [], values: [-1] },
  }),
  'Gather of rows next to each other': afterConv([3, 2, 5], node('Gather', ['a', 'i'], { axis: int(2) }), {
    i: integers(3, 4),
  }),
  ...Object.fromEntries(
    ['DCR', 'CRD'].map((mode) => [
      `DepthToSpace, ${mode}`,
      of(
        [8, 3, 2],
        [2, 6, 4],
        [node('Conv', ['x', 'w'], {}, 'a'), node('DepthToSpace', ['a'], { blocksize: int(2), mode: text(mode) })],
        { w: floats([8, 8, 1, 1]) },
      ),
    ]),
  ),
  SpaceToDepth: of(
    [2, 6, 4],
    [8, 3, 2],
    [node('Conv', ['x', 'w'], {}, 'a'), node('SpaceToDepth', ['a'], { blocksize: int(2) })],
    { w: floats([2, 2, 1, 1]) },
  ),
  'Resize to sizes': of(
    image,
    [3, 12, 15],
    [
      ...[node('Shape', ['x'], { end: int(2) }, 'first'), node('Concat', ['first', 's'], { axis: int(0) }, 't')],
      node('Resize', ['x', '', '', 't'], {
        coordinate_transformation_mode: text('asymmetric'),
        nearest_mode: text('floor'),
      }),
    ],
    { s: integers(12, 15) },
  ),
  'Expand, then times the whole': afterConv(image, [
    node('ReduceMax', ['a'], { axes: ints(2, 3) }, 'm'),
    ...[node('Shape', ['a'], {}, 's'), node('Expand', ['m', 's'], {}, 'e'), node('Mul', ['a', 'e'])],
  ]),
  'Expand to its own shape': of([4], [4], node('Expand', ['x', 's']), { s: integers(1, 4) }),
  // What PyTorch writes for a padding: zeros are appended to the margins, which are then put in the other order.
  'Pad by computed margins': afterConv(
    [3, 9, 6],
    [
      ...[node('ConstantOfShape', ['n'], {}, 'floats'), node('Cast', ['floats'], { to: int(7) }, 'z')],
      node('Concat', ['p', 'z'], { axis: int(0) }, 'c'),
      node('Reshape', ['c', 'pairs'], {}, 'r'),
      node('Slice', ['r', 'minus', 'least', 'zero', 'minus'], {}, 's'),
      node('Transpose', ['s'], { perm: ints(1, 0) }, 't'),
      node('Reshape', ['t', 'minus'], {}, 'f'),
      ...[node('Cast', ['f'], { to: int(7) }, 'm'), node('Pad', ['a', 'm'])],
    ],
    {
      ...{ n: integers(4), p: integers(0, 1, 2, 1), pairs: integers(-1, 2), minus: integers(-1) },
      ...{ least: integers(-(2 ** 53)), zero: integers(0) },
    },
  ),
  'sizes by arithmetic': of(
    [4, 3, 2],
    [2, 12],
    [
      node('Shape', ['x'], {}, 's'),
      ...['batch', 'c', 'h', 'w'].map((name, i) => node('Gather', ['s', `${i}`], { axis: int(0) }, name)),
      ...[node('Mul', ['h', 'w'], {}, 'hw'), node('Div', ['c', 'two'], {}, 'half')],
      ...[node('Mul', ['hw', 'two'], {}, 'rest'), node('Sub', ['half', '0'], {}, 'same')],
      ...['batch', 'same', 'rest'].map((name) => node('Unsqueeze', [name, 'axis'], {}, `${name}1`)),
      node('Concat', ['batch1', 'same1', 'rest1'], { axis: int(0) }, 'to'),
      node('Reshape', ['x', 'to']),
    ],
    {
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`${i}`, { shape: [], values: [i] }])),
      ...{ two: { shape: [], values: [2] }, axis: integers(0) },
    },
  ),
  'sizes by a choice': afterConv(
    image,
    [
      node('ReduceMax', ['a'], { axes: ints(2, 3) }, 'm'),
      ...[node('Mul', ['g', 'zeros'], {}, 'z'), node('Add', ['z', 'one'], {}, 'ones')],
      node('Equal', ['g', 'minus'], {}, 'q'),
      ...[node('Where', ['q', 'ones', 'g'], {}, 's'), node('Expand', ['m', 's'], {}, 'e'), node('Add', ['e', 'a'])],
    ],
    { zeros: integers(0, 0, 0, 0), one: integers(1), g: integers(-1, 3, 6, 5), minus: integers(-1) },
  ),
  ...Object.fromEntries(
    Object.entries({
      Transpose: [node('Transpose', ['w'], { perm: ints(1, 0) }, 'c')],
      'Transpose of all': [node('Transpose', ['w'], {}, 'c')],
      Squeeze: [node('Unsqueeze', ['w', 'i'], {}, 'a'), node('Squeeze', ['a', 'i'], {}, 'b'), flip],
      Gather: [node('Gather', ['w', 'order'], { axis: int(1) }, 'b'), flip],
      Slice: [node('Slice', ['w', 'from', 'to', 'i', 'step'], {}, 'b'), flip],
      Concat: [
        node('Slice', ['w', 'i', 'one', 'i'], {}, 'a'),
        ...[node('Slice', ['w', 'one', 'all', 'i'], {}, 'd'), node('Concat', ['a', 'd'], { axis: int(0) }, 'b'), flip],
      ],
      arithmetic: [
        ...[node('Mul', ['w', 'row'], {}, 'a'), node('Add', ['column', 'a'], {}, 'd')],
        ...[node('Div', ['d', 'row'], {}, 'e'), node('Sub', ['e', 'row'], {}, 'g'), node('Neg', ['g'], {}, 'b'), flip],
      ],
    }).map(([name, nodes]) => [
      `weights by ${name}`,
      of([3], [4], [...nodes, node('MatMul', ['x', 'c'])], {
        ...{ w: floats([4, 3]), i: integers(0), order: integers(2, 0, -2), from: integers(3), to: integers(-9) },
        ...{ step: integers(-1), one: integers(1), all: integers(4), row: floats([3], 4), column: floats([4, 1], 5) },
      }),
    ]),
  ),
  'gelu, halved first': of(
    [5],
    [5],
    [
      node('Mul', ['x', 'half'], {}, 'h'),
      node('Div', ['x', 'root'], {}, 'a'),
      node('Erf', ['a'], {}, 'e'),
      node('Add', ['one', 'e'], {}, 'p'),
      node('Mul', ['h', 'p']),
    ],
    { half: number(0.5), root: number(Math.SQRT2), one: number(1) },
  ),
};

/** A file whose input x, of this type, has samples of this shape. */
const indexFile = (type: number, shape: readonly number[], nodes: readonly NewNode[], tensors: Case['tensors'] = {}) =>
  encodeModel('', {
    nodes,
    tensors: new Map(Object.entries({ w: floats([7, 3]), axes: integers(1), ...tensors })),
    inputs: [{ name: 'x', type, shape: ['n', ...shape] }],
    outputs: [{ name: 'y', type: 1, shape: ['n', ...Array.from({ length: shape.length + 1 }, (_, i) => `d${i}`)] }],
  });

/** A file whose int64 inputs x and z have samples of one index; y has samples of this shape. */
const pairFile = (output: readonly number[], nodes: readonly NewNode[]) =>
  encodeModel('', {
    nodes,
    tensors: new Map(
      Object.entries({
        ...{ w: floats([7, 3]), v: floats([7, 3], 2), k: floats([6, 2], 3) },
        ...{ one: integers(1), all: integers(-1), column: integers(-1, 1) },
      }),
    ),
    inputs: ['x', 'z'].map((name) => ({ name, type: 7, shape: ['n', 1] })),
    outputs: [{ name: 'y', type: 1, shape: ['n', ...output] }],
  });
/** Rows w_x and v_z, as a and b, of the inputs without their dimension of 1. */
const squeezed = [
  ...[node('Squeeze', ['x', 'one'], {}, 'i'), node('Squeeze', ['z', 'one'], {}, 'j')],
  ...[node('Gather', ['w', 'i'], {}, 'a'), node('Gather', ['v', 'j'], {}, 'b')],
];
const dotted = [...squeezed, node('Mul', ['a', 'b'], {}, 'm')];
const pairs: Readonly<Record<string, readonly [readonly number[], readonly NewNode[]]>> = {
  'squeezed indices, a product of rows': [[], [...dotted, node('ReduceSum', ['m', 'one'], { keepdims: int(0) })]],
  'squeezed indices, a reduction that keeps its dimension': [[1], [...dotted, node('ReduceSum', ['m', 'one'])]],
  'squeezed indices, joined': [[6], [...squeezed, node('Concat', ['a', 'b'], { axis: int(1) })]],
  'squeezed indices, joined, a matrix': [
    [2],
    [...squeezed, node('Concat', ['a', 'b'], { axis: int(1) }, 'c'), node('Gemm', ['c', 'k'])],
  ],
  'indices in a shape without their dimension': [
    [3],
    [
      ...[node('Reshape', ['x', 'all'], {}, 'i'), node('Reshape', ['z', 'all'], {}, 'j')],
      ...[node('Gather', ['w', 'i'], {}, 'a'), node('Gather', ['v', 'j'], {}, 'b'), node('Add', ['a', 'b'])],
    ],
  ],
  'squeezed indices as a column again': [
    [1, 3],
    [
      ...[node('Squeeze', ['x'], {}, 'i'), node('Cast', ['i'], { to: int(6) }, 'c')],
      ...[node('Reshape', ['c', 'column'], {}, 'r'), node('Gather', ['w', 'r'], {}, 'a')],
      ...[node('Reshape', ['z', 'all'], {}, 'j'), node('Unsqueeze', ['j', 'one'], {}, 'u')],
      ...[node('Gather', ['v', 'u'], {}, 'b'), node('Add', ['a', 'b'])],
    ],
  ],
};

const toInteger = node('Cast', ['x'], { to: int(7) }, 'i');

describe('Gather of rows of weights', () => {
  const w = floats([7, 3]).values as Float32Array;
  const rows = (indices: readonly number[]) => indices.flatMap((i) => [...w.subarray(3 * i, 3 * i + 3)]);

  it.each<[string, Uint8Array, number[]]>([
    ['int64', indexFile(7, [2], [node('Gather', ['w', 'x'])]), [2, 3]],
    ['int32, one a row', indexFile(6, [], [node('Gather', ['w', 'x'])]), [3]],
    ['floats that are cast', indexFile(1, [1], [toInteger, node('Gather', ['w', 'i'], { axis: int(0) })]), [1, 3]],
    ['unsqueezed', indexFile(7, [], [node('Unsqueeze', ['x', 'axes'], {}, 'i'), node('Gather', ['w', 'i'])]), [1, 3]],
  ])('%s', (_, bytes, output) => {
    const network = fromOnnx(bytes);
    const indices = [5, 0, 6, 2].slice(0, output.length === 2 && output[0] === 2 ? 4 : 3);
    expect(network.output).toEqual(output);
    expect([...network.predict(indices)]).toEqual(rows(indices).map(Math.fround));
    expectError(() => network.predict(indices.map(() => 7)), 'INVALID_ARGUMENT', /index from 0 to 6/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['columns', indexFile(7, [2], [node('Gather', ['w', 'x'], { axis: int(1) })]), /only rows of a matrix/],
    [
      'numbers too',
      indexFile(
        1,
        [2],
        [
          ...[toInteger, node('Gather', ['w', 'i'], {}, 'g')],
          node('ReduceSum', ['g', 'last'], { keepdims: int(0) }, 's'),
          node('Add', ['s', 'x']),
        ],
        { last: integers(-1) },
      ),
      /add: it can't take an index input/,
    ],
    ['what is computed', indexFile(1, [2], [node('Relu', ['x'], {}, 'r'), node('Gather', ['w', 'r'])]), /not an input/],
    ['integers that no table takes', indexFile(7, [2], [node('Relu', ['x'])]), /element type 7/],
    [
      'a table of integers',
      indexFile(7, [2], [node('Gather', ['t', 'x'])], { t: { shape: [1, 2], values: [1, 2] } }),
      /integers/,
    ],
    [
      'indices in another shape',
      indexFile(7, [4], [node('Reshape', ['x', 's'], {}, 'i'), node('Gather', ['w', 'i'])], { s: integers(-1, 2, 2) }),
      /reshape: it can't take an index input/,
    ],
    [
      'a batch of all indices',
      indexFile(7, [4], [node('Reshape', ['x', 's'], {}, 'i'), node('Gather', ['w', 'i'])], { s: integers(-1) }),
      /samples of \[4\] in the shape \[-1\]/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expectError(() => fromOnnx(bytes), 'INVALID_ARGUMENT', message);
  });

  it('a shape for an input without a dimension is an error', () => {
    const bytes = indexFile(7, [], [node('Gather', ['w', 'x'])]);
    const message = /the input "x" has no dimension besides the batch/;
    expectError(() => fromOnnx(bytes, { shapes: { x: [5] } }), 'INVALID_ARGUMENT', message);
  });

  it('numbers without a dimension are refused as an input, and [1] as an output', () => {
    const file = (shape: number[], nodes: ReturnType<typeof node>[]) =>
      encodeModel('', {
        nodes,
        tensors: new Map(Object.entries({ last: integers(-1) })),
        inputs: [{ name: 'x', type: 1, shape: ['n', ...shape] }],
        outputs: [{ name: 'y', type: 1, shape: ['n'] }],
      });
    expectError(() => fromOnnx(file([], [node('Relu', ['x'])])), 'INVALID_ARGUMENT', /"x" has no dimension besides/);
    const sum = fromOnnx(file([3], [node('ReduceSum', ['x', 'last'], { keepdims: int(0) })]));
    expect(sum.output).toEqual([1]);
    expect(sum.predict([[1, 2, 4]])).toEqual(Float32Array.of(7));
  });

  it('indices without their dimension of 1 give rows without one', () => {
    const [, nodes] = pairs['squeezed indices, a product of rows'];
    const network = fromOnnx(pairFile([], nodes));
    expect(network.output).toEqual([1]);
    const v = floats([7, 3], 2).values;
    const dot = [0, 1, 2].reduce((sum, i) => sum + w[3 * 5 + i] * v[3 * 2 + i], 0);
    const given = network.predict({ x: [5], z: [2] });
    expect(given.length).toBe(1);
    expect(given[0]).toBeCloseTo(dot, 5);
  });
});

describe('one number a row', () => {
  const sum = node('ReduceSum', ['x', 'last'], { keepdims: int(0) }, 's');
  const file = (...nodes: NewNode[]) =>
    encodeModel('', {
      nodes: [sum, ...nodes],
      tensors: new Map(
        Object.entries({
          last: integers(-1),
          w: floats([1, 2]),
          v: floats([1]),
          two: floats([1, 1]),
          many: floats([3]),
        }),
      ),
      inputs: [{ name: 'x', type: 1, shape: ['n', 3] }],
      outputs: [{ name: 'y', type: 1, shape: ['n'] }],
    });
  const kept = node('ReduceSum', ['x', 'last'], {}, 'k');

  it.each<[string, RegExp, NewNode[]]>([
    ['plus a column', /values of 1 and 2 dimensions/, [kept, node('Add', ['s', 'k'])]],
    [
      'plus itself as a column',
      /values of 1 and 2/,
      [node('Unsqueeze', ['s', 'last'], {}, 'u'), node('Mul', ['s', 'u'])],
    ],
    ['times features', /values of 2 and 1 dimensions/, [node('Mul', ['x', 's'])]],
    ['one after the other', /across the samples/, [node('Concat', ['s', 's'], { axis: int(0) })]],
    ['softmax', /across the samples/, [node('Softmax', ['s'])]],
    ['slice', /across the samples/, [node('Slice', ['s', 'last', 'last', 'last'])]],
    ['reduced again', /across the samples/, [node('ReduceSum', ['s', 'last'])]],
    ['Gemm', /samples of \[\] and no matrix/, [node('Gemm', ['s', 'w'])]],
    ['MatMul of weights', /samples of \[\] times a matrix/, [node('MatMul', ['s', 'w'])]],
    ['MatMul', /a product across the batch/, [node('MatMul', ['s', 's'])]],
    ['batch norm', /without a dimension besides/, [node('BatchNormalization', ['s', 'v', 'v', 'v', 'v'])]],
    ['plus a matrix of one number', /constant of the shape \[1, 1\]/, [node('Add', ['s', 'two'])]],
    ['plus features', /constant of the shape \[3\]/, [node('Add', ['s', 'many'])]],
  ])('refused: %s', (_, message, nodes) => {
    expectError(() => fromOnnx(file(...nodes)), 'INVALID_ARGUMENT', message);
  });
});

it('weights whose first use only gives a shape are those of the file', () => {
  const bytes = encodeModel('', {
    nodes: [
      ...[node('Gemm', ['x', 'w'], {}, 'a'), node('Shape', ['a'], {}, 's')],
      ...[node('Gemm', ['x', 'w'], {}, 'b'), node('Reshape', ['b', 's'])],
    ],
    tensors: new Map([['w', { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) }]]),
    inputs: [{ name: 'x', type: 1, shape: ['n', 2] }],
    outputs: [{ name: 'y', type: 1, shape: ['n', 3] }],
  });
  expect(fromOnnx(bytes).predict([1, 10])).toEqual(Float32Array.of(41, 52, 63));
});

it('images that are padded before a Transpose to channels first have them last', () => {
  const bytes = encodeModel('', {
    nodes: [
      ...[node('Pad', ['x', 'p'], {}, 'a'), node('Transpose', ['a'], { perm: ints(0, 3, 1, 2) }, 'b')],
      node('GlobalMaxPool', ['b']),
    ],
    tensors: new Map([['p', integers(0, 1, 0, 0, 0, 0, 1, 0)]]),
    inputs: [{ name: 'x', type: 1, shape: ['n', 2, 1, 3] }],
    outputs: [{ name: 'y', type: 1, shape: ['n', 3, 1, 1] }],
  });
  const network = fromOnnx(bytes);
  expect(network.input).toEqual([2, 1, 3]);
  expect(network.predict([1, 2, -1, 4, -5, -6])).toEqual(Float32Array.of(4, 2, 0));
});

describe('upsampling of older sets', () => {
  /** Writes an operator on images of one row, 1 and 2, by twice their size, in a set of this version. */
  const file = (version: number, operator: string, write: (inner: MessageWriter, graph: MessageWriter) => void) => {
    const model = new MessageWriter();
    model.message(7, (graph) => {
      graph.message(1, (inner) => {
        inner.string(1, 'x');
        inner.string(2, 'y');
        inner.string(4, operator);
        write(inner, graph);
      });
      for (const [field, name] of [[11, 'x'] as const, [12, 'y'] as const])
        graph.message(field, (value) => {
          value.string(1, name);
          value.message(2, (type) =>
            type.message(1, (tensor) => {
              tensor.integer(1, 1);
              tensor.message(2, (shape) => {
                shape.message(1, (size) => size.string(2, 'n'));
                for (const size of [1, 1, 2]) shape.message(1, (dimension) => dimension.integer(1, size));
              });
            }),
          );
        });
    });
    model.message(8, (set) => set.integer(2, version));
    return model.finish();
  };
  const scales = new Uint8Array(Float32Array.of(1, 1, 2, 2).buffer);
  const asAttribute = (inner: MessageWriter) =>
    inner.message(5, (attribute) => {
      attribute.string(1, 'scales');
      attribute.bytes(7, scales);
      attribute.integer(20, 6);
    });
  const asInput = (inner: MessageWriter, graph: MessageWriter) => {
    inner.string(1, 's');
    graph.message(5, (tensor) => {
      tensor.integer(1, 4);
      tensor.integer(2, 1);
      tensor.string(8, 's');
      tensor.bytes(9, scales);
    });
  };

  it.each([
    ['Upsample', 7, asAttribute],
    ['Upsample', 9, asInput],
    ['Resize', 10, asInput],
  ] as const)('%s of set %i', (operator, version, write) => {
    const network = fromOnnx(file(version, operator, write));
    expect(network.predict([1, 2])).toEqual(Float32Array.of(1, 1, 2, 2, 1, 1, 2, 2));
  });

  it('without scales is refused', () => {
    const message = /other scales than whole ones/;
    expectError(() => fromOnnx(file(7, 'Upsample', () => {})), 'INVALID_ARGUMENT', message);
  });
});

describe('Cast of a constant', () => {
  const file = (to: number, values: OnnxTensor['values']) =>
    encodeModel('', {
      nodes: [
        ...[node('Cast', ['c'], { to: int(to) }, 'k'), node('Cast', ['k'], { to: int(1) }, 'f')],
        node('Add', ['x', 'f']),
      ],
      tensors: new Map([['c', { shape: [3], values }]]),
      inputs: [{ name: 'x', type: 1, shape: ['n', 3] }],
      outputs: [{ name: 'y', type: 1, shape: ['n', 3] }],
    });

  it.each<[string, number, number[]]>([
    ['float', 1, [0.5, -1.75, 0]],
    ['float16', 10, [0.5, -1.75, 0]],
    ['double', 11, [0.5, -1.75, 0]],
    ['int32', 6, [0, -1, 0]],
    ['int64', 7, [0, -1, 0]],
    ['bool', 9, [1, 1, 0]],
  ])('%s', (_, to, wanted) => {
    const network = fromOnnx(file(to, Float32Array.of(0.5, -1.75, 0)));
    expect([...network.predict([0, 0, 0])].map((value) => value + 0)).toEqual(wanted);
  });

  it('refuses other types', () => {
    const message = /\(Cast\): a constant as the element type 2/;
    expectError(() => fromOnnx(file(2, Float32Array.of(0.5, 1, 2))), 'INVALID_ARGUMENT', message);
  });
});

describe('tensors that are computed twice', () => {
  const file = (second: readonly number[]) =>
    encodeModel('', {
      nodes: [
        ...[node('Transpose', ['w'], { perm: ints(1, 0) }, 'a'), node('MatMul', ['x', 'a'], {}, 'b')],
        ...[node('Transpose', ['w'], { perm: ints(...second) }, 'c'), node('MatMul', ['b', 'c'])],
      ],
      tensors: new Map([['w', floats([3, 3])]]),
      inputs: [{ name: 'x', type: 1, shape: ['n', 3] }],
      outputs: [{ name: 'y', type: 1, shape: ['n', 3] }],
    });

  it('are one parameter', () => {
    expect(fromOnnx(file([1, 0])).parameters.length).toBe(1);
    expect(fromOnnx(file([0, 1])).parameters.length).toBe(2);
  });
});

it('parts of a Split may have no name', () => {
  const bytes = encodeModel('', {
    nodes: [parts('Split', ['x', 's'], ['', 'y', ''], 1)],
    tensors: new Map([['s', integers(3, 2, 1)]]),
    inputs: [{ name: 'x', type: 1, shape: ['n', 6] }],
    outputs: [{ name: 'y', type: 1, shape: ['n', 2] }],
  });
  expect([...fromOnnx(bytes).predict([0, 1, 2, 3, 4, 5])]).toEqual([3, 4]);
});

describe('softmax of sets before 13', () => {
  const file = (shape: readonly number[], attributes: Attributes) => {
    const bytes = encodeModel('', {
      nodes: [node('Softmax', ['x'], attributes)],
      tensors: new Map(),
      inputs: [{ name: 'x', type: 1, shape: ['n', ...shape] }],
      outputs: [{ name: 'y', type: 1, shape: ['n', ...shape] }],
    });
    // The last set that a file names counts.
    const set = new MessageWriter();
    set.message(8, (inner) => inner.integer(2, 12));
    return Buffer.concat([bytes, set.finish()]);
  };

  it.each<[string, Attributes, number]>([
    ['over all dimensions, by default', {}, 12],
    ['over all dimensions', { axis: int(-3) }, 12],
    ['over two', { axis: int(2) }, 6],
    ['over the last', { axis: int(-1) }, 3],
  ])('%s', (_, attributes, count) => {
    const network = fromOnnx(file([2, 2, 3], attributes), { inputLayout: 'nhwc' });
    const x = randomFloats(12, 4);
    const wanted = [...x].map((value, i) => {
      const group = x.subarray(i - (i % count), i - (i % count) + count);
      return Math.exp(value) / group.reduce((sum, other) => sum + Math.exp(other), 0);
    });
    const given = network.predict(x);
    wanted.forEach((value, i) => expect(given[i], `[${i}]`).toBeCloseTo(value, 6));
  });
});

describeOrt('operators as ONNX Runtime computes them', () => {
  it.each(Object.entries(cases))('%s', async (_, { input, nodes, tensors = {}, output, positive = false }) => {
    const bytes = encodeModel('', {
      nodes,
      tensors: new Map(Object.entries(tensors)),
      inputs: [{ name: 'x', type: 1, shape: ['n', ...input] }],
      outputs: [{ name: 'y', type: 1, shape: ['n', ...output] }],
    });
    const network = fromOnnx(bytes);
    const random = randomFloats(3 * elements(input), 8);
    const values = positive ? random.map((value) => Math.abs(value) + 0.4) : random;
    const { y } = await runOrt(bytes, 3, { x: channelsFirst(values, network.input) });
    const given = network.predict(values);
    expect(y.dims).toEqual([3, ...output]);
    // An image that the network gives has its channels last.
    const isImage = output.length === 3 && network.output.join() === [...output.slice(1), output[0]].join();
    if (nodes[0].operator === 'Conv' && output.length === 3)
      expect(network.output).toEqual([...output.slice(1), output[0]]);
    const ours = isImage ? channelsFirst(given, network.output).values : given;
    expect(ours.length).toBe(y.data.length);
    ours.forEach((value, i) => expect(Math.abs(y.data[i] - value), `[${i}]`).toBeLessThan(1e-5));
  });

  it.each(Object.entries(pairs))('%s', async (_, [output, nodes]) => {
    const bytes = pairFile(output, nodes);
    const [x, z] = [
      [5, 0, 6],
      [2, 6, 1],
    ];
    const feed = (indices: number[]) => ({ values: BigInt64Array.from(indices, BigInt), shape: [1] });
    const given = fromOnnx(bytes).predict({ x, z });
    const { y } = await runOrt(bytes, 3, { x: feed(x), z: feed(z) });
    expect(y.dims).toEqual([3, ...output]);
    expect(given.length).toBe(y.data.length);
    given.forEach((value, i) => expect(Math.abs(y.data[i] - value), `[${i}]`).toBeLessThan(1e-5));
  });
});
