/** The implementations in lib/kernels, under the names of lib/kernels/table.ts. */
import * as activation from '../../kernels/activation.js';
import * as arithmetic from '../../kernels/arithmetic.js';
import * as augment from '../../kernels/augment.js';
import * as batch from '../../kernels/batch.js';
import * as clip from '../../kernels/clip.js';
import * as conv2d from '../../kernels/conv2d.js';
import * as groupedConv2d from '../../kernels/conv2d-grouped.js';
import * as dense from '../../kernels/dense.js';
import * as dropout from '../../kernels/dropout.js';
import * as elementwise from '../../kernels/elementwise.js';
import * as embedding from '../../kernels/embedding.js';
import * as gemm from '../../kernels/gemm.js';
import * as group from '../../kernels/group.js';
import * as groupNorm from '../../kernels/group-norm.js';
import * as loss from '../../kernels/loss.js';
import * as metric from '../../kernels/metric.js';
import * as norm from '../../kernels/norm.js';
import * as optimizer from '../../kernels/optimizer.js';
import * as pool2d from '../../kernels/pool2d.js';
import * as prelu from '../../kernels/prelu.js';
import * as reduction from '../../kernels/reduction.js';
import * as regularizer from '../../kernels/regularizer.js';
import * as responseNorm from '../../kernels/response-norm.js';
import type { Implementation } from '../../kernels/signature.js';
import * as strided from '../../kernels/strided.js';
import { type KernelName, kernelNames, signatureOf, type signatures } from '../../kernels/table.js';

/** Beside the kernels it has the families' declarations, which are exports too. */
export const kernels = {
  ...gemm,
  ...dense,
  ...activation,
  ...arithmetic,
  ...prelu,
  ...dropout,
  ...conv2d,
  ...groupedConv2d,
  ...pool2d,
  ...responseNorm,
  ...norm,
  ...groupNorm,
  ...loss,
  ...metric,
  ...regularizer,
  ...optimizer,
  ...clip,
  ...batch,
  ...elementwise,
  ...reduction,
  ...strided,
  ...augment,
  ...embedding,
  ...group,
} satisfies { readonly [K in KernelName]: Implementation<(typeof signatures)[K]> };

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
