import { flag, float, input, kernel, out, precise, size, word } from './signature.js';

/** A batch of images, and what is made of it. */
const images = (alias: readonly string[] = []) =>
  [
    out('y', ['rows', 'height', 'width', 'channels'], { alias }),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    size('height'),
    size('width'),
    size('channels'),
  ] as const;
const draws = () => [word('seed'), word('stream'), word('step')] as const;

/** Random changes of a batch before the first layer. Each row draws numbers of its own, counted by row and step. */
export const augmentKernels = {
  shiftImages: kernel('rows', ...images(), size('vertical'), size('horizontal'), float('fill'), ...draws()),
  flipImages: kernel('rows', ...images(), flag('vertical'), precise('probability'), ...draws()),
  rotateImages: kernel('rows', ...images(), precise('angle'), float('fill'), ...draws()),
  cutImages: kernel('rows', ...images(['x']), size('cutHeight'), size('cutWidth'), float('fill'), ...draws()),
  // Mixes each row with another one of the batch. Calls with the same draws mix the same rows alike.
  mixRows: kernel(
    'rows',
    out('y', ['rows', 'features']),
    input('x', ['rows', 'features'], { whole: true }),
    size('rows'),
    size('features'),
    precise('alpha'),
    ...draws(),
  ),
} as const;
