// Compiled by `npm run typecheck`, never run: what the public types accept, and, by the lines marked as errors, what
// they refuse.
import {
  Dataset,
  type DatasetOptions,
  type Fold,
  kFold,
  mnist,
  Scaler,
  split,
  standardize,
} from '../../lib/data/index.js';
import { layerOptions } from '../../lib/extend.js';
import {
  Adam,
  AdamW,
  type AnyNetwork,
  type Augmentation,
  add,
  argmax,
  augmentBatch,
  BlasnetError,
  type backendInfo,
  batchNorm,
  binaryCrossEntropy,
  type Callbacks,
  type Checkpoint,
  checkpoint,
  concat,
  customLoss,
  cutout,
  dense,
  dropout,
  type EpochLog,
  type ErrorCode,
  type Evaluation,
  earlyStopping,
  type Figures,
  type FitOptions,
  type History,
  type Initializer,
  input,
  type LayerSpec,
  type LoadOptions,
  l2,
  leakyRelu,
  type Metrics,
  mean,
  meanSquaredError,
  metrics,
  mixUp,
  Network,
  type NetworkOptions,
  type Node,
  type ParameterView,
  progressBar,
  randomCrop,
  randomFlip,
  randomRotation,
  randomShift,
  relu,
  type SampleSource,
  Sgd,
  type Shape,
  type StateView,
  type StreamBatch,
  shared,
  softmaxCrossEntropy,
  square,
  stepDecay,
  subtract,
} from '../../lib/index.js';
import { type KernelBackend, type Kernels, native, typescript } from '../../lib/kernels/index.js';
import { choice, crossValidate, logUniform, search } from '../../lib/search/index.js';
import { encoder, predictRows, Table } from '../../lib/tables/index.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<T extends true>(..._proof: T[]): void {}

export async function theReadme(): Promise<void> {
  const { train, test } = await mnist();
  const network = new Network({
    input: [784],
    layers: [dense(100), batchNorm(), relu(), dropout(0.2), dense(100), batchNorm(), relu(), dense(10)],
    loss: softmaxCrossEntropy(),
    seed: 1,
  });
  const history = await network.fit(train, {
    optimizer: new Adam({ learningRate: 1e-3 }),
    epochs: 5,
    batchSize: 64,
    validation: test,
  });
  const { loss, accuracy } = await network.evaluate(test);
  expectType<Equal<typeof history, History>>();
  expectType<Equal<typeof loss, number>>();
  expectType<Equal<typeof accuracy, number | undefined>>();
}

export async function augmented(): Promise<void> {
  const { train } = await mnist({ shape: [28, 28, 1] });
  const augment: readonly Augmentation[] = [
    randomShift(2),
    randomShift([0, 3], { fill: -1 }),
    randomFlip(),
    randomCrop({ padding: 4 }),
    randomRotation(10),
    cutout(8),
    mixUp({ alpha: 0.2 }),
  ];
  const network = new Network({ input: [784], layers: [dense(10)], loss: softmaxCrossEntropy() });
  await network.fit(train, { augment });
  const seen = augmentBatch(augment, train.take(8), { seed: 1, step: 5, backend: 'typescript' });
  expectType<Equal<typeof seen, Float32Array>>();
  // @ts-expect-error a crop needs its padding
  randomCrop({});
  // @ts-expect-error no such direction
  randomFlip({ direction: 'both' });
}

export function networks(): void {
  const options: NetworkOptions = { input: [28, 28, 1], layers: [relu()], loss: softmaxCrossEntropy() };
  const network = new Network({ ...options, regularizer: l2(1e-4), backend: 'auto' });
  expectType<Equal<typeof network.backend, 'native' | 'typescript'>>();
  expectType<Equal<typeof network.parameters, readonly ParameterView[]>>();
  expectType<Equal<typeof network.state, readonly StateView[]>>();
  expectType<Equal<typeof network.output, Shape>>();
  network.parameters[0].value[0] = 1;
  network.parameters[0].gradient.fill(0);
  // @ts-expect-error a view is not replaced
  network.parameters[0].value = new Float32Array(1);
  // @ts-expect-error the list is not changed
  network.parameters.push(network.parameters[0]);
  // @ts-expect-error the seed is fixed
  network.seed = 2;
  // @ts-expect-error input is missing
  new Network({ layers: [relu()], loss: softmaxCrossEntropy() });
  // @ts-expect-error a layer is what a layer function returns
  new Network({ ...options, layers: [relu] });
  // @ts-expect-error a loss is what a loss function returns
  new Network({ ...options, loss: softmaxCrossEntropy });
  // @ts-expect-error no such backend
  new Network({ ...options, backend: 'cuda' });
  // @ts-expect-error no such option
  new Network({ ...options, optimizer: new Adam() });
  // @ts-expect-error options are needed
  new Network();
}

export async function graphs(data: Dataset): Promise<void> {
  const x: Node = input([4], { name: 'x' });
  const outputs = { kind: add(x, 1).pipe(shared(dense(4)), dense(3)), code: concat(x, x).pipe((node) => node) };
  const network = new Network({ outputs, losses: { kind: softmaxCrossEntropy() }, lossWeights: { kind: 2 } });
  expectType<Equal<typeof network, Network<'kind' | 'code'>>>();
  const predicted = network.predict({ x: [1, 2, 3, 4] });
  expectType<Equal<typeof predicted, Readonly<Record<'kind' | 'code', Float32Array>>>>();
  const later = await network.predictAsync(data);
  expectType<Equal<typeof later, typeof predicted>>();
  network.gradients(data, { outputGradient: (raw) => ({ kind: raw.kind, code: raw.code }) });
  // @ts-expect-error a gradient of each output
  network.gradients(data, { outputGradient: { kind: new Float32Array(3) } });
  const parts: Float32Array = network.gradients<'image' | 'meta'>(data).inputGradient.meta;
  void parts;
  const same = ({ kind, code }: typeof predicted) => (kind.length === code.length ? 1 : 0);
  await network.fit(data, { validation: data, metrics: { same, kinds: ({ kind }) => kind.length } });
  const both: Metrics<typeof predicted> = { same };
  const fitting: FitOptions = { validation: data, metrics: both };
  await network.fit(data, fitting);
  // @ts-expect-error the predictions are those of two outputs
  await network.fit(data, { metrics: { first: (predictions: Float32Array) => predictions[0] } });
  const { outputs: figures } = await network.evaluate(data);
  expectType<Equal<typeof figures, Readonly<Record<string, Figures>> | undefined>>();
  const parametersOf = (any: AnyNetwork) => any.parameters.length;
  parametersOf(network);
  const one = new Network({ output: x.pipe(dense(1)), loss: customLoss((y, t) => mean(square(subtract(y, t)))) });
  expectType<Equal<typeof one, Network>>();
  const part = Network.from(network, { output: network.node('dense_1'), loss: softmaxCrossEntropy() });
  expectType<Equal<typeof part, Network>>();
  expectType<Equal<ReturnType<typeof network.copyParameters>, string[]>>();
  one.copyParameters(network, (name) => (name === 'a' ? undefined : name));
  network.metadata = { labels: ['a', 'b'], scaler: { mean: [1] } };
  // @ts-expect-error JSON has no functions
  network.metadata = { read: () => 1 };
  // @ts-expect-error there is no such output
  new Network({ outputs: { kind: x }, losses: { other: softmaxCrossEntropy() } });
  // @ts-expect-error losses are needed
  new Network({ outputs: { kind: x } });
  // @ts-expect-error a node is made by input and pipe
  new Network({ output: dense(3), loss: softmaxCrossEntropy() });
  // @ts-expect-error nodes are not changed
  x.inputs.push(x);
  // @ts-expect-error sums have two or more terms
  add(x);
}

interface Flower {
  readonly width: number;
  readonly species?: string;
}

/** Rows of an interface, which has no index signature. */
export function tables(network: Network, flowers: readonly Flower[]): void {
  const table = Table.from(flowers);
  const fitted = encoder({ target: 'species' }).fit(table);
  fitted.features(flowers);
  fitted.table(new Set(flowers));
  predictRows(network, flowers);
  // @ts-expect-error rows are objects
  predictRows(network, [1, 2]);
}

export async function files(network: Network): Promise<void> {
  await network.save('file', { optimizer: new Adam() });
  expectType<Equal<ReturnType<typeof network.toBytes>, Uint8Array>>();
  const loaded = await Network.load('file', { backend: 'native' } satisfies LoadOptions);
  expectType<Equal<typeof loaded, Network>>();
  const several = await Network.load<'digit' | 'code'>('file');
  expectType<Equal<typeof several, Network<'digit' | 'code'>>>();
  // @ts-expect-error a path is needed
  await Network.load();
  const checkpointed = await Network.loadCheckpoint('file', { backend: 'native', loss: softmaxCrossEntropy() });
  expectType<Equal<typeof checkpointed, Checkpoint>>();
  const callbacks: Callbacks[] = [
    checkpoint({ path: '{epoch}', every: 2, keep: 3 }),
    earlyStopping({ monitor: 'validationAccuracy', patience: 3, restoreBest: false }),
    { onEpochEnd: (_, training) => training.save('file') },
  ];
  expectType<Equal<typeof callbacks.length, number>>();
  // @ts-expect-error a path is needed
  checkpoint({ every: 2 });
  await network.save(new URL('file:///file'));
  // @ts-expect-error a path is a string or a URL
  network.save(Buffer.from('file'));
}

export function parts(): void {
  dense(10, { bias: false, weightInitializer: 'heNormal', biasInitializer: 0.1, regularizer: l2(1e-4), name: 'head' });
  leakyRelu({ slope: 0.2 });
  const own: Initializer = {
    kind: 'fans',
    sampler:
      ({ fanIn }, random) =>
      () =>
        random.normal() / fanIn,
  };
  dense(3, { weightInitializer: own });
  // @ts-expect-error units are a number
  dense('10');
  // @ts-expect-error no such initializer
  dense(10, { weightInitializer: 'he' });
  // @ts-expect-error no such option
  dense(10, { activation: 'relu' });
  // @ts-expect-error relu has no slope
  relu({ slope: 1 });
  // @ts-expect-error a rate is needed
  dropout();
  const settable = new Adam();
  settable.learningRate = 0.01;
  settable.learningRate = stepDecay({ initial: 0.1, factor: 0.5, interval: 10 });
  // @ts-expect-error all but the rate is read-only
  settable.beta1 = 0.5;
  binaryCrossEntropy({ fromLogits: false });
  // @ts-expect-error there is no such option
  binaryCrossEntropy({ posWeight: 6 });
  new Sgd({ learningRate: stepDecay({ initial: 0.1, factor: 0.5, interval: 10 }), momentum: 0.9, nesterov: true });
  new AdamW({ learningRate: ({ step, epoch }) => 0.1 / (1 + step + epoch) });
  // @ts-expect-error an interval is needed
  stepDecay({ initial: 0.1, factor: 0.5 });
  // @ts-expect-error no such option
  new Sgd({ lr: 0.1 });
  // @ts-expect-error a schedule returns a number
  new Sgd({ learningRate: () => '0.1' });
  // @ts-expect-error no such placement
  new Adam({ epsilonPlacement: 'under' });
}

export async function training(network: Network, data: Dataset): Promise<void> {
  const callbacks: Callbacks = {
    onTrainBegin({ epochs, samples }) {
      expectType<Equal<typeof epochs, number>>();
      expectType<Equal<typeof samples, number | undefined>>();
    },
    async onEpochEnd(log, handle) {
      expectType<Equal<typeof log, EpochLog>>();
      handle.stop();
    },
    onProgress: ({ step, steps = 0 }) => void (step / steps),
  };
  const options: FitOptions = {
    callbacks: [callbacks, progressBar()],
    signal: AbortSignal.timeout(1000),
    initialEpoch: 3,
  };
  await network.fit(data, options);
  await network.fit([{ x: new Float32Array(4), y: [1] }, data]);
  async function* stream(): AsyncGenerator<StreamBatch> {
    yield { x: [[1, 2]], y: Uint8Array.of(1) };
    yield data;
  }
  await network.fit(stream(), { epochs: 1 });
  // @ts-expect-error no such option
  await network.fit(data, { learningRate: 1 });
  // @ts-expect-error an optimizer is an object of a class
  await network.fit(data, { optimizer: 'adam' });
  // @ts-expect-error arrays are no dataset
  await network.fit(new Float32Array(4));
  // @ts-expect-error a batch has targets
  await network.fit([{ x: [1, 2] }]);
  // @ts-expect-error a hook of another name
  await network.fit(data, { callbacks: { onBatchEnd() {} } });
  // @ts-expect-error validation is a dataset
  await network.fit(data, { validation: [1, 2] });
}

export async function calls(network: Network, data: Dataset): Promise<void> {
  const predicted = network.predict(data);
  expectType<Equal<typeof predicted, Float32Array>>();
  network.predict(
    [
      [1, 2],
      [3, 4],
    ],
    new Float32Array(4),
  );
  network.predict(data, { out: new Float32Array(4), batchSize: 2 });
  const { signal } = new AbortController();
  const later = network.predictAsync(data, { out: new Float32Array(4), batchSize: 2, signal });
  expectType<Equal<typeof later, Promise<Float32Array>>>();
  const hidden = network.predict(data, { outputs: ['a', 'b'] });
  expectType<Equal<typeof hidden, Readonly<Record<'a' | 'b', Float32Array>>>>();
  // @ts-expect-error the values of nodes go into new arrays
  network.predict(data, { outputs: ['a'], out: new Float32Array(4) });
  // @ts-expect-error the array goes into the options
  await network.predictAsync(data, new Float32Array(4));
  network.forward([1, 2], { training: true });
  network.forward([1, 2], { batchSize: 2 });
  const { loss, inputGradient } = network.gradients(new Float32Array(2), [1]);
  expectType<Equal<typeof loss, number>>();
  expectType<Equal<typeof inputGradient, Float32Array>>();
  const evaluation: Evaluation = network.trainBatch([1, 2], Int32Array.of(1), new Sgd());
  evaluation.accuracy?.toFixed(2);
  // @ts-expect-error accuracy may be absent
  evaluation.accuracy.toFixed(2);
  network.predict(new Float64Array(2));
  // @ts-expect-error features are numbers
  network.predict(new BigInt64Array(2));
  // @ts-expect-error an optimizer is needed
  network.trainBatch([1, 2], [1]);
  await network.evaluate(data, { batchSize: 100 });
  // @ts-expect-error evaluate takes a dataset
  await network.evaluate([1, 2]);
  using scoped = network;
  scoped.applyGradients(new Sgd());
}

export function data(): void {
  const options: DatasetOptions = { features: new Uint8Array(4), shape: [2], labels: [0, 1] };
  const dataset = new Dataset({ ...options, scale: 1 / 255 });
  const source: SampleSource = dataset;
  expectType<Equal<typeof dataset.features, Uint8Array | Float32Array>>();
  // @ts-expect-error a dataset's columns are fixed
  dataset.labels = new Int32Array(2);
  // @ts-expect-error features are needed
  new Dataset({ labels: [0, 1] });
  void source;
}

export function figures(network: Network, data: Dataset): void {
  const outputs = network.predict(data);
  expectType<Equal<ReturnType<typeof metrics.accuracy>, number>>();
  metrics.accuracy([[0.1, 0.9]], Uint8Array.of(1), { threshold: 0.4, multiLabel: false });
  const macro = metrics.f1(outputs, data, { average: 'macro' });
  const none = metrics.f1(outputs, data, { average: 'none', multiLabel: true });
  const matrix = metrics.confusionMatrix(outputs, data);
  const matrices = metrics.confusionMatrix(outputs, data, { multiLabel: true });
  const perClass = matrix.recall('none');
  const curve = metrics.rocCurve(outputs, data, { label: 1 });
  const areas = metrics.rocAuc(outputs, data, { average: 'none' });
  const [one, rows] = [argmax(outputs), argmax(outputs, 10)];
  expectType<Equal<typeof macro, number>>();
  expectType<Equal<typeof none, number[]>>();
  expectType<Equal<typeof matrix, metrics.ConfusionMatrix>>();
  expectType<Equal<typeof matrices, metrics.ConfusionMatrix[]>>();
  expectType<Equal<typeof perClass, number[]>>();
  expectType<Equal<typeof curve, metrics.RocCurve>>();
  expectType<Equal<typeof areas, number[]>>();
  expectType<Equal<typeof one, number>>();
  expectType<Equal<typeof rows, Int32Array>>();
  expectType<Equal<typeof network.layers, readonly LayerSpec[]>>();
  expectType<Equal<ReturnType<typeof network.summary>, string>>();
  // @ts-expect-error no such average
  metrics.f1(outputs, data, { average: 'samples' });
  // @ts-expect-error curves have no threshold
  metrics.rocCurve(outputs, data, { threshold: 0.5 });
  // @ts-expect-error the layers are fixed
  network.layers.push(relu());
}

export function partsOfData(data: Dataset): void {
  const folds = kFold(data, { folds: 3, stratify: true, seed: 1 });
  expectType<Equal<typeof folds, Fold[]>>();
  for (const { train, validation, indices } of folds) void [train.length, validation.length, indices.train[0]];
  const { indices } = split(data);
  expectType<Equal<typeof indices.test, Int32Array>>();
  const { scaler } = standardize(data, { of: 'targets' });
  const numbers = scaler.invert(new Float32Array(3));
  const dataset = Scaler.fromJSON(scaler.toJSON()).apply(data);
  expectType<Equal<typeof numbers, Float32Array>>();
  expectType<Equal<typeof dataset, Dataset>>();
  // @ts-expect-error no such part
  standardize(data, { of: 'labels' });
  // @ts-expect-error folds are a number
  kFold(data, 5);
}

export async function searches(data: Dataset): Promise<void> {
  const { best, network, trials } = await search({
    space: { rate: logUniform(1e-4, 1), layers: choice([[8], [8, 4]]), kind: choice(['relu', 'tanh']) },
    trials: 2,
    data,
    build: ({ rate, layers, kind }, { seed, validation }) => {
      expectType<Equal<typeof rate, number>>();
      expectType<Equal<typeof kind, 'relu' | 'tanh'>>();
      const hidden: readonly number[] = layers;
      expectType<Equal<typeof validation, Dataset | undefined>>();
      const made = new Network({ input: [2], layers: [dense(hidden[0])], loss: meanSquaredError(), seed });
      return { network: made, optimizer: new Adam({ learningRate: rate }) };
    },
    onTrial: ({ params }) => expectType<Equal<typeof params.kind, 'relu' | 'tanh'>>(),
  });
  expectType<Equal<typeof network, Network | undefined>>();
  expectType<Equal<typeof best.value, number | undefined>>();
  expectType<Equal<(typeof trials)[0]['params']['rate'], number>>();
  const build = () => ({ network: new Network({ input: [2], layers: [dense(1)], loss: meanSquaredError() }) });
  // @ts-expect-error the search sets the epochs
  await search({ space: {}, trials: 1, data, build: () => ({ ...build(), epochs: 3 }) });
  const { values } = await crossValidate({ data, build, metric: (made) => made.parameterCount });
  expectType<Equal<typeof values, readonly number[]>>();
}

export function errors(error: unknown): string | undefined {
  if (!(error instanceof BlasnetError)) return undefined;
  expectType<Equal<typeof error.code, ErrorCode>>();
  // @ts-expect-error no such code
  if (error.code === 'BUSY') return undefined;
  return error.details?.where;
}

export function kernels(backend: KernelBackend = native): Kernels {
  const [c, a, b] = [new Float32Array(4), new Float32Array(4), new Float32Array(4)];
  backend.kernels.gemm(c, a, b, 2, 2, 2, false, true, 1, 0);
  typescript.kernels.relu(c, a, 4);
  // @ts-expect-error sizes are missing
  backend.kernels.gemm(c, a, b);
  // @ts-expect-error no such kernel
  backend.kernels.convolve(c, a, b);
  return backend.kernels;
}

export function ownLayer(options?: { name?: string; size?: number }) {
  layerOptions('own', options, ['size']);
  // @ts-expect-error no such option
  return layerOptions('own', options, ['sise']);
}

expectType<Equal<ReturnType<typeof backendInfo>['threads'], number>>();
