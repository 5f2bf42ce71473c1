import { expect, it } from 'vitest';
import {
  type Callbacks,
  dense,
  type EpochLog,
  exponential,
  inverseTime,
  relu,
  type ScheduleTime,
  Sgd,
  stepDecay,
  type TrainingStart,
} from '../../lib/index.js';
import { classData, classifier, distance, expectFinite, expectSameBits, onBackends, weights } from './support.js';

onBackends('callbacks of fit', (backend) => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 10));

  it('come in order, list by list, and are awaited', async () => {
    const calls: string[] = [];
    let active = 0;
    // A hook that is not awaited would still be on when the next one is called, or when fit has resolved.
    const record = async (text: string) => {
      expect(active++, text).toBe(0);
      await pause();
      calls.push(text);
      active--;
    };
    const recorder = (name: string): Callbacks => ({
      onTrainBegin: ({ settings, ...start }) => record(`${name} begin ${JSON.stringify(start)}`),
      onEpochBegin: (epoch) => record(`${name} epoch ${epoch}`),
      onEpochEnd: (log) => record(`${name} end ${log.epoch} ${log.validation !== undefined}`),
      onTrainEnd: (history) => record(`${name} done ${history.epochs.length}`),
    });
    const data = classData(10);
    await classifier(backend).fit(data, {
      epochs: 2,
      initialEpoch: 3,
      validation: data,
      callbacks: [recorder('a'), recorder('b')],
    });
    expect(active).toBe(0);
    const both = (text: string) => [`a ${text}`, `b ${text}`];
    expect(calls).toEqual([
      ...both('begin {"epochs":2,"initialEpoch":3,"samples":10}'),
      ...both('epoch 3'),
      ...both('end 3 true'),
      ...both('epoch 4'),
      ...both('end 4 true'),
      ...both('done 2'),
    ]);
  });

  it('are told the settings, as plain data', async () => {
    const seen: TrainingStart[] = [];
    const network = classifier(backend);
    await network.fit(classData(10), {
      optimizer: new Sgd({ learningRate: exponential({ initial: 0.1, factor: 0.5 }) }),
      batchSize: 4,
      shuffle: false,
      callbacks: { onTrainBegin: (start) => void seen.push(start) },
    });
    const [{ settings }] = seen;
    expect(JSON.parse(JSON.stringify(settings))).toEqual(settings);
    expect(settings).toMatchObject({
      network: { input: [6], layers: network.layers.map(({ type }) => ({ type })), seed: network.seed },
      parameters: network.parameterCount,
      backend,
      optimizer: {
        kind: 'sgd',
        options: { learningRate: { schedule: { kind: 'exponential', argument: { initial: 0.1, factor: 0.5 } } } },
      },
      batchSize: 4,
      sampling: 'inOrder',
      accumulate: 1,
    });
  });

  it('can stop training after an epoch', async () => {
    const ended: number[] = [];
    const callbacks: Callbacks = {
      onEpochEnd: (log, training) => {
        if (log.epoch === 1) training.stop();
      },
      onTrainEnd: (history) => void ended.push(history.epochs.length),
    };
    const data = classData(10);
    expect((await classifier(backend).fit(data, { epochs: 50, callbacks })).epochs.length).toBe(2);
    const stream = { [Symbol.iterator]: () => [{ x: data.row(0), y: [0] }][Symbol.iterator]() };
    expect((await classifier(backend).fit(stream, { epochs: 50, callbacks })).epochs.length).toBe(2);
    expect(ended).toEqual([2, 2]);
  });

  it.each(['onTrainBegin', 'onEpochBegin', 'onEpochEnd', 'onTrainEnd'] as const)(
    'an error in %s rejects fit and frees the network',
    async (hook) => {
      const network = classifier(backend);
      const error = new Error('of the caller');
      const fail = () => {
        throw error;
      };
      await expect(network.fit(classData(10), { callbacks: { [hook]: fail } })).rejects.toBe(error);
      expect((await network.fit(classData(10), { callbacks: { [hook]: async () => {} } })).epochs.length).toBe(1);
    },
  );

  it('onTrainFail is told once why fit rejects, and can not hide it', async () => {
    const network = classifier(backend);
    const told: unknown[] = [];
    const error = new Error('of the caller');
    const throwing = {
      onTrainFail: () => {
        throw new Error('another');
      },
    };
    const rejecting = {
      onTrainFail: async () => {
        throw new Error('a third');
      },
    };
    const endless = { onTrainFail: () => new Promise<void>(() => {}) };
    const watch = { onTrainFail: (reason: unknown) => void told.push(reason) };
    for (const hook of ['onTrainBegin', 'onEpochEnd', 'onTrainEnd']) {
      const failing = {
        [hook]: () => {
          throw error;
        },
      };
      const callbacks = [throwing, rejecting, endless, watch, failing];
      await expect(network.fit(classData(10), { callbacks })).rejects.toBe(error);
    }
    expect(told).toEqual([error, error, error]);
    const controller = new AbortController();
    const abort = { onEpochEnd: () => controller.abort(error) };
    const options = { epochs: 100, signal: controller.signal, callbacks: [watch, abort] };
    await expect(network.fit(classData(10), options)).rejects.toBe(error);
    expect(told).toHaveLength(4);
    await network.fit(classData(10), { callbacks: watch });
    await expect(network.fit(classData(10), { epochs: -1, callbacks: watch })).rejects.toThrow();
    expect(told, 'neither a success nor what never began').toHaveLength(4);
  });

  it('are those of the list when fit is called', async () => {
    const calls: string[] = [];
    const list: Callbacks[] = [
      { onTrainBegin: () => void calls.push('begin'), onTrainEnd: () => void calls.push('end') },
    ];
    const run = classifier(backend).fit(classData(10), { callbacks: list });
    list[0] = { onTrainEnd: () => void calls.push('other') };
    list.push({ onTrainEnd: () => void calls.push('another') });
    await run;
    expect(calls).toEqual(['begin', 'end']);
  });

  it('that abort or dispose reject fit, also as the last thing that runs', async () => {
    const data = classData(10);
    const places = [
      ['onTrainBegin', 0],
      ['onTrainEnd', 0],
      ['onEpochEnd', 1],
      ['onTrainEnd', 1],
      ['metric', 1],
    ] as const;
    for (const [place, epochs] of places) {
      for (const dispose of [false, true]) {
        const network = classifier(backend);
        const controller = new AbortController();
        const end = () => (dispose ? network.dispose() : controller.abort(new Error('enough')));
        const calls: string[] = [];
        const callbacks: Callbacks = {
          onTrainBegin: () => void (place === 'onTrainBegin' && end()),
          onEpochEnd: () => void (place === 'onEpochEnd' && end()),
          onTrainEnd() {
            calls.push('end');
            if (place === 'onTrainEnd') end();
          },
          onTrainFail: () => void calls.push('fail'),
        };
        const own = () => {
          if (place === 'metric') end();
          return 1;
        };
        const run = network.fit(data, {
          epochs,
          callbacks,
          metrics: { own },
          validation: data,
          signal: controller.signal,
        });
        const reason = dispose ? { code: 'NETWORK_DISPOSED' } : { message: 'enough' };
        await expect(run, `${place} ${dispose}`).rejects.toMatchObject(reason);
        expect(calls).toEqual(place === 'onTrainEnd' ? ['end', 'fail'] : ['fail']);
        if (!dispose) expect((await network.fit(data)).epochs).toHaveLength(1);
      }
    }
  });

  it('an error in onProgress rejects fit, too', async () => {
    const network = classifier(backend, { layers: [dense(512), relu(), dense(512), relu(), dense(3)] });
    const error = new Error('of the caller');
    const onProgress = () => {
      throw error;
    };
    await expect(network.fit(classData(20000), { batchSize: 1, callbacks: { onProgress } })).rejects.toBe(error);
    expectFinite(network);
    expect((await network.fit(classData(10))).epochs.length).toBe(1);
  });

  it('onProgress sees the run go on', async () => {
    const seen: number[] = [];
    // Several times as long as the time between two calls.
    const rows = backend === 'native' ? 100_000 : 20_000;
    const network = classifier(backend, { layers: [dense(512), relu(), dense(512), relu(), dense(3)] });
    const callbacks: Callbacks = {
      onProgress({ step, steps, epoch, epochs, samplesPerSecond }) {
        seen.push(step);
        expect([epoch, epochs, steps]).toEqual([0, 1, rows / 32]);
        if (step > 0) expect(samplesPerSecond).toBeGreaterThan(0);
      },
      onEpochEnd: () => {},
    };
    const controller = new AbortController();
    const run = network.fit(classData(rows), { callbacks, signal: controller.signal });
    if (backend === 'typescript') setTimeout(() => controller.abort(), 350);
    await run.catch(() => {});
    expect(seen.at(-1)).toBeGreaterThan(0);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  });

  it('may be objects of a class with fields of their own', async () => {
    class Recorder implements Callbacks {
      logs: EpochLog[] = [];
      onEpochEnd(log: EpochLog) {
        this.logs.push(log);
      }
    }
    const recorder = new Recorder();
    await classifier(backend).fit(classData(10), { epochs: 2, callbacks: recorder });
    expect(recorder.logs.length).toBe(2);
  });
});

onBackends('schedules in fit', (backend) => {
  it('see each step and epoch once, and the log has the rate of the last step', async () => {
    const seen: ScheduleTime[] = [];
    const learningRate = (time: ScheduleTime) => {
      seen.push({ ...time });
      return 0.1 / (1 + time.step);
    };
    const network = classifier(backend);
    const history = await network.fit(classData(10), {
      batchSize: 4,
      epochs: 2,
      initialEpoch: 5,
      optimizer: new Sgd({ learningRate }),
    });
    expect(seen).toEqual([5, 5, 5, 6, 6, 6].map((epoch, step) => ({ step, epoch })));
    expect(history.epochs.map((log) => log.learningRate)).toEqual([0.1 / 3, 0.1 / 6]);
  });

  it('set the rate that the step takes', async () => {
    const before = weights(classifier(backend));
    const network = classifier(backend);
    const learningRate = ({ step }: ScheduleTime) => (step === 0 ? 0 : 1);
    const optimizer = new Sgd({ learningRate });
    await network.fit(classData(10), { optimizer });
    expectSameBits(weights(network), before);
    await network.fit(classData(10), { optimizer });
    expect(distance(weights(network), before)).toBeGreaterThan(0.01);
  });

  it('of the library', () => {
    const rates = (schedule: (time: ScheduleTime) => number) =>
      [0, 1, 2, 5].map((epoch) => schedule({ step: 99, epoch }));
    expect(rates(inverseTime({ initial: 1, rate: 0.5 }))).toEqual([1, 1 / 1.5, 1 / 2, 1 / 3.5]);
    expect(rates(inverseTime({ initial: 1, rate: 0.5, interval: 2 }))).toEqual([1, 1, 1 / 1.5, 1 / 2]);
    expect(rates(exponential({ initial: 2, factor: 0.25, interval: 2 }))).toEqual([2, 1, 0.5, 2 * 0.25 ** 2.5]);
    expect(rates(stepDecay({ initial: 1, factor: 0.1, interval: 2 }))).toEqual([1, 1, 0.1, 0.1 ** 2]);
  });
});
