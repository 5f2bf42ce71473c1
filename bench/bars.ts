import { contenders, findContender } from './contenders.js';
import { entrantId, peers } from './peers/peers.js';
import type { Result, WorkloadResult } from './rounds.js';
import { differences, median, ratios, type Summary, summarize } from './statistics.js';

/** A minimum ratio of a contender's rate to that of others. */
interface Bar {
  readonly workload: string;
  readonly contender: string;
  /** Compared with the fastest of these. */
  readonly against: readonly string[];
  /** A name for these if they are peers, which may be unavailable. */
  readonly peers?: string;
  readonly least: number;
  /** What multiplies in the contender's precision on the machines to which it applies. */
  readonly products?: string;
  /** Core counts of the machines to which it applies. */
  readonly cores?: readonly [least: number, most: number];
}

function each(bar: Omit<Bar, 'workload' | 'least'>, least: Readonly<Record<string, number>>): Bar[] {
  return Object.entries(least).map(([workload, ratio]) => ({ ...bar, workload, least: ratio }));
}

const onTwo = { cores: [2, Number.POSITIVE_INFINITY] } as const;

const bfloat16 = { contender: 'native-1-bfloat16' };

/** Bars of `npm run bench`. */
export const speedBars: readonly Bar[] = [
  // The floor multiplies everything, including zeros.
  ...each(
    { contender: 'native-1-zeros', against: ['floor', 'floor-cut'] },
    { M1: 0.88, M1bn: 0.85, M2: 0.95, M2L: 0.97 },
  ),
  ...each({ contender: 'native-1-zeros-fma', against: ['peak'] }, { M2L: 0.8 }),
  ...each({ contender: 'native', against: ['native-1'], ...onTwo }, { M1: 1.6, M1bn: 1.6, M2: 1.8, M2L: 1.9 }),
  ...each({ ...bfloat16, products: 'amx', against: ['native-1-fma'] }, { M1: 1.5, M2: 2.5, M2L: 3.5, M4: 2 }),
  ...each({ ...bfloat16, products: 'avx512-bf16', against: ['native-1'] }, { M2: 1.3, M2L: 1.6 }),
  ...each({ contender: 'native-1', products: 'amx', against: ['native-1-fma'] }, { M2L: 1.5 }),
  ...each({ contender: 'native-contended', against: ['native-1'] }, { M1: 0.8, M2: 0.8 }),
  ...each({ contender: 'native-8', against: ['native-1'] }, { M2L: 5.5, M4: 6 }),
  ...each({ contender: 'typescript', against: ['reference'] }, { M1: 0.8, M2: 0.8 }),
];

const pytorch = { peers: 'PyTorch', contender: 'native', against: ['pytorch-1', 'pytorch'] };
const autocast = {
  peers: 'PyTorch, bfloat16 autocast',
  contender: 'native-1-bfloat16',
  against: ['pytorch-bfloat16-1'],
};
const jaxOnOne = { peers: 'JAX', contender: 'native-1', against: ['jax-1'] };
const jaxOnAll = { peers: 'JAX', contender: 'native', against: ['jax'], cores: [2, 8] } as const;
const onnx = { peers: 'onnxruntime-node', contender: 'native', against: ['onnxruntime-node-1', 'onnxruntime-node'] };
const javaScript = {
  peers: 'the fastest JavaScript peer',
  contender: 'native',
  against: peers
    .filter(({ language }) => language === 'javascript')
    .flatMap((peer) => peer.groups.map((group) => entrantId(peer, group))),
};

/** Bars of `npm run bench:peers`. */
export const peerBars: readonly Bar[] = [
  ...each(pytorch, { M1: 2.8, M1bn: 2.5, M2: 1.25, M2L: 1.1, M3: 2, M4: 1.6, M5: 1.3, M6: 1 }),
  ...each({ peers: 'PyTorch', contender: 'native-1', against: ['pytorch-1'] }, { M4: 1.4 }),
  ...each(jaxOnOne, { M1: 1.25, M1bn: 1.25, M2: 1.05, M2L: 1.15 }),
  ...each(jaxOnAll, { M1: 1.6, M1bn: 1.6, M2: 1.25, M2L: 1.15 }),
  ...each(autocast, { M1: 6, M2: 3, M2L: 1.8, M4: 1.3 }),
  ...each(javaScript, { M1: 12, M2: 5, M3: 8 }),
  // A single image may take at most 0.6 of the peer's time.
  ...each(onnx, { P1: 1, P1single: 1 / 0.6 }),
];

/** Maximum MB of training beyond an idle process that has loaded the data, by workload. */
export const memoryBars: Readonly<Record<string, number>> = { M1: 40 };

type Limit = { readonly least: number } | { readonly most: number };

export interface BarResult {
  readonly title: string;
  readonly limit: Limit;
  /** The rounds' ratios or differences; undefined if nothing was measured. */
  readonly found: Summary | undefined;
  readonly verdict: string;
  readonly missed: boolean;
}

/** Compares a result with a bar. Without an excuse, a bar without measurements counts as missed. */
export function judge(title: string, limit: Limit, found: Summary | undefined, excuse?: string): BarResult {
  if (excuse !== undefined)
    return { title, limit, found: undefined, verdict: `not measured: ${excuse}`, missed: false };
  if (found === undefined) return { title, limit, found, verdict: 'missed: not measured', missed: true };
  const reached = 'least' in limit ? found.median >= limit.least : found.median <= limit.most;
  return { title, limit, found, verdict: reached ? 'reached' : 'missed', missed: !reached };
}

function excuseOf(
  bar: Bar,
  first: Result | undefined,
  rival: Result | undefined,
  { failures }: WorkloadResult,
  cores: number,
): string | undefined {
  const { contender, against, peers } = bar;
  const [fewest, most] = bar.cores ?? [1, Number.POSITIVE_INFINITY];
  const concerned = contenders.filter(({ id }) => id === contender || against.includes(id));
  const needed = Math.max(fewest, ...concerned.map((item) => item.cores ?? 1));
  if (cores < needed) return `needs ${needed} cores`;
  if (cores > most) return `for ${most} cores at most`;
  const way = first?.equipment.products;
  if (bar.products !== undefined && way !== undefined && way !== bar.products)
    return `for ${bar.products}, this machine has ${way}`;
  if (peers === undefined || rival !== undefined) return undefined;
  return `${peers} ${failures.some(({ id }) => against.includes(id)) ? 'failed' : 'takes no part'}`;
}

function checkRatio(bar: Bar, result: WorkloadResult, cores: number): BarResult {
  const { workload, against, peers, least } = bar;
  const first = result.results.find(({ id }) => id === bar.contender);
  const rivals = result.results.filter(({ id }) => against.includes(id));
  const rival = rivals.sort((a, b) => median(b.rates) - median(a.rates)).at(0);
  const group = peers !== undefined && rival !== undefined && !rival.title.startsWith(peers) ? `${peers}: ` : '';
  const others = rival?.title ?? peers ?? findContender(against[0]).title;
  const title = `${workload}: ${findContender(bar.contender).title} / ${group}${others}`;
  const found = first && rival && summarize(ratios(first.rates, rival.rates));
  return judge(title, { least }, found, excuseOf(bar, first, rival, result, cores));
}

/** The bars of the measured workloads; those of unavailable peers don't count as missed. */
export function checkBars(bars: readonly Bar[], workloads: readonly WorkloadResult[], cores: number): BarResult[] {
  return workloads.flatMap((result) => {
    const { workload, memory } = result;
    const speed = bars.filter((bar) => bar.workload === workload).map((bar) => checkRatio(bar, result, cores));
    const most = memoryBars[workload];
    if (bars !== speedBars || most === undefined) return speed;
    const found = memory && summarize(differences(memory.training, memory.idle));
    return [...speed, judge(`${workload}: memory of training, MB`, { most }, found)];
  });
}

/** For `--check`: a missed bar sets the exit status. */
export function requireBars(results: readonly BarResult[]): void {
  if (results.length === 0) throw new Error('--check: no bar concerns these workloads');
  if (results.some(({ missed }) => missed)) process.exitCode = 1;
}
