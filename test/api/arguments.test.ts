import { describe, expect, it } from 'vitest';
import * as board from '../../lib/dashboard/index.js';
import * as data from '../../lib/data/index.js';
import * as distributed from '../../lib/distributed/index.js';
import * as extend from '../../lib/extend.js';
import * as main from '../../lib/index.js';
import * as onnx from '../../lib/interop/onnx/index.js';
import * as tfjs from '../../lib/interop/tfjs/index.js';
import * as kernels from '../../lib/kernels/index.js';
import * as report from '../../lib/report/index.js';
import * as search from '../../lib/search/index.js';
import * as tables from '../../lib/tables/index.js';
import { classData, classifier } from './support.js';

type Callable = (...args: unknown[]) => unknown;

/**
 * Everything public that can be called, by its full name, and how: found by going through the exports of all entry
 * points.
 */
const callables = new Map<string, Callable>();

/**
 * What the base class of the optimizers shares with the compiler and with subclasses, and what JavaScript itself calls.
 */
const exempt = new Set([
  // As of JavaScript's own errors, what is left over is not looked at.
  'new BlasnetError',
  // A subclass gives its name and what its caller gave; it checks that itself.
  'new Optimizer',
  ...['checkFits', 'useMoments', 'firstScalar', 'initialMoment', 'write', 'writeScalars', 'scalars'].map(
    (method) => `Optimizer.${method}`,
  ),
  ...['ownOptions', 'common', 'seal'].map((method) => `Optimizer.${method}`),
  // Called by JSON.stringify, with a key, and by String().
  'Scaler.toJSON',
  'Encoder.toJSON',
  'metrics.ConfusionMatrix.toString',
]);

function isClass(value: Callable): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

function addMethods(name: string, owner: object, skipped: readonly string[]): void {
  for (const key of Object.getOwnPropertyNames(owner)) {
    const method = Object.getOwnPropertyDescriptor(owner, key)?.value;
    if (typeof method !== 'function' || skipped.includes(key)) continue;
    callables.set(`${name}.${key}`, function (this: unknown, ...args) {
      return Reflect.apply(method, this ?? owner, args);
    });
  }
}

function add(name: string, value: unknown): void {
  if (typeof value === 'function') {
    const callable = value as Callable;
    if (!isClass(callable)) {
      callables.set(name, callable);
      return;
    }
    callables.set(`new ${name}`, (...args) => Reflect.construct(callable, args));
    addMethods(name, callable, ['length', 'name', 'prototype']);
    const base = Object.getPrototypeOf(callable.prototype);
    const parent = base.constructor.name;
    if (parent === 'LabelledRows') addMethods(name, base, ['constructor']);
    // An optimizer's methods are those of the base class, overridden or not.
    addMethods(['Optimizer', 'Adam'].includes(parent) ? 'Optimizer' : name, callable.prototype, ['constructor']);
  } else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) add(`${name}.${key}`, (value as Record<string, unknown>)[key]);
  }
}
for (const exports of [main, data, distributed, extend, report, kernels, tables, onnx, tfjs, board]) {
  for (const [name, value] of Object.entries(exports)) add(name, value);
}
// Under its own name, as `uniform` is also an initializer.
add('search', search);
for (const name of exempt) callables.delete(name);

async function failure(call: () => unknown): Promise<{ code?: string; message?: string }> {
  try {
    await call();
    return {};
  } catch (error) {
    return error as { code: string; message: string };
  }
}

/** Functions of any number of arguments: what is wrong with one of these is said of it. */
const variadic = new Set([...['shared', 'add', 'multiply', 'maximum', 'minimum', 'average', 'concat', 'freeze']]);

describe('the number of arguments', () => {
  it.each([...variadic])('%s: takes any number, each of which is checked', async (name) => {
    const error = await failure(() => callables.get(name)?.(...new Array(60).fill(undefined), 5));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(new RegExp(`^${name}: argument 0: expected .*, got undefined`));
  });

  it.each([...callables].filter(([name]) => !variadic.has(name)))(
    '%s: one too many is refused, an object of options by its key',
    async (name, call) => {
      const many = new Array(60).fill(undefined);
      const value = await failure(() => call(...many, 5));
      expect(value.code, `${name}: an extra 5`).toBe('INVALID_ARGUMENT');
      expect(value.message).toMatch(/expected (no arguments|at most \d+ arguments?|\d+ arguments \(.*\)), got/);
      const options = await failure(() => call(...many, { nonsense: 1 }));
      expect(options.code, `${name}: an extra { nonsense: 1 }`).toMatch(/^(UNKNOWN_OPTION|INVALID_ARGUMENT)$/);
    },
  );

  it('undefined ones too many are not counted', () => {
    const l2 = main.l2 as Callable;
    expect(l2(0.01, undefined)).toEqual(main.l2(0.01));
  });

  it.each([
    [
      'heNormal',
      () => (main.heNormal as Callable)({ seed: 1 }),
      'UNKNOWN_OPTION',
      /^heNormal: unknown option "seed"; it takes no arguments/,
    ],
    ['zeros', () => (main.zeros as Callable)({ shape: [1] }), 'UNKNOWN_OPTION', /^zeros: unknown option "shape"/],
    [
      'meanSquaredError',
      () => (main.meanSquaredError as Callable)({ reduction: 'sum' }),
      'UNKNOWN_OPTION',
      /"reduction"/,
    ],
    [
      'binaryCrossEntropy',
      () => (main.binaryCrossEntropy as Callable)({ posWeight: 6 }),
      'UNKNOWN_OPTION',
      /"posWeight"; known options are fromLogits/,
    ],
    ['l2', () => (main.l2 as Callable)(0.01, 5), 'INVALID_ARGUMENT', /^l2: expected at most 1 argument, got 2: 5/],
    [
      'standardize',
      () => (data.standardize as Callable)(classData(3), classData(3)),
      'UNKNOWN_OPTION',
      /^standardize: unknown option "\w+"; known options are of/,
    ],
    [
      'options of a class',
      () => (main.dense as Callable)(3, new Map([['bias', false]])),
      'INVALID_ARGUMENT',
      /^dense: expected an object of options/,
    ],
    [
      'an optimizer as options',
      () => classifier('typescript').fit(classData(3), new main.Adam() as never),
      'INVALID_ARGUMENT',
      /^fit: expected an object of options, such as \{ optimizer \}, got object of class Adam$/,
    ],
    [
      'a signal as options',
      () => classifier('typescript').evaluate(classData(3), new AbortController().signal as never),
      'INVALID_ARGUMENT',
      /^evaluate: expected an object of options/,
    ],
  ] as [string, () => unknown, string, RegExp][])('%s', async (_, call, code, message) => {
    const error = await failure(call);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

/**
 * What comes before the options of all that takes some; `undefined` for what takes none. Every export has a line here.
 */
const x = new Float32Array(12);
const points = new data.Dataset({
  features: [
    [1, 2],
    [3, 4],
  ],
  labels: [0, 1],
});
const curve = { name: 'a', x: [1, 2], y: [1, 2] };
const matrix = new main.metrics.ConfusionMatrix([1, 2, 3, 4]);
const node = main.input([2, 2]);
const before: Record<string, readonly unknown[]> = {
  ...Object.fromEntries(
    [
      'identity',
      'relu',
      'selu',
      'gelu',
      'silu',
      'sigmoid',
      'tanh',
      'softplus',
      'relu6',
      'hardSigmoid',
      'hardSwish',
      'mish',
      'softsign',
      'logSoftmax',
      'softmax',
      'leakyRelu',
      'elu',
      'prelu',
      'randomFlip',
      'randomCrop',
      'mixUp',
      'flatten',
      'batchNorm',
      'depthwiseConv2d',
      'localResponseNorm',
      'globalAvgPool2d',
      'exp',
      'log',
      'sqrt',
      'square',
      'abs',
      'sum',
      'mean',
      'max',
      'logSumExp',
      'slice',
      'globalMaxPool2d',
      'layerNorm',
      'instanceNorm',
      'uniform',
      'normal',
      'softmaxCrossEntropy',
      'binaryCrossEntropy',
      'huber',
      ...['focalLoss', 'klDivergence', 'quantile', 'exp', 'log', 'sqrt', 'square', 'abs', 'sum', 'mean', 'max'],
      ...['logSumExp', 'slice'],
      'earlyStopping',
      'reduceOnPlateau',
      'progressBar',
      'checkpoint',
      'tensorBoard',
      'dashboard',
      'joinGroup',
      'inverseTime',
      'exponential',
      'stepDecay',
      'piecewise',
      'cosine',
      'warmUp',
      'oneCycle',
      'l1l2',
      'blobs',
      'circles',
      'spirals',
      'twoMoons',
      'readIdxDataset',
      'mnist',
      'fashionMnist',
      'htmlReport',
      'search.search',
      'search.crossValidate',
      'new Network',
      'new Dataset',
      'new SparseDataset',
      'new Scaler',
      'Scaler.fromJSON',
      'new Encoder',
      'Encoder.fromJSON',
      'encoder',
      'Table.split',
      'Table.kFold',
      'TableStream.split',
      'new Sgd',
      'new Adam',
      'new AdamW',
      'new AdaGrad',
      'new RmsProp',
      'new AdaDelta',
      'new Adamax',
      'new Nadam',
      'new Lion',
      'new Muon',
    ].map((name) => [name, []]),
  ),
  input: [[3]],
  ...Object.fromEntries(
    ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum', 'average', 'concat', 'matmul', 'dot'].map(
      (name) => [name, [node, node]],
    ),
  ),
  freeze: ['0'],
  dense: [3],
  embedding: [5, 3],
  conv2d: [3],
  convTranspose2d: [3],
  separableConv2d: [3],
  dropout: [0.5],
  power: [2],
  clip: [0, 1],
  scale: [2, 0],
  reshape: [[2]],
  permute: [[0]],
  pad: [[[0, 0]]],
  upsample2d: [2],
  spatialDropout2d: [0.5],
  gaussianNoise: [0.5],
  groupNorm: [2],
  maxPool2d: [2],
  avgPool2d: [2],
  randomShift: [1],
  randomRotation: [10],
  cutout: [2],
  augmentBatch: [[], points],
  readIdx: ['nowhere'],
  readCsv: ['nowhere'],
  readJsonLines: ['nowhere'],
  readParquet: ['nowhere'],
  streamCsv: ['nowhere'],
  streamJsonLines: ['nowhere'],
  streamParquet: ['nowhere'],
  'Encoder.stream': [undefined],
  'TableStream.pieces': [undefined],
  'Table.from': [[]],
  'Encoder.batches': [undefined],
  imageFolder: ['nowhere'],
  standardize: [points],
  minMaxScale: [points],
  split: [points],
  kFold: [points],
  'metrics.accuracy': [
    [0, 1],
    [0, 1],
  ],
  'metrics.topK': [new Float32Array(4), [0, 1], 1],
  'metrics.confusionMatrix': [
    [0, 1],
    [0, 1],
  ],
  ...Object.fromEntries(
    [
      'exactMatch',
      'precision',
      'recall',
      'f1',
      'rocAuc',
      'averagePrecision',
      'rocCurve',
      'precisionRecallCurve',
      'logLoss',
      'r2',
    ].map((name) => [
      `metrics.${name}`,
      [
        [0, 1],
        [0, 1],
      ],
    ]),
  ),
  confusionMatrixPlot: [matrix],
  decisionRegions: [() => [1], points],
  fittedCurve: [{ x: [1], y: [1] }, [curve]],
  imageGrid: [points],
  networkGraph: [classifier('typescript')],
  learningCurves: [{ epochs: [] }],
  metricCurves: [{ epochs: [] }],
  rocPlot: [{}],
  precisionRecallPlot: [{}],
  predictionPlot: [[1], [1]],
  residualPlot: [[1], [1]],
  lossSurface: [() => 1, [curve]],
  panelGrid: [[{ title: 'a', curves: [curve] }]],
  writeReport: ['nowhere'],
  toOnnx: [classifier('typescript')],
  exportOnnx: [classifier('typescript'), 'nowhere'],
  fromOnnx: [],
  importOnnx: ['nowhere'],
  'Network.fit': [classData(4)],
  'Network.evaluate': [classData(4)],
  'Network.forward': [x],
  'Network.predict': [x],
  'Network.predictAsync': [x],
  'Network.save': ['nowhere'],
  'Network.toBytes': [],
  'Network.load': ['nowhere'],
  'Network.from': [classifier('typescript')],
  'Network.fromBytes': [],
  'Network.loadCheckpoint': ['nowhere'],
  'Network.loadTorchState': ['nowhere'],
  readNpz: ['nowhere'],
  writeSafetensors: ['nowhere', {}],
  loadLayersModel: ['nowhere'],
  fromLayersModel: [{}],
  'Optimizer.restore': [],
};
const withoutOptions = new Set([
  ...['merge', 'codeOf', 'layerOptions', 'spec', 'makeLoss', 'elements', 'rows'],
  ...['registerLayer', 'registerMerge', 'registerLoss', 'registerOptimizer'],
  ...[
    'zeros',
    'ones',
    'constant',
    'glorotNormal',
    'glorotUniform',
    'xavierNormal',
    'xavierUniform',
    'heNormal',
    'heUniform',
    'jsonLog',
  ],
  ...[
    'lecunNormal',
    'lecunUniform',
    'l1',
    'l2',
    'constantRate',
    'meanSquaredError',
    'halfSquaredError',
    'meanAbsoluteError',
    ...['logCosh', 'hinge', 'squaredHinge', 'poisson', 'cosineSimilarity', 'customLoss', 'shared'],
  ],
  ...[
    'backendInfo',
    'mpiInfo',
    'shard',
    'parseIdx',
    'oneHot',
    'fromOneHot',
    'argmax',
    'checkKernelArguments',
    ...['readNpy', 'writeNpy', 'writeNpz', 'readSafetensors', 'toLayersModel', 'saveLayersModel'],
    'native.repeat',
    'typescript.repeat',
  ],
  ...['search.uniform', 'search.logUniform', 'search.integer', 'search.choice'],
  ...['metrics.meanAbsoluteError', 'metrics.rootMeanSquaredError', 'new metrics.ConfusionMatrix'],
  ...['at', 'cells', 'perClass', 'precision', 'recall', 'f1'].map((method) => `metrics.ConfusionMatrix.${method}`),
  ...['row', 'slice', 'take', 'subset', 'withScale', 'classCounts', 'oneHot'].map((method) => `Dataset.${method}`),
  ...['row', 'slice', 'take', 'subset', 'classCounts', 'oneHot'].map((method) => `SparseDataset.${method}`),
  ...[
    'new Table',
    'Encoder.dataset',
    'Encoder.sparse',
    'Encoder.inputs',
    'Encoder.features',
    'Encoder.table',
    'Encoder.decode',
    'predictRows',
  ],
  ...['new TableStream', 'TableStream.dropMissing'],
  ...['has', 'column', 'row', 'rows', 'select', 'subset', 'filter', 'dropMissing'].map((name) => `Table.${name}`),
  ...['Scaler.apply', 'Scaler.invert', 'Network.summary', 'Optimizer.save', 'Optimizer.groupOf'],
  ...[
    'parameter',
    'gradients',
    'trainBatch',
    'applyGradients',
    'useAverage',
    'node',
    'clone',
    'copyParameters',
    'saveTorchState',
    'dispose',
  ].map((method) => `Network.${method}`),
]);

describe('options', () => {
  const all = [...callables].filter(([name]) => !/^(native|typescript)\.kernels\./.test(name));
  it('every export is known to take options or none', () => {
    expect(all.map(([name]) => name).filter((name) => !(name in before) && !withoutOptions.has(name))).toEqual([]);
    expect([...Object.keys(before), ...withoutOptions].filter((name) => !callables.has(name))).toEqual([]);
  });

  const bytes = classifier('typescript').toBytes();
  const owners: Record<string, () => Record<string, unknown>> = {
    Network: () => classifier('typescript') as never,
    Optimizer: () => new main.Sgd() as never,
  };
  const files: Record<string, readonly unknown[]> = {
    'Network.fromBytes': [bytes],
    fromOnnx: [onnx.toOnnx(classifier('typescript'))],
  };
  it.each(Object.entries(before))('%s refuses one it does not know', async (name, args) => {
    const [owner, method] = name.split('.');
    const own = owners[owner]?.();
    const call = callables.get(name) as Callable;
    const given = [...(files[name] ?? args), { nonsense: 1 }];
    const error = await failure(() =>
      own !== undefined && method in own ? Reflect.apply(call, own, given) : call(...given),
    );
    expect(error.code, error.message).toBe('UNKNOWN_OPTION');
    expect(error.message).toMatch(/unknown option "nonsense"/);
  });
});
