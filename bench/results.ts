import type { ContenderId, Equipment } from './contenders.js';
import type { Machine } from './machine.js';
import type { Learned } from './trainer.js';

/** One contender on one workload. */
export interface ContenderResult {
  readonly contender: ContenderId;
  readonly equipment: Equipment;
  /** Samples a second, round by round. */
  readonly rates: readonly number[];
  /** Samples that a round's timing covered; less than a pass where a pass takes too long. */
  readonly samplesPerRound: readonly number[];
  /** Cores that each round kept busy; fewer than its threads where other programs took them. */
  readonly busyCores: readonly number[];
  /** After one pass from fresh weights, on the test data. */
  readonly learned?: Learned;
}

/** Peaks of processes' memory in MB, round by round. */
export interface Memory {
  /** Of a process that has loaded the data and does no more. */
  readonly idle: readonly number[];
  /** Of one that trains on them, natively and on all threads. */
  readonly training: readonly number[];
}

export interface WorkloadResult {
  readonly workload: string;
  readonly contenders: readonly ContenderResult[];
  /** Of workloads that have a bar for it. */
  readonly memory?: Memory;
}

export interface Settings {
  readonly rounds: number;
  /** Of timing, for each contender in each round. */
  readonly seconds: number;
  /** Samples of the pass after which loss and accuracy are told. */
  readonly learnSamples: number;
  readonly quick: boolean;
}

/** All that a run of the benchmark found; what the JSON file holds. */
export interface Results {
  readonly date: string;
  readonly machine: Machine;
  readonly settings: Settings;
  /** Why there are no native contenders. */
  readonly nativeMissing?: string;
  readonly workloads: readonly WorkloadResult[];
  /** Workloads that were asked for and not reached. */
  readonly remaining: readonly string[];
}

export function resultOf(result: WorkloadResult | undefined, contender: ContenderId): ContenderResult | undefined {
  return result?.contenders.find((candidate) => candidate.contender === contender);
}
