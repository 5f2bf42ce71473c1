import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  dense,
  type Initializer,
  type InitializerName,
  Network,
  normal,
  softmaxCrossEntropy,
  uniform,
} from '../../lib/index.js';
import { builtLibrary, environment } from '../lifecycle/child.js';
import { describeNative } from './support.js';

const FAN_IN = 300;
const FAN_OUT = 200;

function drawn(weightInitializer: Initializer | InitializerName | number, seed = 5): Float32Array {
  const layers = [dense(FAN_OUT, { weightInitializer })];
  return new Network({ input: [FAN_IN], layers, loss: softmaxCrossEntropy(), seed, backend: 'typescript' })
    .parameters[0].value;
}

function moments(values: Float32Array) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const central = (power: number) => values.reduce((sum, value) => sum + (value - mean) ** power, 0) / values.length;
  const variance = central(2);
  return { mean, std: Math.sqrt(variance), kurtosis: central(4) / variance ** 2 };
}

describe('the distributions of initial weights', () => {
  const n = FAN_IN * FAN_OUT;
  const stds: [InitializerName, number][] = [
    ['glorotNormal', Math.sqrt(2 / (FAN_IN + FAN_OUT))],
    ['xavierNormal', Math.sqrt(2 / (FAN_IN + FAN_OUT))],
    ['heNormal', Math.sqrt(2 / FAN_IN)],
    ['lecunNormal', Math.sqrt(1 / FAN_IN)],
  ];
  const limits: [InitializerName, number][] = [
    ['glorotUniform', Math.sqrt(6 / (FAN_IN + FAN_OUT))],
    ['xavierUniform', Math.sqrt(6 / (FAN_IN + FAN_OUT))],
    ['heUniform', Math.sqrt(6 / FAN_IN)],
    ['lecunUniform', Math.sqrt(3 / FAN_IN)],
  ];

  function expectNormal(values: Float32Array, mean: number, std: number) {
    const found = moments(values);
    // Five standard errors of the mean, of the standard deviation and of the kurtosis.
    expect(Math.abs(found.mean - mean)).toBeLessThan((5 * std) / Math.sqrt(n));
    expect(Math.abs(found.std / std - 1)).toBeLessThan(5 / Math.sqrt(2 * n));
    expect(Math.abs(found.kurtosis - 3)).toBeLessThan(5 * Math.sqrt(24 / n));
    const within = values.reduce((count, value) => count + Number(Math.abs(value - mean) < std), 0) / n;
    expect(within).toBeCloseTo(0.6827, 1.7);
  }

  function expectUniform(values: Float32Array, min: number, max: number) {
    const width = max - min;
    const found = moments(values);
    expect(Math.abs(found.mean - (min + max) / 2)).toBeLessThan((5 * width) / Math.sqrt(12 * n));
    expect(Math.abs(found.std / (width / Math.sqrt(12)) - 1)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.min(...values.subarray(0, 10000))).toBeGreaterThanOrEqual(Math.fround(min));
    expect(Math.max(...values.subarray(0, 10000))).toBeLessThanOrEqual(Math.fround(max));
    const bins = new Array<number>(10).fill(0);
    for (const value of values) bins[Math.min(9, Math.floor(((value - min) / width) * 10))]++;
    const chiSquare = bins.reduce((sum, count) => sum + (count - n / 10) ** 2 / (n / 10), 0);
    expect(chiSquare).toBeLessThan(33); // 9 degrees of freedom: exceeded once in ten thousand
  }

  it.each(stds)('%s: normal with its standard deviation', (name, std) => expectNormal(drawn(name), 0, std));
  it.each(limits)('%s: uniform within its limits', (name, limit) => expectUniform(drawn(name), -limit, limit));
  it('normal', () => {
    expectNormal(drawn(normal()), 0, 0.05);
    expectNormal(drawn(normal({ mean: 2, std: 3 })), 2, 3);
  });
  it('uniform', () => {
    expectUniform(drawn(uniform()), -0.05, 0.05);
    expectUniform(drawn(uniform({ min: 1, max: 3 })), 1, 3);
  });
  it('constants, by name and by number', () => {
    expect(new Set(drawn('zeros'))).toEqual(new Set([0]));
    expect(new Set(drawn('ones'))).toEqual(new Set([1]));
    expect(new Set(drawn(0.25))).toEqual(new Set([0.25]));
  });
});

describe('seeds of initial weights', () => {
  it('the same seed gives the same weights, another seed others', () => {
    expect(drawn('heNormal', 5)).toEqual(drawn('heNormal', 5));
    expect(drawn('heNormal', 5)).not.toEqual(drawn('heNormal', 6));
  });

  it('each parameter has a stream of its own: a layer does not shift the next', () => {
    const second = (units: number) => {
      const layers = [dense(units), dense(units), dense(4, { name: 'last' })];
      const network = new Network({ input: [6], layers, loss: softmaxCrossEntropy(), seed: 3, backend: 'typescript' });
      return [...network.parameter('last.weight').value.subarray(0, 8)].map((value) => value * Math.sqrt(units / 2));
    };
    const [a, b] = [second(5), second(50)];
    a.forEach((value, i) => expect(value).toBeCloseTo(b[i], 5));
    const alike = new Network({
      input: [6],
      layers: [dense(6), dense(6)],
      loss: softmaxCrossEntropy(),
      seed: 3,
      backend: 'typescript',
    });
    expect(alike.parameter('0.weight').value).not.toEqual(alike.parameter('1.weight').value);
  });
});

describeNative('initial weights across backends and thread counts', () => {
  it('are the same bits', () => {
    const script = `
      import { Network, batchNorm, dense, softmaxCrossEntropy } from ${JSON.stringify(builtLibrary())};
      import { createHash } from 'node:crypto';
      const layers = [dense(33), batchNorm({ gammaInitializer: 'heUniform' }), dense(7, { weightInitializer: 'glorotUniform' })];
      const network = new Network({ input: [19], layers, loss: softmaxCrossEntropy(), seed: 123, backend: process.argv[1] });
      const hash = createHash('sha256');
      for (const { value } of [...network.parameters, ...network.state]) hash.update(new Uint8Array(value.slice().buffer));
      console.log(hash.digest('hex'));`;
    const runs: [string, string][] = [
      ['typescript', '1'],
      ['native', '1'],
      ['native', '2'],
      ['native', '5'],
    ];
    const digests = runs.map(([backend, threads]) => {
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script, backend], {
        env: environment({ BLASNET_THREADS: threads }),
        encoding: 'utf8',
      });
      expect(stdout, stderr).toMatch(/^[0-9a-f]{64}\n$/);
      return stdout;
    });
    expect(new Set(digests).size).toBe(1);
  });
});
