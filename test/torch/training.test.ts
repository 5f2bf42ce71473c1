import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  batchNorm,
  binaryCrossEntropy,
  conv2d,
  cosine,
  dense,
  flatten,
  huber,
  identity,
  Lion,
  type Loss,
  Muon,
  maxPool2d,
  meanAbsoluteError,
  meanSquaredError,
  Nadam,
  Network,
  type Optimizer,
  oneCycle,
  RmsProp,
  relu,
  Sgd,
  sigmoid,
  softmaxCrossEntropy,
  tanh,
} from '../../lib/index.js';
import { onBackends } from '../api/support.js';
import { channelsLast, expectNear, fixtures, floats, labels, read } from './support.js';

/** The trainings of sequentials.py, with the same steps. */
const [STEPS, BATCH] = [12, 8];
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => new Sgd({ learningRate: 0.2 }),
  momentum: () => new Sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.01 }),
  nesterov: () => new Sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
  adam: () => new Adam({ learningRate: 0.02, weightDecay: 0.01 }),
  amsgrad: () => new Adam({ learningRate: 0.05, beta1: 0.5, beta2: 0.6, amsGrad: true }),
  adamw: () => new AdamW({ learningRate: 0.02, weightDecay: 0.1 }),
  rmsprop: () => new RmsProp({ learningRate: 0.01, decay: 0.9, epsilon: 1e-6 }),
  'rmsprop-momentum': () =>
    new RmsProp({ learningRate: 0.005, decay: 0.95, epsilon: 1e-8, momentum: 0.7, weightDecay: 0.01 }),
  adagrad: () => new AdaGrad({ learningRate: 0.1, initialAccumulator: 0.1, epsilon: 1e-6 }),
  adadelta: () => new AdaDelta({ decay: 0.9, epsilon: 1e-3, weightDecay: 0.01 }),
  adamax: () => new Adamax({ learningRate: 0.02, beta1: 0.8, beta2: 0.99, weightDecay: 0.01 }),
  nadam: () => new Nadam({ learningRate: 0.02, beta2: 0.99, weightDecay: 0.01, momentumDecay: 0.02 }),
  lion: () => new Lion({ learningRate: 0.01, weightDecay: 0.1 }),
  muon: () => new Muon({ learningRate: 0.05, weightDecay: 0.1, adamW: { learningRate: 0.02, epsilon: 1e-8 } }),
  'clip-value': () => new Sgd({ learningRate: 0.2, clipValue: 0.05 }),
  'clip-norm': () => new Sgd({ learningRate: 0.2, momentum: 0.5, clipNorm: 0.1 }),
  'one-cycle': () => new Sgd({ learningRate: oneCycle({ max: 0.5, steps: STEPS + 1 }) }),
  cosine: () => new Sgd({ learningRate: cosine({ initial: 0.3, final: 0.01, steps: STEPS }) }),
};
const losses: readonly [string, Loss, string][] = [
  ['softmaxCrossEntropy', softmaxCrossEntropy(), 'labels'],
  ['softmaxCrossEntropy smoothed', softmaxCrossEntropy({ labelSmoothing: 0.2 }), 'labels'],
  ['softmaxCrossEntropy of probabilities', softmaxCrossEntropy(), 'probabilities'],
  ['binaryCrossEntropy', binaryCrossEntropy(), 'probabilities'],
  ['meanSquaredError', meanSquaredError(), 'values'],
  ['meanAbsoluteError', meanAbsoluteError(), 'values'],
  ['huber', huber({ delta: 0.7 }), 'values'],
];

/** Passes over the rows in their order; returns the loss of each step. */
function train(network: Network, data: Dataset, optimizer: Optimizer): number[] {
  return Array.from({ length: STEPS }, (_, step) => {
    const begin = (step * BATCH) % data.length;
    return network.trainBatch(data.slice(begin, begin + BATCH), undefined, optimizer).loss;
  });
}

onBackends('training as PyTorch trains', (backend) => {
  const small = () =>
    new Network({ input: [5], layers: [dense(7), tanh(), dense(3)], loss: softmaxCrossEntropy(), seed: 1, backend });

  it.each(Object.entries(optimizers))('%s: the same losses and weights', async (name, make) => {
    const network = small();
    await network.loadTorchState(join(fixtures, 'training.safetensors'));
    const data = read('training.data.safetensors');
    const set = new Dataset({ features: floats(data, 'x'), shape: [5], labels: labels(data), classes: 3 });
    expectNear(train(network, set, make()), floats(data, name), 1e-5);
    const after = small();
    await after.loadTorchState(join(fixtures, `training.${name}.safetensors`));
    for (const { name, value } of network.parameters) expectNear(value, after.parameter(name).value, 1e-5);
  });

  it.each<[string, () => Optimizer]>([
    ['convolution', () => new Sgd({ learningRate: 0.05, momentum: 0.9 })],
    [
      'muon-convolution',
      () =>
        new Muon({
          learningRate: 0.02,
          momentum: 0.9,
          nesterov: false,
          adamW: { learningRate: 0.003, beta2: 0.999, epsilon: 0.01, weightDecay: 0.01 },
        }),
    ],
  ])(
    '%s, pooling and batch norm: the same losses, weights and means; variances but for the bias',
    async (name, make) => {
      const layers = [
        conv2d(3, { padding: 1 }),
        batchNorm(),
        relu(),
        maxPool2d(2),
        flatten(),
        dense(6),
        batchNorm(),
        sigmoid(),
        dense(3),
      ];
      const create = () => new Network({ input: [4, 6, 2], layers, loss: softmaxCrossEntropy(), seed: 1, backend });
      const [network, after] = [create(), create()];
      await network.loadTorchState(join(fixtures, `${name}.safetensors`));
      await after.loadTorchState(join(fixtures, `${name}.after.safetensors`));
      const data = read(`${name}.data.safetensors`);
      const features = channelsLast(floats(data, 'x'), network.input);
      const set = new Dataset({ features, shape: network.input, labels: labels(data), classes: 3 });
      expectNear(train(network, set, make()), floats(data, 'losses'), 1e-5);
      for (const { name, value } of network.parameters) expectNear(value, after.parameter(name).value, 1e-5);
      // PyTorch's running variance is that of n − 1; the share of the start value, 1, is the same in both.
      const start = 0.9 ** STEPS;
      for (const { name, value } of network.state) {
        const expected = after.state.find((state) => state.name === name)?.value as Float32Array;
        const n = name.startsWith('1.') ? BATCH * 4 * 6 : BATCH;
        const unbiased = (v: number) => start + ((v - start) * n) / (n - 1);
        expectNear(name.endsWith('Variance') ? value.map(unbiased) : value, expected, 1e-5);
      }
    },
  );

  it.each(losses)('%s: the same value and gradient', (name, loss, kind) => {
    const data = read('losses.safetensors');
    const network = new Network({ input: [4], layers: [identity()], loss, seed: 1, backend });
    const targets = kind === 'labels' ? labels(data) : floats(data, kind);
    const result = network.gradients(floats(data, 'x'), targets);
    expectNear([result.loss], floats(data, `${name}: value`), 1e-6);
    expectNear(result.inputGradient, floats(data, `${name}: gradient`), 1e-6);
    expect(result.inputGradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
  });
});
