import { BlasnetError } from '../errors.js';
import { type Argument, type Instruction, isTensor, type Tensor } from './instructions.js';
import { BLOCK } from './model.js';
import { fusedActivations, isBuffer, type KernelName, signatureOf } from './signatures.js';

type Rule = (instructions: Instruction[], capacity: number, threads: number) => Instruction[];

/** The rules that make a program faster without changing what it computes, in the order of their application. */
export const rules: readonly { readonly name: string; apply: Rule }[] = [
  { name: 'activation into the kernel before it', apply: fuseActivation },
  { name: 'input gradients of convolutions as convolutions', apply: convolveInputGradients },
  { name: 'weight gradients of convolutions shared out by images', apply: shareImages },
  { name: 'first layer shared out by inputs', apply: shareInputs },
  { name: 'columns shared out where weights are large', apply: shareColumns },
  { name: 'weight gradients after the chain of input gradients', apply: groupWeightGradients },
  { name: 'updates shared out like the gradients', apply: shareUpdates },
];

/** Applies the rules to a program for batches of at most `capacity` rows on that many threads. */
export function rewrite(instructions: Instruction[], capacity: number, threads = 1): Instruction[] {
  return rules.reduce((list, rule) => rule.apply(list, capacity, threads), instructions);
}

/** An argument by name; undefined where the kernel has none of that name. */
function argument(instruction: Instruction, name: string): Argument | undefined {
  return instruction.arguments[signatureOf(instruction.kernel).parameters.findIndex((parameter) => parameter.name === name)];
}

function withArguments(instruction: Instruction, changed: Record<string, Argument | undefined>): Instruction {
  const { parameters } = signatureOf(instruction.kernel);
  return { ...instruction, arguments: instruction.arguments.map((old, i) => changed[parameters[i].name] ?? old) };
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

/** An argument that is a number. */
function numberOf(instruction: Instruction, name: string): number {
  const value = argument(instruction, name);
  if (typeof value !== 'number') throw new BlasnetError('INTERNAL', `${instruction.kernel}: ${name} is not a number`);
  return value;
}

/** A call of a kernel with arguments by name, in the order of its signature. */
function call(kernel: KernelName, named: Readonly<Record<string, Argument>>): Instruction {
  const list = signatureOf(kernel).parameters.map(({ name }) => named[name]);
  return { kernel, arguments: list, barrier: false, guard: false };
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
    const reversed: Tensor = { name: `${w.name} reversed`, storage: 'work', type: 'f32', perRow: 0, fixed: length, offset: -1 };
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
 * The gradients of a convolution's weights and bias. Shared out by weights, every thread reads all images, most of which the others
 * have just written; by images, each its own, and the sums of weights are small beside what they save.
 */
function shareImages(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const list: Instruction[] = [];
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i];
    const named = (name: string) => argument(instruction, name) as Argument;
    if (instruction.kernel !== 'conv2dBackwardWeight' || !fewWeights(instruction, capacity, threads)) {
      list.push(instruction);
      continue;
    }
    const [patch, filters] = [numberOf(instruction, 'patch'), numberOf(instruction, 'filters')];
    const dw = named('dw') as Tensor;
    const parts = (gradient: Tensor, length: number): Tensor => {
      return { name: `${gradient.name} by images`, storage: 'work', type: 'f32', perRow: 0, fixed: threads * length, offset: -1 };
    };
    const sum = (y: Tensor, terms: Tensor, n: number) => call('sumParts', { y, terms, n, parts: threads });
    const dwParts = parts(dw, patch * filters);
    const sums = [sum(dw, dwParts, patch * filters)];
    const bias = instructions[i + 1];
    let dbParts: Tensor | null = null;
    if (bias?.kernel === 'denseBackwardBias' && argument(bias, 'dy') === named('dy')) {
      const db = argument(bias, 'db') as Tensor;
      dbParts = parts(db, filters);
      sums.push(sum(db, dbParts, filters));
      i++;
    }
    const names = signatureOf('conv2dBackwardWeight').parameters.map(({ name }) => name);
    const same = Object.fromEntries(names.map((name) => [name, named(name)]));
    list.push(call('conv2dBackwardParts', { ...same, dwParts, dbParts, parts: threads }), ...sums);
  }
  return list;
}

/** All shares' weights together are no more than the outputs of a batch; both are so many times the filters. */
function fewWeights(instruction: Instruction, capacity: number, threads: number): boolean {
  const rows = argument(instruction, 'rows');
  if (rows === null || typeof rows !== 'object' || isTensor(rows) || rows.symbol !== 'rows' || rows.times !== 1) return false;
  const pixels = numberOf(instruction, 'outHeight') * numberOf(instruction, 'outWidth');
  return numberOf(instruction, 'patch') * threads <= capacity * pixels;
}

/** The products of the shares together are this many times smaller than the weights, or more. */
const WEIGHTS_TO_PRODUCTS = 3;

/**
 * The layer after the gather, in training. Shared out by rows, each thread reads weights of which the others have just updated
 * their parts. Shared out by inputs, it gathers the columns, and multiplies and updates the rows of the weights, that are its own.
 */
function shareInputs(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  const gather = instructions.find(({ kernel }) => kernel === 'gatherBytes');
  if (gather === undefined || threads < 2) return instructions;
  const x = argument(gather, 'x') as Tensor;
  const users = instructions.filter((instruction) => instruction !== gather && instruction.arguments.includes(x));
  const [forward, backward] = users;
  if (users.length !== 2 || forward.kernel !== 'denseForward' || backward.kernel !== 'denseBackwardWeight') return instructions;
  const [inputs, out] = [numberOf(forward, 'in'), numberOf(forward, 'out')];
  if (inputs < WEIGHTS_TO_PRODUCTS * threads * capacity) return instructions;

  const named = (name: string) => argument(forward, name) as Argument;
  const name = `${(named('y') as Tensor).name} by inputs`;
  const products: Tensor = { name, storage: 'work', type: 'f32', perRow: threads * out, fixed: 0, offset: -1 };
  const [rows, w, b] = [named('rows'), named('w'), named('b')];
  return instructions.flatMap((instruction) => {
    if (instruction === gather) return [{ ...gather, kernel: 'gatherBytesColumns' as const }];
    if (instruction !== forward) return [instruction];
    const tail = { activation: named('activation'), slope: named('slope') };
    return [
      call('denseForwardParts', { products, x, w, rows, in: inputs, out, parts: threads }),
      call('denseForwardSum', { y: named('y'), products, b, rows, out, parts: threads, ...tail }),
    ];
  });
}

const byColumns: Partial<Record<KernelName, KernelName>> = {
  denseForward: 'denseForwardColumns',
  denseBackwardInput: 'denseBackwardInputColumns',
};

/**
 * Shared out by rows, every thread reads (and BLAS packs) all of the weights; by columns, every thread reads all of the batch.
 * Where the weights are this many times as large as the batch, columns are the better way, meeting of the threads included.
 */
const WEIGHTS_TO_BATCH = 1.5;

function shareColumns(instructions: Instruction[], capacity: number): Instruction[] {
  return instructions.map((instruction) => {
    const kernel = byColumns[instruction.kernel];
    const rows = argument(instruction, 'rows');
    if (kernel === undefined || rows === undefined || rows === null || typeof rows === 'number' || isTensor(rows))
      return instruction;
    if (rows.symbol !== 'rows') return instruction;
    const [inputs, outputs] = [numberOf(instruction, 'in'), numberOf(instruction, 'out')];
    const batch = rows.times * capacity * (inputs + outputs);
    return inputs * outputs >= WEIGHTS_TO_BATCH * batch ? { ...instruction, kernel } : instruction;
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

/** A gradient as the kernel that makes it shares it out: in runs of `grain` elements. */
interface SharedGradient {
  readonly tensor: Tensor;
  readonly grain: number;
}

/** The gradients that an instruction makes and shares out along a constant axis. */
function sharedGradients(instruction: Instruction): SharedGradient[] {
  const { axis, grain, parameters } = signatureOf(instruction.kernel);
  return parameters.flatMap((parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || parameter.kind === 'in' || parameter.length[0] !== axis) return [];
    if (tensor === null || !isTensor(tensor) || tensor.storage !== 'gradient') return [];
    const units = argument(instruction, axis);
    return typeof units === 'number' ? [{ tensor, grain: (grain * tensor.fixed) / units }] : [];
  });
}

/** The tensors of an instruction that works element by element on memory that belongs to parameters; none of any other. */
function elementwiseTensors(instruction: Instruction): Tensor[] {
  const { axis, parameters } = signatureOf(instruction.kernel);
  const tensors: Tensor[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || tensor === null || !isTensor(tensor) || parameter.length.length === 0) continue;
    if (parameter.length.join() !== 'n' || tensor.storage === 'work' || tensor.storage === 'feed') return [];
    tensors.push(tensor);
  }
  return axis === 'n' ? tensors : [];
}

/** Whether tensors fill a block from `begin` to `end`, but for padding. */
function fill(tensors: readonly Tensor[], begin: number, end: number): boolean {
  let at = begin;
  for (const { offset, fixed } of tensors) {
    if (offset < at || offset - at >= BLOCK) return false;
    at = offset + fixed;
  }
  return at <= end && end - at < BLOCK;
}

/**
 * What follows on gradients element by element, the update above all, is cut into the parameters, and these are shared out like their
 * gradients: no thread then has to wait for another's part, nor to fetch it, and it finds weights that it has updated itself where
 * the first layer is shared out by inputs.
 */
function shareUpdates(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const known: SharedGradient[] = [];
  return instructions.flatMap((instruction) => {
    const tensors = elementwiseTensors(instruction);
    const gradient = tensors.find(({ storage }) => storage === 'gradient');
    if (gradient === undefined) {
      known.push(
        ...sharedGradients(instruction).filter(({ tensor }) => known.every((other) => other.tensor.offset !== tensor.offset)),
      );
      return [instruction];
    }
    const end = gradient.offset + gradient.fixed;
    const inside = known
      .filter(({ tensor: { offset } }) => offset >= gradient.offset && offset < end)
      .sort((a, b) => a.tensor.offset - b.tensor.offset);
    if (
      inside.length === 0 ||
      !fill(
        inside.map(({ tensor }) => tensor),
        gradient.offset,
        end,
      )
    )
      return [instruction];
    return inside.map(({ tensor: { name, offset, fixed }, grain }) => {
      const pieces = instruction.arguments.map((old) => {
        if (old === null || !isTensor(old) || !tensors.includes(old)) return old;
        const label = old.fixed === fixed ? old.name : `${old.name.split(' of ')[0]} of ${name}`;
        return { ...old, name: label, offset: old.offset + offset - gradient.offset, fixed };
      });
      return { ...withArguments({ ...instruction, arguments: pieces }, { n: fixed }), grain };
    });
  });
}
