import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import { dense, Network, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { nativeMissing } from '../api/support.js';
import { reportOf, runFixture } from './child.js';

afterEach(() => {
  vi.useRealTimers();
});

const backends = (['typescript', 'native'] as const).filter((name) => name !== 'native' || !nativeMissing());

describe.each(backends)('under fake timers, %s', (backend) => {
  const create = () => new Network({ input: [2], layers: [dense(2)], loss: softmaxCrossEntropy(), seed: 1, backend });
  const data = new Dataset({
    features: [
      [1, 2],
      [3, 4],
    ],
    labels: [0, 1],
  });

  it('trains, evaluates and predicts', async () => {
    vi.useFakeTimers();
    const network = create();
    const history = await network.fit(data, { optimizer: new Sgd(), epochs: 2, callbacks: { onProgress() {} } });
    expect(history.epochs.length).toBe(2);
    expect((await network.evaluate(data)).loss).toBeGreaterThan(0);
    expect((await network.predictAsync([[1, 2]])).length).toBe(2);
  });

  it('an abort ends a training that waits for its data', async () => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const training = create().fit(
      {
        async *[Symbol.asyncIterator]() {
          controller.abort();
          await new Promise(() => {});
          yield { x: [[1, 2]], y: [0] };
        },
      },
      { optimizer: new Sgd(), signal: controller.signal },
    );
    await expect(training).rejects.toMatchObject({ name: 'AbortError' });
  });
});

it("files are read where the globals lack Node's", () => {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-'));
  try {
    const env = { BLASNET_BINARY: 'none' };
    expect(reportOf(runFixture('few-globals', { args: [folder], env }))).toEqual({ read: ['tfjs', 'onnx', 'csv'] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
