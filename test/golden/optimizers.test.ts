/** Optimizer steps on given gradients against golden values. */
import { expect, it } from 'vitest';
import {
  AdaGrad,
  Adam,
  dense,
  meanSquaredError,
  Network,
  type Optimizer,
  RmsProp,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';
import { checkParameters, givenMask, parameter, setMask, setParameters } from './models.js';

/** A network whose only parameter is a vector. */
function vectorNetwork(backend: KernelBackend, start: Float32Array): Network {
  const layers = [dense(1, { name: 'vector', bias: false })];
  const network = new Network({ input: [start.length], layers, loss: meanSquaredError(), backend: backend.name });
  network.parameter('vector.weight').value.set(start);
  return network;
}

/** Applies one gradient; returns the vector after it. */
function applyTo(network: Network, gradient: Float32Array, optimizer: Optimizer): Float32Array {
  const vector = network.parameter('vector.weight');
  vector.gradient.set(gradient);
  network.applyGradients(optimizer);
  return vector.value.slice();
}

function fiveSteps(backend: KernelBackend): void {
  const golden = new Golden('001_optimizers');
  const setting = (path: string) => golden.number(`hyperparameters.${path}`);
  const adam = {
    learningRate: setting('adam.learning_rate'),
    beta1: setting('adam.beta1'),
    beta2: setting('adam.beta2'),
    epsilon: setting('adam.eps'),
  };
  const optimizers = {
    sgd: new Sgd({ learningRate: setting('sgd.learning_rate') }),
    momentum: new Sgd({ learningRate: setting('momentum.learning_rate'), momentum: setting('momentum.momentum') }),
    adagrad: new AdaGrad({
      learningRate: setting('adagrad.learning_rate'),
      initialAccumulator: setting('adagrad.initial_accumulator'),
      epsilon: 0,
    }),
    rmsprop: new RmsProp({
      learningRate: setting('rmsprop.learning_rate'),
      decay: setting('rmsprop.decay'),
      epsilon: setting('rmsprop.eps'),
    }),
    adam: new Adam({ ...adam, epsilonPlacement: 'rawRoot' }),
  };
  for (const [rule, optimizer] of Object.entries(optimizers)) {
    const network = vectorNetwork(backend, golden.floats('inputs.w'));
    const steps = golden
      .keys('inputs.grads')
      .map((step) => applyTo(network, golden.floats(`inputs.grads.${step}`), optimizer));
    golden.near(
      rule,
      steps.flatMap((vector) => [...vector]),
    );
    expect(optimizer.steps).toBe(steps.length);
  }
  golden.complete({ adagrad_as_written: 'leaves the first gradient out of the accumulator: a defect' });
}

/** One step on each of four tensors, elementwise, so that their shapes play no part. */
function oneStep(
  backend: KernelBackend,
  golden: Golden,
  create: () => Optimizer,
  moments: Readonly<Record<string, string>>,
): void {
  for (const name of golden.keys('inputs.params')) {
    const network = vectorNetwork(backend, golden.floats(`inputs.params.${name}`));
    const optimizer = create();
    const gradient = golden.floats(`inputs.grads.${name}`);
    golden.near(`params.${name}`, applyTo(network, gradient, optimizer));
    for (const [group, moment] of Object.entries(moments)) {
      golden.near(`${group}.${name}`, optimizer.moments.get(moment)?.subarray(0, gradient.length) ?? []);
    }
  }
  golden.complete();
}

function sgdStep(backend: KernelBackend): void {
  const golden = new Golden('002_gd_step');
  oneStep(backend, golden, () => new Sgd({ learningRate: golden.number('hyperparameters.learning_rate') }), {});
}

function averagingMomentumStep(backend: KernelBackend): void {
  const golden = new Golden('002_momentum_step');
  const [learningRate, momentum] = ['learning_rate', 'beta'].map((name) => golden.number(`hyperparameters.${name}`));
  oneStep(backend, golden, () => new Sgd({ learningRate, momentum, dampening: momentum }), { velocity: 'velocity' });
}

function adamStep(backend: KernelBackend): void {
  const golden = new Golden('002_adam_step');
  const settings = ['learning_rate', 'beta1', 'beta2', 'epsilon', 't'].map((name) =>
    golden.number(`hyperparameters.${name}`),
  );
  const [learningRate, beta1, beta2, epsilon, t] = settings;
  const create = () => {
    const optimizer = new Adam({ learningRate, beta1, beta2, epsilon });
    optimizer.steps = t - 1;
    return optimizer;
  };
  oneStep(backend, golden, create, { m: 'm', v: 'v' });
}

/** Gradients of a network with one hidden layer and dropout, which are then applied twice. */
function twoUpdates(backend: KernelBackend, golden: Golden, hidden: number, optimizer: Optimizer): Network {
  const labels = golden.integers('inputs.labels');
  const x = golden.floats('inputs.x');
  const network = new Network({
    input: [x.length / labels.length],
    layers: [dense(hidden, { name: 'dense1' }), relu(), givenMask('mask', labels.length), dense(2, { name: 'dense2' })],
    loss: softmaxCrossEntropy(),
    backend: backend.name,
  });
  setParameters(network, golden);
  setMask(network, 'mask', golden.numbers('inputs.keep_mask'), golden.number('hyperparameters.drop_probability'));
  golden.near('loss', network.gradients(x, labels).loss);
  checkParameters(golden, 'grads', network, 'gradient');
  for (let i = 0; i < golden.number('hyperparameters.updates'); i++) network.applyGradients(optimizer);
  checkParameters(golden, 'params', network);
  return network;
}

function sgdTwoUpdates(backend: KernelBackend): void {
  const golden = new Golden('003_sgd_two_updates');
  twoUpdates(backend, golden, 3, new Sgd({ learningRate: golden.number('hyperparameters.learning_rate') }));
  golden.complete();
}

function adamTwoUpdates(backend: KernelBackend): void {
  const golden = new Golden('003_adam_two_updates');
  const settings = ['learning_rate', 'beta1', 'beta2', 'epsilon'].map((name) =>
    golden.number(`hyperparameters.${name}`),
  );
  const [learningRate, beta1, beta2, epsilon] = settings;
  const optimizer = new Adam({
    learningRate,
    beta1,
    beta2,
    epsilon,
    biasCorrection: false,
    epsilonPlacement: 'inside',
  });
  const network = twoUpdates(backend, golden, 4, optimizer);
  // Moments lie in the layout of the parameters.
  const start = network.parameters[0].value.byteOffset;
  for (const moment of ['m', 'v']) {
    for (const name of golden.keys(`expected.${moment}`)) {
      const { value } = parameter(network, name);
      const offset = (value.byteOffset - start) / value.BYTES_PER_ELEMENT;
      golden.near(`${moment}.${name}`, optimizer.moments.get(moment)?.subarray(offset, offset + value.length) ?? []);
    }
  }
  golden.complete();
}

eachBackend((backend) => {
  it('five steps of five rules', () => fiveSteps(backend));
  it('a step of gradient descent', () => sgdStep(backend));
  it('a step of momentum in its averaging form', () => averagingMomentumStep(backend));
  it('the second step of Adam', () => adamStep(backend));
  it('gradients through dropout, applied twice by gradient descent', () => sgdTwoUpdates(backend));
  it('gradients through dropout, applied twice by Adam without correction', () => adamTwoUpdates(backend));
});
