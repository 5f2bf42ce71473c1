import { expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import { selectBackend } from '../../lib/backend/select.js';
import {
  Adam,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  gelu,
  type LayerSpec,
  leakyRelu,
  meanSquaredError,
  Network,
  relu,
  Sgd,
  sigmoid,
  softmaxCrossEntropy,
  tanh,
} from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';
import { buildModel } from '../../lib/program/model.js';
import { Engine } from '../../lib/runtime/engine.js';
import { reportOf, runFixture } from '../lifecycle/child.js';
import {
  classData,
  classifier,
  describeNative,
  distance,
  expectSameBits,
  mixedLayers,
  onBackends,
  randomFloats,
  valueData,
  weights,
} from './support.js';

/** Windows, padding and channels of all kinds in front of layers that need their gradients. */
const convolutions = (): LayerSpec[] => [
  conv2d(16, { padding: 1 }),
  relu(),
  conv2d(17, { window: [2, 3], padding: 'same' }),
  tanh(),
  conv2d(3, { window: [3, 1], padding: 1 }),
  flatten(),
  dense(2),
];

/** Wide enough for the native backend to share the work among threads. */
const wide = (): LayerSpec[] => [
  dense(192),
  batchNorm(),
  relu(),
  dropout(0.3),
  dense(160),
  gelu(),
  dropout(0.1),
  dense(3),
];

async function trained(backend: BackendName, layers: LayerSpec[], rows = 300, epochs = 3): Promise<Network> {
  const network = new Network({ input: [6], layers, loss: softmaxCrossEntropy(), seed: 99, backend });
  await network.fit(classData(rows), { epochs, batchSize: 64, optimizer: new Adam({ learningRate: 0.01 }) });
  return network;
}

onBackends('training again from the same seed', (backend) => {
  it('gives the same bits in one process', async () => {
    for (const layers of [mixedLayers, wide]) {
      const [a, b] = [await trained(backend, layers()), await trained(backend, layers())];
      expectSameBits(weights(a), weights(b));
      const other = new Network({ input: [6], layers: layers(), loss: softmaxCrossEntropy(), seed: 98, backend });
      expect(distance([other.parameters[0].value], [a.parameters[0].value])).toBeGreaterThan(0.01);
    }
  });

  it.each(backend === 'native' ? ['1', '2', '3'] : ['1'])(
    'gives the same bits in two processes (BLASNET_THREADS=%s)',
    (threads) => {
      const digests = [0, 1].map(() => {
        const result = runFixture('train-digest', { args: [backend], env: { BLASNET_THREADS: threads } });
        return reportOf<{ digest: string; backend: string; threads: number }>(result);
      });
      expect(digests[0]).toEqual({
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        backend,
        threads: Number(threads),
      });
      expect(digests[1]).toEqual(digests[0]);
    },
  );

  it('gives the same bits whether anybody watches or short epochs are put together', async () => {
    for (const shuffle of [true, false]) {
      const run = async (watched: boolean) => {
        const network = classifier(backend, { layers: mixedLayers() });
        const optimizer = new Adam({ learningRate: ({ epoch, step }) => 0.01 / (1 + epoch + step / 7) });
        const callbacks = watched ? { onEpochEnd() {} } : [];
        const history = await network.fit(classData(30), { epochs: 60, batchSize: 8, shuffle, optimizer, callbacks });
        return {
          network,
          losses: history.epochs.map((log) => [...log.batchLosses]),
          rates: history.epochs.map((log) => log.learningRate),
          steps: optimizer.steps,
        };
      };
      const [watched, unwatched] = [await run(true), await run(false)];
      expectSameBits(weights(unwatched.network), weights(watched.network));
      expect(unwatched.losses).toEqual(watched.losses);
      expect(unwatched.rates).toEqual(watched.rates);
      expect(unwatched.steps).toBe(watched.steps);
    }
  });

  it('gives the same bits in one fit and in several', async () => {
    const [once, thrice] = [
      classifier(backend, { layers: mixedLayers() }),
      classifier(backend, { layers: mixedLayers() }),
    ];
    const data = classData(40);
    await once.fit(data, { epochs: 6, optimizer: new Sgd({ momentum: 0.9 }) });
    const optimizer = new Sgd({ momentum: 0.9 });
    for (const epochs of [1, 3, 2]) await thrice.fit(data, { epochs, optimizer });
    expectSameBits(weights(thrice), weights(once));
  });
});

onBackends('results that must not depend on how they are computed', (backend) => {
  it('evaluate and predict: the size of the batches', async () => {
    const network = await trained(backend, wide());
    const data = classData(1300, 6, 3, 4);
    const all = network.predict(data);
    const reference = await network.evaluate(data);
    for (const batchSize of [1, 7, 64, 1300, 5000]) {
      const { loss, accuracy } = await network.evaluate(data, { batchSize });
      expect(Math.abs(loss / reference.loss - 1)).toBeLessThan(1e-5);
      expect(accuracy).toBe(reference.accuracy);
    }
    for (const row of [0, 511, 512, 1299]) {
      expect(distance([network.predict(data.slice(row, row + 1))], [all.subarray(3 * row, 3 * row + 3)])).toBeLessThan(
        1e-5,
      );
    }
  });

  it('predict: the kind of memory, and features as bytes', () => {
    const network = classifier(backend);
    const x = Float32Array.from({ length: 60 }, (_, i) => (i * 29) % 256);
    const expected = network.predict(x);
    const shared = new Float32Array(new SharedArrayBuffer(256), 16, 60);
    shared.set(x);
    expectSameBits([network.predict(shared)], [expected]);
    expectSameBits([network.predict([...x])], [expected]);
  });

  const programs: [string, number[], () => LayerSpec[]][] = [
    [
      'fusable activations',
      [4],
      () => [dense(9), relu(), dense(8), leakyRelu(), dense(7), tanh(), dense(6), sigmoid(), dense(2)],
    ],
    [
      'activations that are not fused',
      [4],
      () => [dense(9), gelu(), dense(8), batchNorm(), relu(), dropout(0.2), dense(2)],
    ],
    ['wide layers', [4], () => [dense(200), relu(), dense(200), tanh(), dense(2)]],
    ['input gradients of convolutions', [6, 5, 2], convolutions],
  ];
  it.each(programs)('training: the rewrite rules (%s)', async (_, input, layers) => {
    const data = { features: randomFloats(120 * elements(input)), targets: valueData(120).targets };
    const run = async (rewrite: boolean) => {
      const model = buildModel({ input, layers: layers(), loss: meanSquaredError(), regularizer: undefined, seed: 5 });
      const engine = new Engine(model, selectBackend(backend).backend, rewrite);
      const optimizer = new Sgd({ learningRate: 0.05 });
      const source = {
        rows: 120,
        feeds: { features: { values: data.features }, targets: { values: data.targets as Float32Array } },
        goals: [{ target: 'targets', weighted: false }] as const,
      };
      const scalars = new Float64Array(4 * 5).fill(0.05);
      const report = new Float64Array(2 * 4 * 5);
      engine.attach(optimizer);
      engine.runSync({
        kind: 'train',
        source,
        batchSize: 32,
        epochs: 5,
        sampling: 'shuffle',
        optimizer,
        scalars,
        report,
      });
      const output = new Float32Array(240);
      engine.runSync({ kind: 'predict', source: { ...source, goals: [] }, batchSize: 50, results: { output } });
      return [engine.parameters, engine.state, Float32Array.from(report), output];
    };
    expect(distance(await run(true), await run(false))).toBeLessThan(backend === 'native' ? 2e-5 : 1e-6);
  });
});

describeNative('the backends agree', () => {
  const first = async (backend: BackendName, layers: LayerSpec[]) => {
    const network = new Network({ input: [6], layers, loss: softmaxCrossEntropy(), seed: 99, backend });
    const history = await network.fit(classData(500), {
      epochs: 1,
      batchSize: 50,
      optimizer: new Sgd({ learningRate: 0 }),
    });
    return [Float32Array.from(history.epochs[0].batchLosses)];
  };

  it('on shuffles and masks: the losses of an epoch without learning are the same numbers', async () => {
    for (const layers of [mixedLayers, wide]) {
      const [native, typescript] = [await first('native', layers()), await first('typescript', layers())];
      // Another row in a batch or another element dropped would show in the second digit.
      expect(distance(native, typescript)).toBeLessThan(2e-6);
    }
  });

  it('on dropped elements, one by one', () => {
    const forward = (backend: BackendName) => {
      const network = new Network({
        input: [100],
        layers: [dropout(0.37)],
        loss: meanSquaredError(),
        seed: 5,
        backend,
      });
      return [
        network.forward(randomFloats(3700), { training: true }),
        network.forward(randomFloats(3700), { training: true }),
      ];
    };
    const [native, typescript] = [forward('native'), forward('typescript')];
    expectSameBits(native, typescript);
    expect(distance([native[0]], [native[1]])).toBeGreaterThan(0.1);
    const kept = native[0].filter((value) => value !== 0).length / 3700;
    expect(Math.abs(kept - 0.63)).toBeLessThan(5 * Math.sqrt((0.63 * 0.37) / 3700));
  });

  it('on trained weights, within 1e-4, after three epochs', async () => {
    for (const layers of [mixedLayers, wide]) {
      const run = async (backend: BackendName) => {
        const network = new Network({ input: [6], layers: layers(), loss: softmaxCrossEntropy(), seed: 99, backend });
        await network.fit(classData(300), {
          epochs: 3,
          batchSize: 64,
          optimizer: new Sgd({ learningRate: 0.05, momentum: 0.9 }),
        });
        return weights(network);
      };
      expect(distance(await run('native'), await run('typescript'))).toBeLessThan(1e-4);
    }
  });

  it('on predictions of a trained network', async () => {
    const native = await trained('native', wide());
    const typescript = new Network({
      input: [6],
      layers: wide(),
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    [...typescript.parameters, ...typescript.state].forEach(({ value }, i) => value.set(weights(native)[i]));
    const data = classData(700, 6, 3, 8);
    expect(distance([native.predict(data)], [typescript.predict(data)])).toBeLessThan(1e-5);
    const [a, b] = [await native.evaluate(data), await typescript.evaluate(data)];
    expect(a.loss / b.loss - 1).toBeLessThan(1e-5);
    expect(a.accuracy).toBe(b.accuracy);
  });
});

describeNative('the number of threads', () => {
  it('changes the rounding alone', () => {
    const run = (threads: string) => {
      const result = runFixture('train-digest', { args: ['native', 'weights'], env: { BLASNET_THREADS: threads } });
      return [Float32Array.from(reportOf<{ weights: number[] }>(result).weights)];
    };
    expect(distance(run('2'), run('1'))).toBeLessThan(1e-3);
  });

  it('does not change what predict says, with a short batch at the end', () => {
    // Threads that have done with one batch go on to the next: the shares of a short one lie elsewhere.
    const layers = [dense(256), relu(), dense(256), relu(), dense(10)];
    const network = new Network({ input: [256], layers, loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
    const rows = 3 * 512 + 100;
    const x = randomFloats(rows * 256);
    const expected = new Float32Array(rows * 10);
    for (let row = 0; row < rows; row += 512) {
      const end = Math.min(row + 512, rows);
      network.predict(x.subarray(row * 256, end * 256), expected.subarray(row * 10, end * 10));
    }
    const out = new Float32Array(rows * 10);
    for (let i = 0; i < 200; i++) expectSameBits([network.predict(x, out)], [expected]);
  });
});
