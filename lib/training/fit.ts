import { setImmediate as turn } from 'node:timers/promises';
import { control as words } from '../backend/backend.js';
import { checkBoolean, checkInteger, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { Adam } from '../optimizers/adam.js';
import { checkOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { Profile } from '../program/profile.js';
import { sharedBuffer } from '../shared-memory.js';
import type { SampleSource } from '../types.js';
import { type Callbacks, callbackList, type EpochCounter, Training } from './callbacks.js';
import type { Engine, Source } from './engine.js';
import {
  average,
  checkSignal,
  evaluateSource,
  INFERENCE_BATCH,
  newControl,
  sharedDoubles,
  stoppable,
  untilAborted,
} from './evaluate.js';
import { type EpochLog, type Evaluation, History } from './history.js';
import {
  type Features,
  findNonFinite,
  fromBatch,
  fromDataset,
  isSampleSource,
  nonFiniteError,
  overSharedMemory,
  spoiltError,
  type Targets,
} from './inputs.js';
import { batchRows, drawnRows, type RowChoice, resolveSampling, type SamplingOptions } from './sampling.js';
import { Snapshot } from './snapshot.js';

/** A batch of a stream: arrays, or a dataset. */
export type StreamBatch = { readonly x: Features; readonly y: Targets } | SampleSource;

/** Data for `fit`: a dataset, or batches from an async iterable (one pass of it is an epoch). */
export type TrainingData = SampleSource | AsyncIterable<StreamBatch> | Iterable<StreamBatch>;

export interface FitOptions extends SamplingOptions {
  /** Default `new Adam()`. */
  optimizer?: Optimizer;
  /** Epochs to train; default 1. */
  epochs?: number;
  /** Rows of a batch; default 32. The last batch of an epoch is short when the rows don't divide. */
  batchSize?: number;
  /** Evaluated after each epoch. */
  validation?: SampleSource;
  callbacks?: Callbacks | readonly Callbacks[];
  /** Stops training at the end of a step; `fit` rejects with the signal's reason, the network keeps the last whole step. */
  signal?: AbortSignal;
  /** Number of the first epoch, for schedules, logs and the shuffle; default: shuffles go on where the last `fit` ended, logs begin at 0. */
  initialEpoch?: number;
  /** Measure each kernel; the figures are in `history.profile`. Costs some per cent of speed. Default false. */
  profile?: boolean;
}

const known = [
  'optimizer',
  'epochs',
  'batchSize',
  'sampling',
  'shuffle',
  'stepsPerEpoch',
  'validation',
  'callbacks',
  'signal',
  'initialEpoch',
  'profile',
];

/** Runs shorter than this many milliseconds are put together into one, where nobody looks between epochs. */
const SHORT_RUN = 20;
const PROGRESS_INTERVAL = 100;

interface Plan {
  readonly engine: Engine;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly batchSize: number;
  readonly rowChoice: RowChoice;
  readonly validation: Source | undefined;
  readonly callbacks: readonly Callbacks[];
  readonly signal: AbortSignal | undefined;
  readonly firstEpoch: number;
  readonly history: History;
  readonly training: Training;
}

/** Trains `engine`'s network; see `Network.fit`. */
export async function fit(
  engine: Engine,
  counter: EpochCounter,
  data: TrainingData,
  options: FitOptions | undefined,
): Promise<History> {
  const given = checkOptions('fit', options, known);
  const optimizer = checkOptimizer('fit: optimizer', given.optimizer ?? new Adam());
  const { signal, validation, initialEpoch } = given;
  checkSignal('fit: signal', signal);
  if (initialEpoch !== undefined) checkInteger('fit: initialEpoch', initialEpoch, { min: 0, below: 2 ** 32 });
  const plan: Plan = {
    engine,
    optimizer,
    epochs: checkInteger('fit: epochs', given.epochs ?? 1, { min: 0 }),
    batchSize: checkInteger('fit: batchSize', given.batchSize ?? 32, { min: 1, below: 2 ** 31 }),
    rowChoice: resolveSampling(given, !isSampleSource(data)),
    validation:
      validation === undefined ? undefined : overSharedMemory(fromDataset('fit: validation', engine.model, validation, true)),
    callbacks: callbackList(given.callbacks),
    signal,
    firstEpoch: initialEpoch ?? 0,
    history: new History(checkBoolean('fit: profile', given.profile ?? false) ? new Profile() : undefined),
    training: new Training(engine, counter, optimizer),
  };
  const source = isSampleSource(data) ? overSharedMemory(fromDataset('fit: data', engine.model, data, true)) : undefined;
  const stream = source === undefined ? checkStream(data) : undefined;
  if (stream !== undefined && given.batchSize !== undefined) {
    throw new BlasnetError('INVALID_ARGUMENT', 'fit: batchSize: the batches of a stream have a size of their own');
  }
  return engine.hold(async () => {
    signal?.throwIfAborted();
    engine.attach(optimizer);
    if (initialEpoch !== undefined) counter.next = initialEpoch;
    const start = { epochs: plan.epochs, initialEpoch: plan.firstEpoch, samples: source?.rows };
    for (const callbacks of plan.callbacks) await callbacks.onTrainBegin?.(start);
    if (source !== undefined) await fitDataset(plan, counter, source);
    else if (stream !== undefined) await fitStream(plan, counter, stream);
    await waiting(plan, (callbacks) => callbacks.onTrainEnd?.(plan.history));
    return plan.history;
  });
}

/** Calls the callbacks while training waits for them. */
async function waiting({ callbacks, training }: Plan, call: (callbacks: Callbacks) => void | Promise<void>): Promise<void> {
  training.waiting = true;
  try {
    for (const callback of callbacks) await call(callback);
  } finally {
    training.waiting = false;
  }
}

function checkStream(data: unknown): AsyncIterable<StreamBatch> | Iterable<StreamBatch> {
  const value = data as Partial<AsyncIterable<StreamBatch> & Iterable<StreamBatch>> | null;
  const iterable = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  if (!iterable || (value[Symbol.asyncIterator] === undefined && value[Symbol.iterator] === undefined)) {
    throw invalid('fit: data', 'a Dataset or an async iterable of batches { x, y }', data);
  }
  return value as AsyncIterable<StreamBatch>;
}

function checkBatch(batch: { readonly x: Features; readonly y: Targets }): { readonly x: Features } {
  if (typeof batch !== 'object' || batch === null || !('x' in batch)) {
    throw invalid('fit: a batch of the stream', 'a Dataset or an object { x, y }', batch);
  }
  return batch;
}

/** Milliseconds of the event loop that the numbers of a long epoch take at a time. */
const SLICE = 8;

/** The optimizer's numbers for `epochs` epochs of `steps` steps, and the rate of each epoch's last step. Lets the event loop turn. */
async function scalarTable(optimizer: Optimizer, firstEpoch: number, epochs: number, steps: number) {
  const scalars = sharedDoubles(epochs * steps * optimizer.scalarCount);
  const rates: number[] = [];
  let begin = performance.now();
  for (let i = 0; i < epochs * steps; i++) {
    const step = optimizer.steps + i;
    const epoch = firstEpoch + Math.floor(i / steps);
    const rate = optimizer.writeScalars(scalars, i * optimizer.scalarCount, { step, epoch });
    if ((i + 1) % steps === 0) rates.push(rate);
    if (i % 256 === 255 && performance.now() - begin > SLICE) {
      await turn();
      begin = performance.now();
    }
  }
  return { scalars, rates };
}

async function fitDataset(plan: Plan, counter: EpochCounter, source: Source): Promise<void> {
  const { engine, optimizer, callbacks } = plan;
  const snapshot = Snapshot.of(engine, optimizer);
  const watched = callbacks.length > 0 || plan.validation !== undefined;
  let group = 1;
  for (let done = 0; done < plan.epochs && !plan.training.stopped; ) {
    const epoch = plan.firstEpoch + done;
    for (const callback of callbacks) await callback.onEpochBegin?.(epoch);
    const count = Math.min(group, plan.epochs - done);
    snapshot.take();
    const { logs, seconds } = await runEpochs(plan, counter, source, epoch, count, snapshot);
    counter.next += count;
    if (!watched) group = Math.max(1, Math.min(1000, Math.floor((SHORT_RUN / 1000 / seconds) * count)));
    for (const log of logs) await endEpoch(plan, log);
    done += count;
  }
}

/** Evaluates, logs the epoch and tells the callbacks. */
async function endEpoch(plan: Plan, log: EpochLog): Promise<void> {
  const { engine, validation, signal, history } = plan;
  const evaluation = validation && (await evaluateSource(engine, validation, INFERENCE_BATCH, signal));
  const full: EpochLog = evaluation === undefined ? log : { ...log, validation: evaluation };
  history.epochs.push(full);
  await waiting(plan, (callbacks) => callbacks.onEpochEnd?.(full, plan.training.handle));
}

/** The first step of a report whose mean loss is not finite. A program that updates nothing has no step to stop before. */
function firstNonFinite(report: Float64Array): number | undefined {
  for (let step = 0; 2 * step < report.length; step++) if (!Number.isFinite(report[2 * step])) return step;
  return undefined;
}

/** Trains `count` epochs in one run. */
async function runEpochs(plan: Plan, counter: EpochCounter, source: Source, epoch: number, count: number, snapshot: Snapshot) {
  const { engine, optimizer, batchSize, rowChoice } = plan;
  const { sampling } = rowChoice;
  const drawn = drawnRows(rowChoice, source.rows, batchSize);
  const steps = Math.ceil(drawn / batchSize);
  const { scalars, rates } = await scalarTable(optimizer, epoch, count, steps);
  const report = sharedDoubles(2 * count * steps);
  const control = newControl();
  const begin = performance.now();
  const progress = startProgress(plan, control, begin, epoch, steps, drawn);
  const first = counter.next;
  const job = {
    kind: 'train',
    source,
    batchSize,
    epochs: count,
    sampling,
    drawn,
    epoch: first,
    optimizer,
    scalars,
    report,
    ...(plan.history.profile && { profile: plan.history.profile }),
  } as const;
  try {
    const result = await stoppable(plan.signal, control, async () => {
      const ended = await engine.run(job, control);
      optimizer.steps += ended.steps;
      return ended;
    });
    progress.check();
    const restored = snapshot.restore();
    const bad = result.status === 'nonFinite' ? result.steps : firstNonFinite(report);
    if (bad !== undefined) {
      const order = batchRows(engine, source, job, bad);
      const at = `epoch ${epoch + Math.floor(bad / steps)}, step ${bad % steps}`;
      throw nonFiniteError(findNonFinite(source, order), result.status === 'nonFinite' ? engine.metric[0] : report[2 * bad], at);
    }
    if (restored) throw spoiltError(`in epoch ${epoch + count - 1}`);
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - begin) / 1000;
  const counts = engine.model.loss.writeHits !== undefined;
  const logs = rates.map((learningRate, i): EpochLog => {
    const part = report.subarray(2 * i * steps, 2 * (i + 1) * steps);
    const batchLosses = new Float64Array(steps);
    for (let step = 0; step < steps; step++) batchLosses[step] = part[2 * step];
    const totals: Evaluation = average(part, drawn, batchSize, counts);
    const perEpoch = seconds / count;
    return { epoch: epoch + i, ...totals, learningRate, seconds: perEpoch, samplesPerSecond: drawn / perEpoch, batchLosses };
  });
  return { logs, seconds };
}

/** Tells the callbacks how far the run is, from the event loop. An error in one ends the run and is thrown by `check`. */
function startProgress(plan: Plan, control: Int32Array, begin: number, epoch: number, steps: number, rows: number) {
  const listeners = plan.callbacks.filter((callback) => callback.onProgress !== undefined);
  if (listeners.length === 0) return { check() {}, stop() {} };
  let failure: { error: unknown } | undefined;
  const tell = () => {
    const done = Atomics.load(control, words.steps);
    const samplesPerSecond = (Math.min(rows, done * plan.batchSize) * 1000) / (performance.now() - begin);
    const progress = { epoch, epochs: plan.firstEpoch + plan.epochs, step: Math.min(done, steps), steps, samplesPerSecond };
    // An asynchronous listener is not waited for, but its failure counts as well.
    const telling = listeners.map(async (listener) => listener.onProgress?.(progress));
    Promise.all(telling).catch((error: unknown) => {
      failure ??= { error };
      clearInterval(timer);
      Atomics.store(control, words.cancel, 1);
    });
  };
  const timer = setInterval(tell, PROGRESS_INTERVAL);
  return {
    check() {
      if (failure !== undefined) throw failure.error;
    },
    stop: () => clearInterval(timer),
  };
}

/** Shared copies of a batch's columns, made anew only when a batch is larger than all before it. */
class Staging {
  #floats = new Map<string, Float32Array>();

  shared(source: Source): Source {
    const copy = (name: string, data: Float32Array) => {
      let block = this.#floats.get(name);
      if (block === undefined || block.length < data.length) {
        block = new Float32Array(sharedBuffer(data.byteLength));
        this.#floats.set(name, block);
      }
      block.set(data);
      return block.subarray(0, data.length);
    };
    const { features, targets } = source;
    return {
      ...source,
      features: features instanceof Float32Array ? copy('features', features) : features,
      ...(targets && { targets: copy('targets', targets) }),
    };
  }
}

async function fitStream(
  plan: Plan,
  counter: EpochCounter,
  stream: AsyncIterable<StreamBatch> | Iterable<StreamBatch>,
): Promise<void> {
  const { engine, optimizer, callbacks } = plan;
  const staging = new Staging();
  const snapshot = Snapshot.of(engine, optimizer);
  const signals = plan.signal === undefined ? [engine.disposal] : [plan.signal, engine.disposal];
  for (let done = 0; done < plan.epochs && !plan.training.stopped; done++) {
    const epoch = plan.firstEpoch + done;
    for (const callback of callbacks) await callback.onEpochBegin?.(epoch);
    snapshot.take();
    const losses: number[] = [];
    let [rows, loss, hits, rate] = [0, 0, 0, Number.NaN];
    const begin = performance.now();
    let reported = begin;
    for await (const batch of untilAborted(stream, signals)) {
      const given = isSampleSource(batch)
        ? fromDataset('batch', engine.model, batch, true)
        : fromBatch(engine.model, checkBatch(batch).x, batch.y);
      const source = overSharedMemory(staging.shared(given));
      const { scalars, rates } = await scalarTable(optimizer, epoch, 1, 1);
      const control = newControl();
      const profile = plan.history.profile && { profile: plan.history.profile };
      const job = { kind: 'train', source, batchSize: source.rows, optimizer, scalars, ...profile } as const;
      const result = await stoppable(plan.signal, control, async () => {
        const ended = await engine.run(job, control);
        optimizer.steps += ended.steps;
        return ended;
      });
      const mean = engine.metric[0];
      if (result.status === 'nonFinite' || !Number.isFinite(mean)) {
        snapshot.restore();
        throw nonFiniteError(findNonFinite(source), mean, `epoch ${epoch}, batch ${losses.length}`);
      }
      rate = rates[0];
      losses.push(mean);
      rows += source.rows;
      loss += mean * source.rows;
      hits += engine.metric[1];
      if (performance.now() - reported >= PROGRESS_INTERVAL) {
        reported = performance.now();
        const samplesPerSecond = (rows * 1000) / (reported - begin);
        const progress = {
          epoch,
          epochs: plan.firstEpoch + plan.epochs,
          step: losses.length,
          steps: undefined,
          samplesPerSecond,
        };
        for (const callback of callbacks) await callback.onProgress?.(progress);
      }
    }
    if (rows === 0) {
      const hint =
        done === 0 ? '' : ' (an iterator can be read only once: give an object whose [Symbol.asyncIterator]() starts anew)';
      throw new BlasnetError('EMPTY_DATA', `fit: data: the stream gave no batch in epoch ${epoch}${hint}`);
    }
    counter.next++;
    if (snapshot.restore()) throw spoiltError(`in epoch ${epoch}`);
    const seconds = (performance.now() - begin) / 1000;
    const counts = engine.model.loss.writeHits !== undefined;
    const totals: Evaluation = counts ? { loss: loss / rows, accuracy: hits / rows } : { loss: loss / rows };
    const batchLosses = Float64Array.from(losses);
    await endEpoch(plan, { epoch, ...totals, learningRate: rate, seconds, samplesPerSecond: rows / seconds, batchLosses });
  }
}
