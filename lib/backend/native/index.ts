import { availableParallelism } from 'node:os';
import { checkInteger } from '../../checks.js';
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

function numbers(request: RunRequest): Float64Array {
  const { rows, drawn, batchSize, epochs, sampling, seed, epoch, step, scale, offset, threads } = request;
  return Float64Array.of(rows, drawn, batchSize, epochs, samplings.indexOf(sampling), seed, epoch, step, scale, offset, threads);
}

function bound(request: RunRequest) {
  return feeds.map((feed) => request.feeds[feed] ?? null);
}

class NativeExecutable implements Executable {
  readonly #plan: AddonPlan;

  constructor(plan: AddonPlan) {
    this.#plan = plan;
  }

  runSync(request: RunRequest): RunResult {
    return this.#plan.runSync(bound(request), numbers(request), request.scalars, request.report, request.profile);
  }

  run(request: RunRequest, control: Control): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, result?: RunResult) => {
        if (result === undefined) reject(error);
        else resolve(result);
      };
      this.#plan.run(bound(request), numbers(request), request.scalars, request.report, control, done, request.profile);
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
      return new NativeExecutable(
        new addon.Plan(
          encode(program),
          segments.map((name) => memory[name]),
        ),
      );
    },
    callKernel(kernel, args) {
      addon.callKernel(kernelNames.indexOf(kernel), args);
    },
    repeatKernels(calls, times) {
      return addon.repeatKernels(
        calls.map(([kernel, args]) => [kernelNames.indexOf(kernel), args] as const),
        times,
      );
    },
    adopt: (buffer) => addon.adopt(buffer, new Uint8Array(buffer)),
    info: () => ({ backend: 'native', threads, ...addon.info(), addon: path, passedOver: failures }),
  };
}
