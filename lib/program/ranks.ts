import type { KernelName } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ProgramBuilder } from './builder.js';
import { type Instruction, rows, tensor } from './instructions.js';
import { feedName, isOnlyLoss, type LossPart, writePenalties, writeStateCheck } from './losses.js';
import { goalsOf, type Model } from './model.js';
import { trainedGradients, writePenaltyGradients } from './update.js';

/**
 * Training on several ranks, each with a part of every batch. The sums of the losses, of the hits and of the gradients
 * are added over the ranks, and only then penalties, guard, clipping and update follow, which so are the same on all
 * ranks.
 */

/** Kernels that divide by the number of rows, or whose random numbers are counted by the row. */
export const overRanks: readonly KernelName[] = [
  'softmaxCrossEntropy',
  'softmaxCrossEntropyProbabilities',
  'binaryCrossEntropy',
  'squaredError',
  'absoluteError',
  'huber',
  'meanGradient',
  'weighRows',
  'dropoutForward',
  'dropoutMask',
  'gaussianNoise',
  'shiftImages',
  'flipImages',
  'rotateImages',
  'cutImages',
];

/** Marks the instructions that see this rank's rows as a part of the whole batch. */
export function markOverRanks(instructions: readonly Instruction[]): void {
  for (const instruction of instructions) if (overRanks.includes(instruction.kernel)) instruction.overRanks = true;
}

/** Writes the sums of a step over the ranks, then the penalties and the totals. */
export function writeRankSums(
  builder: ProgramBuilder,
  model: Model,
  optimizer: Optimizer,
  parts: readonly LossPart[],
): void {
  const outputs = goalsOf(model);
  const single = isOnlyLoss(outputs);
  const tag = (name: string, i: number) => (single ? name : feedName(name, outputs[i].name));
  // In one block: how many ranks want to stop, then the sums of each output.
  const first = builder.total('stop').offset;
  const sums = parts.map((_, i) => ({ loss: builder.total(tag('lossSum', i)), hits: builder.total(tag('hitSum', i)) }));
  const local = builder.total('rankLoss');
  const penalty = writeStateCheck(builder, model, 'stateCheck');
  for (const [i, { loss, hits }] of parts.entries()) {
    const row = { loss, hits, penalty: i === 0 ? penalty : null, rows: rows() };
    builder.emit('batchTotals', { meanLoss: local, hitCount: sums[i].hits, ...row });
    builder.emit('addTotal', { total: sums[i].loss, carry: null, x: local, factor: { symbol: 'share' } });
  }
  const gradients = trainedGradients(model, optimizer);
  for (const { g, n } of gradients.slice(1)) builder.emit('allReduce', { values: g, totals: null, n, m: 0, last: 0 });
  const count = 1 + 2 * parts.length;
  const totals = tensor('sums', 'metric', { type: 'f64', fixed: count, offset: first });
  const { g = null, n = 0 } = gradients[0] ?? {};
  builder.emit('allReduce', { values: g, totals, n, m: count, last: 1 });

  writePenaltyGradients(builder, model);
  let carry = writePenalties(builder, model, null);
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
