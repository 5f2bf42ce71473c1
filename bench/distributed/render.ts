/** The report of `npm run bench:distributed`. */
import { type BarResult, judge } from '../bars.js';
import { type Column, count, formatRatio, renderBars, renderTable, spread } from '../report.js';
import { median, ratios, summarize } from '../statistics.js';
import { flopsPerSample } from '../workloads.js';
import { type Algorithm, inSeries, stepsBetweenSums, sumSeconds } from './model.js';
import { imagined } from './networks.js';
import { BACKWARD, type Candidate, candidates, type Fabric, fabrics, flopRate, mostRanks, predict } from './predict.js';
import type { LinkResult, NetworkResult, Results, StepsResult } from './results.js';

const RANKS = [4, 16, 64, 256, 1024, 4096];
/** What large libraries do where they may choose. */
const BEST: Algorithm = 'halving';
/** The share of a rank's time in which it should compute. */
const WANTED = 0.8;

/** Seconds with a unit that suits them. */
export function duration(seconds: number): string {
  if (seconds < 0.9995e-3) return `${formatRatio(seconds * 1e6)} µs`;
  return seconds < 0.9995 ? `${formatRatio(seconds * 1e3)} ms` : `${formatRatio(seconds)} s`;
}

export function amount(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${formatRatio(bytes / 1e3)} KB`;
  return bytes < 1e9 ? `${formatRatio(bytes / 1e6)} MB` : `${formatRatio(bytes / 1e9)} GB`;
}

const percent = (share: number) => `${(100 * share).toFixed(share < 0.0095 ? 1 : 0)} %`;
const error = (predicted: number, measured: number) => {
  const relative = Math.round(100 * (predicted / measured - 1));
  return `${relative > 0 ? '+' : ''}${relative === 0 ? 0 : relative} %`;
};
const gigabytes = (bandwidth: number) => `${formatRatio(bandwidth / 1e9)} GB/s`;

const fitted = ({ algorithm, link }: Pick<LinkResult, 'algorithm' | 'link'>, bytes: number) =>
  sumSeconds(algorithm, 2, bytes, link);

function renderSums(links: readonly LinkResult[]): string[] {
  if (links.length === 0) return [];
  const columns: Column<LinkResult>[] = [
    { title: 'ranks joined by', text: true, cell: ({ title }) => title },
    { title: 'a message', cell: ({ link }) => duration(link.latency) },
    { title: 'bytes', cell: ({ link }) => gigabytes(link.bandwidth) },
    ...links[0].sums.map(
      ({ bytes }, i): Column<LinkResult> => ({
        title: amount(bytes),
        cell: (result) => {
          const { seconds } = result.sums[i];
          return seconds === 0 ? undefined : `${duration(seconds)} (${error(fitted(result, bytes), seconds)})`;
        },
      }),
    ),
  ];
  return [
    '## Sums over two ranks',
    `\
Seconds of a sum, by the size of the block: median (and the model's error, with the latency and the bandwidth that
explain all sums of a row best).`,
    renderTable(columns, links),
  ];
}

/** What the model predicts for a slower wire from the sums without it. */
function renderWires(links: readonly LinkResult[]): string[] {
  const free = links.find(({ title, wire }) => /namespaces/.test(title) && wire === undefined);
  const slow = links.filter(({ wire }) => wire !== undefined);
  if (free === undefined || slow.length === 0) return [];
  const rows = slow.flatMap((result) =>
    result.sums
      .filter(({ bytes }) => bytes > 1e5)
      .map(({ bytes, seconds }) => {
        const link = inSeries(free.link, result.wire as NonNullable<LinkResult['wire']>);
        return { title: result.title, bytes, seconds, predicted: fitted({ ...free, link }, bytes) };
      }),
  );
  const columns: Column<(typeof rows)[number]>[] = [
    { title: 'wire', text: true, cell: ({ title }) => title },
    { title: 'block', cell: ({ bytes }) => amount(bytes) },
    { title: 'predicted', cell: ({ predicted }) => duration(predicted) },
    { title: 'measured', cell: ({ seconds }) => duration(seconds) },
    { title: 'error', cell: ({ predicted, seconds }) => error(predicted, seconds) },
  ];
  return [
    '## The model on slower wires',
    `Predicted from the row “${free.title}” and what traffic control was told alone.`,
    renderTable(columns, rows),
  ];
}

function renderNetworks(networks: readonly NetworkResult[]): string[] {
  if (networks.length === 0) return [];
  const columns: Column<NetworkResult>[] = [
    { title: 'network', text: true, cell: ({ workload }) => workload.id },
    { title: 'gradients', cell: ({ parameters }) => amount(4 * parameters) },
    { title: 'MFLOP a row', cell: ({ workload }) => formatRatio(flopsPerSample(workload) / 1e6) },
    {
      title: 'a step, by rows',
      text: true,
      cell: ({ compute }) => compute.map(({ rows, seconds }) => `${rows}: ${duration(seconds)}`).join(', '),
    },
    { title: 'GFLOP/s', cell: (network) => formatRatio(flopRate(network) / 1e9) },
  ];
  return [
    '## Networks on one rank with all threads',
    `\
M1, M2, M2L and M4 are those of \`npm run bench\`, ResNet is the network of examples/resnet. GFLOP/s: of the matrix
products, with the network's own batch.`,
    renderTable(columns, networks),
  ];
}

const predictedStep = ({ half, sum }: StepsResult) => median(half) + sum;

function renderSteps(steps: readonly StepsResult[]): string[] {
  if (steps.length === 0) return [];
  const columns: Column<StepsResult>[] = [
    { title: 'network', text: true, cell: ({ workload }) => workload.id },
    { title: 'ranks joined by', text: true, cell: ({ way }) => way },
    { title: 'half a batch', cell: ({ half }) => duration(median(half)) },
    { title: 'sum', cell: ({ sum }) => duration(sum) },
    { title: 'predicted', cell: (row) => duration(predictedStep(row)) },
    {
      title: 'measured (min–max)',
      cell: ({ ranks }) => {
        const found = summarize(ranks);
        return found && spread(found, duration);
      },
    },
    { title: 'error', cell: (row) => error(predictedStep(row), median(row.ranks)) },
    { title: 'in sums', cell: ({ sumShare }) => percent(sumShare) },
  ];
  return [
    '## Steps of two ranks',
    `\
Two ranks of one thread train with the batch of the table above. Predicted: a step of one rank of one thread on half of
the batch, and the model's sum, of which nothing passes while a rank computes; where \`fit\` manages that, a step takes
less. In sums: the share of a step in which a rank does nothing else, from \`fit\`'s profile, waiting for the other rank
included.`,
    renderTable(columns, steps),
  ];
}

const BARRED = ['M2L', 'M4'];

/** Two ranks of one thread against one of two threads. */
export function distributedBars(steps: readonly StepsResult[], cores: number): BarResult[] {
  return BARRED.map((id) => {
    const found = steps.find(({ workload, way }) => workload.id === id && /Open MPI, shared memory/.test(way));
    const title = `${id}: 2 ranks × 1 thread / 1 rank × 2 threads`;
    const excuse = cores < 2 ? 'needs 2 cores' : found === undefined ? 'no Open MPI, or a quick run' : undefined;
    return judge(title, { least: 0.9 }, found && summarize(ratios(found.threads, found.ranks)), excuse);
  });
}

interface Row {
  readonly candidate: Candidate;
  readonly fabric: Fabric;
}

function renderPredictions(results: Results): string[] {
  const all = fabrics(results);
  const rows = candidates(results).flatMap((candidate) => all.map((fabric): Row => ({ candidate, fabric })));
  if (rows.length === 0) return ['## Many ranks', 'Nothing to predict from.'];
  const names: Column<Row>[] = [
    { title: 'network', text: true, cell: ({ candidate }) => candidate.id },
    { title: 'hosts joined by', text: true, cell: ({ fabric }) => fabric.title },
  ];
  const at = ({ candidate, fabric }: Row, ranks: number, algorithm = BEST, hidden = 0) =>
    predict(candidate, algorithm, ranks, fabric.link, candidate.rows, hidden);
  const byRanks = (cell: (row: Row, ranks: number) => string) =>
    RANKS.map((ranks): Column<Row> => ({ title: count(ranks), cell: (row) => cell(row, ranks) }));
  const slowest = rows.filter(({ fabric }) => fabric === all[Math.min(1, all.length - 1)]);
  const algorithms = ['tree', 'halving', 'ring'] as const;
  return [
    '## Many ranks, predicted',
    `\
A rank is a host like this one, with all its threads, and has as many rows in each step as the table of networks says:
the batch grows with the ranks. Sums by halving. A wire adds ${duration(1e-5)} a message (RDMA: ${duration(2e-6)}; both
assumed) to what was measured here: TCP on the loopback interface, or shared memory for RDMA. A host that computes
k times as fast needs k times the bandwidth for the same efficiency.`,
    ...imaginedLines(results),
    '### Rows a second, and the efficiency: the share of the time in which ranks compute',
    renderTable(
      [
        ...names,
        { title: 'compute', cell: ({ candidate }) => duration(candidate.compute(candidate.rows)) },
        ...byRanks((row, ranks) => {
          const { rowsPerSecond, efficiency } = at(row, ranks);
          return `${short(rowsPerSecond)} (${percent(efficiency)})`;
        }),
      ],
      rows,
    ),
    '### The same, if the backward pass hides sums as well as it can',
    `\
Above, nothing of a sum passes while a rank computes. At best, two thirds of the computing hide sums: the backward pass.
Less in fact: the sum of the first layer comes last, small layers are summed together in the end, and the sums need some
of the cores.`,
    renderTable([...names, ...byRanks((row, ranks) => percent(at(row, ranks, BEST, BACKWARD).efficiency))], rows),
    `### Steps between two sums, so that ranks compute ${percent(WANTED)} of the time`,
    `\
1: gradients may be summed in every step. More: it would take local steps, so many between two means of the parameters
(three times as many if Adam's moments are averaged, too). The last column is another question: how many ranks, by
powers of two, can share a batch of 64 times a rank's rows, and still compute half of the time.`,
    renderTable(
      [
        ...names,
        ...byRanks((row, ranks) => {
          const { compute, sum } = at(row, ranks);
          return count(stepsBetweenSums(compute, sum, WANTED));
        }),
        {
          title: 'ranks for 64 × rows',
          cell: ({ candidate, fabric }) => count(mostRanks(candidate, BEST, fabric.link, 64 * candidate.rows)),
        },
      ],
      rows,
    ),
    `### The way of the sum, ${slowest[0].fabric.title}`,
    `\
Efficiency with 16, 256 and 4,096 ranks. Halving: MPICH, and Open MPI with the setting that joining makes. Tree: Open
MPI without it. Ring: for comparison.`,
    renderTable(
      [
        names[0],
        ...[16, 256, 4096].flatMap((ranks) =>
          algorithms.map(
            (algorithm): Column<Row> => ({
              title: `${algorithm} ${count(ranks)}`,
              cell: (row) => percent(at(row, ranks, algorithm).efficiency),
            }),
          ),
        ),
      ],
      slowest,
    ),
  ];
}

/** Three digits, with thousands and millions. */
function short(value: number): string {
  if (value >= 1e6) return `${formatRatio(value / 1e6)} M`;
  return value >= 1e4 ? `${formatRatio(value / 1e3)} k` : formatRatio(value);
}

function imaginedLines({ networks }: Results): string[] {
  const large = networks.find(({ workload }) => workload.id === 'M2L');
  if (large === undefined) return [];
  const lines = imagined.map(
    ({ id, title, parameters, rows, flops }) =>
      `- ${id}: ${title}; ${short(parameters)} parameters, ${amount(4 * parameters)} of gradients, ` +
      `${formatRatio((rows * flops) / 1e12)} TFLOP a step of a rank.`,
  );
  return [
    `Two networks are only computed, at the ${formatRatio(flopRate(large) / 1e9)} GFLOP/s that M2L reaches here:`,
    lines.join('\n'),
  ];
}

export function renderResults(results: Results, bars: readonly BarResult[]): string[] {
  return [
    ...(results.missing.length === 0 ? [] : [results.missing.map((line) => `- not measured: ${line}`).join('\n')]),
    ...renderSums(results.links),
    ...renderWires(results.links),
    ...renderNetworks(results.networks),
    ...renderSteps(results.steps),
    ...renderBars(bars),
    ...renderPredictions(results),
  ];
}
