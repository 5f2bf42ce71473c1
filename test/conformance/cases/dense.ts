import { fusedActivations } from '../../../lib/kernels/table.js';
import { Data, matricesAndEmpty, rounded } from '../data.js';
import {
  type BatchArguments,
  type DenseArguments,
  denseBackwardBias,
  denseBackwardInput,
  denseBackwardWeight,
  denseBackwardWeightParts,
  denseForward,
  denseForwardParts,
  denseForwardSum,
  type GemmArguments,
  gemm,
  matmulBatch,
  type PartsArguments,
  type SumArguments,
  type WeightPartsArguments,
} from '../reference/dense.js';
import { type CaseTable, defineCases, type GradientCase, type Sample, type Vector } from '../types.js';
import { inAllPrecisions } from './precisions.js';

const products: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [1, 7, 5],
  [7, 1, 5],
  [7, 5, 1],
  [1, 1, 97],
  [3, 4, 5],
  [4, 4, 4],
  [8, 8, 8],
  [9, 10, 7],
  [16, 16, 16],
  [15, 17, 9],
  [17, 15, 31],
  [32, 10, 61],
  [33, 33, 33],
  [64, 10, 16],
  [61, 3, 32],
  [5, 97, 3],
  [0, 3, 4],
  [3, 0, 4],
  [3, 4, 0],
];

function gemmSample(
  seed: number,
  m: number,
  n: number,
  k: number,
  settings: Partial<GemmArguments> = {},
): Sample<GemmArguments> {
  const data = new Data(seed);
  return {
    arguments: {
      c: data.normal(m * n),
      a: data.normal(m * k),
      b: data.normal(k * n),
      m,
      n,
      k,
      transA: false,
      transB: false,
      alpha: 1,
      beta: 0,
      ...settings,
    },
  };
}

function gemmSamples(): Sample<GemmArguments>[] {
  const transposes = [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ];
  const scalings = [
    [1, 0],
    [1, 1],
    [0.5, -2],
    [-1.5, 0.25],
  ];
  const samples = products.flatMap(([m, n, k], i) =>
    transposes.map(([transA, transB], j) => {
      const [alpha, beta] = scalings[(i + j) % scalings.length];
      return gemmSample(i * 4 + j, m, n, k, { transA, transB, alpha, beta });
    }),
  );
  const notRead = new Float64Array(9 * 10).fill(Number.NaN);
  const oneNaN = new Data(91).normal(9 * 7);
  oneNaN[3 * 7 + 2] = Number.NaN;
  return [
    ...samples,
    { ...gemmSample(92, 9, 10, 7, { c: notRead, alpha: 2 }), note: 'beta = 0 over NaN' },
    {
      ...gemmSample(93, 9, 10, 0, { c: notRead }),
      note: 'beta = 0 over NaN, k = 0',
      expected: { c: new Float64Array(90) },
    },
    { ...gemmSample(94, 9, 10, 7, { a: oneNaN, beta: 1 }), note: 'NaN in row 3 of a' },
    { ...gemmSample(95, 9, 10, 7, { transA: 1, transB: 0, beta: 1 }), note: 'flags as numbers' },
    { ...gemmSample(96, 3, 5, 4001), note: 'long sums, of magnitude √k', slack: 8 },
    ...[97, 98].map((seed) => ({
      ...gemmSample(seed, 100, 70, 2000, { transA: seed === 98, transB: seed === 98, beta: 0.5 }),
      note: 'several blocks in each dimension, sums of magnitude √k',
      slack: 6,
    })),
  ];
}

function denseArguments(
  seed: number,
  rows: number,
  inputs: number,
  outputs: number,
  settings: Partial<DenseArguments> = {},
): DenseArguments {
  const data = new Data(seed);
  return {
    x: data.normal(rows * inputs),
    w: data.normal(inputs * outputs, 1 / Math.sqrt(Math.max(inputs, 1))),
    b: data.normal(outputs, 0.5),
    rows,
    in: inputs,
    out: outputs,
    activation: 0,
    slope: 0,
    ...settings,
  };
}

function denseSamples(): Sample<DenseArguments>[] {
  const slopes = [0.01, 1, 0.3];
  const shapes = products.filter(([, outputs]) => outputs > 0);
  const swept = shapes.map(([rows, outputs, inputs], i) => ({
    arguments: denseArguments(100 + i, rows, inputs, outputs, {
      activation: i % 8,
      slope: slopes[i % 3],
      ...(i % 4 === 3 ? { b: null } : {}),
    }),
  }));
  const fused = fusedActivations.flatMap((name, activation) =>
    [
      [5, 7, 3],
      [17, 9, 33],
      [3, 61, 10],
    ].map(([rows, inputs, outputs], i) => ({
      note: name,
      arguments: denseArguments(200 + activation * 3 + i, rows, inputs, outputs, { activation, slope: slopes[i] }),
    })),
  );
  const oneNaN = new Data(291).normal(5 * 7);
  oneNaN[2 * 7 + 6] = Number.NaN;
  const propagating = fusedActivations.map((name, activation) => ({
    note: `${name}, NaN in row 2 of x`,
    arguments: denseArguments(292, 5, 7, 9, { x: oneNaN, activation, slope: 0.5 }),
  }));
  return [
    ...fused,
    ...swept,
    ...propagating,
    { note: 'no input features: f(b)', arguments: denseArguments(293, 4, 0, 5, { activation: 1 }) },
    { note: 'no bias', arguments: denseArguments(294, 9, 16, 17, { b: null, activation: 6 }) },
    { note: 'several blocks of rows', arguments: denseArguments(296, 300, 3, 520, { activation: 1 }) },
    { note: 'long sums', arguments: denseArguments(295, 3, 2003, 5), slack: 2 },
  ];
}

interface DenseShape {
  rows: number;
  in: number;
  out: number;
}

const shapes = (): DenseShape[] => [
  ...products.map(([rows, out, inputs]) => ({ rows, in: inputs, out })),
  { rows: 130, in: 70, out: 10 },
];

/** Gradients of r · (x w + b), r a random vector. */
function denseGradients<A>(
  backward: (dy: Float64Array, x: Float64Array, w: Float64Array, shape: DenseShape) => A,
  gradients: Record<string, string>,
): GradientCase<A>[] {
  return [
    [1, 1, 1],
    [4, 5, 3],
    [3, 9, 10],
    [7, 2, 17],
  ].map(([rows, inputs, outputs], i) => {
    const { x, w, b } = denseArguments(300 + i, rows, inputs, outputs) as DenseArguments &
      Record<'x' | 'w' | 'b', Float64Array>;
    const shape = { rows, in: inputs, out: outputs };
    const dy = rounded(new Data(310 + i).normal(rows * outputs));
    return {
      note: `${rows}×${inputs} by ${inputs}×${outputs}`,
      variables: { x: rounded(x), w: rounded(w), b: rounded(b) },
      value: (v) =>
        denseForward({ x: v.x, w: v.w, b: v.b, ...shape, activation: 0, slope: 0 }).reduce(
          (sum, y, j) => sum + y * dy[j],
          0,
        ),
      arguments: backward(dy, rounded(x), rounded(w), shape),
      gradients,
    };
  });
}

const forwardCases = defineCases<DenseArguments>({
  samples: denseSamples(),
  reference: (a) => ({ y: denseForward(a) }),
});

const inputGradientCases = defineCases<{ dy: Vector; w: Vector } & DenseShape>({
  samples: shapes().map((shape, i) => {
    const data = new Data(400 + i);
    return { arguments: { dy: data.normal(shape.rows * shape.out), w: data.normal(shape.in * shape.out), ...shape } };
  }),
  reference: (a) => ({ dx: denseBackwardInput(a.dy, a.w, a.rows, a.in, a.out) }),
  gradients: denseGradients((dy, _x, w, shape) => ({ dy, w, ...shape }), { dx: 'x' }),
});

function batchSamples(): Sample<BatchArguments>[] {
  return [[3, 3, 4, 5], [0, 3, 4, 5], ...products.map((sizes, i) => [1 + (i % 4), ...sizes])].flatMap((sizes, i) => {
    const [rows, m, n, k] = sizes;
    const data = new Data(600 + i);
    const [a, b] = [data.normal(rows * m * k), data.normal(rows * k * n)];
    return [0, 1, 2, 3].map((flags) => ({
      arguments: { a, b, rows, m, n, k, transA: flags & 1, transB: flags >> 1 },
    }));
  });
}

export const denseCases = {
  matmulBatch: inAllPrecisions(
    defineCases<BatchArguments>({ samples: batchSamples(), reference: (a) => ({ c: matmulBatch(a) }) }),
    ['a', 'b'],
  ),
  gemm: defineCases<GemmArguments>({ samples: gemmSamples(), reference: (a) => ({ c: gemm(a) }) }),

  denseForward: inAllPrecisions(forwardCases, ['x', 'w']),

  denseForwardParts: inAllPrecisions(
    defineCases<PartsArguments>({
      samples: [...shapes(), { rows: 5, in: 784, out: 9 }, { rows: 3, in: 47, out: 20 }].flatMap((shape, i) =>
        [1, 2, 3, 0].map((parts) => {
          const { x, w } = denseArguments(700 + i, shape.rows, shape.in, shape.out);
          return { arguments: { x, w, ...shape, parts } };
        }),
      ),
      reference: (a) => ({ products: denseForwardParts(a) }),
    }),
    ['x', 'w'],
  ),

  denseForwardSum: defineCases<SumArguments>({
    samples: fusedActivations.flatMap((name, activation) =>
      [0, 1, 2, 5].map((parts, i) => {
        const [rows, out] = [
          [5, 7],
          [17, 9],
          [3, 61],
          [1, 1],
        ][(activation + i) % 4];
        const data = new Data(750 + 4 * activation + i);
        const b = parts === 1 ? null : data.normal(out, 0.5);
        const products = data.normal(parts * rows * out, 0.5);
        return { note: name, arguments: { products, b, rows, out, parts, activation, slope: 0.3 } };
      }),
    ),
    reference: (a) => ({ y: denseForwardSum(a) }),
  }),

  denseBackwardInput: inAllPrecisions(inputGradientCases, ['dy', 'w']),

  denseBackwardWeight: inAllPrecisions(
    defineCases<{ x: Vector; dy: Vector } & DenseShape>({
      samples: shapes().map((shape, i) => {
        const data = new Data(500 + i);
        return {
          arguments: { x: data.normal(shape.rows * shape.in), dy: data.normal(shape.rows * shape.out), ...shape },
        };
      }),
      reference: (a) => ({ dw: denseBackwardWeight(a.x, a.dy, a.rows, a.in, a.out) }),
      gradients: denseGradients((dy, x, _w, shape) => ({ x, dy, ...shape }), { dw: 'w' }),
    }),
    ['x', 'dy'],
  ),

  denseBackwardWeightParts: inAllPrecisions(
    defineCases<WeightPartsArguments>({
      samples: [...shapes(), { rows: 5, in: 784, out: 9 }, { rows: 3, in: 47, out: 20 }].flatMap((shape, i) =>
        [1, 2, 3].map((parts) => {
          const data = new Data(800 + i);
          const [x, dy] = [data.normal(shape.rows * shape.in), data.normal(shape.rows * shape.out)];
          return { arguments: { x, dy, ...shape, parts } };
        }),
      ),
      reference: (a) => ({ dw: denseBackwardWeightParts(a) }),
      gradients: denseGradients((dy, x, _w, shape) => ({ x, dy, ...shape, parts: 1 }), { dw: 'w' }),
    }),
    ['x', 'dy'],
  ),

  denseBackwardBias: defineCases<{ dy: Vector; rows: number; out: number }>({
    samples: [
      ...matricesAndEmpty.map(([rows, out], i) => ({
        arguments: { dy: new Data(600 + i).normal(rows * out), rows, out },
        ...(rows === 0 ? { expected: { db: new Float64Array(out) } } : {}),
      })),
      {
        note: 'sum of 20011 numbers near 1',
        arguments: { dy: new Data(650).uniform(20011 * 3, 0.5, 1.5), rows: 20011, out: 3 },
      },
      {
        note: 'NaN and infinity in one column each',
        arguments: { dy: [1, Number.NaN, 3, 4, 5, Infinity], rows: 2, out: 3 },
        expected: { db: [5, Number.NaN, Infinity] },
      },
    ],
    reference: (a) => ({ db: denseBackwardBias(a.dy, a.rows, a.out) }),
    gradients: denseGradients((dy, _x, _w, { rows, out }) => ({ dy, rows, out }), { db: 'b' }),
  }),
} satisfies CaseTable;
