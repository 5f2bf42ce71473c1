import { BlasnetError } from '../errors.js';
import type { ElementType } from '../kernels/signature.js';
import type { Loss, TargetKind } from '../losses/loss.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Augments, writeTargetAugment } from './augment.js';
import type { ProgramBuilder } from './builder.js';
import { elements, type FeedEntry, rows, type Tensor, tensor } from './instructions.js';
import { frozenLayer, goalsOf, type Model, type ModelOutput } from './model.js';
import { penalised } from './update.js';

/** What a run brings for an output with a loss. */
export interface Goal {
  readonly target: TargetKind;
  /** Whether each row has a weight. */
  readonly weighted: boolean;
}

export type FeatureType = 'u8' | 'f32' | 'sparse' | 'index';

/** The data that a program reads, and what it gives. */
export interface Use {
  /** Element type of each input's feed; `sparse`: compressed sparse rows of floats. */
  readonly features: readonly FeatureType[];
  /** Kernels read all inputs in place: unshuffled float rows with scale 1 and offset 0. */
  readonly direct: boolean;
  /** For each output with a loss; empty if the program has no losses. */
  readonly goals: readonly Goal[];
  /** Random changes of each input's batch before the first layer. */
  readonly augment?: Augments | undefined;
  /** Names of the nodes whose values are given; default: the network's outputs. */
  readonly outputs?: readonly string[];
  /** Several processes train together, each with a part of every batch; undefined for one alone. */
  readonly ranks?: RankUse | undefined;
}

/** How several processes train together. */
export interface RankUse {
  /** What is summed over them: the gradients, before each step, or the parameters and moments, after some steps. */
  readonly sums: 'gradients' | 'parameters';
  /** Rows of the largest batch of all ranks, if each rank gathers and changes all of them; otherwise 0. */
  readonly allRows: number;
  /** Ranks that divide the update, see {@link divideUpdate}; 1: each makes all of it. */
  readonly divided: number;
}

/** The name of a feed: that of an only input or output without a name is the role alone. */
export function feedName(role: string, name: string | undefined): string {
  return name === undefined ? role : `${role}.${name}`;
}

/** Whether the total is a single loss as it is, besides penalties: that of an only output, which has no name. */
export function isOnlyLoss(outputs: readonly { readonly name: string | undefined }[]): boolean {
  return outputs.length === 1 && outputs[0].name === undefined;
}

/**
 * Names of the totals that each step reports, in order. An output without a name: the mean loss, penalties included,
 * the hits, and the sum of the weights if there are any. Outputs with names: the total, then these three of each.
 */
export function reportedTotals(model: Model, { goals }: Pick<Use, 'goals'>): string[] {
  const outputs = goalsOf(model);
  const names = outputs.flatMap(({ name }, i) =>
    ['meanLoss', 'hitCount', ...(goals[i]?.weighted ? ['weight'] : [])].map((total) => feedName(total, name)),
  );
  return isOnlyLoss(outputs) ? names : ['meanLoss', ...names];
}

/** Writes the gather of an input's rows of the batch. */
export function writeGather(builder: ProgramBuilder, { direct, features }: Use, model: Model, index: number): Tensor {
  const { name, shape } = model.inputs[index];
  const count = elements(shape);
  const type = features[index];
  if (direct) return builder.feed(feedName('features', name), 'batch', type === 'index' ? 'i32' : 'f32', count);
  if (type === 'index') return writeIndices(builder, name, count);
  const x = tensor(feedName('x', name), 'work', { perRow: count });
  if (type === 'sparse') {
    const feed = (role: string, use: FeedEntry['role'], element: ElementType) =>
      builder.feed(feedName(role, name), use, element, 1);
    const indices = feed('indices', 'entries', 'i32');
    const values = feed('features', 'entries', 'f32');
    builder.emit('gatherSparse', {
      x,
      starts: feed('rowStarts', 'source', 'i32'),
      ends: feed('rowEnds', 'source', 'i32'),
      indices,
      values,
      order: builder.feed('order', 'order', 'i32', 1),
      rows: rows(),
      features: count,
      sourceRows: { symbol: 'sourceRows' },
      indexCount: { symbol: 'length', feed: indices.feed as FeedEntry },
      valueCount: { symbol: 'length', feed: values.feed as FeedEntry },
    });
    return x;
  }
  const source = builder.feed(feedName('features', name), 'source', type, count);
  const feed = source.feed as FeedEntry;
  builder.emit(type === 'u8' ? 'gatherBytes' : 'gatherFloats', {
    x,
    source,
    order: builder.feed('order', 'order', 'i32', 1),
    rows: rows(),
    features: count,
    sourceRows: { symbol: 'sourceRows' },
    scale: { symbol: 'scale', feed },
    offset: { symbol: 'offset', feed },
  });
  return x;
}

function writeIndices(builder: ProgramBuilder, name: string | undefined, features: number): Tensor {
  const x = tensor(feedName('x', name), 'work', { perRow: features, type: 'i32' });
  const source = builder.feed(feedName('features', name), 'source', 'i32', features);
  const order = builder.feed('order', 'order', 'i32', 1);
  builder.emit('gatherIndices', { x, source, order, rows: rows(), features, sourceRows: { symbol: 'sourceRows' } });
  return x;
}

/** Writes the gather of a column of floats: targets or weights. */
function writeColumn(builder: ProgramBuilder, direct: boolean, feed: string, name: string, count: number): Tensor {
  const source = builder.feed(feed, direct ? 'batch' : 'source', 'f32', count);
  if (direct) return source;
  const x = builder.perRow(name, count);
  const order = builder.feed('order', 'order', 'i32', 1);
  const sizes = { rows: rows(), features: count, sourceRows: { symbol: 'sourceRows' } } as const;
  builder.emit('gatherFloats', { x, source, order, ...sizes, scale: 1, offset: 0 });
  return x;
}

/** Writes the gather of a batch's labels or targets. */
function writeTarget(
  builder: ProgramBuilder,
  direct: boolean,
  kind: TargetKind,
  name: string | undefined,
  count: number,
): Tensor {
  if (kind === 'targets') return writeColumn(builder, direct, feedName('targets', name), 'target', count);
  const source = builder.feed(feedName('labels', name), direct ? 'batch' : 'source', 'i32', 1);
  if (direct) return source;
  const labels = builder.perRow('labels', 1, 'i32');
  const order = builder.feed('order', 'order', 'i32', 1);
  builder.emit('gatherLabels', { labels, source, order, rows: rows(), sourceRows: { symbol: 'sourceRows' } });
  return labels;
}

/** What the loss of an output wrote. */
export interface LossPart {
  /** Place of the predictions. */
  readonly place: number;
  readonly loss: Tensor;
  readonly hits: Tensor | null;
  readonly dprediction: Tensor | null;
}

/** Writes the losses of all outputs and, for training, their gradients. */
export function writeLosses(
  builder: ProgramBuilder,
  model: Model,
  use: Use,
  values: readonly (Tensor | undefined)[],
  training: boolean,
): LossPart[] {
  const outputs = goalsOf(model);
  return outputs.map((output, i) => {
    const goal = use.goals[i];
    if (goal === undefined) throw new BlasnetError('INTERNAL', 'a program with a loss needs targets');
    const prediction = values[output.logits] as Tensor;
    const write = () => writeLoss(builder, output, goal, use, prediction, training);
    const part = outputs.length === 1 ? write() : builder.within(output.name as string, write);
    return { ...part, place: output.logits };
  });
}

function writeLoss(
  builder: ProgramBuilder,
  { name, shape, loss: rule, weight: factor }: ModelOutput & { readonly loss: Loss },
  { target: given, weighted }: Goal,
  { direct, augment, ranks }: Use,
  prediction: Tensor,
  training: boolean,
): Omit<LossPart, 'place'> {
  const outputs = elements(shape);
  const gathered = writeTarget(builder, direct, given, name, outputs);
  const { kind, target } = writeTargetAugment(builder, augment ?? [], given, gathered, outputs);
  const loss = builder.perRow('loss', 1);
  const dprediction = training ? builder.perRow('dprediction', outputs) : null;
  rule.write(builder, kind, { loss, dprediction, prediction, target, outputs, shape });
  let hits: Tensor | null = null;
  if (rule.writeHits !== undefined) {
    hits = builder.perRow('hits', 1);
    rule.writeHits(builder, kind, hits, prediction, target, outputs);
  }
  if (!weighted && factor === 1) return { loss, hits, dprediction };
  const weights = weighted ? writeColumn(builder, direct, feedName('weights', name), 'weights', 1) : null;
  const total = weighted ? builder.total(feedName('weight', name)) : null;
  if (weights !== null && total !== null) {
    builder.emit('sumWeights', { total, weights, rows: rows() });
    if (ranks !== undefined) builder.emit('allReduce', { values: null, totals: total, n: 0, m: 1, last: 0 });
  }
  const weigh = (y: Tensor, cols: number, scale: number) =>
    builder.emit('weighRows', { y, x: y, weights, total, rows: rows(), cols, scale });
  if (weighted) weigh(loss, 1, 1);
  if (dprediction !== null) weigh(dprediction, outputs, factor);
  return { loss, hits, dprediction };
}

/** Writes the step's totals, including regularization penalties. */
export function writeTotals(
  builder: ProgramBuilder,
  model: Model,
  parts: readonly LossPart[],
  training: boolean,
): void {
  const penalty = writePenalties(builder, model, training ? writeStateCheck(builder, model, 'penalty') : null);
  const outputs = goalsOf(model);
  const single = isOnlyLoss(outputs);
  const total = builder.total('meanLoss');
  for (const [i, { loss, hits }] of parts.entries()) {
    const tag = (name: string) => builder.total(feedName(name, outputs[i].name));
    const row = { loss, hits, penalty: single ? penalty : null, rows: rows() };
    builder.emit('batchTotals', { meanLoss: tag('meanLoss'), hitCount: tag('hitCount'), ...row });
  }
  if (single) return;
  let carry = penalty;
  for (const { name, weight: factor } of outputs) {
    builder.emit('addTotal', { total, carry, x: builder.total(feedName('meanLoss', name)), factor });
    carry = total;
  }
}

/**
 * Writes a total that is zero if the running statistics are finite; otherwise the loss becomes NaN and the guard ends
 * the step. Null if a step does not change them.
 */
export function writeStateCheck(builder: ProgramBuilder, model: Model, name: string): Tensor | null {
  if (!movesState(model, builder.optimizer)) return null;
  const total = builder.total(name);
  const state = tensor('state', 'state', { fixed: model.stateLength, offset: 0 });
  builder.emit('penalty', { total, carry: null, w: state, n: model.stateLength, l1: 0, l2: 0 });
  return total;
}

/** Writes the sum of `carry` and the penalties of all weights; null if there is nothing to add. */
export function writePenalties(builder: ProgramBuilder, model: Model, carry: Tensor | null): Tensor | null {
  let penalty = carry;
  for (const { w, regularizer } of penalised(model)) {
    const total = builder.total('penalty');
    builder.emit('penalty', { total, carry: penalty, w, n: w.fixed, ...regularizer });
    penalty = total;
  }
  return penalty;
}

/** Whether a training step changes running statistics. */
export function movesState(model: Model, optimizer: Optimizer | undefined): boolean {
  return model.nodes.some(
    ({ operation }, i) => operation.batchStatistics !== undefined && frozenLayer(model, i, optimizer) === false,
  );
}
