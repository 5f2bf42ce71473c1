import { expect, it } from 'vitest';
import { Adam, dense, dropout, l2, Muon, type Network, type Optimizer, relu, Sgd } from '../../lib/index.js';
import { values } from './optimizer-support.js';
import {
  classData,
  classifier,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
} from './support.js';

const any = (value: unknown) => value as never;
const optimizers: [string, () => Optimizer][] = [
  ['Sgd', () => new Sgd({ learningRate: ({ step }) => 0.3 / (1 + step), momentum: 0.9, clipNorm: 0.5 })],
  ['Adam', () => new Adam({ epsilon: 1e-3, groups: [{ match: '0.bias', frozen: true }], averageWeights: {} })],
  ['Muon', () => new Muon({ adamW: { epsilon: 1e-3 } })],
];

onBackends('fit with accumulate', (backend) => {
  const network = (layers = [dense(70), relu(), dense(3)]) => classifier(backend, { layers, regularizer: l2(0.01) });

  it.each(optimizers)('%s: makes the steps of larger batches, shorter ones at the end', async (_, make) => {
    // Of 70 rows: batches of 8 and at last 6, three to a step; the last step has 22 rows.
    const data = classData(70);
    const [small, large] = [network(), network()];
    const [few, many] = [make(), make()];
    const options = { epochs: 3, validation: data };
    const history = await small.fit(data, { ...options, optimizer: many, batchSize: 8, accumulate: 3 });
    const expected = await large.fit(data, { ...options, optimizer: few, batchSize: 24 });
    expect(distance(values(small), values(large))).toBeLessThan(2e-5);
    expect(many.steps).toBe(9);
    expect(few.steps).toBe(9);
    for (const [i, { loss, learningRate, batchLosses }] of history.epochs.entries()) {
      expect(learningRate).toBe(expected.epochs[i].learningRate);
      expect(loss).toBeCloseTo(expected.epochs[i].loss, 4);
      expect(batchLosses).toHaveLength(9);
    }
    // The gradients of the last step.
    for (const { name, gradient } of small.parameters) {
      if (name !== '0.bias') expect(distance([gradient], [large.parameter(name).gradient]), name).toBeLessThan(1e-4);
    }
  });

  it('1 is the default, and more batches than an epoch has make one step of it', async () => {
    const data = classData(40);
    const train = async (options: object) => {
      const of = network([dense(8), relu(), dropout(0.5), dense(3)]);
      const optimizer = new Sgd({ learningRate: 0.1 });
      await of.fit(data, { epochs: 2, batchSize: 8, optimizer, ...options });
      return { of, steps: optimizer.steps };
    };
    const [plain, one, all] = [await train({}), await train({ accumulate: 1 }), await train({ accumulate: 1000 })];
    expectSameBits(values(one.of), values(plain.of));
    expect([plain.steps, one.steps, all.steps]).toEqual([10, 10, 2]);
  });

  it('refuses weights of rows and classes, as batches divide by the sums of their own', async () => {
    const data = classData(40);
    const [of, message] = [network(), /^fit: accumulate: not with weights of rows or classes/];
    const refused = (source: unknown, options: object = {}) =>
      expectRejection(() => of.fit(any(source), { accumulate: 2, ...options }), 'INVALID_ARGUMENT', message);
    await refused(data, { classWeights: [1, 2, 3] });
    await refused({ ...data, sampleWeights: new Float32Array(40).fill(2) });
    await refused([data], { classWeights: [1, 2, 3] });
    expect((await of.fit(data, { accumulate: 1, classWeights: [1, 2, 3] })).epochs).toHaveLength(1);
  });

  it('a stream makes the same steps, its last ones at its end', async () => {
    const data = classData(70);
    const batches = {
      async *[Symbol.asyncIterator]() {
        for (let begin = 0; begin < data.length; begin += 10)
          yield data.slice(begin, Math.min(begin + 10, data.length));
      },
    };
    const train = async (source: never, options: object) => {
      const of = network();
      const optimizer = new Adam({ learningRate: ({ step }) => 0.05 / (1 + step), epsilon: 1e-3 });
      const history = await of.fit(source, { epochs: 2, optimizer, ...options });
      expect(history.epochs[1].batchLosses).toHaveLength(7);
      return { of, optimizer };
    };
    for (const accumulate of [3, 7]) {
      const streamed = await train(batches as never, { accumulate });
      const whole = await train(data as never, { accumulate, batchSize: 10, shuffle: false });
      expect(streamed.optimizer.steps).toBe(whole.optimizer.steps);
      expect(streamed.optimizer.steps).toBe(2 * Math.ceil(7 / accumulate));
      expect(distance(values(streamed.of), values(whole.of))).toBeLessThan(2e-5);
    }
  });

  it('a batch that is not finite ends training with the last step, and the rest of its own is forgotten', async () => {
    const data = classData(48);
    const features = Float32Array.from({ length: 48 * 6 }, (_, i) => (i === 40 * 6 ? Number.NaN : Math.sin(i)));
    const bad = { ...data, features, shape: [6], length: 48, scale: 1, offset: 0, labels: data.labels } as never;
    const options = { batchSize: 8, accumulate: 2, shuffle: false } as const;
    const of = classifier(backend, { input: [6] });
    const optimizer = new Sgd({ learningRate: 0.1, momentum: 0.9 });
    await expectRejection(() => of.fit(bad, { ...options, optimizer }), 'NON_FINITE', /row 40/);
    expect(optimizer.steps).toBe(2);
    const after = classifier(backend, { input: [6] });
    const same = new Sgd({ learningRate: 0.1, momentum: 0.9 });
    const good = {
      length: 32,
      shape: [6],
      features: features.slice(0, 32 * 6),
      scale: 1,
      offset: 0,
      labels: data.labels?.slice(0, 32),
    };
    await after.fit(good as never, { ...options, optimizer: same });
    expectSameBits(values(of), values(after));
    // What was accumulated does not reach the next training.
    for (const [network, by] of [
      [of, optimizer],
      [after, same],
    ] as [Network, Optimizer][])
      await network.fit(good as never, { ...options, optimizer: by });
    expectSameBits(values(of), values(after));
  });

  it('stops with the steps that are complete', async () => {
    const data = classData(64);
    const of = network();
    const optimizer = new Sgd({ learningRate: 0.01 });
    const stop = new AbortController();
    const running = of.fit(data, {
      epochs: 1e6,
      batchSize: 4,
      accumulate: 5,
      optimizer,
      signal: stop.signal,
      callbacks: { onProgress: () => stop.abort() },
    });
    await expect(running).rejects.toThrow();
    expect(Number.isInteger(optimizer.steps)).toBe(true);
    expect(optimizer.steps).toBeGreaterThan(0);
  });

  it('takes a whole number above 0', async () => {
    for (const accumulate of [0, 1.5, -1, '2']) {
      await expectRejection(
        () => network().fit(classData(8), { accumulate: any(accumulate) }),
        'INVALID_ARGUMENT',
        /^fit: accumulate/,
      );
    }
    expectError(() => new Sgd(any({ accumulate: 2 })), 'UNKNOWN_OPTION', /accumulate/);
  });
});
