/** The choice of the recipes, on a part of the training set that is kept back. */
import { type Dataset, split } from 'blasnet/data';
import { type Figures, figures } from './figures.js';
import { candidates, type Goal } from './recipes.js';
import { type Run, timedRun } from './train.js';

export interface Tried extends Figures {
  readonly goal: Goal;
  readonly recipe: string;
  /** Whether it is the cheapest of those that reach the goal. */
  readonly best: boolean;
}

/**
 * Trains the candidates for each goal on five sixths of `images` and measures them on the sixth that is kept back. The
 * best is the one that takes the least processor time, of those whose runs all reach the goal.
 */
export async function choose(images: Dataset, goals: readonly Goal[], seeds: readonly number[]): Promise<Tried[]> {
  const { train, validation } = split(images, { test: 0, validation: 1 / 6, seed: 7, stratify: true });
  const all: Tried[] = [];
  for (const goal of goals) {
    const tried: Omit<Tried, 'best'>[] = [];
    for (const recipe of candidates[goal]) {
      const runs: Run[] = [];
      for (const seed of seeds) runs.push(await timedRun(recipe, seed, train, validation));
      tried.push({ goal, recipe: recipe.name, ...figures(runs, goal) });
    }
    const enough = tried.filter(({ reached }) => reached === seeds.length);
    const least = Math.min(...enough.map(({ cpuSeconds }) => cpuSeconds));
    all.push(...tried.map((one) => ({ ...one, best: enough.includes(one) && one.cpuSeconds === least })));
  }
  return all;
}
