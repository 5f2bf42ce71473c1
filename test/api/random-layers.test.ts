/** Layers that draw random numbers in training: noise and the dropout of channels. */
import { describe, expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import {
  binaryCrossEntropy,
  dense,
  flatten,
  gaussianNoise,
  identity,
  type LayerSpec,
  meanSquaredError,
  Network,
  sigmoid,
  spatialDropout2d,
} from '../../lib/index.js';
import { describeNative, expectSameBits, onBackends, randomFloats } from './support.js';

const networkOf = (input: number[], layers: LayerSpec[], backend: BackendName, seed = 1) =>
  new Network({ input, layers: [...layers, flatten()], loss: meanSquaredError(), seed, backend });

onBackends('gaussianNoise', (backend) => {
  const rows = 500;
  const x = randomFloats(rows * 20, 3);
  const noise = (network: Network) => network.forward(x, { training: true }).map((y, i) => y - x[i]);

  it('adds numbers with the mean, variance, skewness and kurtosis of a normal distribution', () => {
    const values = Array.from(noise(networkOf([20], [gaussianNoise(0.5)], backend)), (value) => value / 0.5);
    const moment = (k: number) => values.reduce((sum, value) => sum + value ** k, 0) / values.length;
    // Five standard errors of 10,000 numbers.
    expect(Math.abs(moment(1))).toBeLessThan(0.05);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / values.length));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / values.length));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / values.length));
    const inside = values.filter((value) => Math.abs(value) < 1).length / values.length;
    expect(Math.abs(inside - 0.6827)).toBeLessThan(0.025);
  });

  it('has no correlation between neighbours, nor between the two numbers of a counter', () => {
    const values = Array.from(noise(networkOf([20], [gaussianNoise(1)], backend)));
    for (const distance of [1, 16, 20]) {
      const pairs = values.slice(distance).map((value, i) => value * values[i]);
      expect(Math.abs(pairs.reduce((sum, value) => sum + value, 0) / pairs.length)).toBeLessThan(0.05);
    }
  });

  it('is the same for the same seed and step, other for another seed, step or layer', () => {
    const make = (seed = 1) => networkOf([20], [gaussianNoise(1)], backend, seed);
    const network = make();
    const first = noise(network);
    expectSameBits([noise(make())], [first]);
    const differs = (other: Float32Array) => other.filter((value, i) => Math.abs(value - first[i]) > 1e-3).length;
    expect(differs(noise(make(2)))).toBeGreaterThan(0.99 * x.length);
    // Each pass in training mode is a step.
    expect(differs(noise(network))).toBeGreaterThan(0.99 * x.length);
    expect(differs(noise(networkOf([20], [identity(), gaussianNoise(1)], backend)))).toBeGreaterThan(0.99 * x.length);
  });

  it('does nothing in evaluation, nor with deviation 0', () => {
    const network = networkOf([20], [gaussianNoise(1)], backend);
    expectSameBits([network.forward(x)], [x]);
    expectSameBits([network.predict(x)], [x]);
    expectSameBits([networkOf([20], [gaussianNoise(0)], backend).forward(x, { training: true })], [x]);
  });

  it('passes the gradient on', () => {
    const make = () => networkOf([20], [gaussianNoise(0.3)], backend);
    const { inputGradient } = make().gradients(x, new Float32Array(x.length));
    const y = make().forward(x, { training: true });
    y.forEach((value, i) => expect(Math.abs(inputGradient[i] - (2 * value) / x.length)).toBeLessThan(1e-9));
  });
});

onBackends('spatialDropout2d', (backend) => {
  const [rows, pixels, channels] = [200, 6, 10];
  const x = randomFloats(rows * pixels * channels, 4).map((value) => value + Math.sign(value));
  const network = networkOf([2, 3, channels], [spatialDropout2d(0.3)], backend);

  it('drops whole channels of a sample, and scales the others', () => {
    const y = network.forward(x, { training: true });
    let dropped = 0;
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < channels; c++) {
        const places = Array.from({ length: pixels }, (_, pixel) => (row * pixels + pixel) * channels + c);
        const gone = places.filter((at) => y[at] === 0).length;
        expect([0, pixels]).toContain(gone);
        if (gone > 0) dropped++;
        else for (const at of places) expect(Math.abs(y[at] - x[at] / 0.7)).toBeLessThan(1e-6 * Math.abs(x[at]));
      }
    }
    const share = dropped / (rows * channels);
    expect(Math.abs(share - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / (rows * channels)));
  });

  it('does nothing in evaluation, nor with rate 0', () => {
    expectSameBits([network.forward(x)], [x]);
    const none = networkOf([2, 3, channels], [spatialDropout2d(0)], backend);
    expectSameBits([none.forward(x, { training: true })], [x]);
  });
});

describeNative('both backends', () => {
  it('draw the same noise and drop the same channels', () => {
    const x = randomFloats(50 * 30, 5);
    const of = (layers: LayerSpec[]) =>
      (['native', 'typescript'] as const).map((backend) =>
        networkOf([3, 2, 5], layers, backend).forward(x, { training: true }),
      );
    const [native, typescript] = of([gaussianNoise(1)]);
    native.forEach((value, i) => expect(Math.abs(value - typescript[i])).toBeLessThan(2e-6));
    const [dropped, same] = of([spatialDropout2d(0.5)]);
    expectSameBits([dropped], [same]);
  });
});

describe('a network that ends with them', () => {
  it('is refused behind an activation that the loss includes', () => {
    const make = () =>
      new Network({ input: [3], layers: [dense(1), sigmoid(), gaussianNoise(0.1)], loss: binaryCrossEntropy() });
    expect(make).toThrow(/they end with sigmoid/);
  });
});
