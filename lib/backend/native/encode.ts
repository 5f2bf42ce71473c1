import { type ElementType, elementBytes } from '../../kernels/signature.js';
import { kernelNames, signatureOf } from '../../kernels/table.js';
import type { Program } from '../../program/compile.js';
import { type Argument, type FeedEntry, feedRoles, isTensor } from '../../program/instructions.js';
import { Stream } from '../../random.js';
import { samplings } from '../backend.js';

/**
 * Encodes a program as numbers for the addon: a header; then each feed as role, element type and elements per row; then
 * each instruction as kernel number, flags, grain (0: the kernel's own), index of its axis among the kernel's, and
 * arguments of four numbers each. native/executor/plan.cc decodes and checks this format.
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

const tag = (name: (typeof format.argumentTag)[number]) => format.argumentTag.indexOf(name);
/** Element types, numbered by position. */
const types = Object.keys(elementBytes) as ElementType[];

function encodeArgument(argument: Argument, { feeds, request: { capacity } }: Program): number[] {
  if (argument === null) return [tag('none'), 0, 0, 0];
  if (typeof argument === 'number') return [tag('number'), argument, 0, 0];
  if (isTensor(argument)) {
    const { storage, feed, type, offset, perRow, fixed } = argument;
    if (storage === 'feed') return [tag('feed'), feeds.indexOf(feed as FeedEntry), 0, 0];
    return [tag('buffer'), format.segment.indexOf(storage), offset * elementBytes[type], perRow * capacity + fixed];
  }
  if (argument.symbol === 'rows') return [tag('rows'), argument.times, 0, 0];
  if (argument.symbol === 'scalar') return [tag('scalar'), argument.slot, 0, 0];
  return [tag(argument.symbol), 'feed' in argument ? feeds.indexOf(argument.feed) : 0, 0, 0];
}

export function encode(program: Program): Float64Array {
  const { instructions, request, scalarCount, feeds, loss, reported, condition } = program;
  const words = [
    VERSION,
    instructions.length,
    request.capacity,
    scalarCount,
    Stream.shuffle,
    feeds.length,
    loss,
    reported,
    condition === undefined ? 0 : condition + 1,
    request.ranks?.allRows ?? 0,
  ];
  for (const { role, type, perRow } of feeds) words.push(feedRoles.indexOf(role), types.indexOf(type), perRow);
  for (const instruction of instructions) {
    const bits = format.flag.reduce((sum, flag, i) => sum + (instruction[flag] ? 1 << i : 0), 0);
    const { kernel, grain = 0, axis, arguments: list } = instruction;
    const axisPlace = axis === undefined ? 0 : signatureOf(kernel).axes.indexOf(axis);
    words.push(kernelNames.indexOf(kernel), bits, grain, axisPlace, list.length);
    for (const argument of list) words.push(...encodeArgument(argument, program));
  }
  return Float64Array.from(words);
}
