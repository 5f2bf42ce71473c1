import type { KernelName } from '../../lib/kernels/table.js';

/**
 * How far an output may lie from the reference: |got − want| ≤ absolute + relative · |want|. `bits`: not at all, down
 * to the sign of zero (any NaN equals any NaN).
 */
export type Tolerance = 'bits' | { readonly relative: number; readonly absolute: number };

/** One float32 rounding, half a unit in the last place, is a relative error of at most this. */
const ROUNDING = 2 ** -24;
/** The spacing of float32's denormals: what relative accuracy means below 1e-38. */
const DENORMAL = 2 ** -149;

const within = (relative: number, absolute: number): Tolerance => ({ relative, absolute });
const roundings = (count: number) => within(count * ROUNDING, count * DENORMAL);

/** Relative alone: an absolute part would hide a wrong 1 − beta, as the averages are small at first. */
const averageOfSquares = within(16 * ROUNDING, 8 * DENORMAL);

const everyOutput = (names: readonly KernelName[], tolerance: Tolerance) =>
  Object.fromEntries(names.map((name) => [name, { '*': tolerance }]));

/** By kernel and output; `*` stands for all outputs that are not named. Inputs of the cases are of order 1. */
export const tolerances: Readonly<Record<string, Readonly<Record<string, Tolerance>>>> = {
  // Copies, selections and counters: nothing is rounded, or only once and prescribed so.
  ...everyOutput(
    [
      'identity',
      'identityBackward',
      'relu',
      'reluBackward',
      'copyStrided',
      'oneHot',
      'maxPool2dForward',
      'prelu',
      'clipValue',
      'dropoutForward',
      'dropoutMask',
      'multiplyChannels',
      'relu6',
      'relu6Backward',
      'argmax',
      'conv2dReverseWeights',
      'accuracyLabels',
      'accuracyProbabilities',
      'accuracyBinary',
      'gatherSparse',
      'gatherIndices',
      'gatherLabels',
      'embeddingForward',
      'permutation',
      'drawWithReplacement',
      'shiftImages',
      'flipImages',
      'cutImages',
    ],
    'bits',
  ),
  // Sums of up to about 130 products of order 1: each rounding is relative to a partial sum of order 10.
  ...everyOutput(['gemm', 'denseBackwardInput', 'denseBackwardWeight', 'denseBackwardWeightParts'], within(2e-6, 2e-5)),
  embeddingBackward: { '*': within(2e-6, 2e-5) },
  matmulBatch: { '*': within(2e-6, 2e-5) },
  // One or two operations.
  ...everyOutput(['binary', 'binaryBackward'], roundings(4)),
  // Exponentials and logarithms of a few roundings; a scale may cancel against its offset.
  ...everyOutput(['unary', 'unaryBackward'], within(8 * ROUNDING, 4 * ROUNDING)),
  // Sums of up to 131 numbers that may cancel; the logarithm of a sum plus its largest exponent.
  reduce: { '*': within(2e-6, 4e-6) },
  // Exponentials of x − y, where y was rounded.
  reduceBackward: { '*': within(1e-6, 1e-6) },
  // The weights are scaled by 1/√in here, so that sums and partial sums are of order 1.
  ...everyOutput(['denseForward', 'denseForwardParts', 'denseForwardSum'], within(2e-6, 4e-6)),
  // As the dense kernels: the weights are scaled, and what is summed over pixels is of order 10.
  conv2dForward: { '*': within(2e-6, 4e-6) },
  conv2dBackwardInput: { '*': within(2e-6, 4e-6) },
  conv2dBackwardWeight: { '*': within(2e-6, 2e-5) },
  ...everyOutput(['groupedConv2dForward', 'groupedConv2dBackwardInput'], within(2e-6, 4e-6)),
  groupedConv2dBackwardParts: { '*': within(2e-6, 2e-5) },
  // Sums of the gradients of a few windows; `all in one place` sums some forty numbers of order 1.
  maxPool2dBackward: { '*': within(2e-6, 1e-6) },
  ...everyOutput(['avgPool2dForward', 'avgPool2dBackward'], within(2e-6, 1e-6)),
  // A sum of squares, and a power of it.
  localResponseNorm: { '*': roundings(32) },
  // Two terms that may cancel.
  localResponseNormBackward: { '*': within(32 * ROUNDING, 4e-6) },
  // One product; the sums are over the rows.
  preluBackward: { dx: 'bits', dslope: within(1e-6, 4e-6) },
  // A sum of three numbers at most.
  sumParts: { '*': within(1e-6, 1e-6) },
  // A sum of up to 20011 numbers, blocked or in double; the absolute part is for columns that cancel.
  denseBackwardBias: { '*': within(1e-6, 4e-6) },
  // A product with a setting that is rounded to float32.
  ...everyOutput(['leakyRelu', 'leakyReluBackward'], roundings(4)),
  // A float32 exponential (a few roundings), then a few operations without cancellation.
  ...everyOutput(['elu', 'selu', 'sigmoid', 'tanh', 'softplus', 'sigmoidBackward', 'softplusBackward'], roundings(8)),
  // x · σ(x): where σ(x) is denormal, x ≥ −104 scales its rounding.
  silu: { '*': within(8 * ROUNDING, 104 * DENORMAL) },
  // y + alpha cancels where y is near −alpha, 1 − y² where y is near ±1: y's own rounding is then left, times dy.
  ...everyOutput(['eluBackward', 'seluBackward', 'tanhBackward'], within(16 * ROUNDING, 1e-6)),
  // A few operations without cancellation; 1 / 6 is rounded to float32.
  ...everyOutput(['hardSigmoid', 'hardSigmoidBackward', 'softsign'], roundings(4)),
  // 1 − |y| cancels where y is near ±1, x + 3 where x is near −3, 2x + 3 where x is near −1.5.
  ...everyOutput(['softsignBackward', 'hardSwish', 'hardSwishBackward'], within(8 * ROUNDING, 1e-6)),
  // As silu, with two more operations.
  mish: { '*': within(12 * ROUNDING, 104 * DENORMAL) },
  // 1 + erf cancels in the left tail; x scales what is left.
  ...everyOutput(['gelu', 'geluBackward', 'siluBackward', 'mishBackward'], within(16 * ROUNDING, 2e-6)),
  // The sum of exponentials is positive; x − max is rounded, and the exponential turns |x − max| ≤ 100 of it relative.
  softmax: { '*': within(1e-5, 4 * DENORMAL) },
  // dy − Σ dy y cancels; the terms are of order 1.
  softmaxBackward: { '*': within(4e-6, 1e-6) },
  // x − max − log Σ cancels where a probability is near 1.
  logSoftmax: { '*': within(4e-6, 1e-6) },
  // dy − p Σ dy cancels; Σ dy is of order √cols.
  logSoftmaxBackward: { '*': within(4e-6, 4e-6) },
  // A radius and a factor of it that is accurate to the angle's resolution.
  gaussianNoise: { '*': within(2e-6, 2e-6) },
  // Two-pass statistics with a few hundred roundings in the sums, mean near 1, standard deviation near 2.
  // The sums of squares are relative to their terms.
  batchNormParts: { '*': within(4e-6, 4e-6) },
  batchNormStatistics: { '*': within(4e-6, 4e-6) },
  // Sums in double, of squares that cancel to less than a hundredth.
  batchNormSums: { '*': within(1e-12, 1e-12) },
  batchNormMerge: { '*': within(4e-6, 4e-6) },
  // Sums over the batch of order √rows, and three terms that cancel.
  ...everyOutput(['batchNormBackwardParts', 'batchNormBackwardInput'], within(4e-6, 4e-6)),
  // As batch norm. What float32 loses of the mean is of the order of the mean's rounding, and known to 2e-4 of that.
  groupNormForward: { '*': within(4e-6, 4e-6), rest: within(2e-4, 1e-6) },
  groupNormBackwardInput: { '*': within(4e-6, 4e-6) },
  groupNormBackwardParts: { '*': within(4e-6, 4e-6) },
  // A handful of operations, x − mean may cancel.
  batchNormInference: { '*': within(4e-6, 4e-6) },
  // Sums over the batch of order √rows, and one product.
  batchNormInferenceBackward: { '*': within(4e-6, 4e-6) },
  // z − lse cancels for a confident row; the gradient is a difference of probabilities divided by the rows.
  ...everyOutput(['softmaxCrossEntropy', 'softmaxCrossEntropyProbabilities'], within(4e-6, 2e-6)),
  // Sums of positive terms, and differences of numbers of order 1.
  ...everyOutput(['binaryCrossEntropy', 'squaredError', 'absoluteError', 'huber'], within(4e-6, 1e-6)),
  // Double sums in order: the same operations as the reference, but for a fused multiply-add.
  allReduce: { values: 'bits', totals: 'bits' },
  startSum: { values: 'bits' },
  gatherShares: { values: 'bits' },
  // A product with a factor that is rounded to float32.
  averageRanks: { values: roundings(2) },
  batchTotals: { meanLoss: within(1e-15, 0), hitCount: 'bits' },
  // One quotient, rounded once.
  meanGradient: { '*': roundings(1) },
  // A factor in double that may be rounded to float32 before the product.
  weighRows: { '*': roundings(4) },
  // One product and one sum in double, fused or not.
  addTotal: { '*': within(1e-15, 1e-15) },
  // Double sums, perhaps in several lanes.
  ...everyOutput(['penalty', 'squareSum', 'sumWeights'], within(1e-12, 0)),
  // A product with a factor that is rounded to float32.
  clipNorm: { '*': roundings(4) },
  // Three products of order 1.
  penaltyGradient: { '*': within(4 * ROUNDING, 4 * ROUNDING) },
  // A few products of order 1 that may cancel against p.
  sgd: { '*': within(8 * ROUNDING, 8 * ROUNDING) },
  // The same with a root and a division; averages of squares do not cancel.
  adaGrad: { '*': within(16 * ROUNDING, 8 * ROUNDING), accumulator: averageOfSquares },
  rmsProp: { '*': within(16 * ROUNDING, 8 * ROUNDING), average: averageOfSquares },
  ...Object.fromEntries(
    ['adam', 'adamW', 'amsGrad'].map((name) => [
      name,
      { '*': within(16 * ROUNDING, 8 * ROUNDING), v: averageOfSquares, vMax: averageOfSquares },
    ]),
  ),
  nadam: { '*': within(16 * ROUNDING, 8 * ROUNDING), v: averageOfSquares },
  adamax: { '*': within(16 * ROUNDING, 8 * ROUNDING) },
  adaDelta: { '*': within(16 * ROUNDING, 8 * ROUNDING), average: averageOfSquares, steps: averageOfSquares },
  ...everyOutput(['lion', 'muonMomentum', 'averageWeights', 'accumulate'], within(8 * ROUNDING, 8 * ROUNDING)),
  normalize: { '*': roundings(4) },
  // One product and one sum, fused or not, of numbers up to 255.
  ...everyOutput(['gatherBytes', 'gatherBytesParts'], within(4 * ROUNDING, 1e-6)),
  gatherFloats: { '*': within(4 * ROUNDING, 1e-6) },
  // Four products of order 1 with weights that are rounded to float32.
  rotateImages: { '*': within(8 * ROUNDING, 1e-6) },
  // Two products of order 1 with a share that is rounded to float32.
  mixRows: { '*': within(4 * ROUNDING, 1e-6) },
};

export function toleranceOf(kernel: KernelName, output: string): Tolerance {
  const tolerance = tolerances[kernel]?.[output] ?? tolerances[kernel]?.['*'];
  if (tolerance === undefined) throw new Error(`no tolerance for ${kernel}, output ${output}`);
  return tolerance;
}

/** A float32 gradient against central differences in double: truncation is of order 1e-12, so float32 rules. */
export const gradientTolerance = { relative: 1e-4, absolute: 1e-5 } as const;
/** The reference's own gradient, in double, against central differences with a step of 1e-6. */
export const referenceGradientTolerance = { relative: 1e-6, absolute: 1e-8 } as const;
