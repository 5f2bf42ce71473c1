/** `npm run bench:peers`: the workloads on blasnet and on other libraries, side by side. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import { keep } from '../keep.js';
import { describeMachine, readLoad } from '../machine.js';
import { EPOCH_SAMPLES, QUICK_SAMPLES } from '../workloads.js';
import { prepare } from './installation.js';
import { measureWorkload } from './measurement.js';
import { help, type PeerOptions, parsePeerOptions } from './options.js';
import { findPeer, type Peer } from './peers.js';
import { renderPeerReport } from './report.js';
import type { PeerResults, PeerStatus, PeerWorkloadResult } from './results.js';

async function prepareAll(ids: readonly string[], python: string): Promise<{ present: Peer[]; statuses: PeerStatus[] }> {
  const present: Peer[] = [];
  const statuses: PeerStatus[] = [];
  for (const peer of ids.map(findPeer)) {
    const presence = await prepare(peer, python);
    if ('version' in presence) present.push(peer);
    else console.error(`${peer.title} takes no part: ${presence.missing}`);
    const remark = peer.remark === undefined ? {} : { remark: peer.remark };
    statuses.push({ peer: peer.id, title: peer.title, ...presence, ...remark });
  }
  return { present, statuses };
}

async function measureAll({ rounds, seconds, quick, python, ...options }: PeerOptions): Promise<PeerResults> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const { present, statuses } = await prepareAll(options.peers, python);
  const settings = { rounds, seconds, quick, learnSamples: quick ? QUICK_SAMPLES : EPOCH_SAMPLES };
  const before = readLoad();
  const workloads: PeerWorkloadResult[] = [];
  for (const id of options.workloads) {
    workloads.push(await measureWorkload(id, present, settings, { cores: availableParallelism(), python }));
  }
  const date = new Date().toISOString().slice(0, 10);
  return { date, machine: describeMachine([before, readLoad()]), settings, peers: statuses, workloads };
}

async function main(options: PeerOptions): Promise<void> {
  const results = await measureAll(options);
  const report = renderPeerReport(results);
  console.log(report);
  const stem = options.name === undefined ? 'latest.peers' : `${results.date}-${options.name}-peers`;
  console.log(`\nKept in ${keep(stem, results, report)}`);
}

try {
  const options = parsePeerOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await main(options);
} catch (error) {
  console.error(`bench:peers: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
