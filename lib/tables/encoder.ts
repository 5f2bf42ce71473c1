import { checkArity, checkChoice, checkInteger, checkOptions, describe, invalid, isPlain } from '../checks.js';
import { Dataset } from '../data/dataset.js';
import { shuffled } from '../data/split.js';
import { BlasnetError } from '../errors.js';
import { isNumeric } from '../numbers.js';
import { RandomStream, Stream } from '../random.js';
import { sharedFloats } from '../shared-memory.js';
import { quote } from '../text.js';
import type { TypedArray } from '../types.js';
import { ColumnBuilder, MAX_COLUMNS } from './builder.js';
import {
  asStrings,
  COLUMN_TYPES,
  type Column,
  type ColumnType,
  firstMissing,
  holdsStrings,
  isEmpty,
  valueAt,
} from './column.js';
import { booleanKind } from './encoders/boolean.js';
import { type CategoryOptions, categoryKind } from './encoders/category.js';
import { type DateOptions, dateKind } from './encoders/date.js';
import { type ColumnEncoder, checkGiven, type Given, type Kinds } from './encoders/kind.js';
import { type NumberOptions, numberKind } from './encoders/number.js';
import { type TextOptions, textKind } from './encoders/text.js';
import { checkRows, Table } from './table.js';
import { LabelTarget, type Prediction, type Target, ValueTarget } from './target.js';

/**
 * How a column is encoded. A number takes the options of {@link NumberOptions}, and so on; a truth value takes none.
 */
export interface ColumnOptions extends NumberOptions, CategoryOptions, DateOptions, TextOptions {
  /** Encode the column as one of this type, such as numbers that are codes as a category. Default: its own type. */
  as?: ColumnType | undefined;
}

export interface EncoderOptions {
  /** The column to predict. */
  target: string;
  /** Default: regression if the target is a column of numbers, else classification. */
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
   * any value are left out. Throws `INVALID_ARGUMENT` (also for a missing value of the target, naming its row),
   * `UNKNOWN_OPTION` for an option that a column's type does not have, and `EMPTY_DATA` without rows or columns to
   * learn from.
   */
  fit(table: Table): Encoder;
}

const kinds: Kinds = new Map([
  ['number', numberKind],
  ['boolean', booleanKind],
  ['category', categoryKind],
  ['date', dateKind],
  ['text', textKind],
]);

/** Maximum of numbers that a row becomes. */
const MAX_WIDTH = 2 ** 24;

/**
 * An encoder of tables for a network: every column but the target becomes numbers of one input, the target labels or
 * scaled numbers. `encoder({ target: 'species' }).fit(train)` learns from the training part alone; the result encodes
 * any other rows in the same way.
 *
 * - Numbers: scaled; missing ones are the median. Truth values: 0 and 1; missing ones are the mean.
 * - Categories: one place for each value, one for all rare and unseen values, one for missing values.
 * - Dates: the trend and sine and cosine of the place in the year, week and day. Text: hashed n-grams of words.
 * - Where the training part has missing numbers, truth values or dates, another number is 1 for those and else 0.
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
  return Object.freeze({
    fit(table: Table): Encoder {
      checkArity('fit', arguments, 1);
      if (!(table instanceof Table)) throw invalid('fit: table', 'a Table', table);
      return fitEncoder(table, target, task, own, ignored);
    },
  });
}

function fitEncoder(
  table: Table,
  target: string,
  task: EncoderOptions['task'],
  options: ReadonlyMap<string, Given>,
  ignored: ReadonlySet<string>,
): Encoder {
  if (table.length === 0) throw new BlasnetError('EMPTY_DATA', 'fit: table: expected one row or more, got none');
  for (const name of [target, ...options.keys(), ...ignored]) table.column(name);
  const optionsOf = (name: string): [string, ColumnType | undefined, Given] => {
    const label = `encoder: columns: ${quote(name)}`;
    const { as, ...rest } = options.get(name) ?? {};
    return [label, as === undefined ? undefined : checkChoice(`${label}: as`, as, COLUMN_TYPES), rest];
  };
  const columns: Given[] = [];
  for (const name of table.names) {
    if (name === target || ignored.has(name)) continue;
    const [label, as, own] = optionsOf(name);
    const held = table.column(name).type;
    const type = as ?? held;
    const from = fromOf(held, type);
    const column = columnAs('fit: table', table, name, type, from);
    // Nothing can be learnt of a column without values.
    if (isEmpty(column)) continue;
    columns.push({ name, type, ...(from && { from }), ...kinds.get(type)?.fit(label, name, column, own).toJSON() });
  }
  if (columns.length === 0)
    throw new BlasnetError('EMPTY_DATA', 'fit: table: expected a column with values besides the target, got none');
  return new Encoder({ version: 1, target: fitTarget(table, target, task, optionsOf(target)), columns });
}

function fitTarget(
  table: Table,
  name: string,
  task: EncoderOptions['task'],
  [label, as, options]: [string, ColumnType | undefined, Given],
): Given {
  const { type } = table.column(name);
  if (as !== undefined) throw invalid(`${label}: as`, 'none for the target, but task', as);
  const wanted = task ?? (type === 'number' ? 'regression' : 'classification');
  if (type === 'date') throw invalid('encoder: target', 'a column of another type than date', name);
  const own = wanted === 'regression' ? 'number' : 'category';
  const from = fromOf(type, own);
  const column = targetColumn('fit: table', table, name, own, from);
  if (wanted === 'classification') checkGiven(label, options, []);
  const target =
    wanted === 'regression'
      ? ValueTarget.fit(label, column, options)
      : LabelTarget.fit(`fit: table: column ${quote(name)}`, column);
  return { name, type: target.type, ...(from && { from }), ...target.toJSON() };
}

/** The target's column, in which no value may be missing. */
function targetColumn(label: string, table: Table, name: string, type: ColumnType, from: From): Column {
  const column = columnAs(label, table, name, type, from);
  const row = firstMissing(column);
  if (row < 0) return column;
  const hint = `leave such rows out with dropMissing([${quote(name)}])`;
  throw new BlasnetError('INVALID_ARGUMENT', `${label}: row ${row}: the target ${quote(name)} is missing; ${hint}`);
}

/** The type that a column had whose values became strings. */
type From = 'number' | 'boolean' | 'date' | undefined;

function fromOf(own: ColumnType, type: ColumnType): From {
  return holdsStrings(type) && !holdsStrings(own) ? own : undefined;
}

/** A column of a table as one of the given type. */
function columnAs(label: string, table: Table, name: string, type: ColumnType, from: From): Column {
  const column = table.column(name);
  if (holdsStrings(type)) return asStrings(column, type, from);
  if (column.type === type) return column;
  return readColumn(label, table.length, name, type, (row) => valueAt(column, row));
}

/** A column of the given type of values that may have other ones. */
function readColumn(
  label: string,
  rows: number,
  name: string,
  type: ColumnType,
  valueOf: (row: number) => unknown,
): Column {
  const builder = new ColumnBuilder(type);
  for (let row = 0; row < rows; row++) {
    const value = valueOf(row);
    const expected = builder.add(value);
    if (expected === undefined) continue;
    const text = `expected ${expected}, got ${describe(value)}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${label}: row ${row}, column ${quote(name)}: ${text}`);
  }
  return builder.finish();
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
      const text = `row ${row}, column ${quote(name)}: the value is too large, its number for the network overflows`;
      throw new BlasnetError('NON_FINITE', `${label}: ${text}`);
    }
  }
}

interface EncodedColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly from: From;
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

/** Plain objects, one a row. */
type Rows = Iterable<Readonly<Record<string, unknown>>>;

export interface BatchOptions {
  /** Rows of a batch. Default 64. */
  batchSize?: number | undefined;
  /** 32-bit unsigned integer, default 0: the same seed gives the same batches. */
  seed?: number | undefined;
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
  /** Shape of a row as the network sees it: `[width]`. */
  readonly shape: readonly [number];
  readonly #target: Target;
  readonly #from: From;
  readonly #columns: readonly EncodedColumn[];

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
      if (typeof name !== 'string' || names.has(name)) throw invalid(`${label}: name`, 'a name of its own', name);
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
    const width = this.#columns.reduce((sum, column) => sum + column.encoder.width, 0);
    this.shape = Object.freeze([checkInteger('Encoder: width', width, { min: 1, max: MAX_WIDTH })] as const);
    Object.freeze(this);
  }

  /** Makes an encoder of what `toJSON` returned. Throws like the constructor. */
  static fromJSON(json: EncoderJson): Encoder {
    checkArity('Encoder.fromJSON', arguments, 1);
    return new Encoder(json);
  }

  /** What each number of a row means, such as `island=Dream` or `age (missing)`. */
  get featureNames(): readonly string[] {
    return this.#columns.flatMap(({ encoder }) => encoder.names());
  }

  /**
   * The rows of a table with their targets, for `fit` and `evaluate`. Throws `INVALID_ARGUMENT` for a table without one
   * of the columns or with a missing target, naming the row, and `LABEL_OUT_OF_RANGE` for a label that the training
   * part did not have. `NON_FINITE` for a value so large that its number for the network overflows.
   */
  dataset(table: Table): Dataset {
    checkArity('dataset', arguments, 1);
    if (!(table instanceof Table)) throw invalid('dataset: table', 'a Table', table);
    const column = targetColumn('dataset: table', table, this.target, this.#target.type, this.#from);
    const label = `dataset: table: column ${quote(this.target)}`;
    return this.#encode('dataset: table', table, {
      ...this.#target.encode(label, column),
      ...(this.labels && { labelNames: this.labels }),
    });
  }

  /**
   * The rows of a table with their targets, batch by batch, as a stream for `fit` and `evaluate`: only one batch at a
   * time is encoded, so that wide rows (long texts, many categories) need little memory. Each pass has another random
   * order. Throws like {@link dataset}, and `INVALID_ARGUMENT` and `UNKNOWN_OPTION` for options.
   */
  batches(table: Table, options?: BatchOptions): Iterable<Dataset> {
    checkArity('batches', arguments, 2);
    const given = checkOptions('batches', options, ['batchSize', 'seed']);
    const size = checkInteger('batches: batchSize', given.batchSize ?? 64, { min: 1, below: 2 ** 31 });
    const seed = checkInteger('batches: seed', given.seed ?? 0, { min: 0, max: 2 ** 32 - 1 });
    if (!(table instanceof Table)) throw invalid('batches: table', 'a Table', table);
    // All that can be wrong is said at once, with the number of the row in the whole table.
    const target = targetColumn('batches: table', table, this.target, this.#target.type, this.#from);
    const typed = new Table([
      ...this.#columns.map((column) => [column.name, columnFor('batches: table', table, column)] as const),
      [this.target, target] as const,
    ]);
    this.#target.encode(`batches: table: column ${quote(this.target)}`, target);
    const random = new RandomStream(seed, Stream.data);
    const dataset = (rows: Int32Array) => this.dataset(typed.subset(rows));
    return {
      *[Symbol.iterator]() {
        const order = shuffled(typed.length, random);
        for (let begin = 0; begin < order.length; begin += size) yield dataset(order.subarray(begin, begin + size));
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
   * is not looked at. Throws `INVALID_ARGUMENT`, and `NON_FINITE` for a value so large that its number for the network
   * overflows, naming row and column.
   */
  features(rows: Table | Rows): Dataset {
    checkArity('features', arguments, 1);
    const label = 'features: rows';
    return this.#encode(label, rows instanceof Table ? rows : this.#table(label, rows), {});
  }

  /**
   * What a network's outputs say of each row: `encoder.decode(await network.predictAsync(encoder.features(rows)))`.
   * Labels with their probabilities, or values in the unit of the target. Throws `INVALID_ARGUMENT`, and
   * `NON_FINITE` for a prediction that is no finite number, naming the row, and
   * `SHAPE_MISMATCH` if there are not as many outputs as labels (two labels may have one output, the probability of the
   * second). `rows`: their number; default: as if there were one output for each label.
   */
  decode(outputs: TypedArray, rows?: number): Prediction[] {
    checkArity('decode', arguments, 2);
    if (!isNumeric(outputs)) throw invalid('decode: outputs', 'a typed array of numbers', outputs);
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

  #table(label: string, rows: unknown): Table {
    const list = checkRows(label, rows);
    return new Table(
      this.#columns.map(({ name, type }) => {
        if (list.length > 0 && !list.some((row) => Object.hasOwn(row, name)))
          throw invalid(label, `the key ${quote(name)} in at least one row (null where it is missing)`, 'none');
        const valueOf = (row: number) => {
          const value = Object.hasOwn(list[row], name) ? list[row][name] : null;
          // As in files.
          return typeof value === 'string' ? value.trim() || null : value;
        };
        return [name, readColumn(label, list.length, name, type, valueOf)] as const;
      }),
    );
  }

  #encode(label: string, table: Table, rest: object): Dataset {
    const [width] = this.shape;
    const features = sharedFloats(table.length * width);
    let at = 0;
    for (const column of this.#columns) {
      const { name, encoder } = column;
      encoder.encode(columnFor(label, table, column), features, at, width);
      checkFinite(label, name, features, { at, end: at + encoder.width, width });
      at += encoder.width;
    }
    return new Dataset({ features, shape: this.shape, ...rest });
  }
}
