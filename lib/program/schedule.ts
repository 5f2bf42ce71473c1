import { type Instruction, isTensor, sizeOf, type Tensor } from './instructions.js';
import { type BufferParameter, elementBytes, isBuffer, signatureOf } from './signatures.js';

/**
 * Threads run the same list of instructions, each on its share of every kernel's axis. They need not meet between two
 * instructions as long as each thread reads only what it wrote itself. This pass finds where that does not hold and
 * marks those instructions with a barrier. It looks at steps of one batch size: where the size changes, the executor
 * lets the threads meet by itself.
 */

/** An interval of memory that an instruction touches, and how the threads divide it. */
interface Access {
  readonly storage: string;
  readonly begin: number;
  readonly end: number;
  readonly write: boolean;
  /** Threads with the same partition touch the same shares; 'whole': every thread may touch all of it. */
  readonly partition: string;
}

function accessOf(tensor: Tensor, parameter: BufferParameter, instruction: Instruction, capacity: number): Access {
  const { axis, parameters } = signatureOf(instruction.kernel);
  const begin = tensor.offset * elementBytes[tensor.type];
  const end = begin + (tensor.perRow * capacity + tensor.fixed) * elementBytes[tensor.type];
  const storage = tensor.feed ?? tensor.storage;
  let partition = 'whole';
  if (axis === undefined) partition = 'first thread';
  else if (parameter.length[0] === axis && !parameter.whole) {
    const value = instruction.arguments[parameters.findIndex((p) => p.name === axis)];
    const byRows = typeof value === 'object';
    const length = parameter.length
      // A dataset's rows have no bound here: feeds are told apart by name, not by extent.
      .map(
        (name) =>
          sizeOf(instruction.arguments[parameters.findIndex((p) => p.name === name)], capacity) ?? Number.POSITIVE_INFINITY,
      )
      .reduce((product, size) => product * size, 1);
    // A share is a run of whole rows of the batch, or of units of a constant axis.
    partition = byRows ? `rows from ${begin}, ${length / capacity} each` : `${value} units from ${begin}, ${length} in all`;
  }
  const write = parameter.kind !== 'in';
  return { storage, begin, end, write, partition };
}

function accesses(instruction: Instruction, capacity: number): Access[] {
  const { parameters } = signatureOf(instruction.kernel);
  const list = parameters.flatMap((parameter, i) => {
    const argument = instruction.arguments[i];
    return isBuffer(parameter) && isTensor(argument) ? [accessOf(argument, parameter, instruction, capacity)] : [];
  });
  // The guard reads the step's mean loss on every thread.
  if (instruction.guard) list.push({ storage: 'metric', begin: 0, end: 64, write: false, partition: 'whole' });
  return list;
}

function conflict(a: Access, b: Access): boolean {
  const overlap = a.storage === b.storage && a.begin < b.end && b.begin < a.end;
  return overlap && (a.write || b.write) && (a.partition !== b.partition || a.partition === 'whole');
}

/** Marks the instructions that need a barrier before them, for a list that is run again and again. */
export function schedule(instructions: Instruction[], capacity: number): void {
  const all = instructions.map((instruction) => accesses(instruction, capacity));
  for (const instruction of instructions) instruction.barrier = false;
  // A second round sees what the end of one step leaves for the beginning of the next.
  let open: Access[] = [];
  for (let round = 0; round < 2; round++) {
    instructions.forEach((instruction, i) => {
      if (instruction.barrier || all[i].some((mine) => open.some((other) => conflict(mine, other)))) {
        instruction.barrier = true;
        open = [];
      }
      open.push(...all[i]);
    });
  }
}
