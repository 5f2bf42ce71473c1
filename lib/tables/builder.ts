import { checkChoice, describe, invalid, isPlain } from '../checks.js';
import type { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import {
  COLUMN_TYPES,
  type Column,
  type ColumnType,
  expectations,
  guessType,
  holdsStrings,
  isMissing,
  likenesses,
  MISFIT,
  readers,
  type WrittenNumber,
} from './column.js';

/** Types of columns by their names. */
export type ColumnTypes = Readonly<Record<string, ColumnType>>;

/** Whether a reader is to read the column of a name. */
export type Select = (name: string) => boolean;

/** Checks the option `select` of a reader. */
export function checkSelect(name: string, select: unknown): Select {
  if (select !== undefined && typeof select !== 'function') throw invalid(`${name}: select`, 'a function', select);
  return (select as Select | undefined) ?? (() => true);
}

/** At most this many columns and values (2 GiB of numbers), as a small file could claim any amount of memory. */
export const MAX_COLUMNS = 100_000;
export const MAX_CELLS = 2 ** 28;

/** Strings that differ from all others seen are counted up to this number. */
const MOST_COUNTED = 10_000;
/** Fewer different strings are categories, whatever the number of rows. */
const FEW = 50;
/** More than one word; strings have no spaces around them. */
const WORDS = /\s/;

interface ColumnBuilderOptions {
  readonly written?: WrittenNumber | undefined;
  /** The type is what earlier values look like, and others must too. */
  readonly alike?: boolean | undefined;
  /** More rows may follow, so that few of the strings that repeat have done so. */
  readonly partial?: boolean | undefined;
}

/** Collects the values of a column. */
export class ColumnBuilder {
  /** The given or guessed type; undefined before the first value. */
  #type: ColumnType | undefined;
  readonly #given: boolean;
  /** The type is that of earlier values, which others must look like; no value is converted to it. */
  readonly #alike: boolean;
  readonly #written: WrittenNumber | undefined;
  /** Strings may turn out to be text. */
  readonly #open: boolean;
  readonly #partial: boolean;
  #misfit = false;
  #numbers = new Float64Array(0);
  readonly #others: (string | boolean | null)[] = [];
  readonly #distinct = new Map<string, string>();
  #present = 0;
  length = 0;

  /**
   * `type`: the type that all values must have; 'string' for categories or text, whichever the values are; undefined
   * for the type that the values look like.
   */
  constructor(
    type: ColumnType | 'string' | undefined,
    { written, alike = false, partial = false }: ColumnBuilderOptions = {},
  ) {
    this.#open = type === 'string' || type === undefined;
    this.#given = type !== undefined;
    this.#type = type === 'string' ? 'category' : type;
    this.#written = written;
    this.#partial = partial;
    // Strings hold everything.
    this.#alike = alike && this.#type !== undefined && !holdsStrings(this.#type);
  }

  /** Whether values have different types, so that they must be collected again, as strings. */
  get misfit(): boolean {
    return this.#misfit;
  }

  /**
   * Adds the next value, a string without the spaces around it; an empty one is missing. So equal values are equal in
   * splits and encoders, wherever rows come from. Returns what was expected if it does not have the given type.
   */
  add(given: unknown): string | undefined {
    const value = typeof given === 'string' ? given.trim() || null : given;
    if (isMissing(value)) {
      this.pad(this.length + 1);
      return undefined;
    }
    if (this.#alike && guessType(value, this.#written) !== this.#type) return likenesses[this.#type as ColumnType];
    if (!this.#given) {
      const guess = guessType(value, this.#written);
      if (guess === undefined) return 'a number, a string, a truth value, a Date or null';
      if (this.#type === undefined) this.#begin(guess, this.length);
      // Strings hold everything.
      else if (guess !== this.#type && this.#type !== 'category') this.#misfit = true;
    }
    const row = this.length++;
    if (this.#misfit) return undefined;
    const type = this.#type as ColumnType;
    const number = type === 'number' && typeof value === 'string' ? this.#written?.(value) : undefined;
    const read = readers[type](number ?? value);
    if (read === MISFIT) return expectations[type];
    this.#present++;
    if (this.#isNumeric) this.#reserve(this.length)[row] = read as number;
    else this.#others.push(typeof read === 'string' ? this.#intern(read) : (read as boolean));
    return undefined;
  }

  /** Adds missing values up to `length`. */
  pad(length: number): void {
    if (length <= this.length) return;
    // Before the first value nothing is stored.
    if (this.#isNumeric) this.#reserve(length).fill(Number.NaN, this.length, length);
    else if (this.#type !== undefined && !this.#misfit) while (this.#others.length < length) this.#others.push(null);
    this.length = length;
  }

  finish(): Column {
    // A column without any value has the type that fits any.
    if (this.#type === undefined) this.#begin('category', this.length);
    const type = this.#type as ColumnType;
    if (type === 'number' || type === 'date')
      return Object.freeze({ type, values: this.#numbers.slice(0, this.length) });
    if (type === 'boolean') return Object.freeze({ type, values: this.#others as (boolean | null)[] });
    const values = this.#others as (string | null)[];
    return Object.freeze({ type: this.#open && this.#looksLikeText ? 'text' : type, values });
  }

  get #looksLikeText(): boolean {
    const { size } = this.#distinct;
    if (size >= MOST_COUNTED) return true;
    if (size <= FEW || 2 * size <= this.#present) return false;
    if (!this.#partial) return true;
    let phrases = 0;
    for (const text of this.#distinct.keys()) if (WORDS.test(text)) phrases++;
    return 2 * phrases > size;
  }

  get #isNumeric(): boolean {
    return this.#type === 'number' || this.#type === 'date';
  }

  /** Takes the type of the first value; the `missing` ones before it are missing. */
  #begin(type: ColumnType, missing: number): void {
    this.#type = type;
    this.length = 0;
    this.pad(missing);
  }

  /** The numbers, with space for so many. */
  #reserve(length: number): Float64Array {
    if (length > this.#numbers.length) {
      const longer = new Float64Array(Math.max(16, length, 2 * this.#numbers.length));
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    return this.#numbers;
  }

  /** One copy of equal strings; counts the different ones. */
  #intern(text: string): string {
    const known = this.#distinct.get(text);
    if (known !== undefined) return known;
    if (this.#distinct.size < MOST_COUNTED) this.#distinct.set(text, text);
    return text;
  }
}

/** Checks types given by column names. */
export function checkTypes(name: string, types: unknown): ReadonlyMap<string, ColumnType> {
  if (types === undefined) return new Map();
  if (!isPlain(types) || Array.isArray(types)) throw invalid(name, 'an object of types by column names', types);
  return new Map(
    Object.entries(types).map(([key, type]) => [key, checkChoice(`${name}: ${quote(key)}`, type, COLUMN_TYPES)]),
  );
}

interface BuilderOptions {
  readonly written?: WrittenNumber | undefined;
  /** What values of columns look like in rows before these. */
  readonly guessed?: ReadonlyMap<string, ColumnType>;
  /** Columns whose values turned out to differ in type. */
  readonly strings?: ReadonlySet<string>;
  /** More rows may follow, for other builders. */
  readonly partial?: boolean;
}

/** Collects rows as columns; {@link TableBuilder.again} says whether all rows must come a second time. */
export class TableBuilder {
  readonly columns = new Map<string, ColumnBuilder>();
  readonly #types: ReadonlyMap<string, ColumnType>;
  readonly #guessed: ReadonlyMap<string, ColumnType>;
  readonly #strings: ReadonlySet<string>;
  readonly #written: WrittenNumber | undefined;
  readonly #partial: boolean;
  readonly #fail: (message: string) => BlasnetError;
  rows = 0;

  /** `fail` makes the error for a message. */
  constructor(
    types: ReadonlyMap<string, ColumnType>,
    fail: (message: string) => BlasnetError,
    { written, guessed = new Map(), strings = new Set(), partial = false }: BuilderOptions = {},
  ) {
    this.#types = types;
    this.#guessed = guessed;
    this.#strings = strings;
    this.#written = written;
    this.#partial = partial;
    this.#fail = fail;
  }

  /** The column of a name, a new one if there is none. */
  column(name: string): ColumnBuilder {
    let found = this.columns.get(name);
    if (found === undefined) {
      if (this.columns.size >= MAX_COLUMNS) throw this.#fail(`more than ${MAX_COLUMNS} columns`);
      const given = this.#types.get(name) ?? (this.#strings.has(name) ? 'string' : undefined);
      const guessed = given === undefined ? this.#guessed.get(name) : undefined;
      const alike = guessed !== undefined;
      found = new ColumnBuilder(given ?? guessed, { written: this.#written, alike, partial: this.#partial });
      found.pad(this.rows);
      this.columns.set(name, found);
    }
    return found;
  }

  /** Adds a row of entries; columns without one get a missing value. `where` names the row in errors. */
  addRow(entries: Iterable<readonly [string, unknown]>, where: () => string): void {
    for (const [name, value] of entries) {
      const column = this.column(name);
      column.pad(this.rows);
      this.#add(name, column, value, where);
    }
    this.#endRow();
  }

  /** Adds a row of values, one for each of all columns, in order. */
  addValues(values: readonly unknown[], where: () => string): void {
    let i = 0;
    for (const [name, column] of this.columns) this.#add(name, column, values[i++], where);
    this.#endRow();
  }

  #add(name: string, column: ColumnBuilder, value: unknown, where: () => string): void {
    const expected = column.add(value);
    if (expected !== undefined)
      throw this.#fail(`${where()}, column ${quote(name)}: expected ${expected}, got ${describe(value)}`);
  }

  #endRow(): void {
    this.rows++;
    if (this.rows * this.columns.size > MAX_CELLS)
      throw this.#fail(`more than ${MAX_CELLS} values (${this.columns.size} columns, ${this.rows} rows)`);
  }

  /** A builder for a second pass over the same rows, if a column has values of different types. */
  again(): TableBuilder | undefined {
    const strings = new Set([...this.columns].filter(([, column]) => column.misfit).map(([name]) => name));
    if (strings.size === 0) return undefined;
    for (const name of this.#strings) strings.add(name);
    const options = { written: this.#written, guessed: this.#guessed, partial: this.#partial, strings };
    return new TableBuilder(this.#types, this.#fail, options);
  }

  /** The columns. `name`: of the function whose option `types` the types are, for errors. */
  finish(name: string): ReadonlyMap<string, Column> {
    for (const key of this.#types.keys()) {
      if (this.columns.has(key)) continue;
      // Without rows, only `types` names the columns.
      if (this.rows > 0) throw invalid(`${name}: types`, 'names of columns', key);
      this.column(key);
    }
    const done = new Map<string, Column>();
    for (const [key, column] of this.columns) {
      column.pad(this.rows);
      done.set(key, column.finish());
    }
    return done;
  }
}
