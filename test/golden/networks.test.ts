/** Whole networks on one batch, or a few, against golden values. */
import { expect, it } from 'vitest';
import {
  Adam,
  batchNorm,
  binaryCrossEntropy,
  dense,
  dropout,
  inverseTime,
  l1,
  l2,
  Network,
  type Regularizer,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';
import { checkParameters, givenMask, parameter, setMask, setParameters } from './models.js';

/** Loss and gradients under each regulariser; a weight that is exactly 0 pins the sign of 0. */
function regularizers(backend: KernelBackend): void {
  const golden = new Golden('001_regularisers');
  const [x, labels] = [golden.floats('inputs.x'), golden.integers('inputs.labels')];
  const rows = labels.length;
  const variants: Record<string, { regularizer?: Regularizer; masked?: boolean }> = {
    none: {},
    l2: { regularizer: l2(0.1) },
    l1: { regularizer: l1(0.005) },
    dropout: { masked: true },
    dropout_l2: { masked: true, regularizer: l2(0.01) },
    dropout_l1: { masked: true, regularizer: l1(0.005) },
  };
  for (const [group, { masked = false, ...options }] of Object.entries(variants)) {
    const network = new Network({
      input: [6],
      layers: [
        dense(5, { name: 'dense1' }),
        relu(),
        givenMask('mask1', rows),
        dense(4, { name: 'dense2' }),
        relu(),
        givenMask('mask2', rows),
        dense(3, { name: 'dense3' }),
      ],
      loss: softmaxCrossEntropy(),
      backend: backend.name,
      ...options,
    });
    setParameters(network, golden);
    if (masked) for (const i of [1, 2]) setMask(network, `mask${i}`, golden.numbers(`inputs.keep_mask${i}`), 0.15);
    golden.near(`${group}.loss`, network.gradients(x, labels).loss);
    checkParameters(golden, `${group}.grads`, network, 'gradient');
    golden.near('inference_logits', network.forward(x));
  }
  golden.complete();
}

/** A classifier of points with one logit; its first layers alone give the activations. */
function twoClasses(backend: KernelBackend): void {
  const golden = new Golden('002_forward_backward');
  const [x, y] = [golden.floats('inputs.x'), golden.integers('inputs.y')];
  const hidden = (i: number, units: number) => [dense(units, { name: `dense${i}` }), relu({ name: `relu${i}` })];
  const layers = [...hidden(1, 5), ...hidden(2, 2), dense(1, { name: 'dense3' })];
  const create = (depth: number) => {
    const network = new Network({
      input: [2],
      layers: layers.slice(0, depth),
      loss: binaryCrossEntropy(),
      backend: backend.name,
    });
    for (const { name, value } of network.parameters) value.set(whole.parameter(name).value);
    return network;
  };
  const whole = new Network({ input: [2], layers, loss: binaryCrossEntropy(), backend: backend.name });
  setParameters(whole, golden);
  golden.near('a1', create(2).forward(x));
  golden.near('a2', create(4).forward(x));
  golden.near('z3', whole.forward(x));
  golden.near('a3', whole.predict(x));
  const { loss } = whole.gradients(x, y);
  golden.near('loss_mean', loss);
  golden.near('loss_sum', loss * y.length);
  checkParameters(golden, 'grads', whole, 'gradient');
  golden.complete();
}

/** Batch norm after ReLU, and on the logits too; gamma and beta each follow their own gradient. */
function batchNormDescent(backend: KernelBackend): void {
  const golden = new Golden('003_bn_plain_descent');
  const [x, labels] = [golden.floats('inputs.x'), golden.integers('inputs.labels')];
  const epsilon = golden.number('hyperparameters.epsilon');
  const norm = (i: number) => batchNorm({ name: `norm${i}`, epsilon });
  const network = new Network({
    input: [4],
    layers: [
      ...[dense(6, { name: 'dense1' }), relu(), norm(1)],
      ...[dense(5, { name: 'dense2' }), relu(), norm(2)],
      ...[dense(3, { name: 'dense3', bias: false }), norm(3)],
    ],
    loss: softmaxCrossEntropy(),
    backend: backend.name,
  });
  setParameters(network, golden);
  network.gradients(x, labels);
  golden.near('right.first_gamma1_grad', parameter(network, 'gamma1').gradient);
  golden.near('right.first_beta1_grad', parameter(network, 'beta1').gradient);
  const optimizer = new Sgd({ learningRate: golden.number('hyperparameters.learning_rate') });
  const steps = Array.from({ length: golden.number('hyperparameters.steps') }, () =>
    network.trainBatch(x, labels, optimizer),
  );
  golden.near(
    'right.losses',
    steps.map((step) => step.loss),
  );
  for (const name of ['gamma1', 'gamma2', 'gamma3', 'beta1', 'beta3', 'W1', 'W3', 'b1']) {
    golden.near(`right.${name}`, parameter(network, name).value);
  }
  golden.complete({ seed_without_momentum: 'gamma moved by the gradient of beta: a defect' });
}

/** Evaluation leaves dropout out. */
function classify(backend: KernelBackend): void {
  const golden = new Golden('003_classify');
  const rate = golden.number('hyperparameters.drop_probability');
  const layers = [dense(4, { name: 'dense1' }), relu(), dropout(rate), dense(2, { name: 'dense2' })];
  const network = new Network({ input: [3], layers, loss: softmaxCrossEntropy(), backend: backend.name });
  setParameters(network, golden);
  const logits = network.forward(golden.floats('inputs.x'));
  golden.near('logits', logits);
  const classes = new Int32Array(4);
  backend.kernels.argmax(classes, logits, 4, 2);
  golden.exact('predictions', classes);
  golden.complete();
}

function oneEpoch(backend: KernelBackend): void {
  const golden = new Golden('003_costs_one_epoch');
  const setting = (name: string) => golden.number(`hyperparameters.${name}`);
  const [x, labels] = [golden.floats('inputs.x'), golden.integers('inputs.labels')];
  const batch = setting('batch_size');
  const layers = [dense(6, { name: 'dense1' }), relu(), givenMask('mask', batch), dense(3, { name: 'dense2' })];
  const network = new Network({ input: [3], layers, loss: softmaxCrossEntropy(), backend: backend.name });
  setParameters(network, golden);
  const optimizer = new Adam({
    learningRate: inverseTime({ initial: setting('learning_rate'), rate: setting('decay_rate') }),
    beta1: setting('beta1'),
    beta2: setting('beta2'),
    epsilon: setting('epsilon'),
    biasCorrection: false,
    epsilonPlacement: 'inside',
  });
  const costs = golden.keys('inputs.keep_masks').map((step) => {
    setMask(network, 'mask', golden.numbers(`inputs.keep_masks.${step}`), setting('drop_probability'));
    const begin = Number(step) * batch;
    const rows = labels.subarray(begin, begin + batch);
    return network.trainBatch(x.subarray(begin * 3, (begin + batch) * 3), rows, optimizer).loss;
  });
  golden.near('costs', costs);
  checkParameters(golden, 'params', network);
  expect(optimizer.steps).toBe(costs.length);
  golden.complete();
}

eachBackend((backend) => {
  it('L1, L2 and dropout: losses and gradients', () => regularizers(backend));
  it('two classes with one logit: activations, cost and gradients', () => twoClasses(backend));
  it('batch norm after ReLU: three steps of gradient descent', () => batchNormDescent(backend));
  it('classes in evaluation', () => classify(backend));
  it('the costs of one epoch with dropout', () => oneEpoch(backend));
});
