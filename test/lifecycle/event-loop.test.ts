import { expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import { Adam, dense, type LayerSpec, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import { classData, describeNative, onBackends } from '../api/support.js';

interface Beat {
  /** Longest time between two ticks of a 5 ms timer, in milliseconds. */
  readonly worst: number;
  readonly ticks: number;
  readonly milliseconds: number;
}

async function beatDuring(job: () => Promise<unknown>): Promise<Beat> {
  let [worst, ticks] = [0, 0];
  const begin = performance.now();
  let last = begin;
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
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
    const network = new Network({ input: [1], layers: [dense(2)], loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
    let steps = 0;
    const learningRate = ({ step }: { step: number }) => {
      steps++;
      return 1 / (1 + step);
    };
    const beat = await bestOf(3, 50, () => {
      const controller = new AbortController();
      return beatDuring(async () => {
        const run = network.fit(data, { batchSize: 1, optimizer: new Adam({ learningRate }), signal: controller.signal });
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
