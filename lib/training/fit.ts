import { setImmediate as turn } from 'node:timers/promises';
import { types } from 'node:util';
import type { Augmentation } from '../augmentations.js';
import { checkBoolean, checkInteger, checkOptions, invalid } from '../checks.js';
import { type Group, isGroup } from '../distributed/group.js';
import { BlasnetError } from '../errors.js';
import { describeModel, type Kept } from '../formats/network-file.js';
import { describeOptimizer } from '../formats/optimizer-state.js';
import { toPlain } from '../formats/plain.js';
import { share } from '../kernels/share.js';
import { Adam } from '../optimizers/adam.js';
import { checkOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { type Augments, checkAugment, checkMixing } from '../program/augment.js';
import { movesState } from '../program/losses.js';
import { goalsOf, type Model } from '../program/model.js';
import { trainedGradients } from '../program/update.js';
import {
  type Batches,
  checkStatistics,
  divide,
  divideEpoch,
  joinBatches,
  rowsOf,
  shareBatches,
} from '../runtime/batches.js';
import { type ClassWeights, type ResolvedWeights, resolveClassWeights } from '../runtime/class-weights.js';
import { isSampleSource } from '../runtime/columns.js';
import { checkSameClasses } from '../runtime/dataset-inputs.js';
import type { Engine, Source } from '../runtime/engine.js';
import { checkSignal, evaluateData, newControl, sharedDoubles, signalsOf } from '../runtime/evaluate.js';
import { findNonFinite, otherRankError, spoiltError, stepError } from '../runtime/non-finite.js';
import { Profile } from '../runtime/profile.js';
import { Slices } from '../runtime/slices.js';
import { Snapshot } from '../runtime/snapshot.js';
import { BatchReader, overShared, readData, type TrainingData, weighClasses } from '../runtime/streams.js';
import { reportWidth, Tally } from '../runtime/tally.js';
import { bounded, stoppable } from '../runtime/waiting.js';
import type { SampleSource } from '../types.js';
import { Accumulation } from './accumulation.js';
import {
  type Callbacks,
  callbackList,
  callbacksOfRank,
  Training,
  type TrainingSettings,
  tellFailure,
} from './callbacks.js';
import { type EpochLog, History } from './history.js';
import { checkMetrics, computeMetrics, type MetricFunction, type Metrics } from './own-metrics.js';
import { ProgressReporter } from './progress.js';
import { checksum, checksumOf, Ranks } from './ranks.js';
import { batchRows, drawnRows, type RowChoice, resolveSampling, type SamplingOptions } from './sampling.js';

export interface FitOptions extends SamplingOptions {
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
   * memory of a small one. The remaining batches of an epoch make a step of their own. Schedules and `optimizer.steps`
   * count these steps; logs are of batches.
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
  metrics?: Metrics;
  /**
   * Weights of the classes in the losses, on `validation` too: a number for each class, an object by label names, or
   * 'balanced' (by the counts of the data to train on); by the outputs' names if there are several. They multiply the
   * data's `sampleWeights`. The loss of a batch is Σ w l / Σ w.
   */
  classWeights?: ClassWeights;
  callbacks?: Callbacks | readonly Callbacks[];
  /**
   * Stops training at the end of a step. `fit` rejects with the signal's reason; the network keeps the last complete
   * step. A running callback has half a second to finish.
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

const known = [
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
];

/** Epochs shorter than this many milliseconds run together, unless something happens between them. */
const SHORT_RUN = 20;

/** What to evaluate after each epoch. */
interface Validation {
  readonly source: Source | BatchReader;
  readonly data: TrainingData;
  /** With the average of weights. */
  readonly average: boolean;
  readonly metrics: readonly [name: string, metric: MetricFunction][];
}

/** A checked training, ready to start. */
interface Plan {
  readonly engine: Engine;
  readonly network: Kept;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly data: Source | BatchReader;
  /** The batches of each epoch over a dataset; undefined for a stream. */
  readonly batches: Batches | undefined;
  readonly rowChoice: RowChoice;
  /** Batches per step of the optimizer. */
  readonly accumulate: number;
  readonly augment: Augments | undefined;
  readonly validation: Validation | undefined;
  readonly callbacks: readonly Callbacks[];
  readonly signal: AbortSignal | undefined;
  /** Signals that end every wait: `signal`, and disposal of the network. */
  readonly signals: readonly AbortSignal[];
  readonly firstEpoch: number;
  readonly history: History;
  /** Number of logs the history keeps. */
  readonly kept: number;
  readonly training: Training;
  /** The ranks that train together; undefined for one alone. */
  readonly ranks: Ranks | undefined;
  readonly sharded: boolean;
  /** Steps that ranks make before they average their parameters; undefined if they sum gradients. */
  readonly syncEvery: number | undefined;
}

function checkEpochs(epochs: unknown, firstEpoch: number): number {
  if (epochs === Number.POSITIVE_INFINITY) return epochs;
  return checkInteger('fit: epochs', epochs, { min: 0, max: Number.MAX_SAFE_INTEGER - firstEpoch });
}

function checkHistory(history: unknown = 'all'): number {
  if (history === 'all') return Number.POSITIVE_INFINITY;
  if (history === 'last') return 1;
  if (typeof history !== 'number') throw invalid('fit: history', "'all', 'last' or a number of logs", history);
  return checkInteger('fit: history', history, { min: 1 });
}

function checkValidation(
  engine: Engine,
  optimizer: Optimizer,
  given: FitOptions,
  weights: ResolvedWeights | undefined,
): Validation | undefined {
  const { validation, metrics, signal } = given;
  const { model } = engine;
  const read = (data: TrainingData) =>
    weighClasses(model, readData('fit: validation', model, data, signalsOf(engine, signal)), weights);
  const source = validation === undefined ? undefined : read(validation);
  const own = checkMetrics(metrics, source !== undefined && !(source instanceof BatchReader));
  const average = checkBoolean('fit: validateAverage', given.validateAverage ?? false);
  if (average && (source === undefined || optimizer.averageWeights === undefined)) {
    const needs = source === undefined ? 'validation data' : 'an optimizer with averageWeights';
    throw new BlasnetError('INVALID_ARGUMENT', `fit: validateAverage: it needs ${needs}`);
  }
  return source && validation && { source, data: validation, average, metrics: own };
}

/** Checks the augmentations of each input. */
function readAugment({ model }: Engine, data: TrainingData, { augment }: FitOptions): Plan['augment'] {
  if (augment === undefined) return undefined;
  const { inputs } = model;
  const losses = goalsOf(model).map(({ loss }) => loss);
  const shapes = isSampleSource(data) ? data : undefined;
  if (Array.isArray(augment) || (inputs.length === 1 && inputs[0].name === undefined)) {
    if (inputs.length > 1) throw invalid('fit: augment', "an object of lists by the inputs' names", augment);
    return [checkAugment('fit: augment', augment, inputs[0], shapes?.shape, losses)];
  }
  const lists = checkOptions<Record<string, unknown>>(
    'fit: augment',
    augment as Record<string, unknown>,
    inputs.flatMap(({ name }) => name ?? []),
  );
  const augments = inputs.map((input) => {
    const { name } = input;
    if (name === undefined || lists[name] === undefined) return undefined;
    return checkAugment(`fit: augment: ${name}`, lists[name], input, shapes?.inputs?.[name]?.shape, losses);
  });
  checkMixing('fit: augment', inputs, augments);
  return augments;
}

/** The ranks of the option `group`; undefined for a group of one. */
function readRanks(engine: Engine, { group, sharded }: FitOptions): Ranks | undefined {
  if (group !== undefined && !isGroup(group)) throw invalid('fit: group', 'a group that joinGroup gave', group);
  if (checkBoolean('fit: sharded', sharded ?? false) && group === undefined)
    throw new BlasnetError('INVALID_ARGUMENT', 'fit: sharded: it needs a group');
  if (group === undefined || group.size === 1) return undefined;
  if (engine.backend.name !== 'native')
    throw new BlasnetError('BACKEND_UNAVAILABLE', 'fit: group: several ranks need the native backend');
  return new Ranks(group);
}

/** Throws `INVALID_ARGUMENT` for what several ranks can't do. */
function checkRanks(
  data: Source | BatchReader,
  { augment, batchSize, classWeights, sharded }: FitOptions,
  ranks: Ranks,
) {
  if (!sharded) return;
  const refuse = (option: string, why: string) =>
    new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: with a group of several ranks, ${why}`);
  if (data instanceof BatchReader) throw refuse('sharded', 'the batches of a stream are those of all ranks');
  const lists = Array.isArray(augment) ? augment : Object.values(augment ?? {}).flat();
  if (lists.some((each) => each?.type === 'mixUp'))
    throw refuse('augment', 'mixUp needs the rows of all ranks on each, but the data are sharded');
  if ((batchSize ?? 32) < ranks.size) throw refuse('batchSize', `sharded data need at least one row for each rank`);
  const balanced = [classWeights, ...Object.values(classWeights ?? {})].includes('balanced');
  if (balanced) throw refuse('classWeights', "'balanced' would count each rank's own rows: give numbers");
}

/** Checks the option `syncEvery`; undefined for a group of one. */
function readSyncEvery({ syncEvery, group, accumulate }: FitOptions): number | undefined {
  if (syncEvery === undefined) return undefined;
  checkInteger('fit: syncEvery', syncEvery, { min: 1, below: 2 ** 31 });
  const refuse = (why: string) => new BlasnetError('INVALID_ARGUMENT', `fit: syncEvery: ${why}`);
  if (group === undefined) throw refuse('it needs a group');
  if ((accumulate ?? 1) > 1) throw refuse('not with accumulate: a step takes one batch of each rank');
  return group.size === 1 ? undefined : syncEvery;
}

/** Throws `INVALID_ARGUMENT` for what ranks can't do that each make steps of their own. */
function checkAlone({ nodes }: Model, goals: Source['goals']): void {
  const refuse = (what: string) => new BlasnetError('INVALID_ARGUMENT', `fit: syncEvery: not with ${what}`);
  if (goals.some(({ weighted }) => weighted)) throw refuse('weights of rows or classes');
  if (nodes.some(({ operation }) => operation.batchStatistics?.sync)) throw refuse('batchNorm({ sync: true })');
}

/** Trains the network of `engine`; see `Network.fit`. */
export async function fit(
  engine: Engine,
  network: Kept,
  data: TrainingData,
  options: FitOptions | undefined,
): Promise<History> {
  const given = checkOptions('fit', options, known);
  const ranks = readRanks(engine, given);
  if (ranks === undefined) return fitOnRank(engine, network, data, given, undefined);
  try {
    return await fitOnRank(engine, network, data, given, ranks);
  } catch (error) {
    await ranks.fail(error);
    throw error;
  } finally {
    ranks.end();
  }
}

async function fitOnRank(
  engine: Engine,
  network: Kept,
  data: TrainingData,
  given: FitOptions,
  ranks: Ranks | undefined,
): Promise<History> {
  const optimizer = checkOptimizer('fit: optimizer', given.optimizer ?? new Adam());
  const { signal, initialEpoch } = given;
  checkSignal('fit: signal', signal);
  if (initialEpoch !== undefined) checkInteger('fit: initialEpoch', initialEpoch, { min: 0, below: 2 ** 32 });
  const batchSize = checkInteger('fit: batchSize', given.batchSize ?? 32, { min: 1, below: 2 ** 31 });
  const dropLast = checkBoolean('fit: dropLast', given.dropLast ?? false);
  const accumulate = checkInteger('fit: accumulate', given.accumulate ?? 1, { min: 1, below: 2 ** 31 });
  const signals = signalsOf(engine, signal);
  const { model } = engine;
  const unweighted = readData('fit: data', model, data, signals);
  if (ranks !== undefined) checkRanks(unweighted, given, ranks);
  const syncEvery = readSyncEvery(given);
  const counted = unweighted instanceof BatchReader ? undefined : unweighted;
  const classWeights = resolveClassWeights('fit', model, given.classWeights, data, counted);
  const read = weighClasses(model, unweighted, classWeights);
  const stream = read instanceof BatchReader;
  if (syncEvery !== undefined && !stream) checkAlone(model, read.goals);
  const validation = checkValidation(engine, optimizer, given, classWeights);
  const rowChoice = resolveSampling(given, stream);
  for (const option of ['batchSize', 'dropLast'] as const) {
    if (stream && given[option] !== undefined)
      throw new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: the batches of a stream have their own size`);
  }
  const firstEpoch = initialEpoch ?? 0;
  const plan = {
    engine,
    network,
    optimizer,
    epochs: checkEpochs(given.epochs ?? 1, firstEpoch),
    data: read,
    rowChoice,
    accumulate,
    augment: readAugment(engine, data, given),
    validation,
    callbacks: callbacksOfRank(callbackList(given.callbacks), ranks?.rank ?? 0),
    signal,
    signals,
    firstEpoch,
    history: new History(checkBoolean('fit: profile', given.profile ?? false) ? new Profile() : undefined),
    kept: checkHistory(given.history),
    training: new Training(engine, network, optimizer),
    ranks,
    sharded: given.sharded ?? false,
    syncEvery,
  };
  if (isSampleSource(data) && isSampleSource(given.validation))
    checkSameClasses('fit: validation', given.validation, data);
  // Shards can differ in their number of classes if it is inferred from the labels.
  const classes = plan.sharded ? undefined : (data as { classes?: unknown }).classes;
  const kinds = [kindOf(data, read), classes, classWeights, validation && validationKind(validation)];
  const task = async () => {
    signal?.throwIfAborted();
    engine.attach(optimizer);
    const batches = stream ? undefined : await divideRows(plan, read.rows, batchSize, dropLast);
    if (batches !== undefined) checkStatistics(engine.model, optimizer, batches);
    if (initialEpoch !== undefined) network.epochs = initialEpoch;
    if (ranks !== undefined) await beginTogether(plan, ranks, batches, kinds);
    const data = await overShared('fit: data', read);
    const checked = validation && { ...validation, source: await overShared('fit: validation', validation.source) };
    await train({ ...plan, batches, data, validation: checked }, stream ? undefined : read.rows);
    return plan.history;
  };
  return engine.hold(task, true);
}

type Draft = Omit<Plan, 'batches' | 'data'>;

/** The batches of each epoch over a dataset. */
async function divideRows(
  { engine: { model }, optimizer, rowChoice, ranks, sharded }: Draft,
  rows: number,
  batchSize: number,
  dropLast: boolean,
): Promise<Batches> {
  const own = (count: number, size: number, among: number) =>
    divideEpoch(model, optimizer, drawnRows(rowChoice, count, size), size, dropLast, among);
  if (ranks === undefined) return own(rows, batchSize, 1);
  const { rank, size } = ranks;
  if (!sharded) return shareBatches(own(rows, batchSize, size), rank, size);
  await ranks.meet();
  const counts = await ranks.gather(rows);
  return joinBatches(rank, size, (other) => {
    const [begin, end] = share(batchSize, 1, other, size);
    return own(counts[other], end - begin, 1);
  });
}

/** Makes sure that all ranks train the same, and begins with the first rank's parameters, moments and counters. */
async function beginTogether(
  plan: Draft,
  ranks: Ranks,
  batches: Batches | undefined,
  data: readonly unknown[],
): Promise<void> {
  const { engine, network, optimizer, epochs, firstEpoch, syncEvery } = plan;
  const { rows, size, count } = batches ?? {};
  const options = [settingsOf({ ...plan, batches }), epochs, firstEpoch, syncEvery];
  const text = JSON.stringify([...options, rows, size, count, data]);
  const what = 'their networks, data or options (without a seed, each network draws one of its own)';
  await ranks.meet({ same: checksumOf(text), what });
  const counters = Float64Array.of(optimizer.steps, optimizer.rateFactor, network.epochs, engine.noiseSteps);
  await ranks.broadcast(engine.parameters, engine.state, engine.attach(optimizer), counters);
  [optimizer.steps, optimizer.rateFactor, network.epochs, engine.noiseSteps] = counters;
}

/** The same for the validation, which each rank computes on all of its rows. */
function validationKind({ data, source, average, metrics }: Validation): unknown {
  const rows = source instanceof BatchReader ? undefined : source.rows;
  return [kindOf(data, source), rows, average, metrics.map(([name]) => name)];
}

/** What must be equal on ranks that read the same kind of data; `source`: what `fit` reads of `data`. */
function kindOf(data: TrainingData, source: Source | BatchReader): unknown {
  if (source instanceof BatchReader) return 'stream';
  const { labelNames } = data as { labelNames?: unknown };
  const feeds = Object.entries(source.feeds).map(([name, { values, scale = 1, offset = 0 }]) => {
    return [name, types.isUint8Array(values), scale, offset];
  });
  return [labelNames, feeds, source.goals];
}

/** At the end of an epoch and of the training: agrees on whether to stop, and checks that all ranks are still equal. */
async function meetAfter({ engine, optimizer, training }: Plan, ranks: Ranks): Promise<boolean> {
  const same = await checksum(engine.parameters, engine.state, Float32Array.of(optimizer.rateFactor));
  const { stop } = await ranks.meet({ same, what: 'their parameters after an epoch', stop: training.stopped });
  return stop;
}

function settingsOf({
  engine,
  optimizer,
  batches,
  rowChoice,
  accumulate,
  augment,
}: Omit<Plan, 'data'>): TrainingSettings {
  const { kind, options } = describeOptimizer(optimizer);
  return {
    network: toPlain(describeModel(engine.model)),
    parameters: Array.from(engine.model.parameters.values()).reduce((sum, { tensor }) => sum + tensor.fixed, 0),
    backend: engine.backend.name,
    optimizer: { kind, options },
    batchSize: batches?.size,
    sampling: batches === undefined ? 'inOrder' : rowChoice.sampling,
    accumulate,
    augment: augment && toPlain(augment.map((each) => each?.list)),
  };
}

async function train(plan: Plan, samples: number | undefined): Promise<void> {
  try {
    await trainEpochs(plan, samples);
  } catch (error) {
    tellFailure(plan.callbacks, error);
    throw error;
  }
}

async function trainEpochs(plan: Plan, samples: number | undefined): Promise<void> {
  const { engine, callbacks, epochs, firstEpoch, history, batches } = plan;
  if (callbacks.some((each) => each.onTrainBegin !== undefined))
    await notify(plan, 'onTrainBegin', { epochs, initialEpoch: firstEpoch, samples, settings: settingsOf(plan) });
  const progress = new ProgressReporter(callbacks, engine.model, firstEpoch, epochs);
  const trainer = new Trainer(plan, progress);
  // Epochs can run together if nothing happens between them.
  const { ranks } = plan;
  // Running statistics are averaged after each epoch.
  const averages = ranks !== undefined && movesState(engine.model, plan.optimizer);
  const watched = plan.validation !== undefined || callbacks.some((each) => each.onEpochBegin ?? each.onEpochEnd);
  let group = 1;
  try {
    let stop = false;
    for (let done = 0; done < epochs && !stop; ) {
      const epoch = firstEpoch + done;
      await notify(plan, 'onEpochBegin', epoch);
      let count = Math.min(group, epochs - done);
      if (ranks !== undefined) ({ number: count } = await ranks.meet({ number: count }));
      const { logs, seconds } = await trainer.runEpochs(epoch, count, watched ? count : Math.min(count, plan.kept));
      if (!watched && batches !== undefined && !averages) {
        group = Math.max(1, Math.min(1000, Math.floor((SHORT_RUN / 1000 / seconds) * count)));
      }
      for (const log of logs) await endEpoch(plan, log);
      // With ranks, a stop that is requested after their exchange takes effect at the next one.
      stop = ranks === undefined ? plan.training.stopped : await meetAfter(plan, ranks);
      done += count;
    }
  } finally {
    progress.stop();
  }
  await notify(plan, 'onTrainEnd', history);
  if (ranks !== undefined) await meetAfter(plan, ranks);
}

type Hook = Exclude<keyof Callbacks, 'onProgress' | 'onTrainFail'>;

/** Calls a hook of all callbacks in turn, while training is paused. */
async function notify<H extends Hook>(
  plan: Plan,
  hook: H,
  ...args: Parameters<NonNullable<Callbacks[H]>>
): Promise<void> {
  const { engine, callbacks, signals, training } = plan;
  const listeners = callbacks.filter((each) => each[hook] !== undefined);
  if (listeners.length === 0) return;
  // The caller of `fit` must find the network busy first.
  await undefined;
  const call = async () => {
    for (const listener of listeners) {
      await bounded((listener[hook] as (...args: unknown[]) => void | Promise<void>).apply(listener, args), signals);
    }
  };
  training.waiting = hook === 'onEpochEnd' || hook === 'onTrainEnd';
  try {
    await engine.rest(call, signals);
  } finally {
    training.waiting = false;
  }
}

/** Milliseconds of event loop time per slice when computing a long epoch's scalars. */
const SLICE = 8;

/**
 * Writes the scalars for `epochs` epochs of a piece; returns the learning rate of each epoch's last step. Yields to the
 * event loop.
 */
async function scalarTable(
  scalars: Float64Array,
  optimizer: Optimizer,
  accumulation: Accumulation,
  firstEpoch: number,
  epochs: number,
  { batches, endsEpoch }: Piece,
) {
  const rates: number[] = [];
  const steps = batches.count;
  const count = accumulation.scalarCount(optimizer);
  let step = optimizer.steps;
  let begin = performance.now();
  for (let i = 0; i < epochs * steps; i++) {
    const epoch = firstEpoch + Math.floor(i / steps);
    const rate = optimizer.writeScalars(scalars, i * count, { step, epoch });
    const last = (i + 1) % steps === 0;
    const rows = rowsOf(batches, i % steps);
    const ends = accumulation.add(
      rows,
      batches.parts?.table[4 * (i % steps) + 1] ?? rows,
      last && endsEpoch,
      scalars,
      i * count + optimizer.scalarCount,
    );
    if (ends) step++;
    if (last) rates.push(rate);
    if (i % 256 === 255 && performance.now() - begin > SLICE) {
      await turn();
      begin = performance.now();
    }
  }
  return rates;
}

/** Evaluates, logs the epoch and calls the callbacks. */
async function endEpoch(plan: Plan, log: EpochLog): Promise<void> {
  const { history } = plan;
  const full: EpochLog = { ...log, ...(plan.validation && (await validate(plan, plan.validation))) };
  history.epochs.push(full);
  if (history.epochs.length > plan.kept) history.epochs.splice(0, history.epochs.length - plan.kept);
  await notify(plan, 'onEpochEnd', full, plan.training.handle);
}

async function validate(plan: Plan, validation: Validation): Promise<Pick<EpochLog, 'validation' | 'metrics'>> {
  if (!validation.average) return validateWeights(plan, validation);
  const { engine, optimizer } = plan;
  const trained = new Float32Array(engine.parameters.length);
  const slices = new Slices();
  await slices.copy('validation', trained, engine.parameters);
  try {
    await slices.copy('validation', engine.parameters, engine.averageOf('fit', optimizer));
    return await validateWeights(plan, validation);
  } finally {
    engine.parameters.set(trained);
  }
}

async function validateWeights(
  plan: Plan,
  { source, data, metrics }: Validation,
): Promise<Pick<EpochLog, 'validation' | 'metrics'>> {
  const { engine, signal, signals } = plan;
  const validation = await evaluateData('fit: validation', engine, source, engine.inferenceBatch, signal);
  if (metrics.length === 0 || source instanceof BatchReader) return { validation };
  const wait = (task: () => number | Promise<number>) => engine.rest(async () => bounded(task(), signals), signals);
  return { validation, metrics: await computeMetrics(metrics, engine, source, data as SampleSource, signal, wait) };
}

/** The first step of a report whose mean loss is not finite. Needed if a program has no update that could stop. */
function firstNonFinite(report: Float64Array, width: number): number | undefined {
  for (let step = 0; width * step < report.length; step++) if (!Number.isFinite(report[width * step])) return step;
  return undefined;
}

/** The data of one run: a whole dataset (for one or more epochs), or one batch of a stream. */
interface Piece {
  readonly source: Source;
  readonly batches: Batches;
  /** Whether each epoch ends with the piece. Unknown for a batch of a stream. */
  readonly endsEpoch: boolean;
  /** Describes a step's position, for messages. */
  at(step: number): string;
}

/** What must be equal on all ranks before a batch of a stream, or at its end. */
function sameBatch(batch: Source | undefined) {
  // 0 is the end. Whether rows have weights decides what is summed.
  const same = batch === undefined ? 0 : checksumOf(JSON.stringify([batch.rows, batch.goals])) || 1;
  return { same, what: 'the batches of their streams' };
}

/** Reusable shared memory for the scalars of a run. */
class Doubles {
  #block = sharedDoubles(0);

  take(length: number): Float64Array {
    if (this.#block.length !== length) this.#block = sharedDoubles(length);
    return this.#block;
  }
}

/** Runs the epochs of a plan. */
class Trainer {
  readonly #plan: Plan;
  readonly #progress: ProgressReporter;
  readonly #snapshot: Snapshot;
  readonly #control = newControl();
  readonly #scalars = new Doubles();
  readonly #report = new Doubles();
  readonly #accumulation: Accumulation;
  /** Rows of the epochs since the last mean of the running statistics: this rank's, and those of all. */
  readonly #seen = { own: 0, all: 0 };
  /** The group was lost, and with it what the other ranks have updated. */
  #torn = false;

  constructor(plan: Plan, progress: ProgressReporter) {
    this.#plan = plan;
    this.#progress = progress;
    this.#snapshot = Snapshot.of(plan.engine, plan.optimizer);
    const { accumulate, syncEvery, ranks } = plan;
    const sums = ranks && (syncEvery === undefined ? 'gradients' : 'parameters');
    this.#accumulation = new Accumulation(syncEvery ?? accumulate, sums);
  }

  /**
   * Trains `count` epochs starting at number `epoch`; one for a stream. Returns the logs of the last `logged` of them.
   */
  async runEpochs(epoch: number, count: number, logged: number): Promise<{ logs: EpochLog[]; seconds: number }> {
    const { engine, optimizer, ranks } = this.#plan;
    await this.#snapshot.take();
    try {
      return await this.#runEpochs(epoch, count, logged);
    } catch (error) {
      // What ranks have trained alone is averaged first, so that either all ranks restore or none.
      await ranks?.fail(error, engine.parameters, engine.attach(optimizer));
      await this.#snapshot.restore(this.#torn);
      throw error;
    }
  }

  async #runEpochs(epoch: number, count: number, logged: number): Promise<{ logs: EpochLog[]; seconds: number }> {
    const { engine, network, batches } = this.#plan;
    const skipped = count - logged;
    const tallies = Array.from({ length: logged }, () => new Tally(engine.model));
    let rates: number[] = [];
    const begin = performance.now();
    this.#progress.beginEpoch(epoch, batches?.count);
    for await (const piece of this.#pieces(epoch)) {
      rates = await this.#run(piece, epoch, count);
      const { goals } = piece.source;
      const report = this.#report.take(reportWidth(engine.model, goals) * count * piece.batches.count);
      for (const [i, tally] of tallies.entries()) {
        const begin = (skipped + i) * piece.batches.count;
        tally.add(report, goals, piece.batches, begin, begin + piece.batches.count, 0);
      }
    }
    if (this.#accumulation.open) await this.#finish(epoch);
    const seconds = (performance.now() - begin) / 1000;
    network.epochs += count;
    await this.#averageState();
    if (await this.#snapshot.restore()) throw spoiltError(`in epoch ${epoch + count - 1}`);
    this.#progress.endEpoch();
    const perEpoch = seconds / count;
    const logs = tallies.map(({ rows, means, losses }, i): EpochLog => {
      const speed = { seconds: perEpoch, samplesPerSecond: rows / perEpoch };
      const number = { epoch: epoch + skipped + i, learningRate: rates[skipped + i] };
      return { ...number, ...means, ...speed, batchLosses: new Float64Array(losses) };
    });
    return { logs, seconds };
  }

  /** The mean of the ranks' running statistics, weighted by the rows that each has seen. */
  async #averageState(): Promise<void> {
    const { engine, optimizer, ranks } = this.#plan;
    if (ranks === undefined || !movesState(engine.model, optimizer)) return;
    await ranks.meet();
    await ranks.average(engine.state, this.#seen.own / this.#seen.all);
    Object.assign(this.#seen, { own: 0, all: 0 });
  }

  async *#pieces(epoch: number): AsyncGenerator<Piece> {
    const { data, batches, ranks } = this.#plan;
    if (batches !== undefined && !(data instanceof BatchReader)) {
      const at = (step: number) => `epoch ${epoch + Math.floor(step / batches.count)}, step ${step % batches.count}`;
      yield { source: data, batches, endsEpoch: true, at };
    } else if (data instanceof BatchReader) {
      let batch = 0;
      for await (const source of data.read(` in epoch ${epoch}`)) {
        const at = `epoch ${epoch}, batch ${batch++}`;
        const whole = divide(source.rows, source.rows);
        const batches = ranks === undefined ? whole : shareBatches(whole, ranks.rank, ranks.size);
        yield { source, batches, endsEpoch: false, at: () => at };
      }
      await ranks?.meet(sameBatch(undefined));
    }
  }

  /** One run: `count` epochs over a piece. Returns the learning rate of each epoch's last step. */
  async #run(piece: Piece, epoch: number, count: number): Promise<number[]> {
    const { source, batches, at } = piece;
    const accumulation = this.#accumulation;
    const { engine, optimizer, history, signal, network, rowChoice, augment, data, ranks, syncEvery, sharded } =
      this.#plan;
    if (syncEvery !== undefined) checkAlone(engine.model, source.goals);
    const stream = data instanceof BatchReader;
    const steps = batches.count;
    const scalars = this.#scalars.take(count * steps * accumulation.scalarCount(optimizer));
    const rates = await scalarTable(scalars, optimizer, accumulation, epoch, count, piece);
    const width = reportWidth(engine.model, source.goals);
    const report = this.#report.take(width * count * steps);
    const sampling = stream ? 'inOrder' : rowChoice.sampling;
    const sums = syncEvery === undefined ? 'gradients' : 'parameters';
    // Over a network, the gather after the update would not overlap with the backward pass. Moments are gathered after
    // each run, which is a single batch of a stream.
    const divided = ranks?.oneHost === true && !stream ? ranks.size : 1;
    const word = stream ? sameBatch(source) : undefined;
    const first = network.epochs;
    const job = {
      kind: 'train',
      source,
      batchSize: batches.size,
      augment,
      exact: !stream,
      drawn: batches.rows,
      batches: steps,
      epochs: count,
      sampling,
      epoch: first,
      optimizer,
      accumulate: accumulation.accumulates,
      scalars,
      report,
      ranks: batches.parts && ranks?.job(batches.parts, { sums, divided }, word),
      ...(history.profile && { profile: history.profile }),
    } as const;
    this.#control.fill(0);
    this.#progress.follow(this.#control, report, source.goals, batches);
    const result = await stoppable(signal, this.#control, async () => {
      const ended = await engine.run(job, this.#control);
      optimizer.steps += accumulation.stepsIn(ended.steps, optimizer, scalars);
      if (ranks !== undefined && syncEvery !== undefined) {
        const own = (i: number) => batches.parts?.table[4 * (i % steps) + 1] ?? 0;
        const scalarCount = accumulation.scalarCount(optimizer);
        // The last step before all stop ends with a mean.
        const { status } = ended;
        ranks.alone =
          status === 'cancelled' ? 0 : accumulation.aloneAfter(ended.steps, own, ranks.alone, scalarCount, scalars);
      }
      return ended;
    });
    this.#progress.ended();
    if (result.status === 'groupFailed') {
      // Of a divided update this rank has only its share.
      this.#torn = divided > 1;
      throw (ranks as Ranks).lost(result.reason);
    }
    // Another rank stopped and reports the reason.
    if (result.status === 'cancelled') await ranks?.meet();
    this.#seen.all += count * batches.rows;
    for (let i = 1; i < 4 * steps; i += 4) this.#seen.own += count * (batches.parts?.table[i] ?? 0);
    const bad = result.status === 'nonFinite' ? result.steps : firstNonFinite(report, width);
    if (bad === undefined) return rates;
    const loss = result.status === 'nonFinite' ? engine.metric[0] : report[width * bad];
    const rows = batchRows(engine, source, sampling, batches, first, bad, sharded);
    const found = findNonFinite(source, rows);
    // Each rank has looked for it in its own rows.
    const finder = sharded ? await ranks?.finder(found !== undefined) : undefined;
    if (found === undefined && finder !== undefined) throw otherRankError(finder, loss, at(bad));
    throw stepError(engine.state, found, loss, at(bad));
  }

  /** The end of a stream's last batches, which still wait for it: that they are the last shows only at the end. */
  async #finish(epoch: number): Promise<void> {
    const { engine, optimizer, signal, ranks, syncEvery } = this.#plan;
    const { weight } = this.#accumulation;
    this.#accumulation.close();
    if (ranks !== undefined && syncEvery !== undefined) {
      await ranks.meet();
      for (const block of [engine.parameters, engine.attach(optimizer)]) await ranks.average(block, weight);
      ranks.alone = 0;
      return;
    }
    const scalars = this.#scalars.take(optimizer.scalarCount + (ranks === undefined ? 0 : 1));
    optimizer.writeScalars(scalars, 0, { step: optimizer.steps, epoch });
    scalars.fill(weight, optimizer.scalarCount);
    // Without trained parameters the ranks have nothing to sum.
    const trains = trainedGradients(engine.model, optimizer).length > 0;
    // One row for each rank, with no content.
    const parts = ranks && { drawn: 1, capacity: 1, table: Int32Array.of(0, 1, ranks.rank, ranks.size) };
    const source: Source = { rows: 1, feeds: {}, goals: [] };
    this.#control.fill(0);
    const result = await stoppable(signal, this.#control, async () => {
      const job = { kind: 'update', source, batchSize: 1, batches: 1, optimizer, scalars } as const;
      const inGroup = trains ? parts && ranks?.job(parts, { sums: 'gradients', divided: 1 }) : undefined;
      const ended = await engine.run({ ...job, ranks: inGroup }, this.#control);
      optimizer.steps += ended.steps;
      return ended;
    });
    if (result.status === 'groupFailed') throw (ranks as Ranks).lost(result.reason);
    if (result.status === 'nonFinite') throw spoiltError(`in epoch ${epoch}`);
  }
}
