import { RandomStream, Stream } from '../../lib/random.js';

/** Lengths around the vector widths of all instruction sets (4, 8, 16 floats), and primes. */
export const lengths = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 61, 97];

/** Shapes rows × columns: narrow, short, prime, next to a vector width, and beyond the blocks that kernels work in. */
export const matrices: readonly (readonly [number, number])[] = [
  [1, 1],
  [1, 7],
  [1, 33],
  [2, 1],
  [3, 2],
  [17, 1],
  [5, 4],
  [4, 5],
  [8, 8],
  [9, 10],
  [64, 10],
  [7, 17],
  [16, 16],
  [15, 15],
  [33, 9],
  [32, 31],
  [31, 32],
  [61, 3],
  [3, 61],
  [13, 97],
  [97, 16],
  [9, 131],
  [259, 4],
];

/** The same shapes after one without rows. */
export const matricesAndEmpty: readonly (readonly [number, number])[] = [[0, 3], ...matrices];

/** Deterministic numbers for one group of samples. */
export class Data {
  readonly #random: RandomStream;

  constructor(seed: number) {
    this.#random = new RandomStream(seed, Stream.data);
  }

  #fill(n: number, next: () => number): Float64Array {
    return Float64Array.from({ length: n }, next);
  }

  normal(n: number, scale = 1, shift = 0): Float64Array {
    return this.#fill(n, () => shift + scale * this.#random.normal());
  }

  uniform(n: number, low: number, high: number): Float64Array {
    return this.#fill(n, () => low + (high - low) * this.#random.uniform());
  }

  integers(n: number, bound: number): Float64Array {
    return this.#fill(n, () => this.#random.below(bound));
  }

  /** Rows of non-negative numbers that sum to 1. */
  probabilities(rows: number, columns: number): Float64Array {
    const p = this.uniform(rows * columns, 0, 1);
    for (let i = 0; i < rows; i++) {
      const row = p.subarray(i * columns, (i + 1) * columns);
      const sum = row.reduce((s, v) => s + v, 0);
      for (let j = 0; j < columns; j++) row[j] /= sum;
    }
    return p;
  }
}

/** The values over and over, at least `least` numbers, so that each goes through a vector loop and its tail. */
export function repeated(values: readonly number[], least = 67): Float64Array {
  const n = Math.max(least, values.length);
  return Float64Array.from({ length: n }, (_, i) => values[i % values.length]);
}

/** A square matrix of `low` with `high` on the diagonal: a search through a row must find every column. */
export function wandering(n: number, low: number, high: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % n === Math.floor(i / n) ? high : low));
}

/** Rounded to float32, as every kernel sees its inputs. */
export function rounded(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(Float32Array.from(values));
}
