import { Data, lengths, matricesAndEmpty, repeated, rounded, wandering } from '../data.js';
import {
  type ActivationName,
  activation,
  derivativeFromInput,
  derivativeFromOutput,
  logSoftmax,
  logSoftmaxBackward,
  map,
  softmax,
  softmaxBackward,
} from '../reference/activations.js';
import {
  type CaseTable,
  defineCases,
  type GradientCase,
  type KernelCases,
  type Sample,
  type Vector,
} from '../types.js';
import { backwardSpecials, forwardSpecials } from './activationSpecials.js';

/** The setting of leakyRelu (slope) and elu (alpha); the other activations have none. */
const parameterNames: Partial<Record<ActivationName, 'slope' | 'alpha'>> = { leakyRelu: 'slope', elu: 'alpha' };
const parameterValues: Partial<Record<ActivationName, readonly number[]>> = {
  leakyRelu: [0.01, 0, 0.3],
  elu: [1, 0.5, 0],
};

interface Setting {
  readonly value: number;
  readonly arguments: { slope?: number; alpha?: number };
}

function settingsOf(name: ActivationName): Setting[] {
  const parameter = parameterNames[name];
  if (parameter === undefined) return [{ value: 0, arguments: {} }];
  return (parameterValues[name] ?? []).map((value) => ({ value, arguments: { [parameter]: value } }));
}

const parameterOf = (a: { slope?: number; alpha?: number }) => a.slope ?? a.alpha ?? 0;

/** Every magnitude from the denormals to e^4.6, both signs, besides a fine grid over the range where functions bend. */
function grid(): Float64Array {
  const points: number[] = [];
  for (let i = -2000; i <= 2000; i++) points.push(i / 100);
  for (let exponent = -101; exponent <= 4.6; exponent += 0.1) points.push(Math.exp(exponent), -Math.exp(exponent));
  for (let x = 80; x <= 105; x += 0.25) points.push(x, -x);
  return Float64Array.from(points);
}

type ForwardArguments = { x: Vector; n: number; slope?: number; alpha?: number };

function forward(name: ActivationName): KernelCases {
  const settings = settingsOf(name);
  const points = grid();
  const samples: Sample<ForwardArguments>[] = [
    ...lengths.map((n, i) => ({
      arguments: { x: new Data(i).normal(n, 2), n, ...settings[i % settings.length].arguments },
    })),
    ...settings.map((setting) => ({ note: 'grid', arguments: { x: points, n: points.length, ...setting.arguments } })),
  ];
  const pairs = forwardSpecials[name];
  const x = repeated(pairs.map((pair) => pair[0]));
  samples.push({
    note: 'special values',
    arguments: { x, n: x.length, ...settings[0].arguments },
    expected: { y: repeated(pairs.map((pair) => pair[1])) },
  });
  return defineCases<ForwardArguments>({
    samples,
    reference: (a) => ({ y: map(a.x, a.n, (value) => activation[name](value, parameterOf(a))) }),
  });
}

type BackwardArguments = { dy: Vector; x?: Vector; y?: Vector; n: number; slope?: number; alpha?: number };

/** Cases of `<name>Backward`; `source` says whether it takes the input or the output of the forward pass. */
function backward(name: ActivationName, source: 'x' | 'y'): KernelCases {
  const settings = settingsOf(name);
  const derivative = { ...derivativeFromInput, ...derivativeFromOutput }[name];
  const given = (x: Float64Array, setting: Setting) => ({
    [source]: source === 'x' ? x : map(x, x.length, (value) => activation[name](value, setting.value)),
  });
  const samples: Sample<BackwardArguments>[] = lengths.map((n, i) => {
    const setting = settings[i % settings.length];
    return {
      arguments: {
        dy: new Data(50 + i).normal(n),
        ...given(new Data(i).normal(n, 2), setting),
        n,
        ...setting.arguments,
      },
    };
  });
  const points = grid();
  const triples = backwardSpecials[name];
  const dy = repeated(triples.map((triple) => triple[0]));
  samples.push(
    {
      note: 'grid',
      arguments: {
        dy: new Data(80).normal(points.length),
        ...given(points, settings[0]),
        n: points.length,
        ...settings[0].arguments,
      },
    },
    {
      note: 'special values',
      arguments: { dy, [source]: repeated(triples.map((triple) => triple[1])), n: dy.length, ...settings[0].arguments },
      expected: { dx: repeated(triples.map((triple) => triple[2])) },
    },
  );
  const gradients = settings.map((setting): GradientCase<BackwardArguments> => {
    const x = rounded(new Data(90).normal(37, 2));
    const dy = rounded(new Data(91).normal(37));
    return {
      note: `37 points, setting ${setting.value}`,
      variables: { x },
      value: (v) => v.x.reduce((sum, value, i) => sum + dy[i] * activation[name](value, setting.value), 0),
      arguments: { dy, ...given(x, setting), n: 37, ...setting.arguments },
      gradients: { dx: 'x' },
    };
  });
  return defineCases<BackwardArguments>({
    samples,
    reference: (a) => {
      const at = a.x ?? a.y ?? [];
      return { dx: map(a.dy, a.n, (value, i) => value * derivative(at[i], parameterOf(a))) };
    },
    gradients,
  });
}

type SoftmaxArguments = { x: Vector; rows: number; cols: number };
type SoftmaxBackwardArguments = { dy: Vector; y: Vector; rows: number; cols: number };

function softmaxSamples(): Sample<SoftmaxArguments>[] {
  return [
    ...matricesAndEmpty.map(([rows, cols], i) => ({
      arguments: { x: new Data(i).normal(rows * cols, 3), rows, cols },
    })),
    { note: 'no columns', arguments: { x: [], rows: 3, cols: 0 } },
    { note: '5003 columns', arguments: { x: new Data(40).normal(3 * 5003, 2), rows: 3, cols: 5003 } },
    {
      note: 'large logits',
      arguments: { x: [1e4, -1e4, 0, -1e4, -1e4, -1e4, 3e38, 3e38, -3e38], rows: 3, cols: 3 },
      expected: { y: [1, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 0] },
    },
    {
      note: 'each column in turn far above the others',
      arguments: { x: wandering(67, 0, 1e4), rows: 67, cols: 67 },
      expected: { y: wandering(67, 0, 1) },
    },
    {
      note: 'minus infinity is a probability of 0',
      arguments: { x: [-Infinity, 0, 0, 2, -Infinity, -Infinity], rows: 2, cols: 3 },
      expected: { y: [0, 0.5, 0.5, 1, 0, 0] },
    },
    ...[0, 4, 17].map((column) => {
      const x = new Data(41).normal(3 * 18);
      x[18 + column] = Number.NaN;
      return { note: `NaN in row 1, column ${column}`, arguments: { x, rows: 3, cols: 18 } };
    }),
    { note: 'denormal probabilities', arguments: { x: [0, -90, -100, -104, -200], rows: 1, cols: 5 } },
  ];
}

function logSoftmaxSamples(): Sample<SoftmaxArguments>[] {
  return [
    ...matricesAndEmpty.map(([rows, cols], i) => ({
      arguments: { x: new Data(i).normal(rows * cols, 3), rows, cols },
    })),
    { note: 'no columns', arguments: { x: [], rows: 3, cols: 0 } },
    { note: '5003 columns', arguments: { x: new Data(40).normal(3 * 5003, 2), rows: 3, cols: 5003 } },
    {
      note: 'large logits',
      arguments: { x: [1e4, -1e4, 0, -1e4, -1e4, -1e4, 3e38, 3e38, 0], rows: 3, cols: 3 },
      expected: {
        y: [0, -2e4, -1e4, -Math.log(3), -Math.log(3), -Math.log(3), -Math.LN2, -Math.LN2, -3e38],
      },
    },
    {
      note: 'minus infinity',
      arguments: { x: [-Infinity, 0, 0, 2, -Infinity, -Infinity], rows: 2, cols: 3 },
      expected: { y: [-Infinity, -Math.LN2, -Math.LN2, 0, -Infinity, -Infinity] },
    },
    ...[0, 4, 17].map((column) => {
      const x = new Data(41).normal(3 * 18);
      x[18 + column] = Number.NaN;
      return { note: `NaN in row 1, column ${column}`, arguments: { x, rows: 3, cols: 18 } };
    }),
  ];
}

/** Gradients of a function of rows, softmax or its logarithm. */
function rowGradients(f: typeof softmax): GradientCase<SoftmaxBackwardArguments>[] {
  return [
    [1, 1],
    [4, 3],
    [3, 10],
    [2, 17],
  ].map(([rows, cols], i) => {
    const x = rounded(new Data(60 + i).normal(rows * cols));
    const dy = rounded(new Data(70 + i).normal(rows * cols));
    return {
      note: `${rows}×${cols}`,
      variables: { x },
      value: (v) => f(v.x, rows, cols).reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: { dy, y: f(x, rows, cols), rows, cols },
      gradients: { dx: 'x' },
    };
  });
}

export const activationCases = {
  identity: forward('identity'),
  relu: forward('relu'),
  leakyRelu: forward('leakyRelu'),
  elu: forward('elu'),
  selu: forward('selu'),
  gelu: forward('gelu'),
  silu: forward('silu'),
  sigmoid: forward('sigmoid'),
  tanh: forward('tanh'),
  softplus: forward('softplus'),
  relu6: forward('relu6'),
  hardSigmoid: forward('hardSigmoid'),
  hardSwish: forward('hardSwish'),
  mish: forward('mish'),
  softsign: forward('softsign'),
  identityBackward: backward('identity', 'y'),
  reluBackward: backward('relu', 'y'),
  leakyReluBackward: backward('leakyRelu', 'y'),
  eluBackward: backward('elu', 'y'),
  seluBackward: backward('selu', 'y'),
  geluBackward: backward('gelu', 'x'),
  siluBackward: backward('silu', 'x'),
  sigmoidBackward: backward('sigmoid', 'y'),
  tanhBackward: backward('tanh', 'y'),
  softplusBackward: backward('softplus', 'y'),
  relu6Backward: backward('relu6', 'y'),
  hardSigmoidBackward: backward('hardSigmoid', 'y'),
  hardSwishBackward: backward('hardSwish', 'x'),
  mishBackward: backward('mish', 'x'),
  softsignBackward: backward('softsign', 'y'),

  softmax: defineCases<SoftmaxArguments>({
    samples: softmaxSamples(),
    reference: ({ x, rows, cols }) => ({ y: softmax(x, rows, cols) }),
  }),

  softmaxBackward: defineCases<SoftmaxBackwardArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, cols], i) => {
        const data = new Data(100 + i);
        return {
          arguments: { dy: data.normal(rows * cols), y: softmax(data.normal(rows * cols, 2), rows, cols), rows, cols },
        };
      }),
      {
        note: 'NaN in one gradient',
        arguments: { dy: [1, Number.NaN, 2, 1, 1, 2], y: [0.5, 0.25, 0.25, 0.5, 0.5, 0], rows: 2, cols: 3 },
        expected: { dx: [Number.NaN, Number.NaN, Number.NaN, 0, 0, 0] },
      },
    ],
    reference: ({ dy, y, rows, cols }) => ({ dx: softmaxBackward(dy, y, rows, cols) }),
    gradients: rowGradients(softmax),
  }),

  logSoftmax: defineCases<SoftmaxArguments>({
    samples: logSoftmaxSamples(),
    reference: ({ x, rows, cols }) => ({ y: logSoftmax(x, rows, cols) }),
  }),

  logSoftmaxBackward: defineCases<SoftmaxBackwardArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, cols], i) => {
        const data = new Data(130 + i);
        return {
          arguments: {
            dy: data.normal(rows * cols),
            y: logSoftmax(data.normal(rows * cols, 2), rows, cols),
            rows,
            cols,
          },
        };
      }),
      {
        note: 'NaN in one gradient, and a probability of 0',
        arguments: { dy: [1, Number.NaN, 2, 1, 3], y: [-1, -1, -1, 0, -Infinity], rows: 1, cols: 5 },
        expected: { dx: new Float64Array(5).fill(Number.NaN) },
      },
      {
        note: 'a probability of 0',
        arguments: { dy: [1, 3], y: [0, -Infinity], rows: 1, cols: 2 },
        expected: { dx: [-3, 3] },
      },
    ],
    reference: ({ dy, y, rows, cols }) => ({ dx: logSoftmaxBackward(dy, y, rows, cols) }),
    gradients: rowGradients(logSoftmax),
  }),
} satisfies CaseTable;
