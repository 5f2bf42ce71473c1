/** The sum over a group of one, which leaves everything as it is: this backend trains on one rank only. */
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
