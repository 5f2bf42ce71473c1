import { checkChoice, invalid, isPlain } from '../checks.js';
import type { Dataset } from '../data/dataset.js';
import { type AnyDataset, isDataset } from '../data/split.js';
import { BlasnetError } from '../errors.js';
import { type AnyNetwork, Network } from '../network.js';
import { bounded } from '../runtime/waiting.js';
import type { FitOptions } from '../training/fit-options.js';

export type { AnyNetwork };

/** What a training is for. */
export interface Task<D extends AnyDataset = Dataset> {
  /** Number of the trial, from 0; undefined in `crossValidate`. */
  readonly trial?: number | undefined;
  /** For the network: the same for the same trial. */
  readonly seed: number;
  /** Epochs that it will be trained for, for schedules. */
  readonly epochs: number;
  /** What it will be trained on. */
  readonly train: D;
  /** What it will be measured on; undefined when the best is refitted on all data. */
  readonly validation: D | undefined;
}

/** The task of a training on data of either kind. */
export type AnyTask = Task<AnyDataset>;

/** A new network, and how to train it: the options of its `fit`. */
export interface Built<N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset>
  extends Omit<FitOptions, 'epochs' | 'initialEpoch' | 'signal' | 'validation'> {
  network: N;
  /** The task has them. */
  epochs?: never;
  initialEpoch?: never;
  signal?: never;
  /** Trained on instead of the task's, for example after scaling. Default: the task's `train`. */
  train?: D;
  /**
   * Measured on instead of the task's `validation`, and evaluated after each epoch, too. Default: the task's is
   * measured on at the end.
   */
  validation?: D | undefined;
}

/** A user's measure of a trained network on held-out data. */
export type MetricFunction<N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset> = (
  network: N,
  validation: D,
) => number | Promise<number>;

/** What networks are compared by. */
export interface MetricOptions<N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset> {
  /**
   * Measured on held-out data when `fit` has ended: 'loss' (the default, with penalties) or 'accuracy', as `evaluate`
   * gives them, or a function of the network and the data.
   */
  metric?: 'loss' | 'accuracy' | MetricFunction<N, D>;
  /** Whether smaller ('min') or larger ('max') is better. Default: 'min' for the loss, 'max' for the accuracy. */
  mode?: 'min' | 'max';
}

/** A checked metric. */
export interface Metric {
  readonly name: 'loss' | 'accuracy' | 'function';
  readonly mode: 'min' | 'max';
  measure(network: AnyNetwork, validation: AnyDataset, signal: AbortSignal): Promise<number>;
}

export function readMetric<N extends AnyNetwork, D extends AnyDataset>(
  caller: string,
  { metric = 'loss', mode }: MetricOptions<N, D>,
  needMode = true,
): Metric {
  if (mode !== undefined) checkChoice(`${caller}: mode`, mode, ['min', 'max']);
  if (typeof metric === 'function') {
    if (mode === undefined && needMode)
      throw invalid(`${caller}: mode`, "'min' or 'max' for a metric of one's own", mode);
    const measure = async (network: AnyNetwork, validation: AnyDataset, signal: AbortSignal) =>
      bounded(metric(network as N, validation as D), [signal]);
    return { name: 'function', mode: mode ?? 'min', measure };
  }
  checkChoice(`${caller}: metric`, metric, ['loss', 'accuracy']);
  const measure = async (network: AnyNetwork, validation: AnyDataset, signal: AbortSignal) => {
    const value = (await network.evaluate(validation, { signal }))[metric];
    if (value === undefined)
      throw new BlasnetError('INVALID_ARGUMENT', `metric: the network has no ${metric}; use a function`);
    return value;
  };
  return { name: metric, mode: mode ?? (metric === 'loss' ? 'min' : 'max'), measure };
}

/** Refuses what a user's `build` must not return; `fit` checks the rest. */
function checkBuilt(value: unknown): asserts value is Built<AnyNetwork, AnyDataset> {
  if (!isPlain(value)) throw invalid('build: its result', 'an object with a network', value);
  const built = value as Record<string, unknown>;
  if (!(built.network instanceof Network)) throw invalid('build: its result: network', 'a Network', built.network);
  for (const option of ['epochs', 'initialEpoch', 'signal'])
    if (built[option] !== undefined) throw invalid(`build: its result: ${option}`, 'none', built[option]);
  for (const option of ['train', 'validation'])
    if (built[option] !== undefined && !isDataset(built[option]))
      throw invalid(`build: its result: ${option}`, 'a Dataset or SparseDataset', built[option]);
}

/** A trained network and the number of epochs that its `fit` took. */
export interface Trained {
  readonly network: AnyNetwork;
  readonly epochs: number;
  /** What it is to be measured on. */
  readonly validation: AnyDataset | undefined;
}

/** Builds and trains a network for a task. */
export async function train(build: (task: AnyTask) => unknown, task: AnyTask, signal: AbortSignal): Promise<Trained> {
  const built: unknown = await bounded(build(Object.freeze({ ...task })), [signal]);
  checkBuilt(built);
  const { network, train: own = task.train, validation, ...options } = built;
  const given = { ...options, ...(validation && { validation }), epochs: task.epochs, signal };
  try {
    const { epochs } = await network.fit(own, given);
    return { network, epochs: (epochs.at(-1)?.epoch ?? -1) + 1, validation: validation ?? task.validation };
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/** A division of the data. */
export interface Division {
  readonly train: AnyDataset;
  readonly validation: AnyDataset;
}

/** Trains a network for one division of the data and measures it; the network is disposed. */
export async function trainAndMeasure(
  build: (task: AnyTask) => unknown,
  division: Division,
  settings: Pick<Task, 'trial' | 'seed' | 'epochs'>,
  metric: Metric,
  signal: AbortSignal,
): Promise<{ value: number; epochs: number }> {
  const { train: rows, validation } = division;
  const trained = await train(build, { ...settings, train: rows, validation }, signal);
  const { network, epochs } = trained;
  try {
    const value: unknown = await metric.measure(network, trained.validation ?? validation, signal);
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw invalid('metric: its result', 'a finite number', value);
    return { value, epochs };
  } finally {
    network.dispose();
  }
}

/**
 * Runs `task` for each item, in order and at most `limit` at a time. The first failure aborts `controller` and is
 * thrown when all that were running have ended; user code that they wait for is given up after a short time.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  controller: AbortController,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const { signal } = controller;
  let next = 0;
  const lane = async () => {
    while (next < items.length && !signal.aborted) {
      await task(items[next++]).catch((error: unknown) => controller.abort(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  signal.throwIfAborted();
}

/** Runs `task` with a controller that the caller's signal aborts too, with the same reason. */
export async function controlled<T>(
  signal: AbortSignal | undefined,
  task: (controller: AbortController) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const forward = () => controller.abort(signal?.reason);
  if (signal?.aborted) forward();
  signal?.addEventListener('abort', forward);
  try {
    controller.signal.throwIfAborted();
    return await task(controller);
  } finally {
    signal?.removeEventListener('abort', forward);
  }
}
