import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  type BatchNormOptions,
  batchNorm,
  conv2d,
  dense,
  flatten,
  type LayerSpec,
  meanSquaredError,
  Network,
  relu,
  Sgd,
} from '../../lib/index.js';
import { RandomStream, Stream } from '../../lib/random.js';
import {
  classData,
  classifier,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
  randomFloats,
  regressor,
  rejection,
  valueData,
  weights,
} from './support.js';

const normed = (options?: BatchNormOptions): LayerSpec[] => [dense(8), batchNorm(options), relu(), dense(3)];
const sizes = (history: { epochs: readonly { batchLosses: Float64Array }[] }) =>
  history.epochs.map(({ batchLosses }) => batchLosses.length);
const states = (network: Network) => network.state.map(({ value }) => value.slice());

onBackends('the batches of an epoch', (backend) => {
  it('an optimizer of a refused training stays free for another network', async () => {
    const layers = () => [dense(3), batchNorm(), dense(3)];
    const [network, other] = [classifier(backend, { layers: layers() }), classifier(backend)];
    const [fitting, stepping] = [new Adam(), new Adam()];
    const row = classData(1);
    const message = /one value a feature/;
    await expectRejection(() => network.fit(row, { optimizer: fitting }), 'INVALID_ARGUMENT', message);
    expectError(() => network.trainBatch(row, undefined, stepping), 'INVALID_ARGUMENT', message);
    for (const optimizer of [fitting, stepping]) other.trainBatch(classData(4), undefined, optimizer);
    expect([fitting.steps, stepping.steps]).toEqual([1, 1]);
  });

  it('a lone last row joins the batch before it where there is batch norm', async () => {
    const expected = classifier(backend, { layers: normed() });
    const network = classifier(backend, { layers: normed() });
    const data = classData(13);
    const history = await network.fit(data, { batchSize: 4, shuffle: false, epochs: 2, optimizer: new Sgd() });
    const optimizer = new Sgd();
    const losses: number[] = [];
    for (let epoch = 0; epoch < 2; epoch++) {
      for (const [begin, end] of [
        [0, 4],
        [4, 8],
        [8, 13],
      ])
        losses.push(expected.trainBatch(data.slice(begin, end), undefined, optimizer).loss);
    }
    expectSameBits(weights(network), weights(expected));
    expect(history.epochs.flatMap(({ batchLosses }) => [...batchLosses])).toEqual(losses);
    // The mean over all rows weighs the last batch with its five.
    expect(history.loss[0]).toBeCloseTo((4 * losses[0] + 4 * losses[1] + 5 * losses[2]) / 13, 12);
  });

  it('a lone last row is a batch elsewhere, and two rows are one', async () => {
    const batches = async (layers: LayerSpec[] | undefined, rows: number, options = {}) =>
      sizes(await classifier(backend, layers && { layers }).fit(classData(rows), { batchSize: 4, ...options }));
    expect(await batches(undefined, 13)).toEqual([4]);
    expect(await batches(normed(), 14)).toEqual([4]);
    expect(await batches(normed(), 12)).toEqual([3]);
    expect(await batches(normed(), 13)).toEqual([3]);
    expect(await batches(normed(), 5)).toEqual([1]);
    expect(await batches(normed({ training: 'running' }), 13)).toEqual([4]);
    expect(await batches(normed(), 13, { sampling: 'withReplacement' })).toEqual([4]);
  });

  it.each([1, 2, 3])('dropLast leaves %d rows out, other rows each epoch', async (left) => {
    const rows = 8 + left;
    // With rate 0 and one output, a batch's loss tells the rows: row i has the error 2^i.
    const features = new Float32Array(rows);
    const targets = Float32Array.from({ length: rows }, (_, i) => 2 ** (i / 2));
    const data = new Dataset({ features, shape: [1], targets, targetShape: [1] });
    const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 5, backend });
    const optimizer = new Sgd({ learningRate: 0 });
    const history = await network.fit(data, { batchSize: 4, dropLast: true, epochs: 6, optimizer });
    expect(sizes(history)).toEqual([2, 2, 2, 2, 2, 2]);
    const seen = history.epochs.map(({ batchLosses }) => 4 * (batchLosses[0] + batchLosses[1]));
    const missing = seen.map((sum) => {
      const bits = Math.round(sum);
      expect(Math.abs(sum - bits)).toBeLessThan(1e-2);
      const taken = bits.toString(2).replaceAll('0', '').length;
      expect(taken).toBe(8);
      return bits;
    });
    expect(new Set(missing).size).toBeGreaterThan(1);
    expect(history.loss[0]).toBeCloseTo(seen[0] / 8, 4);
  });

  it('dropLast in order takes the first rows', async () => {
    const data = classData(11);
    const [network, expected] = [classifier(backend), classifier(backend)];
    await network.fit(data, { batchSize: 4, dropLast: true, shuffle: false, epochs: 2, optimizer: new Adam() });
    await expected.fit(data.take(8), { batchSize: 4, shuffle: false, epochs: 2, optimizer: new Adam() });
    expectSameBits(weights(network), weights(expected));
  });

  it('dropLast refuses to leave nothing, and streams', async () => {
    const network = classifier(backend);
    await expectRejection(
      () => network.fit(classData(3), { batchSize: 4, dropLast: true }),
      'INVALID_ARGUMENT',
      /^fit: dropLast/,
    );
    await expectRejection(() => network.fit([classData(3)], { dropLast: true }), 'INVALID_ARGUMENT', /^fit: dropLast/);
    await expectRejection(
      () => network.fit(classData(8), { dropLast: 1 as never }),
      'INVALID_ARGUMENT',
      /^fit: dropLast/,
    );
  });

  it('names the row of a batch that was joined', async () => {
    const { features, labels } = classData(9);
    const network = classifier(backend, { layers: normed() });
    const bad = Float32Array.from(features);
    bad[8 * 6 + 2] = Number.NaN;
    const data = new Dataset({ features: bad, shape: [6], labels: labels as Int32Array, classes: 3 });
    const error = await rejection(network.fit(data, { batchSize: 4, shuffle: false }));
    expect(error).toMatchObject({ code: 'NON_FINITE', details: { where: 'features', row: 8, column: 2 } });
  });
});

onBackends('batch norm of a single value a feature', (backend) => {
  const one = classData(1);
  const calls: [string, (network: Network) => unknown][] = [
    ['trainBatch', (network) => network.trainBatch(one, undefined, new Sgd())],
    ['gradients', (network) => network.gradients(one)],
    ['forward in training', (network) => network.forward(one, { training: true })],
    ['fit with batchSize 1', (network) => network.fit(classData(5), { batchSize: 1 })],
    ['fit with one row', (network) => network.fit(one)],
    ['fit with a stream', (network) => network.fit([one])],
  ];

  it.each(calls)('is refused by %s, and nothing changes', async (_, call) => {
    const network = classifier(backend, { layers: normed() });
    const before = weights(network);
    await expectRejection(async () => call(network), 'INVALID_ARGUMENT', /one value a feature.*singleValue: 'allow'/);
    expectSameBits(weights(network), before);
  });

  it.each(calls)('is taken by %s where the layer allows it', async (_, call) => {
    const network = classifier(backend, { layers: normed({ singleValue: 'allow' }) });
    await call(network);
  });

  it('images of one pixel are refused, those of more have enough', () => {
    const network = (layers: LayerSpec[]) =>
      new Network({
        input: [2, 2, 1],
        layers: [...layers, flatten(), dense(1)],
        loss: meanSquaredError(),
        seed: 1,
        backend,
      });
    const x = randomFloats(4);
    expectError(
      () => network([conv2d(3, { window: 2, padding: 'valid' } as never), batchNorm()]).gradients(x, [[1]]),
      'INVALID_ARGUMENT',
      /one value/,
    );
    expect(network([batchNorm()]).gradients(x, [[1]]).loss).toBeGreaterThanOrEqual(0);
  });

  it('has the documented result where it is allowed: beta, and a variance of 0', () => {
    const layers = [batchNorm({ singleValue: 'allow', betaInitializer: 0.25, momentum: 0.75 })];
    const network = regressor(backend, layers, meanSquaredError(), 2);
    expect([...network.forward([3, -5], { training: true })]).toEqual([0.25, 0.25]);
    expect(network.state.map(({ value }) => [...value])).toEqual([
      [0.75, -1.25],
      [0.75, 0.75],
    ]);
  });

  it('options are kept by files', () => {
    const layers = normed({ singleValue: 'allow', training: 'running' });
    const network = Network.fromBytes(classifier(backend, { layers }).toBytes(), { backend });
    const before = states(network);
    network.trainBatch(one, undefined, new Sgd());
    expectSameBits(states(network), before);
    expectError(() => batchNorm({ singleValue: 'yes' as never }), 'INVALID_ARGUMENT', /^batchNorm: singleValue/);
    expectError(() => batchNorm({ training: 'none' as never }), 'INVALID_ARGUMENT', /^batchNorm: training/);
  });
});

onBackends('frozen batch norm', (backend) => {
  const data = valueData(24);
  const layers = (options?: BatchNormOptions): LayerSpec[] => [
    dense(5),
    batchNorm({ name: 'norm', ...options }),
    relu(),
    dense(2),
  ];
  const make = (options?: BatchNormOptions) => regressor(backend, layers(options), meanSquaredError());
  const groups = (frozen: boolean | 'evaluation', match = 'norm') => [{ match, frozen }];

  it.each([true, 'evaluation'] as const)('keeps its statistics (frozen: %s), and the others train', async (frozen) => {
    const network = make();
    const before = states(network);
    const first = network.parameter('0.weight').value.slice();
    const gamma = network.parameter('norm.gamma').value.slice();
    const optimizer = new Sgd({ groups: groups(frozen) });
    await network.fit(data, { epochs: 2, batchSize: 8, optimizer });
    network.trainBatch(data, undefined, optimizer);
    await network.fit([data], { optimizer });
    const { loss } = network.gradients(data, undefined, optimizer);
    network.applyGradients(optimizer);
    expect(loss).toBeGreaterThan(0);
    expectSameBits(states(network), before);
    expectSameBits([network.parameter('norm.gamma').value], [gamma]);
    expect(distance([network.parameter('0.weight').value], [first])).toBeGreaterThan(0);
  });

  it('moves its statistics while a parameter of it is trained', async () => {
    const network = make();
    const before = states(network);
    await network.fit(data, { optimizer: new Sgd({ groups: groups(true, 'norm.gamma') }) });
    expect(distance(states(network), before)).toBeGreaterThan(0);
  });

  it('normalises by the batch with frozen: true, by the running statistics with frozen: evaluation', () => {
    const start = { initialMean: 0.5, initialVariance: 3 };
    const losses = ([true, 'evaluation'] as const).map(
      (frozen) => make(start).trainBatch(data, undefined, new Sgd({ groups: groups(frozen) })).loss,
    );
    const network = make(start);
    const error = (y: Float32Array) =>
      y.reduce((sum, v, i) => sum + (v - (data.targets as Float32Array)[i]) ** 2, 0) / y.length;
    expect(losses[0]).toBeCloseTo(error(network.forward(data, { training: true })), 4);
    expect(losses[1]).toBeCloseTo(error(make(start).forward(data)), 4);
    expect(Math.abs(losses[0] - losses[1])).toBeGreaterThan(1e-3);
  });

  it('gives the gradients of its training in loops of one’s own', () => {
    for (const frozen of [true, 'evaluation'] as const) {
      const [network, expected] = [make({ initialMean: 0.5 }), make({ initialMean: 0.5 })];
      const [optimizer, other] = [new Adam({ groups: groups(frozen) }), new Adam({ groups: groups(frozen) })];
      for (let step = 0; step < 3; step++) {
        const { loss } = network.gradients(data, undefined, optimizer);
        network.applyGradients(optimizer);
        expect(loss).toBe(expected.trainBatch(data, undefined, other).loss);
      }
      expectSameBits(weights(network), weights(expected));
    }
    expectError(
      () => make().gradients(data, undefined, {} as never),
      'INVALID_ARGUMENT',
      /^optimizer: expected an optimizer/,
    );
  });

  it('takes a single row with frozen: evaluation', () => {
    make().trainBatch(valueData(1), undefined, new Sgd({ groups: groups('evaluation') }));
    expectError(
      () => make().trainBatch(valueData(1), undefined, new Sgd({ groups: groups(true) })),
      'INVALID_ARGUMENT',
      /one value/,
    );
  });

  it('with training: running has the gradients of evaluation, by finite differences in float64', () => {
    const options: BatchNormOptions = { training: 'running', initialMean: 0.3, initialVariance: 2, epsilon: 1e-3 };
    const random = new RandomStream(3, Stream.initializer);
    const network = regressor(backend, [dense(3), batchNorm(options), dense(2)], meanSquaredError());
    for (const { value } of network.parameters)
      for (let i = 0; i < value.length; i++) value[i] = random.uniform() - 0.4;
    const [x, y] = [randomFloats(5 * 4, 2), randomFloats(5 * 2, 3)];
    const before = states(network);
    const { loss, inputGradient } = network.gradients(x, y);
    expectSameBits(states(network), before);
    const parameters = network.parameters.map(({ value }) => Float64Array.from(value));
    const inputs = Float64Array.from(x);
    const lossOf = () => {
      const [w1, b1, gamma, beta, w2, b2] = parameters;
      let sum = 0;
      for (let row = 0; row < 5; row++) {
        const hidden = [0, 1, 2].map((j) => {
          let z = b1[j];
          for (let k = 0; k < 4; k++) z += inputs[row * 4 + k] * w1[k * 3 + j];
          return ((z - Math.fround(0.3)) / Math.sqrt(2 + Math.fround(1e-3))) * gamma[j] + beta[j];
        });
        for (let o = 0; o < 2; o++) {
          let z = b2[o];
          for (let j = 0; j < 3; j++) z += hidden[j] * w2[j * 2 + o];
          sum += (z - y[row * 2 + o]) ** 2;
        }
      }
      return sum / 10;
    };
    expect(loss).toBeCloseTo(lossOf(), 5);
    const check = (values: Float64Array, gradient: Float32Array) => {
      for (let i = 0; i < values.length; i++) {
        const kept = values[i];
        const at = (shift: number) => {
          values[i] = kept + shift;
          return lossOf();
        };
        const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        values[i] = kept;
        expect(Math.abs(gradient[i] - slope)).toBeLessThan(2e-5);
      }
    };
    network.parameters.forEach(({ gradient }, i) => check(parameters[i], gradient));
    check(inputs, inputGradient);
  });

  it('with training: running trains as with frozen: evaluation, but for its own parameters', async () => {
    const frozen = make();
    await frozen.fit(data, { epochs: 3, optimizer: new Sgd({ groups: groups('evaluation') }) });
    const other = make({ training: 'running' });
    await other.fit(data, { epochs: 3, optimizer: new Sgd({ groups: groups(true) }) });
    expectSameBits(weights(frozen), weights(other));
    const trained = make({ training: 'running' });
    await trained.fit(data, { epochs: 3, optimizer: new Sgd() });
    expect(distance([trained.parameter('norm.gamma').value], [make().parameter('norm.gamma').value])).toBeGreaterThan(
      0,
    );
    expectSameBits(states(trained), states(make()));
  });
});

onBackends('a running statistic that would overflow', (backend) => {
  const x = Float32Array.of(3e38, 1, -3e38, 2);
  const targets = new Float32Array(4);
  const data = new Dataset({ features: x, shape: [1], targets, targetShape: [1] });
  const layers = (): LayerSpec[] => [batchNorm(), dense(1)];
  const calls: [string, (network: Network, optimizer: Sgd) => unknown][] = [
    ['fit', (network, optimizer) => network.fit(data, { optimizer })],
    ['fit with a stream', (network, optimizer) => network.fit([data], { optimizer })],
    ['trainBatch', (network, optimizer) => network.trainBatch(x, targets, optimizer)],
    ['gradients', (network) => network.gradients(x, targets)],
    ['forward in training', (network) => network.forward(x, { training: true })],
  ];

  it.each(calls)('is refused by %s, and nothing changes', async (_, call) => {
    const network = regressor(backend, layers(), meanSquaredError(), 1);
    const before = weights(network);
    const optimizer = new Sgd({ momentum: 0.9 });
    await expectRejection(
      async () => call(network, optimizer),
      'NON_FINITE',
      /^state: a running statistic would overflow/,
    );
    expectSameBits(weights(network), before);
    expect(optimizer.steps).toBe(0);
    expect(network.gradients([1, 2, 3, 4], targets).loss).toBeGreaterThanOrEqual(0);
  });

  it('is none where the statistics are not kept', () => {
    const network = regressor(backend, [batchNorm({ momentum: 1 }), dense(1)], meanSquaredError(), 1);
    network.forward(x, { training: true });
  });
});
