import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { dense, type FitOptions, Network, relu, Sgd } from '../../lib/index.js';
import {
  classData,
  classifier,
  expectError,
  expectFinite,
  expectRejection,
  expectSameBits,
  onBackends,
  randomFloats,
  rejection,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

const folder = mkdtempSync(join(tmpdir(), 'blasnet-busy-'));
const checkpoint = join(folder, 'checkpoint.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

onBackends('a network', (backend) => {
  const data = classData(5000);
  /** A network whose training on `data` takes seconds on either backend. */
  const slow = () => classifier(backend, { layers: [dense(256), relu(), dense(256), relu(), dense(3)] });
  /** One epoch of it takes seconds, in which only a run that is asked to stop ends. */
  const longData = classData(60000);
  const long: FitOptions = { epochs: 10000, batchSize: 8 };
  const x = randomFloats(6);

  const asynchronous: [string, (network: Network) => Promise<unknown>][] = [
    ['fit', (network) => network.fit(data)],
    ['fit with a stream', (network) => network.fit([data])],
    ['evaluate', (network) => network.evaluate(data)],
    ['predictAsync', (network) => network.predictAsync(x)],
  ];
  const synchronous: [string, (network: Network) => unknown][] = [
    ['predict', (network) => network.predict(x)],
    ['forward', (network) => network.forward(x)],
    ['gradients', (network) => network.gradients(x, [0])],
    ['trainBatch', (network) => network.trainBatch(x, [0], new Sgd())],
    ['applyGradients', (network) => network.applyGradients(new Sgd())],
  ];

  async function expectCode(code: 'NETWORK_BUSY' | 'NETWORK_DISPOSED', network: Network): Promise<void> {
    for (const [, call] of asynchronous) await expectRejection(() => call(network), code, /^network: /);
    for (const [, call] of synchronous) expectError(() => call(network), code, /^network: /);
  }

  it('that trains is busy: every other call says so at once', async () => {
    const network = slow();
    const controller = new AbortController();
    const run = network.fit(data, { ...long, signal: controller.signal });
    await expectCode('NETWORK_BUSY', network);
    await pause(30);
    await expectCode('NETWORK_BUSY', network);
    controller.abort();
    await rejection(run);
    expect(network.predict(x).length).toBe(3);
  });

  it('that evaluates is busy', async () => {
    const network = slow();
    const run = network.evaluate(data);
    await expectCode('NETWORK_BUSY', network);
    expect((await run).loss).toBeGreaterThan(0);
    expect((await network.evaluate(data)).loss).toBeGreaterThan(0);
  });

  it('that waits for a stream is busy', async () => {
    const network = slow();
    let give = () => {};
    const gate = new Promise<void>((resolve) => {
      give = resolve;
    });
    async function* stream() {
      await gate;
      yield data;
    }
    const run = network.fit(stream());
    await pause(5);
    await expectCode('NETWORK_BUSY', network);
    give();
    expect((await run).epochs.length).toBe(1);
  });

  it('that is disposed can not be used any more, and may be disposed again', async () => {
    const network = classifier(backend);
    network.dispose();
    await expectCode('NETWORK_DISPOSED', network);
    expectError(() => network.program, 'NETWORK_DISPOSED', /^network/);
    network.dispose();
    const other = classifier(backend);
    other[Symbol.dispose]();
    await expectCode('NETWORK_DISPOSED', other);
    expect(other.parameters[0].value.length, 'views stay readable').toBe(48);
  });

  it.each([0, 1, 40])('that is disposed during fit rejects it (after %d ms)', async (milliseconds) => {
    const network = slow();
    const run = network.fit(longData, { batchSize: 1 });
    const rejected = expectRejection(() => run, 'NETWORK_DISPOSED', /^network: it was disposed/);
    if (milliseconds > 0) await pause(milliseconds);
    network.dispose();
    const begin = performance.now();
    await rejected;
    expect(performance.now() - begin).toBeLessThan(1000);
    await expectCode('NETWORK_DISPOSED', network);
  });

  it('that is disposed during evaluate or in a callback rejects', async () => {
    const network = slow();
    const run = network.evaluate(data);
    network.dispose();
    await expectRejection(() => run, 'NETWORK_DISPOSED', /disposed/);
    const other = slow();
    const fitting = other.fit(classData(10), { epochs: 3, callbacks: { onEpochEnd: () => other.dispose() } });
    await expectRejection(() => fitting, 'NETWORK_DISPOSED', /disposed/);
  });

  it('refuses to start with an aborted signal', async () => {
    const network = classifier(backend);
    const before = weights(network);
    const reason = new Error('not today');
    const signal = AbortSignal.abort(reason);
    await expect(network.fit(data, { signal })).rejects.toBe(reason);
    await expect(network.fit([data], { signal })).rejects.toBe(reason);
    await expect(network.evaluate(data, { signal })).rejects.toBe(reason);
    expectSameBits(weights(network), before);
    await expect(network.fit(data, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    expect((await network.fit(classData(10))).epochs.length).toBe(1);
  });

  it.each([0, 5, 60])('stops when its signal is aborted (after %d ms)', async (milliseconds) => {
    const network = slow();
    const controller = new AbortController();
    const reason = { of: 'the caller' };
    const optimizer = new Sgd({ momentum: 0.5 });
    const run = network.fit(longData, { batchSize: 1, optimizer, signal: controller.signal });
    const rejected = rejection(run);
    await pause(milliseconds);
    controller.abort(reason);
    const begin = performance.now();
    expect(await rejected).toBe(reason);
    expect(performance.now() - begin).toBeLessThan(1000);
    expectFinite(network);
    expect((await network.fit(classData(10), { optimizer })).epochs.length, 'the network is usable').toBe(1);
  });

  it('stopped by its signal it has counted the epochs that it ended', async () => {
    // Epochs of a single step, many of which run together.
    const network = classifier(backend, { input: [6] });
    const few = classData(8);
    const controller = new AbortController();
    const optimizer = new Sgd({ learningRate: 1e-3 });
    const options = { batchSize: 8, optimizer, signal: controller.signal };
    await network.fit(few, { ...options, epochs: 20 });
    const run = rejection(network.fit(few, { ...options, epochs: Number.POSITIVE_INFINITY }));
    await pause(30);
    controller.abort();
    await run;
    expect(optimizer.steps).toBeGreaterThanOrEqual(20);
    await network.save(checkpoint, { optimizer });
    expect((await Network.loadCheckpoint(checkpoint)).epoch).toBe(optimizer.steps);
  });

  it('stopped by its signal it stands where that many whole steps lead', async () => {
    const network = slow();
    const controller = new AbortController();
    const optimizer = new Sgd({ learningRate: 0.01, momentum: 0.5 });
    const run = rejection(network.fit(data, { ...long, shuffle: false, optimizer, signal: controller.signal }));
    await pause(60);
    controller.abort();
    await run;
    const twin = slow();
    const steps = optimizer.steps;
    expect(steps).toBeGreaterThan(0);
    const other = new Sgd({ learningRate: 0.01, momentum: 0.5 });
    const epochs = Math.floor(steps / 625);
    await twin.fit(data, { batchSize: 8, epochs, shuffle: false, optimizer: other });
    if (steps % 625 > 0)
      await twin.fit(data.take(8 * (steps % 625)), { batchSize: 8, shuffle: false, optimizer: other });
    expect(other.steps).toBe(steps);
    expectSameBits(weights(network), weights(twin));
  });

  it('stops evaluate and validation when the signal is aborted', async () => {
    const network = slow();
    const controller = new AbortController();
    const run = rejection(network.evaluate(longData, { batchSize: 1, signal: controller.signal }));
    await pause(20);
    controller.abort(new Error('enough'));
    expect(await run).toMatchObject({ message: 'enough' });
    const second = new AbortController();
    const validation = longData;
    const callbacks = { onEpochBegin: () => void setTimeout(() => second.abort(new Error('in validation')), 10) };
    const fitting = network.fit(classData(8), { validation, callbacks, signal: second.signal, epochs: 1000 });
    await expect(fitting).rejects.toMatchObject({ message: 'in validation' });
    expect(network.predict(x).length).toBe(3);
  });

  it('stops while the rates of a long epoch are computed', async () => {
    const stepsPerEpoch = 4e6;
    for (const dispose of [false, true]) {
      const network = classifier(backend);
      const before = weights(network).map((values) => values.slice());
      const controller = new AbortController();
      let rates = 0;
      const learningRate = () => {
        rates++;
        return 0.1;
      };
      const { signal } = controller;
      const options = { sampling: 'withReplacement', batchSize: 1, stepsPerEpoch, signal } as const;
      const run = rejection(network.fit(data, { ...options, optimizer: new Sgd({ learningRate }) }));
      setImmediate(() => (dispose ? network.dispose() : controller.abort('enough')));
      const error = await run;
      if (dispose) expect(error).toMatchObject({ code: 'NETWORK_DISPOSED' });
      else expect(error).toBe('enough');
      expect(rates).toBeLessThan(stepsPerEpoch);
      if (!dispose) expectSameBits(weights(network), before);
    }
  });

  it('leaves no listener on a signal that lives on', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const [add, remove] = [signal.addEventListener, signal.removeEventListener];
    signal.addEventListener = (...args: unknown[]) => {
      listeners++;
      add.apply(signal, any(args));
    };
    signal.removeEventListener = (...args: unknown[]) => {
      listeners--;
      remove.apply(signal, any(args));
    };
    await classifier(backend).fit(classData(10), { epochs: 20, signal, validation: classData(3) });
    await classifier(backend).fit([classData(10)], { signal });
    expect(listeners).toBe(0);
  });

  it('runs beside others of its kind', async () => {
    const networks = [1, 2, 3, 4].map((seed) => classifier(backend, { seed }));
    const alone = classifier(backend, { seed: 3 });
    const options = { epochs: 3, batchSize: 16 };
    const small = classData(400);
    await Promise.all(networks.map((network) => network.fit(small, options)));
    await alone.fit(small, options);
    expectSameBits(weights(networks[2]), weights(alone));
  });
});
