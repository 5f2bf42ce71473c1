import fc, { type Arbitrary } from 'fast-check';
import { expect, it } from 'vitest';
import * as blasnet from '../../lib/index.js';
import {
  Adam,
  type BackendName,
  type Loss,
  meanSquaredError,
  Network,
  type Node,
  RmsProp,
  Sgd,
  type Shared,
  shared,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';
import { distance, expectSameBits, nativeMissing, onBackends, randomFloats } from '../api/support.js';
import { expectGradients } from '../graph/support.js';
import { given, holds } from './checking.js';

/**
 * A node in a recipe: what is called, on nodes that were there before (as numbers that are taken modulo their count),
 * and with which numbers. Where shapes don't fit, the call is refused, and the recipe goes on without the node.
 */
interface Step {
  readonly call: string;
  readonly from: readonly number[];
  readonly numbers: readonly number[];
}

interface Recipe {
  readonly inputs: readonly (readonly number[])[];
  readonly steps: readonly Step[];
  /** Nodes, counted from the last, with the loss of each if it has one. */
  readonly outputs: readonly { readonly from: number; readonly loss: 'squares' | 'classes' | undefined }[];
  readonly weight: number;
}

/** What the nodes of a recipe have in common. */
interface Common {
  /** Shared layers on so many numbers. */
  tower(size: number): Shared;
  /** An input of so many indices. */
  indices(count: number): Node;
}

/** Indices are below it. */
const VOCABULARY = 3;

/** Layers and functions by name; `a`, `b`: numbers from 0 to 5. */
const smooth: Readonly<Record<string, (nodes: readonly Node[], a: number, b: number, common: Common) => Node>> = {
  dense: ([x], a) => flat(x).pipe(blasnet.dense(1 + a)),
  narrow: ([x], a) => flat(x).pipe(blasnet.dense(1 + a, { bias: false }), blasnet.tanh()),
  conv2d: ([x], a, b) => image(x).pipe(blasnet.conv2d(1 + (a % 3), { window: 1 + (b % 3), padding: 'same' })),
  avgPool2d: ([x], a) => image(x).pipe(blasnet.avgPool2d(1 + (a % 2), { stride: 1 + (a % 2) })),
  tower: ([x], _a, _b, { tower }) => flat(x).pipe(tower(elements(x.shape))),
  tanh: ([x]) => x.pipe(blasnet.tanh()),
  softplus: ([x]) => x.pipe(blasnet.softplus()),
  layerNorm: ([x]) => x.pipe(blasnet.layerNorm({ epsilon: 0.1 })),
  batchNorm: ([x]) => x.pipe(blasnet.batchNorm({ epsilon: 0.1, singleValue: 'allow' })),
  square: ([x]) => x.pipe(blasnet.tanh(), blasnet.square()),
  scale: ([x], a) => blasnet.scale(x, 0.5 + a / 5, a),
  add: ([x, y]) => blasnet.add(x, y),
  addThree: ([x, y, z]) => blasnet.add(x, y, z),
  subtract: ([x, y]) => blasnet.subtract(x, y),
  multiply: ([x, y]) => blasnet.multiply(x.pipe(blasnet.tanh()), y.pipe(blasnet.tanh())),
  average: ([x, y]) => blasnet.average(x, y),
  divide: ([x, y]) => blasnet.divide(x, blasnet.add(y.pipe(blasnet.tanh()), 3)),
  concat: ([x, y], a) => blasnet.concat(x, y, { axis: a % x.shape.length }),
  matmul: ([x, y], a) => blasnet.matmul(x.pipe(blasnet.tanh()), y, { transposeA: a > 2, transposeB: a % 2 > 0 }),
  dot: ([x, y]) => blasnet.dot(x.pipe(blasnet.tanh()), y),
  sum: ([x], a) => blasnet.mean(x, { axis: a % x.shape.length, keepDimension: true }),
  mean: ([x], a) => blasnet.mean(x, { axis: a % x.shape.length }),
  logSumExp: ([x]) => blasnet.logSumExp(x),
  reshape: ([x], a) => blasnet.reshape(x, shapesOf(elements(x.shape))[a % shapesOf(elements(x.shape)).length]),
  permute: ([x]) => blasnet.permute(x, [...x.shape.keys()].reverse()),
  slice: ([x], a) => blasnet.slice(x, { begin: x.shape.map((size) => a % size) }),
  pad: ([x], a) => blasnet.pad(x, x.shape.map(() => [a % 2, 1]) as [number, number][]),
  upsample2d: ([x]) => blasnet.upsample2d(image(x), 2),
};
const others: typeof smooth = {
  embedding: (_, a, b, { indices }) => indices(1 + (b % 3)).pipe(blasnet.embedding(VOCABULARY, 1 + a)),
  relu: ([x]) => x.pipe(blasnet.relu()),
  maximum: ([x, y]) => blasnet.maximum(x, y),
  minimum: ([x, y]) => blasnet.minimum(x, y),
  abs: ([x]) => blasnet.abs(x),
  max: ([x], a) => blasnet.max(x, { axis: a % x.shape.length }),
  maxPool2d: ([x]) => image(x).pipe(blasnet.maxPool2d(2, { stride: 1, padding: 1 })),
  dropout: ([x]) => x.pipe(blasnet.dropout(0.3)),
};
const calls = { ...smooth, ...others };

const flat = (x: Node) => (x.shape.length === 1 ? x : x.pipe(blasnet.flatten()));
/** With three dimensions; few numbers are a row of pixels. */
const image = (x: Node) => (x.shape.length === 3 ? x : blasnet.reshape(x, [elements(x.shape), 1, 1]));
/** Some shapes of so many elements. */
const shapesOf = (count: number): number[][] => [
  [count],
  ...[2, 3, 4].flatMap((n) =>
    count % n === 0
      ? [
          [n, count / n],
          [count / n, n],
          [1, n, count / n],
        ]
      : [],
  ),
];

const MOST = 60;

/** The nodes of a recipe: those that can be, and that are not too large. */
function nodesOf({ inputs, steps }: Recipe): Node[] {
  const nodes = inputs.map((shape, i) => blasnet.input(shape, { name: `x${i}` }));
  const towers = new Map<number, Shared>();
  const columns = new Map<number, Node>();
  const once = <T>(made: Map<number, T>, key: number, make: () => T): T => {
    const found = made.get(key) ?? make();
    made.set(key, found);
    return found;
  };
  const common: Common = {
    tower: (size) => once(towers, size, () => shared(blasnet.dense(4), blasnet.tanh())),
    indices: (count) => once(columns, count, () => blasnet.input([count], { name: `indices${count}`, type: 'index' })),
  };
  for (const { call, from, numbers } of steps) {
    const taken = from.map((index) => nodes[index % nodes.length]);
    try {
      const node = calls[call](taken, numbers[0], numbers[1], common);
      if (elements(node.shape) <= MOST) nodes.push(node);
    } catch (error) {
      if (!(error instanceof blasnet.BlasnetError) || error.code === 'INTERNAL') throw error;
    }
  }
  return nodes;
}

const index = fc.integer({ min: 0, max: 1000 });
const small = fc.integer({ min: 0, max: 5 });
const recipe = (names: readonly string[]): Arbitrary<Recipe> =>
  fc.record({
    inputs: fc.array(fc.constantFrom([4], [2, 3], [1, 3], [2, 2, 2], [1, 1, 2], [1]), { minLength: 1, maxLength: 3 }),
    steps: fc.array(
      fc.record({
        call: fc.constantFrom(...names),
        from: fc.tuple(index, index, index),
        numbers: fc.tuple(small, small),
      }),
      { minLength: 1, maxLength: 20, size: 'max' },
    ),
    outputs: fc.array(
      fc.record({ from: fc.integer({ min: 0, max: 5 }), loss: fc.constantFrom('squares', 'classes', undefined) }),
      { minLength: 1, maxLength: 3 },
    ),
    weight: fc.constantFrom(1, 0.5, 2),
  });

const ROWS = 4;

const isIndices = (name: string) => name.startsWith('indices');

interface Made {
  readonly network: Network<string>;
  readonly x: Readonly<Record<string, Float32Array>>;
  readonly y: Readonly<Record<string, Float32Array | Int32Array>>;
}

/** The network of a recipe with data for it; undefined without a node besides the inputs. */
function make(given: Recipe, backend: BackendName): Made | undefined {
  const nodes = nodesOf(given);
  if (nodes.length === given.inputs.length) return undefined;
  const chosen = given.outputs.map(({ from, loss }, i) => {
    // The last node is an output, and has a loss.
    const node = nodes[i === 0 ? nodes.length - 1 : Math.max(0, nodes.length - 1 - from)];
    const kind = i === 0 ? (loss ?? 'squares') : loss;
    const classes = elements(node.shape);
    return {
      name: `y${i}`,
      node,
      kind: kind === 'classes' && (classes < 2 || node.shape.length > 1) ? 'squares' : kind,
    };
  });
  const lossOf = (kind: string): Loss => (kind === 'classes' ? softmaxCrossEntropy() : meanSquaredError());
  const withLoss = chosen.filter(({ kind }) => kind !== undefined);
  const network = new Network<string>({
    outputs: Object.fromEntries(chosen.map(({ name, node }) => [name, node])),
    losses: Object.fromEntries(withLoss.map(({ name, kind }) => [name, lossOf(kind as string)])),
    lossWeights: { y0: given.weight },
    seed: 3,
    backend,
  });
  for (const [i, { name, value }] of network.parameters.entries())
    if (/bias|beta/.test(name)) value.set(randomFloats(value.length, 20 + i).map((v) => v / 3));
  const x = Object.fromEntries(
    network.inputs.map(({ name = '', shape }, i) => {
      const random = randomFloats(ROWS * elements(shape), 5 + i);
      return [name, isIndices(name) ? random.map((_, at) => (at * at + i) % VOCABULARY) : random];
    }),
  );
  const y = Object.fromEntries(
    withLoss.map(({ name, node, kind }, i) => {
      const count = elements(node.shape);
      if (kind === 'classes') return [name, Int32Array.from({ length: ROWS }, (_, row) => (row * 5 + i) % count)];
      return [name, randomFloats(ROWS * count, 11 + i)];
    }),
  );
  return { network, x, y };
}

/** Everything that a network computes for its data. */
function results({ network, x, y }: Made): Float32Array[] {
  const predicted = Object.values<Float32Array>(network.predict(x));
  const { loss, inputGradient } = network.gradients(x, y);
  const inputs = ArrayBuffer.isView(inputGradient) ? [inputGradient] : Object.values<Float32Array>(inputGradient);
  const own = [...network.parameters.map(({ gradient }) => gradient), ...network.state.map(({ value }) => value)];
  return [...predicted, Float32Array.of(loss), ...inputs, ...own].map((values) => Float32Array.from(values));
}

const everything = recipe(Object.keys(calls));

it('the graphs drawn have nodes of all kinds, with several users and in outputs', () => {
  const drawn = fc.sample(everything, { seed: 1, numRuns: 80 }).map((recipe) => nodesOf(recipe));
  const nodes = drawn.flat();
  expect(nodes.length / drawn.length).toBeGreaterThan(6);
  const [types, users] = [new Map<string, number>(), new Map<Node, number>()];
  for (const { spec, inputs } of nodes) {
    types.set(spec.type, (types.get(spec.type) ?? 0) + 1);
    for (const node of inputs) users.set(node, (users.get(node) ?? 0) + 1);
  }
  const merges = ['add', 'subtract', 'multiply', 'divide', 'average', 'maximum', 'minimum', 'concat', 'matmul', 'dot'];
  const others = ['reshape', 'permute', 'slice', 'pad', 'upsample2d', 'mean', 'conv2d', 'batchNorm', 'embedding'];
  for (const type of [...merges, ...others]) expect(types.get(type) ?? 0, type).toBeGreaterThan(2);
  expect([...users.values()].filter((count) => count > 1).length).toBeGreaterThan(60);
});
const optimizers = {
  sgd: () => new Sgd({ learningRate: 0.02, momentum: 0.9 }),
  adam: () => new Adam({ learningRate: 0.01 }),
  rmsProp: () => new RmsProp({ learningRate: 0.01 }),
};

onBackends('graphs drawn at random', (backend) => {
  holds(
    'compile and run, or are refused with an error of the library',
    60,
    fc.asyncProperty(everything, async (recipe) => {
      const made = await given(() => make(recipe, backend));
      if ('error' in made || made.value === undefined) return;
      const { network, x, y } = made.value;
      // Numbers may become too large.
      const run = await given(() => network.trainBatch(x, y, new Sgd({ learningRate: 1e-3 })));
      if ('error' in run) expect(run.error.code).toBe('NON_FINITE');
      for (const { name, shape } of network.outputs)
        expect(network.predict(x)[name as string].length).toBe(ROWS * elements(shape));
      expect(network.summary().split('\n').length).toBeGreaterThan(network.layers.length);
      network.dispose();
    }),
  );

  holds(
    'have the gradients of finite differences',
    25,
    fc.property(recipe(Object.keys(smooth)), (recipe) => {
      const made = make(recipe, backend);
      if (made === undefined) return;
      const { network, x, y } = made;
      // What differences of float32 losses can show: neither large losses nor many parameters.
      const { loss } = network.gradients(x, y);
      fc.pre(loss < 10 && network.parameterCount < 120);
      expectGradients(network, x, y);
      network.dispose();
    }),
  );

  holds(
    'are the same after a file, and train on with the same bits',
    40,
    fc.property(everything, fc.constantFrom(...Object.keys(optimizers)), (recipe, name) => {
      const made = make(recipe, backend);
      if (made === undefined) return;
      const { network, x, y } = made;
      const [first, restored] = [0, 1].map(() => optimizers[name as keyof typeof optimizers]());
      const steps = (of: Network<string>, by: blasnet.Optimizer) =>
        Array.from({ length: 2 }, () => of.trainBatch(x, y, by).loss);
      try {
        steps(network, first);
      } catch (error) {
        expect(error).toMatchObject({ code: 'NON_FINITE' });
        return;
      }
      const bytes = network.toBytes({ optimizer: first });
      const other = Network.fromBytes<string>(bytes, { backend, optimizer: restored });
      expect(Buffer.compare(other.toBytes({ optimizer: restored }), bytes)).toBe(0);
      expect([other.summary(), other.inputs, other.outputs]).toEqual([
        network.summary(),
        network.inputs,
        network.outputs,
      ]);
      expectSameBits(Object.values(other.predict(x)), Object.values(network.predict(x)));
      expect(steps(other, restored)).toEqual(steps(network, first));
      const parts = (of: Network<string>) => [...of.parameters, ...of.state].map(({ value }) => value);
      expectSameBits(parts(other), parts(network));
      network.dispose();
      other.dispose();
    }),
  );
});

if (nativeMissing() === undefined) {
  holds(
    'graphs give the same on both backends',
    40,
    fc.property(everything, (recipe) => {
      const [ours, plain] = (['native', 'typescript'] as const).map((backend) => make(recipe, backend));
      if (ours === undefined || plain === undefined) return;
      const [a, b] = [results(ours), results(plain)];
      expect(a.map(({ length }) => length)).toEqual(b.map(({ length }) => length));
      expect(distance(a, b)).toBeLessThan(1e-4);
    }),
  );
}
