import type { KernelName } from '../../../lib/program/signatures.js';
import type { KernelCases } from '../types.js';
import { activationCases } from './activations.js';
import { batchCases } from './batches.js';
import { batchNormCases } from './batchNorm.js';
import { channelCases } from './channels.js';
import { clippingCases } from './clipping.js';
import { convolutionCases } from './conv2d.js';
import { denseCases } from './dense.js';
import { lossCases } from './losses.js';
import { metricCases } from './metrics.js';
import { optimizerCases } from './optimizers.js';
import { poolingCases } from './pool2d.js';

/** Cases of every kernel: a kernel of the table without an entry here does not compile, and fails a test. */
export const cases: Readonly<Record<KernelName, KernelCases>> = {
  ...denseCases,
  ...activationCases,
  ...convolutionCases,
  ...poolingCases,
  ...channelCases,
  ...batchNormCases,
  ...lossCases,
  ...metricCases,
  ...optimizerCases,
  ...clippingCases,
  ...batchCases,
};
