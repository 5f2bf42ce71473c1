import { augmentCases } from './augment-cases.js';
import { imageCases } from './image-cases.js';
import { type KernelCase, type Operands, on } from './operands.js';

/** Hidden activations of M2: batch and units. */
const [BATCH, UNITS] = [128, 512];
const N = BATCH * UNITS;
const ACTIVATIONS = `${BATCH} × ${UNITS}`;
/** Trainable parameters of M2. */
const PARAMETERS = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10;
/** Outputs of a classifier, for one evaluation batch. */
const [ROWS, CLASSES] = [512, 10];
const OUTPUTS = ROWS * CLASSES;
/** Threads that split a kernel's work. */
const PARTS = 2;
/** MNIST. */
const [IMAGES, PIXELS] = [60_000, 784];

function gemmCases(m: number, n: number, k: number): KernelCase[] {
  return on(
    `${m} × ${n} × ${k}`,
    [(o) => ['gemm', ...o.floats(m * n, m * k, k * n), m, n, k, 0, 0, 1, 0]],
    2 * m * n * k,
  );
}

function denseCases(rows: number, inputs: number, outputs: number): KernelCase[] {
  const shape = `${rows} × ${inputs} → ${outputs}`;
  const flops = 2 * rows * inputs * outputs;
  const sizes = [rows, inputs, outputs] as const;
  const [x, y, w] = [rows * inputs, rows * outputs, inputs * outputs];
  return [
    ...on(
      shape,
      [
        (o) => ['denseForward', ...o.floats(y, x, w, outputs), ...sizes, 1, 0, 0],
        (o) => ['denseBackwardInput', ...o.floats(x, y, w), ...sizes, 0],
        (o) => ['denseBackwardWeight', ...o.floats(w, x, y), ...sizes, 0],
      ],
      flops,
    ),
    ...on(
      `${shape}, in ${PARTS}`,
      [(o) => ['denseForwardParts', ...o.floats(PARTS * y, x, w), ...sizes, PARTS, 0]],
      flops,
    ),
    ...on(`${PARTS} × ${rows} × ${outputs}`, [
      (o) => ['denseForwardSum', ...o.floats(y, PARTS * y, outputs), rows, outputs, PARTS, 1, 0],
    ]),
  ];
}

type MakeCall = KernelCase['call'];

const forward = [
  ...(['identity', 'relu', 'selu', 'gelu', 'silu', 'sigmoid', 'tanh', 'softplus'] as const),
  ...(['relu6', 'hardSigmoid', 'hardSwish', 'mish', 'softsign'] as const),
] as const;
const backwardFromOutput = [
  'reluBackward',
  'seluBackward',
  'sigmoidBackward',
  'tanhBackward',
  'softplusBackward',
  'relu6Backward',
  'hardSigmoidBackward',
  'softsignBackward',
] as const;
const backwardFromInput = ['geluBackward', 'siluBackward', 'hardSwishBackward', 'mishBackward'] as const;

const activationCases = on(ACTIVATIONS, [
  ...forward.map((kernel): MakeCall => {
    return (o) => [kernel, ...o.floats(N, N), N];
  }),
  ...(['leakyRelu', 'elu'] as const).map((kernel): MakeCall => {
    return (o) => [kernel, ...o.floats(N, N), N, 0.1];
  }),
  ...[...backwardFromOutput, ...backwardFromInput].map((kernel): MakeCall => {
    return (o) => [kernel, ...o.floats(N, N, N), N];
  }),
  ...(['leakyReluBackward', 'eluBackward'] as const).map((kernel): MakeCall => {
    return (o) => [kernel, ...o.floats(N, N, N), N, 0.1];
  }),
  (o) => ['identityBackward', ...o.floats(N, N), o.unread(N), N],
  (o) => ['dropoutForward', ...o.floats(N, N, N), N, 2 ** 31, 2, 1, 2, 3],
  (o) => ['dropoutMask', ...o.floats(N), N, 2 ** 31, 2, 1, 2, 3],
  (o) => ['gaussianNoise', ...o.floats(N, N), N, 0.1, 1, 2, 3],
  (o) => ['denseBackwardBias', ...o.floats(UNITS, N), BATCH, UNITS],
]);

const normCases = on(ACTIVATIONS, [
  (o) => {
    const [y, x, gamma, beta, mean, variance] = o.floats(N, N, UNITS, UNITS, UNITS, UNITS);
    return ['batchNormInference', y, x, gamma, beta, mean, variance.fill(0.5), BATCH, UNITS, 1e-5];
  },
  (o) => {
    const gradients = o.floats(N, UNITS, UNITS);
    const [dy, x, gamma, mean, variance] = o.floats(N, N, UNITS, UNITS, UNITS);
    const inputs = [dy, x, gamma, mean, variance.fill(0.5)] as const;
    return ['batchNormInferenceBackward', ...gradients, ...inputs, BATCH, UNITS, 1e-5];
  },
  // Layer norm.
  (o) => ['groupNormForward', ...o.floats(N, BATCH, BATCH, BATCH, N, UNITS, UNITS), BATCH, 1, 1, 1, UNITS, 1e-5],
  (o) => ['groupNormBackwardInput', ...o.floats(N, N, N, BATCH, BATCH, BATCH, UNITS), BATCH, 1, 1, 1, UNITS],
  (o) => {
    const operands = o.floats(PARTS * UNITS, PARTS * UNITS, N, N, BATCH, BATCH, BATCH);
    return ['groupNormBackwardParts', ...operands, BATCH, 1, 1, 1, UNITS, PARTS];
  },
  (o) => ['batchNormParts', ...o.floats(PARTS * UNITS, PARTS * UNITS, PARTS * UNITS, N), BATCH, 1, UNITS, PARTS],
  (o) => {
    const operands = o.floats(PARTS * UNITS, PARTS * UNITS, N, N, UNITS, UNITS);
    return ['batchNormBackwardParts', ...operands, BATCH, 1, UNITS, PARTS];
  },
  (o) => {
    const operands = o.floats(N, N, N, UNITS, UNITS, UNITS, PARTS * UNITS, PARTS * UNITS);
    return ['batchNormBackwardInput', ...operands, BATCH, UNITS, PARTS];
  },
]);

const partCases: KernelCase[] = [
  ...on(`${PARTS} × ${ACTIVATIONS}`, [(o) => ['sumParts', ...o.floats(N, PARTS * N), N, PARTS]]),
  ...on(`${PARTS} × ${UNITS}`, [
    (o) => {
      const statistics = o.floats(UNITS, UNITS, UNITS, UNITS);
      const running = [o.updated(UNITS), o.squares(UNITS)] as const;
      const parts = [...o.floats(PARTS * UNITS, PARTS * UNITS), o.squares(PARTS * UNITS)] as const;
      const layer = o.floats(UNITS, UNITS);
      return ['batchNormStatistics', ...statistics, ...running, ...parts, ...layer, BATCH, 1, UNITS, PARTS, 1e-5, 0.9];
    },
  ]),
];

/** Codes of the operations of `binary`, `unary` and `reduce`. */
const [BINARY, UNARY, REDUCTIONS] = [6, 8, 4].map((count) => Array.from({ length: count }, (_, code) => code));
const [MULTIPLY, SQUARE, MAX] = [2, 3, 2];

const elementwiseCases = on(ACTIVATIONS, [
  ...BINARY.map((operation): MakeCall => {
    return (o) => ['binary', ...o.floats(N, N, N), N, operation];
  }),
  (o) => ['binaryBackward', ...o.floats(N, N, N, N, N), N, MULTIPLY],
  ...UNARY.map((operation): MakeCall => {
    return (o) => ['unary', ...o.floats(N, N), N, operation, 0.3, 0.4];
  }),
  (o) => ['unaryBackward', ...o.floats(N, N, N), N, SQUARE, 0, 0],
]);

/** A permutation to [channels, height, width], and the copy of half an image. */
const [SIDE, CHANNELS] = [16, 64];
const IMAGE = SIDE * SIDE * CHANNELS;
const shapeCases: KernelCase[] = [
  ...on(`${BATCH} × ${SIDE * SIDE} × ${CHANNELS}`, [
    ...REDUCTIONS.flatMap((operation): MakeCall[] => [
      (o) => ['reduce', ...o.floats(BATCH * CHANNELS, BATCH * IMAGE), BATCH, SIDE * SIDE, CHANNELS, operation],
      (o) => ['reduce', ...o.floats(BATCH * SIDE * SIDE, BATCH * IMAGE), BATCH * SIDE * SIDE, CHANNELS, 1, operation],
    ]),
    (o) => {
      const operands = o.floats(BATCH * IMAGE, BATCH * CHANNELS, BATCH * IMAGE, BATCH * CHANNELS);
      return ['reduceBackward', ...operands, BATCH, SIDE * SIDE, CHANNELS, MAX];
    },
    (o) => {
      const strides = [0, 0, 0, 0, SIDE * SIDE, 1, 0, 0, 0, 0, 1, CHANNELS] as const;
      const sizes = [BATCH, IMAGE, IMAGE, 1, 1, 1, CHANNELS, SIDE * SIDE] as const;
      return ['copyStrided', ...o.floats(BATCH * IMAGE, BATCH * IMAGE), ...sizes, ...strides, 0, 0];
    },
    (o) => {
      const strides = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1] as const;
      const sizes = [BATCH, IMAGE, IMAGE / 2, 1, 1, 1, 1, IMAGE / 2] as const;
      return ['copyStrided', ...o.floats(BATCH * IMAGE, (BATCH * IMAGE) / 2), ...sizes, ...strides, 0, 0];
    },
  ]),
  ...on(
    `${BATCH} × 32 × 32 × 32`,
    [(o) => ['matmulBatch', ...o.floats(BATCH * 1024, BATCH * 1024, BATCH * 1024), BATCH, 32, 32, 32, 0, 1, 0]],
    2 * BATCH * 32 ** 3,
  ),
  ...on(`${ROWS} × ${CLASSES}`, [(o) => ['oneHot', ...o.floats(OUTPUTS), o.indices(ROWS, CLASSES), ROWS, CLASSES]]),
];

/** Per-row losses, gradient, predictions and targets of a regression. */
function regression(o: Operands) {
  return [...o.floats(ROWS, OUTPUTS, OUTPUTS, OUTPUTS), ROWS, CLASSES] as const;
}

const labels = (o: Operands) => o.indices(ROWS, CLASSES);

const outputCases: KernelCase[] = [
  ...on(`${ROWS} × ${CLASSES}`, [
    (o) => ['softmax', ...o.floats(OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['softmaxBackward', ...o.floats(OUTPUTS, OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['logSoftmax', ...o.floats(OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['logSoftmaxBackward', ...o.floats(OUTPUTS, OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['softmaxCrossEntropy', ...o.floats(ROWS, OUTPUTS, OUTPUTS), labels(o), ROWS, CLASSES, 0],
    (o) => ['softmaxCrossEntropyProbabilities', ...regression(o), 0],
    (o) => ['binaryCrossEntropy', ...regression(o)],
    (o) => ['squaredError', ...regression(o), 0.5],
    (o) => ['absoluteError', ...regression(o)],
    (o) => ['huber', ...regression(o), 1],
    (o) => ['argmax', labels(o), ...o.floats(OUTPUTS), ROWS, CLASSES],
    (o) => ['accuracyLabels', ...o.floats(ROWS, OUTPUTS), labels(o), ROWS, CLASSES],
    (o) => ['accuracyProbabilities', ...o.floats(ROWS, OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['accuracyBinary', ...o.floats(ROWS, OUTPUTS, OUTPUTS), ROWS, CLASSES],
    (o) => ['weighRows', ...o.floats(OUTPUTS, OUTPUTS, ROWS), Float64Array.of(ROWS), ROWS, CLASSES, 1],
  ]),
  ...on(String(ROWS), [
    (o) => ['meanGradient', ...o.floats(ROWS), ROWS],
    (o) => ['sumWeights', new Float64Array(1), ...o.floats(ROWS), ROWS],
    (o) => ['batchTotals', new Float64Array(1), new Float64Array(1), ...o.floats(ROWS, ROWS), null, ROWS],
  ]),
  ...on('1', [(o) => ['addTotal', o.doubles(1), o.doubles(1), o.doubles(1), 0.5]]),
];

const n = PARAMETERS;
const moments = (o: Operands) => [o.updated(n), o.updated(n), o.squares(n)] as const;
const optimizerCases = on(PARAMETERS.toLocaleString('en-US'), [
  (o) => ['penalty', new Float64Array(1), null, ...o.floats(n), n, 1e-4, 1e-4],
  (o) => ['penaltyGradient', o.updated(n), ...o.floats(n), n, 1e-4, 1e-4],
  (o) => ['sgd', o.updated(n), o.updated(n), ...o.floats(n), n, 0.01, 0.9, 0, 0, 0],
  (o) => ['adaGrad', o.updated(n), o.squares(n), ...o.floats(n), n, 0.01, 1e-8, 0],
  (o) => ['rmsProp', o.updated(n), o.squares(n), null, ...o.floats(n), n, 0.001, 0.9, 1e-8, 0, 0, 0],
  (o) => ['adam', ...moments(o), ...o.floats(n), n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 0],
  (o) => ['adamW', ...moments(o), ...o.floats(n), n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 1e-5],
  (o) => ['amsGrad', ...moments(o), o.squares(n), ...o.floats(n), n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 0],
  (o) => ['adaDelta', o.updated(n), o.squares(n), o.squares(n), ...o.floats(n), n, 1, 0.9, 1e-6, 0],
  (o) => ['adamax', o.updated(n), o.updated(n), o.squares(n), ...o.floats(n), n, 0.001, 0.9, 0.999, 1e-8, 0],
  (o) => ['nadam', ...moments(o), ...o.floats(n), n, 0.001, 0.001, 1, 0.9, 0.999, 1e-8, 0],
  (o) => ['lion', o.updated(n), o.updated(n), ...o.floats(n), n, 1e-4, 0.9, 0.99, 0],
  (o) => ['muonMomentum', ...o.floats(n), o.updated(n), ...o.floats(n), n, 0.95, 1],
  (o) => ['normalize', o.updated(n), Float64Array.of(1), n, 0],
  (o) => ['allReduce', o.updated(n), o.doubles(1), n, 1, 0],
  (o) => ['averageWeights', o.updated(n), ...o.floats(n), n, 0.001],
  (o) => ['accumulate', o.updated(n), o.updated(n), n, 0.5],
  (o) => ['clipValue', o.updated(n), n, 0.1],
  (o) => ['squareSum', new Float64Array(1), null, ...o.floats(n), n],
  (o) => ['clipNorm', o.updated(n), Float64Array.of(4), n, 1.999999],
]);

const batchCases: KernelCase[] = [
  ...on(`${BATCH} × ${PIXELS} of ${IMAGES}`, [
    (o) => {
      const [x] = o.floats(BATCH * PIXELS);
      const [source, order] = [o.source(IMAGES, PIXELS, BATCH), o.indices(BATCH, IMAGES)];
      return ['gatherBytes', x, source, order, BATCH, PIXELS, IMAGES, 1 / 255, 0];
    },
  ]),
  ...on(`${BATCH} × ${PIXELS} of ${ROWS}`, [
    (o) => {
      const source = Float32Array.from({ length: ROWS * PIXELS }, (_, i) => i % 251);
      // The gathered rows count twice: as floats of the source and as floats of the batch.
      const [x, order] = [o.updated(BATCH * PIXELS), o.indices(BATCH, ROWS)];
      return ['gatherFloats', x, source, order, BATCH, PIXELS, ROWS, 1 / 255, 0];
    },
  ]),
  ...on(`${BATCH} of ${IMAGES}`, [
    (o) => {
      const source = Int32Array.from({ length: IMAGES }, (_, i) => i % CLASSES);
      // The gathered labels are scattered over the source.
      return ['gatherLabels', o.indices(BATCH, CLASSES), source, o.indices(BATCH, IMAGES), BATCH, IMAGES];
    },
  ]),
  ...on(String(IMAGES), [
    (o) => ['permutation', o.indices(IMAGES, IMAGES), IMAGES, 1, 2, 3],
    (o) => ['drawWithReplacement', o.indices(IMAGES, IMAGES), IMAGES, IMAGES, 1, 2, 3],
  ]),
];

/** A square product that is large enough for BLAS to reach its peak. */
export const [peakCase] = gemmCases(1024, 1024, 1024);

/** Every kernel of the table, with the workloads' shapes. */
export const kernelCases: readonly KernelCase[] = [
  ...gemmCases(64, 100, 784),
  ...gemmCases(128, 512, 784),
  ...denseCases(64, 784, 100),
  ...denseCases(128, 512, 512),
  ...activationCases,
  ...normCases,
  ...partCases,
  ...outputCases,
  ...optimizerCases,
  ...batchCases,
  ...elementwiseCases,
  ...shapeCases,
  ...imageCases,
  ...augmentCases,
];
