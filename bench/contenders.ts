import type { Measurement } from './measure.js';
import type { Learned } from './trainer.js';

export const contenderIds = ['floor', 'native-1', 'native', 'typescript', 'reference'] as const;
export type ContenderId = (typeof contenderIds)[number];

export interface Contender {
  readonly id: ContenderId;
  readonly title: string;
  /** Needs the native addon. */
  readonly native: boolean;
  /** Threads, where they are fixed; otherwise all that the machine offers. */
  readonly threads?: number;
  /** Gives a network that can be tested. */
  readonly learns: boolean;
  /** Can do convolutions. */
  readonly convolves: boolean;
}

/** In the order in which they run in each round. */
export const contenders: readonly Contender[] = [
  { id: 'floor', title: 'GEMM floor', native: true, threads: 1, learns: false, convolves: false },
  { id: 'native-1', title: 'blasnet native, one thread', native: true, threads: 1, learns: true, convolves: true },
  { id: 'native', title: 'blasnet native, all threads', native: true, learns: true, convolves: true },
  { id: 'typescript', title: 'blasnet TypeScript', native: false, threads: 1, learns: true, convolves: true },
  { id: 'reference', title: 'pure-JavaScript reference', native: false, threads: 1, learns: true, convolves: false },
];

/** What a contender's process is asked to do. */
export interface Request {
  readonly contender: ContenderId;
  readonly workload: string;
  /** Speed over about so many seconds, or what one pass over so many samples teaches. */
  readonly task: { readonly kind: 'speed'; readonly seconds: number } | { readonly kind: 'learn'; readonly samples: number };
}

/** What a contender computes with. */
export interface Equipment {
  readonly threads: number;
  /** BLAS and its core; absent without BLAS. */
  readonly blas?: string;
  /** Set of blasnet's native kernels; absent without them. */
  readonly simd?: string;
}

/** What a contender's process answers, as JSON on its standard output. */
export type Reply =
  | { readonly kind: 'speed'; readonly measurement: Measurement; readonly equipment: Equipment }
  | { readonly kind: 'learn'; readonly learned: Learned };
