import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BlasnetError } from '../../errors.js';
import type { Control, FeedArray, KernelArguments, RunResult } from '../backend.js';
import { candidates, unavailable } from './binaries.js';

/** What the addon says of itself. */
export interface AddonInfo {
  readonly cpuFeatures: string[];
  readonly simd: { readonly set: string; readonly available: string[]; readonly reason: string };
  readonly blas: { readonly name: string; readonly core: string; readonly config: string; readonly threads: number };
}

/** A program that the addon has checked, with the memory it works on. */
export interface AddonPlan {
  /** Returns the place of the status in `statuses`; steps and seconds take the place of the first two numbers. */
  runSync(
    feeds: (FeedArray | null)[],
    numbers: Float64Array,
    scalars: Float64Array,
    report: Float64Array | null,
    profile?: Float64Array | null,
  ): number;
  run(
    feeds: (FeedArray | null)[],
    numbers: Float64Array,
    scalars: Float64Array,
    report: Float64Array | null,
    control: Control,
    done: (error: Error | null, result?: RunResult) => void,
    profile?: Float64Array | null,
  ): void;
}

export interface Addon {
  readonly Plan: new (words: Float64Array, segments: (Float32Array | Float64Array)[]) => AddonPlan;
  callKernel(kernel: number, args: KernelArguments): void;
  /** Makes all calls in turn, `times` times over; returns the seconds. */
  repeatKernels(calls: (readonly [kernel: number, args: KernelArguments])[], times: number): number;
  /** Counts the bytes of `buffer`, seen whole by `view`, as external memory as long as it lives; returns those before the next 64-byte boundary. */
  adopt(buffer: SharedArrayBuffer, view: Uint8Array): number;
  info(): AddonInfo;
  /** Stops all runs of this environment and waits for their threads. */
  stop(): void;
}

interface AddonModule {
  /** The addon for this environment, on the kernel set of that name ('' for the widest that the CPU runs). */
  initialize(simd: string, kernelNames: readonly string[]): Addon;
}

/** The package's root, seen from dist/backend/native and lib/backend/native alike. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/**
 * Loads the addon of the package in `folder`, with the files preferred to it that failed to load; throws `BACKEND_UNAVAILABLE`
 * with every place tried and why it failed.
 */
export function loadAddon(
  kernelNames: readonly string[],
  folder = root,
): { addon: Addon; path: string; failures: readonly string[] } {
  const require = createRequire(import.meta.url);
  if (process.env.BLASNET_BINARY === 'none') {
    throw new BlasnetError('BACKEND_UNAVAILABLE', 'the native backend is switched off by BLASNET_BINARY=none');
  }
  const tried: string[] = [];
  const failures: string[] = [];
  for (const path of candidates(folder)) {
    if (!existsSync(path)) {
      tried.push(`${path}: no such file`);
      continue;
    }
    try {
      const addon = (require(path) as AddonModule).initialize(process.env.BLASNET_SIMD ?? '', kernelNames);
      return { addon, path, failures };
    } catch (error) {
      failures.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      tried.push(failures[failures.length - 1]);
    }
  }
  throw new BlasnetError('BACKEND_UNAVAILABLE', unavailable(folder, tried));
}
