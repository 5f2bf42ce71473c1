import { type BufferParameter, elementBytes, GRAIN, grainOf, isBuffer, PARTS } from '../../kernels/signature.js';
import { type KernelName, signatureOf, sumsOverRanks } from '../../kernels/table.js';
import { product } from '../../numbers.js';
import { axisOf, type Instruction, isTensor, sizeOf, type Tensor } from '../../program/instructions.js';

/**
 * All threads run the same list of instructions, each on its share of every kernel's axis. No barrier is needed between
 * two instructions as long as each thread reads only what it wrote itself. This pass finds where that does not hold and
 * marks those instructions with a barrier. Instructions without an axis directly after a barrier are serial: one thread
 * runs them while the others still wait there. The pass assumes a constant batch size; where the size changes, the
 * executor adds a barrier.
 */

/** A memory interval that an instruction accesses, and how the threads divide it. */
interface Access {
  readonly storage: string;
  readonly begin: number;
  readonly end: number;
  readonly write: boolean;
  /** With equal partitions, each thread accesses the same share; 'whole': any thread may access all of it. */
  readonly partition: string;
}

function partitionOf(
  tensor: Tensor,
  parameter: BufferParameter,
  instruction: Instruction,
  begin: number,
  capacity: number,
) {
  const { parameters } = signatureOf(instruction.kernel);
  const axis = axisOf(instruction);
  if (axis === undefined) return 'first thread';
  const along = axis === PARTS ? parameter.along : undefined;
  const divided = along ?? axis;
  const value = (name: string) => instruction.arguments[parameters.findIndex((p) => p.name === name)];
  // A single part is one thread's, however many there are: it accesses what the others have shares of.
  const undivided = parameter.whole || (along !== undefined && value(axis) === 1);
  const position = undivided ? -1 : parameter.length.indexOf(divided);
  if (position < 0) return 'whole';
  const rank = instruction.ownShare ? "a rank's share, " : '';
  // A dataset's row count is unknown here: feeds are distinguished by name, not by extent.
  const sizes = parameter.length.map((name) => sizeOf(value(name), capacity) ?? Number.POSITIVE_INFINITY);
  const bytes = product(sizes.slice(position + 1)) * elementBytes[tensor.type];
  const outer = product(sizes.slice(0, position));
  const layout = `${outer} times from ${begin}`;
  // A share consists of whole rows of the batch, or of whole grains of a constant axis.
  if (typeof value(divided) === 'object') {
    const rows = instruction.allRows ? 'rows of all ranks' : 'rows';
    return `${rows} of ${(sizes[position] * bytes) / capacity}, ${layout}`;
  }
  const run = along === undefined ? (instruction.grain ?? grainOf(axis)) : GRAIN;
  return `${rank}runs of ${run * bytes} in ${sizes[position] * bytes}, ${layout}`;
}

function accessOf(tensor: Tensor, parameter: BufferParameter, instruction: Instruction, capacity: number): Access {
  const begin = tensor.offset * elementBytes[tensor.type];
  const end = begin + (tensor.perRow * capacity + tensor.fixed) * elementBytes[tensor.type];
  const partition = partitionOf(tensor, parameter, instruction, begin, capacity);
  return { storage: tensor.feed?.name ?? tensor.storage, begin, end, write: parameter.kind !== 'in', partition };
}

function accesses(instruction: Instruction, capacity: number): Access[] {
  return signatureOf(instruction.kernel).parameters.flatMap((parameter, i) => {
    const argument = instruction.arguments[i];
    return isBuffer(parameter) && isTensor(argument) ? [accessOf(argument, parameter, instruction, capacity)] : [];
  });
}

/** Whether one accesses what the other writes. */
function related(a: Access, b: Access): boolean {
  return a.storage === b.storage && a.begin < b.end && b.begin < a.end && (a.write || b.write);
}

/** Whether one accesses what the other writes on another thread. */
function conflict(a: Access, b: Access): boolean {
  return related(a, b) && (a.partition !== b.partition || a.partition === 'whole');
}

/** Marks the instructions that need a barrier before them, for a list that runs repeatedly. */
function markBarriers(instructions: readonly Instruction[], capacity: number): void {
  const all = instructions.map((instruction) => accesses(instruction, capacity));
  for (const instruction of instructions) instruction.barrier = instruction.guard;
  // A second round finds conflicts between the end of one step and the start of the next.
  let open: Access[] = [];
  for (let round = 0; round < 2; round++) {
    let serial = false;
    instructions.forEach((instruction, i) => {
      // One thread sums over the ranks.
      const alone = sumsOverRanks.includes(instruction.kernel) && !serial;
      if (instruction.barrier || alone || all[i].some((mine) => open.some((other) => conflict(mine, other)))) {
        instruction.barrier = true;
        serial = true;
        open = [];
      }
      serial &&= axisOf(instruction) === undefined;
      instruction.serial = serial;
      // Serial instructions finish before any other thread continues, so they cannot conflict.
      if (!serial) open.push(...all[i]);
      if (instruction.guard) serial = false;
    });
  }
}

const totals: readonly KernelName[] = ['penalty', 'batchTotals', 'addTotal'];

/**
 * Moves a step's guarded totals up to the first barrier after the loss. They need a barrier, and this one exists
 * anyway.
 */
function totalsAtBarrier(instructions: readonly Instruction[]): readonly Instruction[] {
  const last = instructions.findIndex(({ guard }) => guard);
  // With ranks, the totals wait for the sums anyway; a guard of the gradients waits for these.
  if (last < 0 || !totals.includes(instructions[last].kernel)) return instructions;
  if (instructions.some(({ kernel }) => sumsOverRanks.includes(kernel))) return instructions;
  let first = last;
  while (first > 0 && totals.includes(instructions[first - 1].kernel)) first--;
  const moved = instructions.slice(first, last + 1);
  const read = new Set(moved.flatMap(({ arguments: list }) => list.filter(isTensor)));
  const loss = instructions.findLastIndex(
    ({ arguments: list }, i) => i < first && list.some((argument) => isTensor(argument) && read.has(argument)),
  );
  const place = instructions.findIndex(({ barrier }, i) => i > loss && i < first && barrier);
  if (place < 0) return instructions;
  return [
    ...instructions.slice(0, place),
    ...moved,
    ...instructions.slice(place, first),
    ...instructions.slice(last + 1),
  ];
}

/**
 * Moves each update instruction directly after the last one that it depends on, so that the gradient is still in the
 * cache. None moves before the guard.
 */
function updatesAfterGradients(instructions: readonly Instruction[], capacity: number): readonly Instruction[] {
  const guard = instructions.findIndex((instruction) => instruction.guard);
  if (guard < 0) return instructions;
  const list = instructions.map((instruction) => ({ instruction, touched: accesses(instruction, capacity) }));
  for (let i = guard + 1; i < list.length; i++) {
    const { instruction, touched } = list[i];
    if (instruction.grain === undefined) continue;
    let at = i;
    while (at > guard + 1 && !list[at - 1].touched.some((other) => touched.some((mine) => related(mine, other)))) at--;
    list.splice(at, 0, ...list.splice(i, 1));
  }
  return list.map(({ instruction }) => instruction);
}

/** The instructions in execution order, with barriers and serial instructions marked. */
export function schedule(instructions: readonly Instruction[], capacity: number): readonly Instruction[] {
  markBarriers(instructions, capacity);
  const ordered = updatesAfterGradients(totalsAtBarrier(instructions), capacity);
  markBarriers(ordered, capacity);
  return ordered;
}
