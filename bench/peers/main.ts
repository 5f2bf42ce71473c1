/** `npm run bench:peers`: the workloads on blasnet and on other libraries, side by side. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import { checkBars, peerBars, requireBars } from '../bars.js';
import { askContender, findContender, multipliesOnly, takesPart } from '../contenders.js';
import { type Options, runBenchmark } from '../options.js';
import { reasonOf, stopping } from '../program.js';
import {
  describeLearning,
  describeRounds,
  measureAndReport,
  peerColumns,
  renderBars,
  renderWorkload,
} from '../report.js';
import { type Entrant, type Failure, measureRounds, type Settings, type WorkloadResult } from '../rounds.js';
import { findWorkload, type Workload } from '../workloads.js';
import { type PresentPeer, prepare } from './installation.js';
import { entrantId, entrantTitle, findPeer } from './peers.js';
import { choose } from './settings.js';

const cores = availableParallelism();

/** The available peers, and a line on each, with the reason if it is not available. */
async function prepareAll({ peers, pythons }: Options): Promise<{ present: PresentPeer[]; lines: string[] }> {
  const present: PresentPeer[] = [];
  const lines: string[] = [];
  for (const peer of peers.map(findPeer)) {
    const found = await prepare(peer, pythons);
    const missing = 'missing' in found ? `takes no part: ${found.missing}` : undefined;
    if (missing !== undefined) console.error(`${peer.title} ${missing}`);
    if (!('missing' in found)) present.push({ peer, installations: found });
    const state = 'missing' in found ? missing : found.map(({ version }) => version).join(', ');
    lines.push(`- ${peer.title}: ${state}${peer.remark === undefined ? '' : ` (${peer.remark})`}`);
  }
  return { present, lines };
}

function blasnetEntrant(id: string, workload: Workload): Entrant {
  const contender = findContender(id);
  const { title, kind } = contender;
  return { id, title, learnsNothing: multipliesOnly(kind), ask: (job) => askContender(contender, workload, job) };
}

/** Measures one workload: tries the peers' settings, then runs blasnet and the peers in turn. */
async function measureWorkload(id: string, peers: readonly PresentPeer[], settings: Settings): Promise<WorkloadResult> {
  const workload = findWorkload(id);
  const own = ['floor', 'native-1', 'native', 'native-1-bfloat16'];
  const entrants = own
    .filter((contender) => takesPart(findContender(contender), workload, { cores, native: true }))
    .map((contender) => blasnetEntrant(contender, workload));
  const failed: Failure[] = [];
  for (const present of peers.filter(({ peer }) => peer.workloads.includes(id))) {
    const { peer } = present;
    for (const group of peer.groups) {
      try {
        entrants.push(await choose(present, group, workload, settings, cores));
      } catch (error) {
        stopping.signal.throwIfAborted();
        const failure = { id: entrantId(peer, group), title: entrantTitle(peer, group), reason: reasonOf(error) };
        failed.push(failure);
        console.error(`${id}: ${failure.title} failed: ${failure.reason}`);
      }
    }
  }
  const { results, failures } = await measureRounds(workload, entrants, settings);
  return { workload: id, results, failures: [...failed, ...failures] };
}

function renderMethod(settings: Settings): string {
  return `\
blasnet's native backend and the peers run in turn, in ${describeRounds(settings)}, each time in a process of its own: a
warm-up, then a fresh network, after its first two batches, for about ${settings.seconds} s. Rates are medians of the rounds,
with the least and the most; blasnet/peer is the median of the rounds’ ratios on the same number of threads. Of a peer’s
settings the fastest in a trial takes part; what the environment sets for BLAS, OpenMP and XLA is kept from the peers.
Where fewer cores were busy than a contender has threads, other programs held it up, or it does not use them. blasnet
omits columns of a batch that are all zero, which no peer looks for. The floor is the matrix products of a step alone,
on OpenBLAS and one thread.
${describeLearning(settings)}`;
}

async function main(options: Options): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const { present, lines } = await prepareAll(options);
  const check = (found: readonly WorkloadResult[]) => checkBars(peerBars, found, cores);
  const found = await measureAndReport({
    title: `Peers: ${options.workloads.join(', ')}`,
    options,
    items: options.workloads,
    nameOf: (id) => id,
    measure: (id) => measureWorkload(id, present, options),
    render: (found) => [
      renderMethod(options),
      '## Contenders',
      lines.join('\n'),
      ...found.map((result) => renderWorkload(result, options, peerColumns)),
      ...renderBars(check(found)),
    ],
  });
  if (options.check) requireBars(check(found));
}

await runBenchmark('bench:peers', main);
