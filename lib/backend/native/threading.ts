import type { Threading } from '../../program/compile.js';
import { groupWeightGradients } from './group-gradients.js';
import { schedule } from './schedule.js';
import { shareBatchNorm, shareColumns, shareGroupNorm, shareImages, shareInputs } from './share-layers.js';
import { shareUpdates } from './share-updates.js';

/** How this backend splits a program among its threads. */
export const threading: Threading = {
  rules: [shareImages, shareInputs, shareColumns, shareBatchNorm, shareGroupNorm, groupWeightGradients, shareUpdates],
  schedule,
};
