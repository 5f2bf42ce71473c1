import { Data, lengths } from '../data.js';
import {
  type AccumulateArguments,
  type AdaDeltaArguments,
  type AdaGradArguments,
  type AdamArguments,
  type AdamaxArguments,
  type AdamWArguments,
  type AmsGradArguments,
  type AverageWeightsArguments,
  accumulate,
  adaDelta,
  adaGrad,
  adam,
  adamax,
  adamW,
  amsGrad,
  averageWeights,
  type LionArguments,
  lion,
  type MuonMomentumArguments,
  muonMomentum,
  type NadamArguments,
  type NormalizeArguments,
  nadam,
  normalize,
  type RmsPropArguments,
  rmsProp,
  type SgdArguments,
  sgd,
} from '../reference/optimizers.js';
import { type CaseTable, defineCases, type Sample, type Vector } from '../types.js';

const NAN = Number.NaN;

/** One sample a length, its settings taken in turn. */
function swept<A extends { n: number }>(
  settings: readonly ((data: Data, n: number) => Omit<A, 'p' | 'g' | 'n'>)[],
): Sample<A>[] {
  const sizes = [...lengths, ...settings.map(() => 37), 1009];
  return sizes.map((n, i) => {
    const data = new Data(i);
    return {
      arguments: {
        p: data.normal(n),
        g: data.normal(n, 0.3),
        n,
        ...settings[i % settings.length](data, n),
      } as unknown as A,
    };
  });
}

/** The state before a step: zero at first, as after compile, later positive. */
const zeros = (n: number) => new Float64Array(n);

type SgdSettings = Omit<SgdArguments, 'p' | 'g' | 'n'>;
const sgdSettings =
  (settings: Partial<SgdSettings>, velocity: 'none' | 'zero' | 'running' = 'running') =>
  (data: Data, n: number): SgdSettings => ({
    velocity: velocity === 'none' ? null : velocity === 'zero' ? zeros(n) : data.normal(n),
    learningRate: 0.1,
    momentum: 0.9,
    dampening: 0,
    nesterov: false,
    weightDecay: 0,
    ...settings,
  });

type AdaGradSettings = Omit<AdaGradArguments, 'p' | 'g' | 'n'>;
const adaGradSettings =
  (settings: Partial<AdaGradSettings>) =>
  (data: Data, n: number): AdaGradSettings => ({
    accumulator: data.uniform(n, 0, 2),
    learningRate: 0.05,
    epsilon: 1e-7,
    weightDecay: 0,
    ...settings,
  });

type RmsPropSettings = Omit<RmsPropArguments, 'p' | 'g' | 'n'>;
const rmsPropSettings =
  (settings: Partial<RmsPropSettings>, velocity: 'none' | 'running' = 'none') =>
  (data: Data, n: number): RmsPropSettings => ({
    average: data.uniform(n, 0, 0.5),
    velocity: velocity === 'none' ? null : data.normal(n),
    learningRate: 0.01,
    decay: 0.9,
    epsilon: 1e-7,
    epsilonInside: 0,
    momentum: 0.9,
    weightDecay: 0,
    ...settings,
  });

type Moments = Omit<AdamArguments, 'p' | 'g' | 'n' | 'weightDecay'>;
const moments = (data: Data, n: number): Moments => ({
  m: data.normal(n, 0.2),
  v: data.uniform(n, 0, 0.3),
  stepSize: 0.002,
  correction: 1.5,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  epsilonInside: 0,
});
const firstStep = (n: number) => ({ m: zeros(n), v: zeros(n), stepSize: 0.01, correction: 1000 });
const adamSettings = (settings: Partial<AdamArguments>) => (data: Data, n: number) => ({
  ...moments(data, n),
  weightDecay: 0,
  ...settings,
});
const adamWSettings = (settings: Partial<AdamWArguments>) => (data: Data, n: number) => ({
  ...moments(data, n),
  shrink: 1e-3,
  ...settings,
});

const amsGradSettings = (settings: Partial<AmsGradArguments>) => (data: Data, n: number) => ({
  ...moments(data, n),
  // Above v in about half of the elements.
  vMax: data.uniform(n, 0, 0.3),
  weightDecay: 0,
  ...settings,
});

type AdaDeltaSettings = Omit<AdaDeltaArguments, 'p' | 'g' | 'n'>;
const adaDeltaSettings =
  (settings: Partial<AdaDeltaSettings>) =>
  (data: Data, n: number): AdaDeltaSettings => ({
    average: data.uniform(n, 0, 0.5),
    steps: data.uniform(n, 0, 0.1),
    learningRate: 1,
    decay: 0.9,
    epsilon: 1e-6,
    weightDecay: 0,
    ...settings,
  });

type AdamaxSettings = Omit<AdamaxArguments, 'p' | 'g' | 'n'>;
const adamaxSettings =
  (settings: Partial<AdamaxSettings>) =>
  (data: Data, n: number): AdamaxSettings => ({
    m: data.normal(n, 0.2),
    // Above the magnitudes in about half of the elements.
    u: data.uniform(n, 0, 0.4),
    stepSize: 0.002,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    ...settings,
  });

const nadamSettings = (settings: Partial<NadamArguments>) => (data: Data, n: number) => {
  const { epsilonInside: _, ...common } = moments(data, n);
  return { ...common, gradientSize: 0.001, weightDecay: 0, ...settings };
};

type LionSettings = Omit<LionArguments, 'p' | 'g' | 'n'>;
const lionSettings =
  (settings: Partial<LionSettings>) =>
  (data: Data, n: number): LionSettings => ({
    m: data.normal(n, 0.2),
    learningRate: 0.001,
    beta1: 0.9,
    beta2: 0.99,
    shrink: 0,
    ...settings,
  });

/** Their squares are still normal in float32. */
const tinyGradients = [1e-10, -1e-8, 1e-12, 1e-15, -1e-6];

/** What both Adams share: a denominator of 0, and NaN or infinity in the gradient. */
function adamSpecials<T extends { weightDecay: number } | { shrink: number }>(own: T, kept: Vector) {
  const common = { stepSize: 0.1, correction: 1, beta1: 0.9, beta2: 0.999, epsilonInside: 0, n: 5, ...own };
  const p = [1, -2, 3, 4, 5];
  return [
    {
      note: 'denominator 0 leaves p alone',
      arguments: { ...common, p, m: zeros(5), v: zeros(5), g: zeros(5), epsilon: 0 },
      expected: { p: kept, m: zeros(5), v: zeros(5) },
    },
    {
      note: 'NaN and infinity in the gradient reach p',
      arguments: { ...common, p, m: zeros(5), v: zeros(5), g: [NAN, 0, 0, NAN, Infinity], epsilon: 1e-8 },
      expected: { p: [NAN, kept[1], kept[2], NAN, NAN] },
    },
    {
      note: 'tiny gradients make whole steps',
      arguments: { ...common, p, m: zeros(5), v: zeros(5), g: tinyGradients, correction: 1000, epsilon: 0 },
    },
    {
      note: 'epsilon inside the root against one outside',
      arguments: {
        ...common,
        p,
        m: zeros(5),
        v: zeros(5),
        g: [1e-4, -1e-3, 0, 1e-2, 1e-5],
        epsilon: 0,
        epsilonInside: 1e-5,
      },
    },
  ];
}

export const optimizerCases = {
  sgd: defineCases<SgdArguments>({
    samples: [
      ...swept<SgdArguments>([
        sgdSettings({}),
        sgdSettings({}, 'none'),
        sgdSettings({ nesterov: true }),
        sgdSettings({ dampening: 0.9 }),
        sgdSettings({ weightDecay: 0.01 }, 'none'),
        sgdSettings({ weightDecay: 0.01, nesterov: 1, dampening: 0.5, momentum: 0.7 }),
        sgdSettings({ momentum: 0.5 }, 'zero'),
      ]),
      {
        note: 'NaN in the gradient, no velocity',
        arguments: {
          p: [1, 2],
          velocity: null,
          g: [NAN, 1],
          n: 2,
          learningRate: 0.5,
          momentum: 0,
          dampening: 0,
          nesterov: false,
          weightDecay: 0,
        },
        expected: { p: [NAN, 1.5] },
      },
      {
        note: 'NaN in the gradient, with velocity',
        arguments: {
          p: [1, 2],
          velocity: [0, 1],
          g: [NAN, 1],
          n: 2,
          learningRate: 0.5,
          momentum: 0.5,
          dampening: 0,
          nesterov: false,
          weightDecay: 0,
        },
        expected: { p: [NAN, 1.25], velocity: [NAN, 1.5] },
      },
    ],
    reference: sgd,
  }),

  adaGrad: defineCases<AdaGradArguments>({
    samples: [
      ...swept<AdaGradArguments>([
        adaGradSettings({}),
        adaGradSettings({ weightDecay: 0.02 }),
        adaGradSettings({ epsilon: 0.1 }),
        (data, n) => adaGradSettings({ accumulator: zeros(n), epsilon: 0 })(data, n),
      ]),
      {
        note: 'tiny gradients make whole steps',
        arguments: {
          p: [1, -2, 3, 4, 5],
          accumulator: zeros(5),
          g: tinyGradients,
          n: 5,
          learningRate: 0.1,
          epsilon: 0,
          weightDecay: 0,
        },
        expected: { p: [0.9, -1.9, 2.9, 3.9, 5.1] },
      },
      {
        note: 'denominator 0 leaves p alone; NaN reaches p',
        arguments: {
          p: [1, 2, 3],
          accumulator: [0, 4, 1],
          g: [0, 0, NAN],
          n: 3,
          learningRate: 0.1,
          epsilon: 0,
          weightDecay: 0,
        },
        expected: { p: [1, 2, NAN], accumulator: [0, 4, NAN] },
      },
    ],
    reference: adaGrad,
  }),

  rmsProp: defineCases<RmsPropArguments>({
    samples: [
      ...swept<RmsPropArguments>([
        rmsPropSettings({}),
        rmsPropSettings({}, 'running'),
        rmsPropSettings({ epsilon: 0, epsilonInside: 1e-2 }),
        rmsPropSettings({ weightDecay: 0.05, epsilon: 0.05, decay: 0.99 }, 'running'),
        (data, n) => rmsPropSettings({ average: zeros(n), decay: 0.999, epsilon: 1e-3 })(data, n),
      ]),
      {
        note: 'tiny gradients make whole steps',
        arguments: {
          p: [1, -2, 3, 4, 5],
          average: zeros(5),
          velocity: null,
          g: tinyGradients,
          n: 5,
          learningRate: 0.1,
          decay: 0.75,
          epsilon: 0,
          epsilonInside: 0,
          momentum: 0,
          weightDecay: 0,
        },
        expected: { p: [0.8, -1.8, 2.8, 3.8, 5.2] },
      },
      {
        note: 'denominator 0 gives no step; NaN reaches p',
        arguments: {
          p: [1, 2],
          average: [0, 1],
          velocity: [0.5, 0.5],
          g: [0, NAN],
          n: 2,
          learningRate: 1,
          decay: 0.9,
          epsilon: 0,
          epsilonInside: 0,
          momentum: 0.5,
          weightDecay: 0,
        },
        expected: { p: [0.75, NAN], average: [0, NAN], velocity: [0.25, NAN] },
      },
      {
        note: 'the same without velocity',
        arguments: {
          p: [1, 2],
          average: [0, 1],
          velocity: null,
          g: [0, NAN],
          n: 2,
          learningRate: 1,
          decay: 0.9,
          epsilon: 0,
          epsilonInside: 0,
          momentum: 0,
          weightDecay: 0,
        },
        expected: { p: [1, NAN], average: [0, NAN] },
      },
    ],
    reference: rmsProp,
  }),

  adam: defineCases<AdamArguments>({
    samples: [
      ...swept<AdamArguments>([
        adamSettings({}),
        (data, n) => adamSettings(firstStep(n))(data, n),
        adamSettings({ correction: 1, epsilon: 1e-2 }),
        adamSettings({ correction: 1, epsilon: 0, epsilonInside: 1e-2 }),
        adamSettings({ weightDecay: 0.03, beta2: 0.99 }),
      ]),
      ...adamSpecials({ weightDecay: 0 }, [1, -2, 3, 4, 5]),
    ],
    reference: adam,
  }),

  adamW: defineCases<AdamWArguments>({
    samples: [
      ...swept<AdamWArguments>([
        adamWSettings({}),
        (data, n) => adamWSettings({ ...firstStep(n), shrink: 0.1 })(data, n),
        adamWSettings({ correction: 1, epsilon: 1e-2, shrink: 0 }),
        adamWSettings({ correction: 1, epsilon: 0, epsilonInside: 1e-2 }),
      ]),
      ...adamSpecials({ shrink: 0.5 }, [0.5, -1, 1.5, 2, 2.5]),
    ],
    reference: adamW,
  }),

  amsGrad: defineCases<AmsGradArguments>({
    samples: [
      ...swept<AmsGradArguments>([
        amsGradSettings({}),
        (data, n) => amsGradSettings({ ...firstStep(n), vMax: zeros(n) })(data, n),
        amsGradSettings({ correction: 1, epsilon: 1e-2 }),
        amsGradSettings({ correction: 1, epsilon: 0, epsilonInside: 1e-2 }),
        amsGradSettings({ weightDecay: 0.03, beta2: 0.99 }),
      ]),
      ...adamSpecials({ weightDecay: 0 }, [1, -2, 3, 4, 5]).map((sample) => ({
        ...sample,
        arguments: { ...sample.arguments, vMax: zeros(5) },
      })),
      {
        note: 'the largest average so far counts; NaN in the gradient reaches all',
        arguments: {
          p: [1, 1, 1],
          m: zeros(3),
          v: zeros(3),
          vMax: [4, 0, 1],
          g: [1, 1, NAN],
          n: 3,
          stepSize: 1,
          correction: 1,
          beta1: 0.5,
          beta2: 0.75,
          epsilon: 0,
          epsilonInside: 0,
          weightDecay: 0,
        },
        expected: { p: [0.75, 0, NAN], v: [0.25, 0.25, NAN], vMax: [4, 0.25, NAN] },
      },
    ],
    reference: amsGrad,
  }),

  adaDelta: defineCases<AdaDeltaArguments>({
    samples: [
      ...swept<AdaDeltaArguments>([
        adaDeltaSettings({}),
        adaDeltaSettings({ weightDecay: 0.02, learningRate: 0.5 }),
        adaDeltaSettings({ epsilon: 1e-3, decay: 0.999 }),
        (data, n) => adaDeltaSettings({ average: zeros(n), steps: zeros(n) })(data, n),
      ]),
      {
        note: 'denominator 0 gives no step; NaN reaches p',
        arguments: {
          p: [1, 2, 3],
          average: [0, 4, 1],
          steps: [1, 1, 1],
          g: [0, 0, NAN],
          n: 3,
          learningRate: 1,
          decay: 0.75,
          epsilon: 0,
          weightDecay: 0,
        },
        expected: { p: [1, 2, NAN], average: [0, 3, NAN], steps: [0.75, 0.75, NAN] },
      },
    ],
    reference: adaDelta,
  }),

  adamax: defineCases<AdamaxArguments>({
    samples: [
      ...swept<AdamaxArguments>([
        adamaxSettings({}),
        adamaxSettings({ weightDecay: 0.03, beta2: 0.5 }),
        adamaxSettings({ epsilon: 0.1 }),
        (data, n) => adamaxSettings({ m: zeros(n), u: zeros(n), stepSize: 0.02 })(data, n),
      ]),
      {
        note: 'the largest magnitude counts; a denominator of 0 leaves p alone; NaN reaches all',
        arguments: {
          p: [1, 1, 3, 1],
          m: zeros(4),
          u: [4, 0, 0, 1],
          g: [1, -1, 0, NAN],
          n: 4,
          stepSize: 1,
          beta1: 0.5,
          beta2: 0.5,
          epsilon: 0,
          weightDecay: 0,
        },
        expected: { p: [0.75, 1.5, 3, NAN], m: [0.5, -0.5, 0, NAN], u: [2, 1, 0, NAN] },
      },
    ],
    reference: adamax,
  }),

  nadam: defineCases<NadamArguments>({
    samples: [
      ...swept<NadamArguments>([
        nadamSettings({}),
        (data, n) => nadamSettings(firstStep(n))(data, n),
        nadamSettings({ weightDecay: 0.03, beta2: 0.99, epsilon: 1e-2 }),
      ]),
      {
        note: 'denominator 0 leaves p alone; NaN reaches p',
        arguments: {
          p: [1, 2],
          m: zeros(2),
          v: zeros(2),
          g: [0, NAN],
          n: 2,
          gradientSize: 0.5,
          stepSize: 1,
          correction: 1,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 0,
          weightDecay: 0,
        },
        expected: { p: [1, NAN], m: [0, NAN], v: [0, NAN] },
      },
    ],
    reference: nadam,
  }),

  lion: defineCases<LionArguments>({
    samples: [
      ...swept<LionArguments>([
        lionSettings({}),
        lionSettings({ shrink: 0.02 }),
        (data, n) => lionSettings({ m: zeros(n), beta2: 0.5 })(data, n),
      ]),
      {
        note: 'no direction gives no step; NaN reaches p; the sign forgets the size',
        arguments: {
          p: [1, 1, 1, 1],
          m: [0, 0, 1, 0],
          g: [0, NAN, -1e30, 1e-30],
          n: 4,
          learningRate: 0.25,
          beta1: 0.5,
          beta2: 0.5,
          shrink: 0,
        },
        expected: { p: [1, NAN, 1.25, 0.75] },
      },
    ],
    reference: lion,
  }),

  muonMomentum: defineCases<MuonMomentumArguments>({
    samples: [...lengths, 37, 1009].map((n, i): Sample<MuonMomentumArguments> => {
      const data = new Data(i);
      const [velocity, g] = [data.normal(n), data.normal(n, 0.3)];
      return {
        arguments: { velocity, g, n, momentum: i % 3 === 0 ? 0 : 0.95, nesterov: i % 2 === 0 },
      };
    }),
    reference: muonMomentum,
  }),

  normalize: defineCases<NormalizeArguments>({
    samples: [
      ...[...lengths, 37, 1009].map((n, i): Sample<NormalizeArguments> => {
        const data = new Data(i);
        return {
          arguments: {
            x: data.normal(n),
            squares: [i === 0 ? 1e80 : 0.3 * i * n],
            n,
            epsilon: i % 2 === 0 ? 1e-7 : 0.5,
          },
        };
      }),
      {
        note: 'of norm 0',
        arguments: { x: [0, 0], squares: [0], n: 2, epsilon: 1e-7 },
        expected: { x: [0, 0] },
      },
      {
        note: 'of norm 0 without epsilon',
        arguments: { x: [0, 0], squares: [0], n: 2, epsilon: 0 },
        expected: { x: [0, 0] },
      },
      {
        note: 'a norm that is not finite',
        arguments: { x: [1, NAN], squares: [NAN], n: 2, epsilon: 1e-7 },
        expected: { x: [NAN, NAN] },
      },
    ],
    reference: normalize,
  }),

  averageWeights: defineCases<AverageWeightsArguments>({
    samples: [
      ...[...lengths, 37, 1009].map((n, i): Sample<AverageWeightsArguments> => {
        const data = new Data(i);
        return { arguments: { average: data.normal(n), p: data.normal(n), n, intake: [0.001, 0.5, 0.9, 1][i % 4] } };
      }),
      {
        note: 'what is equal stays equal',
        arguments: { average: [0.1, 1e-30], p: [0.1, 1e-30], n: 2, intake: 0.3 },
        expected: { average: [0.1, 1e-30] },
      },
      {
        note: 'an intake of 1 forgets the average',
        arguments: { average: [NAN, Infinity, 1e30], p: [1, 2, 0.1], n: 3, intake: 1 },
        expected: { average: [1, 2, 0.1] },
      },
    ],
    reference: averageWeights,
  }),

  accumulate: defineCases<AccumulateArguments>({
    samples: [
      ...[...lengths, 37, 1009].map((n, i): Sample<AccumulateArguments> => {
        const data = new Data(i);
        return { arguments: { g: data.normal(n), mean: data.normal(n), n, intake: [1 / 3, 0.5, 0.01, 1][i % 4] } };
      }),
      {
        note: 'an intake of 1 forgets the mean; NaN in the gradient stays',
        arguments: { g: [1, 2, NAN], mean: [NAN, Infinity, 1], n: 3, intake: 1 },
        expected: { g: [1, 2, NAN], mean: [1, 2, NAN] },
      },
      {
        note: 'infinity in the gradient reaches the mean',
        arguments: { g: [Infinity, NAN], mean: [1, 1], n: 2, intake: 0.5 },
        expected: { g: [Infinity, NAN], mean: [Infinity, NAN] },
      },
    ],
    reference: accumulate,
  }),
} satisfies CaseTable;
