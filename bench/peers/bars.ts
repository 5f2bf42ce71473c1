import { type BarResult, judge } from '../bars.js';
import { median, ratios, summarize } from '../statistics.js';
import { findPeer, type Group, peers } from './peers.js';
import type { EntrantResult, PeerResults, PeerWorkloadResult } from './results.js';

/** A ratio of blasnet to the fastest of some peers that must be reached. */
export interface PeerBar {
  readonly workload: string;
  /** Of one peer, or of the JavaScript ones. */
  readonly against: string;
  readonly peers: readonly string[];
  /** blasnet's threads. */
  readonly threads: Group;
  /** The peers' threads; the faster where there are both. */
  readonly peerThreads: readonly Group[];
  readonly least: number;
  /** Cores of the machines for which it holds. */
  readonly cores: readonly [least: number, most: number];
}

function each(
  bar: Pick<PeerBar, 'against' | 'peers' | 'threads' | 'peerThreads'> & Partial<Pick<PeerBar, 'cores'>>,
  least: Readonly<Record<string, number>>,
): PeerBar[] {
  const { cores = [1, Number.POSITIVE_INFINITY] } = bar;
  return Object.entries(least).map(([workload, ratio]) => ({ ...bar, workload, cores, least: ratio }));
}

function one(id: string) {
  return { against: findPeer(id).title, peers: [id] };
}

const both: readonly Group[] = ['one', 'all'];
const javaScript = {
  against: 'the fastest JavaScript peer',
  peers: peers.filter(({ language }) => language === 'javascript').map(({ id }) => id),
};

export const peerBars: readonly PeerBar[] = [
  ...each({ ...one('pytorch'), threads: 'all', peerThreads: both }, { M1: 2.8, M1bn: 2.5, M2: 1.25, M2L: 1.1, M3: 2, M4: 1.1 }),
  ...each({ ...one('jax'), threads: 'one', peerThreads: ['one'] }, { M1: 1.25, M1bn: 1.25, M2: 1.05, M2L: 1.15 }),
  ...each({ ...one('jax'), threads: 'all', peerThreads: ['all'], cores: [2, 8] }, { M1: 1.6, M1bn: 1.6, M2: 1.25, M2L: 1.15 }),
  ...each({ ...javaScript, threads: 'all', peerThreads: both }, { M1: 12, M2: 5, M3: 8 }),
  // A single image takes 0.6 of the peer's time at most.
  ...each({ ...one('onnxruntime-node'), threads: 'all', peerThreads: both }, { P1: 1, P1single: 1 / 0.6 }),
];

function fastest(entrants: readonly EntrantResult[]): EntrantResult | undefined {
  return [...entrants].sort((a, b) => median(b.rates) - median(a.rates))[0];
}

function checkBar(bar: PeerBar, result: PeerWorkloadResult, cores: number): BarResult {
  const { workload, against, threads, peerThreads, least } = bar;
  const blasnet = result.entrants.find(({ entrant, group }) => entrant === 'blasnet' && group === threads);
  const rival = fastest(
    result.entrants.filter(({ entrant, group }) => bar.peers.includes(entrant) && peerThreads.includes(group)),
  );
  const ours = `${workload}: blasnet, ${threads === 'one' ? 'one thread' : 'all threads'}`;
  const without = (excuse: string) => judge(`${ours} / ${against}`, { least }, undefined, excuse);
  const [fewest, most] = bar.cores;
  if (cores < fewest || cores > most) return without(`for ${fewest} to ${most} cores`);
  if (rival === undefined) {
    const failed = result.failures.some(({ entrant }) => bar.peers.includes(entrant));
    return without(`${against} ${failed ? 'failed' : 'takes no part'}`);
  }
  const name = bar.peers.length === 1 ? rival.title : `${against}: ${rival.title}`;
  return judge(`${ours} / ${name}`, { least }, blasnet && summarize(ratios(blasnet.rates, rival.rates)));
}

/** The bars of the workloads that were measured; those of peers that take no part are not missed. */
export function checkPeerBars({ workloads, machine }: Pick<PeerResults, 'workloads' | 'machine'>): BarResult[] {
  return workloads.flatMap((result) =>
    peerBars.filter(({ workload }) => workload === result.workload).map((bar) => checkBar(bar, result, machine.cores)),
  );
}
