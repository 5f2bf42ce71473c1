import { expect } from 'vitest';
import {
  add,
  type BackendName,
  batchNorm,
  concat,
  dense,
  dropout,
  gaussianNoise,
  groupNorm,
  input,
  type Loss,
  layerNorm,
  logSoftmax,
  maximum,
  meanAbsoluteError,
  meanSquaredError,
  mish,
  multiply,
  type Network,
  type Node,
  prelu,
  relu,
  shared,
  softmaxCrossEntropy,
  softplus,
  subtract,
  type Targets,
  tanh,
} from '../../lib/index.js';
import { buildModel, type GraphSpec, type Model, type OutputSpec } from '../../lib/program/model.js';
import { RandomStream } from '../../lib/random.js';
import { randomFloats } from '../api/support.js';

/** An output: a node with or without a loss. */
export type Given = Node | { readonly node: Node; readonly loss?: Loss; readonly weight?: number };

/** The specification of a graph with these outputs by name; a node alone is only predicted. */
export function specOf(outputs: Readonly<Record<string, Given>>, seed = 1): GraphSpec {
  const list = Object.entries(outputs).map(([name, given]): OutputSpec => {
    const { node, loss, weight } = 'node' in given ? given : { node: given, loss: undefined, weight: undefined };
    return { name, node, loss, ...(weight !== undefined && { weight }) };
  });
  return { outputs: list, regularizer: undefined, seed };
}

export function graphOf(outputs: Readonly<Record<string, Given>>, seed = 1): Model {
  return buildModel(specOf(outputs, seed));
}

/** A graph of one output without a name. */
export function modelOf(node: Node, loss: Loss = meanSquaredError()): Model {
  return buildModel({ outputs: [{ name: undefined, node, loss }], regularizer: undefined, seed: 1 });
}

export const WIDTH = 6;

/** A graph drawn from a seed, with its data. */
export interface Drawn {
  readonly inputs: readonly string[];
  readonly outputs: Readonly<Record<string, { readonly node: Node; readonly loss?: Loss; readonly weight: number }>>;
}

/**
 * A graph drawn from a seed: one to three inputs, layers with and without parameters, shared ones, and nodes of several
 * nodes, each of which takes any that were there before; one to three outputs, at least one of them with a loss.
 * `smooth`: without kinks, for finite differences.
 */
export function randomGraph(seed: number, { smooth = false, noise = true } = {}): Drawn {
  const random = new RandomStream(seed, 4712);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
  const inputs = ['a', 'b', 'c'].slice(0, 1 + random.below(3));
  const nodes = inputs.map((name) => input([WIDTH], { name }));
  const twice = shared(dense(WIDTH), tanh());
  const normed = shared(dense(WIDTH, { bias: false }), batchNorm({ singleValue: 'allow' }));
  const any = () => pick(nodes);
  const kinds: (() => Node)[] = [
    () => any().pipe(dense(WIDTH, { bias: random.below(2) === 0 })),
    () => any().pipe(dense(WIDTH), pick([tanh, softplus])()),
    () => any().pipe(twice),
    () => any().pipe(normed),
    () => any().pipe(pick([tanh, softplus])()),
    () => any().pipe(batchNorm({ singleValue: 'allow' })),
    () => any().pipe(pick([layerNorm(), groupNorm(2), logSoftmax(), mish()])),
    () => add(any(), any()),
    () => add(any(), any(), any()),
    () => subtract(any(), any()),
    () => multiply(any(), any()).pipe(tanh()),
    () => concat(any(), any()).pipe(dense(WIDTH)),
  ];
  if (!smooth) kinds.push(() => any().pipe(dense(WIDTH), pick([relu, prelu])()));
  if (!smooth) kinds.push(() => maximum(any(), any()));
  if (!smooth) kinds.push(() => any().pipe(relu()));
  if (noise) kinds.push(() => any().pipe(pick([dropout(0.3), gaussianNoise(0.1)])));
  for (let count = 2 + random.below(9); count > 0; count--) nodes.push(pick(kinds)());
  const losses = [meanSquaredError(), ...(smooth ? [] : [meanAbsoluteError()]), softmaxCrossEntropy()];
  const outputs = ['p', 'q', 'r'].slice(0, 1 + random.below(3)).map((name, i) => {
    // All nodes count that the last one reaches; of the others, those drawn here.
    const node = i === 0 ? (nodes.at(-1) as Node) : any();
    const loss = i === 0 || random.below(3) > 0 ? pick(losses) : undefined;
    const weight = loss === undefined ? 1 : pick([1, 1, 0.5, 2]);
    return [name, { node, ...(loss && { loss }), weight }] as const;
  });
  return { inputs, outputs: Object.fromEntries(outputs) };
}

/** Names of the inputs that the outputs reach. */
export function inputsOf({ inputs }: Model): string[] {
  return inputs.map(({ name }) => name as string);
}

export function drawnInputs(model: Model, rows: number, seed = 3): Record<string, Float32Array> {
  return Object.fromEntries(inputsOf(model).map((name, i) => [name, randomFloats(rows * WIDTH, seed + i)]));
}

/** Targets of a drawn graph: class labels for cross-entropies, otherwise numbers. */
export function drawnTargets({ outputs }: Drawn, rows: number, seed = 8): Record<string, Float32Array | Int32Array> {
  const random = new RandomStream(seed, 4713);
  return Object.fromEntries(
    Object.entries(outputs).flatMap(([name, { loss }], i) => {
      if (loss === undefined) return [];
      const labels = loss.targets.includes('labels');
      return [
        [
          name,
          labels ? Int32Array.from({ length: rows }, () => random.below(WIDTH)) : randomFloats(rows * WIDTH, seed + i),
        ],
      ];
    }),
  );
}

/** Options of `Network` for a drawn graph. */
export function optionsOf({ outputs }: Drawn, backend: BackendName, seed = 5) {
  const entries = Object.entries(outputs);
  const withLoss = entries.filter(([, { loss }]) => loss !== undefined);
  return {
    outputs: Object.fromEntries(entries.map(([name, { node }]) => [name, node])),
    losses: Object.fromEntries(withLoss.map(([name, { loss }]) => [name, loss as Loss])),
    lossWeights: Object.fromEntries(withLoss.map(([name, { weight }]) => [name, weight])),
    seed,
    backend,
  };
}

const STEP = 1 / 256;

/**
 * The losses are float32 sums: a central difference has an error of about 1e-7 / step from rounding. Richardson's
 * extrapolation leaves no term in step², so that agreement to 5e-4 of the gradient's size is what it can show.
 */
function expectDifferences(gradient: ArrayLike<number>, differences: readonly number[], name: string): void {
  const size = Math.max(0.05, ...differences.map(Math.abs));
  differences.forEach((difference, i) => {
    expect(
      Math.abs(gradient[i] - difference),
      `${name}[${i}]: ${gradient[i]}, by differences ${difference}`,
    ).toBeLessThan(5e-4 * size);
  });
}

type Columns = Readonly<Record<string, Float32Array>>;

/**
 * Compares the gradients of all parameters and inputs with finite differences of the loss, in a network without random
 * masks; `x` are its inputs by name ('' for an only one without a name).
 */
export function expectGradients<K extends string>(network: Network<K>, x: Columns, y: Targets): void {
  const given = (columns: Columns) => ('' in columns ? columns[''] : columns);
  const { inputGradient } = network.gradients(given(x), y);
  const gradients = network.parameters.map(({ gradient }) => gradient.slice());
  const difference = (values: Float32Array, i: number): number => {
    const before = values[i];
    const lossAt = (by: number) => {
      values[i] = before + by;
      return network.gradients(given(x), y).loss;
    };
    const central = (step: number) => (lossAt(step) - lossAt(-step)) / (2 * step);
    const result = (4 * central(STEP) - central(2 * STEP)) / 3;
    values[i] = before;
    return result;
  };
  network.parameters.forEach(({ name, value }, index) => {
    expectDifferences(
      gradients[index],
      Array.from(value, (_, i) => difference(value, i)),
      name,
    );
  });
  for (const [name, values] of Object.entries(x)) {
    const found = name in inputGradient ? (inputGradient as unknown as Columns)[name] : inputGradient;
    expectDifferences(
      found,
      Array.from(values, (_, i) => difference(values, i)),
      `input ${name}`,
    );
  }
}
