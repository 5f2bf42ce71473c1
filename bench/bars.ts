import { type ContenderId, findContender } from './contenders.js';
import { type Results, resultOf, type WorkloadResult } from './results.js';
import { differences, ratios, type Summary, summarize } from './statistics.js';

/** A ratio of two contenders that blasnet must reach. */
export interface Bar {
  readonly workload: string;
  readonly contender: ContenderId;
  readonly against: ContenderId;
  readonly least: number;
  /** Cores of the smallest machine for which it holds. */
  readonly cores: number;
}

function each(contender: ContenderId, against: ContenderId, least: Readonly<Record<string, number>>, cores = 1): readonly Bar[] {
  return Object.entries(least).map(([workload, ratio]) => ({ workload, contender, against, least: ratio, cores }));
}

export const bars: readonly Bar[] = [
  // The floor multiplies all that there is.
  ...each('native-1-zeros', 'floor', { M1: 0.85, M1bn: 0.85, M2: 0.93, M2L: 0.93 }),
  ...each('native', 'native-1', { M1: 1.6, M2: 1.75, M2L: 1.85 }, 2),
  ...each('native', 'typescript', { M1: 35, M2: 40 }, 2),
  ...each('native-contended', 'native-1', { M1: 0.8, M2: 0.8 }),
  ...each('native-8', 'native-1', { M2L: 5.5, M4: 6 }),
  ...each('typescript', 'reference', { M1: 0.8, M2: 0.8 }),
];

/** MB that training takes at most beyond an idle process that has loaded the data, by workload. */
export const memoryBars: Readonly<Record<string, number>> = { M1: 40 };

export type Limit = { readonly least: number } | { readonly most: number };

export interface BarResult {
  readonly title: string;
  readonly limit: Limit;
  /** Of the rounds' ratios or differences; undefined where nothing was measured. */
  readonly found: Summary | undefined;
  readonly verdict: string;
  readonly missed: boolean;
}

/** Holds what was found against a bar. Without an excuse, a bar for which nothing was measured is missed. */
export function judge(title: string, limit: Limit, found: Summary | undefined, excuse?: string): BarResult {
  if (excuse !== undefined) return { title, limit, found: undefined, verdict: `not measured: ${excuse}`, missed: false };
  if (found === undefined) return { title, limit, found, verdict: 'missed: not measured', missed: true };
  const reached = 'least' in limit ? found.median >= limit.least : found.median <= limit.most;
  return { title, limit, found, verdict: reached ? 'reached' : 'missed', missed: !reached };
}

function checkRatio({ workload, contender, against, least, cores }: Bar, result: WorkloadResult, machineCores: number) {
  const [first, second] = [findContender(contender), findContender(against)];
  const needed = Math.max(cores, first.cores ?? 1, second.cores ?? 1);
  const numerators = resultOf(result, contender)?.rates;
  const denominators = resultOf(result, against)?.rates;
  const found = numerators && denominators && summarize(ratios(numerators, denominators));
  const title = `${workload}: ${first.title} / ${second.title}`;
  return judge(title, { least }, found, machineCores < needed ? `needs ${needed} cores` : undefined);
}

/** The bars of the workloads that were measured. */
export function checkBars({ workloads, machine }: Pick<Results, 'workloads' | 'machine'>): BarResult[] {
  return workloads.flatMap((result) => {
    const speed = bars.filter(({ workload }) => workload === result.workload);
    const speedResults = speed.map((bar) => checkRatio(bar, result, machine.cores));
    const most = memoryBars[result.workload];
    if (most === undefined) return speedResults;
    const { memory } = result;
    const found = memory && summarize(differences(memory.training, memory.idle));
    return [...speedResults, judge(`${result.workload}: memory of training, MB`, { most }, found)];
  });
}

/** For `--check`: a bar that is missed sets the exit status. */
export function requireBars(results: readonly BarResult[]): void {
  if (results.length === 0) throw new Error('--check: no bar concerns these workloads');
  if (results.some(({ missed }) => missed)) process.exitCode = 1;
}
