import type { Geometry } from '../kernels/signature.js';
import { fusedActivations, signatureOf } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { argument, biasGradientAlone, call, namedArguments, type Rule, withArguments, workTensor } from './edit.js';
import { type Argument, type Instruction, isTensor, type Tensor } from './instructions.js';
import type { Model } from './model.js';

/** Rules that make a program faster without changing its results, in order of application. */
export const rules: readonly Rule[] = [fuseActivation, convolveInputGradients];

/** Applies rules to a program for batches of at most `capacity` rows on `threads` threads. */
export function rewrite(
  instructions: Instruction[],
  list: readonly Rule[],
  capacity: number,
  threads: number,
): Instruction[] {
  return list.reduce((rewritten, rule) => rule(rewritten, capacity, threads), instructions);
}

/**
 * Fuses kernel(z, …) and activation(y, z) into kernel(y, …, activation), if nothing else uses z and the kernel has an
 * argument `activation`. The activation's gradient must be computable from its output, because z is no longer kept.
 */
function fuseActivation(instructions: Instruction[]): Instruction[] {
  const uses = new Map<Tensor, number>();
  for (const instruction of instructions) {
    for (const tensor of new Set(instruction.arguments.filter(isTensor))) uses.set(tensor, (uses.get(tensor) ?? 0) + 1);
  }
  const result: Instruction[] = [];
  for (const instruction of instructions) {
    const previous = result[result.length - 1];
    const code = fusedActivations.indexOf(instruction.kernel as (typeof fusedActivations)[number]);
    const z = code > 0 ? argument(instruction, 'x') : null;
    const fits = previous !== undefined && argument(previous, 'activation') === 0 && argument(previous, 'y') === z;
    if (!fits || z === undefined || !isTensor(z) || uses.get(z) !== 2) {
      result.push(instruction);
      continue;
    }
    const slope = argument(instruction, 'slope') ?? argument(instruction, 'alpha') ?? 0;
    result[result.length - 1] = withArguments(previous, { y: argument(instruction, 'y'), activation: code, slope });
  }
  return result;
}

/**
 * With few channels, or a dx with many more pixels than dy, a convolution is slower than the overlapping sums of
 * conv2dBackwardInput (docs/decisions/0007-convolution.md).
 */
const FEWEST_CHANNELS = 16;
const MOST_PIXELS = 1.25;

/** Replaces conv2dBackwardInput with strides of 1 by a convolution of dy with the reversed weights. */
function convolveInputGradients(instructions: Instruction[]): Instruction[] {
  return instructions.flatMap((instruction) => {
    if (instruction.kernel !== 'conv2dBackwardInput') return [instruction];
    const named = namedArguments(instruction);
    const g = named as unknown as Geometry & { readonly filters: number };
    const padding = { padTop: g.windowHeight - 1 - g.padTop, padLeft: g.windowWidth - 1 - g.padLeft };
    const fits =
      g.strideHeight === 1 &&
      g.strideWidth === 1 &&
      g.windowHeight * g.windowWidth > 1 &&
      padding.padTop >= 0 &&
      padding.padLeft >= 0 &&
      g.channels >= FEWEST_CHANNELS &&
      g.height * g.width <= MOST_PIXELS * g.outHeight * g.outWidth;
    if (!fits) return [instruction];
    const length = g.windowHeight * g.windowWidth * g.channels * g.filters;
    const reversed = workTensor(`${(named.w as Tensor).name} reversed`, { fixed: length });
    return [
      call('conv2dReverseWeights', { ...named, reversed }),
      call('conv2dForward', {
        ...named,
        ...{ y: named.dx, x: named.dy, w: reversed, b: null },
        ...{ height: g.outHeight, width: g.outWidth, channels: g.filters },
        ...{ outHeight: g.height, outWidth: g.width, ...padding, filters: g.channels },
        ...{ activation: 0, slope: 0 },
      }),
    ];
  });
}

/**
 * Removes what computes only gradients of frozen parameters. An instruction is needed if it writes to anything that
 * outlasts the step, or that a needed instruction reads. Such a gradient that is made all the same doesn't outlast
 * the step, so it is in work memory.
 */
export function removeUnused(
  instructions: Instruction[],
  { parameters }: Model,
  optimizer: Optimizer | undefined,
): Instruction[] {
  const unused = new Set<Tensor>();
  for (const [name, { gradient }] of parameters) {
    if (optimizer?.settings[optimizer.groupOf(name)].frozen) unused.add(gradient);
  }
  if (unused.size === 0) return instructions;
  const read = new Set<Tensor>();
  const lasts = (tensor: Tensor) => read.has(tensor) || (tensor.storage !== 'work' && !unused.has(tensor));
  const needed = [...instructions].reverse().flatMap((whole) => {
    const instruction = withoutGradients(whole, (gradient) => !lasts(gradient));
    const uses = signatureOf(instruction.kernel).parameters.flatMap((parameter, i) => {
      const tensor = instruction.arguments[i];
      return tensor !== null && isTensor(tensor) ? [{ tensor, kind: parameter.kind }] : [];
    });
    if (!uses.some(({ tensor, kind }) => kind !== 'in' && lasts(tensor))) return [];
    for (const { tensor, kind } of uses) if (kind !== 'out') read.add(tensor);
    return [instruction];
  });
  const moved = new Map<Argument, Tensor>();
  for (const each of unused) moved.set(each, workTensor(each.name, { fixed: each.fixed }));
  return needed.reverse().map((each) => ({ ...each, arguments: each.arguments.map((old) => moved.get(old) ?? old) }));
}

/** The gradients of a convolution's weight and bias, which are one instruction, without the one that nothing uses. */
function withoutGradients(instruction: Instruction, isUnused: (gradient: Tensor) => boolean): Instruction {
  const [dw, db] = [argument(instruction, 'dwParts'), argument(instruction, 'dbParts')] as (
    | Tensor
    | null
    | undefined
  )[];
  if (!dw || !db) return instruction;
  if (isUnused(dw) && !isUnused(db)) return biasGradientAlone(instruction);
  return isUnused(db) ? withArguments(instruction, { dbParts: null }) : instruction;
}
