import { BlasnetError } from '../errors.js';
import { elementBytes, isBuffer } from '../kernels/signature.js';
import { signatureOf } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { placeWork } from './arena.js';
import { writeAugment } from './augment.js';
import { ProgramBuilder } from './builder.js';
import type { Rule } from './edit.js';
import { ancestors, writeBackward, writeForward } from './graph.js';
import {
  elements,
  type FeedEntry,
  type Instruction,
  isTensor,
  type Mode,
  rows,
  sizeOf,
  type Tensor,
} from './instructions.js';
import {
  feedName,
  type LossPart,
  type RankUse,
  reportedTotals,
  type Use,
  writeGather,
  writeLosses,
  writeTotals,
} from './losses.js';
import { frozenLayer, goalsOf, type Model, type ModelOutput, placeOf, shapeOf } from './model.js';
import {
  divideUpdate,
  markRanks,
  StartedSums,
  sumStatistics,
  widenMixed,
  writeRankMeans,
  writeRankSums,
} from './ranks.js';
import { removeUnused, rewrite, rules } from './rewrite.js';
import { writeAccumulation, writeGradientCheck, writePenaltyGradients, writeUpdate } from './update.js';
import { describeInstruction } from './work.js';

/** What a program does with each batch. */
export type ProgramKind =
  /** Forward, loss, backward, update. */
  | 'train'
  /** Forward in inference mode, loss and hits. */
  | 'evaluate'
  /** Forward in inference mode, then the loss's link, into the output feed. */
  | 'predict'
  /** Raw outputs into the output feed. */
  | 'forward'
  | 'forwardTraining'
  /** Forward, loss and backward down to the inputs' gradients; no update. */
  | 'gradients'
  /** As `gradients`, from given gradients of the outputs instead of losses. */
  | 'backward'
  /** Only the optimizer's step, on the current gradients. */
  | 'update';

/** How a backend splits a program among its threads. */
export interface Threading {
  /** Rewrite rules for threading, applied after the rules for all backends. */
  readonly rules: readonly Rule[];
  /** Puts the instructions into their final order, and marks the barriers. */
  schedule(instructions: readonly Instruction[], capacity: number): readonly Instruction[];
}

export interface ProgramRequest extends Use {
  readonly kind: ProgramKind;
  /** The largest batch. */
  readonly capacity: number;
  /** Maximum number of threads of a run. */
  readonly threads: number;
  /** The backend's threading; undefined if it runs programs unchanged on one thread. */
  readonly threading?: Threading | undefined;
  /**
   * For `train`: a step of the optimizer takes the gradients of several batches. The program then reads more scalars
   * after those of the optimizer: the share of the batch in the rows of the step so far; with ranks, or where they
   * average parameters, this one's part of the rows of all; and whether the batch is the last one of the step.
   */
  readonly accumulate?: boolean | undefined;
  /** For `train`: the guard also ends a step whose gradients are not finite. */
  readonly checkGradients?: boolean | undefined;
  /** Whether to apply the rewrite rules; tests turn them off to compare both. */
  readonly rewrite: boolean;
}

/** A network compiled for one use: a flat list of kernel calls over blocks of memory. */
export interface Program {
  readonly request: ProgramRequest;
  readonly instructions: readonly Instruction[];
  /** Number of threads that the amount of work justifies. */
  readonly threads: number;
  /** Elements (4 bytes each) of work memory. */
  readonly workLength: number;
  /** Scalars that a run supplies for each step. */
  readonly scalarCount: number;
  /** Position of the scalar that decides about a step's conditional instructions; undefined if there are none. */
  readonly condition: number | undefined;
  /** The inputs and outputs that each run supplies. */
  readonly feeds: readonly FeedEntry[];
  /** Index in the metric block of the total that a guard checks: the loss, or what tells of the gradients, too. */
  readonly loss: number;
  /** Totals in the metric block. */
  readonly totals: number;
  /** How many totals, from the start of the metric block, are reported after each step: see {@link reportedTotals}. */
  readonly reported: number;
}

/** FLOPs that justify one more thread: about ten microseconds of matrix products. */
const FLOPS_PER_THREAD = 2e6;

/** Whether programs of this kind run in training mode, where steps draw random masks. */
export function isTraining(kind: ProgramKind): boolean {
  return kind === 'train' || kind === 'gradients' || kind === 'backward' || kind === 'forwardTraining';
}

/** Whether programs of this kind end with the optimizer's step. */
export function hasUpdate(kind: ProgramKind): boolean {
  return kind === 'train' || kind === 'update';
}

/** Compiles `model` for one use; kinds that update need `optimizer`. */
export function compile(model: Model, request: ProgramRequest, optimizer?: Optimizer): Program {
  const builder = new ProgramBuilder(model, optimizer);
  const { kind } = request;
  const reported =
    kind === 'train' || kind === 'gradients' || kind === 'evaluate' ? reportedTotals(model, request) : [];
  // The reported totals are the first of the block.
  for (const name of reported) builder.total(name);
  if (kind !== 'update') writePasses(builder, model, request);
  checkWritten(builder, reported);
  let guarded = reported.length > 0 ? builder.total(reported[0]) : null;
  let scalarCount = 0;
  let condition: number | undefined;
  if (hasUpdate(kind)) {
    if (optimizer === undefined) throw new BlasnetError('INTERNAL', 'a program that updates needs an optimizer');
    const { accumulate, ranks } = request;
    ({ scalarCount } = optimizer);
    const writeMeans = (use: RankUse) =>
      writeRankMeans(builder, model, optimizer, use, { symbol: 'scalar', slot: scalarCount++ });
    if (kind === 'update') {
      if (ranks !== undefined) {
        writeMeans(ranks);
        writePenaltyGradients(builder, model);
      }
    }
    if (kind === 'update' || request.checkGradients) guarded = writeGradientCheck(builder, model, optimizer, guarded);
    const updateStart = builder.instructions.length;
    if (accumulate) writeAccumulation(builder, model, optimizer, { symbol: 'scalar', slot: scalarCount++ });
    let conditionalStart = builder.instructions.length;
    if (accumulate && ranks !== undefined) {
      writeMeans(ranks);
      writePenaltyGradients(builder, model);
    }
    writeUpdate(builder, model, optimizer);
    if (ranks?.sums === 'parameters') {
      conditionalStart = builder.instructions.length;
      writeMeans(ranks);
    }
    if (accumulate || ranks?.sums === 'parameters') {
      for (const instruction of builder.instructions.slice(conditionalStart)) instruction.conditional = true;
      condition = scalarCount++;
    }
    // The last instruction before the update writes the totals, or the gradient check if anything is trained.
    if (updateStart > 0 && builder.instructions.length > updateStart)
      builder.instructions[updateStart - 1].guard = true;
  }

  const { capacity } = request;
  if (request.ranks?.allRows) widenMixed(builder.instructions, request.ranks.allRows);
  const needed = kind === 'train' ? removeUnused(builder.instructions, model, optimizer) : builder.instructions;
  const flops = needed.reduce((sum, instruction) => sum + describeInstruction(instruction, capacity).flops, 0);
  const threads = Math.max(1, Math.min(request.threads, Math.floor(flops / FLOPS_PER_THREAD)));
  const { threading, ranks: { divided = 1 } = {} } = request;
  const applied = request.rewrite ? [...rules, ...(threading?.rules ?? [])] : [];
  const rewritten = rewrite(divided > 1 ? divideUpdate(needed) : needed, applied, capacity, threads);
  const workLength = placeWork(rewritten, capacity) / elementBytes.f32;
  const instructions = threading?.schedule(rewritten, capacity) ?? rewritten;
  if (kind === 'train' && request.ranks !== undefined) markRanks(instructions, request.ranks);
  return {
    request,
    instructions,
    threads,
    workLength,
    scalarCount,
    condition,
    feeds: builder.feeds,
    totals: builder.totalLength,
    loss: guarded?.offset ?? 0,
    reported: reported.length,
  };
}

/** Throws `INTERNAL` if a step would report a total that nothing writes. */
function checkWritten(builder: ProgramBuilder, reported: readonly string[]): void {
  const written = new Set(
    builder.instructions.flatMap(({ kernel, arguments: list }) => {
      const { parameters } = signatureOf(kernel);
      return list.filter((_, i) => parameters[i].kind === 'out' || parameters[i].kind === 'inout');
    }),
  );
  const missing = reported.find((name) => !written.has(builder.total(name)));
  if (missing !== undefined) throw new BlasnetError('INTERNAL', `no instruction writes the total ${missing}`);
}

/** The places whose values a program gives, each with the name of its feed. */
function givenPlaces(
  model: Model,
  { kind, outputs }: ProgramRequest,
): { place: number; feed: string; output?: ModelOutput }[] {
  if (outputs === undefined) {
    return model.outputs.map((output) => {
      const linked = kind === 'predict' && output.loss?.writeLink !== undefined;
      return {
        place: linked ? output.logits : output.place,
        feed: feedName('output', output.name),
        ...(linked && { output }),
      };
    });
  }
  return outputs.map((name) => ({ place: placeOf(model, name) as number, feed: feedName('output', name) }));
}

/** Writes the forward pass and what follows from it: outputs, or losses and the backward pass. */
function writePasses(builder: ProgramBuilder, model: Model, request: ProgramRequest): void {
  const { kind } = request;
  const mode: Mode = isTraining(kind) ? 'training' : 'inference';
  const goals = goalsOf(model);
  const loses = kind === 'train' || kind === 'gradients' || kind === 'evaluate';
  const given = loses || kind === 'backward' ? [] : givenPlaces(model, request);
  const ends = loses ? goals.map(({ logits }) => logits) : given.map(({ place }) => place);
  if (kind === 'backward') ends.push(...model.outputs.map(({ place }) => place));
  const needed = ancestors(model, ends);
  const xs = model.inputs.map((_, i) => {
    if (!needed[i]) return undefined;
    return writeAugment(builder, request.augment ?? [], i, writeGather(builder, request, model, i));
  });
  const atNode = <T>(index: number, write: () => T) => {
    const begin = builder.instructions.length;
    const result = builder.atNode(index, write);
    if (request.ranks !== undefined && model.nodes[index].operation.batchStatistics?.sync)
      sumStatistics(builder, begin);
    return result;
  };
  const { values, passes } = writeForward(builder, model, xs, mode, needed, atNode);
  for (const { place, feed, output } of given)
    writeOutput(builder, model, values[place] as Tensor, place, feed, output);
  if (kind === 'evaluate') writeTotals(builder, model, writeLosses(builder, model, request, values, false), false);
  if (kind !== 'train' && kind !== 'gradients' && kind !== 'backward') return;

  const parts: LossPart[] = kind === 'backward' ? [] : writeLosses(builder, model, request, values, true);
  const seeds = parts.map(({ place, dprediction }) => [place, dprediction as Tensor] as const);
  if (kind === 'backward') for (const output of model.outputs) seeds.push(writeOutputGradient(builder, output));
  // The gradients of frozen layers are needed only where the caller sees them.
  const trained = model.nodes.map(({ operation: { parameters } }, index) => {
    return parameters.length > 0 && (kind !== 'train' || frozenLayer(model, index, builder.optimizer) === false);
  });
  const wanted = model.inputs.map(
    ({ vocabulary }, place) => kind !== 'train' && needed[place] && vocabulary === undefined,
  );
  for (const [index, { from }] of model.nodes.entries())
    wanted.push(trained[index] || from.some((place) => wanted[place]));
  const { ranks } = request;
  const sums =
    ranks?.sums === 'gradients' && !request.accumulate
      ? new StartedSums(builder, model, builder.optimizer as Optimizer)
      : undefined;
  const backwardAt = <T>(index: number, write: () => T) => {
    const result = atNode(index, write);
    sums?.after(index);
    return result;
  };
  const gradients = writeBackward(builder, model, passes, seeds, wanted, (index) => trained[index], backwardAt);
  if (kind !== 'train') {
    for (const [place, dx] of gradients.entries()) {
      if (dx === undefined) continue;
      const { name, shape } = model.inputs[place];
      const y = builder.feed(feedName('inputGradient', name), 'output', 'f32', elements(shape));
      builder.emit('identity', { y, x: dx, n: rows(elements(shape)) });
    }
  }
  if (kind === 'backward') return;
  if (ranks !== undefined) {
    writeRankSums(builder, model, ranks, parts, sums?.rest ?? [], sums !== undefined);
    return;
  }
  writePenaltyGradients(builder, model);
  writeTotals(builder, model, parts, true);
}

function writeOutput(
  builder: ProgramBuilder,
  model: Model,
  x: Tensor,
  place: number,
  feed: string,
  output: ModelOutput | undefined,
): void {
  if (x.type !== 'f32') {
    const text = `${feed.replace('.', ': ')}: an input of indices gives no numbers`;
    throw new BlasnetError('INVALID_ARGUMENT', text);
  }
  const size = elements(shapeOf(model, place));
  const y = builder.feed(feed, 'output', 'f32', size);
  if (output?.loss?.writeLink !== undefined) output.loss.writeLink(builder, y, x, size);
  else builder.emit('identity', { y, x, n: rows(size) });
}

/** The gradient that a run gives for an output, in work memory, as backward passes may overwrite it. */
function writeOutputGradient(builder: ProgramBuilder, { name, shape, place }: ModelOutput): readonly [number, Tensor] {
  const size = elements(shape);
  const x = builder.feed(feedName('outputGradient', name), 'batch', 'f32', size);
  const y = builder.perRow('dprediction', size);
  builder.emit('identity', { y, x, n: rows(size) });
  return [place, y];
}

/**
 * Whether all buffers are long enough for batches of the program's capacity. Layers with per-row state may limit it.
 */
export function holdsCapacity({ instructions, request: { capacity } }: Program): boolean {
  return instructions.every(({ kernel, arguments: list }) => {
    const { parameters } = signatureOf(kernel);
    return parameters.every((parameter, i) => {
      const tensor = list[i];
      if (
        !isBuffer(parameter) ||
        tensor === null ||
        !isTensor(tensor) ||
        tensor.perRow > 0 ||
        tensor.storage === 'feed'
      )
        return true;
      const sizes = parameter.length.map((name) =>
        sizeOf(list[parameters.findIndex((other) => other.name === name)], capacity),
      );
      return sizes.reduce<number>((length, size = 0) => length * size, 1) <= tensor.fixed;
    });
  });
}
