import { type Argument, type Instruction, isTensor, type Tensor } from './instructions.js';
import { fusedActivations, isBuffer, type KernelName, signatureOf } from './signatures.js';

/** The rules that make a program faster without changing what it computes, in the order of their application. */
export const rules: readonly { readonly name: string; apply(instructions: Instruction[], capacity: number): Instruction[] }[] = [
  { name: 'activation into the kernel before it', apply: fuseActivation },
  { name: 'weight gradients after the chain of input gradients', apply: groupWeightGradients },
];

/** Applies the rules to a program for batches of at most `capacity` rows. */
export function rewrite(instructions: Instruction[], capacity: number): Instruction[] {
  return rules.reduce((list, rule) => rule.apply(list, capacity), instructions);
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

const weightGradients: readonly KernelName[] = ['denseBackwardWeight', 'denseBackwardBias', 'conv2dBackwardWeight'];

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
  return [...kept, ...moved, ...instructions.slice(last + 1)];
}
