import { Data, matrices, rounded } from '../data.js';
import {
  type BatchNormBackwardInputArguments,
  type BatchNormBackwardPartsArguments,
  type BatchNormInferenceArguments,
  type BatchNormInferenceBackwardArguments,
  type BatchNormMergeArguments,
  type BatchNormPartsArguments,
  type BatchNormStatisticsArguments,
  type BatchNormSumsArguments,
  batchNormBackwardInput,
  batchNormBackwardParts,
  batchNormInference,
  batchNormInferenceBackward,
  batchNormMerge,
  batchNormParts,
  batchNormStatistics,
  batchNormSums,
} from '../reference/batchNorm.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

type Inference = BatchNormInferenceArguments;

function layerArguments(seed: number, rows: number, features: number, settings: Partial<Inference> = {}): Inference {
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
    ...settings,
  };
}

/** The statistics of a batch in one part. */
function statisticsOf(a: Inference) {
  const sizes = { rows: a.rows, pixels: 1, features: a.features, parts: 1 };
  return batchNormStatistics({ ...a, ...batchNormParts({ x: a.x, ...sizes }), ...sizes, momentum: 1 });
}

/** The output of the layer in training. */
function outputOf(a: Inference): Float64Array {
  const { mean, variance } = statisticsOf(a);
  return batchNormInference({ ...a, runningMean: mean, runningVariance: variance }).y;
}

function inferenceSamples(): Sample<BatchNormInferenceArguments>[] {
  const epsilons = [1e-5, 1e-3, 0.5];
  const samples = ([[0, 3], ...matrices] as const).map(([rows, features], i) => {
    return { arguments: layerArguments(100 + i, rows, features, { epsilon: epsilons[i % 3] }) };
  });
  const a = layerArguments(150, 3, 4, {
    x: [1, Number.NaN, 3, 4, 5, 6, Infinity, 8, 9, 10, 11, -Infinity],
  });
  const zero = layerArguments(151, 3, 4, { runningVariance: [0, 0, 0, 0], epsilon: 0.25 });
  return [
    ...samples,
    { note: 'NaN and infinities', arguments: a },
    { note: 'variance 0: epsilon alone', arguments: zero },
  ];
}

type BackwardArguments = Omit<BatchNormBackwardInputArguments, 'dgammaParts' | 'dbetaParts' | 'parts'>;

function gradients(): GradientCase<BackwardArguments>[] {
  return [
    [3, 2],
    [5, 1],
    [8, 5],
    [17, 4],
  ].map(([rows, features], i) => {
    const a = layerArguments(300 + i, rows, features, { epsilon: 1e-3 });
    const x = rounded(a.x);
    const gamma = rounded(a.gamma);
    const beta = rounded(a.beta);
    const dy = rounded(new Data(310 + i).normal(rows * features));
    const { mean, inverseStd } = statisticsOf({ ...a, x });
    return {
      note: `${rows}×${features}`,
      variables: { x, gamma, beta },
      value: (v) => outputOf({ ...a, x: v.x, gamma: v.gamma, beta: v.beta }).reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { dy, x, mean, inverseStd, gamma, rows, features },
      gradients: { dx: 'x', dgamma: 'gamma', dbeta: 'beta' },
    };
  });
}

function inferenceBackwardArguments(seed: number, rows: number, features: number): BatchNormInferenceBackwardArguments {
  const { beta: _, ...a } = layerArguments(seed, rows, features, { epsilon: 1e-3 });
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

function statisticsArguments(
  seed: number,
  sizes: Shared,
  settings: Partial<BatchNormPartsArguments & BatchNormStatisticsArguments> = {},
): BatchNormStatisticsArguments {
  const { x, ...rest } = { ...partsArguments(seed, sizes), ...settings };
  const { means, rests, squares } = batchNormParts({ x, ...rest });
  const data = new Data(seed + 1);
  const runningVariance = data.uniform(rest.features, 0.5, 2);
  return {
    runningMean: data.normal(rest.features),
    runningVariance,
    means,
    rests,
    squares,
    gamma: data.normal(rest.features, 1, 0.5),
    beta: data.normal(rest.features),
    epsilon: 1e-3,
    momentum: 0.9,
    ...rest,
  };
}

function sumsArguments(seed: number, sizes: Shared): BatchNormSumsArguments {
  const { means, rests, squares, rows, pixels, features, parts } = statisticsArguments(seed, sizes);
  return { means, rests, squares, center: new Data(seed + 3).normal(features), rows, pixels, features, parts };
}

/** Two ranks with the same numbers of rows. */
function mergeArguments(seed: number, sizes: Shared, momentum = 0.9): BatchNormMergeArguments {
  const { runningMean, runningVariance, gamma, beta, features, rows, pixels } = statisticsArguments(seed, sizes);
  const [a, b] = [0, 1].map((rank) => batchNormSums({ ...sumsArguments(seed + rank, sizes), center: runningMean }));
  const sums = a.sums.map((sum, j) => sum + b.sums[j]);
  const powers = a.powers.map((sum, j) => sum + b.powers[j]);
  const running = { runningMean, runningVariance, gamma, beta };
  return { ...running, sums, powers, rows: 2 * rows * pixels, features, epsilon: 1e-3, momentum };
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
      ...shared.map((sizes, i) => ({
        arguments: statisticsArguments(430 + i, sizes, { momentum: [0.9, 0.99, 0, 0.5][i % 4] }),
      })),
      { note: 'momentum 1', arguments: statisticsArguments(445, shared[4], { momentum: 1 }) },
      {
        note: 'a deviation of what float32 resolves so far from 0',
        arguments: statisticsArguments(447, [64, 1, 5, 2], {
          x: new Data(49).normal(64 * 5, 1e-3, 1e4),
          epsilon: 1e-9,
        }),
        slack: 10,
      },
      {
        note: 'momentum 1 takes in no NaN',
        arguments: {
          ...statisticsArguments(446, [4, 1, 3, 2], { momentum: 1 }),
          runningVariance: [1, 2, 3],
          squares: oneNaN(6),
        },
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
        arguments: {
          ...mergeArguments(690, [4, 1, 3, 2], 1),
          runningVariance: [1, 2, 3],
          powers: [90, Number.NaN, 90],
        },
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
} satisfies CaseTable;
