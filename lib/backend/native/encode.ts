import type { Program } from '../../program/compile.js';
import { type Argument, feeds, isTensor, type Tensor } from '../../program/instructions.js';
import { elementBytes, kernelNames } from '../../program/signatures.js';
import { Stream } from '../../random.js';

/**
 * A program as numbers, for the addon: a header, then each instruction as kernel number, flags, grain (0: the kernel's own) and
 * arguments of four numbers. native/executor/plan.cc reads this format and checks all of it.
 */

const VERSION = 2;
const tag = { none: 0, buffer: 1, feed: 2, number: 3, rows: 4, sourceRows: 5, scale: 6, offset: 7, scalar: 8, step: 9 } as const;
const flag = { barrier: 1, guard: 2, turn: 4 } as const;
/** Blocks of memory in the order in which they are handed over. */
export const segments = ['parameter', 'gradient', 'state', 'moment', 'work', 'metric'] as const;

function encodeTensor(tensor: Tensor, capacity: number): number[] {
  if (tensor.storage === 'feed') return [tag.feed, feeds.indexOf(tensor.feed as (typeof feeds)[number]), tensor.perRow, 0];
  const elements = tensor.perRow * capacity + tensor.fixed;
  return [tag.buffer, segments.indexOf(tensor.storage), tensor.offset * elementBytes[tensor.type], elements];
}

function encodeArgument(argument: Argument, capacity: number): number[] {
  if (argument === null) return [tag.none, 0, 0, 0];
  if (typeof argument === 'number') return [tag.number, argument, 0, 0];
  if (isTensor(argument)) return encodeTensor(argument, capacity);
  if (argument.symbol === 'rows') return [tag.rows, argument.times, 0, 0];
  if (argument.symbol === 'scalar') return [tag.scalar, argument.slot, 0, 0];
  return [tag[argument.symbol], 0, 0, 0];
}

export function encode(program: Program): Float64Array {
  const { capacity } = program.request;
  const words = [VERSION, program.instructions.length, capacity, program.scalarCount, Stream.shuffle];
  for (const instruction of program.instructions) {
    const flags =
      (instruction.barrier ? flag.barrier : 0) | (instruction.guard ? flag.guard : 0) | (instruction.turn ? flag.turn : 0);
    words.push(kernelNames.indexOf(instruction.kernel), flags, instruction.grain ?? 0, instruction.arguments.length);
    for (const argument of instruction.arguments) words.push(...encodeArgument(argument, capacity));
  }
  return Float64Array.from(words);
}
