import type { Program } from '../program/compile.js';
import type { Feed } from '../program/instructions.js';
import type { KernelName } from '../program/signatures.js';

export type BackendName = 'native' | 'typescript';

/** The blocks of memory that a program's tensors lie in; all are views of SharedArrayBuffers. */
export interface Memory {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly state: Float32Array;
  readonly moment: Float32Array;
  readonly work: Float32Array;
  readonly metric: Float64Array;
}

export type FeedArray = Float32Array | Int32Array | Uint8Array;

/**
 * Where the rows of an epoch come from: as they lie, a fresh permutation each epoch, or each drawn from all of them.
 * The position in this list is the number that the native backend reads.
 */
export const samplings = ['inOrder', 'shuffle', 'withReplacement'] as const;
export type Sampling = (typeof samplings)[number];

/** One run of a program over a dataset: `epochs` passes of ⌈drawn / batchSize⌉ steps, the last batch short. */
export interface RunRequest {
  readonly rows: number;
  /** Rows that an epoch takes: all of them, once each, unless they are drawn with replacement. */
  readonly drawn: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly sampling: Sampling;
  /** Of the network: key of what the sampling draws. */
  readonly seed: number;
  /** Number of the first epoch, counter of what the sampling draws. */
  readonly epoch: number;
  /** Training steps made before, counter of the random masks. */
  readonly step: number;
  /** Features are fed as value * scale + offset. */
  readonly scale: number;
  readonly offset: number;
  readonly feeds: Readonly<Partial<Record<Feed, FeedArray>>>;
  /** The optimizer's numbers, `program.scalarCount` a step. */
  readonly scalars: Float64Array;
  /** Receives mean loss and hits of each step, in turn; null when nobody asks. Shared memory for asynchronous runs. */
  readonly report: Float64Array | null;
  /** Receives, added up, the seconds of each instruction and the waiting before it; null when nobody asks. Shared memory. */
  readonly profile?: Float64Array | null;
  /** Threads to run on, 1 for this one alone. */
  readonly threads: number;
}

/** Shared with a running run: word 0 set to 1 asks it to stop, word 1 counts finished steps. */
export type Control = Int32Array;
export const control = { cancel: 0, steps: 1, length: 16 } as const;

export interface RunResult {
  /** `nonFinite`: stopped before the update of a step whose mean loss was not finite. */
  readonly status: 'done' | 'cancelled' | 'nonFinite';
  /** Whole steps made. */
  readonly steps: number;
  /** Of the run alone, in seconds. */
  readonly seconds: number;
}

/** A program bound to its memory, ready to run. One run at a time. */
export interface Executable {
  runSync(request: RunRequest): RunResult;
  run(request: RunRequest, control: Control): Promise<RunResult>;
}

export interface BackendInfo {
  readonly backend: BackendName;
  /** Why this backend was chosen. */
  readonly reason: string;
  /** Threads that a run may use. */
  readonly threads: number;
  /** Native only: CPU features found, such as 'avx2'. */
  readonly cpuFeatures: readonly string[];
  /** Kernel set in use and why. */
  readonly simd: { readonly set: string; readonly available: readonly string[]; readonly reason: string };
  /** BLAS in use; for TypeScript our own loops. */
  readonly blas: { readonly name: string; readonly core: string; readonly config: string; readonly threads: number };
  /** File of the native addon. */
  readonly addon: string | undefined;
  /** Native only: files that are preferred to it, each with why it was not loaded. */
  readonly passedOver: readonly string[];
}

/** Checked arguments of a kernel, in the order of its signature. */
export type KernelArguments = readonly (FeedArray | Float64Array | number | null)[];

export interface Backend {
  readonly name: BackendName;
  load(program: Program, memory: Memory): Executable;
  callKernel(kernel: KernelName, args: KernelArguments): void;
  /** Makes all calls in turn, `times` times over, in one crossing; returns the seconds. */
  repeatKernels(calls: readonly (readonly [kernel: KernelName, args: KernelArguments])[], times: number): number;
  /**
   * Tells the garbage collector of a block's bytes, which JavaScript engines don't count for shared memory, and returns how
   * many to skip from its start to a 64-byte boundary of memory.
   */
  adopt(buffer: SharedArrayBuffer): number;
  info(): Omit<BackendInfo, 'reason'>;
}
