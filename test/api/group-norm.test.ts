/** Layer, group and instance normalisation as layers. */
import { expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import {
  conv2d,
  dense,
  flatten,
  groupNorm,
  instanceNorm,
  type LayerSpec,
  layerNorm,
  meanSquaredError,
  Network,
  relu,
  Sgd,
} from '../../lib/index.js';
import { describeNative, expectSameBits, onBackends, randomFloats } from './support.js';

const networkOf = (input: number[], layers: LayerSpec[], backend: BackendName) =>
  new Network({ input, layers: [...layers, flatten()], loss: meanSquaredError(), seed: 1, backend });

/** Mean and (biased) deviation. */
function statistics(values: readonly number[]): [mean: number, deviation: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
}

const ROWS = 7;
const IMAGE = [4, 3, 6];
const SIZE = 72;

/** Of each value of an image, what it is normalised with. */
const groupings: [string, () => LayerSpec, (pixel: number, channel: number) => string][] = [
  ['layerNorm: the channels of a pixel', layerNorm, (pixel) => `${pixel}`],
  ['groupNorm: the pixels and channels of a group', () => groupNorm(3), (_, channel) => `${Math.floor(channel / 2)}`],
  ['groupNorm of one group: the image', () => groupNorm(1), () => ''],
  ['instanceNorm: the pixels of a channel', instanceNorm, (_, channel) => `${channel}`],
];

onBackends('normalisation of each sample', (backend) => {
  it.each(groupings)('%s', (_, layer, keyOf) => {
    for (const [mean, deviation, tolerance] of [
      [0.5, 2, 1e-4],
      [1e4, 1e-1, 1e-2],
    ]) {
      const x = randomFloats(ROWS * SIZE, 3).map((value) => mean + deviation * value);
      const y = networkOf(IMAGE, [layer()], backend).forward(x);
      const groups = new Map<string, number[]>();
      y.forEach((value, i) => {
        const [row, at] = [Math.floor(i / SIZE), i % SIZE];
        const key = `${row}: ${keyOf(Math.floor(at / 6), at % 6)}`;
        groups.set(key, [...(groups.get(key) ?? []), value]);
      });
      for (const values of groups.values()) {
        const [center, spread] = statistics(values);
        expect(Math.abs(center)).toBeLessThan(1e-6);
        expect(Math.abs(spread - 1)).toBeLessThan(tolerance);
      }
    }
  });

  it.each(groupings)('%s: far from 0, with a deviation of what float32 resolves there', (_, layer) => {
    // Multiples of float32's spacing around 1e4: adding that rounds nothing.
    const small = randomFloats(ROWS * SIZE, 5).map((value) => Math.round(8 * value) / 1024);
    const far = small.map((value) => value + 1e4);
    const epsilon = { epsilon: 1e-12 };
    const make = () => {
      const network = networkOf(IMAGE, [{ ...layer(), ...epsilon }], backend);
      for (const { value, name } of network.parameters) value.set(randomFloats(value.length, name.length));
      return network;
    };
    const target = randomFloats(ROWS * SIZE, 6);
    const [near, network] = [make(), make()];
    const expected = near.forward(small);
    network.forward(far).forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-5));
    const [gradients, wanted] = [network.gradients(far, target), near.gradients(small, target)];
    const size = Math.max(...wanted.inputGradient.map(Math.abs));
    gradients.inputGradient.forEach((value, i) =>
      expect(Math.abs(value - wanted.inputGradient[i])).toBeLessThan(2e-5 * size),
    );
    network.parameters.forEach(({ gradient }, p) => {
      gradient.forEach((value, i) => expect(Math.abs(value - near.parameters[p].gradient[i])).toBeLessThan(1e-5));
    });
  });

  it.each(groupings)('%s: the same in training and in evaluation, and for each row alone', (_, layer) => {
    const network = networkOf(IMAGE, [layer()], backend);
    const x = randomFloats(ROWS * SIZE, 7);
    const y = network.forward(x);
    expectSameBits([network.forward(x, { training: true })], [y]);
    expectSameBits([network.forward(x.slice(SIZE, 2 * SIZE))], [y.slice(SIZE, 2 * SIZE)]);
  });

  it('scales and shifts by gamma and beta, which start as 1 and 0 or as given', () => {
    const network = networkOf([4], [layerNorm({ gammaInitializer: 2, betaInitializer: -1, name: 'norm' })], backend);
    expect([...network.parameter('norm.gamma').value]).toEqual([2, 2, 2, 2]);
    expect([...network.parameter('norm.beta').value]).toEqual([-1, -1, -1, -1]);
    const y = network.forward(Float32Array.of(-3, -1, 1, 3));
    const root = Math.sqrt(5 + 1e-5);
    y.forEach((value, i) => expect(value).toBeCloseTo((2 * (2 * i - 3)) / root - 1, 5));
    expect(networkOf([4], [layerNorm({ affine: false })], backend).parameters).toEqual([]);
    const plain = networkOf(IMAGE, [groupNorm(2)], backend);
    expect(plain.parameters.map(({ name, value }) => [name, [...value]])).toEqual([
      ['0.gamma', [1, 1, 1, 1, 1, 1]],
      ['0.beta', [0, 0, 0, 0, 0, 0]],
    ]);
  });

  it('a NaN stays in its sample', () => {
    const network = networkOf(IMAGE, [groupNorm(2)], backend);
    const x = randomFloats(3 * SIZE, 8);
    x[SIZE + 1] = Number.NaN;
    const y = network.forward(x);
    y.forEach((value, i) => {
      // The first group of the second image.
      expect(Number.isNaN(value)).toBe(i >= SIZE && i < 2 * SIZE && i % 6 < 3);
    });
  });
});

describeNative('normalisation of each sample, against the other backend', () => {
  const layers = (): LayerSpec[] => [
    conv2d(6, { padding: 1 }),
    groupNorm(3),
    relu(),
    instanceNorm(),
    layerNorm(),
    flatten(),
    dense(40),
    layerNorm(),
    dense(3),
  ];

  it('training is near that of the other backend', () => {
    const x = randomFloats(33 * 60, 11);
    const y = randomFloats(33 * 3, 12);
    const train = (backend: BackendName) => {
      const network = networkOf([5, 4, 3], layers(), backend);
      const optimizer = new Sgd({ learningRate: 0.05 });
      for (let step = 0; step < 5; step++) network.trainBatch(x, y, optimizer);
      return network.parameters.map(({ value }) => value.slice());
    };
    const expected = train('typescript');
    train('native').forEach((value, p) =>
      value.forEach((v, i) => expect(Math.abs(v - expected[p][i])).toBeLessThan(2e-4)),
    );
  });
});
