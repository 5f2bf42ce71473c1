import type { Histogram } from '../formats/event-file.js';

/**
 * Counts numbers in `bins` intervals of equal width from the smallest to the largest; one bin if all are equal. NaN and
 * infinities are omitted. With `most`, only so many numbers are looked at, evenly spaced over the list.
 */
export function countNumbers(values: Float32Array, bins: number, most = Number.POSITIVE_INFINITY): Histogram {
  const stride = Math.max(1, Math.ceil(values.length / most));
  let [min, max, count, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < values.length; i += stride) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumOfSquares, limits: [0], counts: [0] };
  if (min === max) return { min, max, count, sum, sumOfSquares, limits: [max], counts: [count] };
  const counts = new Array<number>(bins).fill(0);
  const scale = bins / (max - min);
  for (let i = 0; i < values.length; i += stride) {
    const value = values[i];
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - min) * scale))]++;
  }
  const limits = counts.map((_, i) => (i === bins - 1 ? max : min + (i + 1) / scale));
  return { min, max, count, sum, sumOfSquares, limits, counts };
}
