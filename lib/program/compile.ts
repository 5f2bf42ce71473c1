import { BlasnetError } from '../errors.js';
import type { TargetKind } from '../losses.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { placeWork } from './arena.js';
import {
  type Argument,
  type Builder,
  elements,
  type Feed,
  fixedTensor,
  type Instruction,
  type Mode,
  metrics,
  type NamedArguments,
  type Pass,
  rows,
  type Tensor,
} from './instructions.js';
import type { Model } from './model.js';
import { rewrite } from './rewrite.js';
import { schedule } from './schedule.js';
import { type ElementType, type KernelName, signatureOf } from './signatures.js';
import { writeUpdate } from './update.js';
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
  /** Forward, loss and backward down to the input's gradient; no update. */
  | 'gradients'
  /** The optimizer's step on the gradients as they are. */
  | 'update';

export interface ProgramRequest {
  readonly kind: ProgramKind;
  /** Element type of the features feed. */
  readonly features: 'u8' | 'f32';
  /** Kernels read the features where they lie: unshuffled float rows with scale 1 and offset 0. */
  readonly direct: boolean;
  readonly target: TargetKind | 'none';
  /** The largest batch. */
  readonly capacity: number;
  /** Threads that a run may use. */
  readonly threads: number;
  /** Apply the rewrite rules; off in tests that compare both. */
  readonly rewrite: boolean;
}

/** A network compiled for one use: a flat list of kernel calls over blocks of memory. */
export interface Program {
  readonly request: ProgramRequest;
  readonly instructions: readonly Instruction[];
  /** Threads that its work pays for. */
  readonly threads: number;
  /** Elements (4 bytes each) of work memory. */
  readonly workLength: number;
  /** Numbers that the optimizer gives for each step. */
  readonly scalarCount: number;
  /** Batch features and outputs, for shapes of feeds. */
  readonly featureCount: number;
  readonly outputCount: number;
}

/** Work that pays for one more thread: about ten microseconds of matrix products. */
const FLOPS_PER_THREAD = 2e6;

function feed(name: Feed, type: ElementType, perRow: number): Tensor {
  return { name, storage: 'feed', type, perRow, fixed: 0, offset: 0, feed: name };
}

class ProgramBuilder implements Builder {
  readonly instructions: Instruction[] = [];
  readonly #model: Model;
  layerIndex = 0;

  constructor(model: Model) {
    this.#model = model;
  }

  get seed(): number {
    return this.#model.seed;
  }

  emit<K extends KernelName>(kernel: K, named: NamedArguments<K>): void {
    const values = named as Readonly<Record<string, Argument>>;
    const list = signatureOf(kernel).parameters.map((parameter): Argument => {
      const argument = values[parameter.name];
      if (argument === undefined) throw new BlasnetError('INTERNAL', `${kernel}: argument ${parameter.name} is missing`);
      return argument;
    });
    this.instructions.push({ kernel, arguments: list, barrier: false, guard: false });
  }

  #scoped(name: string): string {
    return `${this.#model.names[this.layerIndex] ?? 'loss'}.${name}`;
  }

  perRow(name: string, perRow: number, type: ElementType = 'f32'): Tensor {
    return { name: this.#scoped(name), storage: 'work', type, perRow, fixed: 0, offset: -1 };
  }

  fixed(name: string, fixed: number, type: ElementType = 'f32'): Tensor {
    return { name: this.#scoped(name), storage: 'work', type, perRow: 0, fixed, offset: -1 };
  }

  parameter(name: string): Tensor {
    const entry = this.#model.parameters.get(this.#scoped(name));
    if (entry === undefined) throw new BlasnetError('INTERNAL', `no parameter ${this.#scoped(name)}`);
    return entry.tensor;
  }

  gradient(name: string): Tensor {
    return gradientOf(this.parameter(name));
  }

  state(name: string): Tensor {
    const entry = this.#model.state.get(this.#scoped(name));
    if (entry === undefined) throw new BlasnetError('INTERNAL', `no state ${this.#scoped(name)}`);
    return entry.tensor;
  }
}

function gradientOf(parameter: Tensor): Tensor {
  return { ...parameter, storage: 'gradient' };
}

/** Compiles `model` for one use; `optimizer` is needed by the kinds that update. */
export function compile(model: Model, request: ProgramRequest, optimizer?: Optimizer): Program {
  const builder = new ProgramBuilder(model);
  const featureCount = elements(model.input);
  const outputCount = elements(model.output);
  const { kind } = request;

  if (kind !== 'update') {
    const x = writeGather(builder, request, featureCount);
    const mode: Mode = kind === 'train' || kind === 'gradients' || kind === 'forwardTraining' ? 'training' : 'inference';
    const passes: Pass[] = [];
    let y = x;
    for (const [index, layer] of model.layers.entries()) {
      builder.layerIndex = index;
      const pass = layer.forward(builder, y, mode);
      passes.push(pass);
      y = pass.y;
    }
    builder.layerIndex = model.layers.length;
    if (kind === 'train' || kind === 'gradients') {
      writeTraining(builder, model, request, passes, y, outputCount, kind === 'gradients');
    } else if (kind === 'evaluate') {
      writeEvaluation(builder, model, request, y, outputCount);
    } else {
      writeOutput(builder, model, kind, y, outputCount);
    }
  }
  const updateStart = builder.instructions.length;
  if (kind === 'train' || kind === 'update') {
    if (optimizer === undefined) throw new BlasnetError('INTERNAL', 'a program that updates needs an optimizer');
    writeUpdate(builder, model, optimizer);
  }
  // The totals are the last to be written before the update.
  if (kind === 'train' && builder.instructions.length > updateStart) builder.instructions[updateStart - 1].guard = true;

  const { capacity } = request;
  const flops = builder.instructions.reduce((sum, instruction) => sum + describeInstruction(instruction, capacity).flops, 0);
  const threads = Math.max(1, Math.min(request.threads, Math.floor(flops / FLOPS_PER_THREAD)));
  const rewritten = request.rewrite ? rewrite(builder.instructions, capacity, threads) : builder.instructions;
  const workLength = placeWork(rewritten, capacity);
  const instructions = schedule(rewritten, capacity);
  return { request, instructions, threads, workLength, scalarCount: optimizer?.scalarCount ?? 0, featureCount, outputCount };
}

/** Writes the gather of a batch's features; returns the network's input. */
function writeGather(builder: ProgramBuilder, request: ProgramRequest, featureCount: number): Tensor {
  if (request.direct) return feed('features', 'f32', featureCount);
  const x: Tensor = { name: 'x', storage: 'work', type: 'f32', perRow: featureCount, fixed: 0, offset: -1 };
  builder.emit(request.features === 'u8' ? 'gatherBytes' : 'gatherFloats', {
    x,
    source: feed('features', request.features, 0),
    order: feed('order', 'i32', 1),
    rows: rows(),
    features: featureCount,
    sourceRows: { symbol: 'sourceRows' },
    scale: { symbol: 'scale' },
    offset: { symbol: 'offset' },
  });
  return x;
}

/** Writes the gather of a batch's labels or targets. */
function writeTarget(builder: ProgramBuilder, request: ProgramRequest, outputCount: number): Tensor {
  const labels = request.target === 'labels';
  if (request.direct) return labels ? feed('labels', 'i32', 1) : feed('targets', 'f32', outputCount);
  const common = { order: feed('order', 'i32', 1), rows: rows(), sourceRows: { symbol: 'sourceRows' } } as const;
  if (labels) {
    const target = builder.perRow('labels', 1, 'i32');
    builder.emit('gatherLabels', { labels: target, source: feed('labels', 'i32', 0), ...common });
    return target;
  }
  const target = builder.perRow('target', outputCount);
  builder.emit('gatherFloats', {
    x: target,
    source: feed('targets', 'f32', 0),
    features: outputCount,
    scale: 1,
    offset: 0,
    ...common,
  });
  return target;
}

function targetKind(request: ProgramRequest): TargetKind {
  if (request.target === 'none') throw new BlasnetError('INTERNAL', 'a program with a loss needs targets');
  return request.target;
}

interface LossPart {
  readonly loss: Tensor;
  readonly hits: Tensor | null;
  readonly dprediction: Tensor | null;
}

function writeLoss(
  builder: ProgramBuilder,
  model: Model,
  request: ProgramRequest,
  y: Tensor,
  outputs: number,
  training: boolean,
): LossPart {
  const kind = targetKind(request);
  const target = writeTarget(builder, request, outputs);
  const loss = builder.perRow('loss', 1);
  const dprediction = training ? builder.perRow('dprediction', outputs) : null;
  model.loss.write(builder, kind, { loss, dprediction, prediction: y, target, outputs });
  let hits: Tensor | null = null;
  if (model.loss.writeHits !== undefined) {
    hits = builder.perRow('hits', 1);
    model.loss.writeHits(builder, kind, hits, y, target, outputs);
  }
  return { loss, hits, dprediction };
}

/** Writes the step's totals, the penalties of the regularisers included. */
function writeTotals(builder: ProgramBuilder, model: Model, { loss, hits }: LossPart): void {
  const total = fixedTensor('penalty', 'metric', 1, metrics.penalty, 'f64');
  let penalty: Tensor | null = null;
  for (const { tensor, regularizer } of penalised(model)) {
    builder.emit('penalty', { total, carry: penalty, w: tensor, n: tensor.fixed, ...regularizer });
    penalty = total;
  }
  builder.emit('batchTotals', {
    meanLoss: fixedTensor('meanLoss', 'metric', 1, metrics.meanLoss, 'f64'),
    hitCount: fixedTensor('hitCount', 'metric', 1, metrics.hitCount, 'f64'),
    loss,
    hits,
    penalty,
    rows: rows(),
  });
}

function penalised(model: Model) {
  return [...model.parameters.values()].flatMap(({ spec, tensor }) => {
    const regularizer = spec.regularizer ?? model.regularizer;
    const active = spec.weight && regularizer !== undefined && (regularizer.l1 !== 0 || regularizer.l2 !== 0);
    return active ? [{ tensor, regularizer: { l1: regularizer.l1, l2: regularizer.l2 } }] : [];
  });
}

function writeTraining(
  builder: ProgramBuilder,
  model: Model,
  request: ProgramRequest,
  passes: readonly Pass[],
  y: Tensor,
  outputs: number,
  inputGradient: boolean,
): void {
  const part = writeLoss(builder, model, request, y, outputs, true);
  const firstTrained = model.layers.findIndex((layer) => layer.parameters.length > 0);
  let dy = part.dprediction as Tensor;
  for (let index = passes.length - 1; index >= 0; index--) {
    builder.layerIndex = index;
    // Below the first layer with parameters nobody needs a gradient, unless the input's is asked for.
    const wanted = inputGradient || (firstTrained >= 0 && index > firstTrained);
    if (!wanted && index < firstTrained) break;
    const dx = passes[index].backward(dy, wanted);
    if (dx === undefined) break;
    dy = dx;
  }
  builder.layerIndex = model.layers.length;
  if (inputGradient) {
    const n = rows(elements(model.input));
    builder.emit('identity', { y: feed('inputGradient', 'f32', elements(model.input)), x: dy, n });
  }
  for (const { tensor, regularizer } of penalised(model)) {
    builder.emit('penaltyGradient', { dw: gradientOf(tensor), w: tensor, n: tensor.fixed, ...regularizer });
  }
  writeTotals(builder, model, part);
}

function writeEvaluation(builder: ProgramBuilder, model: Model, request: ProgramRequest, y: Tensor, outputs: number): void {
  writeTotals(builder, model, writeLoss(builder, model, request, y, outputs, false));
}

function writeOutput(builder: ProgramBuilder, model: Model, kind: ProgramKind, x: Tensor, outputs: number): void {
  const y = feed('output', 'f32', outputs);
  if (kind === 'predict' && model.loss.writeLink !== undefined) model.loss.writeLink(builder, y, x, outputs);
  else builder.emit('identity', { y, x, n: rows(outputs) });
}
