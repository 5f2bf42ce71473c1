import { input, kernel, out, size } from './signature.js';

export const metricKernels = {
  argmax: kernel(
    'rows',
    out('index', ['rows'], { type: 'i32' }),
    input('x', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  ),
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
} as const;
