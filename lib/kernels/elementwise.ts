import { code, input, kernel, out, precise, size } from './signature.js';

/** Arithmetic on each element, selected by a code. */
export const elementwiseKernels = {
  binary: kernel(
    'n',
    out('y', ['n'], { alias: ['a', 'b'] }),
    input('a', ['n']),
    input('b', ['n']),
    size('n'),
    code('operation', 'binary'),
  ),
  // One of the gradients may take the place of dy.
  binaryBackward: kernel(
    'n',
    out('da', ['n'], { optional: true, alias: ['dy'] }),
    out('db', ['n'], { optional: true, alias: ['dy'] }),
    input('dy', ['n']),
    input('a', ['n']),
    input('b', ['n']),
    size('n'),
    code('operation', 'binary'),
  ),
  unary: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    input('x', ['n']),
    size('n'),
    code('operation', 'unary'),
    precise('alpha'),
    precise('beta'),
  ),
  // `at` is the output of the forward pass for exp and sqrt, the input for the rest.
  unaryBackward: kernel(
    'n',
    out('dx', ['n'], { alias: ['dy'] }),
    input('dy', ['n']),
    input('at', ['n']),
    size('n'),
    code('operation', 'unary'),
    precise('alpha'),
    precise('beta'),
  ),
} as const;
