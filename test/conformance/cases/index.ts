import type { KernelName } from '../../../lib/kernels/table.js';
import type { KernelCases } from '../types.js';
import { activationCases } from './activations.js';
import { augmentCases } from './augment.js';
import { batchCases } from './batches.js';
import { batchNormCases } from './batchNorm.js';
import { channelCases } from './channels.js';
import { clippingCases } from './clipping.js';
import { convolutionCases } from './conv2d.js';
import { denseCases } from './dense.js';
import { elementwiseCases } from './elementwise.js';
import { groupCases } from './group.js';
import { groupedConvolutionCases } from './groupedConv2d.js';
import { groupNormCases } from './groupNorm.js';
import { lossCases } from './losses.js';
import { metricCases } from './metrics.js';
import { optimizerCases } from './optimizers.js';
import { poolingCases } from './pool2d.js';
import { shapeCases } from './shape.js';

/** Cases of every kernel: a kernel of the table without an entry here does not compile, and fails a test. */
export const cases: Readonly<Record<KernelName, KernelCases>> = {
  ...denseCases,
  ...activationCases,
  ...convolutionCases,
  ...groupedConvolutionCases,
  ...poolingCases,
  ...channelCases,
  ...batchNormCases,
  ...groupNormCases,
  ...lossCases,
  ...metricCases,
  ...optimizerCases,
  ...clippingCases,
  ...batchCases,
  ...elementwiseCases,
  ...shapeCases,
  ...augmentCases,
  ...groupCases,
};
