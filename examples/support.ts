/** What the examples share: options, reports and checks. */
import { parseArgs } from 'node:util';

export { outputFolder, present } from './present.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
});

/** `--quick`: a run of a few seconds, for the tests. */
export const quick = values.quick;
/** `--resume`: continue a run that was stopped, in the examples that save checkpoints. */
export const resume = values.resume;
/** `--seed <number>`: the seed of everything random; 1 by default. */
export const seed = Number(values.seed);

/** Prints whether a claim holds; when it does not, the process ends with status 1. */
export function check(claim: string, holds: boolean): void {
  console.log(`${holds ? 'holds' : 'FAILS'}: ${claim}`);
  if (!holds) process.exitCode = 1;
}

export const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
