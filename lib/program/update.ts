import type { Optimizer } from '../optimizers/optimizer.js';
import { type Builder, fixedTensor, metrics, type Storage } from './instructions.js';
import type { Model } from './model.js';

/** Neighbouring parameters with the padding behind each: `n` elements of the parameter block from `begin`. */
interface Run<K> {
  readonly key: K;
  readonly begin: number;
  readonly n: number;
  /** Names of the first and the last parameter. */
  readonly first: string;
  readonly last: string;
}

/** The parameter block as maximal runs of parameters with the same key. */
function runs<K>(model: Model, keyOf: (parameter: string) => K): Run<K>[] {
  const parameters = [...model.parameters];
  const list: Run<K>[] = [];
  parameters.forEach(([name, { tensor }], i) => {
    const key = keyOf(name);
    const end = parameters[i + 1]?.[1].tensor.offset ?? model.parameterLength;
    const previous = list[list.length - 1];
    if (previous?.key === key) list[list.length - 1] = { ...previous, n: end - previous.begin, last: name };
    else list.push({ key, begin: tensor.offset, n: end - tensor.offset, first: name, last: name });
  });
  return list;
}

/** What a listing calls a run of a block: the block's name where it is all of it. */
function label(block: string, { n, first, last }: Run<unknown>, model: Model): string {
  if (n === model.parameterLength) return block;
  return `${block} of ${first === last ? first : `${first} to ${last}`}`;
}

/**
 * Writes the optimizer's step on the gradients as they are: one call a run of parameters with the same settings, over the whole block
 * where all have the same. Padding has zero gradients and stays as it is.
 */
export function writeUpdate(builder: Builder, model: Model, optimizer: Optimizer): void {
  writeClipping(builder, model, optimizer);
  for (const run of runs(model, (parameter) => optimizer.groupOf(parameter))) {
    const { key: group, begin, n } = run;
    const { frozen, weightDecay } = optimizer.settings[group];
    if (frozen) continue;
    const block = (name: string, storage: Storage, start: number) =>
      fixedTensor(label(name, run, model), storage, n, start + begin);
    optimizer.write(builder, {
      p: block('parameters', 'parameter', 0),
      g: block('gradients', 'gradient', 0),
      n,
      weightDecay,
      moment: (name) => block(name, 'moment', optimizer.momentNames.indexOf(name) * model.parameterLength),
      scalar: (slot) => ({ symbol: 'scalar', slot: optimizer.firstScalar(group) + slot }),
    });
  }
}

/** Writes the clipping of the gradients of all parameters that are trained. */
function writeClipping(builder: Builder, model: Model, optimizer: Optimizer): void {
  const { clipValue, clipNorm } = optimizer;
  const gradients = runs(model, (parameter) => optimizer.settings[optimizer.groupOf(parameter)].frozen)
    .filter(({ key: frozen }) => !frozen)
    .map((run) => ({ g: fixedTensor(label('gradients', run, model), 'gradient', run.n, run.begin), n: run.n }));
  if (clipValue !== undefined) {
    for (const gradient of gradients) builder.emit('clipValue', { ...gradient, limit: clipValue });
  }
  if (clipNorm !== undefined) {
    const squares = fixedTensor('squares', 'metric', 1, metrics.squares, 'f64');
    for (const [i, gradient] of gradients.entries()) {
      builder.emit('squareSum', { total: squares, carry: i === 0 ? null : squares, ...gradient });
    }
    for (const gradient of gradients) builder.emit('clipNorm', { ...gradient, squares, limit: clipNorm });
  }
}
