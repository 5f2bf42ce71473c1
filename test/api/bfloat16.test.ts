import { describe, expect, it } from 'vitest';
import { Dataset, mnist } from '../../lib/data/index.js';
import {
  Adam,
  type BackendName,
  backendInfo,
  conv2d,
  dense,
  flatten,
  globalAvgPool2d,
  input,
  type LayerSpec,
  matmul,
  maxPool2d,
  Network,
  type Optimizer,
  relu,
  reshape,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { describeNative, expectError, nativeMissing, onBackends } from './support.js';

const random = (n: number, seed = 1) => {
  const stream = new RandomStream(seed, 0);
  return Float32Array.from({ length: n }, () => stream.normal());
};

const precision = 'bfloat16';

/** Every product: dense layers, convolutions with and without a fast path, and matmul. */
function mixed(backend?: BackendName, options: { precision?: 'float32' | 'bfloat16' } = { precision }) {
  const image = input([9, 9, 3]);
  const features = image.pipe(conv2d(20, { padding: 'same' }), relu(), conv2d(33, { stride: 2 }), relu());
  const table = features.pipe(reshape([16, 33]));
  const products = matmul(table, table, { transposeA: true }).pipe(reshape([33, 33, 1]), conv2d(4, { window: 1 }));
  const output = products.pipe(globalAvgPool2d(), dense(19), relu(), dense(5));
  return new Network({ output, loss: softmaxCrossEntropy(), seed: 3, ...(backend && { backend }), ...options });
}

function trained(network: Network) {
  const [rows, size] = [70, 9 * 9 * 3];
  const labels = Int32Array.from({ length: rows }, (_, i) => (i * 7) % 5);
  const data = new Dataset({ features: random(rows * size), shape: [9, 9, 3], labels, classes: 5 });
  return network.fit(data, { optimizer: new Adam(), epochs: 2, batchSize: 32 });
}

const values = (network: Network) => network.parameters.map(({ value }) => Float32Array.from(value));

/** A way to train a network on MNIST. */
interface Task {
  readonly input: readonly number[];
  readonly layers: () => LayerSpec[];
  readonly optimizer: () => Optimizer;
  readonly batchSize: number;
}

const perceptron = (width: number): Task => ({
  input: [784],
  layers: () => [dense(width), relu(), dense(width), relu(), dense(10)],
  optimizer: () => new Adam(),
  batchSize: width > 100 ? 128 : 64,
});

const lenet: Task = {
  input: [28, 28, 1],
  layers: () => [
    ...[conv2d(6, { window: 5, padding: 2 }), relu(), maxPool2d(), conv2d(16, { window: 5 }), relu(), maxPool2d()],
    ...[flatten(), dense(120), relu(), dense(84), relu(), dense(10)],
  ],
  optimizer: () => new Sgd({ learningRate: 0.01, momentum: 0.9 }),
  batchSize: 64,
};

/** The mean test accuracy after three epochs, over seeds from 1, in each precision. */
async function accuraciesOf({ input, layers, optimizer, batchSize }: Task, seeds: number) {
  const { train, test } = await mnist();
  const accuracies = { float32: 0, bfloat16: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    for (const precision of ['float32', 'bfloat16'] as const) {
      const network = new Network({ input, layers: layers(), loss: softmaxCrossEntropy(), seed, precision });
      await network.fit(train, { optimizer: optimizer(), epochs: 3, batchSize });
      accuracies[precision] += ((await network.evaluate(test)).accuracy ?? 0) / seeds;
    }
  }
  return accuracies;
}

describe('precision', () => {
  it('is float32 unless told, and shown by the network', () => {
    expect(mixed(undefined, {}).precision).toBe('float32');
    expect(mixed().precision).toBe('bfloat16');
    expect(mixed().clone().precision).toBe('bfloat16');
    expect(String(mixed().program)).toMatch(/denseForward in bfloat16/);
    expect(String(mixed(undefined, {}).program)).not.toMatch(/bfloat16/);
  });

  it('refuses any other', () => {
    const layers = [dense(2)];
    for (const wrong of ['float16', 'toString', 1, null]) {
      const options = { input: [2], layers, loss: softmaxCrossEntropy(), precision: wrong as 'float32' };
      expectError(() => new Network(options), 'INVALID_ARGUMENT', /precision: expected one of 'float32', 'bfloat16'/);
    }
  });

  it('is kept in files; files without it are float32', () => {
    const network = mixed();
    const bytes = network.toBytes();
    expect(Network.fromBytes(bytes).precision).toBe('bfloat16');
    expect(new TextDecoder().decode(mixed(undefined, {}).toBytes())).not.toContain('precision');
    expect(Network.fromBytes(mixed(undefined, {}).toBytes()).precision).toBe('float32');
    const at = new TextDecoder('latin1').decode(bytes).indexOf('bfloat16');
    bytes[at] = 'x'.charCodeAt(0);
    expectError(() => Network.fromBytes(bytes), 'FILE_CORRUPT', /precision: expected one of/);
  });
});

onBackends('bfloat16', (backend) => {
  it('rounds the operands of products, and nothing else', () => {
    // 1 + 2^-9 rounds to 1; the bias and the sum keep it.
    const network = new Network({ input: [2], layers: [dense(1)], loss: softmaxCrossEntropy(), precision, backend });
    network.parameters[0].value.set([1 + 2 ** -9, 1]);
    network.parameters[1].value.set([2 ** -9]);
    expect([...network.forward(new Float32Array([1 + 2 ** -9, 2]))]).toEqual([3 + 2 ** -9]);
    network.parameters[1].value.set([0]);
    // Halfway: to the neighbour with an even last bit.
    for (const [value, rounded] of [
      [1 + 2 ** -8, 1],
      [1 + 3 * 2 ** -8, 1 + 2 ** -6],
      [1 + 2 ** -8 - 2 ** -23, 1],
      [-1 - 2 ** -8 - 2 ** -23, -1 - 2 ** -7],
      [(2 - 2 ** -8) * 2 ** 127, Number.POSITIVE_INFINITY],
    ]) {
      network.parameters[0].value.set([value, 0]);
      expect([...network.forward(new Float32Array([1, 1]))]).toEqual([rounded]);
    }
  });

  it('gives the gradients of the rounded network', () => {
    const network = new Network({
      input: [6, 6, 2],
      layers: [conv2d(5), relu(), flatten(), dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 5,
      precision,
      backend,
    });
    const reference = new Network({
      input: [6, 6, 2],
      layers: [conv2d(5), relu(), flatten(), dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 5,
      backend,
    });
    const [x, y] = [random(8 * 72), Int32Array.from([0, 1, 2, 0, 1, 2, 0, 1])];
    network.gradients(x, y);
    reference.gradients(x, y);
    for (const [i, { gradient, name }] of network.parameters.entries()) {
      const wanted = reference.parameters[i].gradient;
      const size = Math.hypot(...wanted);
      const error = Math.hypot(...gradient.map((value, j) => value - wanted[j]));
      // Eight bits in each of four products: near the float32 gradient, but not it.
      expect(error / size, name).toBeLessThan(0.05);
      expect(error / size, name).toBeGreaterThan(1e-6);
    }
  });

  it('trains, with the same bits each time', async () => {
    const [a, b] = [mixed(backend), mixed(backend)];
    const history = await trained(a);
    await trained(b);
    expect(history.epochs[1].loss).toBeLessThan(history.epochs[0].loss);
    expect(values(a)).toEqual(values(b));
  });
});

describeNative('bfloat16: backends', () => {
  it('agree within the order of sums', () => {
    const x = random(5 * 243, 9);
    const [native, typescript] = (['native', 'typescript'] as const).map((backend) => {
      const network = mixed(backend);
      network.gradients(x, Int32Array.from([0, 1, 2, 3, 4]));
      return network;
    });
    for (const [i, { gradient, name }] of native.parameters.entries()) {
      const wanted = typescript.parameters[i].gradient;
      const size = Math.max(...wanted.map(Math.abs));
      // A sum that differs in its last bit may round to a neighbour in the next product.
      for (let j = 0; j < gradient.length; j++)
        expect(Math.abs(gradient[j] - wanted[j]), name).toBeLessThan(0.01 * size);
    }
  });

  it('reach the accuracy of float32 on MNIST', { timeout: 120_000 }, async () => {
    const { float32, bfloat16 } = await accuraciesOf(perceptron(100), 3);
    expect(bfloat16).toBeGreaterThan(0.965);
    expect(Math.abs(bfloat16 - float32)).toBeLessThan(0.003);
  });

  // `npm run test:long -- bfloat16-accuracy`.
  it.runIf(process.env.BLASNET_ACCURACY_SEEDS !== undefined).each([
    ['784-100-100-10', perceptron(100)],
    ['784-512-512-10', perceptron(512)],
    ['LeNet', lenet],
  ])('reach it within 0.1 points: %s', { timeout: 3_600_000 }, async (name, task) => {
    const seeds = Number(process.env.BLASNET_ACCURACY_SEEDS);
    const { float32, bfloat16 } = await accuraciesOf(task, seeds);
    const percent = (share: number) => `${(100 * share).toFixed(3)} %`;
    console.log(`${name}, mean of ${seeds} seeds: float32 ${percent(float32)}, bfloat16 ${percent(bfloat16)}`);
    expect(Math.abs(bfloat16 - float32)).toBeLessThanOrEqual(0.001);
  });

  it('tell what multiplies', () => {
    expect(['amx', 'avx512-bf16', 'float32']).toContain(backendInfo('native').bfloat16);
    expect(backendInfo('typescript').bfloat16).toBe('float32');
    expect(nativeMissing()).toBeUndefined();
  });
});
