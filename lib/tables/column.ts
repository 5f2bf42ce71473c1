import { types } from 'node:util';
import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { listed, quote } from '../text.js';

/** What a column holds. `category` and `text` are both strings; encoders treat them differently. */
export type ColumnType = 'number' | 'boolean' | 'category' | 'text' | 'date';
export const COLUMN_TYPES: readonly ColumnType[] = ['number', 'boolean', 'category', 'text', 'date'];

/** Numbers, or dates as milliseconds since 1970 in UTC. NaN: missing. */
export interface NumberColumn {
  readonly type: 'number' | 'date';
  readonly values: Float64Array;
}

/** Strings. null: missing. */
export interface StringColumn {
  readonly type: 'category' | 'text';
  readonly values: readonly (string | null)[];
}

/** Truth values. null: missing. */
export interface BooleanColumn {
  readonly type: 'boolean';
  readonly values: readonly (boolean | null)[];
}

/** A column of a {@link Table}: its type and one value a row. */
export type Column = NumberColumn | StringColumn | BooleanColumn;

/** A value of a row: null is a missing one. */
export type Value = number | string | boolean | Date | null;

/** Stands for a value that is not of the type it should be. */
export const MISFIT = Symbol('misfit');

/** Each digit has one place to be matched at, or long runs of digits would take quadratic time. */
export const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
/** Such as the postal code 01234, whose zero means something. */
const LEADING_ZERO = /^[+-]?0\d/;
const TRUTH = /^(?:true|false)$/i;
/** ISO 8601: a date, then perhaps a time, then perhaps its zone. */
const DATE =
  /^(\d{4})([-/])(\d\d)\2(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?$/;

/** Milliseconds since 1970 of an ISO 8601 date, in UTC unless it has a zone; NaN for anything else. */
function parseDate(text: string): number {
  const match = DATE.exec(text);
  if (match === null) return Number.NaN;
  const [, year, , month, day, hour = 0, minute = 0, second = 0, fraction = '', sign, zoneHour = 0, zoneMinute = 0] =
    match;
  const date = new Date(0);
  // Not Date.UTC, which takes the years up to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // Days such as the 30th of February would be counted on into the next month.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return Number.NaN;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return Number.NaN;
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return Number.NaN;
  const zone = (sign === '-' ? -1 : 1) * (Number(zoneHour) * 60 + Number(zoneMinute));
  const minutes = Number(hour) * 60 + Number(minute) - zone;
  return date.getTime() + (minutes * 60 + Number(second)) * 1000 + Math.floor(Number(`0.${fraction || 0}`) * 1000);
}

/** A number as it is written in a text file, with a decimal point; anything else as it is, or empty. */
export type WrittenNumber = (text: string) => string;

/** Whether a text is a number that a double holds: one that overflows, or loses digits of an id, is none. */
function isNumber(text: string): boolean {
  if (!NUMBER.test(text) || LEADING_ZERO.test(text)) return false;
  const number = Number(text);
  return INTEGER.test(text) ? Number.isSafeInteger(number) : Number.isFinite(number);
}

/**
 * The type that a value looks like. `written`: strings come from a text file, where numbers (read by this function) and
 * truth values are written too.
 */
export function guessType(value: unknown, written: WrittenNumber | undefined): ColumnType | undefined {
  if (typeof value === 'string') {
    if (written !== undefined && isNumber(written(value))) return 'number';
    if (written && TRUTH.test(value)) return 'boolean';
    return Number.isNaN(parseDate(value)) ? 'category' : 'date';
  }
  if (typeof value === 'number') return 'number';
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? 'number' : 'category';
  if (typeof value === 'boolean') return 'boolean';
  return isDate(value) ? 'date' : undefined;
}

/** Whether a value is a Date, from any realm. */
function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]';
}

/** Whether a value stands for a missing one. */
export function isMissing(value: unknown): boolean {
  return value === null || value === undefined || Number.isNaN(value) || (isDate(value) && Number.isNaN(+value));
}

function finite(value: number): number | typeof MISFIT {
  return Number.isFinite(value) ? value : MISFIT;
}

/** Whether a Date can hold these milliseconds. */
export function isTime(value: number): boolean {
  return Math.abs(value) <= 8.64e15;
}

function time(value: number): number | typeof MISFIT {
  return isTime(value) ? value : MISFIT;
}

/**
 * How a present value is read as one of each type: a converted value, or {@link MISFIT}. Strings have no spaces around
 * them.
 */
export const readers: Readonly<Record<ColumnType, (value: unknown) => number | string | boolean | typeof MISFIT>> = {
  number(value) {
    if (typeof value === 'number') return finite(value);
    if (typeof value === 'bigint') return finite(Number(value));
    return typeof value === 'string' && NUMBER.test(value) ? finite(Number(value)) : MISFIT;
  },
  boolean(value) {
    if (typeof value === 'boolean') return value;
    const text = typeof value === 'string' ? value.toLowerCase() : value;
    if (text === 'true' || text === '1' || text === 1) return true;
    return text === 'false' || text === '0' || text === 0 ? false : MISFIT;
  },
  date(value) {
    if (typeof value === 'number') return time(value);
    if (isDate(value)) return +value;
    return typeof value === 'string' ? time(parseDate(value)) : MISFIT;
  },
  category: readString,
  text: readString,
};

function readString(value: unknown): string | typeof MISFIT {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return isDate(value) ? value.toISOString() : MISFIT;
}

/** Whether columns of a type hold strings. */
export function holdsStrings(type: ColumnType): type is 'category' | 'text' {
  return type === 'category' || type === 'text';
}

/**
 * A column as strings, as encoders see them: without spaces around them, empty ones missing, which a column that a
 * caller made may have. `from`: what they were when the encoder learnt them, so that a date, a number or a truth value
 * is one text however it is written.
 */
export function asStrings(column: Column, type: 'category' | 'text', from: ColumnType | undefined): Column {
  const text = (value: unknown): string | null => {
    const given = typeof value === 'string' ? value.trim() : value;
    if (given === null || given === '') return null;
    const read = from === undefined ? MISFIT : readers[from](given);
    if (read === MISFIT) return readString(given) as string;
    return from === 'date' ? new Date(read as number).toISOString() : String(read);
  };
  const { values } = column;
  return Object.freeze({ type, values: Array.from({ length: values.length }, (_, row) => text(valueAt(column, row))) });
}

/** What a type expects, for messages. */
export const expectations: Readonly<Record<ColumnType, string>> = {
  number: 'a finite number',
  boolean: 'true or false',
  date: 'a Date, a text in ISO 8601 or a number of milliseconds since 1970',
  category: 'a string, a number or a truth value',
  text: 'a string, a number or a truth value',
};

/** What {@link guessType} takes for each type, for messages. */
export const likenesses: Readonly<Record<ColumnType, string>> = {
  number: 'a number without leading zeros that a double holds',
  boolean: 'true or false',
  date: 'an ISO 8601 date',
  category: 'a string',
  text: 'a string',
};

/** The value of a row as a plain one: null if it is missing, a Date for dates. */
export function valueAt({ type, values }: Column, row: number): Value {
  const value = values[row];
  if (typeof value !== 'number') return value;
  if (Number.isNaN(value)) return null;
  return type === 'date' ? new Date(value) : value;
}

/** What tells and gives the columns of a table. */
export interface Columns {
  readonly names: readonly string[];
  has(name: string): boolean;
  column(name: string): Column;
}

/** A column that an argument or option names, which `label` says. Throws `INVALID_ARGUMENT`. */
export function columnNamed(label: string, table: Columns, name: string): Column {
  if (!table.has(name)) throw invalid(label, `one of ${listed(table.names)}`, name);
  return table.column(name);
}

/** The error of data without a column that they should have. */
export function withoutColumn(label: string, names: readonly string[], name: string): BlasnetError {
  const text = `expected a column ${quote(name)}, got ${names.length > 0 ? listed(names) : 'none'}`;
  return new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
}

/** The first row without a value, or −1. */
export function firstMissing({ values }: Column): number {
  return values.findIndex((value: unknown) => value === null || Number.isNaN(value));
}

/** Whether no row has a value. */
export function isEmpty({ values }: Column): boolean {
  return values.findIndex((value: unknown) => value !== null && !Number.isNaN(value)) < 0;
}

/** The same column with the rows at `indices`. */
export function pickRows(column: Column, indices: Int32Array): Column {
  if (column.type === 'number' || column.type === 'date') {
    const values = new Float64Array(indices.length);
    for (let i = 0; i < indices.length; i++) values[i] = column.values[indices[i]];
    return { type: column.type, values };
  }
  const values = Array.from(indices, (row) => column.values[row]);
  return Object.freeze({ type: column.type, values } as Column);
}

/** Checks a column that a caller made. Values are kept, not copied. */
export function checkColumn(name: string, column: unknown): Column {
  const label = `column ${quote(name)}`;
  const { type, values } = (column ?? {}) as Partial<Column>;
  if (!COLUMN_TYPES.includes(type as ColumnType))
    throw invalid(`${label}: type`, `one of ${COLUMN_TYPES.join(', ')}`, type);
  if (type === 'number' || type === 'date') {
    if (!types.isFloat64Array(values)) throw invalid(`${label}: values`, 'a Float64Array', values);
    const at = values.findIndex((value) => value === Infinity || value === -Infinity);
    if (at >= 0) throw new BlasnetError('NON_FINITE', `${label}: row ${at} is ${values[at]}`);
    const late = type === 'date' ? values.findIndex((value) => !isTime(value) && !Number.isNaN(value)) : -1;
    if (late >= 0) throw invalid(`${label}: row ${late}`, 'milliseconds of a Date, within ±8.64e15', values[late]);
  } else {
    if (!Array.isArray(values)) throw invalid(`${label}: values`, 'an array', values);
    const wanted = type === 'boolean' ? 'boolean' : 'string';
    // Not findIndex on the holes of a sparse array: they are undefined, which is refused too.
    const at = values.findIndex((value: unknown) => value !== null && typeof value !== wanted);
    if (at >= 0) throw invalid(`${label}: row ${at}`, `a ${wanted} or null`, values[at]);
  }
  return Object.freeze({ type, values } as Column);
}

/** A column of one row without a value. */
export function missingColumn(type: ColumnType): Column {
  if (type === 'number' || type === 'date') return Object.freeze({ type, values: Float64Array.of(Number.NaN) });
  return Object.freeze({ type, values: [null] });
}

/** The rows of columns of the same type, one after the other. */
export function joinColumns(a: Column, b: Column): Column {
  if (a.type !== 'number' && a.type !== 'date')
    return Object.freeze({ type: a.type, values: [...a.values, ...(b as StringColumn).values] } as Column);
  const values = new Float64Array(a.values.length + b.values.length);
  values.set(a.values);
  values.set((b as NumberColumn).values, a.values.length);
  return Object.freeze({ type: a.type, values });
}
