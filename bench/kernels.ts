/** `npm run bench:kernels`: every kernel alone, on each native set that this CPU runs and in TypeScript. */
import { type BackendName, backendInfo } from 'blasnet';
import { native } from 'blasnet/kernels';
import { keep } from './keep.js';
import type { KernelReply, KernelTiming } from './kernel-contender.js';
import { describeMachine, type Machine, readLoad } from './machine.js';
import { type KernelOptions, kernelHelp, parseKernelOptions } from './options.js';
import { environmentWith, runProgram } from './processes.js';
import { runAsProgram } from './program.js';
import { formatRatio, renderMachine } from './report.js';
import { type Column, renderTable } from './table.js';

interface KernelContender {
  /** Name of the native set, or 'TypeScript'. */
  readonly title: string;
  readonly backend: BackendName;
  readonly reply: KernelReply;
}

interface KernelResults {
  readonly date: string;
  readonly machine: Machine;
  /** The widest native set first, TypeScript last. */
  readonly contenders: readonly KernelContender[];
}

/** The native sets that this CPU runs, the widest first. */
function nativeSets(): string[] {
  if (!native.available) return [];
  return [...backendInfo('native').simd.available].reverse();
}

async function measureAll(seconds: number): Promise<KernelResults> {
  const before = readLoad();
  const contenders: KernelContender[] = [];
  const rivals = [
    ...nativeSets().map((set) => ({ title: set, backend: 'native' as const })),
    { title: 'TypeScript', backend: 'typescript' as const },
  ];
  for (const { title, backend } of rivals) {
    console.error(`kernels: ${title}`);
    const environment = environmentWith({ BLASNET_SIMD: backend === 'native' ? title : undefined });
    contenders.push({
      title,
      backend,
      reply: await runProgram<KernelReply>('kernel-contender', { backend, seconds }, environment),
    });
  }
  return { date: new Date().toISOString().slice(0, 10), machine: describeMachine([before, readLoad()]), contenders };
}

function cell({ rate }: KernelTiming): string {
  return `${formatRatio(rate.median)} (${formatRatio(rate.min)}–${formatRatio(rate.max)})`;
}

/** Rate of the first contender over its yardstick: the peak of matrix products, or copying. */
function share({ reply }: KernelContender, row: number): string {
  const { unit, rate, copyRate } = reply.timings[row];
  const yardstick = unit === 'GB/s' ? copyRate : reply.peak;
  return yardstick === undefined ? '–' : `${((100 * rate.median) / yardstick).toFixed(0)} %`;
}

function renderKernels({ date, machine, contenders }: KernelResults): string {
  const [widest] = contenders;
  const columns: Column[] = [
    { title: 'kernel', align: 'left' },
    { title: 'shape', align: 'left' },
    { title: 'unit', align: 'left' },
    ...contenders.map(({ title }): Column => ({ title, align: 'right' })),
    { title: `${widest.title} to yardstick`, align: 'right' },
  ];
  const rows = widest.reply.timings.map(({ kernel, shape, unit }, row) => [
    kernel,
    shape,
    unit,
    ...contenders.map(({ reply }) => cell(reply.timings[row])),
    share(widest, row),
  ]);
  const { blas, peak } = widest.reply;
  const peakText = peak === undefined ? [] : [`${blas}, a product of 1024 × 1024 matrices: ${peak.toFixed(0)} GFLOP/s.`];
  return [
    `# Kernels, ${date}`,
    renderMachine(machine),
    [
      'One thread; medians of 7 samples with the least and the most, each set of kernels in a process of its own. GFLOP/s for what',
      'BLAS does, held against a large matrix product; GB/s (each operand counted once, twice where it is updated) for the rest,',
      'held against copying a block that makes as much traffic, both measured in the same process.',
      ...peakText,
    ].join('\n'),
    renderTable(columns, rows),
  ].join('\n\n');
}

async function main({ seconds, name }: KernelOptions): Promise<void> {
  const results = await measureAll(seconds);
  const report = renderKernels(results);
  console.log(report);
  const stem = name === undefined ? 'latest.kernels' : `${results.date}-${name}-kernels`;
  console.log(`\nKept in ${keep(stem, results, report)}`);
}

await runAsProgram('bench:kernels', async () => {
  const options = parseKernelOptions(process.argv.slice(2));
  if (options === undefined) console.log(kernelHelp);
  else await main(options);
});
