import { availableParallelism } from 'node:os';
import { checkInteger } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { Program } from '../../program/compile.js';
import { feeds } from '../../program/instructions.js';
import { kernelNames } from '../../program/signatures.js';
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
import { encode, segments } from './encode.js';

/** Threads for a run: BLASNET_THREADS, or what the machine offers. */
function threadLimit(): number {
  const chosen = process.env.BLASNET_THREADS;
  if (chosen === undefined || chosen === '') return availableParallelism();
  const threads = /^\d+$/.test(chosen) ? Number(chosen) : chosen;
  return checkInteger('BLASNET_THREADS', threads, { min: 1, max: 256 });
}

/** Read by the addon before it returns, so that all calls can use the same one. */
const numbers = new Float64Array(11);

function numbersOf(request: RunRequest): Float64Array {
  numbers[0] = request.rows;
  numbers[1] = request.drawn;
  numbers[2] = request.batchSize;
  numbers[3] = request.epochs;
  numbers[4] = samplings.indexOf(request.sampling);
  numbers[5] = request.seed;
  numbers[6] = request.epoch;
  numbers[7] = request.step;
  numbers[8] = request.scale;
  numbers[9] = request.offset;
  numbers[10] = request.threads;
  return numbers;
}

function bound(request: RunRequest) {
  return feeds.map((feed) => request.feeds[feed] ?? null);
}

/** An error of the addon as one of the library. Those for want of memory or of a thread are the ones that have no code. */
function typed(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if ((error as { code?: unknown }).code === 'INTERNAL') return new BlasnetError('INTERNAL', error.message, { cause: error });
  const message = `the native backend: memory or a thread could not be had (${error.message})`;
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

  constructor(plan: AddonPlan) {
    this.#plan = plan;
  }

  runSync(request: RunRequest): RunResult {
    const { scalars, report, profile } = request;
    const status = calling(() => this.#plan.runSync(bound(request), numbersOf(request), scalars, report, profile));
    return { status: statuses[status], steps: numbers[0], seconds: numbers[1] };
  }

  run(request: RunRequest, control: Control): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, result?: RunResult) => {
        if (result === undefined) reject(typed(error));
        else resolve(result);
      };
      calling(() =>
        this.#plan.run(bound(request), numbersOf(request), request.scalars, request.report, control, done, request.profile),
      );
    });
  }
}

/** Loads the addon; throws `BACKEND_UNAVAILABLE` when there is none for this machine. */
export function createNativeBackend(): Backend {
  const threads = threadLimit();
  const { addon, path, failures } = loadAddon(kernelNames);
  // Threads of a run must be gone before the process tears down what they use.
  process.on('exit', () => addon.stop());
  return {
    name: 'native',
    load(program: Program, memory: Memory): Executable {
      const blocks = segments.map((name) => memory[name]);
      return new NativeExecutable(calling(() => new addon.Plan(encode(program), blocks)));
    },
    callKernel(kernel, args) {
      calling(() => addon.callKernel(kernelNames.indexOf(kernel), args));
    },
    repeatKernels(calls, times) {
      const list = calls.map(([kernel, args]) => [kernelNames.indexOf(kernel), args] as const);
      return calling(() => addon.repeatKernels(list, times));
    },
    adopt: (buffer) => calling(() => addon.adopt(buffer, new Uint8Array(buffer))),
    info: () => ({ backend: 'native', threads, ...calling(() => addon.info()), addon: path, passedOver: failures }),
  };
}
