import { type ElementType, elementBytes } from '../../kernels/signature.js';
import { kernelNames, signatureOf } from '../../kernels/table.js';
import type { Program } from '../../program/compile.js';
import { type Argument, type FeedEntry, feedRoles, isTensor } from '../../program/instructions.js';
import { Stream } from '../../random.js';
import { samplings } from '../backend.js';

/**
 * Encodes a program as numbers for the addon: a header, then each feed, then each instruction, followed by its
 * arguments. native/executor/plan.cc decodes and checks this format.
 */

export const VERSION = 9;

/**
 * What numbers in the format stand for: a number is a place in its list, and of `flag` a bit, from the lowest. C++ has
 * them from native/executor/format.h, which `npm run generate` writes.
 */
export const format = {
  argumentTag: [
    ...(['none', 'buffer', 'feed', 'number', 'rows', 'sourceRows', 'scale', 'offset'] as const),
    ...(['scalar', 'step', 'share', 'length'] as const),
  ],
  flag: ['barrier', 'guard', 'serial', 'conditional', 'overRanks', 'ownRows', 'allRows', 'ownShare'],
  /** Blocks of memory in the order in which they are passed to the addon. */
  segment: ['parameter', 'gradient', 'state', 'moment', 'work', 'metric', 'accumulated'],
  feedRole: feedRoles,
  sampling: samplings,
} as const;

/** The numbers of each record, in order. C++ has their places from format.h, too. */
export const layouts = {
  /** `condition` is one more than the slot of the scalar, or 0; `allCapacity` the rows of all ranks, or 0. */
  header: [
    ...(['version', 'instructions', 'capacity', 'scalars', 'shuffleStream', 'feeds', 'loss', 'reported'] as const),
    ...(['condition', 'allCapacity'] as const),
  ],
  feed: ['role', 'element', 'perRow'],
  /** `grain` 0 is the kernel's own; `axis` is the index of the axis among the kernel's. */
  instruction: ['kernel', 'flags', 'grain', 'axis', 'arguments'],
  /** `value` of a buffer is its segment; `offset` is in bytes, `length` in elements. */
  argument: ['tag', 'value', 'offset', 'length'],
  /** The numbers of a run, followed by those of each feed. */
  run: ['rows', 'drawn', 'batchSize', 'epochs', 'sampling', 'seed', 'epoch', 'step', 'threads', 'batches'],
  runFeed: ['scale', 'offset'],
  /** What a synchronous run writes over its numbers. */
  result: ['steps', 'seconds'],
} as const;

/** The place of each field in a record. */
export function placesOf<Field extends string>(fields: readonly Field[]): Readonly<Record<Field, number>> {
  return Object.fromEntries(fields.map((field, place) => [field, place])) as Record<Field, number>;
}

/** The numbers of a record. */
export function record<Field extends string>(
  fields: readonly Field[],
  values: Readonly<Record<Field, number>>,
): number[] {
  return fields.map((field) => values[field]);
}

/** Element types, numbered by position. */
const types = Object.keys(elementBytes) as ElementType[];

function argumentRecord(name: (typeof format.argumentTag)[number], value = 0, offset = 0, length = 0): number[] {
  return record(layouts.argument, { tag: format.argumentTag.indexOf(name), value, offset, length });
}

function encodeArgument(argument: Argument, { feeds, request: { capacity } }: Program): number[] {
  if (argument === null) return argumentRecord('none');
  if (typeof argument === 'number') return argumentRecord('number', argument);
  if (isTensor(argument)) {
    const { storage, feed, type, offset, perRow, fixed } = argument;
    if (storage === 'feed') return argumentRecord('feed', feeds.indexOf(feed as FeedEntry));
    const segment = format.segment.indexOf(storage);
    return argumentRecord('buffer', segment, offset * elementBytes[type], perRow * capacity + fixed);
  }
  if (argument.symbol === 'rows') return argumentRecord('rows', argument.times);
  if (argument.symbol === 'scalar') return argumentRecord('scalar', argument.slot);
  return argumentRecord(argument.symbol, 'feed' in argument ? feeds.indexOf(argument.feed) : 0);
}

export function encode(program: Program): Float64Array {
  const { instructions, request, scalarCount, feeds, loss, reported, condition } = program;
  const words = record(layouts.header, {
    version: VERSION,
    instructions: instructions.length,
    capacity: request.capacity,
    scalars: scalarCount,
    shuffleStream: Stream.shuffle,
    feeds: feeds.length,
    loss,
    reported,
    condition: condition === undefined ? 0 : condition + 1,
    allCapacity: request.ranks?.allRows ?? 0,
  });
  for (const { role, type, perRow } of feeds)
    words.push(...record(layouts.feed, { role: feedRoles.indexOf(role), element: types.indexOf(type), perRow }));
  for (const instruction of instructions) {
    const { kernel, grain = 0, axis, arguments: list } = instruction;
    words.push(
      ...record(layouts.instruction, {
        kernel: kernelNames.indexOf(kernel),
        flags: format.flag.reduce((sum, flag, i) => sum + (instruction[flag] ? 1 << i : 0), 0),
        grain,
        axis: axis === undefined ? 0 : signatureOf(kernel).axes.indexOf(axis),
        arguments: list.length,
      }),
    );
    for (const argument of list) words.push(...encodeArgument(argument, program));
  }
  return Float64Array.from(words);
}
