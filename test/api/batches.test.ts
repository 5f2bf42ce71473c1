import { expect, it } from 'vitest';
import type { BackendName, RunRequest } from '../../lib/backend/backend.js';
import { selectBackend } from '../../lib/backend/select.js';
import { Dataset } from '../../lib/data/index.js';
import { Adam, dense, type FitOptions, meanSquaredError, Network, relu, Sgd } from '../../lib/index.js';
import { compile } from '../../lib/program/compile.js';
import { buildModel } from '../../lib/program/model.js';
import { Stream } from '../../lib/random.js';
import { Engine } from '../../lib/runtime/engine.js';
import { drawWithReplacement, permutation } from '../conformance/reference/batches.js';
import {
  classData,
  classifier,
  describeNative,
  distance,
  expectRejection,
  expectSameBits,
  onBackends,
  valueData,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;
const SEED = 5;

/** Predicts 0 and stays so: the loss of row i is i², which tells the row. */
function reader(backend: BackendName): Network {
  const network = new Network({
    input: [1],
    layers: [dense(1, { bias: false })],
    loss: meanSquaredError(),
    seed: SEED,
    backend,
  });
  network.parameters[0].value.fill(0);
  return network;
}

function numbered(rows: number): Dataset {
  const features = Float32Array.from({ length: rows }, (_, i) => i);
  return new Dataset({ features, shape: [1], targets: features.slice(), targetShape: [1] });
}

/** The mean losses of the batches of each epoch, without any training. */
async function lossesOf(backend: BackendName, rows: number, options: FitOptions): Promise<number[][]> {
  const history = await reader(backend).fit(numbered(rows), { ...options, optimizer: new Sgd({ learningRate: 0 }) });
  return history.epochs.map((log) => [...log.batchLosses]);
}

/** Rows that an epoch draws, by the reference. */
const draws = (n: number, sourceRows: number, epoch: number) => [
  ...(drawWithReplacement({ n, sourceRows, seed: SEED, stream: Stream.shuffle, epoch }).order as ArrayLike<number> &
    Iterable<number>),
];

onBackends('sampling', (backend) => {
  it('inOrder takes each row once, as it lies', async () => {
    const losses = await lossesOf(backend, 6, { batchSize: 1, epochs: 2, sampling: 'inOrder' });
    expect(losses).toEqual([0, 1].map(() => [0, 1, 4, 9, 16, 25]));
  });

  it('shuffle takes each row once, in a new order each epoch', async () => {
    const losses = await lossesOf(backend, 20, { batchSize: 1, epochs: 3, sampling: 'shuffle' });
    const expected = [0, 1, 2].map((epoch) =>
      Array.from(permutation({ n: 20, seed: SEED, stream: Stream.shuffle, epoch }).order),
    );
    expect(losses.map((epoch) => epoch.map(Math.sqrt))).toEqual(expected);
    expect(await lossesOf(backend, 20, { batchSize: 1, epochs: 3 }), 'the default').toEqual(losses);
    expect(await lossesOf(backend, 20, { batchSize: 1, epochs: 3, shuffle: true }), 'the short form').toEqual(losses);
  });

  it('shuffle: false is short for inOrder', async () => {
    expect(await lossesOf(backend, 5, { batchSize: 2, shuffle: false })).toEqual(
      await lossesOf(backend, 5, { batchSize: 2, sampling: 'inOrder' }),
    );
  });

  it('withReplacement draws each row of a batch from all rows, again in each epoch', async () => {
    const losses = await lossesOf(backend, 10, {
      batchSize: 1,
      stepsPerEpoch: 40,
      epochs: 3,
      sampling: 'withReplacement',
    });
    const expected = [0, 1, 2].map((epoch) => draws(40, 10, epoch));
    expect(losses.map((epoch) => epoch.map(Math.sqrt))).toEqual(expected);
    expect(new Set(expected.flat()).size, 'all rows come').toBe(10);
    expect(new Set(expected[0].slice(0, 10)).size, 'some twice').toBeLessThan(10);
  });

  it('withReplacement makes whole batches, which may be larger than the data', async () => {
    const losses = await lossesOf(backend, 10, {
      batchSize: 50,
      stepsPerEpoch: 7,
      epochs: 2,
      sampling: 'withReplacement',
    });
    const expected = [0, 1].map((epoch) => {
      const order = draws(350, 10, epoch);
      return Array.from(
        { length: 7 },
        (_, step) => order.slice(50 * step, 50 * step + 50).reduce((sum, row) => sum + row * row, 0) / 50,
      );
    });
    expect(losses).toEqual(expected.map((epoch) => epoch.map((loss) => expect.closeTo(loss, 4))));
  });

  it('withReplacement without stepsPerEpoch makes as many steps as the rows fill', async () => {
    const counts = async (rows: number, batchSize: number) =>
      (await lossesOf(backend, rows, { batchSize, sampling: 'withReplacement' }))[0].length;
    expect([await counts(10, 3), await counts(10, 5), await counts(10, 10), await counts(10, 50)]).toEqual([
      4, 2, 1, 1,
    ]);
  });

  it('withReplacement goes on in the next fit and repeats from initialEpoch', async () => {
    const network = reader(backend);
    const options = {
      batchSize: 1,
      stepsPerEpoch: 12,
      sampling: 'withReplacement',
      optimizer: new Sgd({ learningRate: 0 }),
    } as const;
    const once = async (more: FitOptions = {}) =>
      (await network.fit(numbered(10), { ...options, ...more })).epochs.map((log) =>
        [...log.batchLosses].map(Math.sqrt),
      );
    expect(await once()).toEqual([draws(12, 10, 0)]);
    expect(await once({ epochs: 2 })).toEqual([draws(12, 10, 1), draws(12, 10, 2)]);
    expect(await once({ initialEpoch: 1 })).toEqual([draws(12, 10, 1)]);
  });

  it('withReplacement trains, and the log counts what was drawn', async () => {
    const network = new Network({
      input: [4],
      layers: [dense(16), relu(), dense(2)],
      loss: meanSquaredError(),
      seed: 1,
      backend,
    });
    const optimizer = new Adam({ learningRate: 0.01 });
    const history = await network.fit(valueData(10), {
      batchSize: 50,
      stepsPerEpoch: 20,
      epochs: 10,
      sampling: 'withReplacement',
      optimizer,
    });
    expect(history.loss[9]).toBeLessThan(0.1 * history.loss[0]);
    expect(optimizer.steps).toBe(200);
    for (const log of history.epochs) {
      expect(log.batchLosses.length).toBe(20);
      expect(log.loss).toBeCloseTo(log.batchLosses.reduce((sum, loss) => sum + loss, 0) / 20, 10);
      expect(log.samplesPerSecond).toBeCloseTo(1000 / log.seconds, 2);
    }
  });

  it('accuracy is the share of the rows drawn', async () => {
    const network = classifier(backend);
    const options = {
      batchSize: 16,
      stepsPerEpoch: 5,
      sampling: 'withReplacement',
      optimizer: new Sgd({ learningRate: 0 }),
    } as const;
    const [{ accuracy }] = (await network.fit(classData(7), options)).epochs;
    expect(accuracy).toBeGreaterThanOrEqual(0);
    expect(accuracy).toBeLessThanOrEqual(1);
    expect((accuracy as number) * 80).toBeCloseTo(Math.round((accuracy as number) * 80), 6);
  });

  it('withReplacement names a bad row by its place in the data', async () => {
    const network = reader(backend);
    const data = numbered(10);
    data.features[9] = Number.NaN;
    const step = draws(40, 10, 9).indexOf(9);
    expect(step).toBeGreaterThan(0);
    const run = () =>
      network.fit(data, { batchSize: 1, stepsPerEpoch: 40, sampling: 'withReplacement', initialEpoch: 9 });
    const message = new RegExp(`^features: row 9, column 0: .*\\(epoch 9, step ${step}\\)`);
    await expectRejection(run, 'NON_FINITE', message);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'a kind that is none',
      { sampling: 'random' },
      /^fit: sampling: expected one of 'inOrder', 'shuffle', 'withReplacement', got "random"/,
    ],
    [
      'sampling and shuffle',
      { sampling: 'shuffle', shuffle: true },
      /^fit: shuffle: it is the short form of sampling; give one of them/,
    ],
    [
      'stepsPerEpoch when rows are shuffled',
      { stepsPerEpoch: 5 },
      /^fit: stepsPerEpoch: it needs sampling 'withReplacement'/,
    ],
    [
      'stepsPerEpoch of 0',
      { sampling: 'withReplacement', stepsPerEpoch: 0 },
      /^fit: stepsPerEpoch: expected an integer ≥ 1/,
    ],
    [
      'too many rows',
      { sampling: 'withReplacement', stepsPerEpoch: 2 ** 20, batchSize: 2 ** 11 },
      /^fit: an epoch draws 2147483648 rows/,
    ],
  ])('refuses %s', async (_, options, message) => {
    const network = classifier(backend);
    await expectRejection(() => network.fit(classData(10), any(options)), 'INVALID_ARGUMENT', message);
    expect((await network.fit(classData(10))).epochs).toHaveLength(1);
  });

  it('a stream has an order of its own', async () => {
    const batches = [classData(4)];
    const run = (options: FitOptions) => () => classifier(backend).fit(batches, options);
    await expectRejection(
      run({ sampling: 'inOrder' }),
      'INVALID_ARGUMENT',
      /^fit: sampling: the batches of a stream come in its own order/,
    );
    await expectRejection(run({ stepsPerEpoch: 3 }), 'INVALID_ARGUMENT', /^fit: stepsPerEpoch/);
  });
});

onBackends('batches without replacement', (backend) => {
  const fitted = async (options: FitOptions) => {
    const network = classifier(backend);
    const history = await network.fit(classData(10), { optimizer: new Sgd({ learningRate: 0.1 }), ...options });
    return { network, steps: history.epochs[0].batchLosses.length };
  };

  it('a full batch is one step on the mean gradient of all rows', async () => {
    const byHand = classifier(backend);
    byHand.gradients(classData(10), any(undefined));
    byHand.applyGradients(new Sgd({ learningRate: 0.1 }));
    const { network, steps } = await fitted({ batchSize: 10 });
    expect(steps).toBe(1);
    expect(distance(weights(network), weights(byHand))).toBeLessThan(1e-6);
  });

  it('a batch larger than the data is one short batch', async () => {
    const [full, larger] = [await fitted({ batchSize: 10 }), await fitted({ batchSize: 50 })];
    expect(larger.steps).toBe(1);
    expectSameBits(weights(larger.network), weights(full.network));
  });

  it('batches of one step from row to row', async () => {
    const byHand = classifier(backend);
    const optimizer = new Sgd({ learningRate: 0.1 });
    for (let row = 0; row < 10; row++) byHand.trainBatch(classData(10).slice(row, row + 1), any(undefined), optimizer);
    const { network, steps } = await fitted({ batchSize: 1, sampling: 'inOrder' });
    expect(steps).toBe(10);
    expect(distance(weights(network), weights(byHand))).toBeLessThan(1e-5);
  });
});

describeNative('a run', () => {
  const spec = { input: [2], layers: [dense(1)], loss: meanSquaredError(), regularizer: undefined, seed: SEED };

  /** A run of an 'evaluate' program that gathers rows, or reads them in place. */
  function start(direct: boolean, changes: Partial<RunRequest>) {
    const { backend } = selectBackend('native');
    const model = buildModel(spec);
    const engine = new Engine(model, backend);
    const program = compile(model, {
      kind: 'evaluate',
      features: ['f32'],
      direct,
      goals: [{ target: 'targets', weighted: false }],
      capacity: 8,
      threads: 1,
      threading: backend.threading,
      rewrite: true,
    });
    const work = new Float32Array(new SharedArrayBuffer(4 * Math.max(16, program.workLength)));
    const { parameters: parameter, gradients: gradient, state, metric } = engine;
    const executable = backend.load(program, {
      parameter,
      gradient,
      state,
      moment: new Float32Array(new SharedArrayBuffer(64)),
      work,
      metric,
      accumulated: new Float32Array(new SharedArrayBuffer(64)),
    });
    const feeds = { features: { values: new Float32Array(20) }, targets: { values: new Float32Array(10) } };
    const numbers = { rows: 10, drawn: 10, batchSize: 8, epochs: 1, seed: 1, epoch: 0, step: 0, threads: 1 };
    return executable.runSync({
      ...numbers,
      sampling: 'inOrder',
      feeds,
      scalars: new Float64Array(0),
      report: null,
      ...changes,
    });
  }

  it('draws any number of rows with replacement', () => {
    expect(start(false, { drawn: 100, sampling: 'withReplacement' })).toMatchObject({ status: 'done', steps: 13 });
    expect(start(false, { drawn: 3, sampling: 'withReplacement' })).toMatchObject({ status: 'done', steps: 1 });
    expect(start(false, { sampling: 'shuffle' })).toMatchObject({ status: 'done', steps: 2 });
    expect(start(true, {})).toMatchObject({ status: 'done', steps: 2 });
  });

  it.each<[string, boolean, Partial<RunRequest>, RegExp]>([
    ['more rows in order than there are', false, { drawn: 11 }, /every row once/],
    ['fewer rows in order than there are', false, { drawn: 9 }, /every row once/],
    ['more rows in a shuffle than there are', false, { drawn: 11, sampling: 'shuffle' }, /every row once/],
    ['no rows', false, { drawn: 0, sampling: 'withReplacement' }, /out of range/],
    ['half a row', false, { drawn: 9.5, sampling: 'withReplacement' }, /drawn rows: out of range/],
    ['too many rows', false, { drawn: 2 ** 31, sampling: 'withReplacement' }, /drawn rows: out of range/],
    ['a sampling that is none', false, { sampling: any('random') }, /sampling: out of range/],
    [
      'a report for fewer steps',
      false,
      { drawn: 100, sampling: 'withReplacement', report: new Float64Array(24) },
      /report is too short/,
    ],
    ['more rows than lie in place', true, { drawn: 11, sampling: 'withReplacement' }, /its buffer is too short/],
    ['more rows than the source has', false, { rows: 11, drawn: 11 }, /its buffer is too short/],
  ])('refuses %s', (_, direct, changes, message) => {
    expect(() => start(direct, changes)).toThrow(message);
  });
});
