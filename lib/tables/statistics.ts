/** The numbers among `values`: those that are not NaN. */
export function present(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value));
}

/**
 * The quantile of sorted numbers, between two neighbours in proportion (definition 7 of Hyndman and Fan, 1996, the
 * default of NumPy and R).
 */
export function quantile(sorted: Float64Array, fraction: number): number {
  const place = (sorted.length - 1) * fraction;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

/** Mean and standard deviation (of the population: divided by n). */
export function moments(values: Float64Array): { mean: number; deviation: number } {
  // Differences from the first value: exactly 0 for a constant column.
  const [first] = values;
  const mean = first + values.reduce((sum, value) => sum + (value - first), 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}
