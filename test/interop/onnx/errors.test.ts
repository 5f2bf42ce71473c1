import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { registerLayer, spec } from '../../../lib/extend.js';
import {
  add,
  batchNorm,
  conv2d,
  dense,
  flatten,
  input,
  maxPool2d,
  meanSquaredError,
  Network,
  relu,
} from '../../../lib/index.js';
import { exportOnnx, fromOnnx, importOnnx, toOnnx } from '../../../lib/interop/onnx/index.js';
import { encodeModel, type NewNode, type OnnxTensor, type OnnxValue } from '../../../lib/interop/onnx/model.js';
import { MessageWriter } from '../../../lib/interop/onnx/wire.js';
import { expectError, expectRejection } from '../../data/expect-error.js';
import { chain } from './cases.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-onnx-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('what can not be written', () => {
  it('names the node', () => {
    const one = {
      output: [3],
      parameters: [],
      state: [],
      forward: (_: unknown, y: never) => ({ y, backward: () => undefined }),
    };
    registerLayer('ownLayer', undefined, () => one as never);
    const own = spec({ type: 'ownLayer', name: 'mine' });
    const loss = meanSquaredError();
    expectError(() => toOnnx(chain([3], dense(3), own)), 'INVALID_ARGUMENT', /^toOnnx: layers\[1\]: "ownLayer" can't/);
    const graph = new Network({ output: input([3]).pipe(own), loss });
    expectError(() => toOnnx(graph), 'INVALID_ARGUMENT', /node mine/);
    expectError(
      () => toOnnx(chain([3], batchNorm({ evaluation: 'batch' }))),
      'INVALID_ARGUMENT',
      /layers\[0\].*other samples/,
    );
    const padded = maxPool2d(2, { padding: 2 });
    expectError(() => toOnnx(chain([5, 5, 1], padded)), 'INVALID_ARGUMENT', /not smaller than its window/);
    const same = { name: 'a' };
    const ports = new Network({ outputs: { a: input([3], same).pipe(relu()) }, losses: { a: loss } });
    expectError(() => toOnnx(ports), 'INVALID_ARGUMENT', /different names/);
    const link = { ...meanSquaredError(), kind: 'mine', writeLink: () => {} };
    const linked = new Network({ input: [3], layers: [dense(2)], loss: link });
    expectError(() => toOnnx(linked), 'INVALID_ARGUMENT', /"mine" has a link.*probabilities: false/);
    expect(toOnnx(linked, { probabilities: false }).length).toBeGreaterThan(0);
  });

  it('are wrong arguments', async () => {
    const network = chain([3], dense(2));
    expectError(() => toOnnx({} as never), 'INVALID_ARGUMENT', /a Network/);
    expectError(() => toOnnx(network, { layout: 1 } as never), 'UNKNOWN_OPTION', /unknown option/);
    expectError(() => toOnnx(network, { inputLayout: 'hwc' as never }), 'INVALID_ARGUMENT', /inputLayout/);
    expectError(() => toOnnx(network, { probabilities: 1 as never }), 'INVALID_ARGUMENT', /probabilities/);
    expectError(() => toOnnx(network, { preprocessing: { scal: 1 } as never }), 'UNKNOWN_OPTION', /preprocessing/);
    expectError(() => toOnnx(network, { preprocessing: { scale: Number.NaN } }), 'INVALID_ARGUMENT', /scale/);
    expectError(() => toOnnx(network, { preprocessing: { type: 'int8' as never } }), 'INVALID_ARGUMENT', /type/);
    expectError(() => toOnnx(network, { preprocessing: 3 as never }), 'INVALID_ARGUMENT', /preprocessing/);
    const sum = add(input([2], { name: 'a' }), input([2], { name: 'b' }));
    const two = new Network({ output: sum, loss: meanSquaredError() });
    expectError(() => toOnnx(two, { preprocessing: { c: {} } }), 'INVALID_ARGUMENT', /names of a, b/);
    expectError(() => toOnnx(two, { preprocessing: 3 as never }), 'INVALID_ARGUMENT', /preprocessing/);
    await expectRejection(() => exportOnnx(network, join(folder, 'no/file')), 'FILE_NOT_WRITTEN', /cannot be written/);
    await expectRejection(() => exportOnnx(network, ''), 'INVALID_ARGUMENT', /path/);
    network.dispose();
    expectError(() => toOnnx(network), 'NETWORK_DISPOSED', /dispose/);
  });
});

describe('files', () => {
  it('are read from a Buffer, which is a part of a larger block', () => {
    const network = chain([3], dense(2));
    const again = fromOnnx(Buffer.from(toOnnx(network)));
    expect(again.predict([1, 2, 3])).toEqual(network.predict([1, 2, 3]));
  });

  it('are written and read by path and URL', async () => {
    const network = chain([3], dense(2));
    const file = join(folder, 'a.onnx');
    await exportOnnx(network, file);
    expect(readFileSync(file)).toEqual(Buffer.from(toOnnx(network)));
    expect((await importOnnx(pathToFileURL(file))).predict([1, 2, 3])).toEqual(network.predict([1, 2, 3]));
    await expectRejection(() => importOnnx(join(folder, 'none')), 'FILE_NOT_FOUND', /no such file/);
    await expectRejection(() => importOnnx(folder), 'FILE_NOT_FOUND', /directory/);
    await expectRejection(() => importOnnx(file, { layout: 1 } as never), 'UNKNOWN_OPTION', /unknown option/);
    expect(existsSync(file)).toBe(true);
    expectError(() => fromOnnx('a' as never), 'INVALID_ARGUMENT', /Uint8Array/);
    const bytes = toOnnx(network);
    expectError(() => fromOnnx(bytes, { inputLayout: 'hwc' as never }), 'INVALID_ARGUMENT', /inputLayout/);
    expectError(() => fromOnnx(bytes, { losses: {} }), 'INVALID_ARGUMENT', /1 outputs; use loss/);
    expectError(() => fromOnnx(bytes, { seed: -1 }), 'INVALID_ARGUMENT', /seed/);
    expectError(() => fromOnnx(bytes, { shapes: 3 as never }), 'INVALID_ARGUMENT', /shapes/);
    expectError(() => fromOnnx(bytes, { shapes: { input: [0] } }), 'INVALID_ARGUMENT', /shapes: input/);
    expectError(() => fromOnnx(bytes, { shapes: { input: [4] } }), 'INVALID_ARGUMENT', /shapes can't make \[4\]/);
    expectError(() => fromOnnx(bytes, { shapes: { other: [3] } }), 'INVALID_ARGUMENT', /names of input/);
    expect(fromOnnx(bytes, { shapes: { input: [3] } }).input).toEqual([3]);
  });
});

const x: OnnxValue = { name: 'x', type: 1, shape: ['n', 4] };
const y: OnnxValue = { name: 'y', type: 1, shape: ['n', 4] };
const floats = (...shape: number[]): OnnxTensor => {
  return { shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5) };
};
const ints = (...values: number[]): OnnxTensor => ({ shape: [values.length], values });
const node = (operator: string, inputs: string[], outputs = ['y'], attributes: NewNode['attributes'] = {}): NewNode => {
  return { name: operator.toLowerCase(), operator, inputs, outputs, attributes };
};
const file = (
  nodes: NewNode[],
  tensors: Record<string, OnnxTensor> = {},
  { inputs = [x], outputs = [y] }: { inputs?: OnnxValue[]; outputs?: OnnxValue[] } = {},
) => encodeModel('', { nodes, tensors: new Map(Object.entries(tensors)), inputs, outputs });
const image: OnnxValue = { name: 'x', type: 1, shape: ['n', 3, 6, 5] };

type Wrong = readonly [name: string, bytes: () => Uint8Array, code: string, message: RegExp];
const wrong: Wrong[] = [
  [
    'an unknown operator',
    () => file([node('Einsum', ['x'])]),
    'INVALID_ARGUMENT',
    /"einsum" \(Einsum\): blasnet has no/,
  ],
  [
    'a recurrent layer, rather than what prepares its inputs',
    () =>
      file(
        [
          node('Shape', ['x'], ['s']),
          node('ConstantOfShape', ['s'], ['h']),
          node('Transpose', ['x'], ['t'], { perm: { ints: [1, 0, 2] } }),
          node('GRU', ['t', 'w', 'w', '', '', 'h']),
        ],
        { w: floats(1, 3, 4) },
        { inputs: [{ ...x, shape: ['n', 'steps', 4] }] },
      ),
    'INVALID_ARGUMENT',
    /"gru" \(GRU\): blasnet has no/,
  ],
  [
    'an unknown operator, rather than what is before it',
    () => file([node('Transpose', ['x'], ['t'], { perm: { ints: [1, 0] } }), node('Einsum', ['t'])]),
    'INVALID_ARGUMENT',
    /"einsum" \(Einsum\): blasnet has no/,
  ],
  [
    'a cycle',
    () => file([node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b']), node('Relu', ['b'])]),
    'FILE_CORRUPT',
    /no value "b" before it/,
  ],
  ['an unknown value', () => file([node('Relu', ['z'])]), 'FILE_CORRUPT', /no value "z"/],
  [
    'an output without a value',
    () => file([node('Relu', ['x'], ['z'])]),
    'FILE_CORRUPT',
    /no value for its output "y"/,
  ],
  ['no outputs', () => file([node('Relu', ['x'])], {}, { outputs: [] }), 'FILE_CORRUPT', /no outputs/],
  ['a value given twice', () => file([node('Relu', ['x']), node('Tanh', ['x'])]), 'FILE_CORRUPT', /is not new/],
  ['an input given twice', () => file([node('Relu', ['x'])], {}, { inputs: [x, x] }), 'FILE_CORRUPT', /twice/],
  [
    'an open dimension',
    () => file([node('Relu', ['x'])], {}, { inputs: [{ ...x, shape: ['n', 'm'] }] }),
    'INVALID_ARGUMENT',
    /no fixed size in dimension 1/,
  ],
  [
    'an input of integers',
    () => file([node('Relu', ['x'])], {}, { inputs: [{ ...x, type: 7 }] }),
    'INVALID_ARGUMENT',
    /element type 7/,
  ],
  [
    'weights of another size',
    () => file([node('Gemm', ['x', 'w'])], { w: floats(5, 2) }),
    'FILE_CORRUPT',
    /shape \[5, 2\], expected \[4, 2\]/,
  ],
  ['weights that are missing', () => file([node('Gemm', ['x', 'w'])]), 'FILE_CORRUPT', /no value "w"/],
  [
    'a bias of integers',
    () => file([node('Gemm', ['x', 'w', 'b'])], { w: floats(4, 2), b: ints(1, 2) }),
    'INVALID_ARGUMENT',
    /integers/,
  ],
  [
    'a transposed input',
    () => file([node('Gemm', ['x', 'w'], ['y'], { transA: { int: 1 } })], { w: floats(4, 2) }),
    'INVALID_ARGUMENT',
    /transA 1/,
  ],
  [
    'a window larger than the image',
    () => file([node('Conv', ['x', 'w'])], { w: floats(2, 3, 9, 9) }, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /\(Conv\): .*does not fit/,
  ],
  [
    'channels that groups do not divide',
    () =>
      file([node('Conv', ['x', 'w'], ['y'], { group: { int: 2 } })], { w: floats(2, 3, 1, 1) }, { inputs: [image] }),
    'FILE_CORRUPT',
    /2 groups for 3 channels/,
  ],
  [
    'half a group',
    () =>
      file(
        [node('Conv', ['x', 'w'], ['y'], { group: { float: 1.5 } })],
        { w: floats(2, 2, 1, 1) },
        { inputs: [image] },
      ),
    'FILE_CORRUPT',
    /"group" is no integer/,
  ],
  ['an image that is none', () => file([node('MaxPool', ['x'])]), 'INVALID_ARGUMENT', /only images/],
  [
    'batch norm in training',
    () =>
      file([node('BatchNormalization', ['x', 'w', 'w', 'w', 'w'], ['y'], { training_mode: { int: 1 } })], {
        w: floats(4),
      }),
    'INVALID_ARGUMENT',
    /training_mode/,
  ],
  [
    'a reshape of the batch',
    () => file([node('Reshape', ['x', 's'])], { s: ints(2, 2) }),
    'INVALID_ARGUMENT',
    /in the shape \[2, 2\]/,
  ],
  [
    'a reshape to other sizes',
    () => file([node('Reshape', ['x', 's'])], { s: ints(0, 3) }),
    'INVALID_ARGUMENT',
    /samples of \[4\]/,
  ],
  [
    'a transposed batch',
    () => file([node('Transpose', ['x'], ['y'], { perm: { ints: [1, 0] } })]),
    'INVALID_ARGUMENT',
    /moves the batch/,
  ],
  [
    'a softmax over the batch',
    () => file([node('Softmax', ['x'], ['y'], { axis: { int: 0 } })]),
    'INVALID_ARGUMENT',
    /across the samples/,
  ],
  [
    'an axis that is none',
    () => file([node('Softmax', ['x'], ['y'], { axis: { int: 5 } })]),
    'FILE_CORRUPT',
    /no dimension 5/,
  ],
  [
    'a gelu whose constants are vectors',
    () => {
      const root = { shape: [], values: Float32Array.of(Math.SQRT1_2) };
      const one = { shape: [4], values: Float32Array.of(1, 2, 3, 4) };
      const half = { shape: [4], values: Float32Array.of(0.5, 1, 2, 3) };
      const parts = [node('Mul', ['x', 'r'], ['a']), node('Erf', ['a'], ['e']), node('Add', ['e', 'o'], ['p'])];
      return file([...parts, node('Mul', ['x', 'p'], ['q']), node('Mul', ['q', 'h'])], { r: root, o: one, h: half });
    },
    'INVALID_ARGUMENT',
    /part of a gelu/,
  ],
  [
    'a Resize that rounds down from the middle of pixels',
    () => {
      const scales = { shape: [4], values: Float32Array.of(1, 1, 2, 2) };
      const resize = node('Resize', ['x', '', 's'], ['y'], { nearest_mode: { string: 'floor' } });
      return file([resize], { s: scales }, { inputs: [image] });
    },
    'INVALID_ARGUMENT',
    /half_pixel with floor/,
  ],
  [
    'a ConvTranspose with gaps that is to give whole multiples',
    () => {
      const attributes = { auto_pad: { string: 'SAME_UPPER' }, strides: { ints: [3, 3] } };
      return file(
        [node('ConvTranspose', ['x', 'w'], ['y'], attributes)],
        { w: floats(3, 2, 2, 2) },
        { inputs: [image] },
      );
    },
    'INVALID_ARGUMENT',
    /SAME_UPPER with gaps/,
  ],
  ['an Erf on its own', () => file([node('Erf', ['x'])]), 'INVALID_ARGUMENT', /part of a gelu/],
  [
    'a part of a gelu',
    () =>
      file([node('Mul', ['x', 'c'], ['a']), node('Erf', ['a'])], {
        c: { shape: [], values: Float32Array.of(Math.SQRT1_2) },
      }),
    'INVALID_ARGUMENT',
    /"y" is a part of a gelu/,
  ],
  [
    'a constant of several dimensions',
    () => file([node('Add', ['x', 'c'])], { c: floats(3, 3, 5) }, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /constant of the shape \[3, 3, 5\]/,
  ],
  [
    'a constant for each sample',
    () => file([node('Add', ['x', 'c'])], { c: floats(2, 3, 6, 5) }, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /constant of the shape \[2, 3, 6, 5\]/,
  ],
  [
    'a bias for each sample',
    () => file([node('Gemm', ['x', 'w', 'b'])], { w: floats(4, 3), b: floats(3, 1) }),
    'INVALID_ARGUMENT',
    /\(Gemm\): a bias for each of 3 samples/,
  ],
  [
    'a bias for each sample of one number',
    () => file([node('Gemm', ['x', 'w', 'b'])], { w: floats(4, 1), b: floats(3, 1) }),
    'INVALID_ARGUMENT',
    /a bias for each of 3 samples/,
  ],
  [
    'slopes for each sample',
    () => file([node('PRelu', ['x', 's'])], { s: floats(3, 1, 1, 1) }, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /\(PRelu\): a constant of the shape \[3, 1, 1, 1\] for samples of \[3, 6, 5\]/,
  ],
  [
    'slopes of several dimensions',
    () => file([node('PRelu', ['x', 's'])], { s: floats(3, 6, 1) }, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /a constant of the shape \[3, 6, 1\]/,
  ],
  [
    'a bias with more dimensions than the product',
    () => file([node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'b'])], { w: floats(4, 3), b: floats(1, 1, 3) }),
    'INVALID_ARGUMENT',
    /a constant of the shape \[1, 1, 3\]/,
  ],
  [
    'statistics of another shape',
    () => file([node('BatchNormalization', ['x', 'w', 'w', 'w', 'v'])], { w: floats(4), v: floats(4, 1) }),
    'FILE_CORRUPT',
    /shape \[4, 1\], expected \[4\]/,
  ],
  [
    'a Flatten of some dimensions',
    () => file([node('Flatten', ['x'], ['y'], { axis: { int: -1 } })], {}, { inputs: [image] }),
    'INVALID_ARGUMENT',
    /axis -1, where blasnet has 1/,
  ],
  ...Object.entries<readonly [nodes: NewNode[], tensors: Record<string, OnnxTensor>, code: string, message: RegExp]>({
    'arithmetic with the size of the batch': [
      [node('Shape', ['x'], ['s']), node('Mul', ['s', 'c'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(2) },
      'INVALID_ARGUMENT',
      /"mul" \(Mul\): it computes with the size of the batch/,
    ],
    'a tensor of the size of the batch': [
      [node('Shape', ['x'], ['s']), node('ConstantOfShape', ['s'], ['t']), node('Add', ['x', 't'])],
      {},
      'INVALID_ARGUMENT',
      /an element for each sample/,
    ],
    'a tensor of a size that no machine has': [
      [node('ConstantOfShape', ['c'], ['t']), node('Add', ['x', 't'])],
      { c: ints(2 ** 40) },
      'INVALID_ARGUMENT',
      /far more numbers than it has/,
    ],
    'a tensor of a size below 0': [
      [node('ConstantOfShape', ['c'], ['t']), node('Add', ['x', 't'])],
      { c: ints(-3) },
      'FILE_CORRUPT',
      /the shape \[-3\]/,
    ],
    'a number of the size of the batch': [
      [node('Shape', ['x'], ['s']), node('Cast', ['s'], ['t'], { to: { int: 1 } }), node('Mul', ['x', 't'])],
      {},
      'INVALID_ARGUMENT',
      /"cast" \(Cast\): it computes with the size of the batch/,
    ],
    'a comparison with the size of the batch': [
      [node('Shape', ['x'], ['s']), node('Equal', ['s', 'c'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(2, -1) },
      'INVALID_ARGUMENT',
      /"equal" \(Equal\): it compares the size of the batch/,
    ],
    'integers beyond 32 bits': [
      [node('Mul', ['c', 'c'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(65_536, 1) },
      'INVALID_ARGUMENT',
      /an integer of more than 32 bits/,
    ],
    'a tensor of more dimensions than a network has': [
      [node('Reshape', ['f', 'c'], ['t']), node('Add', ['x', 't'])],
      { c: ints(...new Array<number>(100).fill(1)), f: floats(1) },
      'INVALID_ARGUMENT',
      /a tensor of more than 64 dimensions/,
    ],
    'dimensions that are added twice': [
      [node('Unsqueeze', ['f', 'c'], ['t']), node('Add', ['x', 't'])],
      { c: ints(0, 0), f: floats(1) },
      'FILE_CORRUPT',
      /it adds a dimension twice/,
    ],
    'a dimension of a slice twice': [
      [node('Slice', ['f', 'c', 'd', 'c'], ['t']), node('Add', ['x', 't'])],
      { c: ints(0, 0), d: ints(1, 1), f: floats(4) },
      'FILE_CORRUPT',
      /dimension 0 twice/,
    ],
    'a slice of nothing, of a size that no machine has': [
      [node('ConstantOfShape', ['c'], ['o']), node('Slice', ['o', 'z', 'z', 'z'], ['t']), node('Add', ['x', 't'])],
      { c: ints(0, 5_000_000_000), z: ints(0) },
      'INVALID_ARGUMENT',
      /far more numbers than it has/,
    ],
    'one tensor joined very often': [
      [node('Concat', new Array<string>(1000).fill('f'), ['t'], { axis: { int: 0 } }), node('Add', ['x', 't'])],
      { f: floats(200_000) },
      'INVALID_ARGUMENT',
      /far more numbers than it has/,
    ],
    'an input that is missing, next to an output that is not used': [
      [node('Split', ['x'], ['b', ''], { axis: { int: 1 } }), node('Sub', ['b', ''])],
      {},
      'FILE_CORRUPT',
      /input 1 is missing/,
    ],
    'an output that stands twice': [
      [node('Split', ['x'], ['y', 'y'], { axis: { int: 1 } })],
      {},
      'FILE_CORRUPT',
      /output "y" is not new/,
    ],
    'a size divided by 0': [
      [node('Div', ['c', 'd'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(0, 4), d: ints(0, 1) },
      'INVALID_ARGUMENT',
      /its result is NaN/,
    ],
    'tensors that do not broadcast': [
      [node('Add', ['c', 'd'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(0, 4), d: ints(0, 1, 1) },
      'FILE_CORRUPT',
      /the shapes \[2\] and \[3\] do not fit/,
    ],
    'tensors that can not be joined': [
      [node('Concat', ['c', 'd'], ['t'], { axis: { int: 0 } }), node('Add', ['x', 't'])],
      { c: floats(1, 4), d: floats(1, 3) },
      'FILE_CORRUPT',
      /\[1, 4\] and \[1, 3\] do not fit/,
    ],
    'a tensor in the shape of more numbers': [
      [node('Reshape', ['c', 'd'], ['t']), node('Add', ['x', 't'])],
      { c: floats(4), d: ints(3, -1) },
      'FILE_CORRUPT',
      /\[4\] in the shape \[3, -1\]/,
    ],
    'an order of other dimensions': [
      [node('Transpose', ['c'], ['t'], { perm: { ints: [0, 0] } }), node('Add', ['x', 't'])],
      { c: floats(2, 2) },
      'FILE_CORRUPT',
      /order is not one of all dimensions/,
    ],
    'a slice without steps forward or back': [
      [node('Slice', ['c', 'd', 'd', 'd', 'd'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(0, 4), d: ints(0) },
      'FILE_CORRUPT',
      /a step of 0/,
    ],
    'an index of a tensor that is out of range': [
      [node('Gather', ['c', 'd'], ['t']), node('Reshape', ['x', 't'])],
      { c: ints(0, 4), d: ints(2) },
      'FILE_CORRUPT',
      /an index is out of range/,
    ],
    'a dimension of a tensor that is out of range': [
      [node('Squeeze', ['c', 'd'], ['t']), node('Add', ['x', 't'])],
      { c: floats(1), d: ints(1) },
      'FILE_CORRUPT',
      /no dimension 1/,
    ],
    'an index of a value that is out of range': [
      [node('Gather', ['x', 'd'], ['y'], { axis: { int: 1 } })],
      { d: ints(4) },
      'FILE_CORRUPT',
      /an index is out of range/,
    ],
    'indices apart from each other': [
      [node('Gather', ['x', 'd'], ['y'], { axis: { int: 1 } })],
      { d: ints(0, 2) },
      'INVALID_ARGUMENT',
      /not next to each other/,
    ],
    'parts of another sum': [
      [node('Split', ['x', 'd'], ['a', 'y'], { axis: { int: 1 } })],
      { d: ints(1, 2) },
      'FILE_CORRUPT',
      /parts of 1 and 2 of a dimension of 4/,
    ],
  }).map(([name, [nodes, tensors, code, message]]): Wrong => [name, () => file(nodes, tensors), code, message]),
  [
    'an expansion that something else than arithmetic takes',
    () =>
      file(
        [
          node('ReduceMax', ['x'], ['m'], { axes: { ints: [1] } }),
          node('Expand', ['m', 'd'], ['e']),
          node('Relu', ['e']),
        ],
        {
          d: ints(1, 4),
        },
      ),
    'INVALID_ARGUMENT',
    /"expand" \(Expand\): it is only read where the other operand/,
  ],
  [
    'an expansion of the batch',
    () => file([node('Expand', ['x', 'd'])], { d: ints(8, 4) }),
    'INVALID_ARGUMENT',
    /samples of \[4\] to \[8, 4\], the batch first/,
  ],
  [
    'an expansion to more dimensions',
    () => file([node('Expand', ['x', 'd'])], { d: ints(3, 1, 4) }),
    'INVALID_ARGUMENT',
    /samples of \[4\] to \[3, 1, 4\], the batch first/,
  ],
  [
    'a size of the batch other than it has',
    () =>
      file(
        [
          node('Resize', ['x', '', '', 's'], ['y'], {
            coordinate_transformation_mode: { string: 'asymmetric' },
            nearest_mode: { string: 'floor' },
          }),
        ],
        { s: ints(4, 3, 12, 5) },
        { inputs: [image] },
      ),
    'INVALID_ARGUMENT',
    /sizes that change the batch/,
  ],
  [
    'blocks of other numbers of channels',
    () => file([node('DepthToSpace', ['x'], ['y'], { blocksize: { int: 2 } })], {}, { inputs: [image] }),
    'FILE_CORRUPT',
    /blocks of 2 for 3 channels/,
  ],
  [
    'blocks of other numbers of pixels',
    () => file([node('SpaceToDepth', ['x'], ['y'], { blocksize: { int: 4 } })], {}, { inputs: [image] }),
    'FILE_CORRUPT',
    /blocks of 4 for 6 x 5 pixels/,
  ],
  [
    'a division by 0',
    () => file([node('Div', ['x', 'c'])], { c: { shape: [], values: Float32Array.of(0) } }),
    'INVALID_ARGUMENT',
    /divides by 0/,
  ],
  [
    'values of other dimensions',
    () => file([node('Add', ['x', 'z'])], {}, { inputs: [x, { ...image, name: 'z' }] }),
    'INVALID_ARGUMENT',
    /2 and 4 dimensions/,
  ],
  [
    'margins around the batch',
    () => file([node('Pad', ['x', 'p'])], { p: ints(1, 0, 0, 0) }),
    'INVALID_ARGUMENT',
    /pads the batch/,
  ],
  [
    'other steps of a slice',
    () => file([node('Slice', ['x', 's', 'e', 'a', 't'])], { s: ints(0), e: ints(4), a: ints(1), t: ints(2) }),
    'INVALID_ARGUMENT',
    /steps other than 1/,
  ],
  [
    'lists that double',
    () =>
      file(
        [
          ...Array.from({ length: 60 }, (_, i) => node('Concat', [`s${i}`, `s${i}`], [`s${i + 1}`])),
          node('Reshape', ['x', 's60']),
        ],
        { s0: ints(0, 4) },
      ),
    'INVALID_ARGUMENT',
    /far more numbers than it has/,
  ],
  [
    'values that double',
    () =>
      file([
        ...Array.from({ length: 60 }, (_, i) =>
          node('Concat', [i === 0 ? 'x' : `a${i}`, i === 0 ? 'x' : `a${i}`], [`a${i + 1}`], { axis: { int: 1 } }),
        ),
        node('Relu', ['a60']),
      ]),
    'INVALID_ARGUMENT',
    /too many numbers/,
  ],
];

// One large tensor for thousands of layers, each with settings of its own.
const many = () =>
  file(
    [
      ...Array.from({ length: 1000 }, (_, i) =>
        node('Gemm', [i === 0 ? 'x' : `a${i}`, 'w'], [`a${i + 1}`], { alpha: { float: 1 + i } }),
      ),
      node('Relu', ['a1000']),
    ],
    { w: floats(4000, 4000) },
    { inputs: [{ ...x, shape: ['n', 4000] }] },
  );

/** The bytes of messages, for files that no writer makes. */
function message(write: (model: MessageWriter) => void): Uint8Array {
  const model = new MessageWriter();
  write(model);
  return model.finish();
}
const opset = (model: MessageWriter, version = 17, domain = '') =>
  model.message(8, (set) => {
    set.string(1, domain);
    set.integer(2, version);
  });
const withTensor = (write: (tensor: MessageWriter) => void) =>
  message((model) => {
    model.message(7, (graph) => graph.message(5, write));
    opset(model);
  });
const withNode = (write: (node: MessageWriter) => void) =>
  message((model) => {
    model.message(7, (graph) => graph.message(1, write));
    opset(model);
  });

const malformed: Wrong[] = [
  ['nothing', () => new Uint8Array(), 'FILE_CORRUPT', /no graph/],
  ['text', () => Buffer.from('# an ONNX file, but not at all'), 'FILE_CORRUPT', /byte \d+/],
  ['no version', () => message((model) => model.message(7, () => {})), 'FILE_CORRUPT', /version of its operators/],
  [
    'an old version',
    () =>
      message((model) => {
        model.message(7, () => {});
        opset(model, 3);
      }),
    'INVALID_ARGUMENT',
    /version 3/,
  ],
  [
    'two graphs',
    () =>
      message((model) => {
        model.message(7, () => {});
        model.message(7, () => {});
      }),
    'FILE_CORRUPT',
    /two graphs/,
  ],
  ['functions', () => message((model) => model.message(25, () => {})), 'INVALID_ARGUMENT', /functions/],
  [
    'another domain',
    () =>
      withNode((inner) => {
        inner.string(4, 'Relu');
        inner.string(7, 'com.microsoft');
      }),
    'INVALID_ARGUMENT',
    /domain "com.microsoft"/,
  ],
  [
    'a graph within a node',
    () => withNode((inner) => inner.message(5, (attribute) => attribute.message(6, () => {}))),
    'INVALID_ARGUMENT',
    /graph within/,
  ],
  [
    'external data',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [4]);
        tensor.integer(2, 1);
        tensor.integer(14, 1);
      }),
    'INVALID_ARGUMENT',
    /external data/,
  ],
  [
    'a place of external data',
    () =>
      withTensor((tensor) => {
        tensor.integer(2, 1);
        tensor.message(13, (entry) => entry.string(1, 'location'));
      }),
    'INVALID_ARGUMENT',
    /external data/,
  ],
  [
    'sparse tensors',
    () => message((model) => model.message(7, (graph) => graph.message(15, () => {}))),
    'INVALID_ARGUMENT',
    /sparse/,
  ],
  [
    'a size without numbers',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [2 ** 30, 2 ** 20]);
        tensor.integer(2, 1);
      }),
    'FILE_CORRUPT',
    /but 0 numbers/,
  ],
  [
    'a negative size',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [-1, -1]);
        tensor.integer(2, 1);
        tensor.bytes(9, new Uint8Array(4));
      }),
    'FILE_CORRUPT',
    /shape \[-1, -1\]/,
  ],
  [
    'a part of a number',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [1]);
        tensor.integer(2, 1);
        tensor.bytes(9, new Uint8Array(3));
      }),
    'FILE_CORRUPT',
    /0.75 numbers/,
  ],
  [
    'text as numbers',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [1]);
        tensor.integer(2, 8);
      }),
    'INVALID_ARGUMENT',
    /element type 8/,
  ],
  [
    'many integers',
    () =>
      withTensor((tensor) => {
        tensor.integers(1, [70_000]);
        tensor.integer(2, 2);
        tensor.bytes(9, new Uint8Array(70_000));
      }),
    'INVALID_ARGUMENT',
    /quantised/,
  ],
  [
    'a tensor that stands twice',
    () =>
      message((model) =>
        model.message(7, (graph) => {
          for (let i = 0; i < 2; i++)
            graph.message(5, (tensor) => {
              tensor.integers(1, [0]);
              tensor.integer(2, 1);
              tensor.string(8, 'w');
            });
        }),
      ),
    'FILE_CORRUPT',
    /twice/,
  ],
  [
    'a long list',
    () => withNode((inner) => inner.message(5, (attribute) => attribute.bytes(8, new Uint8Array(70_000)))),
    'FILE_CORRUPT',
    /more than 65536/,
  ],
  [
    'a length beyond the end',
    () => Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f),
    'FILE_CORRUPT',
    /beyond the end/,
  ],
  ['a number of 80 bits', () => Uint8Array.of(8, ...Array<number>(11).fill(0xff), 1), 'FILE_CORRUPT', /64 bits/],
  ['a number that is cut', () => Uint8Array.of(8, 0xff), 'FILE_CORRUPT', /beyond the end/],
  ['a group', () => Uint8Array.of(0x0b), 'FILE_CORRUPT', /wire type 3/],
  ['field 0', () => Uint8Array.of(0), 'FILE_CORRUPT', /number 0/],
  ['another wire type', () => Uint8Array.of(0x38, 1), 'FILE_CORRUPT', /wire type 0, not 2/],
];

describe('what can not be read', () => {
  it.each([...wrong, ...malformed])('%s', (_, bytes, code, message) => {
    expectError(() => fromOnnx(bytes()), code as never, message);
  });

  it('more parameters than the file has numbers for', () => {
    expectError(() => fromOnnx(many()), 'FILE_CORRUPT', /more parameters/);
  });

  it('more nodes, or more inputs of one, than there are limits for', () => {
    const relus = Array.from({ length: 10_001 }, () => node('Relu', ['x']));
    expectError(() => fromOnnx(file(relus)), 'INVALID_ARGUMENT', /more than 10000 nodes/);
    const inputs = Array<string>(1001).fill('x');
    expectError(() => fromOnnx(file([node('Sum', inputs)])), 'INVALID_ARGUMENT', /more than 1000 inputs/);
    const sums = Array.from({ length: 120 }, (_, i) => node('Sum', Array<string>(900).fill(i === 0 ? 'x' : `s${i}`)));
    const chain = sums.map((each, i) => ({ ...each, outputs: [i === 119 ? 'y' : `s${i + 1}`] }));
    expectError(() => fromOnnx(file(chain)), 'INVALID_ARGUMENT', /more than 100000 inputs together/);
    const tensors = Object.fromEntries(Array.from({ length: 30_001 }, (_, i) => [`t${i}`, ints(1)]));
    expectError(() => fromOnnx(file([node('Relu', ['x'])], tensors)), 'INVALID_ARGUMENT', /more than 30000 tensors/);
  });

  it('names like those of prototypes', () => {
    const name = '__proto__';
    const bytes = file(
      [node('Relu', [name], ['constructor'])],
      {},
      {
        inputs: [{ ...x, name }],
        outputs: [{ ...y, name: 'constructor' }],
      },
    );
    const network = fromOnnx(bytes);
    expect(network.inputs[0].name).toBe('_proto__');
    expect(network.predict([1, -1, 2, -2])).toEqual(Float32Array.of(1, 0, 2, 0));
  });

  it('names that begin with a digit and are equal for blasnet', () => {
    const inputs = ['1.0', '1_0', '1-0', '1/0'].map((name) => ({ ...x, name }));
    const sum = node(
      'Sum',
      inputs.map(({ name }) => name),
    );
    const network = fromOnnx(file([sum], {}, { inputs }));
    expect(network.inputs.map(({ name }) => name)).toEqual(['_1_0', '_1_0_2', '_1-0', '_1_0_3']);
  });

  it('any file that is cut', () => {
    const network = chain([5, 4, 2], conv2d(2), relu(), flatten(), dense(2));
    const bytes = toOnnx(network);
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        fromOnnx(bytes.subarray(0, length));
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/FILE_CORRUPT|INVALID_ARGUMENT/);
        refused++;
      }
    }
    expect(refused).toBe(bytes.length);
  });
});
