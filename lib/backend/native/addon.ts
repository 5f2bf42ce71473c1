import { resolve, toNamespacedPath } from 'node:path';
import { BlasnetError } from '../../errors.js';
import { packageFolder } from '../../packages.js';
import type { Counter } from '../../shared-memory.js';
import { errorText } from '../../text.js';
import type { Control, FeedArray, KernelArguments, RunResult } from '../backend.js';
import { candidates, unavailable, unreadable } from './binaries.js';

/** The addon's information about itself. */
export interface AddonInfo {
  readonly cpuFeatures: string[];
  readonly simd: { readonly set: string; readonly available: string[]; readonly reason: string };
  readonly blas: { readonly name: string; readonly core: string; readonly config: string; readonly threads: number };
}

/** A program checked by the addon, with the memory that it uses. */
export interface AddonPlan {
  /** Returns the status as an index into `statuses`; overwrites the first two numbers with steps and seconds. */
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
    group?: object,
    parts?: Int32Array,
  ): void;
}

type Done = (error: Error | null) => void;

/** A group of processes; see NativeGroup. */
export interface AddonGroup {
  readonly version: string;
  readonly interface: 'Open MPI' | 'MPICH' | 'MPI ABI' | 'shim';
  join(done: Done): void;
  /** Valid once joined. */
  state(): { readonly rank: number; readonly size: number; readonly hosts: string[] };
  sum(values: Float32Array | Float64Array, done: Done): void;
  broadcast(bytes: Uint8Array, root: number, done: Done): void;
  barrier(done: Done): void;
  leave(done: Done): void;
  close(): boolean;
  abort(code: number): never;
}

export interface Addon extends Counter {
  /** Opens an MPI library; throws an Error that says why it does not load. */
  readonly Group: new (
    library: string,
    ordered: boolean,
  ) => AddonGroup;
  readonly Plan: new (words: Float64Array, segments: (Float32Array | Float64Array)[]) => AddonPlan;
  /** With a share: only for the units [begin, end) of that axis of the kernel. */
  callKernel(kernel: number, args: KernelArguments, ...share: [] | [axis: number, begin: number, end: number]): void;
  /** Makes all calls in order, `times` times; returns the seconds. */
  repeatKernels(calls: (readonly [kernel: number, args: KernelArguments])[], times: number): number;
  /**
   * Requests large pages for a block, given a view of all of it; returns the bytes before its first 64-byte boundary.
   */
  adopt(view: Uint8Array): number;
  info(): AddonInfo;
  /** What multiplies in each precision. Asks the system for AMX's state if that is used. */
  bfloat16(): string;
  float32(): string;
  /** Ends all runs of this environment immediately, in the middle of a step, and their threads. */
  stop(): void;
}

interface AddonModule {
  /**
   * The addon for this environment with the named kernel set ('' for the widest that the CPU supports). Throws if the
   * kernel table's hash differs.
   */
  initialize(simd: string, tableHash: string): Addon;
}

/** Loads an addon like `require`, in a way that bundlers don't try to handle. */
function open(path: string): AddonModule {
  const module = { exports: {} };
  process.dlopen(module, toNamespacedPath(resolve(path)));
  return module.exports as AddonModule;
}

/**
 * Loads the addon of the package in `folder` (undefined in a bundle outside the package). Also returns the files with
 * higher priority that failed to load. Throws `BACKEND_UNAVAILABLE` with every path tried and why it failed.
 */
export function loadAddon(
  tableHash: string,
  folder = packageFolder(),
): { addon: Addon; path: string; failures: readonly string[] } {
  if (process.env.BLASNET_BINARY === 'none') {
    throw new BlasnetError('BACKEND_UNAVAILABLE', 'the native backend is switched off by BLASNET_BINARY=none');
  }
  const tried: string[] = [];
  const failures: string[] = [];
  for (const path of candidates(folder)) {
    const problem = unreadable(path);
    if (problem !== undefined) {
      tried.push(`${path}: ${problem}`);
      continue;
    }
    try {
      const addon = open(path).initialize(process.env.BLASNET_SIMD ?? '', tableHash);
      return { addon, path, failures };
    } catch (error) {
      failures.push(`${path}: ${errorText(error)}`);
      tried.push(failures[failures.length - 1]);
    }
  }
  throw new BlasnetError('BACKEND_UNAVAILABLE', unavailable(folder, tried));
}
