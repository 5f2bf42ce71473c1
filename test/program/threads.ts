import { type BufferParameter, isBuffer } from '../../lib/kernels/signature.js';
import { signatureOf } from '../../lib/kernels/table.js';
import type { Program } from '../../lib/program/compile.js';
import { type Argument, axisOf, type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';

/**
 * What each thread touches, element by element, worked out on its own from the kernel table and from how the executor
 * divides the work: rows of the batch evenly, units of a constant axis in runs of the instruction's grain or the
 * kernel's. What is serial, one thread does while all wait at the barrier before it.
 */

/** `count` pieces of `length` bytes, the first from `begin` on, each `stride` after the one before it. */
interface Pieces {
  readonly begin: number;
  readonly length: number;
  readonly stride: number;
  readonly count: number;
}

/** What a thread touches of a block. */
interface Touch {
  readonly block: string;
  readonly pieces: Pieces;
  readonly write: boolean;
}

function overlap(a: Pieces, b: Pieces): boolean {
  if (a.count > 1 && b.count > 1 && a.stride !== b.stride) {
    return Array.from({ length: a.count }, (_, i) => ({ ...a, begin: a.begin + i * a.stride, count: 1 })).some(
      (piece) => overlap(piece, b),
    );
  }
  // Piece j of b lies `distance + (j − i) · stride` bytes after piece i of a.
  const stride = a.count > 1 ? a.stride : b.stride;
  const distance = b.begin - a.begin;
  const least = Math.floor((-b.length - distance) / stride) + 1;
  const most = Math.ceil((a.length - distance) / stride) - 1;
  return Math.max(least, 1 - a.count) <= Math.min(most, b.count - 1);
}

/** One touches what the other writes. */
function clash(a: Touch, b: Touch): boolean {
  return (a.write || b.write) && a.block === b.block && overlap(a.pieces, b.pieces);
}

const bytes = { f32: 4, f64: 8, i32: 4, u8: 1 } as const;
const SOURCE_ROWS = 1 << 20;

function value(argument: Argument, rows: number): number {
  if (typeof argument === 'number') return argument;
  if (argument !== null && !isTensor(argument) && argument.symbol === 'rows') return argument.times * rows;
  return SOURCE_ROWS;
}

/** Units [begin, end) of a share: docs/decisions/0004. Written apart from the library's, which it tests. */
export function share(units: number, grain: number, part: number, parts: number): [number, number] {
  const grains = Math.ceil(units / grain);
  // Larger shares come first, unless the last grain is a short one.
  const at = (i: number) =>
    Math.min(units, Math.floor((grains * i + (units % grain === 0 ? parts - 1 : 0)) / parts) * grain);
  return [at(part), at(part + 1)];
}

/** The batch's first byte in a buffer; feeds move with the batch. */
function base(tensor: Tensor, begin: number): number {
  return (tensor.offset + (tensor.storage === 'feed' ? tensor.perRow * begin : 0)) * bytes[tensor.type];
}

/** Rows of a batch, and those of all ranks that are one batch with it. */
export type Rows = number | readonly [rows: number, of: number];

function touches(instruction: Instruction, part: number, parts: number, batch: Rows, begin: number): Touch[] {
  const [own, of] = typeof batch === 'number' ? [batch, batch] : batch;
  const rows = instruction.allRows ? of : own;
  const { parameters } = signatureOf(instruction.kernel);
  const axis = axisOf(instruction);
  const grain = axis === 'parts' ? 1 : 16;
  const named = (name: string) => instruction.arguments[parameters.findIndex((p) => p.name === name)];
  const size = (name: string) => value(named(name), rows);
  const rangeOf = (dimension: string, runs: number, part: number, parts: number): [number, number] => {
    const argument = named(dimension);
    const times =
      argument !== null && typeof argument === 'object' && !isTensor(argument) && argument.symbol === 'rows'
        ? argument.times
        : 0;
    if (times === 0) return share(size(dimension), runs, part, parts);
    const [from, to] = share(rows, 1, part, parts);
    return [from * times, to * times];
  };
  const runs = instruction.grain ?? grain;
  // The second of three ranks.
  const [from, to] = instruction.ownShare && axis !== undefined ? rangeOf(axis, 16, 1, 3) : [0, 0];
  const range: [number, number] =
    axis === undefined
      ? [0, part === 0 ? 1 : 0]
      : instruction.ownShare
        ? (share(to - from, runs, part, parts).map((at) => from + at) as [number, number])
        : rangeOf(axis, runs, part, parts);
  if (range[0] >= range[1]) return [];
  return parameters.flatMap((parameter, i): Touch[] => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(tensor)) return [];
    const block = tensor.feed?.name ?? tensor.storage;
    const at = { width: bytes[tensor.type], begin: base(tensor, begin) };
    const write = parameter.kind !== 'in';
    const along = axis === 'parts' ? parameter.along : undefined;
    const divided = along ?? axis;
    // The kernel divides it into as many shares as the axis has units, of which this thread may have none or several.
    const part = (unit: number) => rangeOf(along as string, 16, unit, size(axis as string));
    const mine: [number, number] = along === undefined ? range : [part(range[0])[0], part(range[1] - 1)[1]];
    const whole = instruction.overRanks && parameter.whole;
    const extent = whole ? (name: string) => value(named(name), of) : size;
    return [{ block, pieces: piecesOf(parameter, extent, divided, mine, at), write }];
  });
}

/** What a range of the axis touches of a buffer, whose elements are `width` bytes wide. */
function piecesOf(
  { length, whole }: BufferParameter,
  size: (name: string) => number,
  axis: string | undefined,
  [from, to]: [number, number],
  { width, begin }: { width: number; begin: number },
): Pieces {
  const dimensions = length.map(size);
  const total = dimensions.reduce((product, dimension) => product * dimension, 1);
  const position = axis === undefined || whole ? -1 : length.indexOf(axis);
  if (position < 0) return { begin, length: total * width, stride: total * width, count: 1 };
  // One piece for each index of the dimensions before the axis.
  const outer = dimensions.slice(0, position).reduce((product, dimension) => product * dimension, 1);
  const inner = total / outer;
  const unit = inner / dimensions[position];
  return {
    begin: begin + from * unit * width,
    length: (to - from) * unit * width,
    stride: inner * width,
    count: outer,
  };
}

/**
 * Runs of instructions between barriers over two steps in a row, and the first pair of instructions in one run where a
 * thread touches what another one writes; undefined where there is none. `barriers` replaces the program's own.
 */
export function findRace(
  program: Program,
  parts: number,
  batches: readonly Rows[],
  barriers?: readonly boolean[],
): string | undefined {
  const open: { name: string; part: number; touch: Touch }[] = [];
  let begin = 0;
  let previous: string | undefined;
  for (const rows of batches) {
    // The executor has a barrier where the size of the batch changes.
    if (previous !== undefined && previous !== String(rows)) open.length = 0;
    previous = String(rows);
    let waiting = false;
    for (const [index, instruction] of program.instructions.entries()) {
      if (barriers?.[index] ?? instruction.barrier) {
        open.length = 0;
        waiting = true;
      }
      const name = `${index} ${instruction.kernel}`;
      const { serial, guard } = instruction;
      waiting &&= serial === true;
      if ((serial || guard) && !waiting) return `${name}: the others do not wait for it`;
      if (waiting) {
        if (axisOf(instruction) !== undefined) return `${name}: it is serial but has an axis`;
        waiting = !guard;
        continue;
      }
      for (let part = 0; part < parts; part++) {
        const mine = touches(instruction, part, parts, rows, begin);
        for (const touch of mine) {
          const other = open.find((candidate) => candidate.part !== part && clash(candidate.touch, touch));
          if (other !== undefined)
            return `${other.name} (thread ${other.part}) and ${name} (thread ${part}) in ${touch.block}`;
        }
        open.push(...mine.map((touch) => ({ name, part, touch })));
      }
    }
    begin += typeof rows === 'number' ? rows : rows[1];
  }
  return undefined;
}
