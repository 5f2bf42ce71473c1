/** Networks of image layers: shapes, parameters, gradients, programs, training, and what is refused. */

import { describe, expect, it } from 'vitest';
import { threading } from '../../lib/backend/native/threading.js';
import { Dataset } from '../../lib/data/index.js';
import {
  avgPool2d,
  batchNorm,
  conv2d,
  convTranspose2d,
  dense,
  depthwiseConv2d,
  dropout,
  flatten,
  globalAvgPool2d,
  globalMaxPool2d,
  groupNorm,
  instanceNorm,
  type LayerSpec,
  layerNorm,
  leakyRelu,
  localResponseNorm,
  logSoftmax,
  maxPool2d,
  Network,
  prelu,
  relu,
  Sgd,
  separableConv2d,
  softmaxCrossEntropy,
  spatialDropout2d,
  tanh,
} from '../../lib/index.js';
import { typescript } from '../../lib/kernels/index.js';
import { signatureOf } from '../../lib/kernels/table.js';
import { compile, type ProgramRequest } from '../../lib/program/compile.js';
import { isTensor } from '../../lib/program/instructions.js';
import { Listing } from '../../lib/program/listing.js';
import type { Model } from '../../lib/program/model.js';
import { alexNet, modelOf } from '../golden/models.js';
import { describeNative, distance, expectError, expectSameBits, onBackends, randomFloats, weights } from './support.js';

const shapesOf = (model: Model) => model.nodes.map(({ operation }) => operation.output);
const countOf = (model: Model) => [...model.parameters.values()].reduce((sum, { tensor }) => sum + tensor.fixed, 0);
const outputOf = (input: number[], layer: LayerSpec) => modelOf(input, [layer]).outputs[0].shape;

const leNet = (): LayerSpec[] => [
  ...[conv2d(6, { window: 5, padding: 2 }), relu(), maxPool2d()],
  ...[conv2d(16, { window: 5 }), relu(), maxPool2d(), flatten()],
  ...[dense(120), relu(), dense(84), relu(), dense(10)],
];

const request = (capacity: number): ProgramRequest => ({
  kind: 'train',
  features: ['u8'],
  direct: false,
  goals: [{ target: 'labels', weighted: false }],
  capacity,
  threads: 1,
  threading,
  rewrite: true,
});
const trainProgram = (model: Model, capacity: number) => compile(model, request(capacity), new Sgd({ momentum: 0.9 }));

describe('shapes and parameters', () => {
  it('of a network in the manner of LeNet', () => {
    const model = modelOf([28, 28, 1], leNet());
    expect(shapesOf(model).slice(0, 7)).toEqual([
      [28, 28, 6],
      [28, 28, 6],
      [14, 14, 6],
      [10, 10, 16],
      [10, 10, 16],
      [5, 5, 16],
      [400],
    ]);
    expect(countOf(model)).toBe(61706);
    expect(model.parameters.get('0.weight')?.spec.shape).toEqual([5, 5, 1, 6]);
    expect(model.parameters.get('3.weight')?.spec).toMatchObject({
      shape: [5, 5, 6, 16],
      fans: { fanIn: 150, fanOut: 400 },
    });
    expect(model.parameters.get('3.bias')?.spec).toMatchObject({ shape: [16], weight: false });
  });

  it('of AlexNet: 62,378,344 parameters', () => expect(countOf(modelOf([227, 227, 3], alexNet()))).toBe(62378344));

  it.each([
    ['valid', [7, 8, 3], conv2d(5), [5, 6, 5]],
    ['a stride that leaves a remainder', [8, 7, 3], conv2d(5, { stride: 2 }), [3, 3, 5]],
    ['a stride and a window for each dimension', [9, 9, 1], conv2d(2, { window: [2, 4], stride: [1, 3] }), [8, 2, 2]],
    ['one padding', [5, 5, 1], conv2d(2, { window: 5, padding: 2 }), [5, 5, 2]],
    ['paddings of rows and columns', [5, 5, 1], conv2d(2, { padding: [1, 0] }), [5, 3, 2]],
    [
      'four paddings',
      [5, 5, 1],
      conv2d(2, {
        padding: [
          [0, 1],
          [2, 1],
        ],
      }),
      [4, 6, 2],
    ],
    ['same', [5, 8, 1], conv2d(2, { padding: 'same' }), [5, 8, 2]],
    ['same with a stride: rounded up', [5, 8, 1], conv2d(2, { stride: 2, padding: 'same' }), [3, 4, 2]],
    [
      'same with a stride beyond the window',
      [7, 7, 1],
      conv2d(2, { window: 1, stride: 3, padding: 'same' }),
      [3, 3, 2],
    ],
    ['dilation', [9, 8, 2], conv2d(3, { dilation: [2, 3], stride: [2, 1] }), [3, 2, 3]],
    ['dilation, same', [5, 8, 2], conv2d(3, { dilation: 3, padding: 'same' }), [5, 8, 3]],
    ['groups', [5, 5, 6], conv2d(4, { groups: 2 }), [3, 3, 4]],
    ['depthwise', [5, 6, 7], depthwiseConv2d(), [3, 4, 7]],
    ['depthwise with two filters per channel', [5, 6, 7], depthwiseConv2d({ multiplier: 2, stride: 2 }), [2, 2, 14]],
    ['depthwise, dilation beyond the image', [3, 3, 2], depthwiseConv2d({ dilation: 4, padding: 4 }), [3, 3, 2]],
    ['separable', [5, 6, 3], separableConv2d(8, { padding: 1, stride: 2 }), [3, 3, 8]],
    ['transposed', [4, 5, 3], convTranspose2d(2), [6, 7, 2]],
    ['transposed with strides', [4, 5, 3], convTranspose2d(2, { stride: [2, 3], outputPadding: [1, 2] }), [10, 17, 2]],
    ['transposed with padding', [4, 5, 3], convTranspose2d(2, { stride: 2, window: 4, padding: [1, 2] }), [8, 8, 2]],
    [
      'transposed with four paddings',
      [4, 5, 3],
      convTranspose2d(2, {
        padding: [
          [0, 1],
          [2, 1],
        ],
      }),
      [5, 4, 2],
    ],
    ['transposed, same', [4, 5, 3], convTranspose2d(2, { stride: [2, 3], padding: 'same' }), [8, 15, 2]],
    [
      'transposed, same, a stride beyond the window',
      [2, 3, 3],
      convTranspose2d(2, { window: 1, stride: 3, padding: 'same' }),
      [6, 9, 2],
    ],
    ['pooling drops a remainder', [7, 5, 4], maxPool2d(), [3, 2, 4]],
    ['pooling with overlap', [13, 13, 4], maxPool2d(3, { stride: 2 }), [6, 6, 4]],
    ['pooling, same', [7, 5, 4], avgPool2d(2, { padding: 'same' }), [4, 3, 4]],
    ['pooling of one dimension', [6, 6, 2], avgPool2d([1, 3]), [6, 2, 2]],
    ['global pooling', [6, 5, 7], globalAvgPool2d(), [7]],
    ['global maxima', [6, 5, 7], globalMaxPool2d(), [7]],
    ['group norm', [3, 3, 8], groupNorm(4), [3, 3, 8]],
    ['instance norm', [3, 3, 8], instanceNorm(), [3, 3, 8]],
    ['layer norm', [3, 3, 8], layerNorm(), [3, 3, 8]],
    ['spatial dropout', [3, 3, 8], spatialDropout2d(0.5), [3, 3, 8]],
    ['response normalisation', [3, 3, 8], localResponseNorm(), [3, 3, 8]],
    ['prelu', [3, 3, 8], prelu(), [3, 3, 8]],
  ])('%s', (_, input, layer, output) => expect(outputOf(input, layer)).toEqual(output));

  it('one slope for each channel, which is not regularised', () => {
    expect(modelOf([4, 4, 3], [prelu()]).parameters.get('0.slope')?.spec).toMatchObject({ shape: [3], weight: false });
    const network = new Network({ input: [4, 4, 3], layers: [prelu({ initial: 0.5 })], loss: softmaxCrossEntropy() });
    expect([...network.parameter('0.slope').value]).toEqual([0.5, 0.5, 0.5]);
  });

  it('the weights of grouped, depthwise, separable and transposed convolutions', () => {
    const weight = (layer: LayerSpec, name = 'weight') => modelOf([7, 7, 6], [layer]).parameters.get(`0.${name}`)?.spec;
    expect(weight(conv2d(4, { groups: 2 }))).toMatchObject({
      shape: [3, 3, 3, 4],
      fans: { fanIn: 27, fanOut: 18 },
    });
    expect(weight(depthwiseConv2d({ multiplier: 2, window: [3, 2] }))).toMatchObject({
      shape: [3, 2, 6, 2],
      fans: { fanIn: 6, fanOut: 12 },
    });
    expect(weight(depthwiseConv2d({ multiplier: 2 }), 'bias')).toMatchObject({ shape: [12] });
    const separable = separableConv2d(5, { multiplier: 2 });
    expect(weight(separable, 'depthwise')).toMatchObject({ shape: [3, 3, 6, 2], fans: { fanIn: 9, fanOut: 18 } });
    expect(weight(separable, 'pointwise')).toMatchObject({ shape: [1, 1, 12, 5], fans: { fanIn: 12, fanOut: 5 } });
    expect(weight(separable, 'bias')).toMatchObject({ shape: [5] });
    // With a stride of 2, four windows of 4 × 4 cover a pixel of the output.
    expect(weight(convTranspose2d(5, { window: 4, stride: 2 }))).toMatchObject({
      shape: [4, 4, 5, 6],
      fans: { fanIn: 24, fanOut: 80 },
    });
  });

  it('a convolution of one group, without gaps, has the same program as ever', () => {
    const kernels = (layer: LayerSpec) =>
      trainProgram(modelOf([5, 5, 4], [layer, flatten(), dense(2)]), 4).instructions.map(({ kernel }) => kernel);
    expect(kernels(conv2d(4, { groups: 1, dilation: 1 }))).toEqual(kernels(conv2d(4)));
    expect(kernels(conv2d(4, { window: [1, 3], dilation: [2, 1] }))).toEqual(kernels(conv2d(4, { window: [1, 3] })));
    expect(kernels(conv2d(4))).toContain('conv2dForward');
    expect(kernels(conv2d(4, { dilation: 2 }))).toContain('groupedConv2dForward');
    expect(kernels(conv2d(4, { groups: 4 }))).toEqual(kernels(depthwiseConv2d()));
  });

  it('without a bias there is none', () => {
    expect([...modelOf([4, 4, 3], [conv2d(2, { bias: false })]).parameters.keys()]).toEqual(['0.weight']);
  });
});

const any = (value: unknown) => value as never;

describe('refused', () => {
  it.each([
    [
      'a flat input',
      () => outputOf([9], conv2d(2)),
      'SHAPE_MISMATCH',
      /^layers\[0\]: conv2d: input: expected .*\[height, width, channels\], got \[9\]/,
    ],
    [
      'a flat input of pooling',
      () => outputOf([9], globalAvgPool2d()),
      'SHAPE_MISMATCH',
      /^layers\[0\]: globalAvgPool2d: input/,
    ],
    [
      'a flat input of spatial dropout',
      () => outputOf([9], spatialDropout2d(0.5)),
      'SHAPE_MISMATCH',
      /^layers\[0\]: spatialDropout2d: input/,
    ],
    [
      'groups that do not divide the channels',
      () => outputOf([4, 4, 6], groupNorm(4)),
      'SHAPE_MISMATCH',
      /^layers\[0\]: groupNorm: input: expected channels that 4 groups divide, got \[4, 4, 6\]/,
    ],
    [
      'groups of one value',
      () => outputOf([6], groupNorm(6)),
      'SHAPE_MISMATCH',
      /^layers\[0\]: groupNorm: input: expected more than one value/,
    ],
    [
      'instances of one value',
      () => outputOf([1, 1, 6], instanceNorm()),
      'SHAPE_MISMATCH',
      /^layers\[0\]: instanceNorm: input: expected more than one value/,
    ],
    [
      'one feature to normalise',
      () => outputOf([5, 1], layerNorm()),
      'SHAPE_MISMATCH',
      /^layers\[0\]: layerNorm: input: expected more than one value/,
    ],
    [
      'logSoftmax of one number',
      () => outputOf([5, 1], logSoftmax()),
      'SHAPE_MISMATCH',
      /^layers\[0\]: logSoftmax: input: expected a last dimension/,
    ],
    [
      'a window that does not fit',
      () => outputOf([3, 9, 1], conv2d(2, { window: 5 })),
      'SHAPE_MISMATCH',
      /height 5 .* height 3 .*0 \+ 0/,
    ],
    [
      'a window that does not fit with its padding',
      () => outputOf([9, 3, 1], maxPool2d(6, { padding: 1 })),
      'SHAPE_MISMATCH',
      /maxPool2d: a window of width 6 .* width 3 .* 1 \+ 1/,
    ],
    [
      'an output beyond 2^31',
      () => outputOf([40000, 40000, 1], conv2d(2)),
      'INVALID_ARGUMENT',
      /^layers\[0\]: conv2d: output/,
    ],
    [
      'a dilated window that does not fit',
      () => outputOf([4, 9, 1], depthwiseConv2d({ dilation: 2 })),
      'SHAPE_MISMATCH',
      /depthwiseConv2d: a window of height 3 with dilation 2 does not fit .* height 4/,
    ],
    [
      'groups that do not divide the channels',
      () => outputOf([4, 4, 5], conv2d(4, { groups: 2 })),
      'SHAPE_MISMATCH',
      /^layers\[0\]: conv2d: groups: .* 5 channels, got 2/,
    ],
    ['groups that do not divide the filters', () => conv2d(4, { groups: 3 }), 'INVALID_ARGUMENT', /^conv2d: groups/],
    ['no groups', () => conv2d(4, { groups: 0 }), 'INVALID_ARGUMENT', /^conv2d: groups/],
    ['a dilation of 0', () => conv2d(4, { dilation: [1, 0] }), 'INVALID_ARGUMENT', /^conv2d: dilation\[1\]/],
    [
      'a window that spans too much',
      () => separableConv2d(4, { dilation: 2 ** 30 }),
      'INVALID_ARGUMENT',
      /^separableConv2d: dilation/,
    ],
    ['no filters of a channel', () => depthwiseConv2d({ multiplier: 0 }), 'INVALID_ARGUMENT', /multiplier/],
    [
      'an output padding of the stride',
      () => convTranspose2d(2, { stride: [2, 3], outputPadding: 2 }),
      'INVALID_ARGUMENT',
      /^convTranspose2d: outputPadding: .*stride/,
    ],
    [
      'an output padding of the same size',
      () => convTranspose2d(2, { stride: 2, padding: 'same', outputPadding: 1 }),
      'INVALID_ARGUMENT',
      /^convTranspose2d: outputPadding/,
    ],
    [
      'a padding that leaves nothing',
      () => outputOf([2, 2, 1], convTranspose2d(2, { padding: 2 })),
      'SHAPE_MISMATCH',
      /convTranspose2d: padding: .* 0 × 0/,
    ],
    [
      'an output of a transposed convolution beyond 2^31',
      () => outputOf([40000, 2, 1], convTranspose2d(2, { stride: 40000 })),
      'INVALID_ARGUMENT',
      /^layers\[0\]: convTranspose2d: output/,
    ],
    ['depthwise option', () => depthwiseConv2d(any({ groups: 3 })), 'UNKNOWN_OPTION', /^depthwiseConv2d.*groups/],
    ['transposed option', () => convTranspose2d(2, any({ dilation: 3 })), 'UNKNOWN_OPTION', /dilation/],
    ['no filters', () => conv2d(0), 'INVALID_ARGUMENT', /^conv2d: filters/],
    ['a window of 0', () => conv2d(2, { window: [3, 0] }), 'INVALID_ARGUMENT', /^conv2d: window\[1\]/],
    ['three window sizes', () => conv2d(2, { window: any([3, 3, 3]) }), 'INVALID_ARGUMENT', /^conv2d: window.*pair/],
    ['a stride of 0', () => maxPool2d(2, { stride: 0 }), 'INVALID_ARGUMENT', /^maxPool2d: stride/],
    ['a negative padding', () => conv2d(2, { padding: -1 }), 'INVALID_ARGUMENT', /^conv2d: padding/],
    ['an unknown padding', () => conv2d(2, { padding: any('full') }), 'INVALID_ARGUMENT', /^conv2d: padding.*"full"/],
    [
      'half a padding',
      () => conv2d(2, { padding: any([[1, 1], 2]) }),
      'INVALID_ARGUMENT',
      /^conv2d: padding.*top, bottom/,
    ],
    ['conv2d option', () => conv2d(2, any({ kernel: 3 })), 'UNKNOWN_OPTION', /^conv2d.*kernel/],
    ['pool option', () => avgPool2d(2, any({ size: 3 })), 'UNKNOWN_OPTION', /^avgPool2d.*size/],
    ['a negative radius', () => localResponseNorm({ radius: -1 }), 'INVALID_ARGUMENT', /^localResponseNorm: radius/],
    ['a bias of 0', () => localResponseNorm({ bias: 0 }), 'INVALID_ARGUMENT', /^localResponseNorm: bias/],
    ['a slope that is no number', () => prelu({ initial: Number.NaN }), 'INVALID_ARGUMENT', /^prelu: initial/],
    [
      'a patch that is not the window',
      () => {
        const [dw, x, dy] = [new Float32Array(4), new Float32Array(9), new Float32Array(1)];
        typescript.kernels.conv2dBackwardWeight(dw, null, x, dy, 1, 3, 3, 1, 1, 1, 3, 3, 1, 1, 0, 0, 1, 4, 1, 0);
      },
      'SHAPE_MISMATCH',
      /conv2dBackwardWeight: patch: .* 9, got 4/,
    ],
    [
      'shares that no output has',
      () => {
        const [x, source, order] = [new Float32Array(32), new Uint8Array(32), new Int32Array(2)];
        typescript.kernels.gatherBytesParts(x, source, order, 2, 16, 2, 257, 1, 0);
      },
      'INVALID_ARGUMENT',
      /gatherBytesParts: parts: expected an integer from 1 to 256, got 257/,
    ],
    ['dense on an image', () => outputOf([4, 4, 1], dense(3)), 'SHAPE_MISMATCH', /dense: input.*flatten/],
  ] as const)('%s', (_, act, code, message) => expectError(act, code, message));
});

describe('programs', () => {
  const kernelsOf = (model: Model, capacity: number) =>
    trainProgram(model, capacity).instructions.map(({ kernel }) => String(kernel));

  it('an activation moves into the convolution before it', () => {
    const { instructions } = trainProgram(
      modelOf([8, 8, 1], [conv2d(4), leakyRelu({ slope: 0.3 }), flatten(), dense(2)]),
      8,
    );
    const convolution = instructions.find(({ kernel }) => kernel === 'conv2dForward');
    const value = (name: string) =>
      convolution?.arguments[signatureOf('conv2dForward').parameters.findIndex((parameter) => parameter.name === name)];
    expect([value('activation'), value('slope')]).toEqual([2, 0.3]);
    expect(instructions.map(({ kernel }) => kernel)).not.toContain('leakyRelu');
  });

  it('weight gradients wait for the end of the chain where their tensors are small', () => {
    const model = modelOf([28, 28, 1], leNet());
    const order = (capacity: number) => {
      const kernels = kernelsOf(model, capacity);
      return kernels.indexOf('denseBackwardWeight') > kernels.lastIndexOf('maxPool2dBackward');
    };
    expect(order(64)).toBe(true);
    expect(order(4096)).toBe(false);
  });

  it('count the operations of a convolution', () => {
    const model = modelOf([28, 28, 1], [conv2d(6, { window: 5, padding: 2 }), relu(), flatten(), dense(10)]);
    const { instructions } = new Listing(trainProgram(model, 64), 0);
    const flops = (kernel: string) => instructions.find((line) => line.kernel === kernel)?.flops;
    expect(flops('conv2dForward')).toBe(2 * 64 * 28 * 28 * 25 * 6);
    expect(flops('conv2dBackwardWeight')).toBe(2 * 64 * 28 * 28 * 25 * 6);
  });

  // What the forward pass leaves must be there when the backward pass begins; gradients then take its place.
  it.each([1, 32, 128])('work memory of AlexNet with batches of %i: activations and two gradients', (capacity) => {
    const { instructions, workLength } = trainProgram(modelOf([227, 227, 3], alexNet()), capacity);
    const loss = instructions.findIndex(({ kernel }) => kernel === 'softmaxCrossEntropy');
    const lengths = (part: typeof instructions) =>
      [...new Set(part.flatMap((instruction) => instruction.arguments.filter(isTensor)))]
        .filter(({ storage }) => storage === 'work')
        .map(({ perRow, fixed }) => perRow * capacity + fixed);
    const activations = lengths(instructions.slice(0, loss)).reduce((sum, length) => sum + length, 0);
    const largest = Math.max(...lengths(instructions.slice(loss)));
    // Tensors below a megabyte are not shared; with a batch of one that is all of them, and little beside the
    // parameters.
    const unshared = capacity === 1 ? 4 * largest : 0;
    expect(workLength).toBeLessThan(activations + 2 * largest + unshared);
  });
});

/** Images of noise with one bright quadrant, which is the class. */
function quadrants(rows: number): Dataset {
  const labels = Int32Array.from({ length: rows }, (_, row) => (row * 7 + (row >> 3)) % 4);
  const x = randomFloats(rows * 64, 3);
  x.forEach((_, i) => {
    const [row, pixel] = [Math.floor(i / 64), i % 64];
    if (2 * Math.floor(pixel / 32) + Math.floor((pixel % 8) / 4) === labels[row]) x[i] += 1;
  });
  return new Dataset({ features: x, shape: [8, 8, 1], labels, classes: 4 });
}

const families: [string, () => LayerSpec[]][] = [
  [
    'padded and strided convolutions',
    () => [conv2d(3, { padding: 'same' }), tanh(), conv2d(4, { stride: 2, window: [3, 2] }), tanh()],
  ],
  ['a convolution without bias, batch norm over channels', () => [conv2d(4, { bias: false }), batchNorm(), tanh()]],
  ['groups', () => [conv2d(6, { groups: 2 }), tanh(), conv2d(4, { groups: 2, stride: 2, dilation: 2, padding: 2 })]],
  ['dilation', () => [conv2d(3, { dilation: [2, 1] }), tanh(), conv2d(4, { window: 2, dilation: 3, bias: false })]],
  [
    'depthwise convolutions',
    () => [
      depthwiseConv2d({ padding: 'same', multiplier: 2 }),
      tanh(),
      depthwiseConv2d({ stride: 2, dilation: [1, 2], padding: 2 }),
      batchNorm(),
    ],
  ],
  [
    'separable convolutions',
    () => [separableConv2d(4, { padding: 1, stride: 2 }), tanh(), separableConv2d(3, { multiplier: 2, bias: false })],
  ],
  [
    'transposed convolutions',
    () => [
      conv2d(3, { stride: 2 }),
      tanh(),
      convTranspose2d(4, { stride: 2, outputPadding: 1 }),
      tanh(),
      convTranspose2d(2, { stride: 3, window: 2, padding: 'same', bias: false }),
    ],
  ],
  ['max pooling', () => [conv2d(3, { padding: 1 }), maxPool2d(3, { stride: 2 }), tanh()]],
  ['average pooling with padding', () => [conv2d(3), avgPool2d(3, { stride: 2, padding: 1 }), tanh()]],
  ['global average pooling', () => [conv2d(5), tanh(), globalAvgPool2d()]],
  ['response normalisation', () => [conv2d(6), localResponseNorm({ alpha: 0.3, bias: 1 }), tanh()]],
  ['prelu over channels', () => [conv2d(4), prelu(), conv2d(3, { window: 2, stride: 2 }), prelu({ initial: -0.5 })]],
];

onBackends('image layers', (backend) => {
  const network = (layers: LayerSpec[], channels = 1) =>
    new Network({ input: [8, 8, channels], layers, loss: softmaxCrossEntropy(), seed: 5, backend });

  it.each(families)('%s: gradients agree with finite differences', (_, layers) => {
    const net = network([...layers(), flatten(), dense(4)], 2);
    const x = randomFloats(3 * 128, 9);
    const labels = Int32Array.of(1, 3, 0);
    const { inputGradient } = net.gradients(x, labels);
    const blocks = net.parameters.map(({ name, value, gradient }) => ({ name, value, gradient: gradient.slice() }));
    const lossAt = () => net.gradients(x, labels).loss;
    for (const { name, value, gradient } of [...blocks, { name: 'input', value: x, gradient: inputGradient }]) {
      for (let i = 0; i < value.length; i += Math.ceil(value.length / 12)) {
        const [kept, step] = [value[i], 1e-3];
        value[i] = kept + step;
        const above = lossAt();
        value[i] = kept - step;
        const below = lossAt();
        value[i] = kept;
        const difference = (above - below) / (2 * step);
        expect(Math.abs(difference - gradient[i]), `${name}[${i}]: ${gradient[i]} against ${difference}`).toBeLessThan(
          1e-3 + 0.02 * Math.abs(difference),
        );
      }
    }
  });

  it('batch norm on images normalises each channel over rows and pixels', () => {
    const net = network([batchNorm({ epsilon: 1e-9 })], 3);
    const y = net.forward(randomFloats(5 * 192, 4), { training: true });
    for (let channel = 0; channel < 3; channel++) {
      const own = y.filter((_, i) => i % 3 === channel);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length;
      expect(mean).toBeCloseTo(0, 5);
      expect(variance).toBeCloseTo(1, 4);
    }
  });

  it("'same' padding lies at the end where it is odd", () => {
    const net = network([conv2d(1, { window: 2, padding: 'same', weightInitializer: 1 })]);
    const x = new Float32Array(64).fill(1);
    const y = net.forward(x);
    expect([y[0], y[7], y[63]]).toEqual([4, 2, 1]);
  });

  const classifier = () =>
    network([
      ...[conv2d(6, { padding: 1 }), batchNorm(), relu(), maxPool2d()],
      ...[conv2d(8), prelu(), dropout(0.1), flatten(), dense(4)],
    ]);

  it('training learns, with a short last batch', async () => {
    const net = classifier();
    const data = quadrants(330);
    await net.fit(data, { epochs: 12, batchSize: 32, optimizer: new Sgd({ learningRate: 0.1, momentum: 0.9 }) });
    expect((await net.evaluate(data)).accuracy).toBeGreaterThan(0.9);
  });

  it('a row alone gives what it gives in a batch', () => {
    const net = network(leNetOf8());
    const x = randomFloats(5 * 64, 6);
    const together = net.predict(x).slice();
    for (let row = 0; row < 5; row++) {
      const alone = net.predict(x.subarray(row * 64, (row + 1) * 64)).slice();
      expect(distance([alone], [together.subarray(row * 4, row * 4 + 4)])).toBeLessThan(1e-6);
    }
  });

  it('the same seed gives the same bits', async () => {
    const nets = [classifier(), classifier()];
    const data = quadrants(100);
    for (const net of nets)
      await net.fit(data, { epochs: 2, batchSize: 16, optimizer: new Sgd({ learningRate: 0.05 }) });
    expectSameBits(weights(nets[0]), weights(nets[1]));
  });
});

const leNetOf8 = (): LayerSpec[] => [
  ...[conv2d(4, { padding: 1 }), relu(), maxPool2d()],
  ...[conv2d(6), relu(), maxPool2d(), flatten(), dense(4)],
];

// Large enough that tensors share memory and weight gradients stay in their place: a missing barrier would show.
describeNative('image layers on large batches', () => {
  it('both backends make the same steps', () => {
    const train = (backend: 'native' | 'typescript') => {
      const layers = [
        ...[conv2d(16, { padding: 'same' }), relu(), conv2d(16, { padding: 'same' }), batchNorm(), prelu()],
        ...[localResponseNorm(), maxPool2d(3, { stride: 2 }), conv2d(8), relu(), globalAvgPool2d(), dense(4)],
      ];
      const net = new Network({ input: [32, 32, 3], layers, loss: softmaxCrossEntropy(), seed: 3, backend });
      const optimizer = new Sgd({ learningRate: 0.05, momentum: 0.9 });
      const labels = Int32Array.from({ length: 72 }, (_, i) => i % 4);
      for (let step = 0; step < 3; step++) net.trainBatch(randomFloats(72 * 3072, step), labels, optimizer);
      return weights(net);
    };
    expect(distance(train('native'), train('typescript'))).toBeLessThan(1e-4);
  });
});
