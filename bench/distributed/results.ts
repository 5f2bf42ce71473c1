/** What `npm run bench:distributed` has measured. */
import type { Workload } from '../workloads.js';
import type { Algorithm, Compute, Link, Sum } from './model.js';

/** Sums over two ranks. */
export interface LinkResult {
  readonly title: string;
  readonly algorithm: Algorithm;
  /** The wire that was put in the way; undefined for none. */
  readonly wire?: Link | undefined;
  readonly sums: readonly Sum[];
  /** What explains them. */
  readonly link: Link;
}

/** A network on one rank with all threads. */
export interface NetworkResult {
  readonly workload: Workload;
  readonly parameters: number;
  readonly compute: readonly Compute[];
}

/** Seconds of a step of the same batch, in each round. */
export interface StepsResult {
  readonly workload: Workload;
  readonly way: string;
  /** One rank of one thread, on half of the batch. */
  readonly half: readonly number[];
  /** Two ranks of one thread. */
  readonly ranks: readonly number[];
  /** One rank of two threads. */
  readonly threads: readonly number[];
  /** Share of a step in sums. */
  readonly sumShare: number;
  /** Seconds that the model gives a sum. */
  readonly sum: number;
}

export interface Results {
  readonly links: LinkResult[];
  readonly networks: NetworkResult[];
  readonly steps: StepsResult[];
  /** What was not measured, and why. */
  readonly missing: string[];
}
