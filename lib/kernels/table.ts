import { createHash } from 'node:crypto';
import { activationKernels } from './activation.js';
import { arithmeticKernels } from './arithmetic.js';
import { augmentKernels } from './augment.js';
import { batchKernels } from './batch.js';
import { clipKernels } from './clip.js';
import { codes } from './codes.js';
import { conv2dKernels } from './conv2d.js';
import { groupedConv2dKernels } from './conv2d-grouped.js';
import { denseKernels } from './dense.js';
import { dropoutKernels } from './dropout.js';
import { elementwiseKernels } from './elementwise.js';
import { embeddingKernels } from './embedding.js';
import { gemmKernels } from './gemm.js';
import { groupKernels } from './group.js';
import { groupNormKernels } from './group-norm.js';
import { lossKernels } from './loss.js';
import { metricKernels } from './metric.js';
import { normKernels } from './norm.js';
import { optimizerKernels } from './optimizer.js';
import { pool2dKernels } from './pool2d.js';
import { preluKernels } from './prelu.js';
import { reductionKernels } from './reduction.js';
import { regularizerKernels } from './regularizer.js';
import { responseNormKernels } from './response-norm.js';
import type { Signature } from './signature.js';
import { stridedKernels } from './strided.js';

/**
 * The kernel table: names, arguments in order, and how to split the work. It is the single source for the compiler, the
 * public kernel functions, both executors and, through the generated native/kernels/signatures.inc, the C++ dispatcher
 * and its validator.
 */
export const signatures = {
  ...gemmKernels,
  ...denseKernels,
  ...activationKernels,
  ...arithmeticKernels,
  ...preluKernels,
  ...dropoutKernels,
  ...conv2dKernels,
  ...groupedConv2dKernels,
  ...pool2dKernels,
  ...responseNormKernels,
  ...normKernels,
  ...groupNormKernels,
  ...lossKernels,
  ...metricKernels,
  ...regularizerKernels,
  ...optimizerKernels,
  ...clipKernels,
  ...batchKernels,
  ...elementwiseKernels,
  ...reductionKernels,
  ...stridedKernels,
  ...augmentKernels,
  ...embeddingKernels,
  ...groupKernels,
} satisfies Record<string, Signature>;

export type KernelName = keyof typeof signatures;
export type ParameterName<K extends KernelName> = (typeof signatures)[K]['parameters'][number]['name'];

/** Kernel names in table order; a kernel's number is its index here, in C++ too. */
export const kernelNames = Object.keys(signatures) as KernelName[];

export function signatureOf(name: KernelName): Signature {
  return signatures[name];
}

/** The kernels of sums over the ranks. */
export const sumsOverRanks: readonly KernelName[] = Object.keys(groupKernels) as KernelName[];

/** Activations that `denseForward` can apply to its result, by `activation` code. */
export const fusedActivations = codes.activation;

/** A hash of the whole table: an addon only runs programs made with the table it was built with. */
export const tableHash = createHash('sha256').update(JSON.stringify(signatures)).digest('hex');
