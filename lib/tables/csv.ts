import type { CsvError, Info, Options, Parser } from 'csv-parse';
import { checkArity, checkChoice, checkOptions, checkPath, invalid } from '../checks.js';
import { loadPackage } from '../packages.js';
import { cut, quote } from '../text.js';
import { type ColumnTypes, checkSelect, checkTypes, MAX_COLUMNS, type Select, TableBuilder } from './builder.js';
import type { WrittenNumber } from './column.js';
import { checkPieceRows, Pieces, type RowSink, type StreamOptions, TableStream, type Types } from './stream.js';
import { Table } from './table.js';
import { corrupt, ENCODINGS, readText, type TextEncoding } from './text-file.js';

/** Options of {@link readCsv} and {@link streamCsv}. */
export interface CsvOptions {
  /**
   * The character between fields. Default: of comma, tab, semicolon and vertical bar the one that is most frequent in
   * the first line, outside of quotes. With a decimal comma, a comma is one only if that line has none of the others.
   */
  delimiter?: string | undefined;
  /** Names of the columns, for a file whose first line is a row. Default: the first line has them. */
  header?: readonly string[] | undefined;
  /**
   * The decimal sign of numbers. Default '.'. With ',', points may separate thousands (1.234.567,8), and other texts
   * with a point are not numbers.
   */
  decimal?: '.' | ',' | undefined;
  /**
   * What stands for a missing value, besides nothing, which always does. Default: NA, N/A, n/a, NaN, nan, NULL, null,
   * None, #N/A and <NA>.
   */
  missing?: readonly string[] | undefined;
  /** Types by column names; other columns have the type that their values look like. */
  types?: ColumnTypes | undefined;
  /** Default 'utf-8'. */
  encoding?: TextEncoding | undefined;
  /** Whether to read the column of a name; the values of others are not looked at. Default: all are read. */
  select?: ((name: string) => boolean) | undefined;
}

const OPTIONS: readonly (keyof CsvOptions)[] = [
  'delimiter',
  'header',
  'decimal',
  'missing',
  'types',
  'encoding',
  'select',
];
const MISSING = ['NA', 'N/A', 'n/a', 'NaN', 'nan', 'NULL', 'null', 'None', '#N/A', '<NA>'];
const DELIMITERS = [',', '\t', ';', '|'];
/** Longest row in bytes: a quote that is never closed would otherwise take the whole file into memory. */
const MAX_ROW = 2 ** 24;
const COMMA_NUMBER = /^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$/;
/** With a decimal comma: 1.234 and 1.234.567,8. */
const THOUSANDS = /^[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?$/;

type CsvParse = { parse(options: Options): Parser; readonly CsvError: abstract new (...given: never[]) => CsvError };

/**
 * Reads a file of comma-separated values, or of those separated by another character. Needs the package csv-parse.
 *
 * Fields may be in double quotes, which stand twice for one; a row may then go over several lines. Spaces around fields
 * and empty lines don't count. A column has the type of all its values: numbers, true and false, dates in ISO 8601 (in
 * UTC, unless they have a zone), otherwise categories; strings of which more than 50, and either most or 10,000, are
 * different are text.
 * Numbers with leading zeros, such as postal codes, integers beyond 2^53, such as long ids, and numbers too large for a
 * double are categories. Lines end with LF, CR LF or CR. Columns without a name are named by their number, `column_1`.
 *
 * Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` (naming the line) for rows of unequal length, quotes that are not
 * closed, two columns of one name, values that don't have a given type, NUL, bytes that don't fit the encoding, rows of
 * more than 16 MiB and more than 100,000 columns or 2^28 values; with `PACKAGE_MISSING`, `INVALID_ARGUMENT` and
 * `UNKNOWN_OPTION`.
 */
export async function readCsv(path: string | URL, options?: CsvOptions): Promise<Table> {
  checkArity('readCsv', arguments, 2);
  const file = checkPath('readCsv: path', path);
  const checked = checkCsv('readCsv', checkOptions('readCsv', options, OPTIONS));
  const library = await loadPackage<CsvParse>('readCsv', 'csv-parse');
  const fail = (message: string) => corrupt(file, message);
  const first = new TableBuilder(checked.types, fail, checked);
  for (let builder: TableBuilder | undefined = first; ; ) {
    for await (const _ of readRows(file, checked, library, builder));
    const again: TableBuilder | undefined = builder.again();
    if (again === undefined) return new Table(builder.finish('readCsv'));
    builder = again;
  }
}

/** Options of a stream. */
export interface CsvStreamOptions extends CsvOptions, StreamOptions {}

/**
 * A file as for {@link readCsv}, in pieces of `rows` rows, for files larger than memory. A column has the type that its
 * values in the first piece look like; a later value of another type is `FILE_CORRUPT`, which `types` avoids. Strings
 * that hardly repeat in the first of several pieces are categories unless most of them have several words, as they may
 * repeat later. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`; all other errors are thrown when the stream is read.
 */
export function streamCsv(path: string | URL, options?: CsvStreamOptions): TableStream {
  checkArity('streamCsv', arguments, 2);
  const file = checkPath('streamCsv: path', path);
  const given = checkOptions('streamCsv', options, [...OPTIONS, 'rows']);
  const checked = checkCsv('streamCsv', given);
  const rows = checkPieceRows('streamCsv', given.rows);
  return new TableStream(async function* (wanted) {
    const library = await loadPackage<CsvParse>('streamCsv', 'csv-parse');
    const { types, written } = checked;
    const fail = (message: string) => corrupt(file, message);
    const pieces = new Pieces({ name: 'streamCsv', rows, types, wanted, open: false, written, fail });
    yield* pieces.read(readRows(file, checked, library, pieces));
  });
}

function checkCsv(name: string, given: CsvOptions): Checked {
  const { header, encoding = 'utf-8', decimal: sign = '.', missing = MISSING, delimiter } = given;
  const decimal = checkChoice(`${name}: decimal`, sign, ['.', ',']);
  return {
    header: header === undefined ? undefined : checkNames(`${name}: header`, header),
    // Fields are compared without spaces around them.
    missing: new Set(checkStrings(`${name}: missing`, missing).map((text) => text.trim())),
    written: decimal === ',' ? commaNumber : (text) => text,
    decimal,
    encoding: checkChoice(`${name}: encoding`, encoding, ENCODINGS),
    delimiter: delimiter === undefined ? undefined : checkDelimiter(`${name}: delimiter`, delimiter),
    types: checkTypes(`${name}: types`, given.types),
    select: checkSelect(name, given.select),
  };
}

interface Checked {
  readonly header: readonly string[] | undefined;
  readonly missing: ReadonlySet<string>;
  /** How numbers are written. */
  readonly written: WrittenNumber;
  readonly decimal: '.' | ',';
  readonly encoding: TextEncoding;
  readonly delimiter: string | undefined;
  readonly types: Types;
  readonly select: Select;
}

/** Gives all rows of a file to a builder, some at each step. */
async function* readRows(file: string, given: Checked, library: CsvParse, builder: RowSink): AsyncGenerator<void> {
  /** Fields of a row, and the places of those that are read. */
  let width = 0;
  const places: number[] = [];
  const begin = (names: readonly string[], line: number) => {
    width = names.length;
    if (names.length > MAX_COLUMNS) throw corrupt(file, `line ${line}: more than ${MAX_COLUMNS} columns`);
    for (const [i, written] of names.entries()) {
      const name = written.trim() || `column_${i + 1}`;
      if (!given.select(name)) continue;
      places.push(i);
      if (builder.columns.has(name)) throw corrupt(file, `line ${line}: two columns have the name ${quote(name)}`);
      builder.column(name);
    }
  };
  let started = given.header !== undefined;
  if (given.header !== undefined) begin(given.header, 1);
  const onRecord = (record: string[], { lines }: Info) => {
    if (!started) {
      started = true;
      begin(record, lines);
      return;
    }
    if (record.length !== width) throw corrupt(file, `line ${lines}: expected ${width} fields, got ${record.length}`);
    const values = places.map((place) => readField(record[place], given));
    builder.addValues(values, () => `line ${lines}`);
  };
  let parser: Parser | undefined;
  const step = (act: (parser: Parser, done: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      if (parser === undefined) resolve();
      else act(parser, (error) => (error ? reject(wrap(file, library, error)) : resolve()));
    });
  for await (const text of readText(file, given.encoding)) {
    parser ??= start(library, given.delimiter ?? findDelimiter(text, given.decimal), onRecord);
    await step((to, done) => to.write(text, done));
    yield;
  }
  await step((to, done) => to.end(done));
  if (width === 0) throw corrupt(file, 'it has no columns: not even a line with their names');
}

function start({ parse }: CsvParse, delimiter: string, onRecord: (record: string[], info: Info) => void): Parser {
  const parser = parse({
    delimiter,
    bom: false,
    // In any mixture, as files that were put together have.
    record_delimiter: ['\r\n', '\n', '\r'],
    // Otherwise quotes after spaces would not count as quotes.
    trim: true,
    skip_empty_lines: true,
    // Our own check has the number of the line.
    relax_column_count: true,
    max_record_size: MAX_ROW,
    // Nothing is kept: records go to the columns at once.
    on_record: onRecord as unknown as NonNullable<Options['on_record']>,
  });
  // The callbacks of its methods have the same error.
  parser.on('error', () => {});
  return parser;
}

function wrap(file: string, { CsvError }: CsvParse, error: Error): Error {
  // Others are our own, or of the caller's function.
  if (!(error instanceof CsvError)) return error;
  const { lines } = error as CsvError & { lines?: number };
  return corrupt(file, `${lines === undefined ? '' : `line ${lines}: `}${cut(error.message, 300)}`, error);
}

function readField(field: string, { missing }: Checked): string | null {
  const text = field.trim();
  return missing.has(text) ? null : text;
}

/** A number with a decimal comma as one with a point. No other text with a point is a number. */
function commaNumber(text: string): string {
  if (THOUSANDS.test(text)) return text.replaceAll('.', '').replace(',', '.');
  return text.includes('.') ? '' : text.replace(COMMA_NUMBER, '$1.$2');
}

/**
 * The most frequent delimiter in the first line that is not empty; a comma if there is none. The decimal sign counts
 * only if no other occurs, as that line may be a row of numbers.
 */
function findDelimiter(text: string, decimal: string): string {
  const counts = DELIMITERS.map(() => 0);
  let quoted = false;
  for (let at = text.search(/[^\r\n]/); at >= 0 && at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    if (quoted) continue;
    if (character === '\n' || character === '\r') break;
    const which = DELIMITERS.indexOf(character);
    if (which >= 0) counts[which]++;
  }
  const between = counts.map((count, which) => (DELIMITERS[which] === decimal ? 0 : count));
  const most = Math.max(...between);
  return most > 0 ? DELIMITERS[between.indexOf(most)] : ',';
}

function checkDelimiter(name: string, value: unknown): string {
  if (typeof value !== 'string' || value.length !== 1 || /["\r\n\0]/.test(value))
    throw invalid(name, 'a single character other than a quote or the end of a line', value);
  return value;
}

function checkStrings(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || ![...value].every((entry) => typeof entry === 'string'))
    throw invalid(name, 'a list of strings', value);
  return value;
}

function checkNames(name: string, value: unknown): readonly string[] {
  const names = checkStrings(name, value);
  if (names.length === 0 || names.some((entry) => entry.trim() === '')) throw invalid(name, 'names of columns', value);
  const seen = new Set<string>();
  for (const entry of names) {
    // Names are columns without spaces around them.
    if (seen.has(entry.trim())) throw invalid(name, 'unique names', entry);
    seen.add(entry.trim());
  }
  return names;
}
