import { checkArity, checkInteger, checkOptions, invalid, isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { listed, quote } from '../text.js';
import type { IntegerArray } from '../types.js';
import { type ColumnTypes, checkTypes, MAX_COLUMNS, TableBuilder } from './builder.js';
import { type Column, checkColumn, columnNamed, pickRows, type Value, valueAt } from './column.js';
import { foldRows, splitRows, type TableKFoldOptions, type TableSplitOptions } from './split.js';

/** A row as a plain object: null for missing values, a Date for dates. */
export type Row = Readonly<Record<string, Value>>;

/** Options of {@link Table.from}. */
export interface FromOptions {
  /** Types by column names; other columns have the type that their values look like. */
  types?: ColumnTypes | undefined;
}

/** What {@link Table.split} returns. */
export interface SplitTables {
  train: Table;
  validation: Table;
  test: Table;
}

/** One of the folds of {@link Table.kFold}. */
export interface TableFold {
  /** A copy of the rows to train on; made at each access. */
  readonly train: Table;
  /** A copy of the rows held out in this fold; made at each access. */
  readonly validation: Table;
}

/**
 * Columns of equal length, each with a name and a type. Tables don't change: all methods that select rows or columns
 * return new ones.
 *
 * The constructor takes names and columns, such as a Map or `Object.entries({ age: { type: 'number', values } })`; it
 * keeps the arrays without a copy. Throws `INVALID_ARGUMENT`, `SHAPE_MISMATCH` for columns of different lengths and
 * `NON_FINITE` for infinite numbers.
 */
export class Table {
  /** Number of rows. */
  readonly length: number;
  /** Names of the columns, in order. */
  readonly names: readonly string[];
  readonly #columns: ReadonlyMap<string, Column>;

  constructor(columns: Iterable<readonly [string, Column]>) {
    checkArity('Table', arguments, 1);
    if (typeof columns !== 'object' || columns === null || typeof columns[Symbol.iterator] !== 'function')
      throw invalid('Table: columns', 'names and columns, such as a Map or Object.entries(…)', columns);
    const read = new Map<string, Column>();
    for (const entry of columns) {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string')
        throw invalid('Table: columns', 'pairs of a name and a column', entry);
      const [name, column] = entry as readonly [string, unknown];
      if (read.has(name)) throw invalid('Table: columns', 'unique names', name);
      if (read.size >= MAX_COLUMNS) throw invalid('Table: columns', `at most ${MAX_COLUMNS} columns`, name);
      read.set(name, checkColumn(name, column));
    }
    this.#columns = read;
    this.names = Object.freeze([...read.keys()]);
    const [first] = read.values();
    this.length = first?.values.length ?? 0;
    for (const [name, { values }] of read) {
      if (values.length === this.length) continue;
      const text = `expected ${this.length} values, as ${quote(this.names[0])} has, got ${values.length}`;
      throw new BlasnetError('SHAPE_MISMATCH', `column ${quote(name)}: ${text}`);
    }
    Object.freeze(this);
  }

  /**
   * A table of plain objects, one a row. Columns are the keys that occur. Values are numbers, big integers (which
   * become numbers; beyond 2^53, categories), truth values, Dates and strings; null, undefined and NaN are missing, and
   * so are empty strings and a key that a row lacks. Spaces around strings don't count.
   * Strings that are all ISO 8601 dates become dates, others categories or text. Throws `INVALID_ARGUMENT`, naming row
   * and column, for other values and for those that don't have a given type.
   */
  static from(rows: Iterable<object>, options?: FromOptions): Table {
    checkArity('Table.from', arguments, 2);
    const { types } = checkOptions('Table.from', options, ['types']);
    const list = checkRows('Table.from: rows', rows);
    const fail = (message: string) => new BlasnetError('INVALID_ARGUMENT', `Table.from: rows: ${message}`);
    const first = new TableBuilder(checkTypes('Table.from: types', types), fail);
    for (let builder: TableBuilder | undefined = first; ; ) {
      list.forEach((row, i) => {
        builder?.addRow(Object.entries(row), () => `row ${i}`);
      });
      const again: TableBuilder | undefined = builder.again();
      if (again === undefined) return new Table(builder.finish('Table.from'));
      builder = again;
    }
  }

  /** Whether there is a column of this name. */
  has(name: string): boolean {
    checkArity('has', arguments, 1);
    return this.#columns.has(name);
  }

  /** A column by name: its type and values, which must not be changed. Throws `INVALID_ARGUMENT` for an unknown one. */
  column(name: string): Column {
    checkArity('column', arguments, 1);
    const found = this.#columns.get(name);
    if (found === undefined) throw invalid('column', `one of ${listed(this.names)}`, name);
    return found;
  }

  /** Row `index` as a plain object. Throws `INVALID_ARGUMENT`. */
  row(index: number): Row {
    checkArity('row', arguments, 1);
    checkInteger('row: index', index, { min: 0, below: this.length });
    // An own property even where the name is __proto__.
    return Object.fromEntries([...this.#columns].map(([name, column]) => [name, valueAt(column, index)]));
  }

  /** All rows as plain objects. */
  rows(): Row[] {
    checkArity('rows', arguments, 0);
    return Array.from({ length: this.length }, (_, i) => this.row(i));
  }

  /** The columns of these names, in this order. Throws `INVALID_ARGUMENT` for an unknown name. */
  select(names: readonly string[]): Table {
    checkArity('select', arguments, 1);
    if (!Array.isArray(names)) throw invalid('select: names', 'a list of names', names);
    return new Table(names.map((name: string): [string, Column] => [name, columnNamed('select: names', this, name)]));
  }

  /** A copy of the rows at `indices`, in that order; rows may be repeated. Throws `INVALID_ARGUMENT`. */
  subset(indices: IntegerArray | readonly number[]): Table {
    checkArity('subset', arguments, 1);
    if (!Array.isArray(indices) && !ArrayBuffer.isView(indices))
      throw invalid('subset: indices', 'a list of row numbers', indices);
    const rows = Int32Array.from(indices as ArrayLike<number>, (row, i) =>
      checkInteger(`subset: indices[${i}]`, row, { min: 0, below: this.length }),
    );
    return this.#pick(rows);
  }

  /** A copy of the rows for which `keep` returns true; it gets each row as a plain object, and its index. */
  filter(keep: (row: Row, index: number) => boolean): Table {
    checkArity('filter', arguments, 1);
    if (typeof keep !== 'function') throw invalid('filter: keep', 'a function', keep);
    const rows: number[] = [];
    for (let i = 0; i < this.length; i++) if (keep(this.row(i), i)) rows.push(i);
    return this.#pick(Int32Array.from(rows));
  }

  /** A copy of the rows that have a value in each of these columns, by default in all. Throws `INVALID_ARGUMENT`. */
  dropMissing(names: readonly string[] = this.names): Table {
    checkArity('dropMissing', arguments, 1);
    if (!Array.isArray(names)) throw invalid('dropMissing: names', 'a list of names', names);
    const columns = names.map((name: string) => columnNamed('dropMissing: names', this, name));
    const rows: number[] = [];
    for (let i = 0; i < this.length; i++) {
      if (columns.every(({ values }) => values[i] !== null && !Number.isNaN(values[i]))) rows.push(i);
    }
    return this.#pick(Int32Array.from(rows));
  }

  /**
   * Splits the rows into disjoint copies for training, validation and test. Sizes are the fractions of the rows,
   * rounded to the nearest integer; the training part gets the rest. At random, unless one of these is given:
   *
   * - `stratify`: a column whose values have the same proportions in each part. Numbers and dates that occur less than
   *   three times are stratified by ten groups of equal size.
   * - `group`: a column whose equal values (of one patient, one day) stay together in one part. Sizes are then as near
   *   as whole groups in random order come.
   * - `time`: a column of dates or numbers; the training part has the earliest rows, then validation, then test, each
   *   in order of time. Equal times stay together, in the earlier part.
   *
   * The same seed gives the same split. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT` (also if no row remains for a
   * part, and for missing values of `group` or `time`).
   */
  split(options?: TableSplitOptions): SplitTables {
    checkArity('split', arguments, 1);
    const [train, validation, test] = splitRows(this, options).map((rows) => this.#pick(rows));
    return { train, validation, test };
  }

  /**
   * Splits the rows into `folds` parts, of which each is held out once: `for (const { train, validation } of
   * table.kFold()) …`. With `stratify` and `group` as in {@link split}. With `time`, the rows are cut into one part
   * more in order of time, and each part but the first is held out after training on all parts before it. Throws
   * `UNKNOWN_OPTION` and `INVALID_ARGUMENT`, also for fewer rows or groups than folds.
   */
  kFold(options?: TableKFoldOptions): TableFold[] {
    checkArity('kFold', arguments, 1);
    const pick = (rows: Int32Array) => this.#pick(rows);
    // Copied on access, as all folds together would be many copies of the table.
    return foldRows(this, options).map(({ train, validation }) => ({
      get train() {
        return pick(train);
      },
      get validation() {
        return pick(validation);
      },
    }));
  }

  #pick(rows: Int32Array): Table {
    return new Table([...this.#columns].map(([name, column]) => [name, pickRows(column, rows)] as const));
  }
}

/** Checks rows of plain objects; lists are not copied. */
export function checkRows(label: string, rows: unknown): readonly Readonly<Record<string, unknown>>[] {
  const iterable = typeof rows === 'object' && rows !== null && Symbol.iterator in rows && !ArrayBuffer.isView(rows);
  if (!iterable) throw invalid(label, 'a list of plain objects', rows);
  const list = Array.isArray(rows) ? rows : [...(rows as Iterable<unknown>)];
  for (let i = 0; i < list.length; i++) {
    if (!isPlain(list[i]) || Array.isArray(list[i])) throw invalid(`${label}: row ${i}`, 'a plain object', list[i]);
  }
  return list;
}
