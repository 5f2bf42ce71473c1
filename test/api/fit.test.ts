import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  batchNorm,
  dense,
  dropout,
  meanSquaredError,
  Network,
  relu,
  type ScheduleTime,
  Sgd,
} from '../../lib/index.js';
import {
  classData,
  classifier,
  distance,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  regressor,
  valueData,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

onBackends('fit refuses', (backend) => {
  const data = classData(20);

  it.each<[string, Record<string, unknown>, 'INVALID_ARGUMENT' | 'UNKNOWN_OPTION' | 'SHAPE_MISMATCH', RegExp]>([
    [
      'an unknown option',
      { learningRate: 1 },
      'UNKNOWN_OPTION',
      /^fit: unknown option "learningRate"; known options are optimizer/,
    ],
    ['negative epochs', { epochs: -1 }, 'INVALID_ARGUMENT', /^fit: epochs/],
    ['half an epoch', { epochs: 1.5 }, 'INVALID_ARGUMENT', /^fit: epochs/],
    ['epochs as text', { epochs: '5' }, 'INVALID_ARGUMENT', /^fit: epochs/],
    ['batches of none', { batchSize: 0 }, 'INVALID_ARGUMENT', /^fit: batchSize/],
    ['batches too large', { batchSize: 2 ** 31 }, 'INVALID_ARGUMENT', /^fit: batchSize/],
    ['shuffle as number', { shuffle: 1 }, 'INVALID_ARGUMENT', /^fit: shuffle: expected true or false/],
    [
      'an optimizer by name',
      { optimizer: 'adam' },
      'INVALID_ARGUMENT',
      /^fit: optimizer: expected an optimizer such as new Adam/,
    ],
    ['an optimizer class', { optimizer: Adam }, 'INVALID_ARGUMENT', /^fit: optimizer/],
    ['validation arrays', { validation: [[1]] }, 'INVALID_ARGUMENT', /^fit: validation: expected a Dataset/],
    ['validation of another shape', { validation: classData(5, 4) }, 'SHAPE_MISMATCH', /shape \[6\].*\[4\]/],
    [
      'a signal that is none',
      { signal: { aborted: false } },
      'INVALID_ARGUMENT',
      /^fit: signal: expected an AbortSignal/,
    ],
    [
      'a signal without removeEventListener',
      { signal: { aborted: false, throwIfAborted() {}, addEventListener() {} } },
      'INVALID_ARGUMENT',
      /^fit: signal: expected an AbortSignal/,
    ],
    ['a negative first epoch', { initialEpoch: -1 }, 'INVALID_ARGUMENT', /^fit: initialEpoch/],
    ['callbacks as a function', { callbacks: () => {} }, 'INVALID_ARGUMENT', /^callbacks/],
    [
      'an unknown hook',
      { callbacks: { onBatchEnd() {} } },
      'UNKNOWN_OPTION',
      /^callbacks: unknown option "onBatchEnd"/,
    ],
    [
      'a hook that is no function',
      { callbacks: [{ onEpochEnd: 1 }] },
      'INVALID_ARGUMENT',
      /^callbacks: onEpochEnd: expected a function/,
    ],
  ])('%s', async (_, options, code, message) => {
    const network = classifier(backend);
    const before = weights(network);
    await expectRejection(() => network.fit(data, any(options)), code, message);
    await expectRejection(() => network.fit([{ x: data.row(0), y: [0] }], any(options)), code, message);
    expectSameBits(weights(network), before);
    expect((await network.fit(data)).epochs.length, 'the network is usable').toBe(1);
  });

  it.each([[undefined], [null], [5], ['data'], [{}], [new Float32Array(6)], [() => data]])(
    'data: %s',
    async (value) => {
      await expectRejection(
        () => classifier(backend).fit(any(value)),
        'INVALID_ARGUMENT',
        /^fit: data: expected a Dataset or an async iterable/,
      );
    },
  );

  it('options that are no object', async () => {
    await expectRejection(
      () => classifier(backend).fit(data, any(5)),
      'INVALID_ARGUMENT',
      /^fit: expected an object of options/,
    );
  });

  it('an optimizer that belongs to another network', async () => {
    const optimizer = new Adam();
    await classifier(backend).fit(data, { optimizer });
    const other = classifier(backend);
    await expectRejection(
      () => other.fit(data, { optimizer }),
      'INVALID_ARGUMENT',
      /optimizer: it already belongs to another network/,
    );
    expect(() => other.trainBatch(data.row(0), [0], optimizer)).toThrow(/already belongs/);
    expect((await other.fit(data)).epochs.length).toBe(1);
  });

  it('a schedule that gives no number, before the step is made', async () => {
    const network = classifier(backend);
    const schedule = ({ epoch }: ScheduleTime) => (epoch === 2 ? Number.NaN : 0.01);
    const optimizer = new Sgd({ learningRate: schedule });
    const run = () => network.fit(data, { optimizer, epochs: 5, batchSize: 20 });
    await expectRejection(
      run,
      'INVALID_ARGUMENT',
      /Sgd: learningRate: expected a finite rate ≥ 0 from the schedule, got NaN at step 2, epoch 2/,
    );
    expect((await network.fit(data)).epochs.length).toBe(1);
  });
});

onBackends('fit', (backend) => {
  it('learns', async () => {
    const network = classifier(backend);
    const history = await network.fit(classData(300), {
      epochs: 40,
      batchSize: 16,
      optimizer: new Adam({ learningRate: 0.01 }),
    });
    expect(history.loss[39]).toBeLessThan(0.35 * history.loss[0]);
    expect(history.accuracy[39]).toBeGreaterThan(0.9);
    expect((await network.evaluate(classData(200, 6, 3, 2))).accuracy).toBeGreaterThan(0.8);
  });

  it('learns values with every optimizer state kept between two fits', async () => {
    const network = regressor(backend, [dense(16), relu(), dense(2)], meanSquaredError());
    const optimizer = new Adam({ learningRate: 0.01 });
    const data = valueData(200);
    const first = await network.fit(data, { epochs: 15, optimizer });
    const second = await network.fit(data, { epochs: 15, optimizer });
    expect(second.loss[0]).toBeLessThan(first.loss[5]);
    expect(second.loss[14]).toBeLessThan(0.2 * first.loss[0]);
    expect(optimizer.steps).toBe(30 * Math.ceil(200 / 32));
  });

  it('gives a history with a log for each epoch', async () => {
    const data = classData(50);
    const history = await classifier(backend).fit(data, {
      epochs: 3,
      batchSize: 20,
      validation: classData(10, 6, 3, 9),
    });
    expect(history.epochs.map((log) => log.epoch)).toEqual([0, 1, 2]);
    for (const log of history.epochs) {
      expect(log.batchLosses).toBeInstanceOf(Float64Array);
      expect(log.batchLosses.length).toBe(3);
      const [a, b, c] = log.batchLosses;
      expect(log.loss).toBeCloseTo((20 * a + 20 * b + 10 * c) / 50, 6);
      expect(log.accuracy).toBeGreaterThanOrEqual(0);
      expect((log.accuracy as number) * 50).toBeCloseTo(Math.round((log.accuracy as number) * 50), 5);
      expect(log.learningRate).toBe(0.001);
      expect(log.seconds).toBeGreaterThan(0);
      expect(log.samplesPerSecond).toBeCloseTo(50 / log.seconds, 3);
      expect(Object.keys(log.validation ?? {})).toEqual(['loss', 'accuracy']);
    }
    expect(history.loss.length).toBe(3);
    expect(history.validationLoss.every(Number.isFinite)).toBe(true);
    expect(history.validationAccuracy.every(Number.isFinite)).toBe(true);
    expect(history.seconds).toBeCloseTo(
      history.epochs.reduce((sum, log) => sum + log.seconds, 0),
      10,
    );
  });

  it('has no accuracy where the loss has none', async () => {
    const network = regressor(backend, [dense(2)], meanSquaredError());
    const history = await network.fit(valueData(10));
    expect('accuracy' in history.epochs[0]).toBe(false);
    expect(history.accuracy).toEqual([Number.NaN]);
    expect(Object.keys(await network.evaluate(valueData(10)))).toEqual(['loss']);
  });

  it('validates as evaluate does, in inference mode', async () => {
    const network = classifier(backend, { layers: mixedLayers() });
    const validation = classData(33, 6, 3, 5);
    const history = await network.fit(classData(64), { epochs: 2, validation });
    const evaluation = await network.evaluate(validation);
    expect(history.epochs[1].validation).toEqual(evaluation);
  });

  it('keeps the short last batch: its rows are trained on', async () => {
    // Rows 0–3 are zeros; only the fifth row, alone in its batch, can move the weights.
    const features = new Float32Array(10).fill(0, 0, 8).fill(1, 8);
    const network = new Network({
      input: [2],
      layers: [dense(1, { bias: false })],
      loss: meanSquaredError(),
      seed: 1,
      backend,
    });
    const before = network.parameters[0].value.slice();
    const data = new Dataset({ features, shape: [2], targets: new Float32Array(5).fill(9), targetShape: [1] });
    const history = await network.fit(data, {
      batchSize: 4,
      shuffle: false,
      optimizer: new Sgd({ learningRate: 0.1 }),
    });
    expect(history.epochs[0].batchLosses.length).toBe(2);
    const error = before[0] + before[1] - 9;
    const expected = [...before].map((value) => value - 0.1 * 2 * error);
    expect([...network.parameters[0].value]).toEqual(expected.map((value) => expect.closeTo(value, 4)));
  });

  it.each([
    [1, 7],
    [7, 1],
    [1000, 1],
  ])('takes batches of %d from 7 rows: %d steps', async (batchSize, steps) => {
    const optimizer = new Sgd();
    const network = classifier(backend);
    const history = await network.fit(classData(7), { batchSize, epochs: 2, optimizer });
    expect(history.epochs.map((log) => log.batchLosses.length)).toEqual([steps, steps]);
    expect(optimizer.steps).toBe(2 * steps);
  });

  it('trains batch norm on batches of one row', async () => {
    const layers = [dense(16), batchNorm({ singleValue: 'allow' }), relu(), dropout(0.25), dense(3)];
    const network = classifier(backend, { layers });
    await network.fit(classData(5), { batchSize: 1, epochs: 2 });
    for (const { value } of [...network.parameters, ...network.state]) expect(value.every(Number.isFinite)).toBe(true);
  });

  it('takes the rows in order without shuffle, in a new order each epoch with it', async () => {
    const lossesOf = async (shuffle: boolean) => {
      const history = await classifier(backend).fit(classData(40), {
        batchSize: 5,
        epochs: 3,
        shuffle,
        optimizer: new Sgd({ learningRate: 0 }),
      });
      return history.epochs.map((log) => [...log.batchLosses]);
    };
    const ordered = await lossesOf(false);
    expect(ordered[1]).toEqual(ordered[0]);
    const network = classifier(backend);
    const data = classData(40);
    ordered[0].forEach((loss, i) =>
      expect(network.gradients(data.slice(5 * i, 5 * i + 5), any(undefined)).loss).toBeCloseTo(loss, 5),
    );
    const [a, b, c] = await lossesOf(true);
    expect(a).not.toEqual(ordered[0]);
    expect(b).not.toEqual(a);
    expect(c).not.toEqual(b);
    for (const epoch of [a, b, c]) {
      const mean = epoch.reduce((sum, loss) => sum + loss, 0) / 8;
      expect(mean).toBeCloseTo(ordered[0].reduce((sum, loss) => sum + loss, 0) / 8, 5);
    }
  });

  it('goes on with new shuffles in a second fit, and repeats them from initialEpoch', async () => {
    const options = { batchSize: 5, optimizer: new Sgd({ learningRate: 0 }) };
    const data = classData(40);
    const network = classifier(backend);
    const losses = async (initialEpoch?: number) => {
      const history = await network.fit(data, { ...options, ...(initialEpoch !== undefined && { initialEpoch }) });
      return { epoch: history.epochs[0].epoch, losses: [...history.epochs[0].batchLosses] };
    };
    const first = await losses();
    const second = await losses();
    expect(second.losses).not.toEqual(first.losses);
    expect(second.epoch).toBe(0);
    const again = await losses(0);
    expect(again.losses).toEqual(first.losses);
    const later = await losses(1);
    expect(later).toEqual({ epoch: 1, losses: second.losses });
  });

  it('trains for no epoch at all', async () => {
    const network = classifier(backend);
    const before = weights(network);
    expect((await network.fit(classData(5), { epochs: 0 })).epochs).toEqual([]);
    expectSameBits(weights(network), before);
  });

  it('steps as trainBatch does', async () => {
    const data = classData(12);
    const [a, b] = [classifier(backend, { layers: mixedLayers() }), classifier(backend, { layers: mixedLayers() })];
    const history = await a.fit(data, { batchSize: 4, shuffle: false, epochs: 2, optimizer: new Adam() });
    const optimizer = new Adam();
    const losses = [0, 1].flatMap(() =>
      [0, 4, 8].map((row) => b.trainBatch(data.slice(row, row + 4), any(undefined), optimizer).loss),
    );
    expect(history.epochs.flatMap((log) => [...log.batchLosses])).toEqual(losses);
    expectSameBits(weights(a), weights(b));
  });

  it('steps as gradients and applyGradients do', () => {
    const data = classData(12);
    const [a, b] = [classifier(backend), classifier(backend)];
    const [one, two] = [new Sgd({ momentum: 0.9 }), new Sgd({ momentum: 0.9 })];
    for (let i = 0; i < 3; i++) {
      a.trainBatch(data, any(undefined), one);
      b.gradients(data, any(undefined));
      b.applyGradients(two);
    }
    expect(two.steps).toBe(3);
    expect(distance(weights(a), weights(b))).toBeLessThan(1e-6);
  });

  it('reads bytes as value × scale + offset', async () => {
    const bytes = Uint8Array.from({ length: 60 }, (_, i) => (i * 37) % 256);
    const labels = Int32Array.from({ length: 10 }, (_, i) => i % 3);
    const raw = new Dataset({ features: bytes, shape: [6], labels, classes: 3, scale: 1 / 255, offset: -0.5 });
    const floats = Float32Array.from(bytes, (value) => value * Math.fround(1 / 255) - 0.5);
    const ready = new Dataset({ features: floats, shape: [6], labels, classes: 3 });
    const [a, b] = [classifier(backend), classifier(backend)];
    await a.fit(raw, { epochs: 3, batchSize: 4 });
    await b.fit(ready, { epochs: 3, batchSize: 4 });
    expect(distance(weights(a), weights(b))).toBeLessThan(1e-5);
    expect(distance([a.predict(raw)], [a.predict(ready)])).toBeLessThan(1e-5);
  });
});
