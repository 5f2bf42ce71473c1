import { type Instruction, isTensor, sizeOf, type Tensor } from './instructions.js';
import { type BufferParameter, elementBytes, GRAIN, isBuffer, type KernelName, signatureOf } from './signatures.js';

/**
 * Threads run the same list of instructions, each on its share of every kernel's axis. They need not meet between two
 * instructions as long as each thread reads only what it wrote itself. This pass finds where that does not hold and
 * marks those instructions with a barrier. Instructions without axis directly behind a barrier are run by one thread while the
 * others still wait there. It looks at steps of one batch size: where the size changes, the executor lets the threads meet by itself.
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

function partitionOf(tensor: Tensor, parameter: BufferParameter, instruction: Instruction, begin: number, capacity: number) {
  const { axis, grain, parameters } = signatureOf(instruction.kernel);
  if (axis === undefined) return 'first thread';
  const divided = parameter.along ?? axis;
  const position = parameter.whole ? -1 : parameter.length.indexOf(divided);
  if (position < 0) return 'whole';
  const value = (name: string) => instruction.arguments[parameters.findIndex((p) => p.name === name)];
  // A dataset's rows have no bound here: feeds are told apart by name, not by extent.
  const sizes = parameter.length.map((name) => sizeOf(value(name), capacity) ?? Number.POSITIVE_INFINITY);
  const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
  const bytes = product(sizes.slice(position + 1)) * elementBytes[tensor.type];
  const outer = product(sizes.slice(0, position));
  const layout = `${outer} times from ${begin}`;
  // A share is a run of whole rows of the batch, or of grains of a constant axis.
  if (typeof value(divided) === 'object') return `rows of ${(sizes[position] * bytes) / capacity}, ${layout}`;
  const run = parameter.along === undefined ? (instruction.grain ?? grain) : GRAIN;
  return `runs of ${run * bytes} in ${sizes[position] * bytes}, ${layout}`;
}

function accessOf(tensor: Tensor, parameter: BufferParameter, instruction: Instruction, capacity: number): Access {
  const begin = tensor.offset * elementBytes[tensor.type];
  const end = begin + (tensor.perRow * capacity + tensor.fixed) * elementBytes[tensor.type];
  const partition = partitionOf(tensor, parameter, instruction, begin, capacity);
  return { storage: tensor.feed ?? tensor.storage, begin, end, write: parameter.kind !== 'in', partition };
}

function accesses(instruction: Instruction, capacity: number): Access[] {
  return signatureOf(instruction.kernel).parameters.flatMap((parameter, i) => {
    const argument = instruction.arguments[i];
    return isBuffer(parameter) && isTensor(argument) ? [accessOf(argument, parameter, instruction, capacity)] : [];
  });
}

/** One touches what the other writes. */
function related(a: Access, b: Access): boolean {
  return a.storage === b.storage && a.begin < b.end && b.begin < a.end && (a.write || b.write);
}

/** One touches what the other writes on another thread. */
function conflict(a: Access, b: Access): boolean {
  return related(a, b) && (a.partition !== b.partition || a.partition === 'whole');
}

/** Marks the instructions that need a barrier before them, for a list that is run again and again. */
function markBarriers(instructions: readonly Instruction[], capacity: number): void {
  const all = instructions.map((instruction) => accesses(instruction, capacity));
  for (const instruction of instructions) instruction.barrier = instruction.guard;
  // A second round sees what the end of one step leaves for the beginning of the next.
  let open: Access[] = [];
  for (let round = 0; round < 2; round++) {
    let meeting = false;
    instructions.forEach((instruction, i) => {
      if (instruction.barrier || all[i].some((mine) => open.some((other) => conflict(mine, other)))) {
        instruction.barrier = true;
        meeting = true;
        open = [];
      }
      meeting &&= signatureOf(instruction.kernel).axis === undefined;
      // What is done while all wait is done before any goes on.
      if (!meeting) open.push(...all[i]);
      if (instruction.guard) meeting = false;
    });
  }
}

const totals: readonly KernelName[] = ['penalty', 'batchTotals'];

/** The guarded totals of a step, moved up to the first meeting behind the loss: they need one, and that one is there anyway. */
function totalsAtMeeting(instructions: readonly Instruction[]): readonly Instruction[] {
  const last = instructions.findIndex(({ guard }) => guard);
  if (last < 0) return instructions;
  let first = last;
  while (first > 0 && totals.includes(instructions[first - 1].kernel)) first--;
  const read = new Set(instructions[last].arguments.filter(isTensor));
  const loss = instructions.findLastIndex(
    ({ arguments: list }, i) => i < first && list.some((argument) => isTensor(argument) && read.has(argument)),
  );
  const meeting = instructions.findIndex(({ barrier }, i) => i > loss && i < first && barrier);
  if (meeting < 0) return instructions;
  const moved = instructions.slice(first, last + 1);
  return [...instructions.slice(0, meeting), ...moved, ...instructions.slice(meeting, first), ...instructions.slice(last + 1)];
}

/**
 * Each instruction of the update behind the last one that it depends on, so that it finds a gradient still in the cache. None
 * comes before the guard.
 */
function updatesBehindGradients(instructions: readonly Instruction[], capacity: number): readonly Instruction[] {
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

/** Parameters of as many bytes, with their gradients and moments, wait for the memory while they are updated. */
const TURNS_PAY = 8 << 20;

/** Instructions from `first` on that have nothing to do with those of other groups. */
interface Group {
  readonly first: Instruction;
  readonly touched: Access[];
}

/** Marks the groups of the instructions between two barriers, if their updates are large enough. */
function markGroups(groups: readonly Group[]): void {
  const parameters = groups.flatMap(({ touched }) => touched).filter(({ storage, write }) => storage === 'parameter' && write);
  if (parameters.reduce((bytes, { begin, end }) => bytes + end - begin, 0) < TURNS_PAY) return;
  for (const { first } of groups.slice(1)) first.turn = true;
}

/**
 * Marks where threads may take turns: runs of instructions between two barriers that have nothing to do with each other, such as
 * the gradient and the update of a parameter. Large updates wait for the memory, and while one thread does, another had better
 * multiply.
 */
function markTurns(instructions: readonly Instruction[], capacity: number): void {
  let groups: Group[] = [];
  for (const instruction of instructions) {
    if (instruction.barrier) {
      markGroups(groups);
      groups = [];
    }
    const touched = accesses(instruction, capacity);
    const own = groups.findIndex((group) => group.touched.some((other) => touched.some((mine) => related(mine, other))));
    if (own < 0) groups.push({ first: instruction, touched });
    // What lies between the two belongs to them now.
    else groups[own].touched.push(...groups.splice(own + 1).flatMap((group) => group.touched), ...touched);
  }
  markGroups(groups);
}

/** The instructions in the order of their execution, those marked before which all threads meet. */
export function schedule(instructions: readonly Instruction[], capacity: number): readonly Instruction[] {
  markBarriers(instructions, capacity);
  const ordered = updatesBehindGradients(totalsAtMeeting(instructions), capacity);
  markBarriers(ordered, capacity);
  markTurns(ordered, capacity);
  return ordered;
}
