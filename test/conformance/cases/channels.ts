import { Data, matrices, matricesAndEmpty, rounded } from '../data.js';
import {
  localResponseNorm,
  localResponseNormBackward,
  type PreluArguments,
  type PreluGradientArguments,
  prelu,
  preluBackward,
  type ResponseNormArguments,
  type ResponseNormGradientArguments,
} from '../reference/channels.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

const NAN = Number.NaN;

/** AlexNet's numbers first, then strong ones, other exponents, and windows of one channel and of all. */
const settings = [
  { radius: 2, bias: 2, alpha: 1e-4, beta: 0.75 },
  { radius: 3, bias: 1, alpha: 0.2, beta: 0.75 },
  { radius: 1, bias: 0.5, alpha: 1, beta: 0.5 },
  { radius: 0, bias: 1, alpha: 0.5, beta: 1 },
  { radius: 2, bias: 2, alpha: 0.1, beta: 0.6 },
  { radius: 1000, bias: 1.5, alpha: 0.05, beta: 0.75 },
  { radius: 4, bias: 1, alpha: 0, beta: 0 },
];

function norm(seed: number, rows: number, channels: number): ResponseNormArguments {
  return { x: new Data(seed).normal(rows * channels), rows, channels, ...settings[seed % settings.length] };
}

function withGradient(a: ResponseNormArguments, dy: Float64Array): ResponseNormGradientArguments {
  const { bias: _, ...rest } = a;
  return { ...rest, dy, ...localResponseNorm({ ...a, x: rounded(a.x) }) };
}

function normGradients(): GradientCase<ResponseNormGradientArguments>[] {
  return [
    [2, 1],
    [3, 4],
    [2, 9],
    [1, 6],
  ].map(([rows, channels], i) => {
    const a = { ...norm(1100, rows, channels), ...settings[i + 1] };
    const x = rounded(a.x);
    const dy = rounded(new Data(1110 + i).normal(rows * channels));
    return {
      note: `${rows}×${channels}, radius ${a.radius}, beta ${a.beta}`,
      variables: { x },
      value: (v) => localResponseNorm({ ...a, x: v.x }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: withGradient({ ...a, x }, dy),
      gradients: { dx: 'x' },
    };
  });
}

function preluArguments(seed: number, rows: number, channels: number): PreluArguments {
  const data = new Data(seed);
  return { x: data.normal(rows * channels), slope: data.normal(channels, 0.5, 0.2), rows, channels };
}

const specials: PreluArguments = {
  x: [0, -0, NAN, 1, Infinity, -Infinity, -1, 2, -3, 1e-40, -1e-40, 5],
  slope: [0.25, -0.5, 0],
  rows: 4,
  channels: 3,
};

function preluGradientSamples(): Sample<PreluGradientArguments>[] {
  return [
    ...matricesAndEmpty.map(([rows, channels], i) => ({
      arguments: { ...preluArguments(1300 + i, rows, channels), dy: new Data(1340 + i).normal(rows * channels) },
    })),
    {
      note: 'sums over 4099 rows',
      arguments: { ...preluArguments(1390, 4099, 3), dy: new Data(1391).normal(4099 * 3) },
      slack: 10,
    },
    {
      note: 'zeros, NaN and large numbers',
      arguments: {
        ...specials,
        x: [0, -0, NAN, 1, 1e30, -1e30, -1, 2, -3, 1e-40, -1e-40, 5],
        dy: new Float64Array(12).fill(2),
      },
      expected: { dx: [0.5, -1, NAN, 2, 2, 0, 0.5, 2, 0, 2, -1, 2] },
    },
  ];
}

function preluGradients(): GradientCase<PreluGradientArguments>[] {
  return [
    [1, 1],
    [5, 3],
    [3, 8],
    [9, 2],
  ].map(([rows, channels], i) => {
    const a = preluArguments(1400 + i, rows, channels);
    const [x, slope] = [rounded(a.x), rounded(a.slope)];
    const dy = rounded(new Data(1410 + i).normal(rows * channels));
    return {
      note: `${rows}×${channels}`,
      variables: { x, slope },
      value: (v) => prelu({ ...a, x: v.x, slope: v.slope }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { ...a, x, slope, dy },
      gradients: { dx: 'x', dslope: 'slope' },
    };
  });
}

export const channelCases = {
  localResponseNorm: defineCases<ResponseNormArguments>({
    samples: [
      { arguments: norm(1000, 5, 7) },
      ...matricesAndEmpty.map(([rows, channels], i) => ({ arguments: norm(1001 + i, rows, channels) })),
      {
        note: 'NaN reaches its neighbours only',
        arguments: {
          x: [1, 2, NAN, 4, 5, 6, 1, 2, 3, 4, 5, 6],
          rows: 2,
          channels: 6,
          radius: 1,
          bias: 2,
          alpha: 1e-4,
          beta: 0.75,
        },
      },
      { note: 'large pixels', arguments: { ...norm(1050, 9, 16), x: new Data(1051).normal(9 * 16, 300) } },
    ],
    reference: localResponseNorm,
  }),

  localResponseNormBackward: defineCases<ResponseNormGradientArguments>({
    samples: [[5, 7] as const, ...matricesAndEmpty].map(([rows, channels], i) => ({
      arguments: withGradient(norm(1200 + i, rows, channels), new Data(1250 + i).normal(rows * channels)),
    })),
    reference: localResponseNormBackward,
    gradients: normGradients(),
  }),

  prelu: defineCases<PreluArguments>({
    samples: [
      ...matrices.map(([rows, channels], i) => ({ arguments: preluArguments(1280 + i, rows, channels) })),
      { note: 'no rows', arguments: preluArguments(1299, 0, 3) },
      {
        note: 'zeros, NaN, infinities and denormals',
        arguments: specials,
        expected: { y: [0, -0, NAN, 1, Infinity, -0 * Infinity, -0.25, 2, -0, 1e-40, 0.5e-40, 5] },
      },
    ],
    reference: prelu,
  }),

  preluBackward: defineCases<PreluGradientArguments>({
    samples: preluGradientSamples(),
    reference: preluBackward,
    gradients: preluGradients(),
  }),
} satisfies CaseTable;
