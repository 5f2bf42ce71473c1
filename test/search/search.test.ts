import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dataset, kFold, SparseDataset, split } from '../../lib/data/index.js';
import { Adam, type Callbacks, dense, earlyStopping, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import {
  choice,
  integer,
  logUniform,
  type SearchOptions,
  search,
  type Task,
  type Trial,
  uniform,
} from '../../lib/search/index.js';
import {
  classData,
  classifier,
  expectRejection,
  expectSameBits,
  onBackends,
  rejection,
  weights,
} from '../api/support.js';
import { builtLibrary, environment, nodeProgram, projectFile } from '../lifecycle/child.js';

const data = classData(60);
const space = { rate: logUniform(1e-3, 1e-1), units: integer(2, 8), batchSize: choice([8, 16]) };
type Values = { rate: number; units: number; batchSize: number };

const build = ({ rate, units, batchSize }: Values, { seed }: Pick<Task, 'seed'>) => ({
  network: new Network({
    input: [6],
    layers: [dense(units), relu(), dense(3)],
    loss: softmaxCrossEntropy(),
    seed,
    backend: 'typescript',
  }),
  optimizer: new Adam({ learningRate: rate }),
  batchSize,
});
const common = { space, build, data, epochs: 2, seed: 3 };

/** Rows without every other number. */
function sparse(rows: Dataset): SparseDataset {
  const { features, labels, classes, length } = rows;
  const kept = [0, 2, 4];
  return new SparseDataset({
    rowOffsets: Array.from({ length: length + 1 }, (_, row) => kept.length * row),
    indices: Array.from({ length }, () => kept).flat(),
    values: Array.from({ length }, (_, row) => kept.map((column) => features[6 * row + column])).flat(),
    columns: 6,
    classes,
    ...(labels && { labels }),
  });
}

/** Their numbers with the zeros. */
const dense6 = (rows: SparseDataset): Dataset =>
  new Dataset({
    features: Float32Array.from({ length: 6 * rows.length }, (_, i) => rows.row(Math.floor(i / 6))[i % 6]),
    shape: [6],
    classes: rows.classes,
    ...(rows.labels && { labels: rows.labels }),
  });
const sparseCommon = { space, build, trials: 4, epochs: 2, seed: 3 };

/** What a trial is, without the time that it took. */
const plain = (trials: readonly Trial<object>[]) => trials.map(({ seconds, ...rest }) => rest);

/** A search in which a trial's value is `value(x, epochs)` and nothing is learned. */
function toy(value: (x: number, epochs: number) => number, more: Partial<SearchOptions> = {}) {
  const options: SearchOptions = {
    space: { x: uniform(0, 1) },
    trials: 9,
    epochs: 9,
    build: ({ x }, { seed, epochs }) => {
      const network = new Network({
        input: [6],
        layers: [dense(3)],
        loss: softmaxCrossEntropy(),
        seed,
        backend: 'typescript',
      });
      network.metadata = { x: x as number, epochs };
      return { network, batchSize: 64 };
    },
    metric: (network) => {
      const { x, epochs } = network.metadata as { x: number; epochs: number };
      return value(x, epochs);
    },
    mode: 'min',
    data,
    refit: false,
    ...more,
  };
  return search(options);
}

onBackends('search', (backend) => {
  it('gives the same networks, however many are trained at the same time', async () => {
    const own = ({ units, rate }: Values, { seed }: Task) => ({
      network: classifier(backend, { layers: [dense(8 * units), relu(), dense(3)], seed }),
      optimizer: new Adam({ learningRate: rate }),
    });
    const options = { ...common, build: own, data: classData(400), trials: 6, halving: {}, epochs: 3 };
    const one = await search(options);
    const three = await search({ ...options, concurrency: 3 });
    expect(plain(three.trials)).toEqual(plain(one.trials));
    expectSameBits(weights(three.network as Network), weights(one.network as Network));
  });
});

describe('search', () => {
  it('gives the same trials for the same seed, whatever their number and concurrency', async () => {
    const first = await search({ ...common, trials: 5 });
    const second = await search({ ...common, trials: 5, concurrency: 3 });
    expect(plain(second.trials)).toEqual(plain(first.trials));
    expectSameBits(weights(second.network as Network), weights(first.network as Network));
    const fewer = await search({ ...common, trials: 2, refit: false });
    expect(plain(fewer.trials)).toEqual(plain(first.trials.slice(0, 2)));
    const other = await search({ ...common, trials: 2, seed: 4, refit: false });
    expect(other.trials.map(({ params }) => params)).not.toEqual(fewer.trials.map(({ params }) => params));
    expect(new Set(first.trials.map(({ seed }) => seed)).size).toBe(5);
    expect(first.trials.map(({ trial }) => trial)).toEqual([0, 1, 2, 3, 4]);
  });

  it('measures a trial as a fit by hand does, and refits the best as one does', async () => {
    const { best, network, trials } = await search({ ...common, trials: 4 });
    const { train, test } = split(data, { test: 0.2, seed: 3, stratify: true });
    for (const trial of trials) {
      const { network: own, ...options } = build(trial.params, trial);
      await own.fit(train, { ...options, epochs: 2 });
      expect((await own.evaluate(test)).loss).toBe(trial.value);
    }
    expect(best.value).toBe(Math.min(...trials.map(({ value }) => value as number)));
    const { network: own, ...options } = build(best.params, best);
    await own.fit(data, { ...options, epochs: 2 });
    expectSameBits(weights(network as Network), weights(own));
  });

  it('maximises the accuracy', async () => {
    const { best, trials } = await search({ ...common, trials: 6, metric: 'accuracy', refit: false });
    expect(best.value).toBe(Math.max(...trials.map(({ value }) => value as number)));
    expect(new Set(trials.map(({ value }) => value)).size).toBeGreaterThan(1);
  });

  it('with folds, measures the mean over the folds', async () => {
    const { trials, best, network } = await search({ ...common, trials: 2, folds: 3 });
    for (const trial of trials) {
      const losses = [];
      for (const { train, validation } of kFold(data, { folds: 3, seed: 3, stratify: true })) {
        const { network: own, ...options } = build(trial.params, trial);
        await own.fit(train, { ...options, epochs: 2 });
        losses.push((await own.evaluate(validation)).loss);
      }
      expect(trial.value).toBeCloseTo((losses[0] + losses[1] + losses[2]) / 3, 12);
    }
    const { network: own, ...options } = build(best.params, best);
    await own.fit(data, { ...options, epochs: 2 });
    expectSameBits(weights(network as Network), weights(own));
  });

  it('of a SparseDataset gives what one of the same rows with their zeros gives', async () => {
    const rows = sparse(data);
    for (const more of [{}, { folds: 3 }, { validation: 0.3 }, { metric: 'accuracy' as const }]) {
      const of = await search({ ...sparseCommon, ...more, data: rows });
      const all = await search({ ...sparseCommon, ...more, data: dense6(rows) });
      expect(plain(of.trials)).toEqual(plain(all.trials));
      expectSameBits(weights(of.network as Network), weights(all.network as Network));
    }
    const held: SparseDataset[] = [];
    const { best } = await search({
      ...sparseCommon,
      data: rows,
      validation: rows.take(20),
      mode: 'min',
      metric: async (network: Network, validation) => {
        held.push(validation);
        return (await network.evaluate(validation)).loss;
      },
      build: (params, { train, seed }) => ({ ...build(params, { seed }), train: train.take(40) }),
    });
    expect(held.map(({ length }) => length)).toEqual([20, 20, 20, 20]);
    expect(best.error).toBeUndefined();
  });

  it('with a dataset as validation, trains on all of the data', async () => {
    const held = classData(20, 6, 3, 2);
    const { trials } = await search({ ...common, trials: 1, validation: held, refit: false });
    const { network: own, ...options } = build(trials[0].params, trials[0]);
    await own.fit(data, { ...options, epochs: 2 });
    expect(trials[0].value).toBe((await own.evaluate(held)).loss);
  });

  it('takes the data that build gives, and refits for as many epochs as the best took', async () => {
    const seen: Task[] = [];
    const samples: unknown[] = [];
    const count: Callbacks = { onTrainBegin: (start) => void samples.push(start.samples) };
    const { best, network } = await search({
      ...common,
      trials: 1,
      epochs: 50,
      build: (params, task) => {
        seen.push(task);
        // A rate of zero never improves: the second epoch without improvement is the last.
        const stop = earlyStopping({ patience: 1 });
        const optimizer = new Adam({ learningRate: 0 });
        const { validation } = task;
        const train = task.train.slice(0, 20);
        const own = { train, validation: validation?.slice(0, 4), callbacks: validation ? [stop, count] : [count] };
        return { ...build(params, task), ...own, optimizer };
      },
    });
    expect(best.trained).toBe(3);
    expect(samples).toEqual([20, 20]);
    expect(seen.map(({ epochs }) => epochs)).toEqual([50, 3]);
    expect(seen[1]).toEqual({ trial: 0, seed: best.seed, epochs: 3, train: data, validation: undefined });
    expect(seen[0]).toMatchObject({ trial: 0, seed: best.seed });
    const { train, test } = split(data, { test: 0.2, seed: 3, stratify: true });
    expect(seen[0].train.features).toEqual(train.features);
    // The network has not changed, so the best is measured by the first network.
    const loss = async (rows: Dataset) => (await (network as Network).evaluate(rows)).loss;
    expect(best.value).toBe(await loss(test.slice(0, 4)));
    expect(best.value).not.toBe(await loss(test));
  });

  it('halves: the best third goes on, by the metric and its mode', async () => {
    for (const mode of ['min', 'max'] as const) {
      const { best, trials } = await toy((x) => x, { halving: {}, mode });
      const rungs = [1, 3, 9].map((epochs) => trials.filter((trial) => trial.epochs === epochs));
      expect(rungs.map((rung) => rung.length)).toEqual([9, 3, 1]);
      const x = (list: readonly Trial[]) => list.map(({ params }) => params.x as number);
      const sorted = x(rungs[0]).sort((a, b) => (mode === 'min' ? a - b : b - a));
      expect(x(rungs[1]).sort((a, b) => (mode === 'min' ? a - b : b - a))).toEqual(sorted.slice(0, 3));
      expect(x(rungs[2])).toEqual(sorted.slice(0, 1));
      expect(best.params.x).toBe(sorted[0]);
      expect(trials.map(({ trained }) => trained)).toEqual(trials.map(({ epochs }) => epochs));
    }
  });

  it('takes the best of the last rung, even if an earlier rung has better values', async () => {
    const { best } = await toy((x, epochs) => (epochs === 9 ? 10 + x : x), { halving: {} });
    expect(best.epochs).toBe(9);
    expect(best.value).toBeGreaterThan(10);
  });

  it('of equal ones takes the first', async () => {
    const { best } = await toy(() => 1, { concurrency: 4 });
    expect(best.trial).toBe(0);
    expect((await toy(() => 1, { halving: {} })).best).toMatchObject({ trial: 0, epochs: 9 });
  });

  it('lists trials that fail and goes on without them', async () => {
    const fails = (x: number) => x < 0.4;
    const { best, trials } = await toy(
      (x) => {
        if (fails(x)) throw new Error(`too small: ${x}`);
        return x;
      },
      { halving: {} },
    );
    const first = trials.filter(({ epochs }) => epochs === 1);
    const failed = first.filter(({ params }) => fails(params.x as number));
    expect(failed.length).toBeGreaterThan(0);
    for (const { value, error, params } of failed) {
      expect(value).toBeUndefined();
      expect(error).toBe(`too small: ${params.x}`);
    }
    const good = first.filter(({ params }) => !fails(params.x as number)).map(({ params }) => params.x as number);
    expect(best.params.x).toBe(Math.min(...good));
    expect(best.error).toBeUndefined();
  });

  it('takes the best of an earlier rung where the last one fails', async () => {
    const { best } = await toy((x, epochs) => (epochs === 9 ? Number.NaN : x), { halving: {} });
    expect(best.epochs).toBe(3);
  });

  it('rejects when all trials fail, with the first error', async () => {
    const error = (await rejection(toy(() => Number.NaN, { trials: 2 }))) as Error;
    expect(error.message).toMatch(
      /all 2 trials failed; the first: metric: its result: expected a finite number, got NaN/,
    );
    const cause = new Error('no network today');
    const thrown = await rejection(toy((x) => x, { trials: 2, build: () => Promise.reject(cause) }));
    expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT', cause });
  });

  it.each([
    [{}, /build: its result: network: expected a Network, got undefined/],
    [{ network: build({ rate: 1, units: 1, batchSize: 1 }, { seed: 1 }).network, epochs: 3 }, /epochs: expected none/],
    [{ ...build({ rate: 1, units: 1, batchSize: 1 }, { seed: 1 }), train: 5 }, /train: expected a Dataset/],
    [{ ...build({ rate: 1, units: 1, batchSize: 1 }, { seed: 1 }), rows: 5 }, /fit: unknown option "rows"/],
    [undefined, /build: its result: expected an object with a network/],
  ])('refuses what build must not return (%#)', async (result, message) => {
    await expectRejection(
      () => toy((x) => x, { trials: 1, build: () => result as never }),
      'INVALID_ARGUMENT',
      message,
    );
  });

  it('lists a trial that throws what has no text', async () => {
    for (const thrown of [Object.create(null), Object.assign(new Error('x'), { message: undefined })]) {
      const { trials } = await toy((x) => {
        if (x < 0.4) throw thrown;
        return x;
      });
      expect(new Set(trials.map(({ error }) => error))).toEqual(new Set(['an error without a text', undefined]));
    }
  });

  it('refuses to train several at a time with one group, and to hold out no rows', async () => {
    const own = () => ({ ...build({ rate: 1, units: 1, batchSize: 1 }, { seed: 1 }), group: { size: 2 } as never });
    const message = /search: concurrency: expected 1 where trials train with a group, got 2/;
    await expectRejection(() => toy((x) => x, { build: own, concurrency: 2 }), 'INVALID_ARGUMENT', message);
    const few = new Dataset({ features: [[1], [2]], targets: [[1], [2]] });
    const none = /search: validation: expected a fraction that holds out some of 2 rows, got 0.2/;
    await expectRejection(() => toy((x) => x, { data: few }), 'INVALID_ARGUMENT', none);
  });

  it('tells its progress', async () => {
    const told: [number, number, number | undefined][] = [];
    const { trials } = await toy((x) => x, {
      halving: {},
      onTrial: async ({ trial }, { done, total, best }) => {
        await null;
        told.push([done, total, best?.trial]);
        expect(trial).toBeLessThan(9);
      },
    });
    expect(told.map(([done]) => done)).toEqual(trials.map((_, i) => i + 1));
    expect(told.every(([, total]) => total === 13)).toBe(true);
    expect(told.at(-1)?.[2]).toBe(trials.at(-1)?.trial);
    const error = new Error('enough');
    const stopped = toy((x) => x, { onTrial: () => Promise.reject(error), concurrency: 2 });
    expect(await rejection(stopped)).toBe(error);
  });

  it.each([1, 3])('ends with the reason of an aborted signal (%i at a time)', async (concurrency) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    let calls = 0;
    const run = search({
      ...common,
      trials: 50,
      epochs: 1000,
      concurrency,
      signal: controller.signal,
      build: (params, task) => {
        if (++calls === 4) setTimeout(() => controller.abort(reason), 5);
        return { ...build(params, task), ...(calls < 4 && { callbacks: { onEpochEnd: (_, run) => run.stop() } }) };
      },
    });
    expect(await rejection(run)).toBe(reason);
    expect(calls).toBeLessThan(4 + concurrency);
    const already = search({ ...common, trials: 1, signal: AbortSignal.abort(reason) });
    expect(await rejection(already)).toBe(reason);
  });

  it.each(['build', 'build of the refit', 'metric', 'onTrial'])(
    'is aborted while its %s never settles',
    async (part) => {
      const controller = new AbortController();
      const reason = new Error('stop');
      const hang = () => {
        setTimeout(() => controller.abort(reason), 5);
        return new Promise<never>(() => {});
      };
      const stuck: Partial<SearchOptions<typeof space>> = {
        build: (params, task) => {
          const refit = task.validation === undefined;
          return part === (refit ? 'build of the refit' : 'build') ? hang() : build(params, task);
        },
        ...(part === 'metric' && { metric: hang, mode: 'min' }),
        ...(part === 'onTrial' && { onTrial: hang }),
      };
      const run = search({ ...common, trials: 2, concurrency: 2, signal: controller.signal, ...stuck });
      expect(await rejection(run)).toBe(reason);
    },
  );

  it.each([
    [{ space: {} }, /search: space: expected at least one dimension/],
    [{ trials: 0 }, /search: trials/],
    [{ build: 3 }, /search: build: expected a function/],
    [{ data: [] }, /search: data: expected a Dataset/],
    [{ epochs: 0 }, /search: epochs/],
    [{ seed: -1 }, /search: seed/],
    [{ concurrency: 0 }, /search: concurrency/],
    [{ refit: 1 }, /search: refit/],
    [{ validation: 1 }, /search: validation: .* < 1/],
    [{ validation: 0.2, folds: 3 }, /search: validation: expected none with folds/],
    [{ folds: 1 }, /folds/],
    [{ metric: 'f1' }, /search: metric: expected one of 'loss', 'accuracy'/],
    [{ metric: () => 1 }, /search: mode: expected 'min' or 'max' for a metric of one's own/],
    [{ mode: 'best' }, /search: mode/],
    [{ onTrial: 1 }, /search: onTrial/],
    [{ signal: 1 }, /search: signal/],
    [{ log: 1 }, /search: log: expected a path/],
  ])('refuses %o', async (wrong, message) => {
    await expectRejection(() => search({ ...common, trials: 1, ...(wrong as object) }), 'INVALID_ARGUMENT', message);
  });
});

describe('the log of a search', () => {
  let folder: string;
  let log: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'blasnet-search-'));
    log = join(folder, 'search.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const lines = () =>
    readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  /** The data but for one number. */
  function changed(what: 'features' | 'labels', rows = 60): Dataset {
    const { features, labels, shape, classes } = classData(rows);
    const copies = { features: Float32Array.from(features), labels: Int32Array.from(labels ?? []) };
    copies[what][rows - 1] = copies[what][rows - 1] === 0 ? 1 : 0;
    return new Dataset({ ...copies, shape, classes });
  }

  /** A search whose builds are counted. */
  function counted(options: Partial<SearchOptions<typeof space>> = {}) {
    const calls: Values[] = [];
    const run = search({
      ...common,
      trials: 9,
      epochs: 3,
      halving: {},
      log,
      ...options,
      build: (params, task) => {
        calls.push(params);
        return build(params, task);
      },
    });
    return run.then((result) => ({ ...result, calls }));
  }

  it('of sparse rows is refused for rows with their numbers in other columns', async () => {
    const rows = sparse(data);
    await search({ ...sparseCommon, data: rows, log });
    const { rowOffsets, values, columns, labels } = rows;
    const indices = rows.indices.map((index, i) => (i === 0 ? index + 1 : index));
    const moved = new SparseDataset({ rowOffsets, indices, values, columns, classes: 3, ...(labels && { labels }) });
    await expectRejection(() => search({ ...sparseCommon, data: moved, log }), 'INVALID_ARGUMENT', /log: /);
  });

  it('holds the settings and each training', async () => {
    const { trials } = await counted();
    const [header, ...rest] = lines();
    expect(header).toEqual({
      type: 'search',
      version: 1,
      space,
      seed: 3,
      metric: 'loss',
      mode: 'min',
      rows: 60,
      held: { fraction: 0.2 },
      data: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const expected = trials.map(({ trial, epochs, params, value, trained, seconds }) => {
      return { type: 'trial', trial, epochs, params, value, trained, seconds };
    });
    expect(rest).toEqual(expected);
  });

  it('spares what it holds; file: URLs too', async () => {
    const first = await counted();
    expect(first.calls).toHaveLength(9 + 3 + 1);
    const text = readFileSync(log, 'utf8');
    const again = await counted({ log: pathToFileURL(log) });
    expect(again.calls).toEqual([first.best.params]); // to refit it
    expect(again.trials).toEqual(first.trials);
    expectSameBits(weights(again.network as Network), weights(first.network as Network));
    expect(readFileSync(log, 'utf8')).toBe(text);
    // More trials go on from there: 3 more, of which some get into the next rung.
    const more = await counted({ trials: 12, refit: false });
    expect(more.calls.length).toBeGreaterThanOrEqual(3);
    expect(more.calls.length).toBeLessThan(3 + 4 + 1);
    expect(more.trials.slice(0, 9)).toEqual(first.trials.slice(0, 9));
  });

  it.each([1, 4, 10])('after a kill in the middle (training %i) gives what an unbroken search gives', async (after) => {
    const unbroken = await counted();
    const killed = join(folder, 'killed.jsonl');
    const script = projectFile('test/search/killed.mjs');
    const args = [script, builtLibrary(), builtLibrary('data/index.js'), builtLibrary('search/index.js')];
    const rows = {
      features: Array.from({ length: 60 }, (_, row) => [...data.row(row)]),
      labels: [...(data.labels ?? [])],
    };
    const env = environment({ SEARCH_DATA: JSON.stringify(rows) });
    const child = spawnSync(nodeProgram, [...args, killed, String(after)], { env, encoding: 'utf8' });
    expect(child.signal, child.stderr).toBe('SIGKILL');
    expect(readFileSync(killed, 'utf8').trimEnd().split('\n')).toHaveLength(1 + after);
    // The kill may have come within a write.
    appendFileSync(killed, '{"type":"trial","trial":8,"epo');
    const resumed = await counted({ log: killed });
    expect(resumed.calls).toHaveLength(9 + 3 + 1 - after);
    expect(plain(resumed.trials)).toEqual(plain(unbroken.trials));
    expect(plain([resumed.best])).toEqual(plain([unbroken.best]));
    expectSameBits(weights(resumed.network as Network), weights(unbroken.network as Network));
    // And the log is whole again, but for the line that was cut off.
    expect((await counted({ log: killed, refit: false })).calls).toEqual([]);
  });

  it('keeps failed trials', async () => {
    let calls = 0;
    const run = () =>
      toy(
        (x) => {
          calls++;
          if (x < 0.5) throw new Error('too small');
          return x;
        },
        { log },
      );
    const first = await run();
    expect(lines().some(({ error }) => error === 'too small')).toBe(true);
    expect((await run()).trials).toEqual(first.trials);
    expect(calls).toBe(9);
  });

  it('does not hold a training that was aborted', async () => {
    const controller = new AbortController();
    let calls = 0;
    const metric = (network: { metadata: unknown }) => {
      // In the middle of the fifth.
      if (++calls === 5) controller.abort();
      controller.signal.throwIfAborted();
      return (network.metadata as { x: number }).x;
    };
    await rejection(toy((x) => x, { log, metric, signal: controller.signal }));
    expect(lines()).toHaveLength(1 + 4);
    const { trials } = await toy((x) => x, { log });
    expect(trials.map(({ value }) => value)).toEqual(trials.map(({ params }) => params.x));
  });

  it('refuses another dataset for validation', async () => {
    await counted({ refit: false, validation: classData(12) });
    expect((await counted({ refit: false, validation: classData(12) })).calls).toEqual([]);
    const other = () => counted({ validation: changed('labels', 12) });
    await expectRejection(other, 'INVALID_ARGUMENT', /its data is /);
  });

  it('refuses that of another search, and leaves it alone', async () => {
    await counted({ refit: false });
    const text = readFileSync(log, 'utf8');
    const other: [Partial<SearchOptions<typeof space>>, RegExp][] = [
      [{ seed: 4 }, /its seed is 3, here 4/],
      [{ data: classData(61) }, /its rows is 60, here 61/],
      [{ data: changed('features') }, /its data is "[0-9a-f]{64}", here "/],
      [{ data: changed('labels') }, /its data is "[0-9a-f]{64}", here "/],
      [{ folds: 3 }, /its held.fraction is 0.2, here undefined/],
      [{ metric: 'accuracy' }, /its metric is "loss", here "accuracy"/],
      [{ space: { ...space, units: integer(2, 9) } }, /its space\.units\.[a-z]+ is \d+, here \d+/],
      [{ space: Object.fromEntries(Object.entries(space).reverse()) as typeof space }, /its space is \{.*, here \{/],
    ];
    for (const [options, message] of other) await expectRejection(() => counted(options), 'INVALID_ARGUMENT', message);
    expect(readFileSync(log, 'utf8')).toBe(text);
  });

  it.each([
    ['another file', 'age,name\n3,Ada\n', /line 1: expected the header of a search/],
    ['a trial without a value', '{"type":"trial","trial":0,"epochs":1,"seconds":1}', /line 2: expected a trial/],
    ['a value that is text', '{"type":"trial","trial":0,"epochs":1,"seconds":1,"trained":1,"value":"1"}', /line 2/],
    ['a number below zero', '{"type":"trial","trial":-1,"epochs":1,"seconds":1,"trained":1,"value":1}', /line 2/],
    ['something else', '[1]', /line 2/],
  ])('is FILE_CORRUPT with %s', async (_, content, message) => {
    await counted({ trials: 1, refit: false });
    const [header] = readFileSync(log, 'utf8').split('\n');
    const text = content.includes('Ada') ? content : `${header}\n${content}\n`;
    writeFileSync(log, text);
    await expectRejection(() => counted(), 'FILE_CORRUPT', message);
    expect(readFileSync(log, 'utf8')).toBe(text);
  });

  it('shortens what it tells of a log and of an error', async () => {
    await counted({ trials: 1, refit: false });
    const [header] = readFileSync(log, 'utf8').split('\n');
    writeFileSync(log, `${header.replace('"seed"', `"${'x'.repeat(5000)}":1,"seed"`)}\n`);
    const error = (await rejection(counted())) as Error;
    expect(error.message).toMatch(/another search/);
    expect(error.message.length).toBeLessThan(1000);
    rmSync(log);
    const build = () => Promise.reject(new Error('y'.repeat(5000)));
    expect(((await rejection(toy((x) => x, { trials: 1, build, log }))) as Error).message.length).toBeLessThan(1000);
    expect(lines()[1].error).toHaveLength(500);
  });

  it('must be a regular file that can be written', async () => {
    await expectRejection(() => counted({ log: folder }), 'FILE_NOT_FOUND', /directory/);
    if (process.platform !== 'win32') {
      const fifo = join(folder, 'fifo');
      execFileSync('mkfifo', [fifo]);
      await expectRejection(() => counted({ log: fifo }), 'FILE_NOT_FOUND', /a FIFO/);
    }
    await expectRejection(() => counted({ log: join(folder, 'no', 'log') }), 'FILE_NOT_WRITTEN', /cannot be written/);
  });
});
