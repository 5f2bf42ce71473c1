import type { Threading } from '../../program/compile.js';
import { groupWeightGradients } from './group-gradients.js';
import { schedule } from './schedule.js';
import { shareColumns, shareInputs, shareParts, shareWeights } from './share-layers.js';
import { shareUpdates } from './share-updates.js';

/** How this backend splits a program among its threads. */
export const threading: Threading = {
  rules: [shareWeights, shareInputs, shareColumns, shareParts, groupWeightGradients, shareUpdates],
  schedule,
};
