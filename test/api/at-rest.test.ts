import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  type Callbacks,
  checkpoint,
  dense,
  type EpochLog,
  earlyStopping,
  input,
  meanSquaredError,
  Network,
  type Progress,
  progressBar,
  reduceOnPlateau,
  Sgd,
} from '../../lib/index.js';
import {
  classData,
  classifier,
  expectError,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  rejection,
  weights,
} from './support.js';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const never = () => new Promise<void>(() => {});

onBackends('a network whose training waits for a callback', (backend) => {
  const data = classData(40);
  const test = classData(30, 6, 3, 9);
  const row = [1, 2, 3, 4, 5, 6];

  it('can be used in every hook but onProgress, and trains to the same bits', async () => {
    const network = classifier(backend, { layers: mixedLayers() });
    const expected = classifier(backend, { layers: mixedLayers() });
    const hooks: string[] = [];
    const use = async (hook: string) => {
      hooks.push(hook);
      const predictions = network.predict(test);
      expectSameBits([Network.fromBytes(network.toBytes(), { backend }).predict(test)], [predictions]);
      expect(network.forward(test).length).toBe(90);
      const evaluation = await network.evaluate(test);
      const right = [...(test.labels as Int32Array)].filter((label, i) => {
        const own = [...predictions.subarray(3 * i, 3 * i + 3)];
        return own.indexOf(Math.max(...own)) === label;
      }).length;
      expect(evaluation.accuracy).toBeCloseTo(right / 30, 12);
      const file = join(tmpdir(), `blasnet-at-rest-${backend}-${process.pid}.safetensors`);
      await network.save(file);
      expectSameBits(weights(await Network.load(file, { backend })), weights(network));
      await rm(file);
    };
    const callbacks: Callbacks = {
      onTrainBegin: () => use('onTrainBegin'),
      onEpochBegin: () => use('onEpochBegin'),
      onEpochEnd: () => use('onEpochEnd'),
      onTrainEnd: () => use('onTrainEnd'),
    };
    await network.fit(data, { epochs: 2, batchSize: 8, callbacks });
    expect(hooks).toEqual(['onTrainBegin', 'onEpochBegin', 'onEpochEnd', 'onEpochBegin', 'onEpochEnd', 'onTrainEnd']);
    await expected.fit(data, { epochs: 2, batchSize: 8 });
    expectSameBits(weights(network), weights(expected));
  });

  it('can not be trained or changed', async () => {
    const network = classifier(backend);
    let calls = 0;
    const onEpochEnd = async () => {
      await expectRejection(() => network.fit(data), 'NETWORK_BUSY', /^network: a training run is in progress/);
      await expectRejection(
        () => network.loadTorchState('file'),
        'NETWORK_BUSY',
        /^network: a training run is in progress/,
      );
      expectError(
        () => network.trainBatch(row, [0], new Sgd()),
        'NETWORK_BUSY',
        /^network: a training run is in progress/,
      );
      expectError(() => network.applyGradients(new Sgd()), 'NETWORK_BUSY', /^network: a training run is in progress/);
      expectError(() => network.gradients(row, [0]), 'NETWORK_BUSY', /^network: a training run is in progress/);
      expectError(
        () => network.forward(row, { training: true }),
        'NETWORK_BUSY',
        /^network: a training run is in progress/,
      );
      calls++;
    };
    await network.fit(data, { callbacks: { onEpochEnd } });
    expect(calls).toBe(1);
    network.trainBatch(row, [0], new Sgd());
  });

  it('is busy right after the call of fit, in onProgress, and for a second evaluation', async () => {
    const network = classifier(backend);
    const callbacks: Callbacks = {
      onTrainBegin() {},
      async onEpochEnd() {
        const first = network.evaluate(test);
        expectError(() => network.predict(row), 'NETWORK_BUSY', /^network: a run is in progress/);
        await first;
        network.predict(row);
      },
    };
    const run = network.fit(data, { callbacks });
    expectError(() => network.predict(row), 'NETWORK_BUSY', /^network: a run is in progress/);
    await run;
    const onProgress = () => void network.predict(row);
    const error = await rejection(
      network.fit(data, { epochs: Number.POSITIVE_INFINITY, history: 'last', callbacks: { onProgress } }),
    );
    expect(error).toMatchObject({ code: 'NETWORK_BUSY' });
  });

  it('goes on training when an evaluation that nobody waited for has ended', async () => {
    const network = classifier(backend);
    const evaluations: Promise<unknown>[] = [];
    const onEpochEnd = () => void evaluations.push(network.evaluate(test));
    await network.fit(data, { epochs: 3, callbacks: { onEpochEnd } });
    expect((await Promise.all(evaluations)).length).toBe(3);
    const expected = classifier(backend);
    await expected.fit(data, { epochs: 3 });
    expectSameBits(weights(network), weights(expected));
  });

  it.each(['onTrainBegin', 'onEpochBegin', 'onEpochEnd', 'onTrainEnd'] as const)(
    'is free soon after an abort or a disposal while %s hangs',
    async (hook) => {
      const network = classifier(backend);
      const controller = new AbortController();
      const aborted = rejection(network.fit(data, { callbacks: { [hook]: never }, signal: controller.signal }));
      const disposed = classifier(backend);
      const run = rejection(disposed.fit(data, { callbacks: { [hook]: never } }));
      await pause(30);
      controller.abort(new Error('enough'));
      disposed.dispose();
      expect(await aborted).toMatchObject({ message: 'enough' });
      expect(await run).toMatchObject({ code: 'NETWORK_DISPOSED' });
      expect((await network.fit(data)).epochs.length).toBe(1);
    },
  );

  it('gives a callback time to end after an abort', async () => {
    const network = classifier(backend);
    const controller = new AbortController();
    const ended: string[] = [];
    const first: Callbacks = {
      async onEpochEnd() {
        controller.abort(new Error('enough'));
        await pause(20);
        ended.push('first');
      },
    };
    const second: Callbacks = { onEpochEnd: () => void ended.push('second') };
    const error = await rejection(
      network.fit(data, { epochs: 2, callbacks: [first, second], signal: controller.signal }),
    );
    expect(error).toMatchObject({ message: 'enough' });
    expect(ended).toEqual(['first', 'second']);
  });

  it('is free after an abort although an evaluation at rest still hangs', async () => {
    const network = classifier(backend);
    const controller = new AbortController();
    const inner = new AbortController();
    let evaluation: Promise<unknown> = Promise.resolve();
    const onEpochEnd = () => {
      evaluation = rejection(
        network.evaluate({ [Symbol.asyncIterator]: () => ({ next: never as never }) }, { signal: inner.signal }),
      );
    };
    const run = rejection(network.fit(data, { callbacks: { onEpochEnd }, signal: controller.signal }));
    await pause(30);
    controller.abort(new Error('enough'));
    expect(await run).toMatchObject({ message: 'enough' });
    expectError(() => network.predict(row), 'NETWORK_BUSY', /a run is in progress/);
    inner.abort(new Error('this too'));
    expect(await evaluation).toMatchObject({ message: 'this too' });
    network.trainBatch(row, [0], new Sgd());
  });
});

onBackends('metrics of one’s own', (backend) => {
  const data = classData(40);
  const validation = classData(30, 6, 3, 9);

  it('are computed from the predictions for the validation data, into logs and history', async () => {
    const network = classifier(backend);
    const predictions: Float32Array[] = [];
    const given: unknown[] = [];
    const logs: EpochLog[] = [];
    const history = await network.fit(data, {
      epochs: 3,
      validation,
      metrics: {
        first(values, source) {
          predictions.push(values.slice());
          given.push(source);
          expectSameBits([network.predict(validation)], [values]);
          values.fill(0);
          return predictions.length;
        },
        later: async (values) => {
          await pause(1);
          return values.reduce((sum, value) => sum + value, 0);
        },
      },
      callbacks: { onEpochEnd: (log) => void logs.push(log) },
    });
    expectSameBits([predictions[2]], [network.predict(validation)]);
    expect(given).toEqual([validation, validation, validation]);
    expect(given[0]).toBe(validation);
    expect(history.metric('first')).toEqual([1, 2, 3]);
    for (const sum of history.metric('later')) expect(sum).toBeCloseTo(30, 3);
    expect(history.metric('none')).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(history.metric('toString')).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(logs[1].metrics).toEqual({ first: 2, later: history.metric('later')[1] });
  });

  it('do not change the training', async () => {
    const [network, expected] = [classifier(backend), classifier(backend)];
    await network.fit(data, { epochs: 3, validation, metrics: { one: () => 1 } });
    await expected.fit(data, { epochs: 3 });
    expectSameBits(weights(network), weights(expected));
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no functions', { validation, metrics: { f1: 5 } }, /^fit: metrics: f1: expected a function/],
    ['no object', { validation, metrics: [() => 1] }, /^fit: metrics: expected an object/],
    [
      'names of others',
      { validation, metrics: { validationLoss: () => 1 } },
      /^fit: metrics: validationLoss: that is a figure/,
    ],
    ['no validation', { metrics: { f1: () => 1 } }, /^fit: metrics: they need a dataset/],
    ['a stream', { validation: [validation], metrics: { f1: () => 1 } }, /^fit: metrics: they need a dataset/],
    [
      'a result that is no number',
      { validation, metrics: { f1: () => 'x' } },
      /^fit: metrics: f1: its result: expected a number/,
    ],
  ])('refuse %s', async (_, options, message) => {
    await expectRejection(() => classifier(backend).fit(data, options), 'INVALID_ARGUMENT', message);
  });

  it('have names that no figure of an output has', async () => {
    const x = input([2]);
    const network = new Network({
      outputs: { head: x.pipe(dense(1)), tail: x.pipe(dense(1)) },
      losses: { head: meanSquaredError(), tail: meanSquaredError() },
      backend,
    });
    const targets = { head: [1, 2], tail: [3, 4] };
    const rows = new Dataset({ features: [1, 2, 3, 4], shape: [2], targets });
    const train = (name: string) => network.fit(rows, { validation: rows, metrics: { [name]: () => 1 } });
    for (const name of ['head/loss', 'tail/accuracy'])
      await expectRejection(
        () => train(name),
        'INVALID_ARGUMENT',
        new RegExp(`^fit: metrics: ${name}: that is a figure`),
      );
    expect((await train('other/loss')).metric('other/loss')).toEqual([1]);
    // A network with one loss has no such figures.
    const metrics = { 'head/loss': () => 1 };
    expect((await classifier(backend).fit(data, { validation, metrics })).metric('head/loss')).toEqual([1]);
  });

  it('end training with their error, or when they hang and it is aborted', async () => {
    const network = classifier(backend);
    const error = new Error('no');
    const fails = () => {
      throw error;
    };
    await expect(network.fit(data, { validation, metrics: { fails } })).rejects.toBe(error);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 20);
    const hangs = never as unknown as () => Promise<number>;
    const run = network.fit(data, { validation, metrics: { hangs }, signal: controller.signal });
    expect(await rejection(run)).toMatchObject({ message: 'enough' });
    await network.fit(data);
  });

  it('can be watched: the best epoch by mode', async () => {
    const figures = [1, 5, 3, 2, 4];
    const run = async (mode: 'min' | 'max') => {
      const epochs: number[] = [];
      let epoch = 0;
      const file = join(tmpdir(), `blasnet-metric-${backend}-${mode}-${process.pid}.safetensors`);
      // A metric may be named like an output's figure.
      const options = { monitor: mode === 'min' ? 'score' : 'top.accuracy', mode } as const;
      const network = classifier(backend);
      const optimizer = new Sgd();
      const history = await network.fit(data, {
        epochs: 5,
        optimizer,
        validation,
        metrics: { [options.monitor]: () => figures[epoch++] },
        callbacks: [
          earlyStopping({ ...options, patience: 2 }),
          reduceOnPlateau({ ...options, patience: 0, factor: 0.5 }),
          checkpoint({ path: file, ...options }),
          { onEpochEnd: (log) => void epochs.push(log.epoch) },
        ],
      });
      const saved = await Network.loadCheckpoint(file, { backend });
      expectSameBits(weights(saved.network), weights(network));
      await rm(file);
      return { epochs: history.epochs.length, saved: saved.epoch, rate: optimizer.rateFactor };
    };
    // Rising, the second epoch is the best, and the fifth is the third without improvement; falling, the first is, and
    // the fourth.
    expect(await run('max')).toEqual({ epochs: 5, saved: 2, rate: 0.125 });
    expect(await run('min')).toEqual({ epochs: 4, saved: 1, rate: 0.125 });
  });

  it('need a mode, and must be there; a NaN is told', async () => {
    expectError(
      () => earlyStopping({ monitor: 'f1' as never }),
      'INVALID_ARGUMENT',
      /^earlyStopping: monitor: expected one of 'loss'.* got "f1"/,
    );
    expectError(() => reduceOnPlateau({ monitor: 'f1' as never }), 'INVALID_ARGUMENT', /^reduceOnPlateau: monitor/);
    expectError(() => checkpoint({ path: 'x', monitor: 'f1' as never }), 'INVALID_ARGUMENT', /^checkpoint: monitor/);
    expectError(() => checkpoint({ path: 'x', mode: 'max' }), 'INVALID_ARGUMENT', /^checkpoint: mode/);
    expectError(() => earlyStopping({ monitor: 5 as never }), 'INVALID_ARGUMENT', /^earlyStopping: monitor/);
    const callbacks = earlyStopping({ monitor: 'f1', mode: 'max' });
    const train = (options: object) => classifier(backend).fit(data, { validation, callbacks, ...options });
    await expectRejection(
      () => train({}),
      'INVALID_ARGUMENT',
      /there is no f1: this fit has no metric of that name \(it has none\)/,
    );
    await expectRejection(() => train({ metrics: { f2: () => 1 } }), 'INVALID_ARGUMENT', /it has f2/);
    const nan = () => Number.NaN;
    await expectRejection(
      () => train({ metrics: { f1: nan } }),
      'NON_FINITE',
      /^earlyStopping: monitor: f1 is NaN in epoch 0/,
    );
  });

  it('are shown by the progress bar', async () => {
    const lines: string[] = [];
    const callbacks = progressBar({ stream: { write: (text) => lines.push(text) } });
    await classifier(backend).fit(data, { validation, metrics: { f1: () => 0.5 }, callbacks });
    expect(lines).toEqual([expect.stringMatching(/^epoch 1\/1 .* {2}f1 0\.5000 {2}/)]);
  });
});

onBackends('onProgress', (backend) => {
  const data = classData(64);
  const endless = { epochs: Number.POSITIVE_INFINITY, history: 'last', batchSize: 16, shuffle: false } as const;

  /** Trains until so many have been told. */
  async function told(
    count: number,
    source: unknown,
    options: object = {},
    others: Callbacks[] = [],
  ): Promise<Progress[]> {
    const controller = new AbortController();
    const list: Progress[] = [];
    const onProgress = (progress: Progress) => {
      list.push(progress);
      if (list.length === count) controller.abort();
    };
    const own = source === data ? endless : { epochs: Number.POSITIVE_INFINITY, history: 'last' as const };
    const callbacks = [{ onProgress }, ...others];
    const network = classifier(backend);
    await rejection(network.fit(source as never, { ...own, callbacks, signal: controller.signal, ...options }));
    return list;
  }

  it.each<[string, Callbacks[]]>([
    ['that run together', []],
    ['with callbacks between', [{ onEpochEnd() {} }]],
  ])('tells of very short epochs %s, ten times a second', async (_, others) => {
    const begin = performance.now();
    const list = await told(3, data, {}, others);
    expect(performance.now() - begin).toBeLessThan(3000);
    expect(list.length).toBe(3);
    expect(list[2].epoch).toBeGreaterThan(list[0].epoch);
    for (const { steps, step, epochs, secondsLeft, loss, accuracy } of list) {
      expect([steps, epochs]).toEqual([4, Number.POSITIVE_INFINITY]);
      expect(step).toBeLessThanOrEqual(4);
      if (step > 0) expect(secondsLeft).toBe(Number.POSITIVE_INFINITY);
      if (step > 0) expect([loss, accuracy].every(Number.isFinite)).toBe(true);
    }
  });

  it('tells of streams, which it does not hold up', async () => {
    const pages = {
      async *[Symbol.asyncIterator]() {
        for (let i = 0; i < 4; i++) {
          await pause(5);
          yield data.slice(16 * i, 16 * i + 16);
        }
      },
    };
    const hangs: Callbacks = { onProgress: never };
    const list = await told(2, pages, {}, [hangs]);
    expect(list.length).toBe(2);
    for (const { steps, epoch, secondsLeft, loss } of list) {
      expect(steps).toBeUndefined();
      expect(loss === undefined || Number.isFinite(loss)).toBe(true);
      if (epoch > 0) expect(secondsLeft).toBe(Number.POSITIVE_INFINITY);
    }
  });

  it('brings loss and accuracy so far, and the time left', async () => {
    // With rate 0 every epoch gives the same losses; in order, the first steps tell what is so far.
    const network = classifier(backend);
    const optimizer = new Sgd({ learningRate: 0 });
    const rows = classData(4096);
    const list: Progress[] = [];
    const onProgress = (progress: Progress) => void list.push(progress);
    const options = { batchSize: 1, shuffle: false, epochs: 30, optimizer } as const;
    const history = await network.fit(rows, { ...options, callbacks: { onProgress, onEpochEnd() {} } });
    expect(list.length).toBeGreaterThan(0);
    const { batchLosses } = history.epochs[0];
    const probabilities = network.predict(rows);
    for (const { step, loss, accuracy, secondsLeft, epoch, epochs } of list) {
      expect(epochs).toBe(30);
      if (step === 0) {
        expect([loss, accuracy]).toEqual([undefined, undefined]);
        continue;
      }
      const mean = batchLosses.subarray(0, step).reduce((sum, value) => sum + value, 0) / step;
      expect(loss).toBeCloseTo(mean, 9);
      let right = 0;
      for (let i = 0; i < step; i++) {
        const own = [...probabilities.subarray(3 * i, 3 * i + 3)];
        if (own.indexOf(Math.max(...own)) === rows.labels?.[i]) right++;
      }
      expect(accuracy).toBeCloseTo(right / step, 9);
      expect(secondsLeft).toBeGreaterThanOrEqual(0);
      expect(secondsLeft).toBeLessThan((history.seconds + 5) * (30 / (epoch + step / 4096 + 0.01)));
    }
  });

  it('an error in it ends training, of a stream too', async () => {
    const error = new Error('no');
    for (const onProgress of [
      () => {
        throw error;
      },
      async () => {
        throw error;
      },
    ]) {
      await expect(classifier(backend).fit(data, { ...endless, callbacks: { onProgress } })).rejects.toBe(error);
      const stream = { epochs: Number.POSITIVE_INFINITY, history: 'last', callbacks: { onProgress } } as const;
      await expect(classifier(backend).fit([data], stream)).rejects.toBe(error);
    }
  });

  it('is drawn by the bar with loss, accuracy and time', async () => {
    const text: string[] = [];
    const bar = progressBar({ stream: { write: (part) => text.push(part), isTTY: true, columns: 120 } });
    const base = { epoch: 1, epochs: 4, step: 5, steps: 10, samplesPerSecond: 1234 };
    bar.onProgress?.({ ...base, loss: 0.25, accuracy: 0.5, secondsLeft: 3725 });
    bar.onProgress?.({ ...base, steps: undefined, loss: 0.25, accuracy: undefined, secondsLeft: undefined });
    bar.onProgress?.({
      ...base,
      epochs: Number.POSITIVE_INFINITY,
      loss: 0.25,
      accuracy: undefined,
      secondsLeft: Number.POSITIVE_INFINITY,
    });
    expect(text[0]).toContain(
      'epoch 2/4 [===============               ] 50%  loss 0.2500  accuracy 0.5000  1,234 samples/s  1:02:05 left',
    );
    expect(text[1]).toContain('epoch 2/4  5 batches  loss 0.2500  1,234 samples/s');
    expect(text[2]).toMatch(/epoch 2 \[=+ +\] 50% {2}loss 0\.2500 {2}1,234 samples\/s$/);
  });

  it.each([undefined, 0, 40, 80, 200])('is drawn within a terminal of %s columns', async (columns) => {
    const text: string[] = [];
    const stream = { write: (part: string) => text.push(part), isTTY: true, ...(columns !== undefined && { columns }) };
    const bar = progressBar({ stream });
    const base = { epoch: 99, epochs: 100, samplesPerSecond: 1234567, accuracy: 0.5, secondsLeft: 3725 };
    bar.onProgress?.({ ...base, step: 5, steps: 10, loss: 1.16e38 });
    bar.onProgress?.({ ...base, step: 1e9, steps: undefined, loss: 4e-9 });
    const lines = text.map((line) => line.replace('\r\x1b[K', ''));
    for (const line of lines) expect(line.length).toBeLessThan(columns || 80);
    if (columns === 40) return;
    expect(lines[0]).toMatch(/^epoch 100\/100 \[=+ +\] 50% {2}loss 1\.160e\+38 {2}accuracy 0\.5000 {2}1,234,567 /);
    expect(lines[1]).toMatch(/^epoch 100\/100 {2}1000000000 batches {2}loss 4\.000e-9 /);
    expect((lines[0].match(/\[.*\]/) as RegExpMatchArray)[0].length).toBe(columns === 200 ? 32 : 7);
  });

  it('is taken away before an error is printed', async () => {
    const text: string[] = [];
    const bar = progressBar({ stream: { write: (part) => text.push(part), isTTY: true } });
    const stop = { onProgress: () => Promise.reject(new Error('of the caller')) };
    await expect(classifier(backend).fit(data, { ...endless, callbacks: [bar, stop] })).rejects.toThrow(
      'of the caller',
    );
    expect(text.length).toBeGreaterThan(1);
    expect(text.at(-1)).toBe('\r\x1b[K');
  });

  it('is followed by figures that four decimals would hide', async () => {
    const lines: string[] = [];
    const bar = progressBar({ stream: { write: (line) => lines.push(line) } });
    const validation = data;
    const metrics = { tiny: () => -4e-9, huge: () => 1.16e38, none: () => 0, odd: () => Number.NaN };
    await classifier(backend).fit(data, { validation, metrics, callbacks: bar });
    expect(lines[0]).toContain('  tiny -4.000e-9  huge 1.160e+38  none 0.0000  odd NaN  ');
  });
});
