import { Data, rounded } from '../data.js';
import {
  type GroupNormBackwardInputArguments,
  type GroupNormBackwardPartsArguments,
  type GroupNormForwardArguments,
  groupNormBackwardInput,
  groupNormBackwardParts,
  groupNormForward,
} from '../reference/groupNorm.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

type Shape = readonly [rows: number, positions: number, pixels: number, groups: number, width: number];

/** Layer norm, group norm, instance norm, and shapes of none of them; around 128 channels, too, kernels' blocks. */
const shapes: readonly Shape[] = [
  [3, 1, 1, 1, 2],
  [5, 1, 1, 1, 17],
  [2, 3, 1, 1, 33],
  [7, 1, 1, 1, 128],
  [2, 2, 1, 1, 301],
  [4, 1, 1, 3, 5],
  [3, 1, 1, 1, 1031],
  [2, 1, 9, 2, 3],
  [3, 1, 25, 4, 4],
  [2, 1, 7, 3, 50],
  [1, 1, 5, 2, 130],
  [2, 1, 4, 40, 4],
  [2, 1, 11, 1, 6],
  [3, 1, 16, 5, 1],
  [1, 1, 8, 131, 1],
  [2, 1, 300, 3, 1],
  [2, 2, 3, 2, 2],
  [3, 4, 5, 3, 6],
];

function sizesOf([rows, positions, pixels, groups, width]: Shape) {
  return { rows, positions, pixels, groups, width };
}

const length = (shape: Shape) => shape.reduce((product, size) => product * size, 1);

function forward(seed: number, shape: Shape, settings: Partial<GroupNormForwardArguments> = {}) {
  const data = new Data(seed);
  const channels = shape[3] * shape[4];
  return {
    x: data.normal(length(shape), 2, 1),
    gamma: data.normal(channels, 1, 0.5),
    beta: data.normal(channels),
    ...sizesOf(shape),
    epsilon: 1e-3,
    ...settings,
  };
}

const oneNaN = (shape: Shape) => {
  const x = new Data(60).normal(length(shape));
  x[length(shape) >> 1] = Number.NaN;
  return x;
};

/** Deviations of what float32 resolves so far from 0. */
const far = (shape: Shape, seed: number) => ({ x: new Data(seed).normal(length(shape), 1e-3, 1e4), epsilon: 1e-9 });
const farShapes: readonly Shape[] = [
  [4, 2, 1, 1, 64],
  [2, 1, 36, 2, 3],
  [3, 1, 49, 4, 1],
];

function forwardSamples(): Sample<GroupNormForwardArguments>[] {
  const epsilons = [1e-5, 1e-3, 0.5];
  const constant: Shape = [2, 1, 1, 1, 40];
  const single: Shape = [3, 1, 1, 4, 1];
  const beta = new Data(46).normal(4);
  const alone = forward(45, single, { beta });
  return [
    ...shapes.map((shape, i) => ({ arguments: forward(i, shape, { epsilon: epsilons[i % 3] }) })),
    { note: 'no rows', arguments: forward(40, [0, 2, 3, 2, 2]) },
    ...[1, 8, 13].map((i) => ({
      note: 'without gamma and beta',
      arguments: forward(41, shapes[i], { gamma: null, beta: null }),
    })),
    { note: 'gamma alone', arguments: forward(42, shapes[8], { beta: null }) },
    { note: 'beta alone', arguments: forward(43, shapes[2], { gamma: null }) },
    { note: 'a constant', arguments: forward(44, constant, { x: new Float64Array(80).fill(7) }) },
    {
      note: 'groups of one value: y = beta',
      arguments: alone,
      expected: { y: Float64Array.from({ length: 12 }, (_, i) => beta[i % 4]) },
    },
    ...[2, 8, 13].map((i) => ({
      note: 'NaN in one group',
      arguments: forward(46, shapes[i], { x: oneNaN(shapes[i]) }),
    })),
    ...farShapes.map((shape, i) => ({
      note: 'mean 1e4, deviation 1e-3',
      arguments: forward(50 + i, shape, far(shape, 55 + i)),
      slack: 4,
    })),
    { note: 'sums over 5003 pixels', arguments: forward(48, [1, 1, 5003, 2, 2]) },
    { note: 'sums over 20011 features', arguments: forward(49, [1, 1, 1, 1, 20011]) },
  ];
}

function gradientOf(seed: number, shape: Shape, settings: Partial<GroupNormForwardArguments> = {}) {
  const { beta, epsilon, ...a } = forward(seed, shape, settings);
  const x = rounded(a.x);
  const { y: _, ...statistics } = groupNormForward({ ...a, x, beta, epsilon });
  return { ...a, x, ...statistics, dy: new Data(seed + 500).normal(length(shape)) };
}

const withoutGamma = ({ gamma: _, ...rest }: ReturnType<typeof gradientOf>) => rest;

function partsOf(seed: number, shape: Shape, parts: number): GroupNormBackwardPartsArguments {
  return { ...withoutGamma(gradientOf(seed, shape)), parts };
}

function gradients(): (GradientCase<GroupNormBackwardInputArguments> & { readonly shape: Shape })[] {
  const differentiated: readonly Shape[] = [
    [3, 2, 1, 1, 5],
    [2, 1, 4, 2, 3],
    [2, 1, 6, 3, 1],
    [1, 1, 3, 1, 4],
  ];
  return differentiated.map((shape, i) => {
    const a = forward(300 + i, shape, { epsilon: 1e-2 });
    const [x, gamma, beta] = [rounded(a.x), rounded(a.gamma as Float64Array), rounded(a.beta as Float64Array)];
    const dy = rounded(new Data(310 + i).normal(length(shape)));
    const { y: _, ...statistics } = groupNormForward({ ...a, x });
    return {
      note: shape.join('×'),
      shape,
      variables: { x, gamma, beta },
      value: (v) =>
        groupNormForward({ ...a, x: v.x, gamma: v.gamma, beta: v.beta }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { dy, x, ...statistics, gamma, ...sizesOf(shape) },
      gradients: { dx: 'x' },
    };
  });
}

export const groupNormCases = {
  groupNormForward: defineCases<GroupNormForwardArguments>({
    samples: forwardSamples(),
    reference: groupNormForward,
  }),
  groupNormBackwardInput: defineCases<GroupNormBackwardInputArguments>({
    samples: [
      ...shapes.map((shape, i) => ({ arguments: gradientOf(200 + i, shape) })),
      { note: 'no rows', arguments: gradientOf(240, [0, 2, 3, 2, 2]) },
      ...[1, 8, 13].map((i) => ({
        note: 'without gamma',
        arguments: gradientOf(241, shapes[i], { gamma: null }),
      })),
      ...[2, 8, 13].map((i) => ({
        note: 'NaN in one group',
        arguments: { ...gradientOf(246, shapes[i]), dy: oneNaN(shapes[i]) },
      })),
      ...farShapes.map((shape, i) => ({
        note: 'mean 1e4, deviation 1e-3',
        arguments: {
          ...gradientOf(250 + i, shape, far(shape, 55 + i)),
          dy: new Data(260 + i).normal(length(shape), 1e-3),
        },
        slack: 4,
      })),
    ],
    reference: groupNormBackwardInput,
    gradients: gradients(),
  }),
  groupNormBackwardParts: defineCases<GroupNormBackwardPartsArguments>({
    samples: [
      ...shapes.map((shape, i) => ({ arguments: partsOf(400 + i, shape, 1 + (i % 4)) })),
      { arguments: partsOf(419, [5, 4, 5, 3, 6], 3) },
      { note: 'no shares', arguments: partsOf(420, [5, 1, 2, 3, 1], 0) },
      { note: 'no rows', arguments: partsOf(421, [0, 1, 2, 3, 1], 2) },
      ...[2, 8, 13].map((i) => ({
        note: 'NaN in one channel',
        arguments: { ...partsOf(422, shapes[i], 2), dy: oneNaN(shapes[i]) },
      })),
      ...farShapes.map((shape, i) => ({
        note: 'mean 1e4, deviation 1e-3',
        arguments: { ...withoutGamma(gradientOf(430 + i, shape, far(shape, 55 + i))), parts: 2 },
      })),
      { note: 'sums over 4099 rows', arguments: partsOf(440, [4099, 1, 1, 1, 3], 2), slack: 10 },
      { note: 'sums over 4099 rows of images', arguments: partsOf(441, [4099, 1, 2, 1, 2], 2), slack: 10 },
    ],
    reference: groupNormBackwardParts,
    gradients: gradients().map(({ arguments: { gamma: _, ...a }, shape: __, ...rest }) => ({
      ...rest,
      arguments: { ...a, parts: 1 },
      gradients: { dgammaParts: 'gamma', dbetaParts: 'beta' },
    })),
  }),
} satisfies CaseTable;
