/** Summary of repeated measurements: the median and the spread. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Undefined for an empty list. */
export function summarize(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

function byRound(
  first: readonly number[],
  second: readonly number[],
  combine: (a: number, b: number) => number,
): number[] {
  if (first.length !== second.length) throw new Error(`${first.length} rounds against ${second.length}`);
  return first.map((value, round) => combine(value, second[round]));
}

/** Numerator over denominator of each round: what slows down a whole round does not affect its ratio. */
export function ratios(numerators: readonly number[], denominators: readonly number[]): number[] {
  return byRound(numerators, denominators, (a, b) => a / b);
}

/** Each round's difference to the value in the other list. */
export function differences(values: readonly number[], others: readonly number[]): number[] {
  return byRound(values, others, (a, b) => a - b);
}
