import { float, input, kernel, out, size, word } from './signature.js';

/** y = f(x), elementwise. */
const elementwise = () => kernel('n', out('y', ['n'], { alias: ['x'] }), input('x', ['n']), size('n'));
/** dx = dy * f', where f' is computed from the forward pass's output y. */
const fromOutput = () =>
  kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('y', ['n']), size('n'));
/** dx = dy * f', where f' is computed from the forward pass's input x. */
const fromInput = () =>
  kernel('n', out('dx', ['n'], { alias: ['dy'] }), input('dy', ['n']), input('x', ['n']), size('n'));
/** y = f(x), row by row. */
const byRows = () =>
  kernel(
    'rows',
    out('y', ['rows', 'cols'], { alias: ['x'] }),
    input('x', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  );
/** The gradient of such an f from the output y. */
const byRowsFromOutput = () =>
  kernel(
    'rows',
    out('dx', ['rows', 'cols'], { alias: ['dy'] }),
    input('dy', ['rows', 'cols']),
    input('y', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  );

/** Activations and other elementwise operations. */
export const activationKernels = {
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
  relu6: elementwise(),
  hardSigmoid: elementwise(),
  hardSwish: elementwise(),
  mish: elementwise(),
  softsign: elementwise(),
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
  relu6Backward: fromOutput(),
  hardSigmoidBackward: fromOutput(),
  hardSwishBackward: fromInput(),
  mishBackward: fromInput(),
  softsignBackward: fromOutput(),
  softmax: byRows(),
  softmaxBackward: byRowsFromOutput(),
  logSoftmax: byRows(),
  logSoftmaxBackward: byRowsFromOutput(),

  // Elementwise arithmetic.
  sumParts: kernel('n', out('y', ['n']), input('terms', ['parts', 'n']), size('n'), size('parts')),
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
  // Inverted dropout. Its backward pass is `binary`, the product with the mask.
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
  // Dropout's mask alone, and the product with one factor per sample and channel.
  dropoutMask: kernel(
    'n',
    out('mask', ['n']),
    size('n'),
    word('threshold'),
    float('scale'),
    word('seed'),
    word('stream'),
    word('step'),
  ),
  multiplyChannels: kernel(
    'rows',
    out('y', ['rows', 'pixels', 'channels'], { alias: ['x'] }),
    input('x', ['rows', 'pixels', 'channels']),
    input('factors', ['rows', 'channels']),
    size('rows'),
    size('pixels'),
    size('channels'),
  ),
  // y = x + deviation · a standard normal number. Its gradient is dy.
  gaussianNoise: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    input('x', ['n']),
    size('n'),
    float('deviation'),
    word('seed'),
    word('stream'),
    word('step'),
  ),
} as const;
