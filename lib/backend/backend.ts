import type { KernelName } from '../kernels/table.js';
import type { Program, Threading } from '../program/compile.js';

/** Name of a backend: C++ (`native`) or TypeScript. */
export type BackendName = 'native' | 'typescript';

/** The blocks of memory that hold a program's tensors; all are views of SharedArrayBuffers. */
export interface Memory {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly state: Float32Array;
  readonly moment: Float32Array;
  readonly work: Float32Array;
  readonly metric: Float64Array;
  readonly accumulated: Float32Array;
}

export type FeedArray = Float32Array | Int32Array | Uint8Array;

/** The data that a run supplies for one of a program's feeds. */
export interface Feed {
  readonly values: FeedArray;
  /** The values stand for value * scale + offset, if the program asks for it. */
  readonly scale?: number;
  readonly offset?: number;
}

/**
 * How the rows of an epoch are chosen: in dataset order, as a new permutation each epoch, or drawn with replacement.
 */
export const samplings = ['inOrder', 'shuffle', 'withReplacement'] as const;
export type Sampling = (typeof samplings)[number];

/**
 * One run of a program over a dataset: `epochs` passes of `batches` steps of `batchSize` rows each. The last step of a
 * pass takes the remaining rows. lib/runtime/batches.ts computes these numbers.
 */
export interface RunRequest {
  readonly rows: number;
  /** Rows per epoch: all, fewer if `batches` is given, or any number with replacement. */
  readonly drawn: number;
  readonly batchSize: number;
  /** Default: enough for all rows, with a short last batch. */
  readonly batches?: number;
  readonly epochs: number;
  readonly sampling: Sampling;
  /** The network's seed: random key of the sampling. */
  readonly seed: number;
  /** Index of the first epoch: random counter of the sampling. */
  readonly epoch: number;
  /** Training steps before this run: counter of the random masks. */
  readonly step: number;
  /** By name in the program's feed table; some may be missing. */
  readonly feeds: Readonly<Record<string, Feed | undefined>>;
  /** `program.scalarCount` per step. */
  readonly scalars: Float64Array;
  /**
   * Receives the totals of each step in turn, mean loss and hits; null if not needed. Shared memory for asynchronous
   * runs.
   */
  readonly report: Float64Array | null;
  /**
   * Receives the accumulated seconds of each instruction and of the wait before it; null if not needed. Shared memory.
   */
  readonly profile?: Float64Array | null;
  /** Threads to run on; 1 for only the calling thread. */
  readonly threads: number;
  /** Asynchronous runs of a program for several ranks: the group, and this rank's parts of an epoch's batches. */
  readonly ranks?: RankRequest | undefined;
}

export interface RankRequest {
  /** The addon's group: {@link NativeGroup.handle}. */
  readonly group: object;
  /** For each batch: its first row in this rank's order, its rows; the rows of lower ranks, those of all ranks. */
  readonly parts: Int32Array;
}

/** Shared with an active run: setting word 0 to 1 requests a stop, word 1 counts finished steps. */
export type Control = Int32Array;
export const control = { cancel: 0, steps: 1, length: 16 } as const;

export const statuses = ['done', 'cancelled', 'nonFinite', 'groupFailed'] as const;

export interface RunResult {
  /**
   * `nonFinite`: stopped before the update of a step whose mean loss was not finite. `groupFailed`: other ranks can't
   * be reached any more, or one left in the middle of a step.
   */
  readonly status: (typeof statuses)[number];
  /** Completed steps. */
  readonly steps: number;
  /** Duration of the run itself. */
  readonly seconds: number;
  /** Why the group failed. */
  readonly reason?: string;
}

/** A program bound to its memory, ready to run. One run at a time. */
export interface Executable {
  runSync(request: RunRequest): RunResult;
  run(request: RunRequest, control: Control): Promise<RunResult>;
}

/** What `backendInfo` returns: a backend, why it was chosen, and what it uses of this machine. */
export interface BackendInfo {
  readonly backend: BackendName;
  /** Why this backend was chosen. */
  readonly reason: string;
  /** Maximum number of threads of a run. */
  readonly threads: number;
  /**
   * Source of that number: BLASNET_THREADS, the processors available to the process, or the container's CPU quota
   * (cgroup v1 and v2).
   */
  readonly threadsReason: string;
  /** Native only: detected CPU features, such as 'avx2'. */
  readonly cpuFeatures: readonly string[];
  /** Kernel set in use and why. */
  readonly simd: { readonly set: string; readonly available: readonly string[]; readonly reason: string };
  /**
   * What multiplies wide layers in float32: 'amx', which takes a number as the sum of three of bfloat16, or 'fma', the
   * usual instructions.
   */
  readonly float32: string;
  /**
   * What multiplies in networks of the precision 'bfloat16': 'amx' or 'avx512-bf16', the processor's instructions for
   * it, or 'float32', the usual product of rounded operands.
   */
  readonly bfloat16: string;
  /** BLAS in use; for TypeScript, the backend's own loops. */
  readonly blas: { readonly name: string; readonly core: string; readonly config: string; readonly threads: number };
  /** File of the native addon. */
  readonly addon: string | undefined;
  /** Native only: files with higher priority that failed to load, each with the reason. */
  readonly passedOver: readonly string[];
}

/**
 * The addon's side of a group of processes. Calls are made one after the other by a thread of their own; they reject
 * with the reason if the group failed, as do all later ones. Arrays are in shared memory.
 */
export interface NativeGroup {
  /** Name and version of the library, as it says itself. */
  readonly version: string;
  readonly interface: 'Open MPI' | 'MPICH' | 'MPI ABI' | 'shim';
  /** The addon's object, which runs take. */
  readonly handle: object;
  /** Starts MPI; blocks until all ranks have come. Resolves to the own rank and the host of each rank. */
  join(): Promise<{ readonly rank: number; readonly hosts: readonly string[] }>;
  sum(values: Float32Array | Float64Array): Promise<void>;
  broadcast(bytes: Uint8Array, root: number): Promise<void>;
  barrier(): Promise<void>;
  leave(): Promise<void>;
  /** Leaves while the process ends, and blocks until all ranks do. Returns false if calls are under way or failed. */
  close(): boolean;
  /** Ends this process and all others of the job. */
  abort(code: number): never;
}

/** Checked arguments of a kernel, in the order of its signature. */
export type KernelArguments = readonly (FeedArray | Float64Array | number | null)[];

export interface Backend {
  readonly name: BackendName;
  /** Maximum number of threads of a run. */
  readonly threads: number;
  /** Undefined if the backend runs programs on one thread. */
  readonly threading?: Threading;
  load(program: Program, memory: Memory): Executable;
  callKernel(kernel: KernelName, args: KernelArguments): void;
  /** Makes all calls in order, `times` times, in one call into the backend; returns the seconds. */
  repeatKernels(calls: readonly (readonly [kernel: KernelName, args: KernelArguments])[], times: number): number;
  /** Prepares a block for use; returns the bytes to skip to a page, or from 4 MiB on to a page of 2 MiB. */
  adopt(buffer: SharedArrayBuffer): number;
  /**
   * Opens an MPI library by path or name, or with '' the one that the process has loaded. Throws an Error that says why
   * it does not load. Undefined if the backend has no groups.
   */
  openGroup?(library: string, ordered: boolean): NativeGroup;
  /** May ask the system for what only some processes need, such as the state of AMX. */
  info(): Omit<BackendInfo, 'reason'>;
}
