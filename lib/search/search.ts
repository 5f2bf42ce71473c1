import {
  checkArity,
  checkBoolean,
  checkInteger,
  checkNumber,
  checkOptions,
  checkPath,
  checkSeed,
  invalid,
  isPlain,
  SIZES,
} from '../checks.js';
import type { Dataset } from '../data/dataset.js';
import { type AnyDataset, isDataset, kFold, split } from '../data/split.js';
import { BlasnetError } from '../errors.js';
import { RandomStream, Stream } from '../random.js';
import { checkSignal } from '../runtime/evaluate.js';
import { fingerprint } from './fingerprint.js';
import { type HalvingOptions, rungsOf } from './halving.js';
import { SearchLog } from './log.js';
import { type Draw, Runner, type SearchProgress, type Setup, type Trial } from './runner.js';
import { drawParams, type Params, readSpace, type Space } from './space.js';
import {
  type AnyNetwork,
  type AnyTask,
  type Built,
  controlled,
  type Division,
  type MetricOptions,
  readMetric,
  type Task,
  train,
} from './training.js';

/** For {@link search}. */
export interface SearchOptions<
  S extends Space = Space,
  N extends AnyNetwork = AnyNetwork,
  D extends AnyDataset = Dataset,
> extends MetricOptions<N, D> {
  /** What is drawn for each trial, by name: `uniform`, `logUniform`, `integer` or `choice`. */
  space: S;
  /** How many parameter sets are drawn. */
  trials: number;
  /** Makes a new network for the parameters of a trial and says how to train it. Called once for each training. */
  build: (params: Params<S>, task: Task<D>) => Built<N, D> | Promise<Built<N, D>>;
  /** All rows, from which `validation` or `folds` holds some out. */
  data: D;
  /**
   * What trials are measured on: a dataset, or the fraction of `data` to hold out, in (0, 1), stratified by the labels
   * if there are some. Default 0.2.
   */
  validation?: D | number;
  /** Instead of `validation`: each trial is the mean over so many folds of `data`, as in `crossValidate`. */
  folds?: number;
  /** Epochs of a training; with `halving`, of those in the last rung. Default 1. */
  epochs?: number;
  /**
   * Successive halving: all trials are trained for a few epochs, the best third of them for three times as many, and so
   * on up to `epochs`. Each rung trains new networks. `{}` for the defaults. Default: random search, in which every
   * trial is trained for `epochs`.
   */
  halving?: HalvingOptions;
  /**
   * 32-bit unsigned integer, default 0. Decides the parameters and the task's `seed` of each trial, which depend on its
   * number alone, and which rows are held out.
   */
  seed?: number;
  /** Whether to train a network with the best parameters on all of `data`. Default true. */
  refit?: boolean;
  /** How many networks are trained at the same time; default 1. Doesn't change the result. */
  concurrency?: number;
  /**
   * A file of JSON lines (a path or file: URL) to which each training is added when it has ended. If it exists, the
   * search goes on from there: what it has is not trained again. For one process at a time.
   */
  log?: string | URL;
  /** Called after each training; awaited. An error in it ends the search. */
  onTrial?: (trial: Trial<Params<S>>, progress: SearchProgress<Params<S>>) => void | Promise<void>;
  /**
   * Stops the running trainings; the search rejects with the signal's reason. A running `build`, metric or `onTrial`
   * has half a second to finish.
   */
  signal?: AbortSignal;
}

/** What {@link search} resolves to. */
export interface SearchResult<P = Params<Space>, N extends AnyNetwork = AnyNetwork> {
  /** The best of the last rung. Of equal ones, the first. */
  readonly best: Trial<P>;
  /** The network with the best parameters, refitted; undefined with `refit: false`. */
  readonly network: N | undefined;
  /** All trainings, rung by rung, in the order of the trials' numbers. */
  readonly trials: readonly Trial<P>[];
}

const known = [
  ...['space', 'trials', 'build', 'data', 'validation', 'folds', 'epochs', 'halving', 'seed', 'metric', 'mode'],
  ...['refit', 'concurrency', 'log', 'onTrial', 'signal'],
] as const;

/**
 * Searches a space of hyper-parameters at random or by successive halving, and refits the best: builds it for its task
 * with all of `data` and trains it for as many epochs as the best trial took.
 *
 * A trial whose `build`, `fit` or metric throws, or whose metric is not a finite number, has failed: it is listed with
 * its error and takes no further part. Rejects with `INVALID_ARGUMENT` if all fail (`cause` is the first error, where
 * the log does not hide it). Rejects before any training with `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, and with
 * `FILE_NOT_FOUND`, `FILE_CORRUPT` or `FILE_NOT_WRITTEN` for a log that can't be read, is none or can't be written.
 */
export async function search<const S extends Space, N extends AnyNetwork = AnyNetwork, D extends AnyDataset = Dataset>(
  options: SearchOptions<S, N, D>,
): Promise<SearchResult<Params<S>, N>> {
  checkArity('search', arguments, 1);
  const given = checkOptions('search', options, known);
  const { build, data, epochs = 1, halving, seed = 0, refit = true, concurrency = 1, onTrial, signal } = given;
  const space = readSpace('search: space', given.space);
  const trials = checkInteger('search: trials', given.trials, SIZES);
  if (typeof build !== 'function') throw invalid('search: build', 'a function', build);
  if (!isDataset(data)) throw invalid('search: data', 'a Dataset or SparseDataset', data);
  checkInteger('search: epochs', epochs, { min: 1 });
  checkSeed('search: seed', seed);
  checkBoolean('search: refit', refit);
  checkInteger('search: concurrency', concurrency, { min: 1 });
  if (onTrial !== undefined && typeof onTrial !== 'function') throw invalid('search: onTrial', 'a function', onTrial);
  checkSignal('search: signal', signal);
  const rungs = rungsOf('search: halving', trials, epochs, halving);
  const metric = readMetric('search', given);
  const { held, divisions } = divide(data, given, seed);
  const path = given.log === undefined ? undefined : checkPath('search: log', given.log);

  return controlled(signal, async (controller) => {
    const header = () =>
      ({
        type: 'search',
        version: 1,
        space: Object.fromEntries(space),
        seed,
        metric: metric.name,
        mode: metric.mode,
        rows: data.length,
        held,
        data: fingerprint(isDataset(given.validation) ? [data, given.validation] : [data]),
      }) as const;
    const log = path === undefined ? undefined : await SearchLog.open(path, header());
    const draws = Array.from({ length: trials }, (_, trial): Draw => {
      const random = new RandomStream(seed, Stream.search + trial);
      const own = random.word();
      return { trial, seed: own, params: drawParams(space, random) };
    });
    const total = rungs.reduce((sum, rung) => sum + rung.trials, 0);
    // The parameters have the types that the space says.
    const untyped = { build, onTrial } as unknown as Pick<Setup, 'build' | 'onTrial'>;
    // With one at a time the group is free.
    const built: Setup['build'] = async (params, own) => {
      const result = await untyped.build(params, own);
      const { group } = (isPlain(result) ? result : {}) as Partial<Built>;
      if (concurrency > 1 && group !== undefined && group.size > 1)
        controller.abort(invalid('search: concurrency', '1 where trials train with a group', concurrency));
      return result;
    };
    const runner = new Runner({ ...untyped, build: built, divisions, metric, controller, log, total });
    let candidates: readonly Draw[] = draws;
    for (const rung of rungs) {
      const chosen = candidates.slice(0, rung.trials).sort((a, b) => a.trial - b.trial);
      const results = await runner.runAll(chosen, rung.epochs, concurrency);
      // The next rung takes the best ones. Sorting is stable, so equal ones keep their order.
      candidates = results
        .filter(({ value }) => value !== undefined)
        .sort((a, b) => runner.compare(a, b))
        .map(({ trial }) => draws[trial]);
    }
    const { best } = runner;
    if (best === undefined) throw allFailed(runner);
    const task = { trial: best.trial, seed: best.seed, epochs: best.trained, train: data, validation: undefined };
    const again = (own: AnyTask) => untyped.build(best.params, own);
    const network = refit ? (await train(again, task, controller.signal)).network : undefined;
    const result = { best, network, trials: Object.freeze([...runner.trials]) };
    return Object.freeze(result) as unknown as SearchResult<Params<S>, N>;
  });
}

/** How the data are divided, for the log, and the parts. */
function divide(
  data: AnyDataset,
  { validation, folds }: { validation?: AnyDataset | number; folds?: number },
  seed: number,
): { held: unknown; divisions: readonly Division[] } {
  const stratify = data.labels !== undefined;
  if (folds !== undefined) {
    if (validation !== undefined) throw invalid('search: validation', 'none with folds', validation);
    return { held: { folds }, divisions: kFold(data, { folds, seed, stratify }) };
  }
  if (isDataset(validation)) return { held: { rows: validation.length }, divisions: [{ train: data, validation }] };
  const fraction = checkNumber('search: validation', validation ?? 0.2, { above: 0, below: 1 });
  const { train: rest, test } = split(data, { test: fraction, seed, stratify });
  if (test.length === 0)
    throw invalid('search: validation', `a fraction that holds out some of ${data.length} rows`, fraction);
  return { held: { fraction }, divisions: [{ train: rest, validation: test }] };
}

function allFailed({ trials, cause }: Runner): BlasnetError {
  const message = `search: build: all ${trials.length} trials failed; the first: ${trials[0].error}`;
  return new BlasnetError('INVALID_ARGUMENT', message, { cause });
}
