// How soon a network reads 97, 98, 99 and 99.4 % of MNIST's test images.
//   npm run example mnist-record
//   npm run example mnist-record -- --goals 97,98    only these
//   npm run example mnist-record -- --seeds 5        5 runs of each recipe; 20 by default
//   npm run example mnist-record -- --json           all runs as JSON, without a report
//   npm run example mnist-record -- --choose         how the recipes were chosen, without the test set; 5 seeds
//   npm run example mnist-record -- --quick          one run for 97 %, for the tests
import { parseArgs } from 'node:util';
import { backendInfo } from 'blasnet';
import { mnist } from 'blasnet/data';
import { check, percent, present, printTable } from '../present.js';
import { choose } from './choose.js';
import { figures, shareOf } from './figures.js';
import { candidates, type Goal, isGoal } from './recipes.js';
import { type Run, timedRun } from './train.js';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string' },
    goals: { type: 'string' },
    choose: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const goals = options.goals?.split(',') ?? (options.quick ? ['97'] : Object.keys(candidates));
const count = Number(options.seeds ?? (options.quick ? 1 : options.choose ? 5 : 20));
if (!goals.every(isGoal)) throw new Error(`--goals: expected some of ${Object.keys(candidates)}, got ${options.goals}`);
if (!(Number.isInteger(count) && count > 0))
  throw new Error(`--seeds: expected a number of runs, got ${options.seeds}`);
const seeds = Array.from({ length: count }, (_, i) => i + 1);
const seconds = (value: number) => value.toFixed(3);

const { train, test } = await mnist({ shape: [28, 28, 1] });
// The first training of a process also loads the native backend and starts its threads.
await timedRun({ ...candidates[97][0], images: 1000 }, 0, train, train.take(10));
const { backend, blas, simd, threads } = backendInfo();
const machine = `${backend}, ${threads} threads, ${simd.set}, BLAS ${blas.name} (${blas.core})`;

if (options.choose) {
  const tried = await choose(train, goals, seeds);
  const rows = tried.map(({ goal, recipe, accuracy, worstAccuracy, reached, cpuSeconds, best }) => {
    const cells = [percent(accuracy), percent(worstAccuracy), `${reached} of ${count}`, seconds(cpuSeconds)];
    return [`${goal} %`, recipe, ...cells, best ? 'best' : ''];
  });
  const columns = ['goal', 'recipe', 'validation', 'worst', 'reached', 'CPU s', ''];
  if (options.json) console.log(JSON.stringify({ machine, tried }, null, 2));
  else printTable({ columns, rows });
} else {
  const results: { goal: Goal; recipe: string; runs: Run[] }[] = [];
  for (const goal of goals) {
    const [recipe] = candidates[goal];
    const runs: Run[] = [];
    for (const seed of seeds) runs.push(await timedRun(recipe, seed, train, test));
    results.push({ goal, recipe: recipe.name, runs });
  }
  if (options.json) console.log(JSON.stringify({ machine, results }, null, 2));
  else report(results);
}

function report(results: readonly { goal: Goal; recipe: string; runs: readonly Run[] }[]): void {
  const rows = results.map(({ goal, recipe, runs }) => {
    const { accuracy, worstAccuracy, reached, ...times } = figures(runs, goal);
    const cells = [times.seconds, times.worstSeconds, times.cpuSeconds].map(seconds);
    return [`${goal} %`, recipe, percent(accuracy), percent(worstAccuracy), ...cells, `${reached} of ${runs.length}`];
  });
  const columns = ['goal', 'recipe', 'test accuracy', 'worst', 'seconds', 'worst', 'CPU s', 'reached'];
  present('mnist-record', {
    title: "MNIST's record",
    sections: [
      {
        heading: 'Time to accuracy',
        text: `Means over the runs, and the worst. ${machine}.`,
        table: { columns, rows },
      },
    ],
  });
  for (const { goal, runs } of results) {
    const { accuracy } = figures(runs, goal);
    // A short run is a single one, which may miss what the mean reaches.
    const bound = options.quick ? shareOf(goal) - 0.01 : shareOf(goal);
    check(`the mean test accuracy is at least ${percent(bound)}`, accuracy >= bound);
  }
}
