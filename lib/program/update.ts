import { codeOf } from '../kernels/codes.js';
import { type Matrix, type Optimizer, WEIGHT_AVERAGE } from '../optimizers/optimizer.js';
import { type Builder, elements, type Storage, type Tensor, tensor, type Value } from './instructions.js';
import type { Model, ParameterEntry } from './model.js';

/** Adjacent parameters including their trailing padding: `n` elements of the parameter block from `begin`. */
interface Run<K> {
  readonly key: K;
  readonly begin: number;
  readonly n: number;
  /** Names of the first and the last parameter. */
  readonly first: string;
  readonly last: string;
}

/** Splits the parameter block into maximal runs of parameters with the same key. */
function runs<K>(model: Model, keyOf: (parameter: string) => K): Run<K>[] {
  const parameters = [...model.parameters];
  const list: Run<K>[] = [];
  parameters.forEach(([name, { tensor }], i) => {
    const key = keyOf(name);
    const end = parameters[i + 1]?.[1].tensor.offset ?? model.parameterLength;
    const previous = list[list.length - 1];
    if (previous !== undefined && previous.key === key)
      list[list.length - 1] = { ...previous, n: end - previous.begin, last: name };
    else list.push({ key, begin: tensor.offset, n: end - tensor.offset, first: name, last: name });
  });
  return list;
}

/** The name of a run in listings: just the block's name if it covers the whole block. */
function label(block: string, { n, first, last }: Run<unknown>, model: Model): string {
  if (n === model.parameterLength) return block;
  return `${block} of ${first === last ? first : `${first} to ${last}`}`;
}

/** A parameter as a matrix, if it is a weight of two or more dimensions. */
function matrixOf(model: Model, parameter: string): Matrix | undefined {
  const { weight, shape } = (model.parameters.get(parameter) as ParameterEntry).spec;
  return weight && shape.length > 1
    ? { inputs: elements(shape.slice(0, -1)), outputs: shape[shape.length - 1] }
    : undefined;
}

/**
 * Writes the optimizer's step on the current gradients: one call per run of parameters with the same settings, or per
 * matrix if the optimizer asks for that. Padding has zero gradients and stays unchanged.
 */
export function writeUpdate(builder: Builder, model: Model, optimizer: Optimizer): void {
  writeClipping(builder, model, optimizer);
  const keyOf = (parameter: string) => {
    if (model.untrained.has(parameter)) return undefined;
    return optimizer.matrices && matrixOf(model, parameter) !== undefined ? parameter : optimizer.groupOf(parameter);
  };
  const momentBlock = (name: string) => optimizer.blockNames.indexOf(name) * model.momentLength;
  for (const run of runs(model, keyOf)) {
    const { key, first, begin, n } = run;
    if (key === undefined) continue;
    const group = optimizer.groupOf(first);
    const { frozen, weightDecay } = optimizer.settings[group];
    if (frozen) continue;
    const block = (name: string, storage: Storage, start: number) =>
      tensor(label(name, run, model), storage, { fixed: n, offset: start + begin });
    optimizer.write(builder, {
      p: block('parameters', 'parameter', 0),
      g: block('gradients', 'gradient', 0),
      n,
      group,
      weightDecay,
      matrix: optimizer.matrices ? matrixOf(model, first) : undefined,
      moment: (name) => block(name, 'moment', momentBlock(name)),
      scalar: (slot) => ({ symbol: 'scalar', slot: optimizer.firstScalar(group) + slot }),
    });
  }
  if (optimizer.averageWeights !== undefined && model.parameterLength > 0) {
    const fixed = model.parameterLength;
    builder.emit('averageWeights', {
      average: tensor('average of weights', 'moment', { fixed, offset: momentBlock(WEIGHT_AVERAGE) }),
      p: tensor('parameters', 'parameter', { fixed, offset: 0 }),
      n: fixed,
      intake: { symbol: 'scalar', slot: 0 },
    });
  }
}

/**
 * Writes the gradients' mean over the batches of a step into the gradients. `intake` is the share of this batch in the
 * rows so far.
 */
export function writeAccumulation(builder: Builder, model: Model, optimizer: Optimizer, intake: Value): void {
  for (const { g, n } of trainedGradients(model, optimizer)) {
    const mean = tensor(g.name.replace('gradients', 'mean gradients'), 'accumulated', { fixed: n, offset: g.offset });
    builder.emit('accumulate', { g, mean, n, intake });
  }
}

/** The gradients of all trained parameters. */
export function trainedGradients(model: Model, optimizer: Optimizer) {
  const frozen = (parameter: string) =>
    model.untrained.has(parameter) || optimizer.settings[optimizer.groupOf(parameter)].frozen !== false;
  return runs(model, frozen)
    .filter(({ key: frozen }) => !frozen)
    .map((run) => ({
      g: tensor(label('gradients', run, model), 'gradient', { fixed: run.n, offset: run.begin }),
      n: run.n,
    }));
}

/** The trained parameters, their gradients or their moments, in the order of the blocks. */
export function trainedBlocks(model: Model, optimizer: Optimizer, storages: readonly Storage[]) {
  const names: Partial<Record<Storage, readonly string[]>> = { moment: optimizer.blockNames };
  return storages.flatMap((storage) =>
    (names[storage] ?? [`${storage}s`]).flatMap((block, i) =>
      trainedGradients(model, optimizer).map(({ g: { name, offset }, n }) => {
        const at = { fixed: n, offset: i * (storage === 'moment' ? model.momentLength : 0) + offset };
        return { values: tensor(name.replace('gradients', block), storage, at), n };
      }),
    ),
  );
}

/**
 * Writes the sum of `carry` and the squared gradients, which a guard can check: it is finite if all of them are.
 * Returns `carry` if nothing is trained.
 */
export function writeGradientCheck(
  builder: Builder,
  model: Model,
  optimizer: Optimizer,
  carry: Tensor | null,
): Tensor | null {
  let sum = carry;
  for (const gradient of trainedGradients(model, optimizer)) {
    const total = builder.total('gradientCheck');
    builder.emit('squareSum', { total, carry: sum, ...gradient });
    sum = total;
  }
  return sum;
}

/** Writes the gradient clipping of all trained parameters. */
function writeClipping(builder: Builder, model: Model, optimizer: Optimizer): void {
  const { clipValue, clipNorm } = optimizer;
  const gradients = trainedGradients(model, optimizer);
  if (clipValue !== undefined) {
    for (const gradient of gradients) builder.emit('clipValue', { ...gradient, limit: clipValue });
  }
  if (clipNorm !== undefined) {
    const squares = builder.total('squares');
    for (const [i, gradient] of gradients.entries()) {
      builder.emit('squareSum', { total: squares, carry: i === 0 ? null : squares, ...gradient });
    }
    for (const gradient of gradients) builder.emit('clipNorm', { ...gradient, squares, limit: clipNorm });
  }
}

/** The weights that have a penalty. */
export function penalised(model: Model) {
  return [...model.parameters.values()].flatMap(({ spec, tensor: w, gradient: dw }) => {
    const regularizer = spec.regularizer ?? model.regularizer;
    const active = spec.weight && regularizer !== undefined && (regularizer.l1 !== 0 || regularizer.l2 !== 0);
    return active ? [{ w, dw, regularizer: { l1: regularizer.l1, l2: regularizer.l2 } }] : [];
  });
}

export function writePenaltyGradients(builder: Builder, model: Model): void {
  for (const { w, dw, regularizer } of penalised(model)) {
    // No loss has written the gradient of an untrained weight: it is that of the penalty alone.
    if (model.untrained.has(w.name))
      builder.emit('binary', { y: dw, a: w, b: w, n: w.fixed, operation: codeOf('binary', 'subtract') });
    builder.emit('penaltyGradient', { dw, w, n: w.fixed, ...regularizer });
  }
}
