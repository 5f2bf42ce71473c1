/** Single layers against golden values: dense, ReLU, batch norm, dropout, softmax with cross-entropy. */
import { expect, it } from 'vitest';
import { batchNorm, dropout, halfSquaredError, Network } from '../../lib/index.js';
import { codeOf } from '../../lib/kernels/codes.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';
import { stateOf } from './models.js';

const zeros = (length: number) => new Float32Array(length);
const ones = (length: number) => new Float32Array(length).fill(1);

function denseLayer({ kernels }: KernelBackend): void {
  const golden = new Golden('003_linear');
  const z = zeros(12);
  const [x, w, b] = ['x', 'W', 'b'].map((name) => golden.floats(`inputs.${name}`));
  kernels.denseForward(z, x, w, b, 4, 3, 3, 0, 0, 0);
  golden.near('z', z);

  const [xb, wb, dz] = ['xb', 'Wb', 'dz'].map((name) => golden.floats(`inputs.${name}`));
  const [dx, dw, db] = [zeros(20), zeros(15), zeros(3)];
  kernels.denseBackwardInput(dx, dz, wb, 4, 5, 3, 0);
  kernels.denseBackwardWeight(dw, xb, dz, 4, 5, 3, 0);
  kernels.denseBackwardBias(db, dz, 4, 3);
  golden.near('dx', dx);
  golden.near('dW', dw);
  golden.near('db', db);
  golden.complete();
}

function relu({ kernels }: KernelBackend): void {
  const golden = new Golden('003_relu');
  const y = zeros(5);
  kernels.relu(y, golden.floats('inputs.z'), 5);
  golden.near('y', y);
  const [y2, dz] = [zeros(4), zeros(4)];
  kernels.relu(y2, golden.floats('inputs.z2'), 4);
  kernels.reluBackward(dz, golden.floats('inputs.dA'), y2, 4);
  golden.near('dz', dz);
  golden.complete();
}

interface NormSizes {
  rows: number;
  features: number;
  epsilon: number;
}

/** Forward and backward pass of the batch-norm kernels, from running statistics of 0 and 1. */
function normPasses({ kernels }: KernelBackend, golden: Golden, x: Float32Array, dyPath: string, sizes: NormSizes) {
  const { rows, features, epsilon } = sizes;
  const [gamma, beta, dy] = ['gamma', 'beta', dyPath].map((name) => golden.floats(`inputs.${name}`));
  const forward = (gamma: Float32Array, beta: Float32Array) => {
    const vector = () => zeros(features);
    const [mean, variance, inverseStd, shift, runningMean, runningVariance] = Array.from({ length: 6 }, vector);
    const [means, rests, squares, y] = [vector(), vector(), vector(), zeros(x.length)];
    kernels.batchNormParts(means, rests, squares, x, rows, 1, features, 1);
    const outputs = [mean, variance, inverseStd, shift, runningMean, runningVariance] as const;
    // With momentum 0 the running statistics become the batch's.
    kernels.batchNormStatistics(...outputs, means, rests, squares, gamma, beta, rows, 1, features, 1, epsilon, 0);
    kernels.batchNormInference(y, x, gamma, shift, mean, variance, rows, features, epsilon);
    return { y, mean, inverseStd, runningMean, runningVariance };
  };
  const { y, mean, inverseStd, runningMean, runningVariance } = forward(gamma, beta);
  const [dx, dgamma, dbeta] = [zeros(x.length), zeros(features), zeros(features)];
  kernels.batchNormBackwardParts(dgamma, dbeta, dy, x, mean, inverseStd, rows, 1, features, 1);
  kernels.batchNormBackwardInput(dx, dy, x, mean, inverseStd, gamma, dgamma, dbeta, rows, features, 1);
  const { y: xhat } = forward(ones(features), zeros(features));
  return { out: y, mean: runningMean, var: runningVariance, dx, dgamma, dbeta, xhat };
}

function normKernels(
  backend: KernelBackend,
  name: '003_batchnorm' | '003_batchnorm_generic',
  rows: number,
  features: number,
): void {
  const golden = new Golden(name);
  const epsilon = golden.number('hyperparameters.epsilon');
  const results = normPasses(backend, golden, golden.floats('inputs.x'), 'dA', { rows, features, epsilon });
  for (const [path, values] of Object.entries(results)) golden.near(path, values);
  golden.complete();
}

/**
 * Two training batches, then inference on the first; running variance from 1, and from 0 where a user asks for that.
 */
function normRunning(backend: KernelBackend): void {
  const golden = new Golden('001_batchnorm');
  const epsilon = golden.number('hyperparameters.epsilon');
  const momentum = golden.number('hyperparameters.momentum');
  const [first, second] = [golden.floats('inputs.x.0'), golden.floats('inputs.x.1')];
  const starts = { variance_from_1: {}, variance_from_0_as_written: { initialVariance: 0 } };
  for (const [group, start] of Object.entries(starts)) {
    const network = new Network({
      input: [4],
      layers: [batchNorm({ name: 'norm', epsilon, momentum, ...start })],
      loss: halfSquaredError(),
      backend: backend.name,
    });
    network.parameter('norm.gamma').value.set(golden.floats('inputs.gamma'));
    network.parameter('norm.beta').value.set(golden.floats('inputs.beta'));
    network.forward(first, { training: true });
    golden.near('out', network.forward(second, { training: true }));
    golden.near(`${group}.running_mean`, stateOf(network, 'norm.runningMean'));
    golden.near(`${group}.running_var`, stateOf(network, 'norm.runningVariance'));
    golden.near(`${group}.inference`, network.forward(first));
  }
  const { dgamma, dbeta, dx } = normPasses(backend, golden, second, 'dy', { rows: 6, features: 4, epsilon });
  golden.near('dgamma', dgamma);
  golden.near('dbeta', dbeta);
  golden.near('dx', dx);
  golden.complete();
}

/** Draws masks until each element has once been kept or dropped as `keep` says, and puts those elements together. */
function compose(keep: readonly number[], draw: (step: number) => Float32Array): Float32Array {
  const result = new Float32Array(keep.length).fill(Number.NaN);
  for (let step = 0; step < 200 && result.some(Number.isNaN); step++) {
    const drawn = draw(step);
    keep.forEach((kept, i) => {
      if ((drawn[i] !== 0) === (kept === 1)) result[i] = drawn[i];
    });
  }
  return result;
}

function dropoutLayer(backend: KernelBackend): void {
  const golden = new Golden('003_dropout');
  const p = golden.number('hyperparameters.drop_probability');
  const x = golden.floats('inputs.x');
  const network = (rate: number) =>
    new Network({ input: [3], layers: [dropout(rate)], loss: halfSquaredError(), seed: 1, backend: backend.name });
  const layer = network(p);
  golden.near(
    'train',
    compose(golden.numbers('inputs.keep_mask'), () => layer.forward(x, { training: true })),
  );
  golden.near('test', layer.forward(x));
  golden.near('p0', network(0).forward(x, { training: true }));

  const draw = (n: number) => (step: number) => {
    const [y, mask] = [zeros(n), zeros(n)];
    backend.kernels.dropoutForward(y, mask, ones(n), n, Math.floor(p * 2 ** 32), 1 / (1 - p), 1, 2, step);
    expect(mask).toEqual(y);
    return mask;
  };
  golden.near('scaled_mask', compose(golden.numbers('inputs.keep_mask'), draw(12)));
  const dy = golden.floats('inputs.dA');
  const dx = zeros(8);
  const mask = compose(golden.numbers('inputs.back_keep_mask'), draw(8));
  backend.kernels.binary(dx, dy, mask, 8, codeOf('binary', 'multiply'));
  golden.near('back_train', dx);
  const identity = new Network({ input: [4], layers: [dropout(p)], loss: halfSquaredError(), backend: backend.name });
  golden.near('back_test', identity.forward(dy));
  golden.complete();
}

function softmaxCrossEntropy({ kernels }: KernelBackend): void {
  const golden = new Golden('003_softmax_ce');
  const z = golden.floats('inputs.z');
  const labels = golden.integers('inputs.labels');
  const probabilities = zeros(12);
  kernels.softmax(probabilities, z, 4, 3);
  golden.near('probabilities', probabilities);
  const lossOf = (logits: Float32Array) => {
    const [loss, dz] = [zeros(4), zeros(12)];
    kernels.softmaxCrossEntropy(loss, dz, logits, labels, 4, 3, 0);
    return { loss: loss.reduce((sum, value) => sum + value, 0) / 4, dz };
  };
  const plain = lossOf(z);
  golden.near('loss', plain.loss);
  golden.near('dz', plain.dz);
  golden.near('dz_from_rounded_probabilities', plain.dz);
  const large = lossOf(Float32Array.from(golden.numbers('inputs.z'), (value) => 500 * value));
  golden.near('loss_of_500z', large.loss);
  golden.near('dz_of_500z', large.dz);
  golden.complete();
}

eachBackend((backend) => {
  it('dense: forward pass and gradients', () => denseLayer(backend));
  it('ReLU: forward pass, and gradient 0 at 0', () => relu(backend));
  it('batch norm: two samples', () => normKernels(backend, '003_batchnorm', 2, 3));
  it('batch norm: eight samples', () => normKernels(backend, '003_batchnorm_generic', 8, 5));
  it('batch norm: running statistics, inference and gradients', () => normRunning(backend));
  it('dropout: training, inference, rate 0 and gradient', () => dropoutLayer(backend));
  it('softmax and cross-entropy, of small logits and large', () => softmaxCrossEntropy(backend));
});
