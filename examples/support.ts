/** What most examples share: their options. Reports and checks come with them. */
import { parseArgs } from 'node:util';

export { check, mean, outputFolder, percent, present } from './present.js';

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
