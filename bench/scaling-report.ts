import type { Machine } from './machine.js';
import { count, formatRatio, NONE, renderMachine, renderRemaining } from './report.js';
import { type Column, renderTable } from './table.js';

/** One network with one batch size. */
export interface ScalingSpeed {
  readonly batchSize: number;
  readonly width: number;
  readonly blas: string;
  /** Samples a second, for each number of threads. */
  readonly rates: readonly number[];
}

export interface ScalingResults {
  readonly date: string;
  readonly machine: Machine;
  /** Of timing, for each network. */
  readonly seconds: number;
  readonly quick: boolean;
  readonly sizes: {
    readonly threads: readonly number[];
    readonly batches: readonly number[];
    readonly widths: readonly number[];
  };
  readonly speeds: readonly ScalingSpeed[];
  /** What was not reached. */
  readonly remaining: readonly string[];
}

function renderSizes({ sizes, speeds }: ScalingResults, cell: (speed: ScalingSpeed) => string): string {
  const columns: Column[] = ['batch', ...sizes.widths.map((width) => `width ${width}`)].map((title) => ({
    title,
    align: 'right',
  }));
  const rows = sizes.batches.map((batchSize) => [
    String(batchSize),
    ...sizes.widths.map((width) => {
      const speed = speeds.find((candidate) => candidate.batchSize === batchSize && candidate.width === width);
      return speed === undefined ? NONE : cell(speed);
    }),
  ]);
  return renderTable(columns, rows);
}

function threadsText(threads: number): string {
  return threads === 1 ? 'one thread' : `${threads} threads`;
}

/** The whole report, as Markdown that reads well as plain text. */
export function renderScaling(results: ScalingResults): string {
  const { date, machine, seconds, quick, sizes, speeds } = results;
  const { threads } = sizes;
  const most = threads.length - 1;
  const tables = threads.flatMap((number, i) => [
    `## Samples a second on ${threadsText(number)}`,
    renderSizes(results, ({ rates }) => count(rates[i])),
  ]);
  const gain = [
    `## ${threads[most]} threads / one thread`,
    renderSizes(results, ({ rates }) => formatRatio(rates[most] / rates[0])),
  ];
  return [
    `# Scaling, ${date}`,
    renderMachine(machine),
    [
      'Training of 784-width-width-10 networks with ReLU and Adam on MNIST, natively, gather and update included. Each figure comes',
      `from a process of its own that trains for about ${seconds} s, but 3 steps at least, after a warm-up. BLAS: ${speeds[0].blas}.`,
    ].join('\n'),
    ...(quick ? ['A quick run: it shows that the benchmark works, and nothing about speed.'] : []),
    ...renderRemaining(results.remaining),
    ...tables,
    ...(most > 0 ? gain : []),
  ].join('\n\n');
}
