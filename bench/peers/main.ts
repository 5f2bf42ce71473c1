/** `npm run bench:peers`: the workloads on blasnet and on other libraries, side by side. */
import { native } from 'blasnet/kernels';
import { requireBars } from '../bars.js';
import { keep } from '../keep.js';
import { describeMachine, readLoad } from '../machine.js';
import { measureInTurn, runAsProgram } from '../program.js';
import { EPOCH_SAMPLES, QUICK_SAMPLES } from '../workloads.js';
import { checkPeerBars } from './bars.js';
import { type PresentPeer, prepare } from './installation.js';
import { measureWorkload } from './measurement.js';
import { help, type PeerOptions, parsePeerOptions } from './options.js';
import { findPeer } from './peers.js';
import { renderPeerReport } from './report.js';
import type { PeerResults, PeerStatus } from './results.js';

async function prepareAll(
  ids: readonly string[],
  pythons: readonly string[],
): Promise<{ present: PresentPeer[]; statuses: PeerStatus[] }> {
  const present: PresentPeer[] = [];
  const statuses: PeerStatus[] = [];
  for (const peer of ids.map(findPeer)) {
    const found = await prepare(peer, pythons);
    const presence = 'missing' in found ? found : { version: found.map(({ version }) => version).join(', ') };
    if ('missing' in found) console.error(`${peer.title} takes no part: ${found.missing}`);
    else present.push({ peer, installations: found });
    const remark = peer.remark === undefined ? {} : { remark: peer.remark };
    statuses.push({ peer: peer.id, title: peer.title, ...presence, ...remark });
  }
  return { present, statuses };
}

async function main({ rounds, seconds, quick, check, pythons, name, ...options }: PeerOptions): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const { present, statuses } = await prepareAll(options.peers, pythons);
  const settings = { rounds, seconds, quick, learnSamples: quick ? QUICK_SAMPLES : EPOCH_SAMPLES };
  const date = new Date().toISOString().slice(0, 10);
  const before = readLoad();
  const machine = describeMachine([before, before]);
  const measure = (id: string) => measureWorkload(id, present, settings, machine.cores);
  const workloads = await measureInTurn(options.workloads, measure, (found, remaining) => {
    const load = [before, readLoad()] as const;
    const results: PeerResults = { date, machine: { ...machine, load }, settings, peers: statuses, workloads: found, remaining };
    const report = renderPeerReport(results);
    return `${report}\n\nKept in ${keep(name === undefined ? 'latest.peers' : `${date}-${name}-peers`, results, report)}`;
  });
  if (check) requireBars(checkPeerBars({ workloads, machine }));
}

await runAsProgram('bench:peers', async () => {
  const options = parsePeerOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await main(options);
});
