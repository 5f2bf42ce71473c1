import { BlasnetError } from '../errors.js';
import { isBuffer } from '../kernels/signature.js';
import { type KernelName, signatureOf } from '../kernels/table.js';
import { type Argument, axisOf, type Instruction, isTensor, rows, type Tensor, tensor } from './instructions.js';

/** Rewrites a program for batches of at most `capacity` rows on `threads` threads. */
export type Rule = (instructions: Instruction[], capacity: number, threads: number) => Instruction[];

/** An argument by name; undefined if the kernel has no such argument. */
export function argument(instruction: Instruction, name: string): Argument | undefined {
  return instruction.arguments[
    signatureOf(instruction.kernel).parameters.findIndex((parameter) => parameter.name === name)
  ];
}

/** All arguments by their names. */
export function namedArguments(instruction: Instruction): Readonly<Record<string, Argument>> {
  const { parameters } = signatureOf(instruction.kernel);
  return Object.fromEntries(parameters.map(({ name }, i) => [name, instruction.arguments[i]]));
}

export function withArguments(instruction: Instruction, changed: Record<string, Argument | undefined>): Instruction {
  const { parameters } = signatureOf(instruction.kernel);
  const list = instruction.arguments.map((old, i) => {
    const now = changed[parameters[i].name];
    return now === undefined ? old : now;
  });
  return { ...instruction, arguments: list };
}

/** A numeric argument; throws if it is not a number. */
export function numberOf(instruction: Instruction, name: string): number {
  const value = argument(instruction, name);
  if (typeof value !== 'number') throw new BlasnetError('INTERNAL', `${instruction.kernel}: ${name} is not a number`);
  return value;
}

/** A call of a kernel with arguments by name, in the order of its signature. */
export function call(kernel: KernelName, named: Readonly<Record<string, Argument>>): Instruction {
  const list = signatureOf(kernel).parameters.map(({ name }) => named[name]);
  return { kernel, arguments: list, barrier: false, guard: false };
}

/** A tensor in the program's work memory, with a per-row or a fixed number of elements. */
export function workTensor(name: string, size: { readonly perRow: number } | { readonly fixed: number }): Tensor {
  return tensor(name, 'work', size);
}

/** The gradient of the bias alone, instead of that of a convolution's weight and bias. */
export function biasGradientAlone(instruction: Instruction): Instruction {
  const { dbParts: db, dy, outHeight, outWidth, filters, groups = 1 } = namedArguments(instruction);
  const pixels = rows((outHeight as number) * (outWidth as number));
  return call('denseBackwardBias', { db, dy, rows: pixels, out: (groups as number) * (filters as number) });
}

/** The tensors of an instruction that works elementwise on parameter-related memory; empty for any other. */
export function elementwiseTensors(instruction: Instruction): Tensor[] {
  const { parameters } = signatureOf(instruction.kernel);
  const tensors: Tensor[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || tensor === null || !isTensor(tensor) || parameter.length.length === 0) continue;
    if (parameter.length.join() !== 'n' || tensor.storage === 'work' || tensor.storage === 'feed') return [];
    tensors.push(tensor);
  }
  return axisOf(instruction) === 'n' ? tensors : [];
}

/** The work of an elementwise instruction on `n` elements of its tensors from `begin` on; `part` names them. */
export function elementwisePiece(instruction: Instruction, begin: number, n: number, part: string): Instruction {
  const tensors = elementwiseTensors(instruction);
  const pieces = instruction.arguments.map((old) => {
    if (old === null || !isTensor(old) || !tensors.includes(old)) return old;
    const name = old.fixed === n ? old.name : `${old.name.split(' of ')[0]} ${part}`;
    return { ...old, name, offset: old.offset + begin, fixed: n };
  });
  return withArguments({ ...instruction, arguments: pieces }, { n });
}
