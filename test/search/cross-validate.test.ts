import { describe, expect, it } from 'vitest';
import { type Dataset, kFold, Scaler, SparseDataset, standardize } from '../../lib/data/index.js';
import { Adam, dense, meanSquaredError, metrics, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { type CrossValidateOptions, crossValidate, type Task } from '../../lib/search/index.js';
import { classData, expectRejection, rejection, valueData } from '../api/support.js';

const data = classData(50);
const build = ({ seed }: Pick<Task, 'seed'>) => ({
  network: new Network({ input: [6], layers: [dense(3)], loss: softmaxCrossEntropy(), seed, backend: 'typescript' }),
  optimizer: new Adam({ learningRate: 0.05 }),
  batchSize: 10,
});

describe('crossValidate', () => {
  it('measures each fold as a fit by hand does', async () => {
    const options = { data, build, folds: 4, epochs: 3, seed: 9 };
    const { values, mean, deviation } = await crossValidate(options);
    const losses: number[] = [];
    for (const { train, validation } of kFold(data, { folds: 4, seed: 9, stratify: true })) {
      const { network, ...rest } = build({ seed: 9 });
      await network.fit(train, { ...rest, epochs: 3 });
      losses.push((await network.evaluate(validation)).loss);
    }
    expect(values).toEqual(losses);
    const [a, b, c, d] = losses;
    expect(mean).toBeCloseTo((a + b + c + d) / 4, 12);
    const squares = [a, b, c, d].map((loss) => (loss - (a + b + c + d) / 4) ** 2);
    expect(deviation).toBeCloseTo(Math.sqrt((squares[0] + squares[1] + squares[2] + squares[3]) / 3), 12);
    expect((await crossValidate({ ...options, concurrency: 3 })).values).toEqual(values);
    expect((await crossValidate({ ...options, seed: 8 })).values).not.toEqual(values);
  });

  it('takes a SparseDataset', async () => {
    const { length, features, labels } = data;
    const sparse = new SparseDataset({
      rowOffsets: Array.from({ length: length + 1 }, (_, row) => 6 * row),
      indices: Array.from({ length: 6 * length }, (_, i) => i % 6),
      values: features,
      columns: 6,
      classes: 3,
      labels: labels as Int32Array,
    });
    const { values } = await crossValidate({ data: sparse, build, folds: 4, epochs: 3 });
    expect(values).toEqual((await crossValidate({ data, build, folds: 4, epochs: 3 })).values);
  });

  it('takes accuracy, and functions of the network and the fold; five folds and one epoch by default', async () => {
    const { values } = await crossValidate({ data, build, metric: 'accuracy' });
    const held: Dataset[] = [];
    const own = await crossValidate({
      data,
      build,
      metric: (network: Network, validation) => {
        held.push(validation);
        return metrics.accuracy(network.predict(validation), validation.labels as Int32Array);
      },
    });
    expect(values).toHaveLength(5);
    own.values.forEach((value, fold) => expect(value).toBeCloseTo(values[fold], 12));
    const folds = kFold(data, { stratify: true });
    expect(held.map(({ features }) => features)).toEqual(folds.map(({ validation }) => validation.features));
  });

  it('scales by the training part of each fold alone', async () => {
    const values = valueData(30, 4, 1);
    const centers: number[] = [];
    const { mean } = await crossValidate({
      data: values,
      folds: 3,
      epochs: 2,
      build: ({ train, validation, seed }) => {
        const { dataset, scaler } = standardize(train);
        centers.push(scaler.center[0]);
        const network = new Network({ input: [4], layers: [dense(1)], loss: meanSquaredError(), seed });
        network.metadata = JSON.parse(JSON.stringify(scaler));
        return { network, train: dataset, validation: validation && scaler.apply(validation) };
      },
      metric: (network, validation) => {
        // The network's own scaler was applied to what it is measured on.
        const scaler = Scaler.fromJSON(network.metadata as never);
        const column = [...validation.features].filter((_, i) => i % 4 === 0);
        const back = column.map((value) => value * scaler.spread[0] + scaler.center[0]);
        expect(Math.max(...back.map(Math.abs))).toBeLessThanOrEqual(1);
        return 1;
      },
    });
    expect(mean).toBe(1);
    expect(new Set(centers).size).toBe(3);
  });

  it('ends with the error of a fold, or the reason of a signal', async () => {
    const error = new Error('not this one');
    let calls = 0;
    const failing = crossValidate({ data, build: (task) => (++calls === 2 ? Promise.reject(error) : build(task)) });
    expect(await rejection(failing)).toBe(error);
    expect(calls).toBe(2);
    const reason = new Error('stop');
    expect(await rejection(crossValidate({ data, build, signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  it.each(['build', 'metric'])('is aborted while its %s never settles', async (part) => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const hang = () => {
      setTimeout(() => controller.abort(reason), 5);
      return new Promise<never>(() => {});
    };
    const run = crossValidate({ data, build, signal: controller.signal, [part]: hang });
    expect(await rejection(run)).toBe(reason);
  });

  it('ends with the error of a fold while the metric of another never settles', async () => {
    const error = new Error('this one');
    let calls = 0;
    const metric = () => (++calls === 1 ? new Promise<never>(() => {}) : Promise.reject(error));
    expect(await rejection(crossValidate({ data, build, metric, concurrency: 2 }))).toBe(error);
  });

  it.each([
    [{ data: 1 }, /crossValidate: data: expected a Dataset/],
    [{ build: 1 }, /crossValidate: build: expected a function/],
    [{ folds: 51 }, /folds: .* ≤ 50/],
    [{ epochs: 0 }, /crossValidate: epochs/],
    [{ seed: 2 ** 32 }, /seed/],
    [{ concurrency: 0.5 }, /crossValidate: concurrency/],
    [{ metric: 'f1' }, /crossValidate: metric/],
  ])('refuses %o', async (wrong, message) => {
    const options = { data, build, ...(wrong as object) } as CrossValidateOptions;
    await expectRejection(() => crossValidate(options), 'INVALID_ARGUMENT', message);
  });
});
