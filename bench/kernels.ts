/** `npm run bench:kernels`: every kernel by itself, with each native set that this CPU supports and in TypeScript. */
import { type BackendName, backendInfo } from 'blasnet';
import { native } from 'blasnet/kernels';
import type { KernelReply, KernelTiming } from './kernel-contender.js';
import { type Options, runBenchmark } from './options.js';
import { environmentWith, runProgram } from './program.js';
import { type Column, formatRatio, measureAndReport, renderTable, spread } from './report.js';

interface KernelContender {
  /** Name of the native set, or 'TypeScript'. */
  readonly title: string;
  readonly backend: BackendName;
}

interface Measured extends KernelContender, KernelReply {}

/** The native sets that this CPU supports, widest first, and TypeScript. */
function contenders(): KernelContender[] {
  const sets = native.available ? [...backendInfo('native').simd.available].reverse() : [];
  return [
    ...sets.map((title): KernelContender => ({ title, backend: 'native' })),
    { title: 'TypeScript', backend: 'typescript' },
  ];
}

async function measure({ title, backend }: KernelContender, seconds: number): Promise<Measured> {
  console.error(`kernels: ${title}`);
  const environment = environmentWith({ BLASNET_SIMD: backend === 'native' ? title : undefined });
  const reply = await runProgram<KernelReply>('kernel-contender', { backend, seconds }, environment);
  return { title, backend, ...reply };
}

/** A rate relative to its limit: the peak of matrix products, or copying. */
function share({ unit, rate, copyRate }: KernelTiming, peak: number | undefined): string | undefined {
  const yardstick = unit === 'GB/s' ? copyRate : peak;
  return yardstick === undefined ? undefined : `${((100 * rate.median) / yardstick).toFixed(0)} %`;
}

function renderKernels(measured: readonly Measured[]): string[] {
  const [widest] = measured;
  const { blas, peak } = widest;
  const method = `\
One thread; medians of 7 samples with the least and the most, each set of kernels in a process of its own. GFLOP/s for
what BLAS does, held against a large matrix product; GB/s (each operand counted once, twice where it is updated) for the
rest, held against copying a block that makes as much traffic, both measured in the same process.`;
  const peakText = peak && `${blas}, a product of 1024 × 1024 matrices: ${peak.toFixed(0)} GFLOP/s.`;
  const columns: Column<number>[] = [
    { title: 'kernel', text: true, cell: (row) => widest.timings[row].kernel },
    { title: 'shape', text: true, cell: (row) => widest.timings[row].shape },
    { title: 'unit', text: true, cell: (row) => widest.timings[row].unit },
    ...measured.map(({ title, timings }): Column<number> => {
      return { title, cell: (row) => spread(timings[row].rate, formatRatio) };
    }),
    { title: `${widest.title} to yardstick`, cell: (row) => share(widest.timings[row], peak) },
  ];
  return [method, ...(peakText ? [peakText] : []), renderTable(columns, [...widest.timings.keys()])];
}

function main(options: Options): Promise<unknown> {
  return measureAndReport({
    title: 'Kernels',
    options,
    items: contenders(),
    nameOf: ({ title }) => title,
    measure: (contender) => measure(contender, options.seconds),
    render: renderKernels,
  });
}

await runBenchmark('bench:kernels', main);
