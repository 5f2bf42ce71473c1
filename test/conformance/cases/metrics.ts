import { Data, lengths, matricesAndEmpty, rounded, wandering } from '../data.js';
import {
  accuracyBinary,
  argmax,
  type BatchTotalsArguments,
  batchTotals,
  type PenaltyArguments,
  type PenaltyGradientArguments,
  penalty,
  penaltyGradient,
} from '../reference/metrics.js';
import { type CaseTable, defineCases, type Sample, type Vector } from '../types.js';

const NAN = Number.NaN;

/** Rows of few distinct values, so that equal maxima are common. */
const withTies = (seed: number, n: number) => new Data(seed).integers(n, 4).map((v) => v - 2);

/** Rows of three columns whose largest element is hard to find, and its index. */
const hardRows: readonly (readonly [readonly [number, number, number], number])[] = [
  [[1, 1, 1], 0],
  [[0, 2, 2], 1],
  [[NAN, 1, 2], 2],
  [[1, NAN, 0], 0],
  [[NAN, NAN, -5], 2],
  [[NAN, NAN, NAN], 0],
  [[-Infinity, -Infinity, -Infinity], 0],
  [[NAN, -Infinity, -Infinity], 1],
  [[-Infinity, Infinity, Infinity], 1],
  [[-0, 0, -0], 0],
  [[-3e38, -(2 ** -149), -1], 1],
];
const hard = hardRows.flatMap(([row]) => row);
const hardIndices = hardRows.map(([, index]) => index);

const wanderingIndices = Array.from({ length: 67 }, (_, i) => i);

type LabelArguments = { x: Vector; labels: Vector; rows: number; classes: number };
type ProbabilityArguments = { x: Vector; target: Vector; rows: number; classes: number };
type BinaryArguments = { logits: Vector; target: Vector; rows: number; outputs: number };

const ofEqual = (a: Int32Array, b: Vector) => Float64Array.from(a, (value, i) => (value === b[i] ? 1 : 0));

function batchTotalsSamples(): Sample<BatchTotalsArguments>[] {
  return [
    ...[...lengths, 1009].map((rows, i) => {
      const data = new Data(i);
      return {
        arguments: {
          loss: data.uniform(rows, 0, 5),
          hits: i % 3 === 1 ? null : data.integers(rows, 2),
          penalty: i % 2 === 1 ? null : data.uniform(1, 0, 0.1),
          rows,
        },
      };
    }),
    {
      note: 'no rows',
      arguments: { loss: [], hits: null, penalty: [1], rows: 0 },
      expected: { meanLoss: [NAN], hitCount: [0] },
    },
    {
      note: 'sums that float32 cannot hold',
      arguments: { loss: [2 ** 25, 1, 1, 2], hits: null, penalty: null, rows: 4 },
      expected: { meanLoss: [2 ** 23 + 1] },
    },
    {
      note: 'NaN loss',
      arguments: { loss: [1, NAN], hits: [1, 1], penalty: [0], rows: 2 },
      expected: { meanLoss: [NAN], hitCount: [2] },
    },
    {
      note: 'NaN penalty',
      arguments: { loss: [1, 1], hits: [1, 0], penalty: [NAN], rows: 2 },
      expected: { meanLoss: [NAN], hitCount: [1] },
    },
  ];
}

const rates = [
  { l1: 0, l2: 0.01 },
  { l1: 0.02, l2: 0 },
  { l1: 0.3, l2: 0.7 },
];

function penaltySamples(): Sample<PenaltyArguments>[] {
  return [
    ...[...lengths, 100003].map((n, i) => {
      const data = new Data(i);
      return {
        arguments: { carry: i % 3 === 1 ? null : data.uniform(1, 0, 3), w: data.normal(n), n, ...rates[i % 3] },
      };
    }),
    { note: 'large and small weights', arguments: { carry: null, w: [3e19, 1e-30, -3e19, 1], n: 4, l1: 0.5, l2: 2 } },
    { note: 'NaN weight', arguments: { carry: [1], w: [1, NAN, 2], n: 3, l1: 0.5, l2: 0 }, expected: { total: [NAN] } },
  ];
}

function penaltyGradientSamples(): Sample<PenaltyGradientArguments>[] {
  return [
    ...lengths.map((n, i) => {
      const data = new Data(i);
      return { arguments: { dw: data.normal(n), w: data.normal(n), n, ...rates[i % 3] } };
    }),
    {
      note: 'sign of ±0, of denormals, of infinities and of NaN',
      arguments: {
        dw: [1, 1, 1, 1, 1, 1, 1, NAN],
        w: [0, -0, 2 ** -149, -(2 ** -149), Infinity, -Infinity, NAN, 1],
        n: 8,
        l1: 0.5,
        l2: 0.25,
      },
      expected: { dw: [1, 1, 1.5, 0.5, Infinity, -Infinity, NAN, NAN] },
    },
  ];
}

export const metricCases = {
  argmax: defineCases<{ x: Vector; rows: number; cols: number }>({
    samples: [
      ...matricesAndEmpty.map(([rows, cols], i) => ({ arguments: { x: new Data(i).normal(rows * cols), rows, cols } })),
      ...matricesAndEmpty.map(([rows, cols], i) => ({
        note: 'ties',
        arguments: { x: withTies(i, rows * cols), rows, cols },
      })),
      {
        note: 'ties, NaN, infinities',
        arguments: { x: hard, rows: hardRows.length, cols: 3 },
        expected: { index: hardIndices },
      },
      {
        note: 'each column in turn',
        arguments: { x: wandering(67, -1, 1), rows: 67, cols: 67 },
        expected: { index: wanderingIndices },
      },
      { note: 'no columns', arguments: { x: [], rows: 3, cols: 0 }, expected: { index: [0, 0, 0] } },
    ],
    reference: ({ x, rows, cols }) => ({ index: argmax(x, rows, cols) }),
  }),

  accuracyLabels: defineCases<LabelArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, classes], i) => ({
        arguments: {
          x: withTies(i, rows * classes),
          labels: new Data(50 + i).integers(rows, Math.min(classes, 3)),
          rows,
          classes,
        },
      })),
      {
        note: 'ties, NaN, infinities',
        arguments: { x: hard, labels: hardIndices, rows: hardRows.length, classes: 3 },
        expected: { hits: hardRows.map(() => 1) },
      },
    ],
    reference: ({ x, labels, rows, classes }) => ({ hits: ofEqual(argmax(x, rows, classes), labels) }),
  }),

  accuracyProbabilities: defineCases<ProbabilityArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, classes], i) => ({
        arguments: {
          x: withTies(i, rows * classes),
          target: new Data(50 + i).probabilities(rows, classes),
          rows,
          classes,
        },
      })),
      {
        note: 'ties, NaN, infinities on both sides',
        arguments: { x: hard, target: hard, rows: hardRows.length, classes: 3 },
        expected: { hits: hardRows.map(() => 1) },
      },
    ],
    reference: ({ x, target, rows, classes }) => ({
      hits: ofEqual(argmax(x, rows, classes), argmax(target, rows, classes)),
    }),
  }),

  accuracyBinary: defineCases<BinaryArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, outputs], i) => ({
        arguments: {
          logits: new Data(i).normal(rows * outputs),
          target: new Data(50 + i).integers(rows * outputs, 2),
          rows,
          outputs,
        },
      })),
      {
        note: 'on the thresholds: logit 0 and target 0.5 both count as no',
        arguments: {
          logits: [0, -0, 2 ** -149, 1, -1, 1, -1, 0],
          target: [0, 0.5, 1, 0.5, 0.5, 0.75, 1, 0.25],
          rows: 4,
          outputs: 2,
        },
        expected: { hits: [1, 0.5, 1, 0.5] },
      },
    ],
    reference: ({ logits, target, rows, outputs }) => ({ hits: accuracyBinary(logits, target, rows, outputs) }),
  }),

  batchTotals: defineCases<BatchTotalsArguments>({ samples: batchTotalsSamples(), reference: batchTotals }),

  penalty: defineCases<PenaltyArguments>({ samples: penaltySamples(), reference: penalty }),

  penaltyGradient: defineCases<PenaltyGradientArguments>({
    samples: penaltyGradientSamples(),
    reference: penaltyGradient,
    gradients: rates.map((rate) => {
      const w = rounded(new Data(70).normal(19));
      return {
        note: `l1 ${rate.l1}, l2 ${rate.l2}`,
        variables: { w },
        value: (v) => penalty({ carry: null, w: v.w, n: 19, ...rate }).total[0],
        arguments: { dw: new Float64Array(19), w, n: 19, ...rate },
        gradients: { dw: 'w' },
      };
    }),
  }),
} satisfies CaseTable;
