import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import {
  Adam,
  conv2d,
  dense,
  flatten,
  type LayerSpec,
  maxPool2d,
  Network,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { classData, describeNative, onBackends } from '../api/support.js';

interface Beat {
  /** Longest time between two ticks of a 5 ms timer, less what the thread waited for a core, in milliseconds. */
  readonly worst: number;
  readonly ticks: number;
  readonly milliseconds: number;
}

/**
 * Milliseconds that this thread has waited for a core so far, as Linux tells: what other processes do is not the
 * library's.
 */
function waitedForCore(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

async function beatDuring(job: () => Promise<unknown>): Promise<Beat> {
  let [worst, ticks] = [0, 0];
  const begin = performance.now();
  let [last, lastWaited] = [begin, waitedForCore()];
  const timer = setInterval(() => {
    const [now, waited] = [performance.now(), waitedForCore()];
    worst = Math.max(worst, now - last - (waited - lastWaited));
    [last, lastWaited] = [now, waited];
    ticks++;
  }, 5);
  try {
    await job();
  } finally {
    clearInterval(timer);
  }
  return { worst, ticks, milliseconds: performance.now() - begin };
}

/** Trains for about `seconds`, whatever the machine's speed, in one epoch. */
async function trainFor(backend: BackendName, layers: LayerSpec[], batchSize: number, seconds: number): Promise<Beat> {
  const network = new Network({ input: [64], layers, loss: softmaxCrossEntropy(), seed: 1, backend });
  const data = classData(4096, 64);
  // The first fit compiles its program and gets its memory.
  const fits = [await network.fit(data.take(1024), { batchSize }), await network.fit(data.take(1024), { batchSize })];
  const probe = Math.min(...fits.map(({ seconds }) => seconds)) / 1024;
  const rows = Math.max(1024, Math.min(4096, Math.floor(seconds / probe)));
  const epochs = Math.max(1, Math.round(seconds / (probe * rows)));
  return beatDuring(() => network.fit(data.take(rows), { batchSize, epochs }));
}

/** The machine may be busy with other things: the best of a few attempts is what the library does. */
async function bestOf(attempts: number, limit: number, measure: () => Promise<Beat>): Promise<Beat> {
  let best = await measure();
  for (let i = 1; i < attempts && best.worst >= limit; i++) {
    const next = await measure();
    if (next.worst < best.worst) best = next;
  }
  return best;
}

describeNative('the event loop during fit', () => {
  it('turns as if nothing was on', async () => {
    const layers = () => [dense(512), relu(), dense(512), relu(), dense(3)];
    const beat = await bestOf(3, 50, () => trainFor('native', layers(), 64, 2));
    expect(beat.milliseconds).toBeGreaterThan(500);
    expect(beat.worst).toBeLessThan(50);
    expect(beat.ticks).toBeGreaterThan(beat.milliseconds / 25);
  });
});

describeNative('the event loop at the beginning of an epoch', () => {
  it('turns while the learning rates of millions of steps are worked out', async () => {
    const rows = 4_000_000;
    const features = new Float32Array(new SharedArrayBuffer(4 * rows));
    const labels = new Int32Array(new SharedArrayBuffer(4 * rows));
    const data = { length: rows, shape: [1], features, labels, scale: 1, offset: 0 };
    const network = new Network({
      input: [1],
      layers: [dense(2)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'native',
    });
    let steps = 0;
    const learningRate = ({ step }: { step: number }) => {
      steps++;
      return 1 / (1 + step);
    };
    const beat = await bestOf(3, 50, () => {
      const controller = new AbortController();
      return beatDuring(async () => {
        const run = network.fit(data, {
          batchSize: 1,
          optimizer: new Adam({ learningRate }),
          signal: controller.signal,
        });
        while (steps < rows) await new Promise((resolve) => setTimeout(resolve, 5));
        steps = 0;
        controller.abort();
        await run.catch(() => {});
      });
    });
    expect(beat.worst).toBeLessThan(50);
    expect(beat.ticks).toBeGreaterThan(5);
  });
});

onBackends('the event loop with a small network', (backend) => {
  it('turns during fit and evaluate', async () => {
    const layers = () => [dense(32), relu(), dense(3)];
    const beat = await bestOf(3, 100, () => trainFor(backend, layers(), 16, 0.5));
    expect(beat.worst).toBeLessThan(100);
    expect(beat.ticks).toBeGreaterThan(beat.milliseconds / 25);
    const network = new Network({ input: [64], layers: layers(), loss: softmaxCrossEntropy(), seed: 1, backend });
    const data = classData(4096, 64);
    const evaluation = await bestOf(3, 100, () =>
      beatDuring(async () => {
        for (let i = 0; i < 20; i++) await network.evaluate(data);
      }),
    );
    expect(evaluation.worst).toBeLessThan(100);
  });
});

describeNative('predict while another network trains', () => {
  it('does not wait for a step of it', async () => {
    const network = new Network({
      input: [28, 28, 1],
      layers: [
        conv2d(32, { padding: 1 }),
        relu(),
        conv2d(32, { padding: 1 }),
        relu(),
        maxPool2d(),
        flatten(),
        dense(3),
      ],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'native',
    });
    const layers = [dense(512), relu(), dense(512), relu(), dense(10)];
    // Rows enough to be worked on by several threads.
    const other = new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
    const x = new Float32Array(64 * 784).fill(0.5);
    const expected = other.predict(x);
    const data = { length: 2048, shape: [28, 28, 1], scale: 1, offset: 0, ...columns(2048, 784) };
    const batchSize = 1024;
    await network.fit(data, { batchSize });
    const [{ seconds }] = (await network.fit(data, { batchSize })).epochs;
    const controller = new AbortController();
    const run = network.fit(data, { batchSize, epochs: 1000, signal: controller.signal }).catch(() => {});
    const times: number[] = [];
    let last: Float32Array = expected;
    for (let i = 0; i < 60; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const begin = performance.now();
      last = other.predict(x);
      times.push(performance.now() - begin);
    }
    controller.abort();
    await run;
    expect([...last]).toEqual([...expected]);
    // A step takes some hundred milliseconds; the median shows who waits for it.
    expect(times.sort((a, b) => a - b)[30]).toBeLessThan(Math.max(10, (1000 * seconds) / 20));
  });
});

function columns(rows: number, width: number) {
  const features = new Float32Array(new SharedArrayBuffer(4 * rows * width));
  const labels = new Int32Array(new SharedArrayBuffer(4 * rows));
  for (let i = 0; i < features.length; i++) features[i] = (i % 97) / 97;
  for (let i = 0; i < rows; i++) labels[i] = i % 3;
  return { features, labels };
}

describeNative('the event loop during predictAsync and evaluate', () => {
  const layers = () => [dense(100), relu(), dense(100), relu(), dense(10)];
  const network = () =>
    new Network({ input: [784], layers: layers(), loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });

  it('turns while 188 MB of ordinary numbers are copied', async () => {
    const rows = 60_000;
    const x = new Float32Array(rows * 784).fill(0.25);
    const own = network();
    await own.predictAsync(x.subarray(0, 784 * 512));
    let outputs: Float32Array = new Float32Array(0);
    const beat = await bestOf(4, 20, () =>
      beatDuring(async () => {
        outputs = await own.predictAsync(x);
      }),
    );
    expect(beat.worst).toBeLessThan(20);
    expect([...outputs.subarray(0, 10)]).toEqual([...own.predict(x.subarray(0, 784 * 512)).subarray(0, 10)]);
    expect(outputs.length).toBe(rows * 10);
    const labels = new Int32Array(rows);
    const data = { length: rows, shape: [784], features: x, labels, scale: 1, offset: 0 };
    const evaluation = await bestOf(4, 20, () => beatDuring(() => own.evaluate(data)));
    expect(evaluation.worst).toBeLessThan(20);
  });

  it('turns while a large network is copied and checked between epochs', async () => {
    const large = new Network({
      input: [784],
      layers: [dense(4096), relu(), dense(2048), relu(), dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'native',
    });
    const data = { length: 8, shape: [784], scale: 1, offset: 0, ...columns(8, 784) };
    const optimizer = new Adam();
    const train = () => large.fit(data, { epochs: 4, batchSize: 8, optimizer, callbacks: { onEpochEnd() {} } });
    await train();
    const beat = await bestOf(4, 30, () => beatDuring(train));
    expect(beat.worst).toBeLessThan(30);
  });
});
