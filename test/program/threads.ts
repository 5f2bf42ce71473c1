import type { Program } from '../../lib/program/compile.js';
import { type Argument, type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';
import { type BufferParameter, isBuffer, signatureOf } from '../../lib/program/signatures.js';

/**
 * What each thread touches, element by element, worked out on its own from the kernel table and from how the executor
 * divides the work: rows of the batch evenly, units of a constant axis in runs of the instruction's grain or the kernel's. What has
 * no axis behind a barrier, one thread does while all wait.
 */

/** Bytes [begin, end). */
type Span = readonly [begin: number, end: number];

/** What a thread touches of a block: spans in ascending order. */
interface Touch {
  readonly block: string;
  readonly spans: readonly Span[];
  readonly write: boolean;
}

function overlap(a: readonly Span[], b: readonly Span[]): boolean {
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i][1] <= b[j][0]) i++;
    else if (b[j][1] <= a[i][0]) j++;
    else return true;
  }
  return false;
}

/** One touches what the other writes. */
function clash(a: Touch, b: Touch): boolean {
  return (a.write || b.write) && a.block === b.block && overlap(a.spans, b.spans);
}

const bytes = { f32: 4, f64: 8, i32: 4, u8: 1 } as const;
const SOURCE_ROWS = 1 << 20;

function value(argument: Argument, rows: number): number {
  if (typeof argument === 'number') return argument;
  if (argument !== null && !isTensor(argument) && argument.symbol === 'rows') return argument.times * rows;
  return SOURCE_ROWS;
}

function share(units: number, grain: number, part: number, parts: number): [number, number] {
  const grains = Math.ceil(units / grain);
  // Larger shares come first, unless the last grain is a short one.
  const at = (i: number) => Math.min(units, Math.floor((grains * i + (units % grain === 0 ? parts - 1 : 0)) / parts) * grain);
  return [at(part), at(part + 1)];
}

/** The batch's first byte in a buffer; feeds move with the batch. */
function base(tensor: Tensor, begin: number): number {
  return (tensor.offset + (tensor.storage === 'feed' ? tensor.perRow * begin : 0)) * bytes[tensor.type];
}

function touches(instruction: Instruction, part: number, parts: number, rows: number, begin: number): Touch[] {
  const { axis, grain, parameters } = signatureOf(instruction.kernel);
  const named = (name: string) => instruction.arguments[parameters.findIndex((p) => p.name === name)];
  const size = (name: string) => value(named(name), rows);
  const rangeOf = (dimension: string, runs: number): [number, number] => {
    const argument = named(dimension);
    const times =
      argument !== null && typeof argument === 'object' && !isTensor(argument) && argument.symbol === 'rows' ? argument.times : 0;
    if (times === 0) return share(size(dimension), runs, part, parts);
    const [from, to] = share(rows, 1, part, parts);
    return [from * times, to * times];
  };
  const range: [number, number] = axis === undefined ? [0, part === 0 ? 1 : 0] : rangeOf(axis, instruction.grain ?? grain);
  if (range[0] >= range[1]) return [];
  return parameters.flatMap((parameter, i): Touch[] => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(tensor)) return [];
    const block = tensor.feed ?? tensor.storage;
    const width = bytes[tensor.type];
    const start = base(tensor, begin);
    const write = parameter.kind !== 'in';
    const divided = parameter.along ?? axis;
    const mine = parameter.along === undefined ? range : rangeOf(parameter.along, 16);
    const spans = pieces(parameter, size, divided, mine).map(([from, to]): Span => [start + from * width, start + to * width]);
    return [{ block, spans, write }];
  });
}

/** Element ranges of a buffer that a range of the axis touches. */
function pieces(
  { length, whole }: BufferParameter,
  size: (name: string) => number,
  axis: string | undefined,
  [from, to]: [number, number],
): [number, number][] {
  const dimensions = length.map(size);
  const total = dimensions.reduce((product, dimension) => product * dimension, 1);
  const position = axis === undefined || whole ? -1 : length.indexOf(axis);
  if (position < 0) return [[0, total]];
  // One piece for each index of the dimensions before the axis.
  const outer = dimensions.slice(0, position).reduce((product, dimension) => product * dimension, 1);
  const inner = total / outer;
  const unit = inner / dimensions[position];
  return Array.from({ length: outer }, (_, i): [number, number] => [i * inner + from * unit, i * inner + to * unit]);
}

/**
 * Runs of instructions between barriers over two steps in a row, and the first pair of instructions in one run where a thread
 * touches what another one writes; undefined where there is none. `barriers` replaces the program's own.
 */
export function findRace(
  program: Program,
  parts: number,
  batches: readonly number[],
  barriers?: readonly boolean[],
): string | undefined {
  const open: { name: string; part: number; touch: Touch }[] = [];
  let begin = 0;
  let previous: number | undefined;
  for (const rows of batches) {
    // The executor lets all threads meet where the size of the batch changes.
    if (previous !== undefined && previous !== rows) open.length = 0;
    previous = rows;
    let meeting = false;
    for (const [index, instruction] of program.instructions.entries()) {
      if (barriers?.[index] ?? instruction.barrier) {
        open.length = 0;
        meeting = true;
      }
      meeting &&= signatureOf(instruction.kernel).axis === undefined;
      if (instruction.guard && !meeting) return `${index} ${instruction.kernel}: its guard is no meeting`;
      if (meeting) {
        meeting = !instruction.guard;
        continue;
      }
      const name = `${index} ${instruction.kernel}`;
      for (let part = 0; part < parts; part++) {
        const mine = touches(instruction, part, parts, rows, begin);
        for (const touch of mine) {
          const other = open.find((candidate) => candidate.part !== part && clash(candidate.touch, touch));
          if (other !== undefined) return `${other.name} (thread ${other.part}) and ${name} (thread ${part}) in ${touch.block}`;
        }
        open.push(...mine.map((touch) => ({ name, part, touch })));
      }
    }
    begin += rows;
  }
  return undefined;
}

/**
 * The first pair of instructions of one phase that belong to different groups, which threads may run in any order, although one touches
 * what the other writes; undefined where there is none.
 */
export function findRelatedGroups(program: Program): string | undefined {
  const rows = program.request.capacity;
  let open: { name: string; group: number; touch: Touch }[] = [];
  let group = 0;
  for (const [index, instruction] of program.instructions.entries()) {
    if (instruction.barrier) open = [];
    if (instruction.turn) group++;
    // In the meeting, before all groups.
    if (signatureOf(instruction.kernel).axis === undefined) continue;
    const name = `${index} ${instruction.kernel}`;
    for (const touch of touches(instruction, 0, 1, rows, 0)) {
      const other = open.find((candidate) => candidate.group !== group && clash(candidate.touch, touch));
      if (other !== undefined) return `${other.name} and ${name} in ${touch.block}`;
      open.push({ name, group, touch });
    }
  }
  return undefined;
}
