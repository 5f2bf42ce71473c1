import { count, formatRatio, fraction, NONE, renderBars, renderMachine, renderRemaining, spread } from '../report.js';
import { median, ratios, summarize } from '../statistics.js';
import { type Column, renderTable } from '../table.js';
import { describeWorkload, EPOCH_SAMPLES, findWorkload } from '../workloads.js';
import { checkPeerBars } from './bars.js';
import type { EntrantResult, PeerResults, PeerStatus, PeerWorkloadResult } from './results.js';

const columns: readonly Column[] = [
  { title: 'contender', align: 'left' },
  { title: 'threads', align: 'right' },
  { title: 'cores busy', align: 'right' },
  { title: 'BLAS', align: 'left' },
  { title: 'setting', align: 'left' },
  { title: 'samples/s (min–max)', align: 'right' },
  { title: 'µs each', align: 'right' },
  { title: 'blasnet/peer', align: 'right' },
  { title: 'loss', align: 'right' },
  { title: 'accuracy', align: 'right' },
];

/** blasnet's rates over a peer's on the same number of threads, round by round. */
export function blasnetRatio(result: EntrantResult, all: PeerWorkloadResult): number | undefined {
  const blasnet = all.entrants.find(({ entrant, group }) => entrant === 'blasnet' && group === result.group);
  if (blasnet === undefined || blasnet === result) return undefined;
  return median(ratios(blasnet.rates, result.rates));
}

function row(result: EntrantResult, all: PeerWorkloadResult): string[] {
  const { title, equipment, setting, learned } = result;
  const rates = summarize(result.rates);
  const ratio = blasnetRatio(result, all);
  return [
    title,
    String(equipment.threads),
    median(result.busyCores).toFixed(2),
    equipment.blas ?? NONE,
    setting === '' ? NONE : setting,
    rates === undefined ? NONE : spread(rates, count),
    rates === undefined ? NONE : formatRatio(1e6 / rates.median),
    ratio === undefined ? NONE : formatRatio(ratio),
    fraction(learned?.loss),
    fraction(learned?.accuracy),
  ];
}

/** Entrants that were too slow for a whole epoch. */
function partialEpochs({ entrants }: PeerWorkloadResult, whole: number): string[] {
  return entrants.flatMap(({ title, learned }) =>
    learned === undefined || learned.samples >= whole ? [] : [`${title} (${count(learned.samples)} samples)`],
  );
}

function renderWorkload(result: PeerWorkloadResult, learnSamples: number): string {
  const workload = findWorkload(result.workload);
  const partial = partialEpochs(result, learnSamples);
  return [
    `## ${workload.id}: ${describeWorkload(workload)}`,
    renderTable(
      columns,
      result.entrants.map((entrant) => row(entrant, result)),
    ),
    ...(partial.length === 0 ? [] : [`Loss and accuracy after part of an epoch: ${partial.join(', ')}.`]),
    ...(result.failures.length === 0
      ? []
      : [result.failures.map(({ title, reason }) => `- ${title} failed: ${reason}`).join('\n')]),
  ].join('\n\n');
}

function renderPeers(peers: readonly PeerStatus[]): string {
  const lines = peers.map(({ title, version, missing, remark }) => {
    const state = missing === undefined ? version : `takes no part: ${missing}`;
    return `- ${title}: ${state}${remark === undefined ? '' : ` (${remark})`}`;
  });
  return ['## Contenders', lines.join('\n')].join('\n\n');
}

function renderMethod({ rounds, seconds, learnSamples }: PeerResults['settings']): string {
  const turns = rounds === 1 ? 'one round' : `${rounds} rounds`;
  const amount = learnSamples < EPOCH_SAMPLES ? `over ${count(learnSamples)} samples ` : '';
  return [
    `blasnet's native backend and the peers run in turn, in ${turns}, each time in a process of its own: a warm-up, then a fresh`,
    `network, after its first two batches, for about ${seconds} s. Rates are medians of the rounds, with the least and the most; blasnet/peer is the median of the`,
    'rounds’ ratios on the same number of threads. Of a peer’s settings the fastest in a trial takes part; what the environment',
    'sets for BLAS, OpenMP and XLA is kept from the peers. Where fewer cores were busy than a contender has threads, other programs',
    'held it up, or it does not use them. blasnet leaves out columns of a batch that are all zero, which no peer looks for.',
    `Loss and accuracy are those on the test data after one epoch ${amount}from fresh weights.`,
  ].join('\n');
}

/** The whole report, as Markdown that reads well as plain text. */
export function renderPeerReport(results: PeerResults): string {
  const { settings } = results;
  return [
    `# Peers, ${results.date}`,
    renderMachine(results.machine),
    renderMethod(settings),
    ...(settings.quick ? ['A quick run: it shows that the benchmark works, and nothing about speed.'] : []),
    renderPeers(results.peers),
    ...results.workloads.map((workload) => renderWorkload(workload, settings.learnSamples)),
    ...renderRemaining(results.remaining),
    ...renderBars(checkPeerBars(results)),
  ].join('\n\n');
}
