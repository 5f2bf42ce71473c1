import { expect, it } from 'vitest';
import { input, merge, type Node } from '../../lib/graph/node.js';
import {
  clip,
  dense,
  type LayerSpec,
  max,
  meanSquaredError,
  Network,
  pad,
  permute,
  reshape,
  scale,
  slice,
  sum,
  tanh,
  upsample2d,
} from '../../lib/index.js';
import {
  addSpec,
  concatSpec,
  divideSpec,
  dotSpec,
  matmulSpec,
  maximumSpec,
  multiplySpec,
  subtractSpec,
} from '../../lib/layers/merge.js';
import { elements } from '../../lib/program/instructions.js';
import { applied, operationCases } from './operation-cases.js';
import { onBackends, randomFloats } from './support.js';

const ROWS = 3;
const STEP = 1 / 256;

/** Richardson's extrapolation of central differences, whose error in float32 is about 1e-7 / step. */
function difference(lossAt: (by: number) => number): number {
  const central = (step: number) => (lossAt(step) - lossAt(-step)) / (2 * step);
  return (4 * central(STEP) - central(2 * STEP)) / 3;
}

function expectDifferences(gradient: ArrayLike<number>, lossAt: (i: number, by: number) => number, name: string): void {
  const differences = Array.from(gradient, (_, i) => difference((by) => lossAt(i, by)));
  const size = Math.max(0.05, ...differences.map(Math.abs));
  differences.forEach((expected, i) => {
    expect(Math.abs(gradient[i] - expected), `${name}[${i}]: ${gradient[i]}, ${expected}`).toBeLessThan(1e-3 * size);
  });
}

/** Numbers a grid apart, so that none are within a step of each other, of 0 or of the limits of the clips. */
function apart(length: number, seed: number, positive: boolean): Float32Array {
  const random = randomFloats(length, seed);
  const order = [...random.keys()].sort((i, j) => random[i] - random[j]);
  const [low, width] = positive ? [0.4, 1.5] : [-1.6, 3.2];
  return Float32Array.from(order, (rank) => low + 0.0131 + (width * (rank + 0.3 * seed)) / length);
}

onBackends('gradients of operations agree with finite differences', (backend) => {
  it.each(Object.entries(operationCases))('%s', (_, operation) => {
    const { inputs, positive = false } = operation;
    const nodes = inputs.map((shape, i) => input(shape, { name: `x${i}` }));
    // Each input has a second use, and each gradient comes through weights.
    const before = nodes.map((node) => merge(addSpec(), [node, node.pipe(scale(0.5))]));
    const middle = applied(operation, before);
    const output = middle.pipe(reshape([elements(middle.shape)]), dense(2, { weightInitializer: 'glorotNormal' }));
    const network = new Network({ output, loss: meanSquaredError(), backend, seed: 2 });
    const x = Object.fromEntries(inputs.map((shape, i) => [`x${i}`, apart(ROWS * elements(shape), i + 1, positive)]));
    const targets = randomFloats(ROWS * 2, 7);
    const features = (given: Record<string, Float32Array>) => (inputs.length === 1 ? given.x0 : given);
    const { inputGradient } = network.gradients(features(x), targets);
    const gradients = (inputs.length === 1 ? { x0: inputGradient } : inputGradient) as Record<string, Float32Array>;
    for (const [name, values] of Object.entries(x)) {
      const lossAt = (i: number, by: number) => {
        const moved = values.slice();
        moved[i] += by;
        return network.gradients(features({ ...x, [name]: moved }), targets).loss;
      };
      expectDifferences(gradients[name], lossAt, name);
    }
    network.dispose();
  });
});

onBackends('operations in graphs', (backend) => {
  const run = (output: Node, x: Record<string, Float32Array>) => {
    const network = new Network({ output, loss: meanSquaredError(), backend, seed: 1 });
    const results = [
      network.predict(x),
      network.gradients(x, new Float32Array(elements(output.shape)).fill(1)),
    ] as const;
    network.dispose();
    return results;
  };
  const [a, b] = [input([3], { name: 'a' }), input([3], { name: 'b' })];
  const x = { a: Float32Array.of(1, 2, 3), b: Float32Array.of(3, 2, 1) };

  it('take one node twice', () => {
    const [y, { inputGradient }] = run(
      merge(addSpec(), [merge(multiplySpec(), [a, a]), merge(subtractSpec(), [b, b])]),
      x,
    );
    expect([...y]).toEqual([1, 4, 9]);
    // The loss is Σ (a² − 1)² / 3.
    const gradients = inputGradient as unknown as Record<string, Float32Array>;
    [0, (8 * 3) / 3, (12 * 8) / 3].forEach((value, i) => {
      expect(gradients.a[i]).toBeCloseTo(value, 4);
    });
    expect([...gradients.b]).toEqual([0, 0, 0]);
  });

  it('leave a value that others need as it is', () => {
    const s = merge(addSpec(), [a, b]);
    const t = s.pipe(clip(0, 10));
    const [y, { inputGradient }] = run(
      merge(multiplySpec(), [merge(maximumSpec(), [s, t]), s, merge(divideSpec(), [s, t])]),
      x,
    );
    expect([...y]).toEqual([16, 16, 16]);
    // With s = t: y = s², of which the maximum's gradient goes to s and that of s / t cancels.
    const gradients = inputGradient as unknown as Record<string, Float32Array>;
    for (const value of [...gradients.a, ...gradients.b]) expect(value).toBeCloseTo((2 * 15 * 2 * 4) / 3, 3);
  });

  it('are the same in one call and in single rows', () => {
    const rows = 5;
    const nodes = [input([2, 3], { name: 'p' }), input([3], { name: 'q' })];
    const output = merge(matmulSpec({ transposeB: true }), [merge(addSpec(), nodes), nodes[0]]).pipe(max({ axis: 0 }));
    const network = new Network({ output, loss: meanSquaredError(), backend, seed: 1 });
    const [p, q] = [randomFloats(rows * 6, 1), randomFloats(rows * 3, 2)];
    const whole = network.predict({ p, q });
    for (let i = 0; i < rows; i++) {
      const row = network.predict({ p: p.slice(6 * i, 6 * i + 6), q: q.slice(3 * i, 3 * i + 3) });
      row.forEach((value, j) => {
        expect(whole[2 * i + j]).toBeCloseTo(value, 5);
      });
    }
    network.dispose();
  });

  it('stand in a list of layers, are saved and loaded', () => {
    const layers = [
      pad(
        [
          [1, 0],
          [0, 1],
          [0, 0],
        ],
        { value: 2 },
      ),
      upsample2d([1, 2]),
      permute([2, 0, 1]),
      slice({ begin: [0, 1, 0] }),
      tanh(),
      sum({ axis: [0, -1], keepDimension: true }),
      reshape([-1]),
      dense(2),
    ];
    const network = new Network({ input: [3, 3, 2], layers, loss: meanSquaredError(), backend, seed: 4 });
    const images = randomFloats(4 * 18, 3);
    const loaded = Network.fromBytes(network.toBytes(), { backend });
    expect(loaded.predict(images)).toEqual(network.predict(images));
    expect(loaded.layers.map(({ type }) => type)).toEqual(layers.map(({ type }) => type));
  });

  it('are saved and loaded as a graph', () => {
    const [p, q] = [input([2, 3], { name: 'p' }), input([2, 3], { name: 'q' })];
    const output = merge(concatSpec({ axis: 0, name: 'both' }), [merge(dotSpec(), [p, q]), p.pipe(sum({ axis: 1 }))]);
    const network = new Network({ output, loss: meanSquaredError(), backend, seed: 4 });
    const values = { p: randomFloats(12, 1), q: randomFloats(12, 2) };
    const loaded = Network.fromBytes(network.toBytes(), { backend });
    expect(loaded.predict(values)).toEqual(network.predict(values));
  });
});

const node = (...shape: number[]) => input(shape, { name: 'x' });
const refused: [string, () => unknown, string, RegExp][] = [
  [
    'sizes that don’t broadcast',
    () => merge(addSpec(), [node(3, 4), node(2, 4)]),
    'SHAPE_MISMATCH',
    /\[3, 4\] and \[2, 4\]/,
  ],
  [
    'sums of unlike shapes',
    () => merge(concatSpec(), [node(3, 4), node(2, 4)]),
    'SHAPE_MISMATCH',
    /\[3, 4\] and \[2, 4\]/,
  ],
  ['unlike ranks in concat', () => merge(concatSpec(), [node(4), node(2, 4)]), 'SHAPE_MISMATCH', /\[4\] and \[2, 4\]/],
  [
    'no such dimension',
    () => merge(concatSpec({ axis: 2 }), [node(3, 4), node(3, 4)]),
    'SHAPE_MISMATCH',
    /concat: axis/,
  ],
  ['a product of vectors', () => merge(matmulSpec(), [node(4), node(4)]), 'SHAPE_MISMATCH', /\[4\] and \[4\]/],
  ['inner dimensions', () => merge(matmulSpec(), [node(3, 4), node(3, 4)]), 'SHAPE_MISMATCH', /4 and 3/],
  ['unequal vectors', () => merge(dotSpec(), [node(4), node(3)]), 'SHAPE_MISMATCH', /\[4\] and \[3\]/],
  ['three to subtract', () => merge(subtractSpec(), [node(4), node(4), node(4)]), 'INVALID_ARGUMENT', /two|2/],
  ['one to add', () => merge(addSpec(), [node(4)]), 'INVALID_ARGUMENT', /two or more/],
  ['an axis that is not', () => node(3).pipe(sum({ axis: 1 })), 'SHAPE_MISMATCH', /sum: axis/],
  ['an axis before the first', () => node(3).pipe(max({ axis: -2 })), 'SHAPE_MISMATCH', /\[3\]/],
  ['another number of elements', () => node(3, 4).pipe(reshape([5, -1])), 'SHAPE_MISMATCH', /\[3, 4\]/],
  ['a permutation of fewer', () => node(3, 4).pipe(permute([0])), 'SHAPE_MISMATCH', /\[3, 4\]/],
  ['an empty slice', () => node(3).pipe(slice({ begin: [2], end: [2] })), 'SHAPE_MISMATCH', /\[3\]/],
  ['a slice beyond', () => node(3).pipe(slice({ begin: [0], end: [4] })), 'SHAPE_MISMATCH', /\[3\]/],
  ['padding of fewer', () => node(3, 4).pipe(pad([[1, 1]])), 'SHAPE_MISMATCH', /\[3, 4\]/],
  ['vectors as images', () => node(4).pipe(upsample2d()), 'SHAPE_MISMATCH', /\[4\]/],
  ['six dimensions', () => node(2, 3, 2, 3, 2, 3).pipe(permute([5, 4, 3, 2, 1, 0])), 'INVALID_ARGUMENT', /at most 5/],
];

const badOptions: [string, () => LayerSpec][] = [
  ['limits in the wrong order', () => clip(1, 0)],
  ['two unknown sizes', () => reshape([-1, -1])],
  ['a size of 0', () => reshape([0])],
  ['no shape', () => reshape([])],
  ['an axis twice', () => permute([0, 0])],
  ['a missing axis', () => permute([0, 2])],
  ['ends for other dimensions', () => slice({ begin: [0], end: [1, 1] })],
  ['half a margin', () => pad([[1]] as never)],
  ['a negative margin', () => pad([[-1, 0]])],
  ['a factor of 0', () => upsample2d(0)],
  ['three factors', () => upsample2d([1, 2, 3] as unknown as number)],
  ['an axis of a half', () => sum({ axis: 0.5 })],
];

it.each(refused)('operations refuse %s', (_, make, code, message) => {
  expect(make).toThrow(message);
  expect(make).toThrow(expect.objectContaining({ code }));
});

it.each(badOptions)('operations refuse %s', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});
