/**
 * The kernel table: name, arguments in order, and how work is split. Everything that must know a kernel's
 * arguments reads it here: the compiler, the public kernel functions, both executors, and (through the
 * generated native/kernels/signatures.inc) the C++ dispatcher and its validator.
 *
 * Order of arguments: outputs, inputs, sizes, settings. A gradient is called d<name>. What each kernel computes
 * is written in docs/numerics.md.
 */

export type ElementType = 'f32' | 'f64' | 'i32' | 'u8';

export const elementBytes: Readonly<Record<ElementType, number>> = { f32: 4, f64: 8, i32: 4, u8: 1 };

export interface BufferParameter<N extends string = string> {
  readonly name: N;
  readonly kind: 'out' | 'inout' | 'in';
  readonly type: ElementType;
  /** Length in elements: the product of these size parameters; an empty list is one element. */
  readonly length: readonly string[];
  /** May be null. */
  readonly optional: boolean;
  /** For outputs: inputs that may be the very same storage. No other overlap is allowed. */
  readonly alias: readonly string[];
  /** For i32 inputs: the size that every element must stay below (and not below zero). */
  readonly below: string | undefined;
  /** Every thread reads all of it, even though the kernel's axis is one of its dimensions. */
  readonly whole: boolean;
  /**
   * Each thread keeps to its share of this dimension, rows of the batch or runs of GRAIN, where as many threads run as the axis has
   * units.
   */
  readonly along: string | undefined;
}

/** Shares of a constant axis are runs of so many units, mostly: where a unit is a number, this keeps threads off each other's cache lines. */
export const GRAIN = 16;

/** size: integer ≥ 0; float: finite number; word: unsigned 32-bit integer; flag: 0 or 1; code: small integer ≥ 0. */
export type ValueKind = 'size' | 'float' | 'word' | 'flag' | 'code';

export interface ValueParameter<N extends string = string, K extends ValueKind = ValueKind> {
  readonly name: N;
  readonly kind: K;
}

export type Parameter<N extends string = string> = BufferParameter<N> | ValueParameter<N>;

export interface Signature<P extends readonly Parameter[] = readonly Parameter[]> {
  /**
   * The size parameter along which threads share the work: of a buffer with that dimension, a thread touches its share only.
   * Undefined: one thread does it all.
   */
  readonly axis: string | undefined;
  /** Shares of a constant axis are runs of so many units. */
  readonly grain: number;
  readonly parameters: P;
}

interface BufferOptions {
  type?: ElementType;
  optional?: boolean;
  alias?: readonly string[];
  below?: string;
  whole?: boolean;
  along?: string;
}

function buffer<N extends string>(
  kind: BufferParameter['kind'],
  name: N,
  length: string[],
  options: BufferOptions,
): BufferParameter<N> {
  const { type = 'f32', optional = false, alias = [], below, whole = false, along } = options;
  return { name, kind, type, length, optional, alias, below, whole, along };
}
const out = <N extends string>(name: N, length: string[], options: BufferOptions = {}) => buffer('out', name, length, options);
const inout = <N extends string>(name: N, length: string[], options: BufferOptions = {}) =>
  buffer('inout', name, length, options);
const input = <N extends string>(name: N, length: string[], options: BufferOptions = {}) => buffer('in', name, length, options);
const value =
  <K extends ValueKind>(kind: K) =>
  <N extends string>(name: N): ValueParameter<N, K> => ({ name, kind });
const size = value('size');
const float = value('float');
const word = value('word');
const flag = value('flag');
const code = value('code');

function kernel<const P extends readonly Parameter[]>(axis: string | undefined, ...parameters: P): Signature<P> {
  return { axis, grain: GRAIN, parameters };
}

/** y = f(x), elementwise. */
const elementwise = () => kernel('n', out('y', ['n'], { alias: ['x'] }), input('x', ['n']), size('n'));
/** dx = dy * f', where f' follows from the forward pass's output y. */
const fromOutput = () => kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('y', ['n']), size('n'));
/** dx = dy * f', where f' needs the forward pass's input x. */
const fromInput = () => kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('x', ['n']), size('n'));

const lossOutputs = (outputs: string) =>
  [out('loss', ['rows']), out('dprediction', ['rows', outputs], { optional: true })] as const;
/** Sizes of a batch of images, of the output of a window that slides over them, and of the window. */
const geometry = () =>
  [
    size('rows'),
    size('height'),
    size('width'),
    size('channels'),
    size('outHeight'),
    size('outWidth'),
    size('windowHeight'),
    size('windowWidth'),
    size('strideHeight'),
    size('strideWidth'),
    size('padTop'),
    size('padLeft'),
  ] as const;
const regression = () =>
  [
    ...lossOutputs('outputs'),
    input('prediction', ['rows', 'outputs']),
    input('target', ['rows', 'outputs']),
    size('rows'),
    size('outputs'),
  ] as const;

/** Arguments of the dense layer, whose threads share rows or columns. */
const denseForward = () =>
  [
    out('y', ['rows', 'out']),
    input('x', ['rows', 'in']),
    input('w', ['in', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('in'),
    size('out'),
    code('activation'),
    float('slope'),
  ] as const;
/** The same for the gradient of its input. */
const denseBackwardInput = () =>
  [
    out('dx', ['rows', 'in']),
    input('dy', ['rows', 'out']),
    input('w', ['in', 'out']),
    size('rows'),
    size('in'),
    size('out'),
  ] as const;
/** Arguments of the gather of bytes, whose threads share rows or columns. */
const gatherBytes = () =>
  [
    out('x', ['rows', 'features']),
    input('source', ['sourceRows', 'features'], { type: 'u8' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    float('scale'),
    float('offset'),
  ] as const;

export const signatures = {
  // Matrix product.
  gemm: kernel(
    'm',
    inout('c', ['m', 'n']),
    input('a', ['m', 'k'], { whole: true }),
    input('b', ['k', 'n']),
    size('m'),
    size('n'),
    size('k'),
    flag('transA'),
    flag('transB'),
    float('alpha'),
    float('beta'),
  ),

  // Dense layer.
  denseForward: kernel('rows', ...denseForward()),
  denseBackwardInput: kernel('rows', ...denseBackwardInput()),
  // The same two, shared out by columns: where weights are larger than batches, each thread then reads its part of them only.
  denseForwardColumns: kernel('out', ...denseForward()),
  denseBackwardInputColumns: kernel('in', ...denseBackwardInput()),
  // A forward pass shared out by inputs: each share multiplies its columns of x with its rows of w, as `denseBackwardWeight`
  // and the update share them out, and the sum follows.
  denseForwardParts: {
    ...kernel(
      'parts',
      out('products', ['parts', 'rows', 'out']),
      input('x', ['rows', 'in'], { along: 'in' }),
      input('w', ['in', 'out'], { along: 'in' }),
      size('rows'),
      size('in'),
      size('out'),
      size('parts'),
    ),
    grain: 1,
  },
  denseForwardSum: kernel(
    'rows',
    out('y', ['rows', 'out']),
    input('products', ['parts', 'rows', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('out'),
    size('parts'),
    code('activation'),
    float('slope'),
  ),
  denseBackwardWeight: kernel(
    'in',
    out('dw', ['in', 'out']),
    input('x', ['rows', 'in']),
    input('dy', ['rows', 'out']),
    size('rows'),
    size('in'),
    size('out'),
  ),
  denseBackwardBias: kernel('out', out('db', ['out']), input('dy', ['rows', 'out']), size('rows'), size('out')),

  // Activations.
  identity: elementwise(),
  relu: elementwise(),
  leakyRelu: kernel('n', ...elementwise().parameters, float('slope')),
  elu: kernel('n', ...elementwise().parameters, float('alpha')),
  selu: elementwise(),
  gelu: elementwise(),
  silu: elementwise(),
  sigmoid: elementwise(),
  tanh: elementwise(),
  softplus: elementwise(),
  identityBackward: fromOutput(),
  reluBackward: fromOutput(),
  leakyReluBackward: kernel('n', ...fromOutput().parameters, float('slope')),
  eluBackward: kernel('n', ...fromOutput().parameters, float('alpha')),
  seluBackward: fromOutput(),
  geluBackward: fromInput(),
  siluBackward: fromInput(),
  sigmoidBackward: fromOutput(),
  tanhBackward: fromOutput(),
  softplusBackward: fromOutput(),
  softmax: kernel('rows', out('y', ['rows', 'cols'], { alias: ['x'] }), input('x', ['rows', 'cols']), size('rows'), size('cols')),
  softmaxBackward: kernel(
    'rows',
    out('dx', ['rows', 'cols'], { alias: ['dy'] }),
    input('dy', ['rows', 'cols']),
    input('y', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  ),

  // Elementwise arithmetic.
  multiply: kernel('n', out('y', ['n'], { alias: ['a', 'b'] }), input('a', ['n']), input('b', ['n']), size('n')),
  sumParts: kernel('n', out('y', ['n']), input('terms', ['parts', 'n']), size('n'), size('parts')),

  // Images, channels last. A window is [height, width] with strides and the padding before the first row and column;
  // positions outside the image count as zero (conv2d) or not at all (pooling).
  conv2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('x', ['rows', 'height', 'width', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    input('b', ['filters'], { optional: true }),
    ...geometry(),
    size('filters'),
    code('activation'),
    float('slope'),
  ),
  conv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    ...geometry(),
    size('filters'),
  ),
  // With these weights, the gradient with respect to the input is itself a convolution, of dy, where strides are 1.
  conv2dReverseWeights: kernel(
    'filters',
    out('reversed', ['windowHeight', 'windowWidth', 'filters', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('windowHeight'),
    size('windowWidth'),
    size('channels'),
    size('filters'),
  ),
  // The axis is the rows of the weight as a matrix: patch = windowHeight · windowWidth · channels.
  conv2dBackwardWeight: kernel(
    'patch',
    out('dw', ['patch', 'filters']),
    input('x', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    ...geometry(),
    size('filters'),
    size('patch'),
  ),
  // The same and the bias's gradient, each share over its images only; sums follow.
  conv2dBackwardParts: {
    ...kernel(
      'parts',
      out('dwParts', ['parts', 'patch', 'filters']),
      out('dbParts', ['parts', 'filters'], { optional: true }),
      input('x', ['rows', 'height', 'width', 'channels'], { along: 'rows' }),
      input('dy', ['rows', 'outHeight', 'outWidth', 'filters'], { along: 'rows' }),
      ...geometry(),
      size('filters'),
      size('patch'),
      size('parts'),
    ),
    grain: 1,
  },
  maxPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    out('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    input('x', ['rows', 'height', 'width', 'channels']),
    ...geometry(),
  ),
  maxPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    ...geometry(),
  ),
  avgPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('x', ['rows', 'height', 'width', 'channels']),
    ...geometry(),
  ),
  avgPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    ...geometry(),
  ),
  localResponseNorm: kernel(
    'rows',
    out('y', ['rows', 'channels']),
    out('scale', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('bias'),
    float('alpha'),
    float('beta'),
  ),
  localResponseNormBackward: kernel(
    'rows',
    out('dx', ['rows', 'channels']),
    input('dy', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('y', ['rows', 'channels']),
    input('scale', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('alpha'),
    float('beta'),
  ),
  prelu: kernel(
    'rows',
    out('y', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('slope', ['channels']),
    size('rows'),
    size('channels'),
  ),
  preluBackward: kernel(
    'channels',
    out('dx', ['rows', 'channels'], { alias: ['dy'] }),
    out('dslope', ['channels']),
    input('dy', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('slope', ['channels']),
    size('rows'),
    size('channels'),
  ),

  // Batch normalisation.
  batchNormForward: kernel(
    'features',
    out('y', ['rows', 'features']),
    out('mean', ['features']),
    out('inverseStd', ['features']),
    inout('runningMean', ['features']),
    inout('runningVariance', ['features']),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
    float('momentum'),
  ),
  // The same, shared out by rows: the means of shares (what float32 loses of them as `rests`) and the sums of squares, then the
  // statistics of all; `batchNormInference` follows, with these. A row of the batch is `pixels` rows of x.
  batchNormParts: {
    ...kernel(
      'parts',
      out('means', ['parts', 'features']),
      out('rests', ['parts', 'features']),
      out('squares', ['parts', 'features']),
      input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
      size('rows'),
      size('pixels'),
      size('features'),
      size('parts'),
    ),
    grain: 1,
  },
  batchNormStatistics: kernel(
    undefined,
    out('mean', ['features']),
    out('variance', ['features']),
    out('inverseStd', ['features']),
    inout('runningMean', ['features']),
    inout('runningVariance', ['features']),
    input('means', ['parts', 'features']),
    input('rests', ['parts', 'features']),
    input('squares', ['parts', 'features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
    float('epsilon'),
    float('momentum'),
  ),
  batchNormInference: kernel(
    'rows',
    out('y', ['rows', 'features'], { alias: ['x'] }),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    input('runningMean', ['features']),
    input('runningVariance', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
  ),
  batchNormBackward: kernel(
    'features',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    out('dgamma', ['features']),
    out('dbeta', ['features']),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    input('gamma', ['features']),
    size('rows'),
    size('features'),
  ),
  // The same, shared out by rows: the sums of shares, then the gradient of the input; `sumParts` makes dgamma and dbeta.
  batchNormBackwardParts: {
    ...kernel(
      'parts',
      out('dgammaParts', ['parts', 'features']),
      out('dbetaParts', ['parts', 'features']),
      input('dy', ['rows', 'pixels', 'features'], { along: 'rows' }),
      input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
      input('mean', ['features']),
      input('inverseStd', ['features']),
      size('rows'),
      size('pixels'),
      size('features'),
      size('parts'),
    ),
    grain: 1,
  },
  batchNormBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    input('gamma', ['features']),
    input('dgammaParts', ['parts', 'features']),
    input('dbetaParts', ['parts', 'features']),
    size('rows'),
    size('features'),
    size('parts'),
  ),

  // Inverted dropout. Its backward pass is `multiply` with the mask.
  dropoutForward: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    out('mask', ['n']),
    input('x', ['n']),
    size('n'),
    word('threshold'),
    float('scale'),
    word('seed'),
    word('stream'),
    word('step'),
  ),

  // Losses: one value a row, and the gradient of the mean over the rows.
  softmaxCrossEntropy: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
    float('smoothing'),
  ),
  softmaxCrossEntropyProbabilities: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('target', ['rows', 'classes']),
    size('rows'),
    size('classes'),
    float('smoothing'),
  ),
  binaryCrossEntropy: kernel('rows', ...regression()),
  squaredError: kernel('rows', ...regression(), float('factor')),
  absoluteError: kernel('rows', ...regression()),
  huber: kernel('rows', ...regression(), float('delta')),

  // Metrics.
  argmax: kernel('rows', out('index', ['rows'], { type: 'i32' }), input('x', ['rows', 'cols']), size('rows'), size('cols')),
  accuracyLabels: kernel(
    'rows',
    out('hits', ['rows']),
    input('x', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
  ),
  accuracyProbabilities: kernel(
    'rows',
    out('hits', ['rows']),
    input('x', ['rows', 'classes']),
    input('target', ['rows', 'classes']),
    size('rows'),
    size('classes'),
  ),
  accuracyBinary: kernel(
    'rows',
    out('hits', ['rows']),
    input('logits', ['rows', 'outputs']),
    input('target', ['rows', 'outputs']),
    size('rows'),
    size('outputs'),
  ),
  batchTotals: kernel(
    undefined,
    out('meanLoss', [], { type: 'f64' }),
    out('hitCount', [], { type: 'f64' }),
    input('loss', ['rows']),
    input('hits', ['rows'], { optional: true }),
    input('penalty', [], { type: 'f64', optional: true }),
    size('rows'),
  ),

  // Regularisers.
  penalty: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('w', ['n']),
    size('n'),
    float('l1'),
    float('l2'),
  ),
  penaltyGradient: kernel('n', inout('dw', ['n']), input('w', ['n']), size('n'), float('l1'), float('l2')),

  // Optimizer steps.
  sgd: kernel(
    'n',
    inout('p', ['n']),
    inout('velocity', ['n'], { optional: true }),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    float('momentum'),
    float('dampening'),
    flag('nesterov'),
    float('weightDecay'),
  ),
  adaGrad: kernel(
    'n',
    inout('p', ['n']),
    inout('accumulator', ['n']),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    float('epsilon'),
    float('weightDecay'),
  ),
  rmsProp: kernel(
    'n',
    inout('p', ['n']),
    inout('average', ['n']),
    inout('velocity', ['n'], { optional: true }),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    float('decay'),
    float('epsilon'),
    float('epsilonInside'),
    float('momentum'),
    float('weightDecay'),
  ),
  adam: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    input('g', ['n']),
    size('n'),
    float('stepSize'),
    float('correction'),
    float('beta1'),
    float('beta2'),
    float('epsilon'),
    float('epsilonInside'),
    float('weightDecay'),
  ),
  adamW: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    input('g', ['n']),
    size('n'),
    float('stepSize'),
    float('correction'),
    float('beta1'),
    float('beta2'),
    float('epsilon'),
    float('epsilonInside'),
    float('shrink'),
  ),

  amsGrad: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    inout('vMax', ['n']),
    input('g', ['n']),
    size('n'),
    float('stepSize'),
    float('correction'),
    float('beta1'),
    float('beta2'),
    float('epsilon'),
    float('epsilonInside'),
    float('weightDecay'),
  ),

  // Gradient clipping.
  clipValue: kernel('n', inout('g', ['n']), size('n'), float('limit')),
  squareSum: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('g', ['n']),
    size('n'),
  ),
  clipNorm: kernel('n', inout('g', ['n']), input('squares', [], { type: 'f64' }), size('n'), float('limit')),

  // Batches.
  gatherBytes: kernel('rows', ...gatherBytes()),
  // The same, shared out by columns.
  gatherBytesColumns: kernel('features', ...gatherBytes()),
  gatherFloats: kernel(
    'rows',
    out('x', ['rows', 'features']),
    input('source', ['sourceRows', 'features']),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('features'),
    size('sourceRows'),
    float('scale'),
    float('offset'),
  ),
  gatherLabels: kernel(
    'rows',
    out('labels', ['rows'], { type: 'i32' }),
    input('source', ['sourceRows'], { type: 'i32' }),
    input('order', ['rows'], { type: 'i32', below: 'sourceRows' }),
    size('rows'),
    size('sourceRows'),
  ),
  permutation: kernel(undefined, out('order', ['n'], { type: 'i32' }), size('n'), word('seed'), word('stream'), word('epoch')),
  drawWithReplacement: kernel(
    undefined,
    out('order', ['n'], { type: 'i32' }),
    size('n'),
    size('sourceRows'),
    word('seed'),
    word('stream'),
    word('epoch'),
  ),
} satisfies Record<string, Signature>;

export type KernelName = keyof typeof signatures;
export type ParameterName<K extends KernelName> = (typeof signatures)[K]['parameters'][number]['name'];

/** Kernel names in table order; a kernel's number is its index here, in C++ too. */
export const kernelNames = Object.keys(signatures) as KernelName[];

export function signatureOf(name: KernelName): Signature {
  return signatures[name];
}

export function isBuffer(parameter: Parameter): parameter is BufferParameter {
  return parameter.kind === 'out' || parameter.kind === 'inout' || parameter.kind === 'in';
}

/** Activations that `denseForward` can apply in its tail, by `activation` code. All have a gradient from the output. */
export const fusedActivations = ['identity', 'relu', 'leakyRelu', 'elu', 'selu', 'sigmoid', 'tanh', 'softplus'] as const;
