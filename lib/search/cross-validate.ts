import { checkArity, checkInteger, checkOptions, invalid } from '../checks.js';
import type { Dataset } from '../data/dataset.js';
import { type AnyDataset, isDataset, kFold } from '../data/split.js';
import { checkSignal } from '../runtime/evaluate.js';
import {
  type AnyNetwork,
  type AnyTask,
  type Built,
  controlled,
  inParallel,
  type MetricOptions,
  readMetric,
  type Task,
  trainAndMeasure,
} from './training.js';

/** For {@link crossValidate}. */
export interface CrossValidateOptions<N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset>
  extends MetricOptions<N, D> {
  /** All rows; stratified by their labels if they have some. */
  data: D;
  /** Makes a new network for each fold and says how to train it. */
  build: (task: Task<D>) => Built<N, D> | Promise<Built<N, D>>;
  /** From 2 to the number of rows; at most 1000 with labels. Default 5. */
  folds?: number;
  /** Epochs of each training; default 1. */
  epochs?: number;
  /** 32-bit unsigned integer, default 0: of the division into folds, and the task's `seed` of every fold. */
  seed?: number;
  /** How many networks are trained at the same time; default 1. Doesn't change the values. */
  concurrency?: number;
  /**
   * Stops the running trainings; the call rejects with the signal's reason. A running `build` or metric has half a
   * second to finish.
   */
  signal?: AbortSignal;
}

/** What {@link crossValidate} resolves to. */
export interface CrossValidation {
  /** The metric of each fold's network on the rows that it did not see. */
  readonly values: readonly number[];
  readonly mean: number;
  /** Standard deviation of `values`, with n − 1. */
  readonly deviation: number;
}

const known = ['data', 'build', 'folds', 'epochs', 'seed', 'metric', 'mode', 'concurrency', 'signal'] as const;

/**
 * k-fold cross-validation: for each fold of {@link kFold} it trains a new network on all other rows and measures it on
 * the fold. Errors of `build`, `fit` and the metric end it. Rejects also with `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 */
export async function crossValidate<N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset>(
  options: CrossValidateOptions<N, D>,
): Promise<CrossValidation> {
  checkArity('crossValidate', arguments, 1);
  const given = checkOptions('crossValidate', options, known);
  const { data, build, folds = 5, epochs = 1, seed = 0, concurrency = 1, signal } = given;
  if (!isDataset(data)) throw invalid('crossValidate: data', 'a Dataset or SparseDataset', data);
  if (typeof build !== 'function') throw invalid('crossValidate: build', 'a function', build);
  checkInteger('crossValidate: epochs', epochs, { min: 1 });
  checkInteger('crossValidate: concurrency', concurrency, { min: 1 });
  checkSignal('crossValidate: signal', signal);
  const metric = readMetric('crossValidate', given, false);
  const divisions = kFold(data, { folds, seed, stratify: data.labels !== undefined });
  // The parts are of the kind of the data.
  const own = build as (task: AnyTask) => unknown;
  const values = new Array<number>(divisions.length).fill(Number.NaN);
  await controlled(signal, (controller) =>
    inParallel([...divisions.keys()], concurrency, controller, async (fold) => {
      const { value } = await trainAndMeasure(own, divisions[fold], { seed, epochs }, metric, controller.signal);
      values[fold] = value;
    }),
  );
  const mean = average(values);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Object.freeze({ values: Object.freeze(values), mean, deviation: Math.sqrt(variance) });
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
