import { imageCases } from './image-cases.js';
import type { KernelCase, Operands } from './kernel-case.js';

/** Hidden activations of M2: batch times units. */
const [BATCH, UNITS] = [128, 512];
const ELEMENTS = BATCH * UNITS;
const ACTIVATIONS = `${BATCH} × ${UNITS}`;
/** Trainable parameters of M2. */
const PARAMETERS = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10;
const PARAMETER_SHAPE = PARAMETERS.toLocaleString('en-US');
/** Outputs of a classifier, for as many rows as an evaluation takes at once. */
const [ROWS, CLASSES] = [512, 10];
const OUTPUTS = ROWS * CLASSES;
const OUTPUT_SHAPE = `${ROWS} × ${CLASSES}`;
/** Threads that share out a first layer by inputs. */
const PARTS = 2;
/** MNIST. */
const [IMAGES, PIXELS] = [60_000, 784];

const forward = ['identity', 'relu', 'selu', 'gelu', 'silu', 'sigmoid', 'tanh', 'softplus'] as const;
const backwardFromOutput = ['reluBackward', 'seluBackward', 'sigmoidBackward', 'tanhBackward', 'softplusBackward'] as const;
const backwardFromInput = ['geluBackward', 'siluBackward'] as const;

function gemmCase(m: number, n: number, k: number): KernelCase {
  return {
    kernel: 'gemm',
    shape: `${m} × ${n} × ${k}`,
    flops: 2 * m * n * k,
    call: (o) => ['gemm', o.floats(m * n), o.floats(m * k), o.floats(k * n), m, n, k, 0, 0, 1, 0],
  };
}

function denseCases(rows: number, inputs: number, outputs: number): KernelCase[] {
  const shape = `${rows} × ${inputs} → ${outputs}`;
  const flops = 2 * rows * inputs * outputs;
  const sizes = [rows, inputs, outputs] as const;
  const outputsCase = (kernel: 'denseForward' | 'denseForwardColumns'): KernelCase => ({
    kernel,
    shape,
    flops,
    call: (o) => {
      const [y, x, w, b] = [o.floats(rows * outputs), o.floats(rows * inputs), o.floats(inputs * outputs), o.floats(outputs)];
      return [kernel, y, x, w, b, ...sizes, 1, 0];
    },
  });
  const inputGradientCase = (kernel: 'denseBackwardInput' | 'denseBackwardInputColumns'): KernelCase => ({
    kernel,
    shape,
    flops,
    call: (o) => {
      const [dx, dy, w] = [o.floats(rows * inputs), o.floats(rows * outputs), o.floats(inputs * outputs)];
      return [kernel, dx, dy, w, ...sizes];
    },
  });
  return [
    outputsCase('denseForward'),
    outputsCase('denseForwardColumns'),
    {
      kernel: 'denseForwardParts',
      shape: `${shape}, in ${PARTS}`,
      flops,
      call: (o) => {
        const [products, x, w] = [o.floats(PARTS * rows * outputs), o.floats(rows * inputs), o.floats(inputs * outputs)];
        return ['denseForwardParts', products, x, w, ...sizes, PARTS];
      },
    },
    {
      kernel: 'denseForwardSum',
      shape: `${PARTS} × ${rows} × ${outputs}`,
      call: (o) => {
        const [y, products, b] = [o.floats(rows * outputs), o.floats(PARTS * rows * outputs), o.floats(outputs)];
        return ['denseForwardSum', y, products, b, rows, outputs, PARTS, 1, 0];
      },
    },
    inputGradientCase('denseBackwardInput'),
    inputGradientCase('denseBackwardInputColumns'),
    {
      kernel: 'denseBackwardWeight',
      shape,
      flops,
      call: (o) => {
        const [dw, x, dy] = [o.floats(inputs * outputs), o.floats(rows * inputs), o.floats(rows * outputs)];
        return ['denseBackwardWeight', dw, x, dy, ...sizes];
      },
    },
  ];
}

const activationCases: KernelCase[] = [
  ...forward.map((kernel): KernelCase => {
    return { kernel, shape: ACTIVATIONS, call: (o) => [kernel, o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS] };
  }),
  ...(['leakyRelu', 'elu'] as const).map((kernel): KernelCase => {
    return { kernel, shape: ACTIVATIONS, call: (o) => [kernel, o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS, 0.1] };
  }),
  ...[...backwardFromOutput, ...backwardFromInput].map((kernel): KernelCase => {
    return {
      kernel,
      shape: ACTIVATIONS,
      call: (o) => [kernel, o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS],
    };
  }),
  ...(['leakyReluBackward', 'eluBackward'] as const).map((kernel): KernelCase => {
    return {
      kernel,
      shape: ACTIVATIONS,
      call: (o) => [kernel, o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS, 0.1],
    };
  }),
  {
    kernel: 'identityBackward',
    shape: ACTIVATIONS,
    call: (o) => ['identityBackward', o.floats(ELEMENTS), o.floats(ELEMENTS), o.unread(ELEMENTS), ELEMENTS],
  },
  {
    kernel: 'softmax',
    shape: OUTPUT_SHAPE,
    call: (o) => ['softmax', o.floats(OUTPUTS), o.floats(OUTPUTS), ROWS, CLASSES],
  },
  {
    kernel: 'softmaxBackward',
    shape: OUTPUT_SHAPE,
    call: (o) => ['softmaxBackward', o.floats(OUTPUTS), o.floats(OUTPUTS), o.floats(OUTPUTS), ROWS, CLASSES],
  },
  {
    kernel: 'multiply',
    shape: ACTIVATIONS,
    call: (o) => ['multiply', o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS],
  },
  {
    kernel: 'sumParts',
    shape: `${PARTS} × ${ACTIVATIONS}`,
    call: (o) => ['sumParts', o.floats(ELEMENTS), o.floats(PARTS * ELEMENTS), ELEMENTS, PARTS],
  },
  {
    kernel: 'dropoutForward',
    shape: ACTIVATIONS,
    call: (o) => ['dropoutForward', o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS), ELEMENTS, 2 ** 31, 2, 1, 2, 3],
  },
];

const normCases: KernelCase[] = [
  {
    kernel: 'batchNormForward',
    shape: ACTIVATIONS,
    call: (o) => {
      const [y, mean, inverseStd] = [o.floats(ELEMENTS), o.floats(UNITS), o.floats(UNITS)];
      const [runningMean, runningVariance] = [o.updated(UNITS), o.squares(UNITS)];
      const [x, gamma, beta] = [o.floats(ELEMENTS), o.floats(UNITS), o.floats(UNITS)];
      return ['batchNormForward', y, mean, inverseStd, runningMean, runningVariance, x, gamma, beta, BATCH, UNITS, 1e-5, 0.9];
    },
  },
  {
    kernel: 'batchNormInference',
    shape: ACTIVATIONS,
    call: (o) => {
      const [y, x, gamma, beta] = [o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(UNITS), o.floats(UNITS)];
      const [runningMean, runningVariance] = [o.floats(UNITS), o.floats(UNITS).fill(0.5)];
      return ['batchNormInference', y, x, gamma, beta, runningMean, runningVariance, BATCH, UNITS, 1e-5];
    },
  },
  {
    kernel: 'batchNormBackward',
    shape: ACTIVATIONS,
    call: (o) => {
      const [dx, dgamma, dbeta] = [o.floats(ELEMENTS), o.floats(UNITS), o.floats(UNITS)];
      const [dy, x] = [o.floats(ELEMENTS), o.floats(ELEMENTS)];
      const [mean, inverseStd, gamma] = [o.floats(UNITS), o.floats(UNITS), o.floats(UNITS)];
      return ['batchNormBackward', dx, dgamma, dbeta, dy, x, mean, inverseStd, gamma, BATCH, UNITS];
    },
  },
  {
    kernel: 'batchNormParts',
    shape: ACTIVATIONS,
    call: (o) => {
      const [means, rests, squares] = [o.floats(PARTS * UNITS), o.floats(PARTS * UNITS), o.floats(PARTS * UNITS)];
      return ['batchNormParts', means, rests, squares, o.floats(ELEMENTS), BATCH, 1, UNITS, PARTS];
    },
  },
  {
    kernel: 'batchNormStatistics',
    shape: `${PARTS} × ${UNITS}`,
    call: (o) => {
      const [mean, variance, inverseStd] = [o.floats(UNITS), o.floats(UNITS), o.floats(UNITS)];
      const [runningMean, runningVariance] = [o.updated(UNITS), o.squares(UNITS)];
      const [means, rests, squares] = [o.floats(PARTS * UNITS), o.floats(PARTS * UNITS), o.squares(PARTS * UNITS)];
      const outputs = [mean, variance, inverseStd, runningMean, runningVariance] as const;
      return ['batchNormStatistics', ...outputs, means, rests, squares, BATCH, 1, UNITS, PARTS, 1e-5, 0.9];
    },
  },
  {
    kernel: 'batchNormBackwardParts',
    shape: ACTIVATIONS,
    call: (o) => {
      const [dgammaParts, dbetaParts] = [o.floats(PARTS * UNITS), o.floats(PARTS * UNITS)];
      const [dy, x, mean, inverseStd] = [o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(UNITS), o.floats(UNITS)];
      return ['batchNormBackwardParts', dgammaParts, dbetaParts, dy, x, mean, inverseStd, BATCH, 1, UNITS, PARTS];
    },
  },
  {
    kernel: 'batchNormBackwardInput',
    shape: ACTIVATIONS,
    call: (o) => {
      const [dx, dy, x] = [o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS)];
      const [mean, inverseStd, gamma] = [o.floats(UNITS), o.floats(UNITS), o.floats(UNITS)];
      const [dgammaParts, dbetaParts] = [o.floats(PARTS * UNITS), o.floats(PARTS * UNITS)];
      return ['batchNormBackwardInput', dx, dy, x, mean, inverseStd, gamma, dgammaParts, dbetaParts, BATCH, UNITS, PARTS];
    },
  },
];

/** Per-row losses, gradient, predictions and targets of a regression. */
function regression(o: Operands) {
  return [o.floats(ROWS), o.floats(OUTPUTS), o.floats(OUTPUTS), o.floats(OUTPUTS), ROWS, CLASSES] as const;
}

const lossCases: KernelCase[] = [
  {
    kernel: 'softmaxCrossEntropy',
    shape: OUTPUT_SHAPE,
    call: (o) => {
      const [loss, gradient, logits] = [o.floats(ROWS), o.floats(OUTPUTS), o.floats(OUTPUTS)];
      return ['softmaxCrossEntropy', loss, gradient, logits, o.indices(ROWS, CLASSES), ROWS, CLASSES, 0];
    },
  },
  {
    kernel: 'softmaxCrossEntropyProbabilities',
    shape: OUTPUT_SHAPE,
    call: (o) => ['softmaxCrossEntropyProbabilities', ...regression(o), 0],
  },
  { kernel: 'binaryCrossEntropy', shape: OUTPUT_SHAPE, call: (o) => ['binaryCrossEntropy', ...regression(o)] },
  { kernel: 'squaredError', shape: OUTPUT_SHAPE, call: (o) => ['squaredError', ...regression(o), 0.5] },
  { kernel: 'absoluteError', shape: OUTPUT_SHAPE, call: (o) => ['absoluteError', ...regression(o)] },
  { kernel: 'huber', shape: OUTPUT_SHAPE, call: (o) => ['huber', ...regression(o), 1] },
  {
    kernel: 'argmax',
    shape: OUTPUT_SHAPE,
    call: (o) => ['argmax', o.indices(ROWS, CLASSES), o.floats(OUTPUTS), ROWS, CLASSES],
  },
  {
    kernel: 'accuracyLabels',
    shape: OUTPUT_SHAPE,
    call: (o) => ['accuracyLabels', o.floats(ROWS), o.floats(OUTPUTS), o.indices(ROWS, CLASSES), ROWS, CLASSES],
  },
  {
    kernel: 'accuracyProbabilities',
    shape: OUTPUT_SHAPE,
    call: (o) => ['accuracyProbabilities', o.floats(ROWS), o.floats(OUTPUTS), o.floats(OUTPUTS), ROWS, CLASSES],
  },
  {
    kernel: 'accuracyBinary',
    shape: OUTPUT_SHAPE,
    call: (o) => ['accuracyBinary', o.floats(ROWS), o.floats(OUTPUTS), o.floats(OUTPUTS), ROWS, CLASSES],
  },
  {
    kernel: 'batchTotals',
    shape: String(ROWS),
    call: (o) => ['batchTotals', new Float64Array(1), new Float64Array(1), o.floats(ROWS), o.floats(ROWS), null, ROWS],
  },
];

const n = PARAMETERS;
const optimizerCases: KernelCase[] = [
  { kernel: 'penalty', shape: PARAMETER_SHAPE, call: (o) => ['penalty', new Float64Array(1), null, o.floats(n), n, 1e-4, 1e-4] },
  {
    kernel: 'penaltyGradient',
    shape: PARAMETER_SHAPE,
    call: (o) => ['penaltyGradient', o.updated(n), o.floats(n), n, 1e-4, 1e-4],
  },
  {
    kernel: 'sgd',
    shape: `${PARAMETER_SHAPE}, momentum`,
    call: (o) => ['sgd', o.updated(n), o.updated(n), o.floats(n), n, 0.01, 0.9, 0, 0, 0],
  },
  {
    kernel: 'adaGrad',
    shape: PARAMETER_SHAPE,
    call: (o) => ['adaGrad', o.updated(n), o.squares(n), o.floats(n), n, 0.01, 1e-8, 0],
  },
  {
    kernel: 'rmsProp',
    shape: PARAMETER_SHAPE,
    call: (o) => ['rmsProp', o.updated(n), o.squares(n), null, o.floats(n), n, 0.001, 0.9, 1e-8, 0, 0, 0],
  },
  {
    kernel: 'adam',
    shape: PARAMETER_SHAPE,
    call: (o) => ['adam', o.updated(n), o.updated(n), o.squares(n), o.floats(n), n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 0],
  },
  {
    kernel: 'adamW',
    shape: PARAMETER_SHAPE,
    call: (o) => ['adamW', o.updated(n), o.updated(n), o.squares(n), o.floats(n), n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 1e-5],
  },
  {
    kernel: 'amsGrad',
    shape: PARAMETER_SHAPE,
    call: (o) => {
      const [p, m, v, vMax, g] = [o.updated(n), o.updated(n), o.squares(n), o.squares(n), o.floats(n)];
      return ['amsGrad', p, m, v, vMax, g, n, 0.001, 1, 0.9, 0.999, 1e-8, 0, 0];
    },
  },
  { kernel: 'clipValue', shape: PARAMETER_SHAPE, call: (o) => ['clipValue', o.updated(n), n, 0.1] },
  { kernel: 'squareSum', shape: PARAMETER_SHAPE, call: (o) => ['squareSum', new Float64Array(1), null, o.floats(n), n] },
  {
    kernel: 'clipNorm',
    shape: PARAMETER_SHAPE,
    call: (o) => ['clipNorm', o.updated(n), Float64Array.of(4), n, 1.999999],
  },
];

const batchCases: KernelCase[] = [
  ...(['gatherBytes', 'gatherBytesColumns'] as const).map((kernel): KernelCase => {
    return {
      kernel,
      shape: `${BATCH} × ${PIXELS} of ${IMAGES}`,
      call: (o) => {
        const [x, source, order] = [o.floats(BATCH * PIXELS), o.source(IMAGES, PIXELS, BATCH), o.indices(BATCH, IMAGES)];
        return [kernel, x, source, order, BATCH, PIXELS, IMAGES, 1 / 255, 0];
      },
    };
  }),
  {
    kernel: 'gatherFloats',
    shape: `${BATCH} × ${PIXELS} of ${ROWS}`,
    call: (o) => {
      const source = Float32Array.from({ length: ROWS * PIXELS }, (_, i) => i % 251);
      // The rows that are read count twice: as floats of the source and as floats of the batch.
      const [x, order] = [o.updated(BATCH * PIXELS), o.indices(BATCH, ROWS)];
      return ['gatherFloats', x, source, order, BATCH, PIXELS, ROWS, 1 / 255, 0];
    },
  },
  {
    kernel: 'gatherLabels',
    shape: `${BATCH} of ${IMAGES}`,
    call: (o) => {
      const source = Int32Array.from({ length: IMAGES }, (_, i) => i % CLASSES);
      // The labels that are read lie scattered over the source.
      const [labels, order] = [o.indices(BATCH, CLASSES), o.indices(BATCH, IMAGES)];
      return ['gatherLabels', labels, source, order, BATCH, IMAGES];
    },
  },
  { kernel: 'permutation', shape: String(IMAGES), call: (o) => ['permutation', o.indices(IMAGES, IMAGES), IMAGES, 1, 2, 3] },
  {
    kernel: 'drawWithReplacement',
    shape: String(IMAGES),
    call: (o) => ['drawWithReplacement', o.indices(IMAGES, IMAGES), IMAGES, IMAGES, 1, 2, 3],
  },
];

/** A square product that is large enough for BLAS to reach its peak. */
export const peakCase = gemmCase(1024, 1024, 1024);

/** Every kernel of the table, on the shapes of the workloads. */
export const kernelCases: readonly KernelCase[] = [
  gemmCase(64, 100, 784),
  gemmCase(128, 512, 784),
  ...denseCases(64, 784, 100),
  ...denseCases(128, 512, 512),
  {
    kernel: 'denseBackwardBias',
    shape: ACTIVATIONS,
    call: (o) => ['denseBackwardBias', o.floats(UNITS), o.floats(ELEMENTS), BATCH, UNITS],
  },
  ...activationCases,
  ...normCases,
  ...lossCases,
  ...optimizerCases,
  ...batchCases,
  ...imageCases,
];
