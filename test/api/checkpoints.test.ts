import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  type Callbacks,
  type CheckpointOptions,
  checkpoint,
  dense,
  type EarlyStoppingOptions,
  type EpochLog,
  earlyStopping,
  input,
  Network,
  softmaxCrossEntropy,
  type TrainingHandle,
} from '../../lib/index.js';
import {
  classData,
  classifier,
  expectError,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;
const folder = mkdtempSync(join(tmpdir(), 'blasnet-checkpoints-'));
afterAll(() => rmSync(folder, { recursive: true }));
let folders = 0;
const newFolder = () => mkdtempSync(join(folder, `${folders++}-`));
const data = classData(40);

onBackends('checkpoint', (backend) => {
  it.each<[string, Pick<CheckpointOptions, 'every' | 'keep'>, string[]]>([
    ['{epoch}.safetensors', {}, ['0', '1', '2', '3', '4']],
    ['{epoch}.safetensors', { every: 2 }, ['1', '3']],
    ['{epoch}.safetensors', { keep: 2 }, ['3', '4']],
    ['{epoch}.safetensors', { every: 2, keep: 1 }, ['3']],
    ['last.safetensors', {}, ['last']],
  ])('writes %s with %o', async (path, options, names) => {
    const target = newFolder();
    const callbacks = checkpoint({ path: join(target, path), ...options });
    await classifier(backend).fit(data, { epochs: 5, callbacks });
    expect(readdirSync(target).sort()).toEqual(names.map((name) => `${name}.safetensors`));
  });

  it('its files are those of the end of the epoch, with the optimizer', async () => {
    const target = newFolder();
    const [network, optimizer] = [classifier(backend, { layers: mixedLayers() }), new Adam()];
    const seen: Float32Array[][] = [];
    const callbacks: Callbacks[] = [
      checkpoint({ path: join(target, '{epoch}') }),
      { onEpochEnd: () => void seen.push(weights(network)) },
    ];
    await network.fit(data, { epochs: 3, optimizer, callbacks });
    for (const [i, expected] of seen.entries()) {
      const loaded = await Network.loadCheckpoint(join(target, String(i)), { backend });
      expectSameBits(weights(loaded.network), expected);
      expect([loaded.epoch, loaded.optimizer.steps]).toEqual([i + 1, 2 * (i + 1)]);
    }
  });

  it('a stream can be resumed, too', async () => {
    const stream = { [Symbol.iterator]: () => [data.slice(0, 20), data.slice(20, 40)][Symbol.iterator]() };
    const path = join(newFolder(), '{epoch}');
    const [network, optimizer] = [classifier(backend, { layers: mixedLayers() }), new Adam()];
    await network.fit(stream, { epochs: 4, optimizer, callbacks: checkpoint({ path }) });
    const saved = await Network.loadCheckpoint(path.replace('{epoch}', '1'), { backend });
    await saved.network.fit(stream, { epochs: 2, optimizer: saved.optimizer, initialEpoch: saved.epoch });
    expectSameBits(weights(saved.network), weights(network));
  });

  it('rejects fit when a file can not be written, and frees the network', async () => {
    const network = classifier(backend);
    const callbacks = checkpoint({ path: join(folder, 'none', 'file') });
    await expectRejection(() => network.fit(data, { callbacks }), 'FILE_NOT_WRITTEN', /none/);
    await network.fit(data);
  });
});

onBackends('the handle of a training', (backend) => {
  it('saves and copies weights only while training waits', async () => {
    const network = classifier(backend);
    let handle: TrainingHandle | undefined;
    let restore: (() => void) | undefined;
    await network.fit(data, {
      callbacks: {
        onEpochEnd: (_, training) => {
          handle = training;
          restore = training.copyWeights();
        },
      },
    });
    const path = join(newFolder(), 'file');
    await expectRejection(
      () => (handle as TrainingHandle).save(path),
      'NETWORK_BUSY',
      /^save: possible only in onEpochEnd/,
    );
    expectError(() => handle?.copyWeights(), 'NETWORK_BUSY', /^copyWeights/);
    expectError(() => restore?.(), 'NETWORK_BUSY', /^copyWeights/);
  });
});

/** Epochs that a training of these validation losses has, and the epoch whose weights it ends with. */
async function stopped(options: EarlyStoppingOptions, figures: readonly number[]): Promise<[number, number]> {
  let live = -1;
  let ended = figures.length;
  const callbacks = earlyStopping(options);
  await callbacks.onTrainBegin?.({ epochs: figures.length, initialEpoch: 0, samples: 1, settings: {} as never });
  for (const [epoch, figure] of figures.entries()) {
    live = epoch;
    const training: Partial<TrainingHandle> = {
      stop: () => {
        ended = epoch + 1;
      },
      copyWeights: () => () => {
        live = epoch;
      },
    };
    const log = { epoch, loss: -figure, validation: { loss: figure, accuracy: figure } };
    await callbacks.onEpochEnd?.(log as EpochLog, training as TrainingHandle);
    if (ended <= epoch + 1) break;
  }
  await callbacks.onTrainEnd?.(any(undefined));
  return [Math.min(ended, figures.length), live];
}

it.each<[EarlyStoppingOptions, number[], [number, number]]>([
  [{ patience: 0 }, [3, 2, 2, 1], [3, 1]],
  [{ patience: 1 }, [3, 2, 2.5, 1, 2, 3, 0], [6, 3]],
  [{ patience: 1, restoreBest: false }, [3, 2, 2.5, 1, 2, 3, 0], [6, 5]],
  [{ patience: 5 }, [3, 2, 4], [3, 1]],
  [{ patience: 5 }, [3, 2, 1], [3, 2]],
  [{ patience: 0, minimumChange: 0.5 }, [3, 2, 1.5, 1], [3, 1]],
  [{ patience: 0, monitor: 'validationAccuracy' }, [0.1, 0.5, 0.4], [3, 1]],
  [{ patience: 0, monitor: 'loss' }, [1, 2, 3, 2], [4, 2]],
])('earlyStopping %o of %j ends after so many epochs with the weights of: %j', async (options, figures, expected) => {
  expect(await stopped(options, figures)).toEqual(expected);
});

onBackends('earlyStopping in fit', (backend) => {
  it('stops, and gives the network its best weights and statistics', async () => {
    const network = classifier(backend, { layers: mixedLayers() });
    const seen: Float32Array[][] = [];
    const recorder: Callbacks = { onEpochEnd: () => void seen.push(weights(network)) };
    const stopping = earlyStopping({ patience: 2 });
    // Validation data that have nothing to do with the training data: soon it gets worse.
    const history = await network.fit(data, {
      epochs: 200,
      batchSize: 8,
      optimizer: new Adam({ learningRate: 0.02 }),
      validation: classData(40, 6, 3, 99),
      callbacks: [recorder, stopping],
    });
    const losses = history.validationLoss;
    const best = losses.indexOf(Math.min(...losses));
    expect(history.epochs.length).toBeLessThan(200);
    expect(history.epochs.length).toBe(best + 4);
    expectSameBits(weights(network), seen[best]);
  });

  it('needs the figure that it watches', async () => {
    const network = classifier(backend);
    await expectRejection(
      () => network.fit(data, { callbacks: earlyStopping() }),
      'INVALID_ARGUMENT',
      /^earlyStopping: monitor: there is no/,
    );
    const x = input([6], { name: 'x' });
    const several = new Network({
      outputs: { a: x.pipe(dense(3)), b: x.pipe(dense(3)) },
      losses: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
      backend,
    });
    const labels = data.labels as Int32Array;
    const named = new Dataset({ features: data.features, shape: [6], targets: { a: labels, b: labels } });
    const callbacks = earlyStopping({ monitor: 'validationAccuracy' });
    await expectRejection(
      () => several.fit(named, { validation: named, callbacks }),
      'INVALID_ARGUMENT',
      /there is no validationAccuracy: .* several outputs: name one, such as 'a\.validationAccuracy'$/,
    );
  });
});

it('options are checked', () => {
  expectError(() => earlyStopping({ monitor: any('cost') }), 'INVALID_ARGUMENT', /^earlyStopping: monitor/);
  expectError(() => earlyStopping({ patience: -1 }), 'INVALID_ARGUMENT', /^earlyStopping: patience/);
  expectError(() => earlyStopping({ minimumChange: -1 }), 'INVALID_ARGUMENT', /^earlyStopping: minimumChange/);
  expectError(() => earlyStopping({ restoreBest: any(1) }), 'INVALID_ARGUMENT', /^earlyStopping: restoreBest/);
  expectError(() => earlyStopping(any({ more: 1 })), 'UNKNOWN_OPTION', /^earlyStopping/);
  expectError(() => checkpoint(any(undefined)), 'INVALID_ARGUMENT', /^checkpoint: path/);
  expectError(() => checkpoint({ path: 'a', every: 0 }), 'INVALID_ARGUMENT', /^checkpoint: every/);
  expectError(() => checkpoint({ path: '{epoch}', keep: 0 }), 'INVALID_ARGUMENT', /^checkpoint: keep/);
  expectError(
    () => checkpoint({ path: 'a', keep: 1 }),
    'INVALID_ARGUMENT',
    /^checkpoint: path: .*\{epoch\}, since keep is given/,
  );
});
