import { code, flag, float, inout, input, kernel, out, PARTS, precision, size } from './signature.js';

/** The matrix product and the dense layer. */
export const denseKernels = {
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
  // A product for each row of the batch.
  matmulBatch: kernel(
    'rows',
    out('c', ['rows', 'm', 'n']),
    input('a', ['rows', 'm', 'k']),
    input('b', ['rows', 'k', 'n']),
    size('rows'),
    size('m'),
    size('n'),
    size('k'),
    flag('transA'),
    flag('transB'),
    precision(),
  ),

  // Dense layer. Split by columns of the result if weights are larger than batches, so each thread reads only its part
  // of them.
  denseForward: kernel(
    ['rows', 'out'],
    out('y', ['rows', 'out']),
    input('x', ['rows', 'in']),
    input('w', ['in', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('in'),
    size('out'),
    code('activation', 'activation'),
    float('slope'),
    precision(),
  ),
  denseBackwardInput: kernel(
    ['rows', 'in'],
    out('dx', ['rows', 'in']),
    input('dy', ['rows', 'out']),
    input('w', ['in', 'out']),
    size('rows'),
    size('in'),
    size('out'),
    precision(),
  ),
  // A forward pass split by inputs, with the same shares as `denseBackwardWeightParts` and the update: each share
  // multiplies its columns of x, a block as in `gatherBytesParts`, by its rows of w; the sum is computed afterwards. No
  // axis of `denseForward`: bias and activation come after the sum over the shares, so it takes two instructions with a
  // barrier between them.
  denseForwardParts: kernel(
    PARTS,
    out('products', ['parts', 'rows', 'out']),
    input('x', ['in', 'rows'], { along: 'in' }),
    input('w', ['in', 'out'], { along: 'in' }),
    size('rows'),
    size('in'),
    size('out'),
    size('parts'),
    precision(),
  ),
  denseForwardSum: kernel(
    'rows',
    out('y', ['rows', 'out']),
    input('products', ['parts', 'rows', 'out']),
    input('b', ['out'], { optional: true }),
    size('rows'),
    size('out'),
    size('parts'),
    code('activation', 'activation'),
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
    precision(),
  ),
  // With x in blocks, as `denseForwardParts`.
  denseBackwardWeightParts: kernel(
    PARTS,
    out('dw', ['in', 'out'], { along: 'in' }),
    input('x', ['in', 'rows'], { along: 'in' }),
    input('dy', ['rows', 'out']),
    size('rows'),
    size('in'),
    size('out'),
    size('parts'),
    precision(),
  ),
  denseBackwardBias: kernel('out', out('db', ['out']), input('dy', ['rows', 'out']), size('rows'), size('out')),
} as const;
