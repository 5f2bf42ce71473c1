import { type BarResult, checkBars } from './bars.js';
import { findContender } from './contenders.js';
import type { Machine } from './machine.js';
import { type ContenderResult, type Results, resultOf, type WorkloadResult } from './results.js';
import { median, ratios, type Summary, summarize } from './statistics.js';
import { type Column, renderTable } from './table.js';
import { describeWorkload, EPOCH_SAMPLES, findWorkload, flopsPerSample, passSamples } from './workloads.js';

export const NONE = '–';

const columns: readonly Column[] = [
  { title: 'contender', align: 'left' },
  { title: 'threads', align: 'right' },
  { title: 'cores busy', align: 'right' },
  { title: 'BLAS core', align: 'left' },
  { title: 'SIMD set', align: 'left' },
  { title: 'samples/s (min–max)', align: 'right' },
  { title: 'to the floor', align: 'right' },
  { title: 'to TypeScript', align: 'right' },
  { title: 'loss', align: 'right' },
  { title: 'accuracy', align: 'right' },
];

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** A loss or an accuracy. */
export function fraction(value: number | undefined): string {
  return value === undefined ? NONE : value.toFixed(4);
}

/** Two or three digits that count, without an exponent. */
export function formatRatio(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(4);
}

export function spread(summary: Summary, format: (value: number) => string): string {
  return `${format(summary.median)} (${format(summary.min)}–${format(summary.max)})`;
}

function ratioTo(result: ContenderResult, other: ContenderResult | undefined): string {
  const summary = other && other !== result ? summarize(ratios(result.rates, other.rates)) : undefined;
  return summary === undefined ? NONE : formatRatio(summary.median);
}

function workloadRow(result: ContenderResult, all: WorkloadResult): string[] {
  const { equipment, learned } = result;
  const rates = summarize(result.rates);
  return [
    findContender(result.contender).title,
    String(equipment.threads),
    median(result.busyCores).toFixed(2),
    equipment.blas ?? NONE,
    equipment.simd ?? NONE,
    rates === undefined ? NONE : spread(rates, count),
    ratioTo(result, resultOf(all, 'floor')),
    ratioTo(result, resultOf(all, 'typescript')),
    fraction(learned?.loss),
    fraction(learned?.accuracy),
  ];
}

/** Contenders whose rounds were too short for a pass over all data. */
function partialPasses(result: WorkloadResult, whole: number): string[] {
  return result.contenders.flatMap(({ contender, samplesPerRound }) => {
    const [least, most] = [Math.min(...samplesPerRound), Math.max(...samplesPerRound)];
    const { kind, title } = findContender(contender);
    if (kind === 'floor' || most >= whole) return [];
    return [`${title} (${least === most ? count(most) : `${count(least)} to ${count(most)}`} samples a round)`];
  });
}

export function renderWorkload(result: WorkloadResult): string {
  const workload = findWorkload(result.workload);
  const heading = `## ${workload.id}: ${describeWorkload(workload)}`;
  const size = `${(flopsPerSample(workload) / 1e6).toFixed(2)} MFLOP of matrix products a sample.`;
  const rows = result.contenders.map((contender) => workloadRow(contender, result));
  const partial = partialPasses(result, passSamples(workload));
  const note = partial.length === 0 ? [] : [`Timed on part of a pass, in whole batches: ${partial.join(', ')}.`];
  return [heading, size, renderTable(columns, rows), ...note, ...renderMemory(result)].join('\n\n');
}

function renderMemory({ memory }: WorkloadResult): string[] {
  if (memory === undefined) return [];
  const [idle, training] = [median(memory.idle), median(memory.training)].map((megabytes) => megabytes.toFixed(0));
  return [`Peak of memory: ${training} MB with native training on all threads, ${idle} MB with the data alone.`];
}

export function renderMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, architecture, node, load, environment } = machine;
  const names = Object.keys(environment);
  const variables = names.map((name) => `${name}=${environment[name]}`).join(', ');
  const foreign = names.some((name) => !name.startsWith('BLASNET_'));
  const lines = [
    `- ${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${memoryGiB} GiB, ${system}, ${architecture}, Node.js ${node}`,
    `- load average ${load[0].toFixed(2)} before, ${load[1].toFixed(2)} after`,
    `- environment: ${variables === '' ? 'no variables of BLAS, OpenMP or blasnet' : variables}`,
  ];
  if (foreign) lines.push('- blasnet’s own BLAS ignores the variables of other programs; the tables name its core');
  if (load[0] > 0.5 * cores) lines.push('- **other programs were running: do not trust these figures**');
  return lines.join('\n');
}

function renderMethod({ settings }: Results): string {
  const { rounds, seconds, learnSamples } = settings;
  const turns = rounds === 1 ? 'one round' : `${rounds} rounds`;
  const amount = learnSamples < EPOCH_SAMPLES ? `over ${count(learnSamples)} samples ` : '';
  return [
    `The contenders run in turn, in ${turns}, each time in a process of its own: a warm-up, then a fresh network,`,
    `after its first two batches, for about ${seconds} s, in whole epochs of gather, forward, backward and update. Rates are medians of the rounds, with the least and the`,
    'most; ratios are taken within each round, and their median is told. The floor is the matrix products of a step alone, on one',
    'thread, all steps in one native call: handed to OpenBLAS whole, and cut small as the network cuts them. The latter on every core,',
    'a process each, tells what the machine gives to threads: less than the sum where cores are halves of one, or others use',
    'their caches. The network leaves out columns of a batch that are all zero; the rows “zeros multiplied, too” do not.',
    'A core is taken by a process that loops. Where fewer cores were busy than a contender has threads, other programs held it up.',
    `Loss and accuracy are those on the test data after one epoch ${amount}from fresh weights.`,
  ].join('\n');
}

function renderLimit(limit: BarResult['limit']): string {
  const [sign, value] = 'least' in limit ? ['≥', limit.least] : ['≤', limit.most];
  return `${sign} ${Number(value.toFixed(2))}`;
}

export function renderBars(results: readonly BarResult[]): string[] {
  if (results.length === 0) return [];
  const barColumns: Column[] = [
    { title: 'bar', align: 'left' },
    { title: 'limit', align: 'right' },
    { title: 'found (min–max)', align: 'right' },
    { title: '', align: 'left' },
  ];
  const rows = results.map(({ title, limit, found, verdict }) => [
    title,
    renderLimit(limit),
    found === undefined ? NONE : spread(found, formatRatio),
    verdict,
  ]);
  return ['## Bars', renderTable(barColumns, rows)];
}

/** Says that a run ended early. */
export function renderRemaining(remaining: readonly string[]): string[] {
  return remaining.length === 0 ? [] : [`**Not reached: ${remaining.join(', ')}.**`];
}

/** The whole report, as Markdown that reads well as plain text. */
export function renderReport(results: Results): string {
  return [
    `# Training speed, ${results.date}`,
    renderMachine(results.machine),
    renderMethod(results),
    ...(results.settings.quick ? ['A quick run: it shows that the benchmark works, and nothing about speed.'] : []),
    ...(results.nativeMissing === undefined ? [] : [`There are no native contenders: ${results.nativeMissing}`]),
    ...results.workloads.map(renderWorkload),
    ...renderRemaining(results.remaining),
    ...renderBars(checkBars(results)),
  ].join('\n\n');
}
