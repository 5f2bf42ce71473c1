import type { KernelName } from '../../../lib/program/signatures.js';
import type { KernelCases } from '../types.js';
import { activationCases } from './activations.js';
import { batchCases } from './batches.js';
import { batchNormCases } from './batchNorm.js';
import { denseCases } from './dense.js';
import { lossCases } from './losses.js';
import { metricCases } from './metrics.js';
import { optimizerCases } from './optimizers.js';

/** Cases of every kernel: a kernel of the table without an entry here does not compile, and fails a test. */
export const cases: Readonly<Record<KernelName, KernelCases>> = {
  ...denseCases,
  ...activationCases,
  ...batchNormCases,
  ...lossCases,
  ...metricCases,
  ...optimizerCases,
  ...batchCases,
};
