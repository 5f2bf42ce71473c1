import { extname } from 'node:path';
import { BlasnetError, type Network } from 'blasnet';
import {
  type ColumnType,
  type ColumnTypes,
  Encoder,
  type EncoderJson,
  readCsv,
  readJsonLines,
  readParquet,
  type Table,
} from 'blasnet/tables';
import { NUMBER } from '../tables/column.js';
import { choiceOption, listOption, type Option, UsageError, type Values } from './command.js';
import { didYouMean } from './nearest.js';

/** Text for the operand that names a table. */
export const TABLE = 'CSV or TSV, JSON lines (.jsonl, .ndjson) or Parquet (.parquet)';

const characters: Readonly<Record<string, string>> = { tab: '\t', '\\t': '\t' };

/** Options of all commands that read a table. */
export const tableOptions = {
  delimiter: {
    value: 'character',
    text: "between the fields of CSV: a character, or tab; default: the first line's most frequent of , ; | and tab",
    read: (text) => (Object.hasOwn(characters, text) ? characters[text] : /^[^"\r\n]$/.test(text) ? text : undefined),
    expected: 'a character other than a quote, or tab',
  } as Option<string>,
  decimal: {
    value: 'sign',
    text: 'of the numbers in CSV: . (default) or a comma',
    read: (text) => (text === '.' || text === ',' ? text : undefined),
    expected: "'.' or ','",
  } as Option<'.' | ','>,
  missing: listOption('texts', 'what stands for a missing value in CSV: ?,-; default: NA, NaN, null and the like'),
  header: listOption('names', 'of the columns of a CSV file whose first line is a row already: a,b,c'),
  encoding: choiceOption('name', 'of CSV: utf-8 (default), utf-16le or latin1', ['utf-8', 'utf-16le', 'latin1']),
};

/** How a CSV file is written: the values of {@link tableOptions}. */
export type Format = Values<typeof tableOptions>;

/** The values of {@link tableOptions} among those of a command. */
export function formatOf({ delimiter, decimal, missing, header, encoding }: Format): Format {
  return { delimiter, decimal, missing, header, encoding };
}

const isCsv = (path: string) => !['.jsonl', '.ndjson', '.parquet'].includes(extname(path).toLowerCase());

/** What is read of a table. */
interface Reading {
  readonly types?: ColumnTypes;
  /** Whether a column is needed; what others hold does not matter. */
  readonly select?: (name: string) => boolean;
}

/** Reads a table; the end of the name determines the format, CSV if it is not one of the others. */
export function readTable(path: string, format: Format, { types, select }: Reading = {}): Promise<Table> {
  const given = Object.entries(format).find(([, value]) => value !== undefined);
  if (!isCsv(path) && given !== undefined)
    throw new UsageError(`--${given[0]} is for CSV, and ${path} is not a CSV file`);
  // Its first line would be taken for names of columns.
  if (extname(path).toLowerCase() === '.json')
    throw new UsageError(`${path}: JSON is read as lines with an object on each, in a file named .jsonl or .ndjson`);
  switch (extname(path).toLowerCase()) {
    case '.jsonl':
    case '.ndjson':
      return readJsonLines(path, { types, select });
    case '.parquet':
      return readParquet(path, { types, select });
    default:
      return readCsv(path, { types, select, ...format });
  }
}

const lacks = (names: readonly string[], path: string, name: string) =>
  `${path} has no column '${name}'${didYouMean(name, names)}`;

/** Throws unless a file has the columns that an option names. `own`: the names of all its columns. */
export function checkColumns(own: ReadonlySet<string>, path: string, option: string, names: readonly string[]): void {
  const missing = names.find((name) => !own.has(name));
  if (missing !== undefined) throw new UsageError(`--${option}: ${lacks([...own], path, missing)}`);
}

/** A value for a message, cut if it is long. */
const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** Columns of a CSV file are numbers that some other texts keep from being read as such if most values are numbers. */
const MOSTLY = 0.8;

/** Notes columns of a CSV file that are read as text although most values are numbers. */
export function noteMixed(table: Table, path: string, { decimal }: Format, note: (text: string) => void): void {
  if (!isCsv(path)) return;
  const number = decimal === ',' ? /^[+-]?(?:[\d.]*\d(?:,\d+)?|,\d+)(?:e[+-]?\d+)?$/i : NUMBER;
  for (const name of table.names) {
    const { type, values } = table.column(name);
    if (type !== 'category' && type !== 'text') continue;
    const present = values.filter((value) => value !== null);
    const others = present.filter((value) => !number.test(value));
    if (others.length === 0 || others.length > (1 - MOSTLY) * present.length) continue;
    const count = `${others.length} of ${present.length} values are not numbers, such as '${shortened(others[0])}'`;
    note(`${path}: column ${name}: ${count}; it is read as text (--missing tells what stands for a missing value)`);
  }
}

/** A number of things, such as `1 row` and `2 rows`. */
export const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The rows of a table with a column of the target that have one, and where they are in the table. */
export function withTarget(table: Table, path: string, target: string, note: (text: string) => void) {
  const { values } = table.column(target);
  const places: number[] = [];
  values.forEach((value, row) => {
    if (value !== null && !Number.isNaN(value)) places.push(row);
  });
  const kept = table.subset(places);
  if (kept.length < table.length)
    note(`${path}: left out: ${counted(table.length - kept.length, 'row')} without a ${target}`);
  if (kept.length === 0) throw new Error(`${path}: no row has a ${target}`);
  return { table: kept, places };
}

/** The encoder in a network's file. Throws for networks that were not trained on a table. */
export function encoderOf(network: Network<string>, path: string): Encoder {
  if (network.encoder === undefined)
    throw new Error(`${path}: it was not trained on a table: it has no encoder of columns (blasnet train makes one)`);
  return Encoder.fromJSON(network.encoder as unknown as EncoderJson);
}

interface Typed {
  readonly name: string;
  readonly type: ColumnType;
  readonly from?: ColumnType;
}

/**
 * The table for a network, with the types that its columns had in training, the target's too if it is needed. Throws if
 * a column is missing.
 */
export async function readFor(encoder: Encoder, path: string, format: Format, withTarget = false): Promise<Table> {
  const json = encoder.toJSON() as unknown as { target: Typed; columns: readonly Typed[] };
  const { columns } = json;
  const typed = withTarget ? [...columns, json.target] : columns;
  // Values that were read as another type before they became strings may now look like strings.
  const types = Object.fromEntries(
    typed.filter(({ from }) => from === undefined).map(({ name, type }) => [name, type] as const),
  );
  // Types of columns that the file lacks are refused; without types it says which columns it has.
  const needed = new Set(typed.map(({ name }) => name));
  const names = new Set<string>();
  const select = (name: string) => {
    names.add(name);
    return needed.has(name);
  };
  const table = await readTable(path, format, { types, select }).catch((error: unknown) => {
    if (error instanceof BlasnetError && error.code === 'INVALID_ARGUMENT') return readTable(path, format, { select });
    throw error;
  });
  const missing = columns.filter(({ name }) => !table.has(name)).map(({ name }) => `'${name}'`);
  if (missing.length > 0) throw new Error(`${path}: the network needs the columns ${missing.join(', ')} too`);
  if (withTarget && !table.has(json.target.name)) throw new Error(lacks([...names], path, json.target.name));
  return table;
}

/** A field of a CSV file. */
function field(value: string | number): string {
  const text = String(value);
  // All that may separate fields: a reader guesses which of them does.
  return /[",;|\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Lines of a CSV file. */
export function csvText(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.map(field).join(',')}\n`).join('');
}
