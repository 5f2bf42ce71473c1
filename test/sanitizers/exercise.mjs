// Everything that takes and gives back memory or threads, in plain Node, for the checkers that see no leaks, races or
// reads inside OpenBLAS under the test runner. Argument: rounds.
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as blasnet from '../../dist/index.js';
import { native } from '../../dist/kernels/index.js';

const {
  AdaGrad,
  Adam,
  Muon,
  Network,
  RmsProp,
  Sgd,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  gelu,
  l2,
  leakyRelu,
  maxPool2d,
  relu,
  softmaxCrossEntropy,
  gaussianNoise,
  groupNorm,
  hardSwish,
  instanceNorm,
  layerNorm,
  logSoftmax,
  mish,
  spatialDropout2d,
} = blasnet;

const { threads } = blasnet.backendInfo('native');
const rows = 70;
const features = Float32Array.from({ length: rows * 64 }, (_, i) => Math.sin(i));
const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
const data = { length: rows, shape: [8, 8, 1], features, labels, scale: 1, offset: 0 };

function makeNetwork() {
  const layers = [conv2d(3), batchNorm(), relu(), maxPool2d(), flatten(), dense(40), dropout(0.3), dense(3)];
  return new Network({ input: [8, 8, 1], layers, loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
}

const swallow = () => {};

async function exerciseNetwork(round) {
  const network = makeNetwork();
  const optimizer = round % 2 === 0 ? new Adam() : new Sgd({ momentum: 0.9 });
  await network.fit(data, { epochs: 2, batchSize: 16, optimizer, validation: data });
  network.trainBatch(features.subarray(0, 4 * 64), labels.subarray(0, 4), optimizer);
  network.gradients(features.subarray(0, 4 * 64), labels.subarray(0, 4));
  await network.evaluate(data);
  network.predict(features);
  await network.predictAsync(features);
  const file = join(tmpdir(), `blasnet-exercise-${process.pid}.safetensors`);
  try {
    await network.save(file, { optimizer });
    (await Network.load(file)).dispose();
  } finally {
    await rm(file, { force: true });
  }
  // Ended by a signal, and by disposal in the middle of a run.
  const stop = new AbortController();
  const aborted = network.fit(data, { epochs: 1e5, optimizer, signal: stop.signal });
  setTimeout(() => stop.abort(), 5);
  await aborted.catch(swallow);
  const disposed = network.fit(data, { epochs: 1e5, optimizer }).catch(swallow);
  network.dispose();
  await disposed;
}

/** A network whose steps are large enough for two threads, its first layer shared out by inputs. */
async function exerciseThreads() {
  const images = {
    length: 90,
    shape: [512],
    features: new Uint8Array(90 * 512),
    labels: new Int32Array(90),
    scale: 1,
    offset: 0,
  };
  for (let i = 0; i < images.features.length; i++) images.features[i] = (i * 7) % 256;
  const layers = [dense(96), relu(), gaussianNoise(0.1), dense(64), batchNorm(), mish(), layerNorm(), dense(3)];
  const network = new Network({ input: [512], layers, loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
  await network.fit(images, { epochs: 3, batchSize: 32, optimizer: new Adam({ learningRate: 1e-3 }) });
  await network.fit(images, { epochs: 2, batchSize: 32, optimizer: new Sgd({ clipNorm: 1 }), profile: true });
  const muon = new Muon({ clipNorm: 1, averageWeights: {} });
  await network.fit(images, { epochs: 2, batchSize: 32, accumulate: 2, optimizer: muon });
  for (const kernel of ['denseForwardParts', 'batchNormParts', 'batchNormBackwardParts', 'groupNormBackwardParts']) {
    if (threads > 1 && !String(network.program).includes(kernel)) throw new Error(`expected a program with ${kernel}`);
  }
  network.dispose();

  const convolution = new Network({
    input: [16, 32, 1],
    layers: [
      ...[conv2d(6), instanceNorm(), relu(), maxPool2d(), conv2d(16), groupNorm(4), hardSwish()],
      ...[spatialDropout2d(0.2), flatten(), dense(3), logSoftmax()],
    ],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend: 'native',
  });
  await convolution.fit({ ...images, shape: [16, 32, 1] }, { epochs: 2, batchSize: 32, optimizer: new Adam() });
  if (threads > 1 && !String(convolution.program).includes('conv2dBackwardWeight'))
    throw new Error('expected a convolution for several threads');
  convolution.dispose();

  // Weights larger than the batch, with penalties, are shared out by columns and updated piece by piece. A whole batch
  // and a short one are enough.
  const few = {
    ...images,
    length: 40,
    features: images.features.subarray(0, 40 * 512),
    labels: images.labels.subarray(0, 40),
  };
  const wide = new Network({
    input: [512],
    layers: [dense(1024), leakyRelu(), dropout(0.2), dense(1600), gelu(), dense(3)],
    loss: softmaxCrossEntropy(),
    regularizer: l2(1e-4),
    seed: 1,
    backend: 'native',
  });
  const optimizers = [
    new Adam({ amsGrad: true }),
    new Sgd({ clipNorm: 1, nesterov: true, momentum: 0.9 }),
    new RmsProp(),
    new AdaGrad(),
  ];
  for (const optimizer of optimizers) await wide.fit(few, { epochs: 1, batchSize: 32, optimizer, validation: few });
  wide.dispose();
}

/** Products on arrays that end where the last operand does, so that a step beyond leaves them. */
function exerciseProducts() {
  for (const [m, n, k] of [
    [1, 1, 1],
    [3, 5, 7],
    [16, 16, 16],
    [17, 33, 65],
    [64, 100, 130],
    [130, 70, 9],
  ]) {
    for (const [transA, transB] of [
      [0, 0],
      [1, 0],
      [0, 1],
    ]) {
      const [a, b, c] = [m * k, k * n, m * n].map((length) => new Float32Array(length).fill(0.5));
      native.kernels.gemm(c, a, b, m, n, k, transA, transB, 1, 0);
      if (c.at(-1) !== k / 4) throw new Error(`expected ${k / 4}, got ${c.at(-1)}`);
    }
  }
}

async function exerciseWorkers() {
  const workers = [0, 1].map(() => new Worker(new URL(import.meta.url)));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
}

if (isMainThread) {
  for (let round = 0; round < Number(process.argv[2] ?? 3); round++) {
    exerciseProducts();
    await exerciseNetwork(round);
    await exerciseThreads();
    await exerciseWorkers();
  }
  console.log('exercised');
} else {
  const running = makeNetwork().fit(data, { epochs: 1e6 });
  parentPort.postMessage('begun');
  await running;
}
