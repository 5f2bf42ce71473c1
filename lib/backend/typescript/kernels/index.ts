/** The kernel table of the TypeScript backend: every kernel of lib/program/signatures.ts under its name. */
import type { KernelName } from '../../../program/signatures.js';
import * as activation from './activation.js';
import { multiply, sumParts } from './arithmetic.js';
import * as batch from './batch.js';
import * as clip from './clip.js';
import * as conv2d from './conv2d.js';
import * as dense from './dense.js';
import { dropoutForward } from './dropout.js';
import { gemm } from './gemm.js';
import * as loss from './loss.js';
import * as metric from './metric.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import * as pool2d from './pool2d.js';
import * as prelu from './prelu.js';
import * as regularizer from './regularizer.js';
import * as responseNorm from './response-norm.js';

export const kernels = {
  gemm,
  ...dense,
  ...activation,
  multiply,
  sumParts,
  ...conv2d,
  ...pool2d,
  ...responseNorm,
  ...prelu,
  ...norm,
  dropoutForward,
  ...loss,
  ...metric,
  ...regularizer,
  ...optimizer,
  ...clip,
  ...batch,
} satisfies Record<KernelName, (...args: never[]) => void>;
