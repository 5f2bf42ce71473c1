import { type BarResult, checkBars } from './bars.js';
import { type Contender, contenders } from './contenders.js';
import type { Machine } from './machine.js';
import { type ContenderResult, findContender, type Results, type WorkloadResult } from './results.js';
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

function titleOf(id: Contender['id']): string {
  return contenders.find((contender) => contender.id === id)?.title ?? id;
}

function workloadRow(result: ContenderResult, all: WorkloadResult): string[] {
  const { equipment, learned } = result;
  const rates = summarize(result.rates);
  return [
    titleOf(result.contender),
    String(equipment.threads),
    median(result.busyCores).toFixed(2),
    equipment.blas ?? NONE,
    equipment.simd ?? NONE,
    rates === undefined ? NONE : spread(rates, count),
    ratioTo(result, findContender(all, 'floor')),
    ratioTo(result, findContender(all, 'typescript')),
    fraction(learned?.loss),
    fraction(learned?.accuracy),
  ];
}

/** Contenders whose rounds were too short for a pass over all data. */
function partialPasses(result: WorkloadResult, whole: number): string[] {
  return result.contenders.flatMap(({ contender, samplesPerRound }) => {
    const [least, most] = [Math.min(...samplesPerRound), Math.max(...samplesPerRound)];
    if (contender === 'floor' || most >= whole) return [];
    return [`${titleOf(contender)} (${least === most ? count(most) : `${count(least)} to ${count(most)}`} samples a round)`];
  });
}

export function renderWorkload(result: WorkloadResult): string {
  const workload = findWorkload(result.workload);
  const heading = `## ${workload.id}: ${describeWorkload(workload)}`;
  const size = `${(flopsPerSample(workload) / 1e6).toFixed(2)} MFLOP of matrix products a sample.`;
  const rows = result.contenders.map((contender) => workloadRow(contender, result));
  const partial = partialPasses(result, passSamples(workload));
  const note = partial.length === 0 ? [] : [`Timed on part of a pass, in whole batches: ${partial.join(', ')}.`];
  return [heading, size, renderTable(columns, rows), ...note].join('\n\n');
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
    `The contenders run in turn, in ${turns}, each time in a process of its own: a warm-up, then a fresh network for about`,
    `${seconds} s, in whole epochs of gather, forward, backward and update. Rates are medians of the rounds, with the least and the`,
    'most; ratios are taken within each round, and their median is told. The floor is the matrix products of a step alone, on one',
    'thread, all steps in one native call. Where fewer cores were busy than a contender has threads, other programs held it up.',
    `Loss and accuracy are those on the test data after one epoch ${amount}from fresh weights.`,
  ].join('\n');
}

export function renderBars(results: readonly BarResult[]): string {
  const barColumns: Column[] = [
    { title: 'bar', align: 'left' },
    { title: 'at least', align: 'right' },
    { title: 'ratio (min–max)', align: 'right' },
    { title: '', align: 'left' },
  ];
  const rows = results.map(({ bar, ratio, passed }) => [
    `${bar.workload}: ${titleOf(bar.contender)} / ${titleOf(bar.against)}`,
    String(bar.least),
    ratio === undefined ? 'not measured' : spread(ratio, formatRatio),
    passed ? 'reached' : 'missed',
  ]);
  return renderTable(barColumns, rows);
}

/** The whole report, as Markdown that reads well as plain text. */
export function renderReport(results: Results): string {
  const barResults = checkBars(results);
  return [
    `# Training speed, ${results.date}`,
    renderMachine(results.machine),
    renderMethod(results),
    ...(results.settings.quick ? ['A quick run: it shows that the benchmark works, and nothing about speed.'] : []),
    ...(results.nativeMissing === undefined ? [] : [`There are no native contenders: ${results.nativeMissing}`]),
    ...results.workloads.map(renderWorkload),
    ...(barResults.length === 0 ? [] : ['## Bars', renderBars(barResults)]),
  ].join('\n\n');
}
