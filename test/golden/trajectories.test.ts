/**
 * Trajectories of training on given batches and masks against golden values: losses, parameters, statistics, outputs.
 */
import { describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  AdaGrad,
  Adam,
  batchNorm,
  dense,
  halfSquaredError,
  inverseTime,
  type LayerSpec,
  l2,
  meanSquaredError,
  Network,
  type Optimizer,
  RmsProp,
  relu,
  Sgd,
  sigmoid,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';
import {
  accuracyOf,
  checkParameters,
  givenMask,
  parameter,
  rowOf,
  setMask,
  setParameters,
  stateOf,
  targetsOf,
  trainStep,
} from './models.js';

/** Row of the first weight that the files keep: a pixel in the middle of the image, where there is ink. */
const PIXEL = 406;

function images(golden: Golden, scale: number, offset = 0): Dataset {
  const features = Uint8Array.from(golden.numbers('inputs.images_uint8'));
  return new Dataset({ features, labels: golden.integers('inputs.labels'), classes: 10, scale, offset });
}

function checkPixel(golden: Golden, path: string, network: Network, what: 'value' | 'gradient'): void {
  const weight = parameter(network, 'W1');
  golden.near(path, rowOf(weight, weight[what], PIXEL));
}

/**
 * With `biases` the biases that batch norm cancels are there and trained, as a user may have it; the files give wider
 * bounds for what then strays.
 */
function halfSquaredErrorRun(backend: KernelBackend, biases: boolean): void {
  const golden = new Golden('000_traj_fixed');
  const setting = (name: string) => golden.number(`hyperparameters.${name}`);
  const data = images(golden, 1 / 255).oneHot();
  const labels = golden.integers('inputs.labels');
  const batch = setting('batch_size');
  const network = new Network({
    input: [784],
    layers: [
      ...[
        dense(50, { name: 'dense1', bias: biases }),
        batchNorm({ name: 'norm1', epsilon: setting('bn_epsilon'), momentum: 0.9 }),
      ],
      ...[sigmoid(), givenMask('mask', batch), dense(10, { name: 'dense2' }), sigmoid()],
    ],
    loss: halfSquaredError(),
    regularizer: l2(setting('l2')),
    backend: backend.name,
  });
  setParameters(network, golden);
  const optimizer = new Adam({
    learningRate: setting('learning_rate'),
    beta1: setting('beta1'),
    beta2: setting('beta2'),
    epsilon: setting('epsilon'),
  });
  const losses: number[] = [];
  for (let epoch = 0; epoch < setting('epochs'); epoch++) {
    const order = golden.numbers(`inputs.order.${epoch}`);
    for (let begin = 0; begin < order.length; begin += batch) {
      setMask(network, 'mask', golden.numbers(`inputs.keep_masks.${losses.length}`), setting('drop_probability'));
      losses.push(trainStep(network, data.subset(order.slice(begin, begin + batch)), optimizer));
      if (losses.length > 1) continue;
      checkParameters(golden, 'first_grads', network, 'gradient');
      checkPixel(golden, 'first_grad_W1_row_406', network, 'gradient');
    }
  }
  golden.near('losses', losses);
  checkParameters(golden, 'final', network);
  checkPixel(golden, 'final_W1_row_406', network, 'value');
  golden.near('running_mean', stateOf(network, 'norm1.runningMean'), biases);
  golden.near('running_var', stateOf(network, 'norm1.runningVariance'));
  const outputs = network.predict(data);
  golden.near('inference_outputs', outputs, biases);
  golden.near('accuracy', accuracyOf(outputs, labels));
  golden.complete();
}

function optimizerFor(golden: Golden, rule: string): Optimizer {
  const setting = (name: string) => golden.number(`hyperparameters.optimizers.${rule}.${name}`);
  const learningRate = setting('learning_rate');
  if (rule === 'sgd') return new Sgd({ learningRate });
  if (rule === 'momentum') return new Sgd({ learningRate, momentum: setting('momentum') });
  if (rule === 'adagrad')
    return new AdaGrad({ learningRate, initialAccumulator: setting('initial_accumulator'), epsilon: 0 });
  const epsilon = setting('eps');
  if (rule === 'rmsprop') return new RmsProp({ learningRate, decay: setting('decay'), epsilon });
  return new Adam({
    learningRate,
    beta1: setting('beta1'),
    beta2: setting('beta2'),
    epsilon,
    epsilonPlacement: 'rawRoot',
  });
}

async function fiveOptimizers(backend: KernelBackend, biases: boolean): Promise<void> {
  const golden = new Golden('001_traj_mnist_bn_he');
  const data = images(golden, 1 / 255);
  const norm = (i: number) =>
    batchNorm({ name: `norm${i}`, epsilon: golden.number('hyperparameters.bn_epsilon'), momentum: 0.9 });
  for (const rule of golden.keys('hyperparameters.optimizers')) {
    const network = new Network({
      input: [784],
      layers: [
        ...[dense(40, { name: 'dense1', bias: biases }), norm(1), relu()],
        ...[dense(20, { name: 'dense2', bias: biases }), norm(2), relu()],
        dense(10, { name: 'dense3' }),
      ],
      loss: softmaxCrossEntropy(),
      backend: backend.name,
    });
    setParameters(network, golden);
    const optimizer = optimizerFor(golden, rule);
    const losses = golden.keys('inputs.batches').map((step) => {
      const loss = trainStep(network, data.subset(golden.numbers(`inputs.batches.${step}`)), optimizer);
      if (step === '0') {
        checkParameters(golden, 'first_grads', network, 'gradient');
        checkPixel(golden, 'first_grad_W1_row_406', network, 'gradient');
      }
      return loss;
    });
    golden.near(`${rule}.losses`, losses);
    checkParameters(golden, `${rule}.final`, network);
    golden.near(`${rule}.running_var1`, stateOf(network, 'norm1.runningVariance'));
    golden.near(`${rule}.running_var2`, stateOf(network, 'norm2.runningVariance'));
    golden.near(`${rule}.inference_logits`, network.forward(data), biases);
    golden.near(`${rule}.accuracy`, (await network.evaluate(data)).accuracy ?? Number.NaN);
  }
  golden.complete();
}

type BatchStatisticsCase = '003_traj_bn_adam' | '003_traj_bn_adam_dropout';

/** Batch norm after ReLU and on the logits, evaluated with the statistics of the evaluated set. */
async function batchStatistics(backend: KernelBackend, name: BatchStatisticsCase, biases: boolean): Promise<void> {
  const golden = new Golden(name);
  const setting = (key: string) => golden.number(`hyperparameters.${key}`);
  const data = images(golden, 1 / 127.5, -1);
  const batch = setting('batch_size');
  const [epochs, steps] = [setting('epochs'), data.length / batch];
  const masked = setting('drop_probability') > 0;
  const block = (i: number, units: number): LayerSpec[] => [
    ...[dense(units, { name: `dense${i}` }), relu()],
    batchNorm({ name: `norm${i}`, epsilon: setting('bn_epsilon'), evaluation: 'batch' }),
    ...(masked ? [givenMask(`mask${i}`, batch)] : []),
  ];
  const create = () => {
    const network = new Network({
      input: [784],
      layers: [
        ...[...block(1, 16), ...block(2, 12), dense(10, { name: 'dense3', bias: biases })],
        batchNorm({ name: 'norm3', epsilon: setting('bn_epsilon'), evaluation: 'batch' }),
      ],
      loss: softmaxCrossEntropy(),
      backend: backend.name,
    });
    setParameters(network, golden);
    return network;
  };
  const setMasks = (network: Network, step: number) => {
    if (!masked) return;
    for (const i of [1, 2]) {
      setMask(network, `mask${i}`, golden.numbers(`inputs.keep_masks${i}.${step}`), setting('drop_probability'));
    }
  };
  const first = create();
  setMasks(first, 0);
  first.gradients(data.take(batch), targetsOf(data.take(batch)));
  checkParameters(golden, 'first_grads', first, 'gradient');

  const network = create();
  const decay = inverseTime({ initial: setting('learning_rate'), rate: 0.1 });
  const adam = {
    beta1: setting('beta1'),
    beta2: setting('beta2'),
    epsilon: setting('epsilon'),
    biasCorrection: false,
    epsilonPlacement: 'inside',
  } as const;
  if (masked) {
    const optimizer = new Adam({
      ...adam,
      learningRate: ({ step }) => decay({ step, epoch: Math.floor(step / steps) }),
    });
    const losses = Array.from({ length: epochs * steps }, (_, step) => {
      setMasks(network, step);
      const begin = (step % steps) * batch;
      return trainStep(network, data.slice(begin, begin + batch), optimizer);
    });
    golden.near('losses', losses);
  } else {
    const optimizer = new Adam({ ...adam, learningRate: decay });
    const history = await network.fit(data, { optimizer, epochs, batchSize: batch, shuffle: false });
    golden.near(
      'losses',
      history.epochs.flatMap((log) => [...log.batchLosses]),
    );
  }
  checkParameters(golden, 'final', network);
  checkPixel(golden, 'final_W1_row_406', network, 'value');
  golden.near('logits_whole_set_batch_statistics', network.forward(data), biases);
  golden.complete();
}

type RegressionCase = '004_traj_plain' | '004_traj_batchnorm' | '004_traj_dropout';

function regression(backend: KernelBackend, name: RegressionCase, biases: boolean): void {
  const golden = new Golden(name);
  const setting = (key: string) => golden.number(`hyperparameters.${key}`);
  const points = new Dataset({
    features: golden.floats('inputs.x'),
    shape: [1],
    targets: golden.floats('inputs.y'),
    targetShape: [1],
  });
  const units = golden.numbers('hyperparameters.dims').slice(1);
  const [masked, normed] = [name === '004_traj_dropout', name === '004_traj_batchnorm'];
  const layers = units.slice(0, -1).flatMap((width, index): LayerSpec[] => {
    const i = index + 1;
    return [
      dense(width, { name: `dense${i}`, bias: biases || !normed }),
      ...(normed ? [batchNorm({ name: `norm${i}`, epsilon: setting('bn_epsilon'), momentum: 0.99 })] : []),
      sigmoid(),
      ...(masked ? [givenMask(`mask${i}`, setting('batch_size'))] : []),
    ];
  });
  const network = new Network({
    input: [1],
    layers: [...layers, dense(1, { name: `dense${units.length}` })],
    loss: meanSquaredError(),
    backend: backend.name,
  });
  setParameters(network, golden);
  const optimizer = new Adam({
    learningRate: setting('learning_rate'),
    beta1: setting('beta1'),
    beta2: setting('beta2'),
    epsilon: setting('epsilon'),
    epsilonPlacement: 'rawRoot',
  });
  const losses = golden.keys('inputs.batches').map((step) => {
    if (masked) {
      for (const i of [1, 2, 3, 4]) {
        setMask(network, `mask${i}`, golden.numbers(`inputs.keep_masks${i}.${step}`), setting('drop_probability'));
      }
    }
    const loss = trainStep(network, points.subset(golden.numbers(`inputs.batches.${step}`)), optimizer);
    if (step === '0') checkParameters(golden, 'first_grads', network, 'gradient');
    return loss;
  });
  golden.near('losses', losses);
  checkParameters(golden, 'final', network);
  golden.near('predictions', network.predict(points), biases);
  if (normed) {
    golden.near('running_mean1', stateOf(network, 'norm1.runningMean'), biases);
    golden.near('running_var1', stateOf(network, 'norm1.runningVariance'));
    golden.near('running_var4', stateOf(network, 'norm4.runningVariance'));
  }
  expect(optimizer.steps).toBe(setting('steps'));
  golden.complete();
}

eachBackend((backend) => {
  it('regression', () => regression(backend, '004_traj_plain', false));
  it('regression with dropout', () => regression(backend, '004_traj_dropout', false));
  describe.each([
    ['left out', false],
    ['trained', true],
  ])('with biases that batch norm cancels %s', (_, biases) => {
    it('half squared error, L2 and dropout', () => halfSquaredErrorRun(backend, biases));
    it('five optimizers', () => fiveOptimizers(backend, biases));
    it('statistics of the evaluated set', () => batchStatistics(backend, '003_traj_bn_adam', biases));
    it('statistics of the evaluated set, with dropout', () =>
      batchStatistics(backend, '003_traj_bn_adam_dropout', biases));
    it('regression', () => regression(backend, '004_traj_batchnorm', biases));
  });
});
