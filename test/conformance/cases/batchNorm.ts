import { Data, matrices, rounded } from '../data.js';
import {
  type BatchNormBackwardArguments,
  type BatchNormBackwardInputArguments,
  type BatchNormBackwardPartsArguments,
  type BatchNormForwardArguments,
  type BatchNormInferenceArguments,
  type BatchNormInferenceBackwardArguments,
  type BatchNormMergeArguments,
  type BatchNormPartsArguments,
  type BatchNormStatisticsArguments,
  type BatchNormSumsArguments,
  batchNormBackward,
  batchNormBackwardInput,
  batchNormBackwardParts,
  batchNormForward,
  batchNormInference,
  batchNormInferenceBackward,
  batchNormMerge,
  batchNormParts,
  batchNormStatistics,
  batchNormSums,
} from '../reference/batchNorm.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

type Forward = BatchNormForwardArguments;

function forwardArguments(seed: number, rows: number, features: number, settings: Partial<Forward> = {}): Forward {
  const data = new Data(seed);
  return {
    runningMean: data.normal(features),
    runningVariance: data.uniform(features, 0.5, 2),
    x: data.normal(rows * features, 2, 1),
    gamma: data.normal(features, 1, 0.5),
    beta: data.normal(features),
    rows,
    features,
    epsilon: 1e-5,
    momentum: 0.9,
    ...settings,
  };
}

function forwardSamples(): Sample<Forward>[] {
  const epsilons = [1e-5, 1e-3, 1e-2, 0.5];
  const momenta = [0.9, 0.99, 0, 0.5];
  const constant = new Data(40).normal(9 * 5);
  for (let i = 0; i < 9; i++) constant[i * 5 + 2] = 7;
  const oneNaN = new Data(41).normal(9 * 5);
  oneNaN[4 * 5 + 3] = Number.NaN;
  const one = forwardArguments(42, 1, 11);
  const untouched = forwardArguments(43, 9, 5, { momentum: 1 });
  return [
    ...matrices.map(([rows, features], i) => ({
      arguments: forwardArguments(i, rows, features, { epsilon: epsilons[i % 4], momentum: momenta[i % 4] }),
    })),
    { note: 'one row: y = beta', arguments: one, expected: { y: one.beta } },
    { note: 'one constant feature', arguments: forwardArguments(44, 9, 5, { x: constant }) },
    { note: 'NaN in one feature only', arguments: forwardArguments(45, 9, 5, { x: oneNaN }) },
    {
      note: 'momentum 1 leaves the running statistics alone',
      arguments: untouched,
      expected: { runningMean: untouched.runningMean, runningVariance: untouched.runningVariance },
    },
    {
      note: 'mean 200 standard deviations from 0, where float32 resolves x only to 4e-6 of one',
      arguments: forwardArguments(46, 257, 5, { x: new Data(47).normal(257 * 5, 0.5, 100) }),
      slack: 30,
    },
    {
      note: 'a deviation of what float32 resolves so far from 0',
      arguments: forwardArguments(47, 64, 5, { x: new Data(49).normal(64 * 5, 1e-3, 1e4), epsilon: 1e-9 }),
    },
    { note: 'sums over 4099 rows', arguments: forwardArguments(48, 4099, 3) },
  ];
}

function inferenceSamples(): Sample<BatchNormInferenceArguments>[] {
  const epsilons = [1e-5, 1e-3, 0.5];
  const samples = ([[0, 3], ...matrices] as const).map(([rows, features], i) => {
    const { momentum: _, ...a } = forwardArguments(100 + i, rows, features, { epsilon: epsilons[i % 3] });
    return { arguments: a };
  });
  const { momentum: _, ...a } = forwardArguments(150, 3, 4, {
    x: [1, Number.NaN, 3, 4, 5, 6, Infinity, 8, 9, 10, 11, -Infinity],
  });
  const { momentum: __, ...zero } = forwardArguments(151, 3, 4, { runningVariance: [0, 0, 0, 0], epsilon: 0.25 });
  return [
    ...samples,
    { note: 'NaN and infinities', arguments: a },
    { note: 'variance 0: epsilon alone', arguments: zero },
  ];
}

function backwardArguments(
  seed: number,
  rows: number,
  features: number,
  dy?: ArrayLike<number>,
): BatchNormBackwardArguments {
  const forward = forwardArguments(seed, rows, features, { epsilon: 1e-3 });
  const { mean, inverseStd } = batchNormForward({ ...forward, x: rounded(Float64Array.from(forward.x)) });
  const { x, gamma } = forward;
  return { dy: dy ?? new Data(seed + 500).normal(rows * features), x, mean, inverseStd, gamma, rows, features };
}

function backwardSamples(): Sample<BatchNormBackwardArguments>[] {
  const oneNaN = new Data(290).normal(9 * 5);
  oneNaN[3] = Number.NaN;
  return [
    ...matrices.map(([rows, features], i) => ({
      arguments: backwardArguments(200 + i, rows, features),
      ...(rows <= 2 ? { note: 'few rows: inverseStd may be large and dx cancels', slack: 30 } : {}),
    })),
    { note: 'NaN in one feature only', arguments: backwardArguments(250, 9, 5, oneNaN) },
    { note: 'sums over 4099 rows', arguments: backwardArguments(251, 4099, 3), slack: 10 },
  ];
}

function gradients(): GradientCase<BatchNormBackwardArguments>[] {
  return [
    [3, 2],
    [5, 1],
    [8, 5],
    [17, 4],
  ].map(([rows, features], i) => {
    const a = forwardArguments(300 + i, rows, features, { epsilon: 1e-3 });
    const x = rounded(a.x);
    const gamma = rounded(a.gamma);
    const beta = rounded(a.beta);
    const dy = rounded(new Data(310 + i).normal(rows * features));
    const { mean, inverseStd } = batchNormForward({ ...a, x });
    return {
      note: `${rows}×${features}`,
      variables: { x, gamma, beta },
      value: (v) =>
        batchNormForward({ ...a, x: v.x, gamma: v.gamma, beta: v.beta }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { dy, x, mean, inverseStd, gamma, rows, features },
      gradients: { dx: 'x', dgamma: 'gamma', dbeta: 'beta' },
    };
  });
}

function inferenceBackwardArguments(seed: number, rows: number, features: number): BatchNormInferenceBackwardArguments {
  const { momentum: _, beta: __, ...a } = forwardArguments(seed, rows, features, { epsilon: 1e-3 });
  return { ...a, dy: new Data(seed + 500).normal(rows * features) };
}

function inferenceGradients(): GradientCase<BatchNormInferenceBackwardArguments>[] {
  return [
    [1, 3],
    [8, 5],
    [17, 4],
  ].map(([rows, features], i) => {
    const a = inferenceBackwardArguments(600 + i, rows, features);
    const [x, gamma, dy] = [rounded(a.x), rounded(a.gamma), rounded(a.dy)];
    const beta = rounded(new Data(610 + i).normal(features));
    return {
      note: `${rows}×${features}`,
      variables: { x, gamma, beta },
      value: (v) =>
        batchNormInference({ ...a, x: v.x, gamma: v.gamma, beta: v.beta }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { ...a, x, gamma, dy },
      gradients: { dx: 'x', dgamma: 'gamma', dbeta: 'beta' },
    };
  });
}

type Shared = readonly [rows: number, pixels: number, features: number, parts: number];
/** Fewer rows than shares, too. */
const shared: readonly Shared[] = [
  [1, 1, 1, 1],
  [7, 1, 5, 2],
  [8, 1, 100, 3],
  [2, 1, 17, 4],
  [5, 9, 3, 2],
  [3, 25, 130, 2],
  [33, 4, 16, 5],
  [64, 1, 129, 2],
];

function partsArguments(seed: number, [rows, pixels, features, parts]: Shared): BatchNormPartsArguments {
  return { x: new Data(seed).normal(rows * pixels * features, 2, 1), rows, pixels, features, parts };
}

function statisticsArguments(seed: number, sizes: Shared, momentum = 0.9): BatchNormStatisticsArguments {
  const { x, ...rest } = partsArguments(seed, sizes);
  const { means, rests, squares } = batchNormParts({ x, ...rest });
  const data = new Data(seed + 1);
  const runningVariance = data.uniform(rest.features, 0.5, 2);
  return {
    runningMean: data.normal(rest.features),
    runningVariance,
    means,
    rests,
    squares,
    ...rest,
    epsilon: 1e-3,
    momentum,
  };
}

function sumsArguments(seed: number, sizes: Shared): BatchNormSumsArguments {
  const { means, rests, squares, rows, pixels, features, parts } = statisticsArguments(seed, sizes);
  return { means, rests, squares, center: new Data(seed + 3).normal(features), rows, pixels, features, parts };
}

/** Two ranks with the same numbers of rows. */
function mergeArguments(seed: number, sizes: Shared, momentum = 0.9): BatchNormMergeArguments {
  const { runningMean, runningVariance, features, rows, pixels } = statisticsArguments(seed, sizes);
  const [a, b] = [0, 1].map((rank) => batchNormSums({ ...sumsArguments(seed + rank, sizes), center: runningMean }));
  const sums = a.sums.map((sum, j) => sum + b.sums[j]);
  const powers = a.powers.map((sum, j) => sum + b.powers[j]);
  return { runningMean, runningVariance, sums, powers, rows: 2 * rows * pixels, features, epsilon: 1e-3, momentum };
}

function backwardPartsArguments(seed: number, sizes: Shared): BatchNormBackwardPartsArguments {
  const a = partsArguments(seed, sizes);
  const data = new Data(seed + 1);
  const dy = data.normal(a.rows * a.pixels * a.features);
  return { ...a, dy, mean: data.normal(a.features, 0.1, 1), inverseStd: data.uniform(a.features, 0.3, 0.8) };
}

function backwardInputArguments(seed: number, sizes: Shared): BatchNormBackwardInputArguments {
  const { rows, pixels, features, parts, ...a } = backwardPartsArguments(seed, sizes);
  const sums = batchNormBackwardParts({ rows, pixels, features, parts, ...a });
  return { ...a, ...sums, gamma: new Data(seed + 2).normal(features, 1, 0.5), rows: rows * pixels, features, parts };
}

const oneNaN = (length: number) => {
  const x = new Data(60).normal(length);
  x[length >> 1] = Number.NaN;
  return x;
};

export const batchNormCases = {
  batchNormParts: defineCases<BatchNormPartsArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: partsArguments(400 + i, sizes) })),
      { note: 'no shares', arguments: { ...partsArguments(420, [5, 1, 3, 1]), parts: 0 } },
      { note: 'NaN in one feature of one share', arguments: { ...partsArguments(421, [6, 2, 5, 3]), x: oneNaN(60) } },
      { note: 'sums over 4099 rows', arguments: partsArguments(422, [4099, 1, 3, 2]) },
    ],
    reference: batchNormParts,
  }),
  batchNormStatistics: defineCases<BatchNormStatisticsArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: statisticsArguments(430 + i, sizes) })),
      { note: 'momentum 1', arguments: statisticsArguments(445, shared[4], 1) },
      {
        note: 'momentum 1 takes in no NaN',
        arguments: { ...statisticsArguments(446, [4, 1, 3, 2], 1), runningVariance: [1, 2, 3], squares: oneNaN(6) },
        expected: { runningVariance: [1, 2, 3] },
      },
    ],
    reference: batchNormStatistics,
  }),
  batchNormSums: defineCases<BatchNormSumsArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: sumsArguments(620 + i, sizes) })),
      { note: 'NaN in one feature', arguments: { ...sumsArguments(640, [6, 2, 5, 3]), squares: oneNaN(15) } },
    ],
    reference: batchNormSums,
  }),
  batchNormMerge: defineCases<BatchNormMergeArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: mergeArguments(650 + 2 * i, sizes) })),
      { note: 'momentum 1', arguments: mergeArguments(680, shared[4], 1) },
      {
        note: 'momentum 1 takes in no NaN',
        arguments: { ...mergeArguments(690, [4, 1, 3, 2], 1), runningVariance: [1, 2, 3], powers: [90, Number.NaN, 90] },
        expected: { runningVariance: [1, 2, 3] },
      },
    ],
    reference: batchNormMerge,
  }),
  batchNormBackwardParts: defineCases<BatchNormBackwardPartsArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: backwardPartsArguments(450 + i, sizes) })),
      { note: 'no shares', arguments: { ...backwardPartsArguments(470, [5, 1, 3, 1]), parts: 0 } },
      { note: 'sums over 4099 rows', arguments: backwardPartsArguments(471, [4099, 1, 3, 2]), slack: 10 },
    ],
    reference: batchNormBackwardParts,
    gradients: gradients().map(({ arguments: { gamma: _, ...a }, ...rest }) => ({
      ...rest,
      arguments: { ...a, pixels: 1, parts: 1 },
      gradients: { dgammaParts: 'gamma', dbetaParts: 'beta' },
    })),
  }),
  batchNormBackwardInput: defineCases<BatchNormBackwardInputArguments>({
    samples: [
      ...shared.map((sizes, i) => ({ arguments: backwardInputArguments(480 + i, sizes) })),
      { note: 'NaN in one feature only', arguments: { ...backwardInputArguments(495, [6, 2, 5, 3]), dy: oneNaN(60) } },
    ],
    reference: batchNormBackwardInput,
    gradients: gradients().map(({ arguments: a, ...rest }) => ({
      ...rest,
      arguments: { ...a, ...batchNormBackwardParts({ ...a, pixels: 1, parts: 2 }), parts: 2 },
      gradients: { dx: 'x' },
    })),
  }),
  batchNormForward: defineCases<Forward>({ samples: forwardSamples(), reference: batchNormForward }),
  batchNormInference: defineCases<BatchNormInferenceArguments>({
    samples: inferenceSamples(),
    reference: batchNormInference,
  }),
  batchNormInferenceBackward: defineCases<BatchNormInferenceBackwardArguments>({
    samples: [
      ...([[0, 3], ...matrices] as const).map(([rows, features], i) => ({
        arguments: inferenceBackwardArguments(520 + i, rows, features),
      })),
      { note: 'NaN in one feature only', arguments: { ...inferenceBackwardArguments(550, 12, 5), dy: oneNaN(60) } },
      { note: 'sums over 4099 rows', arguments: inferenceBackwardArguments(551, 4099, 3), slack: 10 },
    ],
    reference: batchNormInferenceBackward,
    gradients: inferenceGradients(),
  }),
  batchNormBackward: defineCases<BatchNormBackwardArguments>({
    samples: backwardSamples(),
    reference: batchNormBackward,
    gradients: gradients(),
  }),
} satisfies CaseTable;
