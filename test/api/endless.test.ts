import { expect, it } from 'vitest';
import { type FitOptions, Sgd, warmUp } from '../../lib/index.js';
import { classData, classifier, expectRejection, expectSameBits, onBackends, rejection, weights } from './support.js';

onBackends('the history of fit', (backend) => {
  const data = classData(10);
  const trained = (options: FitOptions) => classifier(backend).fit(data, { optimizer: new Sgd(), ...options });

  it.each([
    ['all', 25],
    ['last', 1],
    [7, 7],
    [25, 25],
    [1000, 25],
  ] as const)('%s: keeps the last %d logs of 25', async (history, kept) => {
    const all = await trained({ epochs: 25 });
    for (const callbacks of [[], [{ onEpochEnd() {} }]]) {
      const some = await trained({ epochs: 25, history, callbacks });
      expect(some.epochs.map(({ epoch }) => epoch)).toEqual(all.epochs.slice(-kept).map(({ epoch }) => epoch));
      expect(some.loss).toEqual(all.loss.slice(-kept));
      expect(some.seconds).toBeLessThanOrEqual(all.seconds * 1000);
    }
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 'none', null])('refuses %s', async (history) => {
    await expectRejection(() => trained({ history: history as never }), 'INVALID_ARGUMENT', /^fit: history: expected/);
  });

  it('of the last epoch: many short epochs take no more memory than few', async () => {
    const run = (epochs: number) => trained({ epochs, history: 'last', batchSize: 10 });
    await run(2000);
    const used = () => {
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    const history = await run(30000);
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual([29999]);
    // Without a call of the collector some of what is no longer used is counted; 30,000 logs would take 10 MB at least.
    if (globalThis.gc !== undefined) expect(used() - before).toBeLessThan(2e6);
  });
});

onBackends('training without end', (backend) => {
  const data = classData(10);
  const endless = { epochs: Number.POSITIVE_INFINITY, history: 'last' } as const;

  it('ends when the signal is aborted', async () => {
    for (const source of [data, [data]]) {
      const controller = new AbortController();
      const optimizer = new Sgd({ learningRate: warmUp({ after: 0.1, epochs: 5 }) });
      const network = classifier(backend);
      const run = rejection(network.fit(source, { ...endless, optimizer, signal: controller.signal }));
      setTimeout(() => controller.abort(new Error('enough')), 60);
      expect(await run).toMatchObject({ message: 'enough' });
      expect(optimizer.steps).toBeGreaterThan(0);
      expect((await network.fit(data)).epochs.length).toBe(1);
    }
  });

  it('ends when a callback stops it, with the bits of a training of that many epochs', async () => {
    const starts: unknown[] = [];
    const network = classifier(backend);
    const history = await network.fit(data, {
      ...endless,
      optimizer: new Sgd(),
      callbacks: {
        onTrainBegin: (start) => void starts.push(start),
        onEpochEnd: ({ epoch }, training) => {
          if (epoch === 11) training.stop();
        },
      },
    });
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual([11]);
    expect(starts).toMatchObject([{ epochs: Number.POSITIVE_INFINITY, initialEpoch: 0, samples: 10 }]);
    const expected = classifier(backend);
    await expected.fit(data, { epochs: 12, optimizer: new Sgd() });
    expectSameBits(weights(network), weights(expected));
  });

  it('ends when the network is disposed', async () => {
    const network = classifier(backend);
    const run = rejection(network.fit(data, endless));
    setTimeout(() => network.dispose(), 20);
    expect(await run).toMatchObject({ code: 'NETWORK_DISPOSED' });
  });
});

onBackends('numbers of epochs', (backend) => {
  const data = classData(4);

  it.each([
    { epochs: Number.NaN },
    { epochs: Number.NEGATIVE_INFINITY },
    { epochs: 2 ** 53 },
    { epochs: 2 ** 53 - 1, initialEpoch: 1 },
    { initialEpoch: 2 ** 32 },
    { initialEpoch: Number.POSITIVE_INFINITY },
  ])('%o is refused', async (options) => {
    await expectRejection(
      () => classifier(backend).fit(data, options),
      'INVALID_ARGUMENT',
      /^fit: (epochs|initialEpoch): expected/,
    );
  });

  it('the shuffle goes on past 2^32 epochs, and a bad row is still named', async () => {
    const network = classifier(backend);
    const last = 2 ** 32 - 1;
    const history = await network.fit(data, { epochs: 2, initialEpoch: last, batchSize: 2 });
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual([last, last + 1]);
    data.features[9] = Number.NaN;
    const error = await rejection(network.fit(data, { epochs: 2, batchSize: 2 }));
    data.features[9] = 0;
    expect(error).toMatchObject({ code: 'NON_FINITE', details: { row: 1, column: 3 } });
  });
});
