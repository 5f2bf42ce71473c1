import { type Instruction, isTensor, type Tensor } from './instructions.js';
import { fusedActivations, isBuffer, type KernelName, signatureOf } from './signatures.js';

/** The rules that make a program faster without changing what it computes, in the order of their application. */
export const rules: readonly { readonly name: string; apply(instructions: Instruction[]): Instruction[] }[] = [
  { name: 'activation into the dense kernel', apply: fuseActivation },
  { name: 'weight gradients after the chain of input gradients', apply: groupWeightGradients },
];

export function rewrite(instructions: Instruction[]): Instruction[] {
  return rules.reduce((list, rule) => rule.apply(list), instructions);
}

function argument(instruction: Instruction, name: string) {
  return instruction.arguments[signatureOf(instruction.kernel).parameters.findIndex((parameter) => parameter.name === name)];
}

function withArguments(instruction: Instruction, changed: Record<string, Instruction['arguments'][number]>): Instruction {
  const { parameters } = signatureOf(instruction.kernel);
  return { ...instruction, arguments: instruction.arguments.map((old, i) => changed[parameters[i].name] ?? old) };
}

/**
 * denseForward(z, …) then activation(y, z), where nothing else touches z: denseForward(y, …, activation). The
 * activation's gradient must follow from its output, because z is no longer kept.
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
    const fits = previous?.kernel === 'denseForward' && argument(previous, 'y') === z && argument(previous, 'activation') === 0;
    if (!fits || !isTensor(z) || uses.get(z) !== 2) {
      result.push(instruction);
      continue;
    }
    const slope = argument(instruction, 'slope') ?? argument(instruction, 'alpha') ?? 0;
    result[result.length - 1] = withArguments(previous, { y: argument(instruction, 'y'), activation: code, slope });
  }
  return result;
}

const weightGradients: readonly KernelName[] = ['denseBackwardWeight', 'denseBackwardBias'];

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
function groupWeightGradients(instructions: Instruction[]): Instruction[] {
  const last = instructions.findLastIndex((instruction) => weightGradients.includes(instruction.kernel));
  const kept: Instruction[] = [];
  let moved: Instruction[] = [];
  for (const instruction of instructions.slice(0, last + 1)) {
    if (weightGradients.includes(instruction.kernel)) {
      moved.push(instruction);
      continue;
    }
    const { reads, writes } = access(instruction);
    const blocks = (candidate: Instruction) => {
      const own = access(candidate);
      return [...own.reads, ...own.writes].some((tensor) => writes.has(tensor)) || [...own.writes].some((tensor) => reads.has(tensor));
    };
    if (moved.some(blocks)) {
      kept.push(...moved);
      moved = [];
    }
    kept.push(instruction);
  }
  return [...kept, ...moved, ...instructions.slice(last + 1)];
}
