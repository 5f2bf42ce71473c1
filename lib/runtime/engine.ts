import { types } from 'node:util';
import { augmentationType } from '../augmentations.js';
import type {
  Backend,
  Control,
  Executable,
  Feed,
  Memory,
  RunRequest,
  RunResult,
  Sampling,
} from '../backend/backend.js';
import { invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Optimizer, WEIGHT_AVERAGE } from '../optimizers/optimizer.js';
import type { Augments } from '../program/augment.js';
import {
  compile,
  hasUpdate,
  holdsCapacity,
  isTraining,
  type Program,
  type ProgramKind,
  type ProgramRequest,
} from '../program/compile.js';
import { elements } from '../program/instructions.js';
import { Listing } from '../program/listing.js';
import { type FeatureType, feedName, type Goal, type RankUse, type Use } from '../program/losses.js';
import { BLOCK, goalsOf, initialize, type Model, type ModelInput, STAGGER } from '../program/model.js';
import { sharedBuffer } from '../shared-memory.js';
import { type Batches, checkStatistics, divide, largest, type Parts, rowsOf } from './batches.js';
import type { Profile } from './profile.js';
import { bounded } from './waiting.js';

/** The data of a run, in the kernels' terms. */
export interface Source {
  readonly rows: number;
  /** Inputs, targets and weights by the names of the programs' feeds. */
  readonly feeds: Readonly<Record<string, Feed>>;
  /** For each output with a loss; empty without targets. */
  readonly goals: readonly Goal[];
}

export interface Job {
  readonly kind: ProgramKind;
  readonly source: Source;
  readonly batchSize: number;
  /** Random changes of each input's batch, counted by the network's steps in training mode. */
  readonly augment?: Augments | undefined;
  /** Compile the program for this batch size, not rounded up to serve several sizes. */
  readonly exact?: boolean;
  readonly epochs?: number;
  /** Default 'inOrder'. */
  readonly sampling?: Sampling;
  /** Rows per epoch; default: all. */
  readonly drawn?: number;
  /** Batches per epoch; default: enough for all its rows, with a short last batch. */
  readonly batches?: number;
  /** Index of the first epoch: random counter of the sampling. */
  readonly epoch?: number;
  readonly optimizer?: Optimizer;
  /** For `train`: see {@link ProgramRequest.accumulate}. */
  readonly accumulate?: boolean;
  /** For `train`: see {@link ProgramRequest.checkGradients}. */
  readonly checkGradients?: boolean;
  /** The program's scalars for each step. */
  readonly scalars?: Float64Array;
  readonly report?: Float64Array;
  readonly profile?: Profile;
  /** Names of the nodes whose values are wanted; default: the network's outputs. */
  readonly outputs?: readonly string[];
  /** Where results go, by the names of the program's output feeds. */
  readonly results?: Readonly<Record<string, Float32Array>>;
  /** For asynchronous runs of `train` on several ranks. */
  readonly ranks?: JobRanks | undefined;
}

/** What a run needs of a group of ranks. */
export interface JobRanks {
  readonly sums: RankUse['sums'];
  readonly divided: RankUse['divided'];
  /** The addon's group. */
  readonly handle: object;
  readonly parts: Parts;
  /** Settles when all ranks are ready to start; rejects if one is not. */
  ready(): Promise<void>;
  /**
   * Ends the job: a run that had started failed here, by lack of memory for example, and other ranks wait in theirs.
   */
  failed(error: unknown): never;
}

interface Prepared {
  readonly program: Program;
  readonly executable: Executable;
}

/**
 * Compiled programs cached per network without an optimizer, and per optimizer: more than batches of up to 1000 rows
 * need.
 */
const CACHE = 40;
/** Largest inference batch, enough to keep the kernels busy; smaller if it needs more bytes of work memory. */
const INFERENCE_BATCH = 512;
const INFERENCE_WORK = 64 << 20;
/** Bytes of a batch's inputs that datasets other than floats need, such as expanded sparse rows. */
const INFERENCE_INPUTS = 16 << 20;

/**
 * The capacity of programs for batches of `rows` rows if the next batch may have another size: rounded up by less than
 * a quarter, so that few programs serve all sizes. It depends only on the rows, not on earlier runs, because it
 * determines the kernels and thus the exact results.
 */
export function capacityFor(rows: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(rows)) - 2);
  return Math.min(Math.ceil(rows / step) * step, MAX_SIZE);
}
const NO_SCALARS = new Float64Array(0);

/**
 * Allocates float32 elements of shared memory, `place` times `STAGGER` elements after the start of a page; throws
 * `OUT_OF_MEMORY`.
 */
export function allocate(backend: Backend, length: number, place = 0): Float32Array {
  const skipped = 4 * STAGGER * place;
  const bytes = Math.max(length, BLOCK) * 4 + skipped;
  // Extra space to align to a page, or to a large one.
  const buffer = sharedBuffer(bytes < 1 << 20 ? bytes + 4096 : Math.ceil(bytes / (1 << 21) + 1) * (1 << 21));
  return new Float32Array(buffer, backend.adopt(buffer) + skipped, length);
}

function allocateTotals(backend: Backend, length: number): Float64Array {
  const { buffer, byteOffset } = allocate(backend, 2 * length);
  return new Float64Array(buffer, byteOffset, length);
}

/** Counters above 2⁵³ − 1 are inexact: throws if a run would exceed that, before anything is changed. */
function checkRoom(name: string, count: number, more: number): void {
  const last = Number.MAX_SAFE_INTEGER;
  if (!Number.isSafeInteger(count + more)) throw invalid(name, `at most ${last} with the ${more} of this run`, count);
}

function batchesOf({ source, batchSize, drawn = source.rows, batches, ranks }: Job): Batches {
  const whole = divide(drawn, batchSize);
  return batches === undefined ? whole : { ...whole, count: batches, ...(ranks && { parts: ranks.parts }) };
}

/** How a job's program reads its data. */
function usesOf({ inputs }: Model, { kind, source: { feeds, goals }, outputs }: Job): Use {
  // Inference reads float features in place. Training copies them, because the copy detects NaN and infinities.
  let direct = !isTraining(kind);
  const features = inputs.map(({ name, vocabulary }): FeatureType => {
    if (vocabulary !== undefined) return 'index';
    const feed = feeds[feedName('features', name)];
    if (feeds[feedName('rowStarts', name)] !== undefined) {
      direct = false;
      return 'sparse';
    }
    const bytes = feed !== undefined && types.isUint8Array(feed.values);
    if (bytes || (feed?.scale ?? 1) !== 1 || (feed?.offset ?? 0) !== 0) direct = false;
    return bytes ? 'u8' : 'f32';
  });
  return { features, direct, goals, ...(outputs && { outputs }) };
}

const featureType = ({ vocabulary }: ModelInput): FeatureType => (vocabulary === undefined ? 'f32' : 'index');

/** How a program's ranks work together: they change whole batches where rows are mixed with others of their batch. */
function rankUseOf({ ranks, augment, exact }: Job, batches: Batches): RankUse | undefined {
  if (ranks === undefined) return undefined;
  const mixes = augment?.some((each) => each?.list.some((entry) => augmentationType(entry).mixes));
  const { sums, divided } = ranks;
  if (!mixes) return { sums, divided, allRows: 0 };
  let all = 0;
  for (let i = 0; i < batches.count; i++) all = Math.max(all, rowsOf(batches, i));
  return { sums, divided, allRows: exact ? all : capacityFor(all) };
}

function sameUse(a: Use, b: Use): boolean {
  return (
    a.direct === b.direct &&
    a.features.every((type, i) => type === b.features[i]) &&
    a.goals.length === b.goals.length &&
    a.goals.every(({ target, weighted }, i) => target === b.goals[i].target && weighted === b.goals[i].weighted) &&
    a.outputs?.join() === b.outputs?.join()
  );
}

/** Equal for augmentations that make the same program. */
function keyOf(augment: Job['augment']): string | undefined {
  return augment?.map((each) => each?.key).join();
}

function resultFeeds({ results = {} }: Job): Record<string, Feed> {
  return Object.fromEntries(Object.entries(results).map(([name, values]) => [name, { values }]));
}

function disposedError(): BlasnetError {
  return new BlasnetError('NETWORK_DISPOSED', 'network: it was disposed and can no longer be used');
}

/** A network's memory and compiled programs on one backend; prevents two runs at a time. */
export class Engine {
  readonly model: Model;
  readonly backend: Backend;
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  readonly state: Float32Array;
  #metric: Float64Array;
  /** Training passes so far: counter of the random masks. */
  noiseSteps = 0;
  #work: Float32Array;
  /** Mean gradients over several batches; empty before the first training that needs them. */
  #accumulated: Float32Array;
  /** Placeholder for empty blocks. */
  readonly #none: Float32Array;
  readonly #moments = new WeakMap<Optimizer, Float32Array>();
  /**
   * Programs by their optimizer, or by this engine without one, so that they are freed with the optimizer. Most
   * recently used last.
   */
  #programs = new WeakMap<object, Program[]>();
  /** Programs bound to the current work memory. */
  #executables = new WeakMap<Program, Executable>();
  #inferenceBatch: number | undefined;
  /** A layer limits the batch size: programs are compiled for the exact size. */
  #exact = false;
  /** Identifies the current {@link hold}; undefined while a training run rests. */
  #holder: object | undefined;
  /** Whether a training run is active, resting or not. */
  #training = false;
  /** Settles when the last other use of the network during a rest ends. */
  #guest: Promise<unknown> | undefined;
  #control: Control | undefined;
  #listing: Listing | undefined;
  #rewrite: boolean;
  readonly #disposal = new AbortController();

  constructor(model: Model, backend: Backend, rewrite = true) {
    this.model = model;
    this.backend = backend;
    this.#rewrite = rewrite;
    this.parameters = allocate(backend, model.parameterLength);
    this.gradients = allocate(backend, model.parameterLength, 1);
    this.state = allocate(backend, model.stateLength);
    this.#metric = allocateTotals(backend, 2);
    this.#none = allocate(backend, 0);
    this.#work = this.#none;
    this.#accumulated = this.#none;
    initialize(model, this.parameters, this.state);
  }

  /** The totals of the last step; those that a step reports come first. */
  get metric(): Float64Array {
    return this.#metric;
  }

  get disposed(): boolean {
    return this.#disposal.signal.aborted;
  }

  /** Aborted by {@link dispose}, with the error that later use throws. */
  get disposal(): AbortSignal {
    return this.#disposal.signal;
  }

  /** Default inference batch size; depends only on the network. */
  get inferenceBatch(): number {
    this.#inferenceBatch ??= this.#chooseInferenceBatch();
    return this.#inferenceBatch;
  }

  /** Throws if a run is active or the network is disposed. */
  checkIdle(): void {
    this.checkUsable();
    if (this.#holder !== undefined)
      throw new BlasnetError('NETWORK_BUSY', 'network: a run is in progress; wait for it to end before the next call');
  }

  /** Also throws while a training run rests: for operations that would change the network during training. */
  checkFree(): void {
    this.checkIdle();
    if (this.#training)
      throw new BlasnetError(
        'NETWORK_BUSY',
        'network: a training run is in progress; its callbacks can use the network but not change it',
      );
  }

  checkUsable(): void {
    if (this.disposed) throw disposedError();
  }

  /** Holds the network exclusively until `task` has ended. A training run can {@link rest}. */
  async hold<T>(task: () => Promise<T>, training = false): Promise<T> {
    if (training) this.checkFree();
    else this.checkIdle();
    const holder = {};
    this.#holder = holder;
    this.#training ||= training;
    const done = task();
    if (this.#training && !training) this.#guest = done.catch(() => {});
    try {
      return await done;
    } finally {
      if (this.#holder === holder) this.#holder = undefined;
      if (training) this.#training = false;
    }
  }

  /**
   * Lets others use the network, but not train it, while the training run that holds it waits for `task`. Then waits
   * for uses started meanwhile. An abort of one of the signals ends the wait.
   */
  async rest<T>(task: () => Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
    const holder = this.#holder;
    this.#holder = undefined;
    const result = await task();
    while (this.#holder !== undefined) await bounded(this.#guest, signals);
    this.#holder = holder;
    return result;
  }

  /** Runs a job on this thread until it is done. */
  runSync(job: Job): RunResult {
    this.checkIdle();
    const prepared = this.#prepare(job);
    const result = prepared.executable.runSync(this.#request(job, prepared));
    this.#count(job, result);
    return result;
  }

  /** Runs a job off the event loop; call within {@link hold}. `control` lets others stop it and see its progress. */
  async run(job: Job, control: Control): Promise<RunResult> {
    this.checkUsable();
    const prepared = this.#prepare(job);
    this.#control = control;
    try {
      const request = this.#request(job, prepared);
      await job.ranks?.ready();
      const run = prepared.executable.run(request, control);
      const result = await (job.ranks === undefined ? run : run.catch(job.ranks.failed));
      this.#count(job, result);
      return result;
    } finally {
      this.#control = undefined;
      this.checkUsable();
    }
  }

  /** Copies what a training-mode forward pass changes; the returned function restores the copy. */
  copyState(): () => void {
    const [state, noiseSteps] = [this.state.slice(), this.noiseSteps];
    return () => {
      this.state.set(state);
      this.noiseSteps = noiseSteps;
    };
  }

  /** The block of all the optimizer's moments, allocated at first use. */
  attach(optimizer: Optimizer): Float32Array {
    let block = this.#moments.get(optimizer);
    if (block === undefined) {
      this.#checkFits(optimizer);
      const { parameterLength: length, momentLength } = this.model;
      const { blockNames: names } = optimizer;
      const moments =
        names.length === 0 ? this.#none : allocate(this.backend, (names.length - 1) * momentLength + length, 2);
      const views = names.map((name, i) => {
        return [name, moments.subarray(i * momentLength, i * momentLength + length)] as const;
      });
      optimizer.useMoments(new Map(views), this.parameters);
      this.#moments.set(optimizer, moments);
      block = moments;
    }
    return block;
  }

  #checkFits(optimizer: Optimizer): void {
    optimizer.checkFits([...this.model.parameters.keys()], this.model.parameterLength);
  }

  /**
   * The average of weights that an optimizer keeps. Throws `INVALID_ARGUMENT` if it keeps none, has made no step, or
   * belongs to another network.
   */
  averageOf(name: string, optimizer: Optimizer): Float32Array {
    if (optimizer.averageWeights === undefined) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${name}: the optimizer keeps no average of weights: it was made without averageWeights`,
      );
    }
    if (optimizer.steps === 0)
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${name}: the optimizer has no average of weights before its first step`,
      );
    this.attach(optimizer);
    return optimizer.moments.get(WEIGHT_AVERAGE) as Float32Array;
  }

  /** The latest training program, or a gradient program for a batch of 32. */
  listing(): Listing {
    this.checkUsable();
    if (this.#listing === undefined) {
      const request: ProgramRequest = {
        kind: 'gradients',
        features: this.model.inputs.map(featureType),
        direct: false,
        goals: goalsOf(this.model).map(({ loss }) => ({ target: loss.targets[0], weighted: false })),
        capacity: 32,
        threads: this.backend.threads,
        threading: this.backend.threading,
        rewrite: this.#rewrite,
      };
      return this.#list(compile(this.model, request), 0);
    }
    return this.#listing;
  }

  /** Stops an active run and frees the memory; later use throws `NETWORK_DISPOSED`. */
  dispose(): void {
    if (this.#control !== undefined) Atomics.store(this.#control, 0, 1);
    this.#programs = new WeakMap();
    this.#executables = new WeakMap();
    this.#work = new Float32Array(0);
    this.#accumulated = this.#work;
    this.#disposal.abort(disposedError());
  }

  #list(program: Program, moments: number): Listing {
    const { parameterLength, stateLength } = this.model;
    return new Listing(program, 4 * (2 * parameterLength + stateLength + moments));
  }

  #count(job: Job, result: RunResult): void {
    if (job.profile !== undefined) job.profile.steps += result.steps;
    if (isTraining(job.kind)) this.noiseSteps += result.steps;
  }

  #request(job: Job, { program }: Prepared): RunRequest {
    const { source } = job;
    const batches = batchesOf(job);
    const { epochs = 1 } = job;
    const steps = batches.count * epochs;
    if (isTraining(job.kind)) checkRoom('network: steps', this.noiseSteps, steps);
    checkRoom('network: epochs', job.epoch ?? 0, epochs);
    if (job.optimizer !== undefined) checkRoom('optimizer: steps', job.optimizer.steps, steps);
    return {
      rows: source.rows,
      drawn: batches.parts?.drawn ?? batches.rows,
      batchSize: batches.size,
      batches: batches.count,
      epochs,
      sampling: job.sampling ?? 'inOrder',
      seed: this.model.seed,
      epoch: (job.epoch ?? 0) % 2 ** 32,
      step: this.noiseSteps % 2 ** 32,
      feeds: { ...source.feeds, ...resultFeeds(job) },
      scalars: job.scalars ?? NO_SCALARS,
      report: job.report ?? null,
      profile: job.profile?.timesFor(program) ?? null,
      threads: program.threads,
      ranks: job.ranks && { group: job.ranks.handle, parts: job.ranks.parts.table },
    };
  }

  /** The compiled program for a job, from the cache if possible. */
  #prepare(job: Job): Prepared {
    const { kind, optimizer, accumulate = false, checkGradients = false, augment } = job;
    const use = usesOf(this.model, job);
    const batches = batchesOf(job);
    const ranks = rankUseOf(job, batches);
    const batch = largest(batches);
    const capacity = job.exact || this.#exact ? batch : capacityFor(batch);
    if (isTraining(kind)) checkStatistics(this.model, optimizer, batches);
    const owner = optimizer ?? this;
    const programs = this.#programs.get(owner) ?? [];
    this.#programs.set(owner, programs);
    const at = programs.findIndex(({ request }) => {
      const sameProgram =
        request.kind === kind &&
        request.capacity === capacity &&
        (request.accumulate ?? false) === accumulate &&
        (request.checkGradients ?? false) === checkGradients;
      return (
        sameProgram &&
        request.ranks?.sums === ranks?.sums &&
        request.ranks?.allRows === ranks?.allRows &&
        request.ranks?.divided === ranks?.divided &&
        sameUse(request, use) &&
        keyOf(request.augment) === keyOf(augment)
      );
    });
    let program = programs[at];
    if (program === undefined) {
      const { threads, threading } = this.backend;
      const size = { kind, capacity, accumulate, checkGradients, augment, ranks } as const;
      const request: ProgramRequest = { ...use, ...size, threads, threading, rewrite: this.#rewrite };
      program = compile(this.model, request, optimizer);
      if (capacity > batch && !holdsCapacity(program)) {
        this.#exact = true;
        return this.#prepare(job);
      }
      if (programs.length >= CACHE) programs.shift();
    } else if (at < programs.length - 1) programs.splice(at, 1);
    if (programs.at(-1) !== program) programs.push(program);
    const known = this.#executables.get(program);
    if (known !== undefined) return { program, executable: known };

    if (program.workLength > this.#work.length) {
      // All programs share one block. Those bound to the smaller block are bound again when needed.
      this.#work = allocate(this.backend, program.workLength);
      this.#executables = new WeakMap();
    }
    if (program.totals > this.#metric.length) {
      this.#metric = allocateTotals(this.backend, program.totals);
      this.#executables = new WeakMap();
    }
    if (accumulate && this.#accumulated === this.#none)
      this.#accumulated = allocate(this.backend, this.model.parameterLength);
    // A step makes an optimizer this network's; gradients only follow its settings.
    let moment = this.#none;
    if (optimizer !== undefined) {
      if (hasUpdate(kind)) moment = this.attach(optimizer);
      else if (!this.#moments.has(optimizer)) this.#checkFits(optimizer);
    }
    const memory: Memory = {
      parameter: this.parameters,
      gradient: this.gradients,
      state: this.state,
      moment,
      work: this.#work,
      metric: this.#metric,
      accumulated: this.#accumulated,
    };
    if (kind === 'train')
      this.#listing = this.#list(program, moment.length + (accumulate ? this.#accumulated.length : 0));
    const executable = this.backend.load(program, memory);
    this.#executables.set(program, executable);
    return { program, executable };
  }

  /**
   * Halves the batch until its work memory fits. If rows are normalised by batch statistics, memory must not affect the
   * batch size.
   */
  #chooseInferenceBatch(): number {
    const { nodes, inputs } = this.model;
    if (nodes.some(({ spec }) => 'evaluation' in spec && spec.evaluation === 'batch')) return INFERENCE_BATCH;
    const { threading } = this.backend;
    const features = inputs.map(featureType);
    const use = { kind: 'forward', features, direct: true, goals: [], threads: 1, threading } as const;
    const rewrite = this.#rewrite;
    const row = 4 * inputs.reduce((sum, { shape }) => sum + elements(shape), 0);
    let capacity = INFERENCE_BATCH;
    while (capacity > 1 && capacity * row > INFERENCE_INPUTS) capacity /= 2;
    while (capacity > 1 && 4 * compile(this.model, { ...use, rewrite, capacity }).workLength > INFERENCE_WORK)
      capacity /= 2;
    return capacity;
  }
}
