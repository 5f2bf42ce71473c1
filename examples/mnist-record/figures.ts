/** Several runs of a recipe as figures. */
import { mean } from '../present.js';
import type { Goal } from './recipes.js';
import type { Run } from './train.js';

export interface Figures {
  readonly accuracy: number;
  readonly worstAccuracy: number;
  readonly seconds: number;
  readonly worstSeconds: number;
  readonly cpuSeconds: number;
  /** Runs that reach the goal. */
  readonly reached: number;
}

/** Means over the runs, and the worst. */
export function figures(runs: readonly Run[], goal: Goal): Figures {
  const all = (name: Exclude<keyof Run, 'seed'>) => runs.map((run) => run[name]);
  return {
    accuracy: mean(all('accuracy')),
    worstAccuracy: Math.min(...all('accuracy')),
    seconds: mean(all('seconds')),
    worstSeconds: Math.max(...all('seconds')),
    cpuSeconds: mean(all('cpuSeconds')),
    reached: runs.filter(({ accuracy }) => accuracy >= shareOf(goal)).length,
  };
}

/** A goal of 97 % as 0.97. */
export const shareOf = (goal: Goal): number => Number(goal) / 100;
