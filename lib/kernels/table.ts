import { createHash } from 'node:crypto';
import { activationKernels } from './activation.js';
import { augmentKernels } from './augment.js';
import { batchKernels } from './batch.js';
import { codes } from './codes.js';
import { convolutionKernels } from './convolution.js';
import { denseKernels } from './dense.js';
import { elementwiseKernels } from './elementwise.js';
import { embeddingKernels } from './embedding.js';
import { groupKernels } from './group.js';
import { lossKernels } from './loss.js';
import { metricKernels } from './metric.js';
import { normKernels } from './norm.js';
import { optimizerKernels } from './optimizer.js';
import { shapeKernels } from './shape.js';
import type { Signature } from './signature.js';

/**
 * The kernel table: names, arguments in order, and how to split the work. It is the single source for the compiler, the
 * public kernel functions, both executors and, through the generated native/kernels/signatures.inc, the C++ dispatcher
 * and its validator.
 */
export const signatures = {
  ...denseKernels,
  ...activationKernels,
  ...convolutionKernels,
  ...normKernels,
  ...lossKernels,
  ...metricKernels,
  ...optimizerKernels,
  ...batchKernels,
  ...elementwiseKernels,
  ...shapeKernels,
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

/** Activations that `denseForward` can apply to its result, by `activation` code. */
export const fusedActivations = codes.activation;

/** A hash of the whole table: an addon only runs programs made with the table it was built with. */
export const tableHash = createHash('sha256').update(JSON.stringify(signatures)).digest('hex');
