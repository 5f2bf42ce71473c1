import { checkChoice, checkInteger, invalid } from '../../checks.js';
import type { Column, StringColumn } from '../column.js';
import { type ColumnEncoder, checkGiven, type Given, type Kind, readFlag, readStrings } from './kind.js';

/** How a column of categories is encoded. */
export interface CategoryOptions {
  /** A value in fewer rows of the training part is rare. Default 2. */
  minimum?: number | undefined;
  /**
   * Only so many values, the most frequent ones, have a place of their own; the others are rare. Default 100; as
   * indices 100,000.
   */
  most?: number | undefined;
  /**
   * `'oneHot'` (default): numbers of which one is 1. `'index'`: an input of its own for an `embedding`, with the name
   * of the column. Index 0 stands for rare and unseen values, the next ones for values in the order of their
   * characters, the last one for missing values if the training part has some; without, they are 0 too.
   */
  encoding?: 'oneHot' | 'index' | undefined;
}

/** No other type has one of these. */
export const CATEGORY_OPTIONS = ['minimum', 'most', 'encoding'] as const;

/** Maximum number of values with a place of their own. */
const MOST = 100_000;
/** Different values are counted up to this number: those of a stream of rows may be any number. */
const MOST_COUNTED = 2 ** 22;

/**
 * One-hot: a place for each value, then one for all rare and unseen values, then one for missing values. The last two
 * exist only if such values were in the training part: without, nothing would have been learnt about them. A value that
 * has no place is all zeros.
 */
class OneHotEncoder implements ColumnEncoder {
  readonly width: number;
  readonly #name: string;
  readonly #levels: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #other: boolean;
  readonly #missing: boolean;

  constructor(name: string, levels: readonly string[], other: boolean, missing: boolean) {
    this.width = levels.length + Number(other) + Number(missing);
    this.#name = name;
    this.#levels = levels;
    this.#places = new Map(levels.map((level, place) => [level, place]));
    this.#other = other;
    this.#missing = missing;
  }

  names(): string[] {
    const rest = [...(this.#other ? ['(other)'] : []), ...(this.#missing ? ['(missing)'] : [])];
    return [...this.#levels.map((level) => `${this.#name}=${level}`), ...rest.map((what) => `${this.#name} ${what}`)];
  }

  knows(value: string): boolean {
    return this.#places.has(value);
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as StringColumn;
    const other = this.#other ? this.#levels.length : undefined;
    const missing = this.#missing ? this.width - 1 : undefined;
    for (let row = 0, to = at; row < values.length; row++, to += stride) {
      const value = values[row];
      const place = value === null ? missing : (this.#places.get(value) ?? other);
      if (place !== undefined) out[to + place] = 1;
    }
  }

  toJSON(): Given {
    return { levels: this.#levels, other: this.#other, missing: this.#missing };
  }
}

/** Places for an embedding: one for all rare and unseen values, one for each value, one for missing values if any. */
class IndexEncoder implements ColumnEncoder {
  readonly width = 1;
  readonly index = true;
  readonly #name: string;
  readonly #levels: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #missing: boolean;

  constructor(name: string, levels: readonly string[], missing: boolean) {
    this.#name = name;
    this.#levels = levels;
    this.#places = new Map(levels.map((level, place) => [level, place + 1]));
    this.#missing = missing;
  }

  names(): string[] {
    const levels = this.#levels.map((level) => `${this.#name}=${level}`);
    return [`${this.#name} (other)`, ...levels, ...(this.#missing ? [`${this.#name} (missing)`] : [])];
  }

  knows(value: string): boolean {
    return this.#places.has(value);
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as StringColumn;
    const missing = this.#missing ? this.#levels.length + 1 : 0;
    for (let row = 0, to = at; row < values.length; row++, to += stride) {
      const value = values[row];
      out[to] = value === null ? missing : (this.#places.get(value) ?? 0);
    }
  }

  toJSON(): Given {
    return { encoding: 'index', levels: this.#levels, missing: this.#missing };
  }
}

const ENCODINGS = ['oneHot', 'index'] as const;

export const categoryKind: Kind = {
  learn(label, name, options) {
    const { encoding = 'oneHot', ...rest } = checkGiven(label, options, CATEGORY_OPTIONS);
    const index = checkChoice(`${label}: encoding`, encoding, ENCODINGS) === 'index';
    const { minimum = 2, most = index ? MOST : 100 } = rest;
    const least = checkInteger(`${label}: minimum`, minimum, { min: 1 });
    const limit = checkInteger(`${label}: most`, most, { min: 1, max: MOST });
    const counts = new Map<string, number>();
    let missing = false;
    return {
      add(column) {
        for (const value of (column as StringColumn).values) {
          if (value === null) missing = true;
          else counts.set(value, (counts.get(value) ?? 0) + 1);
        }
        if (counts.size > MOST_COUNTED)
          throw invalid(label, `at most ${MOST_COUNTED} different values (ignore the column?)`, counts.size);
      },
      finish() {
        // Of equally frequent ones, the first in the order of their characters.
        const ordered = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
        const kept = ordered.filter(([, count]) => count >= least).slice(0, limit);
        const levels = kept.map(([value]) => value).sort();
        if (index) return new IndexEncoder(name, levels, missing);
        return new OneHotEncoder(name, levels, kept.length < counts.size, missing);
      },
    };
  },
  read(label, name, json) {
    const { encoding } = json;
    // The encoding of a file without one is one-hot.
    if (encoding !== undefined) checkChoice(`${label}: encoding`, encoding, ['index']);
    checkGiven(
      label,
      json,
      encoding === undefined ? ['levels', 'other', 'missing'] : ['encoding', 'levels', 'missing'],
    );
    const levels = readStrings(label, json, 'levels', MOST);
    if (encoding !== undefined) return new IndexEncoder(name, levels, readFlag(label, json, 'missing'));
    return new OneHotEncoder(name, levels, readFlag(label, json, 'other'), readFlag(label, json, 'missing'));
  },
};
