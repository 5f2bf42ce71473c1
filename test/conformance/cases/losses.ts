import { Data, lengths, matricesAndEmpty, rounded, wandering } from '../data.js';
import type {
  AddTotalArguments,
  LabelLossArguments,
  LossResults,
  MeanGradientArguments,
  ProbabilityLossArguments,
  RegressionArguments,
  SumWeightsArguments,
  WeighRowsArguments,
} from '../reference/losses.js';
import * as reference from '../reference/losses.js';
import {
  type CaseTable,
  defineCases,
  type GradientCase,
  type KernelCases,
  type Results,
  type Sample,
} from '../types.js';

const NAN = Number.NaN;
const smoothings = [0, 0.1, 0.5];
const mean = (v: Float64Array) => v.reduce((sum, value) => sum + value, 0) / v.length;

const ofLength = <T>(n: number, value: (i: number) => T) => Array.from({ length: n }, (_, i) => value(i));

/** Every third sample goes without the gradient. */
const withoutGradient = (i: number) => (i % 3 === 2 ? { dprediction: null } : {});

function asResults<A>(loss: (a: A) => LossResults): (a: A) => Results {
  return (a) => ({ ...loss(a) });
}

const gradientShapes = [
  [1, 1],
  [1, 4],
  [5, 3],
  [4, 10],
  [3, 17],
] as const;

function labelArguments(seed: number, rows: number, classes: number, smoothing: number): LabelLossArguments {
  const data = new Data(seed);
  return { logits: data.normal(rows * classes, 3), labels: data.integers(rows, classes), rows, classes, smoothing };
}

const labelSamples: Sample<LabelLossArguments>[] = [
  ...matricesAndEmpty.map(([rows, classes], i) => ({
    arguments: { ...labelArguments(i, rows, classes, smoothings[i % 2]), ...withoutGradient(i) },
  })),
  {
    note: 'logits of ±1e4',
    arguments: {
      logits: [1e4, -1e4, 0, 1e4, -1e4, 0, 1e4, -1e4, 0],
      labels: [0, 1, 2],
      rows: 3,
      classes: 3,
      smoothing: 0,
    },
    expected: { loss: [0, 2e4, 1e4], dprediction: [0, 0, 0, 1 / 3, -1 / 3, 0, 1 / 3, 0, -1 / 3] },
  },
  {
    note: 'each column in turn far above the others',
    arguments: {
      logits: wandering(67, 0, 1e4),
      labels: ofLength(67, (i) => (i + 1) % 67),
      rows: 67,
      classes: 67,
      smoothing: 0,
    },
    expected: { loss: ofLength(67, () => 1e4) },
  },
  {
    note: 'logits of ±1e4, smoothed',
    arguments: { logits: [1e4, -1e4, 0, 0], labels: [0], rows: 1, classes: 4, smoothing: 0.4 },
    expected: { loss: [4e3], dprediction: [0.3, -0.1, -0.1, -0.1] },
  },
  {
    note: 'equal logits',
    arguments: { logits: [-5, -5, -5, -5], labels: [3], rows: 1, classes: 4, smoothing: 0 },
    expected: { loss: [Math.log(4)], dprediction: [0.25, 0.25, 0.25, -0.75] },
  },
  {
    note: 'NaN in row 1',
    arguments: { logits: [1, 2, NAN, 3, 0, 1], labels: [0, 1, 1], rows: 3, classes: 2, smoothing: 0 },
  },
  { note: '5003 classes', arguments: labelArguments(40, 3, 5003, 0.1) },
];

function probabilityArguments(
  seed: number,
  rows: number,
  classes: number,
  smoothing: number,
): ProbabilityLossArguments {
  const data = new Data(seed);
  return {
    logits: data.normal(rows * classes, 3),
    target: data.probabilities(rows, classes),
    rows,
    classes,
    smoothing,
  };
}

const probabilitySamples: Sample<ProbabilityLossArguments>[] = [
  ...matricesAndEmpty.map(([rows, classes], i) => ({
    arguments: { ...probabilityArguments(50 + i, rows, classes, smoothings[i % 2]), ...withoutGradient(i) },
  })),
  {
    note: 'one-hot rows, logits of ±1e4',
    arguments: { logits: [1e4, -1e4, 0, 1e4, -1e4, 0], target: [1, 0, 0, 0, 1, 0], rows: 2, classes: 3, smoothing: 0 },
    expected: { loss: [0, 2e4], dprediction: [0, 0, 0, 0.5, -0.5, 0] },
  },
  {
    note: 'each column in turn far above the others',
    arguments: { logits: wandering(67, 0, 1e4), target: wandering(67, 0, 1), rows: 67, classes: 67, smoothing: 0 },
    expected: { loss: ofLength(67, () => 0), dprediction: ofLength(67 * 67, () => 0) },
  },
  {
    note: 'targets that sum to 2 and to 0',
    arguments: { logits: [0, 0, 1, 2], target: [0.5, 1.5, 0, 0], rows: 2, classes: 2, smoothing: 0 },
    expected: { loss: [2 * Math.LN2, 0], dprediction: [0.25, -0.25, 0, 0] },
  },
  {
    note: 'NaN target',
    arguments: { logits: [0, 1, 1, 2], target: [NAN, 1, 0, 1], rows: 2, classes: 2, smoothing: 0 },
  },
  {
    note: 'NaN logit',
    arguments: { logits: [0, NAN, 1, 2], target: [0.5, 0.5, 0, 1], rows: 2, classes: 2, smoothing: 0 },
  },
  { note: '5003 classes', arguments: probabilityArguments(90, 3, 5003, 0.1) },
];

const labelGradients = gradientShapes.map(([rows, classes], i): GradientCase<LabelLossArguments> => {
  const a = labelArguments(100 + i, rows, classes, smoothings[i % 3]);
  return {
    note: `${rows}×${classes}, smoothing ${a.smoothing}`,
    variables: { logits: rounded(a.logits) },
    value: (v) => mean(reference.softmaxCrossEntropy({ ...a, logits: v.logits }).loss),
    arguments: a,
    gradients: { dprediction: 'logits' },
  };
});

const probabilityGradients = gradientShapes.map(([rows, classes], i): GradientCase<ProbabilityLossArguments> => {
  const a = probabilityArguments(110 + i, rows, classes, smoothings[i % 3]);
  // Targets that do not sum to 1, so that the factor Σ t of the gradient shows.
  const target = rounded(a.target).map((t) => t * (1 + i));
  return {
    note: `${rows}×${classes}, smoothing ${a.smoothing}`,
    variables: { logits: rounded(a.logits) },
    value: (v) => mean(reference.softmaxCrossEntropyProbabilities({ ...a, target, logits: v.logits }).loss),
    arguments: { ...a, target },
    gradients: { dprediction: 'logits' },
  };
});

interface RegressionOptions {
  /** The loss's own setting in sample i, given the number of outputs. */
  readonly setting?: (i: number, outputs: number) => { factor: number } | { delta: number };
  readonly target?: (data: Data, n: number) => Float64Array;
  readonly specials: readonly Sample<RegressionArguments>[];
}

function regression(loss: (a: RegressionArguments) => LossResults, options: RegressionOptions): KernelCases {
  const { setting = () => ({}), target = (data, n) => data.normal(n, 2) } = options;
  const at = (seed: number, i: number, rows: number, outputs: number): RegressionArguments => {
    const data = new Data(seed + i);
    const n = rows * outputs;
    return { prediction: data.normal(n, 2), target: target(data, n), rows, outputs, ...setting(i, outputs) };
  };
  return defineCases<RegressionArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, outputs], i) => ({
        arguments: { ...at(200, i, rows, outputs), ...withoutGradient(i) },
      })),
      ...options.specials,
      { note: '5003 outputs', arguments: at(240, 0, 3, 5003) },
    ],
    reference: asResults(loss),
    gradients: gradientShapes.map(([rows, outputs], i) => {
      const a = at(250, i, rows, outputs);
      const targets = rounded(a.target);
      return {
        note: `${rows}×${outputs}`,
        variables: { prediction: rounded(a.prediction) },
        value: (v) => mean(loss({ ...a, target: targets, prediction: v.prediction }).loss),
        arguments: a,
        gradients: { dprediction: 'prediction' },
      };
    }),
  });
}

/** One row of two outputs with a NaN on either side, in two samples. */
const nanRows = (setting: object): Sample<RegressionArguments>[] => [
  {
    note: 'NaN prediction',
    arguments: { prediction: [NAN, 1, 2, 3], target: [1, 0, 1, 0], rows: 2, outputs: 2, ...setting },
  },
  {
    note: 'NaN target',
    arguments: { prediction: [1, 1, 2, 3], target: [0, NAN, 1, 0], rows: 2, outputs: 2, ...setting },
  },
];

const sum = (v: Float64Array) => v.reduce((s, value) => s + value, 0);

/** Rows with and without weights, and with and without their sum. */
const weighed = matricesAndEmpty.map(([rows, cols], i): Sample<WeighRowsArguments> => {
  const data = new Data(300 + i);
  const weights = rounded(data.uniform(rows, 0, 2));
  return {
    arguments: {
      x: data.normal(rows * cols, 2),
      weights: i % 4 === 1 ? null : weights,
      total: i % 4 === 2 ? null : [sum(weights)],
      rows,
      cols,
      scale: [1, 0.3, 2, 1][i % 4],
    },
  };
});

export const lossCases = {
  softmaxCrossEntropy: defineCases<LabelLossArguments>({
    samples: labelSamples,
    reference: asResults(reference.softmaxCrossEntropy),
    gradients: labelGradients,
  }),

  softmaxCrossEntropyProbabilities: defineCases<ProbabilityLossArguments>({
    samples: probabilitySamples,
    reference: asResults(reference.softmaxCrossEntropyProbabilities),
    gradients: probabilityGradients,
  }),

  binaryCrossEntropy: regression(reference.binaryCrossEntropy, {
    target: (data, n) => data.uniform(n, 0, 1),
    specials: [
      {
        note: 'logits of ±1e4 and ±0',
        arguments: { prediction: [1e4, -1e4, 1e4, -1e4, 0, -0], target: [1, 0, 0, 1, 1, 0], rows: 3, outputs: 2 },
        expected: { loss: [0, 1e4, Math.LN2], dprediction: [0, 0, 1 / 6, -1 / 6, -1 / 12, 1 / 12] },
      },
      ...nanRows({}),
    ],
  }),

  squaredError: regression(reference.squaredError, {
    setting: (i, outputs) => ({ factor: i % 2 === 0 ? 1 / outputs : 0.5 }),
    specials: [
      {
        note: 'exact values',
        arguments: { prediction: [3, 1, 0, -2], target: [1, 1, 0, 2], rows: 2, outputs: 2, factor: 0.5 },
        expected: { loss: [2, 8], dprediction: [1, 0, 0, -2] },
      },
      ...nanRows({ factor: 0.5 }),
    ],
  }),

  absoluteError: regression(reference.absoluteError, {
    specials: [
      {
        note: 'sign of 0, of a denormal and of large numbers',
        arguments: { prediction: [3, 1, 2 ** -149, -3e38], target: [1, 1, 0, 2], rows: 2, outputs: 2 },
        expected: { loss: [1, 1.5e38], dprediction: [0.25, 0, 0.25, -0.25] },
      },
      ...nanRows({}),
    ],
  }),

  huber: regression(reference.huber, {
    setting: (i) => ({ delta: [1, 0.5, 2][i % 3] }),
    specials: [
      {
        note: 'inside, on and outside of delta',
        arguments: { prediction: [1, -2, 2, 5, 0, -6], target: [0, 0, 0, 0, 0, 0], rows: 3, outputs: 2, delta: 2 },
        expected: { loss: [1.25, 5, 5], dprediction: [1 / 6, -1 / 3, 1 / 3, 1 / 3, 0, -1 / 3] },
      },
      ...nanRows({ delta: 1 }),
    ],
  }),

  meanGradient: defineCases<MeanGradientArguments>({
    samples: lengths.map((rows) => ({ arguments: { rows } })),
    reference: reference.meanGradient,
  }),

  sumWeights: defineCases<SumWeightsArguments>({
    samples: [
      ...[...lengths, 20011].map((rows, i) => ({
        arguments: { weights: new Data(330 + i).uniform(rows, 0, 2), rows },
      })),
      { note: 'NaN', arguments: { weights: [1, NAN, 2], rows: 3 }, expected: { total: [NAN] } },
      {
        note: 'a small weight beside large ones',
        arguments: { weights: [2 ** 40, 1, 2 ** 40], rows: 3 },
        expected: { total: [2 ** 41 + 1] },
      },
    ],
    reference: reference.sumWeights,
  }),

  weighRows: defineCases<WeighRowsArguments>({
    samples: [
      ...weighed,
      {
        note: 'rows of weight 0 count as 0, whatever they hold',
        arguments: {
          x: [1, 2, NAN, Infinity, 3, 4, -1, -2],
          weights: [1, 0, 2, 1],
          total: [4],
          rows: 4,
          cols: 2,
          scale: 0.5,
        },
        expected: { y: [0.5, 1, 0, 0, 3, 4, -0.5, -1] },
      },
      {
        note: 'all weights 0',
        arguments: { x: [1, NAN, -3], weights: [0, 0, 0], total: [0], rows: 3, cols: 1, scale: 1 },
        expected: { y: [0, 0, 0] },
      },
      {
        note: 'the factor 0',
        arguments: { x: [1, NAN, -3], weights: null, total: null, rows: 3, cols: 1, scale: 0 },
        expected: { y: [0, 0, 0] },
      },
      {
        note: 'NaN in a row, in a weight and in the sum',
        arguments: { x: [1, NAN, 3], weights: [1, 1, NAN], total: [NAN], rows: 3, cols: 1, scale: 1 },
        expected: { y: [NAN, NAN, NAN] },
      },
    ],
    reference: reference.weighRows,
  }),

  addTotal: defineCases<AddTotalArguments>({
    samples: [
      ...[1, 0, 0.5, -2, 1e-3, 3].map((factor, i) => ({
        arguments: { carry: i % 3 === 1 ? null : [1.25 * i], x: [0.1 + i], factor },
      })),
      { note: 'NaN', arguments: { carry: [1], x: [NAN], factor: 0 }, expected: { total: [NAN] } },
      { note: 'NaN before', arguments: { carry: [NAN], x: [1], factor: 1 }, expected: { total: [NAN] } },
      { note: 'beyond float32', arguments: { carry: [1e300], x: [1e299], factor: 10 }, expected: { total: [2e300] } },
    ],
    reference: reference.addTotal,
  }),
} satisfies CaseTable;
