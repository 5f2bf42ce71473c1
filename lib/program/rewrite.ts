import { fusedActivations, signatureOf } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { argument, call, numberOf, type Rule, withArguments, workTensor } from './edit.js';
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
    const g = (name: string) => numberOf(instruction, name);
    const window = { windowHeight: g('windowHeight'), windowWidth: g('windowWidth') };
    const image = { height: g('height'), width: g('width'), channels: g('channels') };
    const output = { outHeight: g('outHeight'), outWidth: g('outWidth'), filters: g('filters') };
    const padding = { padTop: window.windowHeight - 1 - g('padTop'), padLeft: window.windowWidth - 1 - g('padLeft') };
    const strides = { strideHeight: g('strideHeight'), strideWidth: g('strideWidth') };
    const fits =
      strides.strideHeight === 1 &&
      strides.strideWidth === 1 &&
      window.windowHeight * window.windowWidth > 1 &&
      padding.padTop >= 0 &&
      padding.padLeft >= 0 &&
      image.channels >= FEWEST_CHANNELS &&
      image.height * image.width <= MOST_PIXELS * output.outHeight * output.outWidth;
    if (!fits) return [instruction];
    const w = argument(instruction, 'w') as Tensor;
    const length = window.windowHeight * window.windowWidth * image.channels * output.filters;
    const reversed = workTensor(`${w.name} reversed`, { fixed: length });
    return [
      call('conv2dReverseWeights', { reversed, w, ...window, channels: image.channels, filters: output.filters }),
      call('conv2dForward', {
        y: argument(instruction, 'dx') as Tensor,
        x: argument(instruction, 'dy') as Tensor,
        w: reversed,
        b: null,
        rows: argument(instruction, 'rows') as Argument,
        height: output.outHeight,
        width: output.outWidth,
        channels: output.filters,
        outHeight: image.height,
        outWidth: image.width,
        ...window,
        ...strides,
        ...padding,
        filters: image.channels,
        activation: 0,
        slope: 0,
      }),
    ];
  });
}

/**
 * Removes what computes only gradients of frozen parameters. An instruction is needed if it writes to anything that
 * outlasts the step, or to work memory that a needed instruction reads.
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
  const needed = [...instructions].reverse().filter(({ kernel, arguments: list }) => {
    const uses = signatureOf(kernel).parameters.flatMap((parameter, i) => {
      const tensor = list[i];
      return tensor !== null && isTensor(tensor) ? [{ tensor, kind: parameter.kind }] : [];
    });
    const lasts = (tensor: Tensor) => (tensor.storage === 'work' ? read.has(tensor) : !unused.has(tensor));
    if (!uses.some(({ tensor, kind }) => kind !== 'in' && lasts(tensor))) return false;
    for (const { tensor, kind } of uses) if (kind !== 'out') read.add(tensor);
    return true;
  });
  return needed.reverse();
}
