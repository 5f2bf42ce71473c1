import { expect, it } from 'vitest';
import {
  batchNorm,
  binaryCrossEntropy,
  conv2d,
  dense,
  dropout,
  elu,
  flatten,
  gaussianNoise,
  gelu,
  globalMaxPool2d,
  groupNorm,
  halfSquaredError,
  hardSigmoid,
  hardSwish,
  huber,
  identity,
  instanceNorm,
  type LayerSpec,
  type Loss,
  l1,
  l1l2,
  l2,
  layerNorm,
  leakyRelu,
  logSoftmax,
  meanAbsoluteError,
  meanSquaredError,
  mish,
  Network,
  type NetworkOptions,
  relu,
  relu6,
  Sgd,
  selu,
  sigmoid,
  silu,
  softmax,
  softmaxCrossEntropy,
  softplus,
  softsign,
  spatialDropout2d,
  type Targets,
  tanh,
} from '../../lib/index.js';
import { onBackends, randomFloats } from './support.js';

const ROWS = 5;
const INPUT = 4;
const STEP = 1 / 256;

/**
 * The loss is float32: a central difference over 2h has an error of about 1e-7 / h from rounding. Richardson's
 * extrapolation of two of them leaves no term in h², so that agreement to 5e-4 of the gradient's size is what they can
 * show.
 */
function expectDifferences(gradient: ArrayLike<number>, differences: readonly number[], name: string): void {
  const size = Math.max(0.05, ...differences.map(Math.abs));
  differences.forEach((difference, i) => {
    expect(
      Math.abs(gradient[i] - difference),
      `${name}[${i}]: ${gradient[i]}, by differences ${difference}`,
    ).toBeLessThan(5e-4 * size);
  });
}

interface Case {
  readonly layers: () => LayerSpec[];
  readonly loss?: Loss;
  readonly targets?: Targets;
  readonly options?: Partial<NetworkOptions>;
}

const values = randomFloats(ROWS * 3, 5);
const probabilities = values.map((value, i) => {
  const row = values.subarray(i - (i % 3), i - (i % 3) + 3);
  return Math.abs(value) / row.reduce((sum, other) => sum + Math.abs(other), 0);
});
const labels = [0, 2, 1, 1, 0];
const smooth: Pick<Case, 'loss' | 'targets'> = { loss: meanSquaredError(), targets: values };

/** Layers on images of 4 × 1 pixels with 6 channels. */
const ofPixels = (layers: () => LayerSpec[]): Case => ({
  layers: () => [conv2d(6, { window: 1 }), tanh(), ...layers(), flatten(), dense(3)],
  ...smooth,
  options: { input: [4, 1, 1] },
});

const activations: [string, () => LayerSpec][] = [
  ['identity', identity],
  ['relu', relu],
  ['leakyRelu', () => leakyRelu({ slope: 0.2 })],
  ['elu', () => elu({ alpha: 0.7 })],
  ['selu', selu],
  ['gelu', gelu],
  ['silu', silu],
  ['sigmoid', sigmoid],
  ['tanh', tanh],
  ['softplus', softplus],
  ['relu6', relu6],
  ['hardSigmoid', hardSigmoid],
  ['hardSwish', hardSwish],
  ['mish', mish],
  ['softsign', softsign],
  ['logSoftmax', logSoftmax],
  ['softmax', softmax],
];

const cases: [string, Case][] = [
  ['dense alone', { layers: () => [dense(3)], ...smooth }],
  ['dense without bias', { layers: () => [dense(6, { bias: false }), tanh(), dense(3)], ...smooth }],
  ...activations.map(([name, layer]): [string, Case] => [
    name,
    { layers: () => [dense(6), layer(), dense(3)], ...smooth },
  ]),
  ...activations.map(([name, layer]): [string, Case] => [
    `${name} on the output`,
    { layers: () => [dense(3), layer()], ...smooth },
  ]),
  ['an activation before the first weights', { layers: () => [tanh(), dense(3)], ...smooth }],
  ['two activations in a row', { layers: () => [dense(6), tanh(), gelu(), dense(3)], ...smooth }],
  ['batch norm before the activation', { layers: () => [dense(6), batchNorm(), tanh(), dense(3)], ...smooth }],
  ['batch norm after the activation', { layers: () => [dense(6), tanh(), batchNorm(), dense(3)], ...smooth }],
  ['batch norm on the logits', { layers: () => [dense(3), batchNorm()], targets: labels }],
  ['batch norm first', { layers: () => [batchNorm(), dense(3)], ...smooth }],
  ['layer norm', { layers: () => [dense(6), tanh(), layerNorm(), dense(3)], ...smooth }],
  ['layer norm on the logits', { layers: () => [dense(3), layerNorm({ epsilon: 1e-2 })], targets: labels }],
  ['layer norm first', { layers: () => [layerNorm(), dense(3)], ...smooth }],
  [
    'layer norm without gamma and beta',
    { layers: () => [dense(6), layerNorm({ affine: false }), dense(3)], ...smooth },
  ],
  ['group norm of flat samples', { layers: () => [dense(6), groupNorm(2), tanh(), dense(3)], ...smooth }],
  ['layer norm of each pixel', ofPixels(() => [layerNorm()])],
  ['group norm', ofPixels(() => [groupNorm(2)])],
  ['instance norm', ofPixels(() => [instanceNorm({ epsilon: 0.1 })])],
  ['group norm without gamma and beta', ofPixels(() => [groupNorm(3, { affine: false })])],
  ['group norm first', { ...ofPixels(() => []), layers: () => [groupNorm(1), flatten(), dense(3)] }],
  ['spatial dropout', ofPixels(() => [spatialDropout2d(0.4)])],
  ['global maximum', { ...ofPixels(() => []), layers: () => [conv2d(6, { window: 1 }), globalMaxPool2d(), dense(3)] }],
  ['noise', { layers: () => [gaussianNoise(0.3), dense(6), tanh(), gaussianNoise(0.2), dense(3)], ...smooth }],
  ['dropout', { layers: () => [dense(8), tanh(), dropout(0.4), dense(3)], ...smooth }],
  ['dropout first', { layers: () => [dropout(0.3), dense(3)], ...smooth }],
  ['dropout 0', { layers: () => [dense(6), dropout(0), dense(3)], ...smooth }],
  [
    'everything',
    {
      layers: () => [dense(8), batchNorm(), gelu(), dropout(0.3), dense(6), softplus(), batchNorm(), dense(3)],
      targets: labels,
    },
  ],
  ['flatten', { layers: () => [flatten(), dense(3)], ...smooth, options: { input: [2, 2] } }],
  [
    'batch norm over channels',
    { layers: () => [batchNorm(), flatten(), dense(3)], ...smooth, options: { input: [2, 2] } },
  ],
  ['a regularised layer', { layers: () => [dense(6, { regularizer: l2(0.3) }), tanh(), dense(3)], ...smooth }],
  ['an L1 layer', { layers: () => [dense(6, { regularizer: l1(0.1) }), tanh(), dense(3)], ...smooth }],
  [
    'a regularised network',
    { layers: () => [dense(6), tanh(), dense(3)], ...smooth, options: { regularizer: l1l2({ l1: 0.05, l2: 0.2 }) } },
  ],
  [
    'a layer with a penalty of its own',
    { layers: () => [dense(6, { regularizer: l2(0) }), tanh(), dense(3)], ...smooth, options: { regularizer: l2(1) } },
  ],
  ['softmax cross-entropy of labels', { layers: () => [dense(3)], targets: labels }],
  ['softmax cross-entropy of probabilities', { layers: () => [dense(3)], targets: probabilities }],
  [
    'softmax cross-entropy, smoothed',
    { layers: () => [dense(3)], targets: labels, loss: softmaxCrossEntropy({ labelSmoothing: 0.2 }) },
  ],
  [
    'binary cross-entropy',
    { layers: () => [dense(3)], targets: Float32Array.from(values, Math.abs), loss: binaryCrossEntropy() },
  ],
  [
    'binary cross-entropy of labels',
    { layers: () => [dense(1)], targets: Uint8Array.of(0, 1, 1, 0, 1), loss: binaryCrossEntropy() },
  ],
  ['half squared error', { layers: () => [dense(3)], targets: values, loss: halfSquaredError() }],
  ['mean absolute error', { layers: () => [dense(3)], targets: values, loss: meanAbsoluteError() }],
  ['huber', { layers: () => [dense(3)], targets: values, loss: huber({ delta: 0.5 }) }],
];

onBackends('gradients agree with finite differences', (backend) => {
  it.each(cases)('%s', (_, { layers, loss = softmaxCrossEntropy(), targets = labels, options }) => {
    // Every network is at its first step, so that all draw the same dropout masks.
    const create = () => new Network({ input: [INPUT], layers: layers(), loss, seed: 3, backend, ...options });
    const x = randomFloats(ROWS * INPUT, 9);
    const network = create();
    for (const { name, value } of network.parameters) {
      // Away from the kinks at 0, and with gammas and betas that show in the result.
      if (/weight/.test(name)) value.forEach((v, i) => (value[i] = v + 0.02 * Math.sign(v)));
      if (/bias|beta/.test(name)) value.set(randomFloats(value.length, 21).map((v) => 0.3 * v));
      if (/gamma/.test(name)) value.set(randomFloats(value.length, 22).map((v) => 1 + 0.3 * v));
    }
    const { inputGradient } = network.gradients(x, targets);

    const lossAt = (change: (network: Network, x: Float32Array) => void): number => {
      const twin = create();
      twin.parameters.forEach(({ value }, i) => value.set(network.parameters[i].value));
      const moved = x.slice();
      change(twin, moved);
      return twin.gradients(moved, targets).loss;
    };
    const difference = (change: (network: Network, x: Float32Array, by: number) => void): number => {
      const central = (step: number) =>
        (lossAt((twin, moved) => change(twin, moved, step)) - lossAt((twin, moved) => change(twin, moved, -step))) /
        (2 * step);
      return (4 * central(STEP) - central(2 * STEP)) / 3;
    };

    network.parameters.forEach(({ name, value, gradient }, index) => {
      const differences = Array.from(value, (_, i) =>
        difference((twin, _x, by) => {
          twin.parameters[index].value[i] += by;
        }),
      );
      expectDifferences(gradient, differences, name);
    });
    const differences = Array.from(x, (_, i) =>
      difference((_twin, moved, by) => {
        moved[i] += by;
      }),
    );
    expectDifferences(inputGradient, differences, 'input');
  });
});

onBackends('what regularisation adds', (backend) => {
  const layers = (regularizer?: ReturnType<typeof l2>) => [
    dense(3, { ...(regularizer && { regularizer }), biasInitializer: 5 }),
  ];
  const x = randomFloats(ROWS * INPUT, 9);
  const create = (own?: ReturnType<typeof l2>, wide?: ReturnType<typeof l2>) =>
    new Network({
      input: [INPUT],
      layers: layers(own),
      loss: meanSquaredError(),
      seed: 3,
      backend,
      ...(wide && { regularizer: wide }),
    });
  const plain = create().gradients(x, values).loss;
  const weight = [...create().parameter('0.weight').value];
  const absolute = weight.reduce((sum, w) => sum + Math.abs(w), 0);
  const squared = weight.reduce((sum, w) => sum + w * w, 0);

  it('is l1 Σ|w| + (l2/2) Σ w² over weights, not biases', () => {
    expect(create(l2(0.3)).gradients(x, values).loss - plain).toBeCloseTo(0.15 * squared, 5);
    expect(create(l1(0.3)).gradients(x, values).loss - plain).toBeCloseTo(0.3 * absolute, 5);
    expect(create(undefined, l1l2({ l1: 0.1, l2: 0.2 })).gradients(x, values).loss - plain).toBeCloseTo(
      0.1 * absolute + 0.1 * squared,
      5,
    );
  });

  it("a layer has its own in place of the network's", () => {
    expect(create(l2(0.3), l2(100)).gradients(x, values).loss - plain).toBeCloseTo(0.15 * squared, 5);
    expect(create(l2(0), l2(100)).gradients(x, values).loss).toBe(plain);
  });

  it("is part of trainBatch's loss as well", () => {
    const network = create(l2(0.3));
    expect(network.trainBatch(x, values, new Sgd({ learningRate: 0 })).loss - plain).toBeCloseTo(0.15 * squared, 5);
  });
});

onBackends('the loss by hand', (backend) => {
  // The network is the identity, so that its prediction is its input.
  const lossOf = (loss: Loss, x: number[], y: Targets) =>
    new Network({ input: [2], layers: [identity()], loss, seed: 1, backend }).gradients(x, y).loss;
  const x = [1, -2, 0.5, 3];
  const y = Float32Array.of(0, 1, 0.25, 0);
  const softplusOf = (z: number) => Math.log1p(Math.exp(z));

  it.each<[string, Loss, Targets, number]>([
    ['mean squared error', meanSquaredError(), y, (1 + 9 + 0.0625 + 9) / 4],
    ['half squared error', halfSquaredError(), y, (1 + 9 + 0.0625 + 9) / 4],
    ['mean absolute error', meanAbsoluteError(), y, (1 + 3 + 0.25 + 3) / 4],
    ['huber', huber({ delta: 2 }), y, (0.5 + 2 * (3 - 1) + 0.03125 + 2 * (3 - 1)) / 4],
    [
      'binary cross-entropy',
      binaryCrossEntropy(),
      y,
      (softplusOf(1) + softplusOf(-2) + 2 + softplusOf(0.5) - 0.125 + softplusOf(3)) / 4,
    ],
    ['cross-entropy of labels', softmaxCrossEntropy(), [0, 1], (softplusOf(-3) + softplusOf(-2.5)) / 2],
    [
      'cross-entropy of rows',
      softmaxCrossEntropy(),
      [
        [1, 0],
        [0.5, 0.5],
      ],
      (softplusOf(-3) + (softplusOf(2.5) + softplusOf(-2.5)) / 2) / 2,
    ],
    [
      'smoothed cross-entropy',
      softmaxCrossEntropy({ labelSmoothing: 0.4 }),
      [0, 1],
      (0.8 * softplusOf(-3) + 0.2 * softplusOf(3) + 0.8 * softplusOf(-2.5) + 0.2 * softplusOf(2.5)) / 2,
    ],
  ])('%s', (_, loss, targets, expected) => expect(lossOf(loss, x, targets)).toBeCloseTo(expected, 5));
});
