import { input, kernel, out, size } from './signature.js';

export const embeddingKernels = {
  embeddingForward: kernel(
    'rows',
    out('y', ['rows', 'width']),
    input('indices', ['rows'], { type: 'i32', below: 'vocabulary' }),
    input('w', ['vocabulary', 'width']),
    size('rows'),
    size('vocabulary'),
    size('width'),
  ),
  embeddingBackward: kernel(
    'vocabulary',
    out('dw', ['vocabulary', 'width']),
    input('dy', ['rows', 'width']),
    input('indices', ['rows'], { type: 'i32', below: 'vocabulary' }),
    size('rows'),
    size('vocabulary'),
    size('width'),
  ),
} as const;
