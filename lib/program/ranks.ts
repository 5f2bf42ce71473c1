import { MAX_SIZE } from '../checks.js';
import { type KernelName, kernelNames, signatureOf, sumsOverRanks } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ProgramBuilder } from './builder.js';
import { call, elementwisePiece, elementwiseTensors, namedArguments, numberOf, withArguments } from './edit.js';
import { type Instruction, isTensor, rows, type Symbolic, type Tensor, tensor } from './instructions.js';
import { feedName, isOnlyLoss, type LossPart, type RankUse, writePenalties, writeStateCheck } from './losses.js';
import { goalsOf, type Model } from './model.js';
import { trainedBlocks, trainedGradients, writePenaltyGradients } from './update.js';

/**
 * Training on several ranks, each with a part of every batch. The sums of the losses, of the hits and of the gradients
 * are added over the ranks. Penalties, guard, clipping and update come after that, so they are the same on all ranks.
 * If parameters are averaged instead, each rank updates its own by the gradients of its rows; the totals are still
 * summed over all ranks.
 */

const kernelsWith = (parameter: string) =>
  kernelNames.filter((kernel) => signatureOf(kernel).parameters.some(({ name }) => name === parameter));
/** Kernels that divide by the number of rows: losses, and what serves them. */
export const dividing: readonly KernelName[] = [...kernelsWith('dprediction'), 'meanGradient', 'weighRows'];
/** Kernels whose random numbers are counted by the row. */
export const drawing: readonly KernelName[] = kernelsWith('step');

const together: readonly KernelName[] = [...sumsOverRanks, 'batchNormMerge'];

/**
 * Marks the instructions that see this rank's rows as a part of the whole batch, and those that a rank without rows
 * omits: all before the step's totals, and its own update.
 */
export function markRanks(instructions: readonly Instruction[], use: RankUse): void {
  const over = use.sums === 'gradients' ? [...dividing, ...drawing] : drawing;
  const guard = instructions.findIndex((instruction) => instruction.guard);
  const totals = instructions.findIndex(({ kernel, arguments: list }) => kernel === 'allReduce' && list.at(-1) === 1);
  for (const [i, instruction] of instructions.entries()) {
    const { kernel } = instruction;
    if (over.includes(kernel) && !instruction.allRows) instruction.overRanks = true;
    const own = i < totals || kernel === 'accumulate' || (use.sums === 'parameters' && guard >= 0 && i > guard);
    if (own && !together.includes(kernel)) instruction.ownRows = true;
  }
}

/**
 * If rows are mixed with others of the batch, each rank gathers and augments all of them: these instructions work on
 * the whole batch of at most `all` rows.
 */
export function widenMixed(instructions: readonly Instruction[], all: number): void {
  const wide = new Map<Tensor, Tensor>();
  const widened = (old: Tensor) => {
    const { name, type, perRow } = old;
    const known = wide.get(old) ?? tensor(`${name} of all ranks`, 'work', { type, fixed: perRow * all });
    wide.set(old, known);
    return known;
  };
  for (const instruction of [...instructions].reverse()) {
    const { kernel, arguments: list } = instruction;
    const { parameters } = signatureOf(kernel);
    const written = list.filter((_, i) => parameters[i].kind === 'out' || parameters[i].kind === 'inout');
    if (written.some((each) => each !== null && isTensor(each) && wide.has(each))) instruction.allRows = true;
    else if (kernel !== 'mixRows') continue;
    instruction.arguments = list.map((each, i) => {
      if (each === null || !isTensor(each) || each.perRow === 0 || each.storage !== 'work') return each;
      return instruction.allRows || parameters[i].kind === 'in' ? widened(each) : each;
    });
  }
}

/**
 * Rewrites the batch norms among the instructions from `begin` on to use the rows of all ranks: each sums its own rows,
 * and the sums are added over the ranks.
 */
export function sumStatistics(builder: ProgramBuilder, begin: number): void {
  const written = builder.instructions.splice(begin);
  for (const instruction of written) {
    if (instruction.kernel === 'batchNormStatistics')
      builder.instructions.push(...statisticsOverRanks(builder, instruction));
    else if (instruction.kernel === 'batchNormBackwardInput')
      builder.instructions.push(...backwardOverRanks(builder, instruction));
    else builder.instructions.push(instruction);
  }
}

function statisticsOverRanks(builder: ProgramBuilder, instruction: Instruction): Instruction[] {
  const named = namedArguments(instruction);
  const { name } = named.mean as Tensor;
  const names = [`${name}: sums`, `${name}: powers`];
  const { arrays, all } = builder.totalArrays(names, numberOf(instruction, 'features'));
  const [sums, powers] = arrays;
  const merge = call('batchNormMerge', { ...named, sums, powers, rows: rows(numberOf(instruction, 'pixels')) });
  return [
    call('batchNormSums', { ...named, sums, powers, center: named.runningMean }),
    call('allReduce', { values: null, totals: all, n: 0, m: all.fixed, last: 0 }),
    { ...merge, overRanks: true },
  ];
}

function backwardOverRanks(builder: ProgramBuilder, instruction: Instruction): Instruction[] {
  const named = namedArguments(instruction);
  const n = numberOf(instruction, 'features');
  const own = [named.dgammaParts, named.dbetaParts] as Tensor[];
  // Floats, in as many doubles.
  const { offset } = builder.totalArrays([`${own[0].name} of all ranks`], n).all;
  const floats = (name: string, fixed: number, at: number) =>
    tensor(name, 'metric', { fixed, offset: 2 * offset + at });
  const all = own.map(({ name }, i) => floats(`${name} of all ranks`, n, i * n));
  const input = withArguments(instruction, { dgammaParts: all[0], dbetaParts: all[1] });
  return [
    ...own.map((terms, i) => call('sumParts', { y: all[i], terms, n, parts: 1 })),
    call('allReduce', { values: floats('sums', 2 * n, 0), totals: null, n: 2 * n, m: 0, last: 0 }),
    { ...input, overRanks: true },
  ];
}

/** Gradients of fewer elements than this (1 MB) are summed together with those of the layers before. */
const LEAST_STARTED = 1 << 18;

/**
 * Starts the sums over the ranks while the backward pass goes on: of blocks of at least 1 MB, each as soon as the last
 * of its gradients is computed. What remains is summed at the end of the pass.
 */
export class StartedSums {
  readonly #builder: ProgramBuilder;
  readonly #model: Model;
  readonly #trained: readonly { readonly g: Tensor; readonly n: number }[];
  /** Gradients from here on are being summed. */
  #from: number;

  constructor(builder: ProgramBuilder, model: Model, optimizer: Optimizer) {
    this.#builder = builder;
    this.#model = model;
    this.#trained = trainedGradients(model, optimizer);
    this.#from = model.parameterLength;
  }

  /** After the backward pass of node `index`; the passes of all nodes before it are still to come. */
  after(index: number): void {
    const { nodes, parameters } = this.#model;
    // Of shared layers, the first use is the last to go backward.
    const done = nodes.slice(index).filter(({ owner }) => owner >= index);
    const offsets = done.flatMap(({ owner, operation }) =>
      operation.parameters.map(
        ({ name }) => parameters.get(`${nodes[owner].name}.${name}`)?.gradient.offset ?? this.#from,
      ),
    );
    const begin = Math.min(this.#from, ...offsets);
    if (this.#from - begin < LEAST_STARTED) return;
    for (const { g, n } of this.#parts(begin, this.#from)) this.#builder.emit('startSum', { values: g, n, shares: 0 });
    this.#from = begin;
  }

  /** The gradients that are not being summed yet. */
  get rest(): { readonly g: Tensor; readonly n: number }[] {
    return this.#parts(0, this.#from);
  }

  #parts(begin: number, end: number) {
    return this.#trained.flatMap(({ g, n }) => {
      const first = Math.max(begin, g.offset);
      const length = Math.min(end, g.offset + n) - first;
      if (length === n) return [{ g, n }];
      const name = `gradients from ${first}`;
      return length > 0 ? [{ g: tensor(name, 'gradient', { fixed: length, offset: first }), n: length }] : [];
    });
  }
}

/**
 * Writes the sums of a step's totals over the ranks, and of `gradients`, then the penalties and the totals. The
 * gradients of penalties are added here if the gradients are `whole`, and later if several batches are accumulated.
 */
export function writeRankSums(
  builder: ProgramBuilder,
  model: Model,
  { sums: kind }: RankUse,
  parts: readonly LossPart[],
  gradients: readonly { readonly g: Tensor; readonly n: number }[],
  whole: boolean,
): void {
  const local = kind === 'parameters';
  const outputs = goalsOf(model);
  const single = isOnlyLoss(outputs);
  const tag = (name: string, i: number) => feedName(name, outputs[i].name);
  // In one block: how many ranks want to stop, the sums of each output, and the penalties of no output.
  const first = builder.total('stop').offset;
  const sums = parts.map((_, i) => ({ loss: builder.total(tag('lossSum', i)), hits: builder.total(tag('hitSum', i)) }));
  const penaltySum = builder.total('penaltySum');
  const own = builder.total('rankLoss');
  const check = writeStateCheck(builder, model, 'stateCheck');
  if (local) writePenaltyGradients(builder, model);
  // The penalties of a rank's own parameters are a part of its own loss: of the output's, if there is no other total.
  const penalty = local && single ? writePenalties(builder, model, check) : check;
  const apart = local && !single ? writePenalties(builder, model, null) : null;
  const share = { symbol: 'share' } as const;
  if (apart !== null) builder.emit('addTotal', { total: penaltySum, carry: null, x: apart, factor: share });
  for (const [i, { loss, hits }] of parts.entries()) {
    const row = { loss, hits, penalty: i === 0 ? penalty : null, rows: rows() };
    builder.emit('batchTotals', { meanLoss: own, hitCount: sums[i].hits, ...row });
    builder.emit('addTotal', { total: sums[i].loss, carry: null, x: own, factor: share });
  }
  for (const { g, n } of gradients.slice(1)) builder.emit('allReduce', { values: g, totals: null, n, m: 0, last: 0 });
  const count = 1 + 2 * parts.length + (apart === null ? 0 : 1);
  const totals = tensor('sums', 'metric', { type: 'f64', fixed: count, offset: first });
  const { g = null, n = 0 } = gradients[0] ?? {};
  builder.emit('allReduce', { values: g, totals, n, m: count, last: 1 });

  let carry = apart && penaltySum;
  if (!local) {
    if (whole) writePenaltyGradients(builder, model);
    carry = writePenalties(builder, model, null);
  }
  const total = builder.total('meanLoss');
  for (const [i, { loss, hits }] of sums.entries()) {
    builder.emit('addTotal', { total: builder.total(tag('hitCount', i)), carry: null, x: hits, factor: 1 });
    if (!single)
      builder.emit('addTotal', { total: builder.total(tag('meanLoss', i)), carry: null, x: loss, factor: 1 });
  }
  for (const [i, { weight }] of outputs.entries()) {
    builder.emit('addTotal', { total, carry, x: sums[i].loss, factor: weight });
    carry = total;
  }
}

/**
 * Writes the means over the ranks at the end of several batches: of the gradients, or of the parameters and moments.
 * `weight`: this rank's part of the rows.
 */
export function writeRankMeans(
  builder: ProgramBuilder,
  model: Model,
  optimizer: Optimizer,
  use: RankUse,
  weight: Symbolic,
): void {
  const storages = use.sums === 'gradients' ? (['gradient'] as const) : (['parameter', 'moment'] as const);
  for (const { values, n } of trainedBlocks(model, optimizer, storages))
    builder.emit('averageRanks', { values, n, weight });
}

/** A message for each part of less than this many values (64 KB) costs more time than the update of other shares. */
const LEAST_DIVIDED = 1 << 14;
/** So it does for more parts of a block than one for this many values. */
const VALUES_A_PART = 1 << 16;

/**
 * Divides the update among the ranks (ZeRO stage 1: Rajbhandari et al. 2020) where a block is summed while the backward
 * pass goes on: each rank gets only the sums of its share of the block and updates that share of the parameters, which
 * all ranks then gather. Until the end of the run, only the owner of a share has current moments for it; the executor
 * then gathers them. Returns the program unchanged if the update does anything that is not elementwise, such as
 * clipping by the norm. Blocks that parameter groups cut into many parts are not divided, nor small parts of others.
 */
export function divideUpdate(instructions: Instruction[]): Instruction[] {
  const guard = instructions.findIndex((instruction) => instruction.guard);
  const update = instructions.slice(guard + 1);
  /** Where an elementwise instruction lies in the block of parameters. */
  const placeOf = (instruction: Instruction) =>
    elementwiseTensors(instruction).find(({ storage }) => storage === 'parameter' || storage === 'gradient');
  if (guard < 0 || !update.every((instruction) => placeOf(instruction))) return instructions;
  const ranges = update.map((instruction) => {
    const { offset, fixed } = placeOf(instruction) as Tensor;
    return [offset, offset + fixed] as const;
  });
  /**
   * Parts of blocks that each instruction of the update covers completely or not at all, as it is divided separately.
   */
  const parts: Tensor[] = [];
  const passes = instructions.slice(0, guard + 1).flatMap((instruction) => {
    const [values] = instruction.arguments as [Tensor];
    if (instruction.kernel !== 'startSum' || values.fixed > MAX_SIZE) return [instruction];
    const end = values.offset + values.fixed;
    const edges = [...new Set([values.offset, ...ranges.flat(), end])].sort((a, b) => a - b);
    const inside = edges.filter((at) => at >= values.offset && at <= end);
    const sizes = inside.slice(1).map((to, i) => to - inside[i]);
    if (sizes.length * VALUES_A_PART > values.fixed) return [instruction];
    return sizes.map((fixed, i) => {
      const offset = inside[i];
      const whole = fixed === values.fixed;
      const part = whole ? values : { ...values, name: `gradients from ${offset}`, offset, fixed };
      const shares = Number(fixed >= LEAST_DIVIDED);
      if (shares === 1) parts.push(part);
      return withArguments(instruction, { values: part, n: fixed, shares });
    });
  });
  if (parts.length === 0) return instructions;
  parts.sort((a, b) => a.offset - b.offset);
  const divided = update.flatMap((instruction, i) => {
    const [begin, end] = ranges[i];
    const pieces: Instruction[] = [];
    let at = begin;
    const cut = (to: number, ownShare: boolean) => {
      if (to > at) pieces.push({ ...elementwisePiece(instruction, at - begin, to - at, `from ${at}`), ownShare });
      at = to;
    };
    for (const { offset, fixed } of parts) {
      if (offset < begin || offset >= end) continue;
      cut(offset, false);
      cut(offset + fixed, true);
    }
    cut(end, false);
    return pieces;
  });
  const gathers = parts.map(({ name, offset, fixed: n }) => {
    const values = tensor(name.replace('gradients', 'parameters'), 'parameter', { fixed: n, offset });
    return call('gatherShares', { values, n });
  });
  return [...passes, ...divided, ...gathers];
}
