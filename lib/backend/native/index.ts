import { availableParallelism, cpus } from 'node:os';
import { BlasnetError } from '../../errors.js';
import { kernelNames, tableHash } from '../../kernels/table.js';
import { findLauncher } from '../../launcher.js';
import type { Program } from '../../program/compile.js';
import type { FeedEntry } from '../../program/instructions.js';
import { countWith } from '../../shared-memory.js';
import {
  type Backend,
  type Control,
  type Executable,
  type Memory,
  type RunRequest,
  type RunResult,
  samplings,
  statuses,
} from '../backend.js';
import { type AddonPlan, loadAddon } from './addon.js';
import { cpuQuota } from './cpu-quota.js';
import { encode, format, layouts, placesOf } from './encode.js';
import { wrapGroup } from './group.js';
import { checkCore, checkSwitches, checkWays, chosenThreads, MOST_THREADS } from './settings.js';
import { threading } from './threading.js';

/** Threads for a run, and why: BLASNET_THREADS, or what the machine, the container and other ranks leave. */
function threadLimit(): { threads: number; threadsReason: string } {
  const chosen = chosenThreads();
  if (chosen !== undefined) return { threads: chosen, threadsReason: 'asked for by BLASNET_THREADS' };
  let threads = Math.min(availableParallelism(), MOST_THREADS);
  let threadsReason = 'as many as this process may run at the same time';
  let shared = cpus().length;
  const quota = cpuQuota();
  if (quota !== undefined && Math.ceil(quota.cpus) < threads) {
    threads = Math.ceil(quota.cpus);
    threadsReason = `the CPU quota of ${Number(quota.cpus.toFixed(2))}, as ${quota.file} says`;
    shared = threads;
  }
  // Not a share of what this process may use: launchers that bind ranks to cores have divided that already.
  const ranks = findLauncher()?.ranksOnHost ?? 1;
  const share = Math.max(Math.floor(shared / Math.max(ranks, 1)), 1);
  if (ranks > 1 && share < threads) {
    threads = share;
    threadsReason = `a share of ${shared} processors for each of ${ranks} ranks on this host`;
  }
  return { threads, threadsReason };
}

const runPlaces = placesOf(layouts.run);
const runFeedPlaces = placesOf(layouts.runFeed);
const resultPlaces = placesOf(layouts.result);

/** How many numbers a run with so many feeds has. */
const numberCount = (feeds: number) => layouts.run.length + layouts.runFeed.length * feeds;

/** Writes the numbers of a run, followed by scale and offset of each feed. */
function writeNumbers(numbers: Float64Array, request: RunRequest, feeds: readonly FeedEntry[]): void {
  numbers[runPlaces.rows] = request.rows;
  numbers[runPlaces.drawn] = request.drawn;
  numbers[runPlaces.batchSize] = request.batchSize;
  numbers[runPlaces.epochs] = request.epochs;
  numbers[runPlaces.sampling] = samplings.indexOf(request.sampling);
  numbers[runPlaces.seed] = request.seed;
  numbers[runPlaces.epoch] = request.epoch;
  numbers[runPlaces.step] = request.step;
  numbers[runPlaces.threads] = request.threads;
  numbers[runPlaces.batches] = request.batches ?? 0;
  feeds.forEach(({ name }, i) => {
    const start = numberCount(i);
    numbers[start + runFeedPlaces.scale] = request.feeds[name]?.scale ?? 1;
    numbers[start + runFeedPlaces.offset] = request.feeds[name]?.offset ?? 0;
  });
}

/**
 * Converts an error of the addon to one of the library. Only a lack of memory or threads causes errors without a code.
 */
function typed(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ((error as { code?: unknown }).code === 'INTERNAL')
    return new BlasnetError('INTERNAL', error.message, { cause: error });
  const message = `the native backend could not allocate memory or start a thread (${error.message})`;
  return new BlasnetError('OUT_OF_MEMORY', message, { cause: error });
}

function calling<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw typed(error);
  }
}

class NativeExecutable implements Executable {
  readonly #plan: AddonPlan;
  readonly #feeds: readonly FeedEntry[];
  /** The addon reads it before it returns, so all calls can share it. */
  readonly #numbers: Float64Array;

  constructor(plan: AddonPlan, { feeds }: Program) {
    this.#plan = plan;
    this.#feeds = feeds;
    this.#numbers = new Float64Array(numberCount(feeds.length));
  }

  /** Converts a request to the first arguments of the addon's functions. */
  #arguments(request: RunRequest) {
    writeNumbers(this.#numbers, request, this.#feeds);
    const feeds = this.#feeds.map(({ name }) => request.feeds[name]?.values ?? null);
    return [feeds, this.#numbers, request.scalars, request.report] as const;
  }

  runSync(request: RunRequest): RunResult {
    const status = calling(() => this.#plan.runSync(...this.#arguments(request), request.profile));
    return {
      status: statuses[status],
      steps: this.#numbers[resultPlaces.steps],
      seconds: this.#numbers[resultPlaces.seconds],
    };
  }

  run(request: RunRequest, control: Control): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, result?: RunResult) => {
        if (result === undefined) reject(typed(error));
        else resolve(result);
      };
      const { profile, ranks } = request;
      calling(() => this.#plan.run(...this.#arguments(request), control, done, profile, ranks?.group, ranks?.parts));
    });
  }
}

/** Loads the addon; throws `BACKEND_UNAVAILABLE` if there is none for this machine. */
export function createNativeBackend(): Backend {
  const limit = threadLimit();
  checkSwitches();
  const { addon, path, failures } = loadAddon(tableHash);
  countWith(addon);
  checkCore(calling(() => addon.info()).blas.core);
  checkWays(addon);
  // Run threads must end before the process destroys what they use.
  process.on('exit', () => addon.stop());
  return {
    name: 'native',
    threads: limit.threads,
    threading,
    load(program: Program, memory: Memory): Executable {
      const blocks = format.segment.map((name) => memory[name]);
      return new NativeExecutable(
        calling(() => new addon.Plan(encode(program), blocks)),
        program,
      );
    },
    callKernel(kernel, args) {
      calling(() => addon.callKernel(kernelNames.indexOf(kernel), args));
    },
    repeatKernels(calls, times) {
      const list = calls.map(([kernel, args]) => [kernelNames.indexOf(kernel), args] as const);
      return calling(() => addon.repeatKernels(list, times));
    },
    adopt: (buffer) => calling(() => addon.adopt(new Uint8Array(buffer))),
    openGroup: (library, ordered) => wrapGroup(new addon.Group(library, ordered)),
    info: () => ({
      backend: 'native',
      ...limit,
      ...calling(() => addon.info()),
      float32: addon.float32(),
      bfloat16: addon.bfloat16(),
      addon: path,
      passedOver: failures,
    }),
  };
}
