import type { Backend, Control, Executable, FeedArray, Memory, RunRequest, RunResult, Sampling } from '../backend/backend.js';
import { BlasnetError } from '../errors.js';
import type { TargetKind } from '../losses.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { compile, type Program, type ProgramKind, type ProgramRequest } from '../program/compile.js';
import { type Feed, metrics } from '../program/instructions.js';
import { Listing } from '../program/listing.js';
import { BLOCK, initialize, type Model } from '../program/model.js';
import type { Profile } from '../program/profile.js';
import { sharedBuffer } from '../shared-memory.js';

/** What a run works on, in the kernels' terms. */
export interface Source {
  readonly rows: number;
  readonly features: Uint8Array | Float32Array;
  readonly scale: number;
  readonly offset: number;
  /** Kind of targets that the feeds bring. */
  readonly target: TargetKind | 'none';
  readonly labels?: Int32Array;
  readonly targets?: Float32Array;
}

export interface Job {
  readonly kind: ProgramKind;
  readonly source: Source;
  readonly batchSize: number;
  readonly epochs?: number;
  /** Default 'inOrder'. */
  readonly sampling?: Sampling;
  /** Rows that an epoch takes, for sampling 'withReplacement'; default: as many as there are. */
  readonly drawn?: number;
  /** Number of the first epoch, for what the sampling draws. */
  readonly epoch?: number;
  readonly optimizer?: Optimizer;
  /** The optimizer's numbers for each step. */
  readonly scalars?: Float64Array;
  readonly report?: Float64Array;
  readonly profile?: Profile;
  readonly output?: Float32Array;
  readonly inputGradient?: Float32Array;
}

interface Prepared {
  readonly program: Program;
  readonly executable: Executable;
}

/** Compiled programs kept for one network without an optimizer, and with each optimizer. */
const CACHE = 16;
const NO_SCALARS = new Float64Array(0);

/** Float32 elements of shared memory on a 64-byte boundary; throws `OUT_OF_MEMORY`. */
export function allocate(backend: Backend, length: number): Float32Array {
  const bytes = Math.max(length, BLOCK) * 4;
  // Room to begin at a large page.
  const buffer = sharedBuffer(bytes < 1 << 20 ? bytes + 64 : Math.ceil(bytes / (1 << 21) + 1) * (1 << 21));
  return new Float32Array(buffer, backend.adopt(buffer), length);
}

function disposedError(): BlasnetError {
  return new BlasnetError('NETWORK_DISPOSED', 'network: it was disposed and can no longer be used');
}

/** A network's memory and its compiled programs on one backend; guards against two runs at a time. */
export class Engine {
  readonly model: Model;
  readonly backend: Backend;
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  readonly state: Float32Array;
  readonly metric: Float64Array;
  /** Training passes made, counter of the random masks. */
  noiseSteps = 0;
  #work: Float32Array;
  /** Stands for blocks without elements. */
  readonly #none: Float32Array;
  /** Programs by the optimizer that they update with, or this engine: they go when the optimizer goes, and its moments with it. */
  #programs = new WeakMap<object, Prepared[]>();
  #status: 'idle' | 'busy' | 'disposed' = 'idle';
  #control: Control | undefined;
  #listing: Listing | undefined;
  #rewrite: boolean;
  readonly #disposal = new AbortController();

  constructor(model: Model, backend: Backend, rewrite = true) {
    this.model = model;
    this.backend = backend;
    this.#rewrite = rewrite;
    this.parameters = allocate(backend, model.parameterLength);
    this.gradients = allocate(backend, model.parameterLength);
    this.state = allocate(backend, model.stateLength);
    const totals = allocate(backend, 2 * metrics.length);
    this.metric = new Float64Array(totals.buffer, totals.byteOffset, metrics.length);
    this.#none = allocate(backend, 0);
    this.#work = this.#none;
    initialize(model, this.parameters, this.state);
  }

  get disposed(): boolean {
    return this.#status === 'disposed';
  }

  /** Aborted by {@link dispose}, with the error that further use throws. */
  get disposal(): AbortSignal {
    return this.#disposal.signal;
  }

  /** Throws when a run is on or the network is disposed. */
  checkIdle(): void {
    if (this.#status === 'busy')
      throw new BlasnetError('NETWORK_BUSY', 'network: a run is on; wait for it to end before the next call');
    this.checkUsable();
  }

  checkUsable(): void {
    if (this.#status === 'disposed') throw disposedError();
  }

  /** Holds the network for `task`: nobody else may use it until the task has ended. */
  async hold<T>(task: () => Promise<T>): Promise<T> {
    this.checkIdle();
    this.#status = 'busy';
    try {
      return await task();
    } finally {
      if (this.#status === 'busy') this.#status = 'idle';
    }
  }

  /** Runs a job on this thread until it is done. */
  runSync(job: Job): RunResult {
    this.checkIdle();
    const prepared = this.#prepare(job);
    const result = prepared.executable.runSync(this.#request(job, prepared));
    this.#count(job, result);
    return result;
  }

  /** Runs a job off the event loop; within {@link hold}. `control` lets others stop it and see its progress. */
  async run(job: Job, control: Control): Promise<RunResult> {
    this.checkUsable();
    const prepared = this.#prepare(job);
    this.#control = control;
    try {
      const result = await prepared.executable.run(this.#request(job, prepared), control);
      this.#count(job, result);
      return result;
    } finally {
      this.#control = undefined;
      this.checkUsable();
    }
  }

  /** Copies what a forward pass in training mode changes; the function that is returned puts the copy back. */
  copyState(): () => void {
    const [state, noiseSteps] = [this.state.slice(), this.noiseSteps];
    return () => {
      this.state.set(state);
      this.noiseSteps = noiseSteps;
    };
  }

  /** Gives the optimizer its moments, if it has none yet, and returns their block. */
  attach(optimizer: Optimizer): Float32Array {
    const length = this.model.parameterLength;
    const moments = optimizer.attach(this, [...this.model.parameters.keys()], (count) => {
      const block = allocate(this.backend, count * length);
      return Array.from({ length: count }, (_, i) => block.subarray(i * length, (i + 1) * length));
    });
    if (moments.length === 0) return this.#none;
    return new Float32Array(moments[0].buffer, moments[0].byteOffset, moments.length * length);
  }

  /** The latest training program, or the one that computes gradients for a batch of 32. */
  listing(): Listing {
    this.checkUsable();
    if (this.#listing === undefined) {
      const target = this.model.loss.targets[0];
      const request: ProgramRequest = {
        kind: 'gradients',
        features: 'f32',
        direct: false,
        target,
        capacity: 32,
        threads: this.backend.info().threads,
        rewrite: this.#rewrite,
      };
      return this.#list(compile(this.model, request), 0);
    }
    return this.#listing;
  }

  /** Stops a run that is on and gives the memory back; further use throws `NETWORK_DISPOSED`. */
  dispose(): void {
    if (this.#control !== undefined) Atomics.store(this.#control, 0, 1);
    this.#status = 'disposed';
    this.#programs = new WeakMap();
    this.#work = new Float32Array(0);
    this.#disposal.abort(disposedError());
  }

  #list(program: Program, moments: number): Listing {
    const { parameterLength, stateLength } = this.model;
    return new Listing(program, 4 * (2 * parameterLength + stateLength + moments));
  }

  #count(job: Job, result: RunResult): void {
    if (job.profile !== undefined) job.profile.steps += result.steps;
    if (job.kind === 'train' || job.kind === 'gradients' || job.kind === 'forwardTraining') this.noiseSteps += result.steps;
  }

  #request(job: Job, { program }: Prepared): RunRequest {
    const { source } = job;
    const feeds: Partial<Record<Feed, FeedArray>> = {
      features: source.features,
      ...(source.labels && { labels: source.labels }),
      ...(source.targets && { targets: source.targets }),
      ...(job.output && { output: job.output }),
      ...(job.inputGradient && { inputGradient: job.inputGradient }),
    };
    return {
      rows: source.rows,
      drawn: job.drawn ?? source.rows,
      batchSize: Math.min(job.batchSize, program.request.capacity),
      epochs: job.epochs ?? 1,
      sampling: job.sampling ?? 'inOrder',
      seed: this.model.seed,
      epoch: (job.epoch ?? 0) % 2 ** 32,
      step: this.noiseSteps % 2 ** 32,
      scale: source.scale,
      offset: source.offset,
      feeds,
      scalars: job.scalars ?? NO_SCALARS,
      report: job.report ?? null,
      profile: job.profile?.timesFor(program) ?? null,
      threads: program.threads,
    };
  }

  /** The compiled program for a job, from the cache where it fits. */
  #prepare(job: Job): Prepared {
    const { source, kind, optimizer } = job;
    const features = source.features instanceof Uint8Array ? 'u8' : 'f32';
    // Inference reads float features in place. Training copies them, because the copy finds NaN and infinities.
    const inference = kind === 'evaluate' || kind === 'predict' || kind === 'forward';
    const direct = inference && features === 'f32' && source.scale === 1 && source.offset === 0;
    const capacity = Math.min(job.batchSize, job.drawn ?? source.rows);
    const { target } = source;
    const owner = optimizer ?? this;
    const programs = this.#programs.get(owner) ?? [];
    const known = programs.find(({ program: { request } }) => {
      const sameUse = request.kind === kind && request.capacity === capacity;
      return sameUse && request.features === features && request.direct === direct && request.target === target;
    });
    if (known !== undefined) return known;

    const { threads } = this.backend.info();
    const request: ProgramRequest = { kind, features, direct, target, capacity, threads, rewrite: this.#rewrite };
    const program = compile(this.model, request, optimizer);
    if (program.workLength > this.#work.length) {
      // Programs bound to the smaller block would no longer share memory with this one: compile them again when needed.
      this.#work = allocate(this.backend, program.workLength);
      this.#programs = new WeakMap();
    }
    const moment = optimizer === undefined ? this.#none : this.attach(optimizer);
    const memory: Memory = {
      parameter: this.parameters,
      gradient: this.gradients,
      state: this.state,
      moment,
      work: this.#work,
      metric: this.metric,
    };
    const listing = this.#list(program, moment.length);
    if (kind === 'train') this.#listing = listing;
    const prepared = { program, executable: this.backend.load(program, memory) };
    if (programs.length >= CACHE) programs.shift();
    programs.push(prepared);
    this.#programs.set(owner, programs);
    return prepared;
  }
}
