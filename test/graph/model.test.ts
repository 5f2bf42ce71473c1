import { describe, expect, it } from 'vitest';
import {
  add,
  batchNorm,
  binaryCrossEntropy,
  conv2d,
  customLoss,
  dense,
  flatten,
  input,
  mean,
  meanSquaredError,
  Network,
  type Node,
  relu,
  shared,
  sigmoid,
  softmax,
  softmaxCrossEntropy,
  square,
  subtract,
} from '../../lib/index.js';
import { expectError } from '../api/support.js';
import { graphOf, modelOf, randomGraph } from './support.js';

const names = (node: Node) => modelOf(node).nodes.map(({ name }) => name);
const network = (options: object) => () => new Network({ backend: 'typescript', ...options } as never);

describe('names', () => {
  it('are given ones, or the type with a number', () => {
    const x = input([3]);
    const stem = x.pipe(dense(3, { name: 'stem' }), relu());
    expect(names(add(stem, stem.pipe(dense(3), relu()), stem.pipe(dense(3))))).toEqual([
      'stem',
      'relu_1',
      'dense_1',
      'relu_2',
      'dense_2',
      'add_1',
    ]);
  });

  it('skip those that a layer was given, wherever it comes', () => {
    const first = input([3]).pipe(dense(3), dense(3));
    expect(names(first.pipe(dense(3, { name: 'dense_1' })))).toEqual(['dense_2', 'dense_3', 'dense_1']);
  });

  it('of a shared layer are numbered for its further uses, whose parameters are those of the first', () => {
    const [a, b] = [input([3], { name: 'a' }), input([3], { name: 'b' })];
    const encoder = shared(dense(3, { name: 'encoder' }), relu());
    const { nodes, parameters } = modelOf(subtract(a.pipe(encoder), b.pipe(encoder)));
    expect(nodes.map(({ name, owner }) => [name, owner])).toEqual([
      ['encoder', 0],
      ['relu_1', 1],
      ['encoder_1', 0],
      ['relu_1_1', 1],
      ['subtract_1', 4],
    ]);
    expect([...parameters.keys()]).toEqual(['encoder.weight', 'encoder.bias']);
  });

  it('must differ', () => {
    const x = input([3]);
    expectError(
      () => modelOf(add(x.pipe(dense(3, { name: 'head' })), x.pipe(dense(3, { name: 'head' })))),
      'INVALID_ARGUMENT',
      /^node head: name: expected a name that no other layer has, got "head"/,
    );
  });

  it('of inputs and outputs are those of the network, in order', () => {
    const [a, b] = [input([3], { name: 'a' }), input([2, 2, 1], { name: 'b' })];
    const joined = add(a, b.pipe(flatten(), dense(3)));
    const outputs = { digit: joined.pipe(dense(4)), code: joined };
    const made = new Network({
      outputs,
      losses: { code: meanSquaredError() },
      backend: 'typescript',
    });
    expect(made.inputs).toEqual([
      { name: 'a', shape: [3] },
      { name: 'b', shape: [2, 2, 1] },
    ]);
    expect(made.outputs).toEqual([
      { name: 'digit', shape: [4] },
      { name: 'code', shape: [3] },
    ]);
    expect([made.input, made.output]).toEqual([[3], [4]]);
  });
});

describe('the order of nodes', () => {
  it('puts each after those that it takes, each once, in any of 200 random graphs', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { inputs, nodes, outputs } = graphOf(randomGraph(seed).outputs);
      const all = [...inputs.map(({ node }) => node), ...nodes.map(({ node }) => node)];
      expect(new Set(all).size).toBe(all.length);
      for (const [i, { node, from, owner }] of nodes.entries()) {
        expect(from.every((place) => place < inputs.length + i)).toBe(true);
        expect(from.map((place) => all[place])).toEqual([...node.inputs]);
        expect(owner).toBeLessThanOrEqual(i);
      }
      for (const { place, shape } of outputs) expect(all[place].shape).toEqual(shape);
      expect(new Set(nodes.map(({ name }) => name)).size).toBe(nodes.length);
    }
  });

  it('takes graphs deeper than the call stack', () => {
    let node = input([1]);
    for (let i = 0; i < 20_000; i++) node = node.pipe(relu());
    expect(modelOf(node).nodes.length).toBe(20_000);
  });

  it('has only the nodes that outputs reach', () => {
    const x = input([3]);
    const used = x.pipe(dense(3));
    used.pipe(dense(100));
    input([9], { name: 'other' }).pipe(dense(3));
    expect(names(used)).toEqual(['dense_1']);
  });
});

describe('a graph', () => {
  const x = input([3]);

  it('has no cycles: a node can only take nodes that exist, and never changes', () => {
    const node = x.pipe(dense(3)) as unknown as { inputs: unknown[]; shape: number[]; spec: object };
    expect(() => {
      node.inputs[0] = node;
    }).toThrow(TypeError);
    expect(() => {
      node.inputs = [node];
    }).toThrow();
    expect(() => node.shape.push(1)).toThrow(TypeError);
    expect(Object.isFrozen(node.inputs) && Object.isFrozen(node.shape)).toBe(true);
    const Class = x.constructor as new (...args: unknown[]) => unknown;
    expect(Class.name).toBe('Node');
  });

  const bad: [string, () => unknown, string, RegExp][] = [
    [
      'two inputs of one name',
      () => modelOf(add(input([3], { name: 'a' }), input([3], { name: 'a' }))),
      'INVALID_ARGUMENT',
      /^input a: name: expected a name that no other input has, got "a"/,
    ],
    [
      'several inputs, one without a name',
      () => modelOf(add(input([3], { name: 'a' }), input([3]))),
      'INVALID_ARGUMENT',
      /^network: 2 inputs: give each a name, input\(\[3\], \{ name \}\)/,
    ],
    [
      'a shared layer on inputs of another shape',
      () => {
        const layers = shared(dense(3, { name: 'encoder' }));
        return modelOf(add(x.pipe(layers), x.pipe(dense(4), layers)));
      },
      'SHAPE_MISMATCH',
      /^node encoder_1: a shared layer needs inputs of the same shape.*on \[3\] \(node encoder\) and on \[4\]/,
    ],
    ['nodes of other shapes', () => add(x, x.pipe(dense(4))), 'SHAPE_MISMATCH', /^add: .*\[3\].*\[4\]/],
    ['a layer on a shape that it does not take', () => x.pipe(conv2d(3)), 'SHAPE_MISMATCH', /^conv2d: .*\[3\]/],
    [
      'a function that gives no node',
      () => x.pipe(() => 3 as never),
      'INVALID_ARGUMENT',
      /^pipe: the result of argument 0/,
    ],
    [
      'a layer that is none',
      () => x.pipe(relu(), {} as never),
      'INVALID_ARGUMENT',
      /^pipe: argument 1: expected a layer/,
    ],
    [
      'a loss of one value a sample on another shape',
      () =>
        modelOf(
          x.pipe(dense(3, { name: 'head' })),
          customLoss((y, t) => square(subtract(y, t))),
        ),
      'SHAPE_MISMATCH',
      /^node head: custom: expected one value a sample, of shape \[1\], got \[3\] for predictions of shape \[3\]/,
    ],
    [
      'a loss that does not depend on the prediction',
      () =>
        modelOf(
          x.pipe(dense(3)),
          customLoss((_, t) => mean(square(t))),
        ),
      'INVALID_ARGUMENT',
      /^node dense_1: custom: its value does not depend on the prediction/,
    ],
    [
      'a loss with parameters',
      () =>
        modelOf(
          x.pipe(dense(3)),
          customLoss((y) => y.pipe(dense(1))),
        ),
      'INVALID_ARGUMENT',
      /a loss can't have parameters/,
    ],
    [
      'a loss without its activation',
      network({ output: x.pipe(dense(3)), loss: softmaxCrossEntropy({ fromLogits: false }) }),
      'INVALID_ARGUMENT',
      /^output: softmaxCrossEntropy with fromLogits: false needs softmax\(\) as the last layer, got dense\(\)/,
    ],
    [
      'an activation that the loss has',
      network({ outputs: { kind: x.pipe(dense(1), sigmoid()) }, losses: { kind: binaryCrossEntropy() } }),
      'INVALID_ARGUMENT',
      /^output kind: it ends with sigmoid\(\)/,
    ],
    [
      'softmax over one number',
      network({ output: x.pipe(dense(1), softmax({ name: 'last' })), loss: meanSquaredError() }),
      'INVALID_ARGUMENT',
      /^node last: softmax\(\) over one number/,
    ],
    [
      'a loss for an output that is none',
      network({ outputs: { a: x.pipe(dense(1)) }, losses: { b: meanSquaredError() } }),
      'INVALID_ARGUMENT',
      /^losses: expected names of "?a"?, got "b"/,
    ],
    [
      'no loss',
      network({ outputs: { a: x.pipe(dense(1)) }, losses: {} }),
      'INVALID_ARGUMENT',
      /^losses: expected a loss for at least one output/,
    ],
    [
      'a weight of a loss below 0',
      network({ outputs: { a: x.pipe(dense(1)) }, losses: { a: meanSquaredError() }, lossWeights: { a: -1 } }),
      'INVALID_ARGUMENT',
      /^lossWeights: a: /,
    ],
    [
      'a weight without a loss',
      network({
        outputs: { a: x.pipe(dense(1)), b: x.pipe(dense(1)) },
        losses: { a: meanSquaredError() },
        lossWeights: { b: 1 },
      }),
      'INVALID_ARGUMENT',
      /^lossWeights: b: expected none without a loss/,
    ],
    [
      'layers as an output',
      network({ output: [dense(3)], loss: meanSquaredError() }),
      'INVALID_ARGUMENT',
      /^output: expected a node/,
    ],
    [
      'options of both kinds',
      network({ output: x.pipe(dense(1)), layers: [relu()], loss: meanSquaredError() }),
      'UNKNOWN_OPTION',
      /"layers"/,
    ],
  ];
  it.each(bad)('refuses %s', (_, act, code, message) => expectError(act, code as never, message));

  it('knows its nodes by name, and no others', () => {
    const made = new Network({
      output: x.pipe(dense(3, { name: 'stem' }), batchNorm(), dense(2)),
      loss: meanSquaredError(),
      backend: 'typescript',
    });
    expect(made.node('stem').shape).toEqual([3]);
    expect(made.node('dense_1').spec.type).toBe('dense');
    expectError(() => made.node('head'), 'INVALID_ARGUMENT', /^node: expected one of .*stem.*, got "head"/);
    expectError(() => made.predict([1, 2, 3], { outputs: ['head'] }), 'INVALID_ARGUMENT', /^node: .*got "head"/);
    expectError(() => made.predict([1, 2, 3], { outputs: [] }), 'INVALID_ARGUMENT', /^predict: outputs/);
    expectError(() => made.parameter('head.weight'), 'INVALID_ARGUMENT', /stem\.weight/);
  });

  it('is shown by its summary, with what each node takes', () => {
    const layers = shared(dense(3, { name: 'encoder' }));
    const [a, b] = [input([3], { name: 'a' }), input([3], { name: 'b' })];
    const made = new Network({
      outputs: { distance: subtract(a.pipe(layers), b.pipe(layers)), code: a.pipe(layers) },
      losses: { distance: meanSquaredError() },
      backend: 'typescript',
    });
    const lines = made.summary().split('\n');
    expect(lines.find((line) => line.startsWith('encoder_1'))).toMatch(/dense +\[3\] +0 +b \(shared with encoder\)$/);
    expect(lines.find((line) => line.startsWith('subtract_1'))).toMatch(/encoder, encoder_1 → output distance$/);
    expect(lines.filter((line) => line.endsWith('→ output code')).length).toBe(1);
    expect(made.summary()).toMatch(/^12 parameters/m);
  });
});
