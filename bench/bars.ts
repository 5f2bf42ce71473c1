import type { ContenderId } from './contenders.js';
import { findContender, type Results } from './results.js';
import { ratios, type Summary, summarize } from './statistics.js';

/** A ratio of two contenders that blasnet must reach. */
export interface Bar {
  readonly workload: string;
  readonly contender: ContenderId;
  readonly against: ContenderId;
  readonly least: number;
}

export const bars: readonly Bar[] = [
  { workload: 'M1', contender: 'native', against: 'typescript', least: 25 },
  { workload: 'M1', contender: 'native-1', against: 'floor', least: 0.7 },
  { workload: 'M1', contender: 'typescript', against: 'reference', least: 0.8 },
  { workload: 'M2', contender: 'typescript', against: 'reference', least: 0.8 },
];

export interface BarResult {
  readonly bar: Bar;
  /** Of the rounds' ratios; undefined where a contender was not measured, which fails the bar. */
  readonly ratio: Summary | undefined;
  readonly passed: boolean;
}

/** The bars of the workloads that were measured. */
export function checkBars({ workloads }: Pick<Results, 'workloads'>, list: readonly Bar[] = bars): BarResult[] {
  return list.flatMap((bar) => {
    const result = workloads.find(({ workload }) => workload === bar.workload);
    if (result === undefined) return [];
    const numerators = findContender(result, bar.contender)?.rates;
    const denominators = findContender(result, bar.against)?.rates;
    const ratio = numerators && denominators && summarize(ratios(numerators, denominators));
    return [{ bar, ratio, passed: ratio !== undefined && ratio.median >= bar.least }];
  });
}
