import { describe, expect, it } from 'vitest';
import { threading } from '../../lib/backend/native/threading.js';
import {
  Adam,
  add,
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout,
  elu,
  flatten,
  gelu,
  groupNorm,
  hardSigmoid,
  input,
  type LayerSpec,
  l2,
  layerNorm,
  leakyRelu,
  meanSquaredError,
  Network,
  type Optimizer,
  type Regularizer,
  relu,
  relu6,
  Sgd,
  scale,
  selu,
  shared,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  tanh,
} from '../../lib/index.js';
import { fusedActivations, type KernelName } from '../../lib/kernels/table.js';
import type { ProgramKind } from '../../lib/program/compile.js';
import { type Argument, type Instruction, rows, type Tensor } from '../../lib/program/instructions.js';
import { rewrite as applied, rules } from '../../lib/program/rewrite.js';
import { argumentOf, kernelsOf, kinds, model, program, tensorOf } from './support.js';

const rewrite = (list: Instruction[], capacity: number, threads = 1) =>
  applied(list, [...rules, ...threading.rules], capacity, threads);
const compiled = (layers: LayerSpec[], kind: ProgramKind, rewrite = true) =>
  program(model([6], layers), kind, 8, { rewrite }).instructions;

const tensor = (name: string): Tensor => ({ name, storage: 'work', type: 'f32', perRow: 4, fixed: 0, offset: -1 });
const call = (kernel: KernelName, ...list: Argument[]): Instruction => ({
  kernel,
  arguments: list,
  barrier: false,
  guard: false,
});

describe('an activation goes into the dense kernel', () => {
  const fused: [string, LayerSpec, number][] = [
    ['relu', relu(), 0],
    ['leakyRelu', leakyRelu({ slope: 0.3 }), 0.3],
    ['elu', elu({ alpha: 0.7 }), 0.7],
    ['selu', selu(), 0],
    ['sigmoid', sigmoid(), 0],
    ['tanh', tanh(), 0],
    ['softplus', softplus(), 0],
    ['relu6', relu6(), 0],
    ['hardSigmoid', hardSigmoid(), 0],
    ['softsign', softsign(), 0],
  ];
  it.each(fused)('%s, in training and inference', (name, layer, slope) => {
    for (const kind of ['train', 'gradients', 'evaluate', 'predict', 'forward'] as const) {
      const instructions = compiled([dense(5), layer, dense(3)], kind);
      expect(kernelsOf(instructions)).not.toContain(name);
      const first = instructions.find(({ kernel }) => kernel === 'denseForward') as Instruction;
      expect(argumentOf(first, 'activation')).toBe(fusedActivations.indexOf(name as 'relu'));
      expect(argumentOf(first, 'slope')).toBe(slope);
      expect(kernelsOf(compiled([dense(5), layer, dense(3)], kind, false))).toContain(name);
    }
  });

  it('with its gradient following from the output that is kept', () => {
    const instructions = compiled([dense(5), tanh(), dense(3)], 'train');
    const forward = instructions.find(({ kernel }) => kernel === 'denseForward') as Instruction;
    const backward = instructions.find(({ kernel }) => kernel === 'tanhBackward') as Instruction;
    expect(argumentOf(backward, 'y')).toBe(argumentOf(forward, 'y'));
  });

  it.each<[string, LayerSpec]>([
    ['gelu', gelu()],
    ['silu', silu()],
  ])('but not %s: its gradient needs the value before it', (name, layer) => {
    for (const kind of ['train', 'predict'] as const)
      expect(kernelsOf(compiled([dense(5), layer, dense(3)], kind))).toContain(name);
  });

  it('but not softmax, and no activation without a dense layer right before it', () => {
    expect(kernelsOf(compiled([dense(5), softmax(), dense(3)], 'train'))).toContain('softmax');
    expect(kernelsOf(compiled([relu(), dense(3)], 'train'))).toContain('relu');
    expect(kernelsOf(compiled([dense(5), dropout(0.5), relu(), dense(3)], 'train'))).toContain('relu');
    const twice = compiled([dense(5), relu(), tanh(), dense(3)], 'train');
    expect(kernelsOf(twice)).toContain('tanh');
    expect(kernelsOf(twice)).not.toContain('relu');
  });

  it('but not where something else reads the value before it', () => {
    const [x, w, z, y, other] = ['x', 'w', 'z', 'y', 'other'].map(tensor);
    const forward = call('denseForward', z, x, w, null, rows(), 4, 4, 0, 0);
    const activation = call('relu', y, z, rows(4));
    expect(kernelsOf(rewrite([forward, activation], 8))).toEqual(['denseForward']);
    const reader = call('tanh', other, z, rows(4));
    expect(kernelsOf(rewrite([forward, activation, reader], 8))).toEqual(['denseForward', 'relu', 'tanh']);
  });
});

describe('weight gradients', () => {
  it('come after the chain of input gradients, the last ones first', () => {
    const kernels = kernelsOf(compiled([dense(5), relu(), dense(4), relu(), dense(3)], 'train'));
    const backward = kernels.filter((kernel) => /Backward/.test(kernel));
    expect(backward).toEqual([
      'denseBackwardInput',
      'reluBackward',
      'denseBackwardInput',
      'reluBackward',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
    ]);
  });

  it('stay before an instruction that overwrites what they read, or reads what they write', () => {
    const [x, dy, mask, dw, other, dv] = ['x', 'dy', 'mask', 'dw', 'other', 'dv'].map(tensor);
    const first = call('denseBackwardWeight', dw, x, dy, rows(), 4, 4);
    const last = call('denseBackwardWeight', dv, x, other, rows(), 4, 4);
    const order = (between: Instruction) =>
      rewrite([first, between, last], 8).map((instruction) => [first, between, last].indexOf(instruction));
    expect(order(call('binary', dy, dy, mask, rows(4), 2)), 'overwrites dy').toEqual([0, 1, 2]);
    expect(order(call('tanh', x, other, rows(4))), 'overwrites x').toEqual([0, 1, 2]);
    expect(order(call('tanh', other, dw, rows(4))), 'reads dw').toEqual([0, 1, 2]);
    expect(order(call('tanh', other, mask, rows(4))), 'is independent').toEqual([1, 2, 0]);
  });
});

describe('the input gradient of a convolution', () => {
  const kernelsFor = (input: number[], layer: LayerSpec) =>
    kernelsOf(program(model(input, [conv2d(input[2]), layer, flatten(), dense(2)]), 'train', 8).instructions).filter(
      (kernel) => kernel !== 'batchTotals',
    );
  const convolved = ['conv2dReverseWeights', 'conv2dForward'];

  it('is a convolution of the output gradient, padded by what the window reaches beyond', () => {
    const of = program(
      model([30, 30, 1], [conv2d(16), conv2d(8, { window: [3, 5], padding: [0, 1] }), flatten(), dense(2)]),
      'train',
      8,
    );
    const reverse = of.instructions.findIndex(({ kernel }) => kernel === 'conv2dReverseWeights');
    // The totals come between them: they use the barrier before the convolution.
    const [before, totals, gradient] = of.instructions.slice(reverse);
    expect([totals.kernel, totals.barrier]).toEqual(['batchTotals', true]);
    expect(gradient.kernel).toBe('conv2dForward');
    expect(argumentOf(gradient, 'w')).toBe(argumentOf(before, 'reversed'));
    const values = ['channels', 'filters', 'height', 'width', 'outHeight', 'outWidth', 'padTop', 'padLeft'];
    expect(values.map((name) => argumentOf(gradient, name))).toEqual([8, 16, 26, 26, 28, 28, 2, 3]);
  });

  it.each<[string, number[], LayerSpec, boolean]>([
    ['many channels', [16, 16, 16], conv2d(8, { padding: 1 }), true],
    ['few channels', [16, 16, 15], conv2d(8, { padding: 1 }), false],
    ['strides', [16, 16, 16], conv2d(8, { padding: 1, stride: 2 }), false],
    ['more padding than the window', [16, 16, 16], conv2d(8, { padding: 3 }), false],
    ['windows of one pixel', [16, 16, 16], conv2d(8, { window: 1 }), false],
    ['many more pixels in than out', [10, 10, 16], conv2d(8, { window: 5 }), false],
  ])('%s', (_, input, layer, expected) => {
    const kernels = kernelsFor(input, layer);
    expect(kernels.includes('conv2dReverseWeights')).toBe(expected);
    expect(kernels.includes('conv2dBackwardInput')).toBe(!expected);
    if (expected) expect(kernels.slice(kernels.indexOf('conv2dReverseWeights')).slice(0, 2)).toEqual(convolved);
  });
});

describe('the update is shared out like the gradients', () => {
  const trained = (
    threads: number,
    optimizer: Optimizer,
    regularizer?: Regularizer,
    layers = [dense(50), relu(), dense(9)],
  ) => program(model([700], layers, undefined, regularizer), 'train', 64, { threads }, optimizer).instructions;
  const pieces = (instructions: readonly Instruction[], kernel: KernelName, buffer: string) =>
    instructions
      .filter((instruction) => instruction.kernel === kernel)
      .map((instruction) => {
        const { name, offset, fixed } = tensorOf(instruction, buffer);
        expect(argumentOf(instruction, 'n')).toBe(fixed);
        return [name, offset, fixed, instruction.grain, instruction.barrier] as const;
      })
      .sort((a, b) => a[1] - b[1]);

  it('parameter by parameter, in runs of as many rows, without a barrier', () => {
    const expected = (block: string, start: number) => [
      [`${block} of 0.weight`, start, 35000, 16 * 50, false],
      [`${block} of 0.bias`, start + 35008, 50, 16, false],
      [`${block} of 2.weight`, start + 35072, 450, 16 * 9, false],
      [`${block} of 2.bias`, start + 35536, 9, 16, false],
    ];
    const instructions = trained(2, new Adam());
    expect(pieces(instructions, 'adam', 'p')).toEqual(expected('parameters', 0));
    expect(pieces(instructions, 'adam', 'g')).toEqual(expected('gradients', 0));
    expect(pieces(instructions, 'adam', 'v')).toEqual(expected('v', 35 * 1024 + 13 * 16));
  });

  it('with what comes before it on gradients: penalties, and clipping to a value', () => {
    const instructions = trained(2, new Sgd({ clipValue: 1 }), l2(0.1));
    expect(pieces(instructions, 'penaltyGradient', 'dw').map((piece) => piece.slice(2))).toEqual([
      [35000, 16 * 50, false],
      [450, 16 * 9, false],
    ]);
    expect(pieces(instructions, 'clipValue', 'g').map(([, , fixed]) => fixed)).toEqual([35000, 50, 450, 9]);
    expect(pieces(instructions, 'sgd', 'p').every(([, , , , barrier]) => barrier === false)).toBe(true);
  });

  it('clipping to a norm needs meetings, before the sum and behind it', () => {
    const instructions = trained(2, new Sgd({ clipNorm: 1 }));
    const barriers = instructions.flatMap(({ kernel, barrier }) => (barrier ? [kernel] : []));
    expect(barriers.slice(-2)).toEqual(['batchTotals', 'squareSum']);
    expect(pieces(instructions, 'clipNorm', 'g').map(([, , fixed]) => fixed)).toEqual([35000, 50, 450, 9]);
  });

  it('group by group', () => {
    const groups = [
      { match: (name: string) => name === '0.bias' || name === '2.weight', learningRate: 0.5 },
      { match: '2.bias' as string, frozen: true },
    ];
    const instructions = trained(2, new Sgd({ groups }));
    expect(pieces(instructions, 'sgd', 'p').map(([name]) => name)).toEqual([
      'parameters of 0.weight',
      'parameters of 0.bias',
      'parameters of 2.weight',
    ]);
  });

  it('but in one piece on one thread, and where a gradient is made in no such shares', () => {
    expect(pieces(trained(1, new Adam()), 'adam', 'p')).toEqual([['parameters', 0, 35552, undefined, true]]);
    const [g, p] = [tensor('g'), tensor('p')].map((t): Tensor => ({ ...t, perRow: 0, fixed: 64, offset: 0 }));
    const [gradients, parameters]: Tensor[] = [
      { ...g, storage: 'gradient' },
      { ...p, storage: 'parameter' },
    ];
    const bias = call('denseBackwardBias', { ...gradients, fixed: 32, offset: 16 }, tensor('dy'), rows(), 32);
    const update = call('sgd', parameters, null, gradients, 64, 0.1, 0, 0, 0, 0);
    expect(rewrite([bias, update], 8, 2)).toEqual([bias, update]);
    const whole = call('denseBackwardBias', { ...gradients, fixed: 60 }, tensor('dy'), rows(), 60);
    expect(rewrite([whole, update], 8, 2)).toHaveLength(2);
    expect(rewrite([whole, update], 8, 2)[1].grain).toBe(16);
  });
});

describe('weight gradients of convolutions are shared out by images', () => {
  const kernels = (batch: number, threads: number, layers: LayerSpec[]) =>
    kernelsOf(program(model([12, 12, 2], [...layers, flatten(), dense(4)]), 'train', batch, { threads }).instructions);
  const count = (list: readonly string[], kernel: string) => list.filter((name) => name === kernel).length;

  it('with the gradient of the bias, and sums behind the chain', () => {
    const list = kernels(64, 2, [conv2d(16), relu(), conv2d(16, { bias: false })]);
    expect(count(list, 'conv2dBackwardWeight')).toBe(2);
    expect(count(list, 'denseBackwardBias')).toBe(1);
    expect(count(list, 'sumParts')).toBe(3);
    expect(list.indexOf('sumParts')).toBeGreaterThan(list.lastIndexOf('conv2dBackwardWeight'));
  });

  it('those of grouped, dilated and depthwise ones whatever their sizes, and only on several threads', () => {
    const layers = [depthwiseConv2d(), conv2d(4, { groups: 2, bias: false }), conv2d(64, { window: 2, dilation: 7 })];
    const list = kernels(256, 3, layers);
    expect(count(list, 'groupedConv2dBackwardParts')).toBe(3);
    expect(count(list, 'sumParts')).toBe(5);
    expect(count(kernels(256, 1, layers), 'groupedConv2dBackwardParts')).toBe(3);
    expect(kernels(256, 1, layers)).not.toContain('sumParts');
  });

  it('but not on one thread, nor where all weights together are more than the outputs', () => {
    const sums = (batch: number, threads: number, layers: LayerSpec[]) =>
      count(kernels(batch, threads, layers), 'sumParts');
    expect(sums(64, 1, [conv2d(16)])).toBe(0);
    // Patches of 200 numbers, 9 outputs an image.
    const large = [conv2d(64, { window: 10 })];
    expect(sums(44, 2, large)).toBe(0);
    expect(sums(45, 2, large)).toBe(2);
    expect(sums(45, 3, large)).toBe(0);
    // Then by weights, and the bias apart.
    const of = program(model([12, 12, 2], [...large, flatten(), dense(4)]), 'train', 44, { threads: 2 });
    expect(splits(of.instructions)).toContain('conv2dBackwardWeight by patch');
    expect(count(kernels(44, 2, large), 'denseBackwardBias')).toBe(2);
  });
});

describe('gradients of frozen parameters alone', () => {
  const made = (match: string | RegExp, threads: number, layers: LayerSpec[], frozen = true) => {
    const optimizer = new Sgd({ groups: [{ match, frozen }] });
    return program(model([12, 12, 2], [...layers, flatten(), dense(4)]), 'train', 64, { threads }, optimizer)
      .instructions;
  };
  const gradientsOf = (instructions: readonly Instruction[], kernel: KernelName, name: string) =>
    instructions.flatMap((each) => (each.kernel === kernel ? [argumentOf(each, name)] : []));
  const summed = (instructions: readonly Instruction[]) =>
    gradientsOf(instructions, 'sumParts', 'y').map((y) => (y as Tensor).name);

  for (const threads of [1, 2]) {
    it.each([
      ['conv2dBackwardWeight', conv2d(16)],
      ['groupedConv2dBackwardParts', conv2d(16, { groups: 2 })],
    ] as const)(`are not made by a convolution, on ${threads} threads: %s`, (kernel, layer) => {
      const weight = made('0.weight', threads, [layer]);
      expect(kernelsOf(weight)).not.toContain(kernel);
      const biases = weight.filter((each) => each.kernel === 'denseBackwardBias');
      const sizes = biases.map((each) => [
        tensorOf(each, 'db').name,
        argumentOf(each, 'rows'),
        argumentOf(each, 'out'),
      ]);
      expect(sizes).toContainEqual(['0.bias', rows(100), 16]);
      expect(summed(weight)).toEqual([]);
      const onlyWeight = made('0.bias', threads, [layer]);
      expect(gradientsOf(onlyWeight, kernel, 'dbParts')).toEqual([null]);
      expect(summed(onlyWeight)).toHaveLength(threads - 1);
      const none = kernelsOf(made(/^0/, threads, [layer]));
      expect(none).not.toContain(kernel);
      expect(none.filter((each) => each === 'denseBackwardBias')).toHaveLength(1);
    });
  }

  it('are not made by a convolution that is used twice', () => {
    const x = input([12, 12, 2]);
    const twice = shared(conv2d(16, { name: 'both' }));
    const output = add(x.pipe(twice), scale(x, 2, 1).pipe(twice)).pipe(flatten(), dense(4));
    const network = new Network({ output, loss: meanSquaredError(), seed: 1 });
    const optimizer = new Sgd({ groups: [{ match: 'both.weight', frozen: true }] });
    network.trainBatch(new Float32Array(288), new Float32Array(4), optimizer);
    const kernels = network.program.instructions.map(({ kernel }) => kernel);
    expect(kernels).not.toContain('conv2dBackwardWeight');
    expect(kernels.filter((kernel) => kernel === 'denseBackwardBias').length).toBeGreaterThanOrEqual(2);
  });

  it('are not added up where a kernel makes them for another one', () => {
    const layers = () => [conv2d(8), batchNorm()];
    expect(summed(made('1.gamma', 2, layers(), false)).filter((name) => name.includes('1.'))).toHaveLength(2);
    const sums = summed(made('1.gamma', 2, layers())).filter((name) => name.includes('1.'));
    expect(sums).toHaveLength(1);
    expect(sums[0]).toContain('beta');
  });
});

/** Kernels, with the axis of those that are not split along their first. */
const splits = (instructions: readonly Instruction[]) =>
  instructions.map(({ kernel, axis }) => (axis === undefined ? kernel : `${kernel} by ${axis}`));

describe('the first layer is shared out by inputs', () => {
  const first = (batch: number, threads: number, layers: LayerSpec[], features: 'u8' | 'f32' = 'u8') =>
    splits(program(model([784], layers), 'train', batch, { features: [features], threads }).instructions).slice(0, 3);
  const plain = [dense(100), relu(), dense(100), relu(), dense(10)];
  const split = ['gatherBytesParts', 'denseForwardParts', 'denseForwardSum'];

  it('where threads train it and its products are small beside the weights', () => {
    expect(first(64, 2, plain)).toEqual(split);
    expect(first(130, 2, plain)).toEqual(split);
    expect(first(131, 2, plain)[0]).toBe('gatherBytes');
    expect(first(64, 5, plain)[0]).toBe('gatherBytes');
  });

  it('but not on one thread, nor where the work pays for one only', () => {
    expect(first(64, 1, plain)[0]).toBe('gatherBytes');
    expect(first(1, 2, plain)[0]).toBe('gatherBytes');
  });

  it('but not of floats, nor where another layer comes first, nor without training', () => {
    expect(first(64, 2, plain, 'f32')[0]).toBe('gatherFloats');
    expect(first(64, 2, [dropout(0.5), ...plain])[0]).toBe('gatherBytes');
    const evaluation = program(model([784], plain), 'evaluate', 64, { features: ['u8'], threads: 2 });
    expect(kernelsOf(evaluation.instructions)[0]).toBe('gatherBytes');
  });
});

describe('dense products are shared out by columns', () => {
  it('where the weights are 1.5 times as large as the batch or more', () => {
    const kernels = (batch: number) =>
      splits(program(model([96], [dense(96), relu(), dense(96), relu(), dense(4)]), 'train', batch).instructions);
    const products = (batch: number) =>
      kernels(batch).filter((kernel) => /denseForward|denseBackwardInput/.test(kernel));
    const rows = ['denseForward', 'denseForward', 'denseForward', 'denseBackwardInput', 'denseBackwardInput'];
    expect(products(33)).toEqual(rows);
    expect(products(32)).toEqual([
      'denseForward by out',
      'denseForward by out',
      'denseForward',
      'denseBackwardInput',
      'denseBackwardInput by in',
    ]);
  });
});

describe('batch norm is shared out by rows', () => {
  const normed = (layers: LayerSpec[], threads: number, kind: ProgramKind = 'train', input = [512]) =>
    program(model(input, layers), kind, 64, { threads }).instructions;
  const norms = (instructions: readonly Instruction[]) =>
    kernelsOf(instructions).filter((kernel) => /batchNorm/.test(kernel));
  const forward = ['batchNormParts', 'batchNormStatistics', 'batchNormInference'];
  const backward = ['batchNormBackwardParts', 'batchNormBackwardInput'];

  it('with statistics and gradients from the sums of the shares', () => {
    const instructions = normed([dense(64), batchNorm(), relu(), dense(4)], 2);
    expect(norms(instructions)).toEqual([...forward, ...backward]);
    const sums = instructions.filter(({ kernel }) => kernel === 'sumParts');
    expect(sums.map((sum) => tensorOf(sum, 'y').name).sort()).toEqual(['1.beta', '1.gamma']);
    const [parts] = instructions.filter(({ kernel }) => kernel === 'batchNormBackwardParts');
    for (const sum of sums) {
      const terms = tensorOf(sum, 'y').name === '1.beta' ? 'dbetaParts' : 'dgammaParts';
      expect(argumentOf(sum, 'terms')).toBe(argumentOf(parts, terms));
    }
    const [statistics] = instructions.filter(({ kernel }) => kernel === 'batchNormStatistics');
    const [inference] = instructions.filter(({ kernel }) => kernel === 'batchNormInference');
    expect(argumentOf(inference, 'runningMean')).toBe(argumentOf(statistics, 'mean'));
    expect(argumentOf(inference, 'runningVariance')).toBe(argumentOf(statistics, 'variance'));
    expect(tensorOf(statistics, 'runningMean').storage).toBe('state');
  });

  it('of images, each with all its pixels', () => {
    const layers = [conv2d(8, { padding: 1 }), batchNorm(), relu(), flatten(), dense(4)];
    const instructions = normed(layers, 3, 'train', [10, 12, 2]);
    expect(norms(instructions)).toEqual([...forward, ...backward]);
    const parts = instructions.find(({ kernel }) => kernel === 'batchNormParts') as Instruction;
    expect(['rows', 'pixels', 'features', 'parts'].map((name) => argumentOf(parts, name))).toEqual([rows(), 120, 8, 3]);
    const gradient = instructions.find(({ kernel }) => kernel === 'batchNormBackwardInput') as Instruction;
    expect(['rows', 'features', 'parts'].map((name) => argumentOf(gradient, name))).toEqual([rows(120), 8, 3]);
  });

  it('and where a batch is evaluated by its own statistics', () => {
    const layers = [dense(64), batchNorm({ evaluation: 'batch' }), relu(), dense(4)];
    expect(norms(normed(layers, 2, 'evaluate'))).toEqual(forward);
  });

  it('in the same kernels as on one thread, where the single part is the gradient', () => {
    const instructions = normed([dense(64), batchNorm(), relu(), dense(4)], 1);
    expect(norms(instructions)).toEqual([...forward, ...backward]);
    expect(kernelsOf(instructions)).not.toContain('sumParts');
    const parts = instructions.find(({ kernel }) => kernel === 'batchNormBackwardParts') as Instruction;
    expect([tensorOf(parts, 'dgammaParts').storage, argumentOf(parts, 'parts')]).toEqual(['gradient', 1]);
  });
});

describe('the rules', () => {
  it('keep every kernel but the fused activations', () => {
    for (const kind of kinds) {
      const layers = [dense(5), gelu(), dense(4), dropout(0.2), dense(3)];
      expect([...kernelsOf(compiled(layers, kind))].sort()).toEqual(
        [...kernelsOf(compiled(layers, kind, false))].sort(),
      );
    }
  });
});

describe('the gradients of group norm', () => {
  const layers = [conv2d(6, { padding: 1 }), groupNorm(2), relu(), flatten(), dense(4), layerNorm()];
  const norms = (threads: number) =>
    program(model([10, 12, 2], layers), 'train', 64, { threads }).instructions.filter(({ kernel }) =>
      /^groupNorm|^sumParts/.test(kernel),
    );

  it('are sums of the shares of several threads', () => {
    const instructions = norms(2);
    const shares = instructions.filter(({ kernel }) => kernel === 'groupNormBackwardParts');
    expect(shares.map((instruction) => argumentOf(instruction, 'parts'))).toEqual([2, 2]);
    const names = ['rows', 'positions', 'pixels', 'groups', 'width'];
    expect(shares.map((instruction) => names.map((name) => argumentOf(instruction, name)))).toEqual([
      [rows(), 1, 1, 1, 4],
      [rows(), 1, 120, 2, 3],
    ]);
    for (const instruction of shares) {
      for (const name of ['dgammaParts', 'dbetaParts']) {
        const terms = argumentOf(instruction, name);
        const sum = instructions.find((other) => argumentOf(other, 'terms') === terms) as Instruction;
        expect(tensorOf(sum, 'y').storage).toBe('gradient');
        expect(argumentOf(sum, 'parts')).toBe(2);
      }
    }
  });

  it('are those of the one share on one thread', () => {
    const shares = norms(1).filter(({ kernel }) => kernel === 'groupNormBackwardParts');
    expect(shares.map((instruction) => argumentOf(instruction, 'parts'))).toEqual([1, 1]);
    expect(shares.map((instruction) => tensorOf(instruction, 'dgammaParts').name)).toEqual(['5.gamma', '1.gamma']);
  });

  it('are not computed without gamma and beta', () => {
    const plain = model([8], [dense(6), layerNorm({ affine: false }), dense(3)]);
    expect(kernelsOf(program(plain, 'train', 8).instructions)).not.toContain('groupNormBackwardParts');
  });
});
