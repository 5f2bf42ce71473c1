import type { Augmentation } from '../augmentations.js';
import type { Group } from '../distributed/group.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ClassWeights } from '../runtime/class-weights.js';
import type { TrainingData } from '../runtime/streams.js';
import type { Callbacks } from './callbacks.js';
import type { Metrics } from './own-metrics.js';
import type { SamplingOptions } from './sampling.js';

/** Options of `network.fit`. `P`: the predictions that `metrics` receive; those of any network unless given. */
// biome-ignore lint/suspicious/noExplicitAny: options of any network can be passed to each.
export interface FitOptions<P = any> extends SamplingOptions {
  /** Default `new Adam()`. */
  optimizer?: Optimizer;
  /** Epochs to train; default 1. With Infinity, training continues until `signal` or a callback stops it. */
  epochs?: number;
  /** Rows per batch; default 32. For rows that don't fill a batch see `dropLast`. */
  batchSize?: number;
  /**
   * Skip the rows that don't fill the last batch of an epoch (different rows each epoch if shuffled). Default false:
   * they form a short batch. Exception: with batch norm, which can't normalise a single row, a single remaining row is
   * added to the previous batch.
   */
  dropLast?: boolean;
  /**
   * Batches per step of the optimizer; default 1. Their gradients are averaged, each row with the same weight, so that
   * they make the step of one large batch (but for batch norm, which normalises each by itself, and rounding) with the
   * memory of a small one. Not with weights of rows or classes. The remaining batches of an epoch make a step of their
   * own. Schedules and `optimizer.steps` count these steps; logs are of batches.
   */
  accumulate?: number;
  /**
   * Random changes of each batch before the first layer, in the order of the list: `randomShift`, `randomFlip`,
   * `randomCrop`, `randomRotation`, `cutout`, `mixUp`. Only for training: validation, `evaluate` and `predict` see the
   * samples as they are. Drawn from the network's seed and its training steps, so a resumed training continues them;
   * files don't hold the list. All but `mixUp` need images: the network's input or the dataset's samples are [height,
   * width, channels]. For a network with several inputs: an object of lists by the inputs' names. `mixUp` mixes the
   * same rows by the same shares in all inputs, so all lists must have it. Default: none.
   */
  augment?: readonly Augmentation[] | Readonly<Record<string, readonly Augmentation[]>>;
  /** Evaluated after each epoch: a dataset, or a stream that can be read repeatedly. */
  validation?: TrainingData;
  /** Validate with the average of weights that the optimizer keeps (its option `averageWeights`). Default false. */
  validateAverage?: boolean;
  /**
   * User-defined metrics, computed after each epoch from the predictions for `validation`, which must be a dataset.
   * Logged in `log.metrics`; can be used as `monitor`.
   */
  metrics?: Metrics<P>;
  /**
   * Weights of the classes in the losses, on `validation` too: a number for each class, an object by label names, or
   * 'balanced' (by the counts of the data to train on); by the outputs' names if several have losses. They multiply the
   * data's `sampleWeights`. Not for outputs with several labels a row. The loss of a batch is Σ w l / Σ w.
   */
  classWeights?: ClassWeights;
  callbacks?: Callbacks | readonly Callbacks[];
  /**
   * Stops training at the end of a step. `fit` rejects with the signal's reason (with `GROUP_FAILED` if the group is
   * lost at the same moment); the network keeps the last complete step. A running callback has half a second to finish.
   */
  signal?: AbortSignal;
  /**
   * Number of the first epoch, for schedules, logs and the shuffle. Default: shuffles continue after the last `fit`,
   * logs start at 0.
   */
  initialEpoch?: number;
  /**
   * Logs to keep in the history: 'all' (default), only the 'last', or that many of the latest. A log takes a few
   * hundred bytes plus 8 per batch.
   */
  history?: 'all' | 'last' | number;
  /**
   * The processes that train together, from `joinGroup` of `blasnet/distributed`. All must call `fit` with the same
   * network (also its `seed`), data and options. Every batch is divided among them: each takes its share of the rows
   * and of `batchSize`, so they train as one process would, up to the order of sums. Parameters, moments and counters
   * are those of the first rank. Only it calls `checkpoint`, `jsonLog`, `tensorBoard`, `progressBar` and `dashboard`;
   * the ranks stop together. Batch norm uses the statistics of each rank's rows; the running ones are averaged after
   * each epoch. A group of one changes nothing. `fit` rejects with `GROUP_FAILED` if another rank fails or trains
   * something else, and with `BACKEND_UNAVAILABLE` on the TypeScript backend. All ranks must read the same batches of a
   * stream, of which each takes its rows.
   */
  group?: Group;
  /**
   * With `group`: the data are this rank's own rows, as `shard` gives them, not the rows of all ranks. Each rank
   * shuffles its own rows and takes its share of `batchSize` for each batch, until the rank with the most rows has no
   * more. Not for streams and `mixUp`. Default false.
   */
  sharded?: boolean;
  /**
   * With `group`: each rank makes this many steps with the gradients of its own rows alone (local SGD, Stich 2019).
   * Then, and at the end of each epoch, parameters and moments become the means over the ranks, weighted by the rows
   * that each has seen since. Losses, hits and the check that they are finite are those of all ranks in every step;
   * clipping and penalties are each rank's own. For slow networks between machines. Not with `accumulate`, weights of
   * rows or classes, and `batchNorm({ sync: true })`. A group of one changes nothing. Default: the gradients of each
   * step are summed.
   */
  syncEvery?: number;
  /** Measure each kernel; results in `history.profile`. Slows training by a few per cent. Default false. */
  profile?: boolean;
}

/** The names of the options. */
export const fitOptionNames = [
  'optimizer',
  'epochs',
  'batchSize',
  'dropLast',
  'accumulate',
  'sampling',
  'shuffle',
  'stepsPerEpoch',
  'augment',
  'validation',
  'validateAverage',
  'metrics',
  'classWeights',
  'callbacks',
  'signal',
  'initialEpoch',
  'history',
  'profile',
  'group',
  'sharded',
  'syncEvery',
] as const;
