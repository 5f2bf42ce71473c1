import { argument, call, numberOf, type Rule, withArguments, workTensor } from './edit.js';
import { type Argument, type Instruction, isTensor, type Tensor } from './instructions.js';
import { shareBatchNorm, shareColumns, shareImages, shareInputs } from './share-layers.js';
import { shareUpdates } from './share-updates.js';
import { fusedActivations, isBuffer, type KernelName, signatureOf } from './signatures.js';

/** The rules that make a program faster without changing what it computes, in the order of their application. */
export const rules: readonly { readonly name: string; apply: Rule }[] = [
  { name: 'activation into the kernel before it', apply: fuseActivation },
  { name: 'input gradients of convolutions as convolutions', apply: convolveInputGradients },
  { name: 'weight gradients of convolutions shared out by images', apply: shareImages },
  { name: 'first layer shared out by inputs', apply: shareInputs },
  { name: 'columns shared out where weights are large', apply: shareColumns },
  { name: 'batch norm shared out by rows', apply: shareBatchNorm },
  { name: 'weight gradients after the chain of input gradients', apply: groupWeightGradients },
  { name: 'updates shared out like the gradients', apply: shareUpdates },
];

/** Applies the rules to a program for batches of at most `capacity` rows on that many threads. */
export function rewrite(instructions: Instruction[], capacity: number, threads = 1): Instruction[] {
  return rules.reduce((list, rule) => rule.apply(list, capacity, threads), instructions);
}

/**
 * kernel(z, …) then activation(y, z), where nothing else touches z and the kernel has an argument `activation`:
 * kernel(y, …, activation). The activation's gradient must follow from its output, because z is no longer kept.
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
 * Patches of few channels, and a dx of many more pixels than dy, cost a convolution more than the overlapping sums of
 * conv2dBackwardInput (docs/decisions/0007-convolution.md).
 */
const FEWEST_CHANNELS = 16;
const MOST_PIXELS = 1.25;

/** conv2dBackwardInput with strides of 1: a convolution of dy with the reversed weights. */
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

const weightGradients: readonly KernelName[] = ['denseBackwardWeight', 'denseBackwardBias', 'conv2dBackwardWeight', 'sumParts'];

/**
 * A weight gradient that reads a tensor of more elements (4 MB) stays where it is: behind the chain it would keep the
 * tensor's memory from being used again, and at that size a meeting of the threads costs next to nothing.
 */
const LARGEST_KEPT = 1 << 20;

function canWait(instruction: Instruction, capacity: number): boolean {
  return (
    weightGradients.includes(instruction.kernel) &&
    instruction.arguments.every((argument) => {
      if (argument === null || !isTensor(argument) || argument.storage !== 'work') return true;
      return argument.perRow * capacity + argument.fixed <= LARGEST_KEPT;
    })
  );
}

interface Access {
  readonly reads: Set<Tensor>;
  readonly writes: Set<Tensor>;
}

function access(instruction: Instruction): Access {
  const reads = new Set<Tensor>();
  const writes = new Set<Tensor>();
  signatureOf(instruction.kernel).parameters.forEach((parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(tensor)) return;
    if (parameter.kind !== 'out') reads.add(tensor);
    if (parameter.kind !== 'in') writes.add(tensor);
  });
  return { reads, writes };
}

/**
 * Input gradients are split by rows, weight gradients by rows of the weight. Interleaved, threads would have to meet
 * at every layer; with all weight gradients behind the last input gradient they meet once. An instruction moves
 * only past others that neither write what it touches nor read what it writes.
 */
function groupWeightGradients(instructions: Instruction[], capacity: number): Instruction[] {
  const last = instructions.findLastIndex((instruction) => weightGradients.includes(instruction.kernel));
  const kept: Instruction[] = [];
  let moved: Instruction[] = [];
  for (const instruction of instructions.slice(0, last + 1)) {
    if (canWait(instruction, capacity)) {
      moved.push(instruction);
      continue;
    }
    const { reads, writes } = access(instruction);
    const blocks = (candidate: Instruction) => {
      const own = access(candidate);
      return (
        [...own.reads, ...own.writes].some((tensor) => writes.has(tensor)) || [...own.writes].some((tensor) => reads.has(tensor))
      );
    };
    if (moved.some(blocks)) {
      kept.push(...moved);
      moved = [];
    }
    kept.push(instruction);
  }
  // The last ones first: they alone need what was computed just before, and with it a meeting.
  return [...kept, ...moved.reverse(), ...instructions.slice(last + 1)];
}
