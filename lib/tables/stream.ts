import { checkArity, checkInteger, checkNumber, checkOptions, checkSeed, invalid } from '../checks.js';
import type { BlasnetError } from '../errors.js';
import { RandomStream, Stream } from '../random.js';
import { listed } from '../text.js';
import { type ColumnTypes, checkTypes, MAX_COLUMNS, TableBuilder } from './builder.js';
import { type ColumnType, isEmpty, joinColumns, type WrittenNumber, withoutColumn } from './column.js';
import { Table } from './table.js';

/** Types of columns by name. */
export type Types = ReadonlyMap<string, ColumnType>;

/** Opens a file and reads it in pieces. `wanted`: types that columns have if the file has such columns. */
export type Open = (wanted: Types) => AsyncGenerator<Table>;

/** How a file is read in pieces. */
export interface StreamOptions {
  /** Rows of a piece, which are in memory at a time and shuffled among each other for training. Default 8192. */
  rows?: number | undefined;
}

export function checkPieceRows(name: string, rows: number | undefined): number {
  return checkInteger(`${name}: rows`, rows ?? 8192, { min: 1, max: 2 ** 24 });
}

/** Options of {@link TableStream.split}. */
export interface StreamSplitOptions {
  /** Fraction of the rows for the test part, in [0, 1). Default 0.2. */
  test?: number | undefined;
  /** Fraction of the rows for validation, in [0, 1). Default 0. */
  validation?: number | undefined;
  /** 32-bit unsigned integer, default 0: the same seed gives the same split. */
  seed?: number | undefined;
}

/** What {@link TableStream.split} returns. */
export interface SplitStreams {
  train: TableStream;
  validation: TableStream;
  test: TableStream;
}

/**
 * The rows of a file as a stream of tables, its pieces in order: `for await (const table of stream)`. Each pass opens
 * the file again, and no piece is kept. `streamCsv`, `streamJsonLines` and `streamParquet` make one; their errors are
 * thrown by the passes. The file must not change between them.
 */
export class TableStream {
  readonly #open: Open;

  /** For those functions. */
  constructor(open: Open) {
    checkArity('TableStream', arguments, 1);
    if (typeof open !== 'function') throw invalid('TableStream: open', 'a function', open);
    this.#open = open;
    Object.freeze(this);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Table> {
    return this.#open(new Map());
  }

  /**
   * The same pieces; columns have these types, whatever their values look like. Pieces lack such columns if the file
   * does, but JSON lines, of which each may have other names, throw `INVALID_ARGUMENT` after the last piece.
   */
  pieces(types?: ColumnTypes): AsyncGenerator<Table> {
    checkArity('pieces', arguments, 1);
    return this.#open(checkTypes('pieces: types', types));
  }

  /**
   * The rows that have a value in each of these columns. After the last piece, `INVALID_ARGUMENT` is thrown for a name
   * that the file lacks.
   */
  dropMissing(names: readonly string[]): TableStream {
    checkArity('dropMissing', arguments, 1);
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
      throw invalid('dropMissing: names', 'a list of names', names);
    const open = this.#open;
    const own: readonly string[] = [...names];
    return new TableStream(async function* (wanted) {
      let names: readonly string[] = [];
      for await (const table of open(wanted)) {
        names = table.names;
        // A column may begin in a later piece.
        yield own.every((name) => table.has(name)) ? table.dropMissing(own) : table.subset([]);
      }
      const missing = own.find((name) => !names.includes(name));
      if (missing !== undefined) throw invalid('dropMissing: names', `one of ${listed(names)}`, missing);
    });
  }

  /**
   * Divides the rows at random into disjoint streams: each row is in a part with the probability of its fraction. Each
   * part reads the whole file. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
   */
  split(options?: StreamSplitOptions): SplitStreams {
    checkArity('split', arguments, 1);
    const { test = 0.2, validation = 0, seed = 0 } = checkOptions('split', options, ['test', 'validation', 'seed']);
    checkNumber('split: test', test, { min: 0, below: 1 });
    checkNumber('split: validation', validation, { min: 0, below: 1 });
    checkNumber('split: test + validation', test + validation, { below: 1 });
    checkSeed('split: seed', seed);
    const open = this.#open;
    const part = (from: number, to: number) =>
      new TableStream(async function* (wanted) {
        const random = new RandomStream(seed, Stream.data);
        for await (const table of open(wanted)) {
          const rows: number[] = [];
          for (let row = 0; row < table.length; row++) {
            const place = random.uniform();
            if (place >= from && place < to) rows.push(row);
          }
          yield table.subset(rows);
        }
      });
    return { test: part(0, test), validation: part(test, test + validation), train: part(test + validation, 1) };
  }
}

/** The rows of two tables with the same columns. */
export function joinTables(a: Table, b: Table): Table {
  return new Table(a.names.map((name) => [name, joinColumns(a.column(name), b.column(name))] as const));
}

/** What readers of files give their rows to: a {@link TableBuilder} of the whole file, or {@link Pieces}. */
export interface RowSink {
  readonly columns: { has(name: string): boolean; readonly size: number };
  column(name: string): unknown;
  addRow(entries: Iterable<readonly [string, unknown]>, where: () => string): void;
  addValues(values: readonly unknown[], where: () => string): void;
}

export interface PieceOptions {
  /** Of the function that reads the file, for errors. */
  readonly name: string;
  /** Rows of a piece. */
  readonly rows: number;
  /** Types that the user gives, of which the file must have all columns. */
  readonly types: Types;
  /** Types of columns that the file may lack. */
  readonly wanted: Types;
  /** Whether later rows may have more columns. */
  readonly open: boolean;
  readonly written?: WrittenNumber | undefined;
  fail(message: string): BlasnetError;
}

/**
 * Collects rows and makes tables of them, piece by piece. A column has the type that its values in the first piece with
 * some look like. Strings that hardly repeat there may do so later: they are text if most have several words, too.
 */
export class Pieces implements RowSink {
  readonly columns = new Set<string>();
  /** Names that rows have, where these determine the columns. */
  readonly #seen = new Set<string>();
  readonly #options: PieceOptions;
  readonly #types = new Map<string, ColumnType>();
  readonly #guessed = new Map<string, ColumnType>();
  readonly #pending: ((to: TableBuilder) => void)[] = [];
  /** So many of them are in pieces that were read. */
  #taken = 0;
  #pieces = 0;

  constructor(options: PieceOptions) {
    this.#options = options;
    if (options.open) for (const name of [...options.types.keys(), ...options.wanted.keys()]) this.column(name);
  }

  column(name: string): void {
    if (this.columns.has(name)) return;
    const { types, wanted, fail } = this.#options;
    if (this.columns.size >= MAX_COLUMNS) throw fail(`more than ${MAX_COLUMNS} columns`);
    this.columns.add(name);
    const type = wanted.get(name) ?? types.get(name);
    if (type !== undefined) this.#types.set(name, type);
  }

  addRow(entries: Iterable<readonly [string, unknown]>, where: () => string): void {
    const row = [...entries];
    for (const [name] of row) {
      this.column(name);
      this.#seen.add(name);
    }
    this.#pending.push((to) => to.addRow(row, where));
  }

  addValues(values: readonly unknown[], where: () => string): void {
    this.#pending.push((to) => to.addValues(values, where));
  }

  /** Tables of the rows that a reader gives between its steps. */
  async *read(steps: AsyncIterable<void>): AsyncGenerator<Table> {
    const { rows } = this.#options;
    for await (const _ of steps) {
      // The last rows are kept, as they may be all rows.
      while (this.#left > rows) yield this.#take(rows, true);
      // At once, as each cut moves all that remains.
      this.#pending.splice(0, this.#taken);
      this.#taken = 0;
    }
    // The last step may give any number of rows. A file without rows still has columns.
    const some = this.#pieces > 0 || this.#left > 0;
    while (this.#left > 0 || this.#pieces === 0) yield this.#take(rows, this.#left > rows || this.#pieces > 0);
    // Only after the last row is it certain that none has such a name.
    if (!this.#options.open || !some) return;
    const { name, types, wanted } = this.#options;
    const lacks = (key: string) => !this.#seen.has(key);
    const mistaken = [...types.keys()].find(lacks);
    if (mistaken !== undefined) throw invalid(`${name}: types`, 'names of columns', mistaken);
    const missing = [...wanted.keys()].find(lacks);
    if (missing !== undefined) throw withoutColumn(name, [...this.#seen], missing);
  }

  get #left(): number {
    return this.#pending.length - this.#taken;
  }

  /** `partial`: this piece may not be all rows. */
  #take(count: number, partial: boolean): Table {
    const { name, types, fail, rows, written } = this.#options;
    const guessed = this.#guessed;
    const missing = [...types.keys()].find((key) => !this.columns.has(key));
    if (missing !== undefined) throw invalid(`${name}: types`, 'names of columns', missing);
    const taken = this.#pending.slice(this.#taken, this.#taken + count);
    this.#taken += taken.length;
    const first = this.#pieces++ === 0;
    const hint = `; columns without a given type have that of the first ${rows} rows: see the option types`;
    const refuse = (message: string) => fail(first ? message : message + hint);
    for (let builder: TableBuilder = new TableBuilder(this.#types, refuse, { written, guessed, partial }); ; ) {
      for (const name of this.columns) builder.column(name);
      for (const add of taken) add(builder);
      const again = builder.again();
      if (again !== undefined) {
        builder = again;
        continue;
      }
      const table = new Table(builder.finish(name));
      for (const key of table.names) {
        const column = table.column(key);
        if (!this.#types.has(key) && !guessed.has(key) && !isEmpty(column)) guessed.set(key, column.type);
      }
      return table;
    }
  }
}
