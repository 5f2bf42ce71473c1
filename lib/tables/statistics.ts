import { RandomStream, Stream } from '../random.js';

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
  const part = place - low;
  const difference = sorted[high] - sorted[low];
  // Of numbers near the largest, the difference overflows.
  if (!Number.isFinite(difference)) return sorted[low] * (1 - part) + sorted[high] * part;
  return sorted[low] + part * difference;
}

/** Mean and sum of the squared differences from it. */
function moments(values: Float64Array): { mean: number; squares: number } {
  // Differences from the first value: exactly 0 for a constant column.
  const [first] = values;
  const mean = first + values.reduce((sum, value) => sum + (value - first), 0) / values.length;
  return { mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** Mean and standard deviation (of the population: divided by n) of numbers that come in pieces. */
export class Moments {
  mean = 0;
  #squares = 0;
  #count = 0;

  /** NaN doesn't count. */
  add(values: Float64Array): void {
    const numbers = present(values);
    if (numbers.length === 0) return;
    const { mean, squares } = moments(numbers);
    if (this.#count === 0) {
      // Not with the formulas below, in which the square of a large mean overflows.
      [this.mean, this.#squares, this.#count] = [mean, squares, numbers.length];
      return;
    }
    const count = this.#count + numbers.length;
    const difference = mean - this.mean;
    // Chan, Golub and LeVeque (1979).
    this.#squares += squares + (difference * difference * this.#count * numbers.length) / count;
    this.mean += (difference * numbers.length) / count;
    this.#count = count;
  }

  get deviation(): number {
    return Math.sqrt(this.#squares / this.#count);
  }
}

/** Of later pieces, so many numbers are kept: half a percent of them lies between a quantile and its estimate. */
const KEPT = 2 ** 15;

/**
 * The numbers of a column that come in pieces, for quantiles: all of the first piece, or 32768 drawn at random from all
 * pieces (algorithm L of Li, 1994) if those are more.
 */
export class Sample {
  readonly #random = new RandomStream(0, Stream.data);
  #kept = new Float64Array(0);
  #most = KEPT;
  #seen = 0;
  /** Place, among all numbers, of the next one that is taken once the sample is full. */
  #next = 0;
  #weight = 1;

  /** NaN doesn't count. */
  add(values: Float64Array): void {
    const numbers = present(values);
    if (this.#seen === 0) this.#most = Math.max(KEPT, numbers.length);
    const room = Math.min(this.#most - this.#kept.length, numbers.length);
    if (room > 0) {
      const longer = new Float64Array(this.#kept.length + room);
      longer.set(this.#kept);
      longer.set(numbers.subarray(0, room), this.#kept.length);
      this.#kept = longer;
      this.#next = this.#seen + room - 1;
      if (longer.length === this.#most) this.#skip();
    }
    if (this.#kept.length === this.#most) {
      for (let i = this.#next - this.#seen; i < numbers.length; i = this.#next - this.#seen) {
        this.#kept[this.#random.below(this.#most)] = numbers[i];
        this.#skip();
      }
    }
    this.#seen += numbers.length;
  }

  /** All that are kept, sorted. */
  sorted(): Float64Array {
    return this.#kept.slice().sort();
  }

  #skip(): void {
    // 1 − uniform is in (0, 1].
    const uniform = () => 1 - this.#random.uniform();
    this.#weight *= Math.exp(Math.log(uniform()) / this.#most);
    this.#next += Math.floor(Math.log(uniform()) / Math.log1p(-this.#weight)) + 1;
  }
}
