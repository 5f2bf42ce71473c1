/** `npm run bench:scaling`: the speedup by threads, for networks and batches from small to large. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import type { Request, SpeedReply } from './contenders.js';
import { type Options, runBenchmark } from './options.js';
import { environmentWith, runProgram } from './program.js';
import { type Column, count, formatRatio, measureAndReport, renderTable } from './report.js';
import { type Measured, measureShares, renderModel, whyNoModel } from './scaling-model.js';
import { perceptron } from './workloads.js';

const LEAST_BATCHES = 3;
const threads = [1, 2, 4, 8, 16].filter((number) => number <= availableParallelism());
const SIZES = { batches: [16, 64, 256, 1024, 4096], widths: [32, 128, 512, 2048, 4096] };
const QUICK_SIZES = { batches: [16, 256], widths: [32, 512] };

interface Network {
  readonly batchSize: number;
  readonly width: number;
}

/** Replies for each thread count. */
interface Speed extends Network {
  readonly replies: readonly SpeedReply[];
}

async function measure({ batchSize, width }: Network, seconds: number): Promise<Speed> {
  console.error(`batch ${batchSize}, width ${width}`);
  const workload = { ...perceptron, id: '', widths: [784, width, width, 10], batchSize };
  const job = { kind: 'speed', seconds, leastBatches: LEAST_BATCHES } as const;
  const request: Request = { contender: 'native', workload, job };
  const replies: SpeedReply[] = [];
  for (const number of threads) {
    const environment = environmentWith({ BLASNET_THREADS: String(number) });
    replies.push(await runProgram<SpeedReply>('contender', request, environment));
  }
  return { batchSize, width, replies };
}

function renderMethod(seconds: number, blas: string | undefined): string {
  return `\
Training of 784-width-width-10 networks with ReLU and Adam on MNIST, natively, gather and update included. Each figure
comes from a process of its own that trains for about ${seconds} s, but ${LEAST_BATCHES} steps at least, after a warm-up.
BLAS: ${blas}.`;
}

async function main(options: Options): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const { batches, widths } = options.quick ? QUICK_SIZES : SIZES;
  const modelled = options.quick ? ['M1'] : ['M1', 'M1bn', 'M2', 'M2L'];
  const most = threads.length - 1;

  const renderSizes = (speeds: readonly Speed[], cell: (rates: number[]) => string) => {
    const columns = widths.map((width): Column<number> => {
      const find = (batch: number) => speeds.find((speed) => speed.batchSize === batch && speed.width === width);
      const rates = (batch: number) => find(batch)?.replies.map(({ measurement }) => measurement.samplesPerSecond);
      const text = (found: number[] | undefined) => found && cell(found);
      return { title: `width ${width}`, cell: (batch) => text(rates(batch)) };
    });
    return renderTable([{ title: 'batch', cell: String }, ...columns], batches);
  };
  const gain = (rates: number[]) => formatRatio(rates[most] / rates[0]);
  const reason = whyNoModel();

  // The networks of the model, by their names, come last.
  const networks = batches.flatMap((batchSize) => widths.map((width) => ({ batchSize, width })));
  await measureAndReport<Network | string, Speed | Measured>({
    title: 'Scaling',
    options,
    items: [...networks, ...(reason === undefined ? modelled : [])],
    nameOf: (item) => (typeof item === 'string' ? item : `batch ${item.batchSize} and width ${item.width}`),
    measure: (item) =>
      typeof item === 'string' ? measureShares(item, options.seconds) : measure(item, options.seconds),
    render: (found) => {
      const speeds = found.filter((item) => 'replies' in item);
      const measured = found.filter((item) => 'divided' in item);
      return [
        renderMethod(options.seconds, speeds[0].replies[0].equipment.blas),
        ...threads.flatMap((number, i) => [
          `## Samples a second on ${number === 1 ? 'one thread' : `${number} threads`}`,
          renderSizes(speeds, (rates) => count(rates[i])),
        ]),
        ...(most > 0 ? [`## ${threads[most]} threads / one thread`, renderSizes(speeds, gain)] : []),
        ...(reason === undefined ? [] : [`More threads are not predicted: ${reason}.`]),
        ...(measured.length === 0 ? [] : renderModel(measured)),
      ];
    },
  });
}

await runBenchmark('bench:scaling', main);
