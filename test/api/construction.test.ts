import { describe, expect, it } from 'vitest';
import { tryNative } from '../../lib/backend/select.js';
import { Dataset } from '../../lib/data/index.js';
import {
  AdaGrad,
  Adam,
  AdamW,
  backendInfo,
  batchNorm,
  binaryCrossEntropy,
  constant,
  dense,
  dropout,
  elu,
  exponential,
  flatten,
  gaussianNoise,
  groupNorm,
  huber,
  instanceNorm,
  inverseTime,
  l1,
  l1l2,
  l2,
  layerNorm,
  leakyRelu,
  Network,
  type NetworkOptions,
  normal,
  progressBar,
  RmsProp,
  relu,
  Sgd,
  softmax,
  softmaxCrossEntropy,
  spatialDropout2d,
  stepDecay,
  uniform,
} from '../../lib/index.js';
import { classifier, describeNative, expectError, onBackends, randomFloats } from './support.js';

const good: NetworkOptions = { input: [4], layers: [dense(3)], loss: softmaxCrossEntropy(), backend: 'typescript' };
/** Options with one of them replaced by what TypeScript would not let through. */
const withOption = (changes: Record<string, unknown>) => ({ ...good, ...changes }) as NetworkOptions;
const any = (value: unknown) => value as never;

describe('what the constructor refuses', () => {
  it.each([undefined, null, 5, 'layers', []])('options: %s', (options) => {
    expectError(() => new Network(any(options)), 'INVALID_ARGUMENT', /Network|input|loss/);
  });

  it('an unknown option, naming the known ones', () => {
    expectError(
      () => new Network(withOption({ optimiser: 1 })),
      'UNKNOWN_OPTION',
      /Network: unknown option "optimiser".*layers/,
    );
  });

  it.each([[undefined], [[]], [[0]], [[-1]], [[1.5]], ['4'], [4], [[2 ** 16, 2 ** 16]], [[Number.NaN]], [[4, null]]])(
    'input: %s',
    (input) => {
      expectError(() => new Network(withOption({ input })), 'INVALID_ARGUMENT', /^input: expected/);
    },
  );

  it.each([[undefined], [[]], ['dense'], [{}]])('layers: %s', (layers) => {
    expectError(() => new Network(withOption({ layers })), 'INVALID_ARGUMENT', /^layers: expected/);
  });

  it.each([[undefined], [null], ['relu'], [{ type: 'dens' }], [relu], [{}]])('a layer: %s', (layer) => {
    expectError(
      () => new Network(withOption({ layers: [dense(3), layer] })),
      'INVALID_ARGUMENT',
      /^layers\[1\]: expected/,
    );
  });

  it('a layer whose function was not called, by its name', () => {
    expectError(() => new Network(withOption({ layers: [relu] })), 'INVALID_ARGUMENT', /got function relu$/);
  });

  it('a layer written out by hand whose options are none', () => {
    const make = (layer: unknown) => () => new Network(withOption({ layers: [layer] }));
    expectError(make({ type: 'dense' }), 'INVALID_ARGUMENT', /^layers\[0\]: dense: units: expected an integer/);
    expectError(make({ type: 'relu', slope: 1 }), 'UNKNOWN_OPTION', /^layers\[0\]: relu: unknown option "slope"/);
    expectError(
      make({ ...dense(3), units: 1.5 }),
      'INVALID_ARGUMENT',
      /^layers\[0\]: dense: units: expected an integer/,
    );
    const copy = new Network({ ...good, layers: [{ ...dense(3, { biasInitializer: 2 }), name: 'copied' }] });
    expect([...copy.parameter('copied.bias').value]).toEqual([2, 2, 2]);
  });

  it.each([[undefined], [null], ['mse'], [softmaxCrossEntropy], [{}]])('loss: %s', (loss) => {
    expectError(() => new Network(withOption({ loss })), 'INVALID_ARGUMENT', /^loss: expected/);
  });

  it.each([-1, 1.5, 2 ** 32, Number.NaN, '1', 1n, null])('seed: %s', (seed) => {
    const run = () => new Network(withOption({ seed }));
    // null stands for "none given", as undefined does.
    if (seed === null) expect(run).not.toThrow();
    else expectError(run, 'INVALID_ARGUMENT', /^seed: expected an integer ≥ 0 and ≤ 4294967295, got/);
  });

  it.each(['cuda', '', 1, null])('backend: %s', (backend) => {
    expectError(() => new Network(withOption({ backend })), 'INVALID_ARGUMENT', /^backend: expected one of/);
    expectError(() => backendInfo(any(backend)), 'INVALID_ARGUMENT', /^backend: expected one of/);
  });

  it.each([[5], ['l2'], [{}], [{ l1: 1 }], [{ l1: -1, l2: 0 }], [{ l1: 0, l2: Number.NaN }]])(
    'regularizer: %s',
    (regularizer) => {
      expectError(() => new Network(withOption({ regularizer })), 'INVALID_ARGUMENT', /regularizer|^l1|^l2/);
    },
  );

  it('layers that do not fit together', () => {
    expectError(
      () => new Network({ ...good, input: [28, 28] }),
      'SHAPE_MISMATCH',
      /^layers\[0\]: dense: input: expected samples of the shape \[features\].*flatten.*\[28, 28\]/,
    );
    const layers = [relu(), softmax()];
    expectError(
      () => new Network({ ...good, input: [2, 3], layers }),
      'SHAPE_MISMATCH',
      /^layers\[1\]: softmax: input/,
    );
  });

  it('two layers of one name', () => {
    const layers = [dense(3, { name: 'a' }), relu({ name: 'a' })];
    expectError(
      () => new Network({ ...good, layers }),
      'INVALID_ARGUMENT',
      /^layers\[1\]: name: expected a name that no other layer has, got "a"/,
    );
  });

  it('more parameters than can be addressed', () => {
    expectError(
      () => new Network({ ...good, input: [2 ** 20], layers: [dense(2 ** 12)] }),
      'INVALID_ARGUMENT',
      /^layers: .*parameters/,
    );
  });
});

describe('what the parts of a network refuse', () => {
  it.each<[string, () => unknown, 'INVALID_ARGUMENT' | 'UNKNOWN_OPTION', RegExp]>([
    ['dense units', () => dense(0), 'INVALID_ARGUMENT', /^dense: units/],
    ['dense units as text', () => dense(any('3')), 'INVALID_ARGUMENT', /^dense: units/],
    [
      'dense option',
      () => dense(3, any({ activation: 'relu' })),
      'UNKNOWN_OPTION',
      /^dense: unknown option "activation"/,
    ],
    ['dense bias', () => dense(3, { bias: any(1) }), 'INVALID_ARGUMENT', /^dense: bias: expected true or false/],
    [
      'dense initializer',
      () => dense(3, { weightInitializer: any('he') }),
      'INVALID_ARGUMENT',
      /weightInitializer.*heNormal/,
    ],
    ['dense regularizer', () => dense(3, { regularizer: any(1e-3) }), 'INVALID_ARGUMENT', /^dense: regularizer/],
    ['layer name with a dot', () => relu({ name: 'a.b' }), 'INVALID_ARGUMENT', /^relu: name/],
    ['layer name that is a number', () => relu({ name: '3' }), 'INVALID_ARGUMENT', /^relu: name/],
    ['relu option', () => relu(any({ slope: 1 })), 'UNKNOWN_OPTION', /^relu: unknown option "slope"/],
    ['relu options as a number', () => relu(any(1)), 'INVALID_ARGUMENT', /^relu: expected an object of options/],
    ['leakyRelu slope', () => leakyRelu({ slope: -0.1 }), 'INVALID_ARGUMENT', /^leakyRelu: slope/],
    ['elu alpha', () => elu({ alpha: Number.POSITIVE_INFINITY }), 'INVALID_ARGUMENT', /^elu: alpha/],
    ['dropout 1', () => dropout(1), 'INVALID_ARGUMENT', /^dropout: rate/],
    ['dropout −0.1', () => dropout(-0.1), 'INVALID_ARGUMENT', /^dropout: rate/],
    ['dropout without a rate', () => dropout(any(undefined)), 'INVALID_ARGUMENT', /^dropout: rate/],
    ['spatialDropout2d 1', () => spatialDropout2d(1), 'INVALID_ARGUMENT', /^spatialDropout2d: rate/],
    ['gaussianNoise −0.1', () => gaussianNoise(-0.1), 'INVALID_ARGUMENT', /^gaussianNoise: deviation/],
    ['groupNorm of no groups', () => groupNorm(0), 'INVALID_ARGUMENT', /^groupNorm: groups/],
    ['groupNorm epsilon', () => groupNorm(2, { epsilon: 0 }), 'INVALID_ARGUMENT', /^groupNorm: epsilon/],
    ['layerNorm affine', () => layerNorm({ affine: any(1) }), 'INVALID_ARGUMENT', /^layerNorm: affine/],
    [
      'instanceNorm momentum',
      () => instanceNorm(any({ momentum: 0.9 })),
      'UNKNOWN_OPTION',
      /^instanceNorm: .*momentum/,
    ],
    ['batchNorm momentum', () => batchNorm({ momentum: 1.1 }), 'INVALID_ARGUMENT', /^batchNorm: momentum/],
    ['batchNorm epsilon', () => batchNorm({ epsilon: 0 }), 'INVALID_ARGUMENT', /^batchNorm: epsilon/],
    ['batchNorm variance', () => batchNorm({ initialVariance: -1 }), 'INVALID_ARGUMENT', /^batchNorm: initialVariance/],
    [
      'batchNorm evaluation',
      () => batchNorm({ evaluation: any('none') }),
      'INVALID_ARGUMENT',
      /^batchNorm: evaluation/,
    ],
    ['flatten option', () => flatten(any({ order: 'C' })), 'UNKNOWN_OPTION', /^flatten/],
    ['cross-entropy smoothing', () => softmaxCrossEntropy({ labelSmoothing: 1 }), 'INVALID_ARGUMENT', /labelSmoothing/],
    ['cross-entropy option', () => softmaxCrossEntropy(any({ smoothing: 0 })), 'UNKNOWN_OPTION', /smoothing/],
    ['huber delta', () => huber({ delta: 0 }), 'INVALID_ARGUMENT', /^huber: delta/],
    ['l1', () => l1(-1), 'INVALID_ARGUMENT', /^l1/],
    ['l2', () => l2(any('1e-4')), 'INVALID_ARGUMENT', /^l2/],
    ['l1l2 option', () => l1l2(any({ l3: 1 })), 'UNKNOWN_OPTION', /^l1l2/],
    ['constant', () => constant(Number.NaN), 'INVALID_ARGUMENT', /^value/],
    ['uniform bounds', () => uniform({ min: 1, max: 0 }), 'INVALID_ARGUMENT', /^max/],
    ['normal std', () => normal({ std: -1 }), 'INVALID_ARGUMENT', /^std/],
    ['inverseTime rate', () => inverseTime({ initial: 1, rate: -1 }), 'INVALID_ARGUMENT', /^rate/],
    ['exponential factor', () => exponential({ initial: 1, factor: 0 }), 'INVALID_ARGUMENT', /^factor/],
    ['stepDecay interval', () => stepDecay({ initial: 1, factor: 0.5, interval: 0 }), 'INVALID_ARGUMENT', /^interval/],
    ['stepDecay without interval', () => stepDecay(any({ initial: 1, factor: 0.5 })), 'INVALID_ARGUMENT', /^interval/],
    ['progressBar option', () => progressBar(any({ width: 1 })), 'UNKNOWN_OPTION', /^progressBar/],
    ['progressBar stream', () => progressBar({ stream: any({}) }), 'INVALID_ARGUMENT', /^progressBar: stream: .*write/],
    ['progressBar without a stream', () => progressBar({ stream: any(null) }), 'INVALID_ARGUMENT', /^progressBar: st/],
    ['Sgd option', () => new Sgd(any({ lr: 1 })), 'UNKNOWN_OPTION', /^Sgd: unknown option "lr"/],
    ['Sgd momentum', () => new Sgd({ momentum: 1 }), 'INVALID_ARGUMENT', /^Sgd: momentum/],
    ['Sgd nesterov alone', () => new Sgd({ nesterov: true }), 'INVALID_ARGUMENT', /nesterov.*momentum/],
    ['Sgd dampening alone', () => new Sgd({ dampening: 0.5 }), 'INVALID_ARGUMENT', /dampening.*momentum/],
    ['Sgd rate', () => new Sgd({ learningRate: -1 }), 'INVALID_ARGUMENT', /^Sgd: learningRate/],
    ['Sgd rate as text', () => new Sgd({ learningRate: any('0.1') }), 'INVALID_ARGUMENT', /^Sgd: learningRate/],
    ['Adam beta1', () => new Adam({ beta1: 1 }), 'INVALID_ARGUMENT', /^Adam: beta1/],
    [
      'Adam epsilonPlacement',
      () => new Adam({ epsilonPlacement: any('under') }),
      'INVALID_ARGUMENT',
      /^Adam: epsilonPlacement/,
    ],
    [
      'Adam rawRoot without correction',
      () => new Adam({ epsilonPlacement: 'rawRoot', biasCorrection: false }),
      'INVALID_ARGUMENT',
      /rawRoot/,
    ],
    ['AdamW weightDecay', () => new AdamW({ weightDecay: -1 }), 'INVALID_ARGUMENT', /^AdamW: weightDecay/],
    ['RmsProp decay', () => new RmsProp({ decay: 2 }), 'INVALID_ARGUMENT', /^RmsProp: decay/],
    [
      'AdaGrad accumulator',
      () => new AdaGrad({ initialAccumulator: -1 }),
      'INVALID_ARGUMENT',
      /^AdaGrad: initialAccumulator/,
    ],
  ])('%s', (_, run, code, message) => expectError(run, code, message));

  it('an optimizer without moments says so, and its step count must be a whole number', () => {
    const adam = new Adam();
    expectError(() => adam.moments, 'INVALID_ARGUMENT', /no moments/);
    expectError(() => (adam.steps = -1), 'INVALID_ARGUMENT', /^steps/);
  });
});

onBackends('a network', (backend) => {
  it('names parameters by layer and weight, with shapes', () => {
    const layers = [dense(5), batchNorm({ name: 'norm' }), relu(), dense(3, { bias: false, name: 'head' })];
    const network = new Network({ input: [4], layers, loss: softmaxCrossEntropy(), backend });
    expect(
      network.parameters.map(({ name, shape, value, gradient }) => [name, [...shape], value.length, gradient.length]),
    ).toEqual([
      ['0.weight', [4, 5], 20, 20],
      ['0.bias', [5], 5, 5],
      ['norm.gamma', [5], 5, 5],
      ['norm.beta', [5], 5, 5],
      ['head.weight', [5, 3], 15, 15],
    ]);
    expect(network.state.map(({ name, shape }) => [name, [...shape]])).toEqual([
      ['norm.runningMean', [5]],
      ['norm.runningVariance', [5]],
    ]);
    expect(network.parameterCount).toBe(50);
    expect(network.output).toEqual([3]);
    expect(network.parameter('head.weight')).toBe(network.parameters[4]);
    expectError(
      () => network.parameter('1.gamma'),
      'INVALID_ARGUMENT',
      /^name: expected one of 0\.weight.*got "1\.gamma"/,
    );
  });

  it('starts state and special parameters where the layer says', () => {
    const layers = [
      batchNorm({ gammaInitializer: 2, betaInitializer: constant(-1), initialMean: 3, initialVariance: 4 }),
    ];
    const network = new Network({ input: [2], layers, loss: binaryCrossEntropy(), backend });
    expect([...network.parameters, ...network.state].map(({ value }) => [...value])).toEqual([
      [2, 2],
      [-1, -1],
      [3, 3],
      [4, 4],
    ]);
  });

  it('is what its views say: writing a parameter or a statistic changes what it predicts', () => {
    const network = new Network({ input: [2], layers: [dense(1), batchNorm()], loss: binaryCrossEntropy(), backend });
    network.parameter('0.weight').value.set([2, 3]);
    network.parameter('0.bias').value[0] = 0.5;
    const [mean, variance] = network.state;
    mean.value[0] = 1;
    variance.value[0] = 4 - 1e-5;
    expect(network.forward([[1, 10]])[0]).toBeCloseTo((2 + 30 + 0.5 - 1) / 2, 5);
    network.parameter('0.weight').value[1] = 0;
    expect(network.forward([[1, 10]])[0]).toBeCloseTo((2 + 0.5 - 1) / 2, 5);
    expect(network.predict([[1, 10]])[0]).toBeCloseTo(1 / (1 + Math.exp(-0.75)), 5);
  });

  it('keeps blocks apart: padding between parameters belongs to none of them', () => {
    const network = classifier(backend);
    for (const { value } of network.parameters)
      expect((value.byteOffset - network.parameters[0].value.byteOffset) % 64).toBe(0);
    for (const { value } of network.parameters) expect(value.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('is frozen where it is fixed', () => {
    const network = classifier(backend);
    for (const list of [network.parameters, network.state, network.input, network.parameters[0]])
      expect(Object.isFrozen(list)).toBe(true);
    expect(network.backend).toBe(backend);
  });

  it('may have no parameters at all', async () => {
    const network = new Network({ input: [3], layers: [relu()], loss: softmaxCrossEntropy(), backend });
    const x = randomFloats(12);
    expect([...network.forward(x)]).toEqual([...x].map((value) => Math.max(value, 0)));
    const { loss } = network.trainBatch(x, [0, 1, 2, 0], new Sgd());
    expect(loss).toBeGreaterThan(0);
    expect(network.gradients(x, [0, 1, 2, 0]).loss).toBe(loss);
  });

  it('leaves one seed unlike another, and draws one when none is given', () => {
    const first = (seed?: number) => {
      const { parameters, seed: used } = classifier(
        backend,
        seed === undefined ? { seed: Math.floor(Math.random() * 2 ** 32) } : { seed },
      );
      return { used, value: [...parameters[0].value] };
    };
    expect(first(1).value).toEqual(first(1).value);
    expect(first(1).value).not.toEqual(first(2).value);
    const drawn = new Network({ input: [2], layers: [dense(2)], loss: softmaxCrossEntropy(), backend });
    expect(Number.isInteger(drawn.seed)).toBe(true);
  });
});

describeNative('memory', () => {
  it('begins every parameter and every piece of state on a 64-byte boundary', () => {
    const result = tryNative();
    if (!('backend' in result)) throw result.error;
    const layers = [dense(5), batchNorm(), relu(), dense(3)];
    const network = new Network({ input: [7], layers, loss: softmaxCrossEntropy(), backend: 'native' });
    for (const { name, value } of [...network.parameters, ...network.state]) {
      const toBoundary = result.backend.adopt(value.buffer as unknown as SharedArrayBuffer);
      expect((value.byteOffset - toBoundary) % 64, name).toBe(0);
    }
  });

  // At the same place, their elements share a set of the first-level cache (docs/decisions/0009).
  it('begins parameters and moments at different places within a page', async () => {
    const result = tryNative();
    if (!('backend' in result)) throw result.error;
    const network = new Network({ input: [7], layers: [dense(5)], loss: softmaxCrossEntropy(), backend: 'native' });
    const optimizer = new Adam();
    await network.fit(new Dataset({ features: new Float32Array(14), shape: [7], labels: new Int32Array(2) }), {
      optimizer,
    });
    const blocks = [network.parameters[0].value, ...optimizer.moments.values()];
    const places = blocks.map(({ buffer, byteOffset }) => {
      const toBoundary = result.backend.adopt(buffer as unknown as SharedArrayBuffer);
      return (byteOffset - toBoundary + 4096) % 4096;
    });
    // The gradients are in between.
    expect(places).toEqual([0, 2 * 832, 3 * 832]);
  });
});
