import { float, input, kernel, out, precise, size } from './signature.js';

const lossOutputs = (outputs: string) =>
  [out('loss', ['rows']), out('dprediction', ['rows', outputs], { optional: true })] as const;
const regression = () =>
  [
    ...lossOutputs('outputs'),
    input('prediction', ['rows', 'outputs']),
    input('target', ['rows', 'outputs']),
    size('rows'),
    size('outputs'),
  ] as const;

export const lossKernels = {
  // Losses: one value per row, and the gradient of the mean over the rows.
  softmaxCrossEntropy: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
    precise('smoothing'),
  ),
  softmaxCrossEntropyProbabilities: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('target', ['rows', 'classes']),
    size('rows'),
    size('classes'),
    precise('smoothing'),
  ),
  binaryCrossEntropy: kernel('rows', ...regression()),
  squaredError: kernel('rows', ...regression(), float('factor')),
  absoluteError: kernel('rows', ...regression()),
  huber: kernel('rows', ...regression(), float('delta')),
  // The gradient of the mean over the rows with respect to each row's loss.
  meanGradient: kernel('rows', out('dloss', ['rows']), size('rows')),
  // Weights of rows and of losses.
  sumWeights: kernel(undefined, out('total', [], { type: 'f64' }), input('weights', ['rows']), size('rows')),
  weighRows: kernel(
    'rows',
    out('y', ['rows', 'cols'], { alias: ['x'] }),
    input('x', ['rows', 'cols']),
    input('weights', ['rows'], { optional: true }),
    input('total', [], { type: 'f64', optional: true }),
    size('rows'),
    size('cols'),
    float('scale'),
  ),
  addTotal: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('x', [], { type: 'f64' }),
    precise('factor'),
  ),
} as const;
