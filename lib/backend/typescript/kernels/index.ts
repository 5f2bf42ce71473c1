/** The kernel table of the TypeScript backend: every kernel of lib/kernels/table.ts under its name. */
import { type KernelName, kernelNames, signatureOf } from '../../../kernels/table.js';
import * as activation from './activation.js';
import * as arithmetic from './arithmetic.js';
import * as augment from './augment.js';
import * as batch from './batch.js';
import * as clip from './clip.js';
import * as conv2d from './conv2d.js';
import * as dense from './dense.js';
import * as dropout from './dropout.js';
import * as elementwise from './elementwise.js';
import * as embedding from './embedding.js';
import { gemm } from './gemm.js';
import * as group from './group.js';
import * as groupNorm from './group-norm.js';
import * as groupedConv2d from './grouped-conv2d.js';
import * as loss from './loss.js';
import * as metric from './metric.js';
import * as norm from './norm.js';
import * as optimizer from './optimizer.js';
import * as pool2d from './pool2d.js';
import * as prelu from './prelu.js';
import * as regularizer from './regularizer.js';
import * as responseNorm from './response-norm.js';
import * as shape from './shape.js';

export const kernels = {
  gemm,
  ...group,
  ...dense,
  ...activation,
  ...arithmetic,
  ...conv2d,
  ...groupedConv2d,
  ...pool2d,
  ...responseNorm,
  ...prelu,
  ...norm,
  ...groupNorm,
  ...dropout,
  ...loss,
  ...metric,
  ...regularizer,
  ...optimizer,
  ...clip,
  ...batch,
  ...elementwise,
  ...shape,
  ...augment,
  ...embedding,
} satisfies Record<KernelName, (...args: never[]) => void>;

type KernelFunction = (...operands: unknown[]) => void;

/** A kernel that takes the arguments of its signature: the fields of a struct one by one. */
function withFields(name: KernelName): KernelFunction {
  const kernel = kernels[name] as unknown as KernelFunction;
  const { parameters } = signatureOf(name);
  const fields = parameters.flatMap((parameter, i) => ('struct' in parameter ? [{ name: parameter.name, i }] : []));
  if (fields.length === 0) return kernel;
  return (...operands) => {
    const struct = Object.fromEntries(fields.map(({ name, i }) => [name, operands[i]]));
    operands.splice(fields[0].i, fields.length, struct);
    kernel(...operands);
  };
}

/** The kernels with the arguments of their signatures. */
export const calls = Object.fromEntries(kernelNames.map((name) => [name, withFields(name)])) as Readonly<
  Record<KernelName, KernelFunction>
>;
