import { flag, inout, kernel, size } from './signature.js';

/** What the executor does for all processes that train together. As kernels they are sums over a group of one. */
export const groupKernels = {
  // Sums over the ranks in place. With `last`, the first total is the number of ranks that want to stop.
  allReduce: kernel(
    undefined,
    inout('values', ['n'], { optional: true }),
    inout('totals', ['m'], { type: 'f64', optional: true }),
    size('n'),
    size('m'),
    flag('last'),
  ),
} as const;
