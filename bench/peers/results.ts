import type { Equipment } from '../contenders.js';
import type { Machine } from '../machine.js';
import type { Learned } from '../trainer.js';
import type { Group } from './peers.js';

/** blasnet or a peer, on one workload and a number of threads. */
export interface EntrantResult {
  /** `blasnet`, or the peer's id. */
  readonly entrant: string;
  readonly title: string;
  readonly group: Group;
  readonly equipment: Equipment;
  /** The fastest of its settings, where it has several. */
  readonly setting: string;
  /** Samples a second, round by round. */
  readonly rates: readonly number[];
  readonly busyCores: readonly number[];
  /** After one pass over so many samples from fresh weights, on the test data. */
  readonly learned?: Learned & { readonly samples: number };
}

export interface Failure {
  readonly entrant: string;
  readonly title: string;
  readonly group: Group;
  readonly reason: string;
}

export interface PeerWorkloadResult {
  readonly workload: string;
  readonly entrants: readonly EntrantResult[];
  readonly failures: readonly Failure[];
}

export interface PeerStatus {
  readonly peer: string;
  readonly title: string;
  readonly version?: string;
  /** Why it takes no part. */
  readonly missing?: string;
  readonly remark?: string;
}

export interface PeerResults {
  readonly date: string;
  readonly machine: Machine;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly learnSamples: number;
    readonly quick: boolean;
  };
  readonly peers: readonly PeerStatus[];
  readonly workloads: readonly PeerWorkloadResult[];
  /** Workloads that were asked for and not reached. */
  readonly remaining: readonly string[];
}
