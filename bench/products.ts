/**
 * `npm run bench:products`: matrix products in every way that the native backend knows (docs/decisions/0003), each in a
 * process that stays, in turn for a few milliseconds at a time; by CPU time, so that other programs hardly matter. Two
 * processes take the chosen way: by how much they differ is noise.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { backendInfo } from 'blasnet';
import { type Options, runBenchmark } from './options.js';
import type { ProductReply, ProductRequest, ProductShape } from './product-contender.js';
import { environmentWith, programPath, stopping } from './program.js';
import { type Column, measureAndReport, renderTable } from './report.js';
import { forwardProducts, passes, workloads } from './workloads.js';

const known = ['whole', 'pieces', 'strips', 'tiles', 'parts'] as const;
type Way = (typeof known)[number];

/** Those of this machine: only AMX multiplies parts. */
const ways = known.filter((way) => way !== 'parts' || backendInfo('native').float32 === 'amx');

/** Windows of a convolution that are multiplied together. */
const WINDOWS = 256;
/**
 * A product is measured again, in new memory, while it shows more regret or noise than the median may; so often in all.
 */
const ATTEMPTS = 4;
/** The bars: how much slower the chosen way may be than the best, in the middle and at worst. */
const regretBars = { median: 0.02, worst: 0.08 } as const;

interface Product {
  readonly pass: 'forward' | 'input gradient' | 'weight gradient';
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

export interface Measured extends Product {
  /** GFLOP/s in each way that the product knows: the best of the rounds. */
  readonly rates: Readonly<Partial<Record<Way, number>>>;
  /** GFLOP/s of the way that the backend chooses, in two processes. */
  readonly chosen: readonly [number, number];
  /** The ways whose results have its bits; several ways add in the same order where the depth is small. */
  readonly same: readonly Way[];
}

/** All passes of a grid of dense layers and of the products of the workloads, each shape once. */
function products(quick: boolean): Product[] {
  const layers: Omit<Product, 'pass'>[] = [];
  const sizes = quick ? [64] : [64, 256, 1000, 2048];
  for (const rows of quick ? [64] : [8, 32, 128, 512]) {
    for (const inputs of sizes) for (const outputs of sizes) layers.push({ rows, inputs, outputs });
  }
  for (const workload of quick ? workloads.slice(0, 1) : workloads) {
    if (workload.task === 'predict') continue;
    for (const { rows, inputs, outputs, depthwise } of forwardProducts(workload)) {
      const most = rows > 1 ? WINDOWS : workload.batchSize;
      if (!depthwise && passes(workload, 0) > 1) layers.push({ rows: most, inputs, outputs });
    }
  }
  const all = layers.flatMap((layer) => [
    { pass: 'forward' as const, ...layer },
    { pass: 'input gradient' as const, ...layer },
    { pass: 'weight gradient' as const, ...layer },
  ]);
  return [...new Map(all.map((product) => [JSON.stringify(product), product])).values()];
}

function shapeOf({ pass, rows, inputs, outputs }: Product): ProductShape {
  if (pass === 'forward') return { transA: 0, transB: 0, m: rows, n: outputs, k: inputs };
  if (pass === 'input gradient') return { transA: 0, transB: 1, m: rows, n: inputs, k: outputs };
  return { transA: 1, transB: 0, m: inputs, n: outputs, k: rows };
}

async function ask(child: ChildProcess, request: ProductRequest): Promise<ProductReply> {
  const reply = once(child, 'message', { signal: stopping.signal });
  child.send(request);
  return (await reply)[0] as ProductReply;
}

/** Strips are pieces where the right matrix is not transposed. */
function waysOf({ pass }: Product): Way[] {
  return ways.filter((way) => way !== 'strips' || pass === 'input gradient');
}

function start(way: Way | undefined): ChildProcess {
  const environment = environmentWith({ BLASNET_PRODUCTS: way, BLASNET_THREADS: '1' });
  return fork(programPath('product-contender'), { env: environment });
}

async function measure(
  product: Product,
  children: ReadonlyMap<Way, ChildProcess>,
  choosers: readonly [ChildProcess, ChildProcess],
  { rounds, seconds }: Options,
): Promise<Measured> {
  const shape = shapeOf(product);
  const possible = waysOf(product);
  const processes = [...choosers, ...possible.map((way) => children.get(way) as ChildProcess)];
  const flops = 2 * shape.m * shape.n * shape.k;
  // As if at 100 GFLOP/s.
  const times = Math.max(1, Math.round((seconds * 1e11) / flops));
  const best = processes.map(() => 0);
  for (let attempt = 1; ; attempt++) {
    const bits: number[] = [];
    for (const child of processes) bits.push((await ask(child, { shape })).bits);
    for (let round = 0; round < rounds; round++) {
      for (const [i, child] of processes.entries()) {
        const reply = await ask(child, { times });
        best[i] = Math.max(best[i], (times * flops) / reply.seconds / 1e9);
      }
    }
    const [first, second, ...others] = best;
    const measured: Measured = {
      ...product,
      rates: Object.fromEntries(possible.map((way, i) => [way, others[i]])),
      chosen: [first, second],
      same: possible.filter((_, i) => bits[i + 2] === bits[0]),
    };
    const doubtful = loss(measured) > regretBars.median || noise(measured) > regretBars.median;
    if (!doubtful || attempt === ATTEMPTS) return measured;
  }
}

const bestOf = ({ rates }: Measured) => Math.max(...Object.values(rates));
const chosenRate = ({ chosen }: Measured) => Math.max(...chosen);
const loss = (measured: Measured) => 1 - chosenRate(measured) / bestOf(measured);

/** The difference between two processes that do the same, as a share of the faster one's speed. */
export function noise({ chosen }: Measured): number {
  return 1 - Math.min(...chosen) / Math.max(...chosen);
}

/** The share of the best way's speed that is lost by the chosen one; none if no more than noise. */
function regret(measured: Measured): number {
  return loss(measured) > noise(measured) ? loss(measured) : 0;
}

function summarizeShares(shares: readonly number[]): { median: number; worst: number } {
  const sorted = [...shares].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)], worst: sorted[sorted.length - 1] };
}

const summarizeRegret = (found: readonly Measured[]) => summarizeShares(found.map(regret));

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const bytesOf = ({ rows, inputs, outputs }: Product) => 4 * (rows * inputs + inputs * outputs + rows * outputs);

/**
 * For each pass and way, what a rule that always takes it would lose on products of up to each size: the lines from
 * which the table in native/kernels/products/ways.cc is made.
 */
function suggest(found: readonly Measured[]): string {
  const limits = [0.25, 0.5, 1, 2, 4, 8, 16, 64];
  const rows = (['forward', 'input gradient', 'weight gradient'] as const).flatMap((pass) =>
    limits.flatMap((limit, i) => {
      const from = i === 0 ? 0 : limits[i - 1];
      const mine = found.filter((m) => m.pass === pass && bytesOf(m) > from * 2 ** 20 && bytesOf(m) <= limit * 2 ** 20);
      if (mine.length === 0) return [];
      const losses = waysOf(mine[0]).map((way) => {
        return { way, loss: mine.reduce((sum, m) => sum + 1 - (m.rates[way] ?? 0) / bestOf(m), 0) / mine.length };
      });
      const least = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
      return [{ pass, from, limit, losses, way: least.way, count: mine.length }];
    }),
  );
  type Row = (typeof rows)[number];
  const columns: Column<Row>[] = [
    { title: 'pass', text: true, cell: ({ pass }) => pass },
    { title: 'MiB', text: true, cell: ({ from, limit }) => `${from} to ${limit}` },
    { title: 'products', cell: ({ count }) => String(count) },
    ...ways.map((way): Column<Row> => {
      const cell = ({ losses }: Row) => {
        const mine = losses.find((item) => item.way === way);
        return mine && percent(mine.loss);
      };
      return { title: `loss, ${way}`, cell };
    }),
    { title: 'rule', text: true, cell: ({ way }) => way },
  ];
  return renderTable(columns, rows);
}

function render(found: readonly Measured[], options: Options): string[] {
  const { blas, simd } = backendInfo('native');
  const fastest = Math.max(...found.map((m) => bestOf(m)));
  const { median, worst } = summarizeRegret(found);
  const noises = summarizeShares(found.map(noise));
  const columns: Column<Measured>[] = [
    { title: 'pass', text: true, cell: ({ pass }) => pass },
    { title: 'rows × inputs → outputs', text: true, cell: (m) => `${m.rows} × ${m.inputs} → ${m.outputs}` },
    ...ways.map((way): Column<Measured> => ({ title: way, cell: ({ rates }) => rates[way]?.toFixed(0) })),
    { title: 'chosen', cell: (m) => chosenRate(m).toFixed(0) },
    { title: 'with the bits of', text: true, cell: ({ same }) => same.join(', ') },
    { title: 'of the fastest product', cell: (m) => `${((100 * chosenRate(m)) / fastest).toFixed(0)} %` },
    { title: 'noise', cell: (m) => percent(noise(m)) },
    { title: 'regret', cell: (m) => percent(regret(m)) },
  ];
  return [
    `GFLOP/s on one thread, by CPU time: the best of ${options.rounds} rounds, or up to ${ATTEMPTS} times as many where a \
product shows more than ${percent(regretBars.median)} of regret or noise. ${blas.name} ${blas.core}, kernels for \
${simd.set}. The fastest product stands for the peak.`,
    renderTable(columns, found),
    `Noise, between two processes of the chosen way: median ${percent(noises.median)}, worst ${percent(noises.worst)}. A \
loss within the noise of its product is not regret.`,
    `Regret: median ${percent(median)} (at most ${percent(regretBars.median)}), worst ${percent(worst)} (at most \
${percent(regretBars.worst)}).`,
    ...(options.suggest ? [suggest(found)] : []),
  ];
}

async function main(options: Options): Promise<void> {
  const children = new Map(ways.map((way) => [way, start(way)]));
  const choosers = [start(undefined), start(undefined)] as const;
  try {
    const found = await measureAndReport({
      title: 'Products',
      options,
      items: products(options.quick),
      nameOf: ({ pass, rows, inputs, outputs }) => `${pass} ${rows} × ${inputs} → ${outputs}`,
      measure: (product) => measure(product, children, choosers, options),
      render: (found) => render(found, options),
    });
    const { median, worst } = summarizeRegret(found);
    if (options.check && (median > regretBars.median || worst > regretBars.worst)) process.exitCode = 1;
  } finally {
    for (const child of [...choosers, ...children.values()]) child.disconnect();
  }
}

await runBenchmark('bench:products', main);
