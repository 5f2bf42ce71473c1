import { checkArity, checkChoice, checkInteger, checkOptions, checkSeed, invalid, isPlain, SIZES } from '../checks.js';
import { Dataset } from '../data/dataset.js';
import { SparseDataset } from '../data/sparse-dataset.js';
import { shuffled } from '../data/split.js';
import { BlasnetError } from '../errors.js';
import { input, type Node } from '../graph/node.js';
import { isNumeric } from '../numbers.js';
import { RandomStream, Stream } from '../random.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import { quote } from '../text.js';
import type { TypedArray } from '../types.js';
import { columnAs, type From, readColumn, targetColumn } from './as-type.js';
import { MAX_COLUMNS } from './builder.js';
import { COLUMN_TYPES, type Column, type ColumnType, holdsStrings, isEmpty } from './column.js';
import type { CategoryOptions } from './encoders/category.js';
import type { DateOptions } from './encoders/date.js';
import { type ColumnEncoder, checkGiven, type Given } from './encoders/kind.js';
import { kinds } from './encoders/kinds.js';
import type { NumberOptions } from './encoders/number.js';
import type { TextOptions } from './encoders/text.js';
import { Fitting } from './fitting.js';
import { joinTables, TableStream } from './stream.js';
import { checkRows, Table } from './table.js';
import { LabelTarget, type Prediction, type Target, ValueTarget } from './target.js';

/**
 * How a column is encoded. A number takes the options of {@link NumberOptions}, and so on; a truth value takes none.
 */
export interface ColumnOptions extends NumberOptions, CategoryOptions, DateOptions, TextOptions {
  /** Encode the column as one of this type, such as numbers that are codes as a category. Default: its own type. */
  as?: ColumnType | undefined;
}

/** Options of {@link encoder}. */
export interface EncoderOptions {
  /** The column to predict. */
  target: string;
  /** Default: regression if the target is a column of numbers, otherwise classification. */
  task?: 'classification' | 'regression' | undefined;
  /** Options of columns by their names; of the target of a regression too. */
  columns?: Readonly<Record<string, ColumnOptions>> | undefined;
  /** Columns that the network should not see, such as ids. */
  ignore?: readonly string[] | undefined;
}

/** A fitted encoder as plain data. */
export interface EncoderJson {
  readonly version: 1;
  readonly target: Given;
  readonly columns: readonly Given[];
}

/** What {@link encoder} returns: an encoder that has not seen any data. */
export interface EncoderPlan {
  /**
   * Learns medians, means, categories and labels from a table, which should be the training part alone. Columns without
   * any value are skipped. Throws `INVALID_ARGUMENT` (also for a missing value of the target, naming its row),
   * `UNKNOWN_OPTION` for an option that a column's type does not have, `EMPTY_DATA` without rows or columns to learn
   * from, and `NON_FINITE` for a column of numbers so large that their spread overflows.
   */
  fit(table: Table): Encoder;
  /**
   * Learns the same from all rows of a file, read once, piece by piece; so give it the training part alone. Medians and
   * the quartiles of `scale: 'robust'` are those of 32,768 rows drawn at random (or of the first piece, if that has
   * more). Rejects like `fit`, and with what reading the file rejects with.
   */
  fitStream(rows: TableStream): Promise<Encoder>;
}

/** Numbers of rows that are encoded at a time, before their zeros are dropped. */
const AT_ONCE = 2 ** 20;

/** Maximum of numbers that a row becomes. */
const MAX_WIDTH = 2 ** 24;

/** The input of all that is not an index, where a network has several. */
const NUMBERS = 'numbers';

/**
 * An encoder of tables for a network: every column but the target becomes numbers of one input, the target labels or
 * scaled numbers. `encoder({ target: 'species' }).fit(train)` learns from the training part alone; the result encodes
 * any other rows in the same way.
 *
 * - Numbers: scaled; missing ones are the median. Truth values: 0 and 1; missing ones are the mean.
 * - Categories: one place for each value, one for all rare and unseen values, one for missing values. With
 *   `encoding: 'index'` the place itself, for an embedding, as an input of its own (see {@link Encoder.inputs}).
 * - Dates: the trend and sine and cosine of the place in the year, week and day. Text: hashed n-grams of words.
 * - Where the training part has missing numbers, truth values or dates, another number is 1 for those and 0 otherwise.
 *
 * Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function encoder(options: EncoderOptions): EncoderPlan {
  checkArity('encoder', arguments, 1);
  const given = checkOptions('encoder', options, ['target', 'task', 'columns', 'ignore']);
  const { target, task, columns = {}, ignore = [] } = given;
  if (typeof target !== 'string') throw invalid('encoder: target', 'the name of a column', target);
  if (task !== undefined) checkChoice('encoder: task', task, ['classification', 'regression']);
  if (!isPlain(columns) || Array.isArray(columns))
    throw invalid('encoder: columns', 'options by column names', columns);
  const own = new Map<string, Given>();
  for (const [name, value] of Object.entries(columns)) {
    if (!isPlain(value) || Array.isArray(value)) throw invalid(`encoder: columns: ${quote(name)}`, 'options', value);
    own.set(name, { ...value });
  }
  if (!Array.isArray(ignore) || !ignore.every((name) => typeof name === 'string'))
    throw invalid('encoder: ignore', 'a list of column names', ignore);
  const ignored: ReadonlySet<string> = new Set(ignore);
  if (ignored.has(target)) throw invalid('encoder: ignore', 'no target', target);
  for (const name of own.keys()) if (ignored.has(name)) throw invalid('encoder: columns', 'no ignored column', name);
  const plan = { target, task, options: own, ignored };
  return Object.freeze({
    fit(table: Table): Encoder {
      checkArity('fit', arguments, 1);
      if (!(table instanceof Table)) throw invalid('fit: table', 'a Table', table);
      const fitting = new Fitting(plan);
      fitting.add('fit: table', table);
      return new Encoder(fitting.finish('fit: table'));
    },
    async fitStream(rows: TableStream): Promise<Encoder> {
      checkArity('fitStream', arguments, 1);
      if (!(rows instanceof TableStream)) throw invalid('fitStream: rows', 'a TableStream', rows);
      const fitting = new Fitting(plan);
      for await (const piece of rows) fitting.add(`fitStream: rows from ${fitting.rows}`, piece);
      return new Encoder(fitting.finish('fitStream: rows'));
    },
  });
}

/** Finite values of a table may overflow in single precision, far from those of the training part. */
function checkFinite(
  label: string,
  name: string,
  features: Float32Array,
  { at, end, width }: { at: number; end: number; width: number },
): void {
  for (let row = 0, begin = 0; begin < features.length; row++, begin += width) {
    for (let i = begin + at; i < begin + end; i++) {
      if (Number.isFinite(features[i])) continue;
      const text = `row ${row}, column ${quote(name)}: the value is too large: encoded, it overflows float32`;
      throw new BlasnetError('NON_FINITE', `${label}: ${text}`);
    }
  }
}

interface Typed {
  readonly name: string;
  readonly type: ColumnType;
  readonly from: From;
}

interface EncodedColumn extends Typed {
  readonly encoder: ColumnEncoder;
}

/** A column for its encoder. Throws if its values were read as another type, which makes all of them unknown. */
function columnFor(label: string, table: Table, { name, type, from, encoder }: EncodedColumn): Column {
  const column = columnAs(label, table, name, type, from);
  const own = table.column(name).type;
  if (encoder.knows === undefined || holdsStrings(own) || from !== undefined || isEmpty(column)) return column;
  if ((column.values as readonly (string | null)[]).some((value) => value !== null && encoder.knows?.(value)))
    return column;
  const hint = `give the reader types: { ${quote(name)}: 'category' }`;
  const text = `column ${quote(name)} was read as ${own}, and none of its values is one of the categories; ${hint}`;
  throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
}

/** Names for inputs: those of the columns, with _ for what a name of a node can't have; all different. */
function inputNames(columns: readonly EncodedColumn[]): string[] {
  const taken = new Set([NUMBERS]);
  return columns.map(({ name: own }) => {
    let name = own.replaceAll(/[^\w-]/g, '_').replace(/^(?![A-Za-z_])/, '_');
    while (taken.has(name)) name += '_';
    taken.add(name);
    return name;
  });
}

/** Plain objects, one a row; not `Record`, which a row of an `interface` is not. */
type Rows = Iterable<object>;

/**
 * Rows as a table of which `features` takes any part. All that can be wrong is said at once, with the number of the row
 * among all rows. Throws like `features`.
 */
export let typedRows: (encoder: Encoder, label: string, rows: Table | Rows) => Table;

/** Options of an encoder's `batches` and `stream`. */
export interface BatchOptions {
  /** Rows of a batch. Default 64. */
  batchSize?: number | undefined;
  /** 32-bit unsigned integer, default 0: the same seed gives the same batches. */
  seed?: number | undefined;
}

function readBatches(name: string, options: BatchOptions | undefined): { size: number; random: RandomStream } {
  const { batchSize = 64, seed = 0 } = checkOptions(name, options, ['batchSize', 'seed']);
  const size = checkInteger(`${name}: batchSize`, batchSize, SIZES);
  checkSeed(`${name}: seed`, seed);
  return { size, random: new RandomStream(seed, Stream.data) };
}

/** Rows `begin` to `end`. */
function range(table: Table, begin: number, end: number): Table {
  return table.subset(Int32Array.from({ length: end - begin }, (_, i) => begin + i));
}

/**
 * A fitted encoder; {@link encoder} makes one. It is plain data: `JSON.stringify(encoder)` stores one, and the
 * constructor or `Encoder.fromJSON(JSON.parse(text))` reads it. `network.encoder = encoder` gives it to a network,
 * whose files then keep it. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION` for anything else.
 */
export class Encoder {
  /** Name of the column to predict. */
  readonly target: string;
  /** The labels of a classification, in the order of the network's outputs. */
  readonly labels: readonly string[] | undefined;
  /** Numbers that the network must give: one for each label, or one value. */
  readonly outputs: number;
  /**
   * Shape of a row as the network sees it: `[width]`. Without the columns of {@link vocabularies}; 0 if all are there.
   */
  readonly shape: readonly [number];
  /**
   * The columns with `encoding: 'index'`, and what each of their indices means, such as `city (other)`, `city=Bern`.
   * The length of a list is the vocabulary of an `embedding`.
   */
  readonly vocabularies: Readonly<Record<string, readonly string[]>>;
  readonly #target: Target;
  readonly #from: From;
  /** Those that become numbers, and those that become indices. */
  readonly #columns: readonly EncodedColumn[];
  readonly #numbers: readonly EncodedColumn[];
  readonly #indices: readonly EncodedColumn[];
  /** Of the inputs of indices, in their order. */
  readonly #inputNames: readonly string[];

  static {
    typedRows = (encoder, label, rows) => {
      const table = rows instanceof Table ? rows : encoder.#table(label, rows);
      return new Table(encoder.#typedColumns(label, table));
    };
  }

  constructor(json: EncoderJson) {
    checkArity('Encoder', arguments, 1);
    const { version, target, columns } = checkGiven('Encoder', json, ['version', 'target', 'columns']);
    checkInteger('Encoder: version', version, { min: 1, max: 1 });
    if (!Array.isArray(columns) || columns.length === 0 || columns.length > MAX_COLUMNS)
      throw invalid('Encoder: columns', `a list of 1 to ${MAX_COLUMNS} columns`, columns);
    const names = new Set<string>();
    const read = (label: string, entry: unknown) => {
      if (!isPlain(entry) || Array.isArray(entry)) throw invalid(label, 'an object', entry);
      const { name, type, from, ...rest } = entry as Record<string, unknown>;
      if (typeof name !== 'string' || names.has(name)) throw invalid(`${label}: name`, 'a unique name', name);
      names.add(name);
      const own = `${label} (${quote(name)})`;
      if (from !== undefined) {
        checkChoice(`${own}: from`, from, ['number', 'boolean', 'date']);
        if (!holdsStrings(type as ColumnType)) throw invalid(`${own}: from`, 'none for this type', from);
      }
      return { name, type, from: from as From, rest, label: own };
    };
    const goal = read('Encoder: target', target);
    const type = checkChoice(`${goal.label}: type`, goal.type, ['number', 'category']);
    this.target = goal.name;
    this.#from = goal.from;
    this.#target = (type === 'number' ? ValueTarget : LabelTarget).read(goal.label, goal.rest);
    this.labels = this.#target.labels;
    this.outputs = this.labels?.length ?? 1;
    this.#columns = columns.map((entry: unknown, i) => {
      const { name, type: own, from, rest, label } = read(`Encoder: columns[${i}]`, entry);
      const checked = checkChoice(`${label}: type`, own, COLUMN_TYPES);
      const kind = kinds.get(checked);
      if (kind === undefined) throw invalid(`${label}: type`, 'a type of a column', own);
      return { name, type: checked, from, encoder: kind.read(label, name, rest) };
    });
    this.#numbers = this.#columns.filter((column) => column.encoder.index !== true);
    this.#indices = this.#columns.filter((column) => column.encoder.index === true);
    const width = this.#numbers.reduce((sum, column) => sum + column.encoder.width, 0);
    const min = this.#indices.length > 0 ? 0 : 1;
    this.shape = Object.freeze([checkInteger('Encoder: width', width, { min, max: MAX_WIDTH })] as const);
    this.vocabularies = Object.freeze(
      Object.fromEntries(this.#indices.map(({ name, encoder }) => [name, Object.freeze(encoder.names())])),
    );
    if (width > 0 && Object.hasOwn(this.vocabularies, NUMBERS)) {
      const text = `the column ${quote(NUMBERS)} can't have encoding: 'index' beside columns of numbers`;
      throw new BlasnetError('INVALID_ARGUMENT', `Encoder: ${text}, whose input has that name`);
    }
    this.#inputNames = inputNames(this.#indices);
    Object.freeze(this);
  }

  /** Makes an encoder of what `toJSON` returned. Throws like the constructor. */
  static fromJSON(json: EncoderJson): Encoder {
    checkArity('Encoder.fromJSON', arguments, 1);
    return new Encoder(json);
  }

  /** What each number of a row means, such as `island=Dream` or `age (missing)`. */
  get featureNames(): readonly string[] {
    return this.#numbers.flatMap(({ encoder }) => encoder.names());
  }

  /**
   * New inputs of a network for what the encoder makes of a row: `numbers` of the shape {@link shape} (if there are
   * some), and an index input of the shape [1] for each column of {@link vocabularies}. The keys are `numbers` and the
   * columns' names. An input is named like its column, with _ for what a name of a node can't have.
   */
  inputs(): Readonly<Record<string, Node>> {
    checkArity('inputs', arguments, 0);
    const indices = this.#indices.map(
      ({ name }, i) => [name, input([1], { name: this.#inputNames[i], type: 'index' })] as const,
    );
    const numbers = this.shape[0] > 0 ? { [NUMBERS]: input(this.shape, { name: NUMBERS }) } : {};
    return Object.freeze({ ...numbers, ...Object.fromEntries(indices) });
  }

  /**
   * The rows of a table with their targets, for `fit` and `evaluate`. Throws `INVALID_ARGUMENT` for a table without one
   * of the columns or with a missing target, naming the row, and `LABEL_OUT_OF_RANGE` for a label that the training
   * part did not have. `NON_FINITE` for a value so large that it overflows float32 when encoded.
   */
  dataset(table: Table): Dataset {
    checkArity('dataset', arguments, 1);
    if (!(table instanceof Table)) throw invalid('dataset: table', 'a Table', table);
    return this.#encode('dataset: table', table, this.#goal('dataset: table', table));
  }

  /**
   * The same as a sparse dataset, which holds only the numbers that are not 0: for hashed texts and many categories.
   * Training is the same to the bit. Throws like {@link dataset}, and `INVALID_ARGUMENT` for an encoder with columns of
   * indices, which have an input of their own.
   */
  sparse(table: Table): SparseDataset {
    checkArity('sparse', arguments, 1);
    if (!(table instanceof Table)) throw invalid('sparse: table', 'a Table', table);
    const [index] = this.#indices;
    if (index !== undefined) throw invalid('sparse', "no column with encoding: 'index'", index.name);
    // All that can be wrong is said at once, with the number of the row in the whole table.
    const typed = this.#typed('sparse: table', table);
    const [columns] = this.shape;
    const most = Math.max(1, Math.floor(AT_ONCE / columns));
    const rowOffsets = sharedIntegers(typed.length + 1);
    const scratch = new Float32Array(Math.min(most, typed.length) * columns);
    // Entries of all rows, with space for more.
    let [indices, values] = [new Int32Array(4096), new Float32Array(4096)];
    let entry = 0;
    for (let begin = 0; begin < typed.length; begin += most) {
      const end = Math.min(begin + most, typed.length);
      const features = scratch.subarray(0, (end - begin) * columns).fill(0);
      this.#write('sparse: table', range(typed, begin, end), features);
      for (let row = begin, i = 0; row < end; row++) {
        for (let column = 0; column < columns; column++, i++) {
          if (features[i] === 0) continue;
          if (entry === indices.length) {
            const grown = [new Int32Array(2 * entry), new Float32Array(2 * entry)] as const;
            grown[0].set(indices);
            grown[1].set(values);
            [indices, values] = grown;
          }
          indices[entry] = column;
          values[entry++] = features[i];
        }
        rowOffsets[row + 1] = entry;
      }
    }
    return new SparseDataset({
      rowOffsets,
      indices: indices.subarray(0, entry),
      values: values.subarray(0, entry),
      columns,
      ...this.#goal('sparse: table', typed),
    });
  }

  /**
   * The rows of a table with their targets, batch by batch, as a stream for `fit` and `evaluate`: only one batch at a
   * time is encoded, so that wide rows (long texts, many categories) need little memory. Each pass has another random
   * order. Throws like {@link dataset}, and `INVALID_ARGUMENT` and `UNKNOWN_OPTION` for options.
   */
  batches(table: Table, options?: BatchOptions): Iterable<Dataset> {
    checkArity('batches', arguments, 2);
    const { size, random } = readBatches('batches', options);
    if (!(table instanceof Table)) throw invalid('batches: table', 'a Table', table);
    // All that can be wrong is said at once, with the number of the row in the whole table.
    const typed = this.#typed('batches: table', table);
    const dataset = (rows: Int32Array) => this.dataset(typed.subset(rows));
    return {
      *[Symbol.iterator]() {
        const order = shuffled(typed.length, random);
        for (let begin = 0; begin < order.length; begin += size) yield dataset(order.subarray(begin, begin + size));
      },
    };
  }

  /**
   * The rows of a file with their targets, as a stream for `fit` and `evaluate`. One piece of the file is in memory at
   * a time, and one batch of it is encoded. Rows are in random order within each piece, another one in each pass; the
   * pieces are in the order of the file. Errors are those of {@link batches} and of reading the file; rows are counted
   * within the piece that the message names.
   */
  stream(rows: TableStream, options?: BatchOptions): AsyncIterable<Dataset> {
    checkArity('stream', arguments, 2);
    const { size, random } = readBatches('stream', options);
    if (!(rows instanceof TableStream)) throw invalid('stream: rows', 'a TableStream', rows);
    const held = ({ name, type, from }: Typed) => [name, from ?? type] as const;
    const own = { name: this.target, type: this.#target.type, from: this.#from };
    const types = Object.fromEntries([...this.#columns.map(held), held(own)]);
    const typed = (label: string, table: Table) => this.#typed(label, table);
    const dataset = (table: Table) => this.dataset(table);
    return {
      async *[Symbol.asyncIterator]() {
        let first = 0;
        let rest: Table | undefined;
        for await (const piece of rows.pieces(types)) {
          if (piece.length === 0) continue;
          const table = typed(`stream: rows from ${first}`, piece);
          first += piece.length;
          const order = shuffled(table.length, random);
          // What was too little for a batch comes first.
          const all: Table = rest === undefined ? table.subset(order) : joinTables(rest, table.subset(order));
          let begin = 0;
          for (; begin + size <= all.length; begin += size) yield dataset(range(all, begin, begin + size));
          rest = begin < all.length ? range(all, begin, all.length) : undefined;
        }
        if (rest !== undefined) yield dataset(rest);
      },
    };
  }

  /**
   * Plain objects as a table of the columns that are encoded, with their types. null stands for a missing value; other
   * keys don't count. Strings have no spaces around them, and empty ones are missing.
   * Throws `INVALID_ARGUMENT` for a column that is missing in all rows and for values of another type,
   * naming row and column.
   */
  table(rows: Rows): Table {
    checkArity('table', arguments, 1);
    return this.#table('table: rows', rows);
  }

  /**
   * Rows without targets, for `predict`: a table or plain objects, as {@link table} takes them; a column of the target
   * is not looked at. Throws `INVALID_ARGUMENT`, and `NON_FINITE` for a value so large that it overflows
   * float32 when encoded, naming row and column.
   */
  features(rows: Table | Rows): Dataset {
    checkArity('features', arguments, 1);
    const label = 'features: rows';
    return this.#encode(label, rows instanceof Table ? rows : this.#table(label, rows), {});
  }

  /**
   * What a network's outputs say of each row:
   * `encoder.decode(await network.predictAsync(encoder.features(rows)), rows.length)`.
   * Labels with their probabilities, or values in the unit of the target. `rows`: their number. Default: one row for
   * as many outputs as there are labels, or for each value; two labels need it, as they may also have one output, the
   * probability of the second. Throws `INVALID_ARGUMENT`, and `NON_FINITE` for a prediction that is not a finite number,
   * naming the row, and `SHAPE_MISMATCH` if there are not as many outputs as labels.
   */
  decode(outputs: TypedArray, rows?: number): Prediction[] {
    checkArity('decode', arguments, 2);
    if (!isNumeric(outputs)) throw invalid('decode: outputs', 'a typed array of numbers', outputs);
    if (rows === undefined && this.labels?.length === 2 && outputs.length > 0)
      throw invalid('decode: rows', 'the number of rows, as two labels may have one output or two', rows);
    const count = rows ?? outputs.length / this.outputs;
    checkInteger('decode: rows', count, { min: 0 });
    return count === 0 ? [] : this.#target.decode(outputs, count);
  }

  /** Plain data, for `Encoder.fromJSON`. */
  toJSON(): EncoderJson {
    const typed = (name: string, type: ColumnType, from: From) => ({ name, type, ...(from && { from }) });
    const target = { ...typed(this.target, this.#target.type, this.#from), ...this.#target.toJSON() };
    const columns = this.#columns.map(({ name, type, from, encoder }) => ({
      ...typed(name, type, from),
      ...encoder.toJSON(),
    }));
    return { version: 1, target, columns };
  }

  /** The columns that are encoded and the target, as their types, of which {@link dataset} will take any rows. */
  #typed(label: string, table: Table): Table {
    const target = targetColumn(label, table, this.target, this.#target.type, this.#from);
    this.#target.encode(`${label}: column ${quote(this.target)}`, target);
    return new Table([...this.#typedColumns(label, table), [this.target, target] as const]);
  }

  /** The columns that are encoded, as their types, of which {@link features} will take any rows. */
  #typedColumns(label: string, table: Table): (readonly [string, Column])[] {
    return this.#columns.map((one) => {
      const { name, type, encoder } = one;
      const column = columnFor(label, table, one);
      // The places of the others are 0 or 1 whatever the values, and many.
      if (type === 'number' || type === 'date') {
        const { width } = encoder;
        const features = new Float32Array(table.length * width);
        encoder.encode(column, features, 0, width);
        checkFinite(label, name, features, { at: 0, end: width, width });
      }
      return [name, column] as const;
    });
  }

  /** The targets of a table as options of a dataset. */
  #goal(label: string, table: Table) {
    const column = targetColumn(label, table, this.target, this.#target.type, this.#from);
    return {
      ...this.#target.encode(`${label}: column ${quote(this.target)}`, column),
      ...(this.labels && { labelNames: this.labels }),
    };
  }

  #table(label: string, rows: unknown): Table {
    const list = checkRows(label, rows);
    return new Table(
      this.#columns.map(({ name, type }) => {
        if (list.length > 0 && !list.some((row) => Object.hasOwn(row, name)))
          throw invalid(label, `the key ${quote(name)} in at least one row (null where it is missing)`, 'none');
        const valueOf = (row: number) => (Object.hasOwn(list[row], name) ? list[row][name] : null);
        return [name, readColumn(label, list.length, name, type, valueOf)] as const;
      }),
    );
  }

  #encode(label: string, table: Table, rest: object): Dataset {
    const numbers = sharedFloats(table.length * this.shape[0]);
    this.#write(label, table, numbers);
    if (this.#indices.length === 0) return new Dataset({ features: numbers, shape: this.shape, ...rest });
    const indices = this.#indices.map((column, i) => {
      const values = sharedFloats(table.length);
      column.encoder.encode(columnFor(label, table, column), values, 0, 1);
      return [this.#inputNames[i], { values, shape: [1] }] as const;
    });
    const features = this.shape[0] > 0 ? { [NUMBERS]: { values: numbers, shape: this.shape } } : {};
    return new Dataset({ features: { ...features, ...Object.fromEntries(indices) }, ...rest });
  }

  /** Writes the numbers of each row, without indices; `features` is 0 there. */
  #write(label: string, table: Table, features: Float32Array): void {
    const [width] = this.shape;
    let at = 0;
    for (const column of this.#numbers) {
      const { name, encoder } = column;
      encoder.encode(columnFor(label, table, column), features, at, width);
      checkFinite(label, name, features, { at, end: at + encoder.width, width });
      at += encoder.width;
    }
  }
}
