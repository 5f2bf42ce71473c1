// Run by the tests of the prebuilt binaries, with the binary in BLASNET_BINARY: computes products and trains a small
// network, compares with float64 and with the TypeScript backend, and prints the environment used. Fails at the first
// difference.
//   node check.mjs                     prints the TypeScript backend's losses, as JSON
//   node check.mjs <losses> [small]    with the expected losses; small products if the processor is emulated
import assert from 'node:assert/strict';
import {
  backendInfo,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  maxPool2d,
  Network,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import { native } from 'blasnet/kernels';

let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
};
const vector = (length, make = random) => Float32Array.from({ length }, make);

// Small integers, so that every sum is exact in float32, in any order.
const integer = () => Math.round(4 * random());

function product(m, n, k, transA, transB) {
  const [a, b] = [vector(m * k, integer), vector(k * n, integer)];
  const c = vector(m * n, () => Number.NaN);
  native.kernels.gemm(c, a, b, m, n, k, transA, transB, 1, 0);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a[transA ? l * m + i : i * k + l] * b[transB ? j * k + l : l * n + j];
      assert.equal(
        c[i * n + j],
        sum,
        `gemm ${m} × ${n} × ${k}, transA ${transA}, transB ${transB}: element ${i}, ${j}`,
      );
    }
  }
}

function train(backend) {
  const network = new Network({
    input: [8, 8, 1],
    layers: [conv2d(4), relu(), maxPool2d(2), flatten(), dense(33), batchNorm(), relu(), dropout(0.2), dense(5)],
    loss: softmaxCrossEntropy(),
    seed: 7,
    backend,
  });
  state = 1;
  const features = vector(150 * 64);
  const labels = Int32Array.from({ length: 150 }, (_, i) => i % 5);
  return network.fit(
    { length: 150, shape: [8, 8, 1], features, labels, scale: 1, offset: 0 },
    { epochs: 3, batchSize: 32, optimizer: new Sgd({ learningRate: 0.05, momentum: 0.9 }) },
  );
}

const lossesOf = async (backend) => (await train(backend)).epochs.map(({ loss }) => loss);

async function check(expected, small) {
  const tiny = Number.MIN_VALUE * process.argv.length;
  const large = small
    ? [[70, 35, 40]]
    : [
        [1, 10, 784],
        [784, 10, 1],
        [33, 17, 2049],
        [64, 100, 128],
        [300, 300, 300],
      ];
  for (const [m, n, k] of [[1, 1, 1], [7, 100, 3], [33, 17, 65], ...large]) {
    for (const transA of [false, true]) for (const transB of [false, true]) product(m, n, k, transA, transB);
  }
  const losses = await lossesOf('native');
  for (const [epoch, loss] of losses.entries()) {
    const text = `epoch ${epoch}: native ${loss}, TypeScript ${expected[epoch]}`;
    assert.ok(Math.abs(loss - expected[epoch]) < 1e-3 * expected[epoch], text);
  }
  assert.ok(losses.at(-1) < losses[0], 'the loss falls');
  assert.ok(tiny / 3 > 0 && tiny + tiny > tiny, 'denormal numbers survive');
  const { simd, blas, addon } = backendInfo('native');
  return { set: simd.set, core: blas.core, threads: blas.threads, addon };
}

const [losses, size] = process.argv.slice(2);
console.log(JSON.stringify(losses ? await check(JSON.parse(losses), size === 'small') : await lossesOf('typescript')));
