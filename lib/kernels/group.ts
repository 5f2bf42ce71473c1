/** What the executor does for all processes that train together. As kernels they are sums over a group of one. */
import { flag, inout, kernel, precise, size } from './signature.js';

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
  // The weighted sum over the ranks, whose weights have the sum 1 or are each rank's part of one.
  averageRanks: kernel(undefined, inout('values', ['n']), size('n'), precise('weight')),
  // Begins a sum over the ranks, which goes on while later instructions run, until the next `allReduce`. With `shares`,
  // each rank gets the sums of its share of the values only.
  startSum: kernel(undefined, inout('values', ['n']), size('n'), flag('shares')),
  // Gives all ranks each rank's share of the values.
  gatherShares: kernel(undefined, inout('values', ['n']), size('n')),
} as const;

/** The sum over a group of one, which leaves everything as it is: the TypeScript backend trains on one rank only. */
export function allReduce(
  _values: Float32Array | null,
  _totals: Float64Array | null,
  _n: number,
  _m: number,
  _last: number,
): void {}

/** values *= weight */
export function averageRanks(values: Float32Array, n: number, weight: number): void {
  const factor = Math.fround(weight);
  for (let i = 0; i < n; i++) values[i] *= factor;
}

export function startSum(_values: Float32Array, _n: number, _shares: number): void {}

export function gatherShares(_values: Float32Array, _n: number): void {}
