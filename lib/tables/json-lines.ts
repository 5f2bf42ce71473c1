import { checkArity, checkOptions, checkPath, isPlain } from '../checks.js';
import { type ColumnTypes, checkSelect, checkTypes, type Select, TableBuilder } from './builder.js';
import { checkPieceRows, Pieces, type RowSink, type StreamOptions, TableStream } from './stream.js';
import { Table } from './table.js';
import { corrupt, readText } from './text-file.js';

/** Options of {@link readJsonLines} and {@link streamJsonLines}. */
export interface JsonLinesOptions {
  /** Types by column names; other columns have the type that their values look like. */
  types?: ColumnTypes | undefined;
  /** Whether to read the column of a name; the values of others are not looked at. Default: all are read. */
  select?: ((name: string) => boolean) | undefined;
}

/** Longest line in characters. */
const MAX_LINE = 2 ** 24;
/** So many digits may be an integer that a double does not hold; not those after a point. */
const MANY_DIGITS = /(?<![\d.])\d{16}/;
/** What begins or ends a string, what could be taken for its end, and numbers. */
const TOKEN = /\\["\\]|"|-?\d[\d.eE+-]*/g;
const INTEGER = /^-?\d+$/;

/**
 * Reads a UTF-8 file with a JSON object on each line, also called NDJSON. Columns are the keys that occur; values are
 * numbers, strings, truth values and null. Types are as in {@link Table.from}; integers beyond 2^53, such as long ids,
 * are strings. Empty lines don't count.
 *
 * Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` (naming the line) for anything but such objects, values that don't
 * have a given type, lines of more than 2^24 characters, and more than 100,000 columns or 2^28 values; with
 * `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export async function readJsonLines(path: string | URL, options?: JsonLinesOptions): Promise<Table> {
  checkArity('readJsonLines', arguments, 2);
  const file = checkPath('readJsonLines: path', path);
  const given = checkOptions('readJsonLines', options, ['types', 'select']);
  const types = checkTypes('readJsonLines: types', given.types);
  const select = checkSelect('readJsonLines', given.select);
  const first = new TableBuilder(types, (message) => corrupt(file, message));
  for (let builder: TableBuilder | undefined = first; ; ) {
    for await (const _ of readRows(file, select, builder));
    const again: TableBuilder | undefined = builder.again();
    if (again === undefined) return new Table(builder.finish('readJsonLines'));
    builder = again;
  }
}

/** Options of a stream. */
export interface JsonLinesStreamOptions extends JsonLinesOptions, StreamOptions {}

/**
 * A file as for {@link readJsonLines}, in pieces of `rows` rows; types and errors are as in {@link streamCsv}. Columns
 * may begin late, so a name of `types` that no row has is `INVALID_ARGUMENT` after the last piece.
 */
export function streamJsonLines(path: string | URL, options?: JsonLinesStreamOptions): TableStream {
  checkArity('streamJsonLines', arguments, 2);
  const file = checkPath('streamJsonLines: path', path);
  const given = checkOptions('streamJsonLines', options, ['types', 'select', 'rows']);
  const types = checkTypes('streamJsonLines: types', given.types);
  const select = checkSelect('streamJsonLines', given.select);
  const rows = checkPieceRows('streamJsonLines', given.rows);
  return new TableStream((wanted) => {
    const pieces = new Pieces({
      name: 'streamJsonLines',
      rows,
      types,
      wanted,
      open: true,
      fail: (message) => corrupt(file, message),
    });
    return pieces.read(readRows(file, select, pieces));
  });
}

/** Valid JSON with the integers that lose digits as numbers in quotes. */
function quoteIntegers(json: string): string {
  let inString = false;
  return json.replace(TOKEN, (token) => {
    if (token === '"') inString = !inString;
    return inString || !INTEGER.test(token) || Number.isSafeInteger(Number(token)) ? token : `"${token}"`;
  });
}

async function* readRows(file: string, select: Select, builder: RowSink): AsyncGenerator<void> {
  let line = 0;
  let begun = '';
  const add = (text: string) => {
    line++;
    if (text.trim() === '') return;
    let row: unknown;
    try {
      row = JSON.parse(text);
      if (MANY_DIGITS.test(text)) row = JSON.parse(quoteIntegers(text));
    } catch (cause) {
      throw corrupt(file, `line ${line}: ${(cause as Error).message}`, cause);
    }
    if (!isPlain(row) || Array.isArray(row)) throw corrupt(file, `line ${line}: expected a JSON object`);
    const entries = Object.entries(row).filter(([name]) => select(name));
    builder.addRow(entries, () => `line ${line}`);
  };
  for await (const text of readText(file, 'utf-8')) {
    const lines = text.split('\n');
    lines[0] = begun + lines[0];
    begun = lines.pop() as string;
    if (begun.length > MAX_LINE) throw corrupt(file, `line ${line + 1}: it has more than ${MAX_LINE} characters`);
    for (const complete of lines) add(complete);
    yield;
  }
  add(begun);
}
