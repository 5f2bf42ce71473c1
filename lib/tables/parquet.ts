import * as zlib from 'node:zlib';
import type { AsyncBuffer, Compressors, FileMetaData, ParquetReadOptions, SchemaTree } from 'hyparquet';
import { checkArity, checkOptions, checkPath } from '../checks.js';
import { type OpenFile, openFile, readWhole } from '../data/files.js';
import { loadPackage } from '../packages.js';
import { cut, quote } from '../text.js';
import { type ColumnTypes, checkTypes, MAX_CELLS, MAX_COLUMNS, TableBuilder } from './builder.js';
import { checkPieceRows, Pieces, type RowSink, type StreamOptions, TableStream } from './stream.js';
import { Table } from './table.js';
import { corrupt } from './text-file.js';

export interface ParquetOptions {
  /** Types by column names; other columns have the type that their values look like. */
  types?: ColumnTypes | undefined;
}

interface Hyparquet {
  parquetMetadataAsync(file: AsyncBuffer): Promise<FileMetaData>;
  parquetSchema(metadata: FileMetaData): SchemaTree;
  parquetRead(options: ParquetReadOptions): Promise<void>;
}

type Decompress = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** What Node.js has besides hyparquet's own Snappy; Zstandard only since version 22.15. */
function compressorsOf(library: Partial<Record<string, unknown>>): Compressors {
  const wrap = (decompress: unknown) => (input: Uint8Array, length: number) => {
    if (decompress === undefined) throw new Error('the compression ZSTD needs Node.js 22.15 or newer');
    return (decompress as Decompress)(input, { maxOutputLength: Math.max(1, length) });
  };
  return {
    GZIP: wrap(library.gunzipSync),
    BROTLI: wrap(library.brotliDecompressSync),
    ZSTD: wrap(library.zstdDecompressSync),
  };
}

/**
 * Reads a Parquet file whose columns are not nested. Needs the package hyparquet. Compressions: Snappy, gzip, Brotli,
 * and Zstandard from Node.js 22.15 on. 64-bit integers (up to 2^53) and decimals become numbers, timestamps and dates
 * become dates; types are else as in {@link Table.from}. The package trusts what is in the pages of a file: one that somebody made in
 * order to do harm can take any time and memory.
 *
 * Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` for anything but such a file, values that don't have a given type,
 * and more than 100,000 columns or 2^28 values; with `PACKAGE_MISSING`, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export async function readParquet(path: string | URL, options?: ParquetOptions): Promise<Table> {
  checkArity('readParquet', arguments, 2);
  const file = checkPath('readParquet: path', path);
  const types = checkTypes('readParquet: types', checkOptions('readParquet', options, ['types']).types);
  const library = await loadPackage<Hyparquet>('readParquet', 'hyparquet');
  const { buffer } = await readWhole(file, (bytes) => new Uint8Array(bytes));
  const fail = (message: string) => corrupt(file, message);
  const header = await readHeader(file, library, buffer as ArrayBuffer);
  const { names, rows } = header;
  if (rows * names.length > MAX_CELLS)
    throw fail(`more than ${MAX_CELLS} values (${names.length} columns, ${rows} rows)`);
  for (let builder: TableBuilder | undefined = new TableBuilder(types, fail); ; ) {
    for await (const _ of readRows(file, library, header, buffer as ArrayBuffer, builder));
    const again: TableBuilder | undefined = builder.again();
    if (again === undefined) return new Table(builder.finish());
    builder = again;
  }
}

/** Options of a stream. */
export interface ParquetStreamOptions extends ParquetOptions, StreamOptions {}

/**
 * A file as for {@link readParquet}, in pieces of `rows` rows; types and errors are as in {@link streamCsv}. A group of
 * rows of the file is in memory at a time, whatever `rows` is.
 */
export function streamParquet(path: string | URL, options?: ParquetStreamOptions): TableStream {
  checkArity('streamParquet', arguments, 2);
  const file = checkPath('streamParquet: path', path);
  const given = checkOptions('streamParquet', options, ['types', 'rows']);
  const types = checkTypes('streamParquet: types', given.types);
  const rows = checkPieceRows('streamParquet', given.rows);
  return new TableStream(async function* (wanted) {
    const library = await loadPackage<Hyparquet>('streamParquet', 'hyparquet');
    const opened = await openFile(file);
    try {
      const content = contentOf(file, opened);
      const header = await readHeader(file, library, content);
      const pieces = new Pieces({ rows, types, wanted, open: false, fail: (message) => corrupt(file, message) });
      yield* pieces.read(readRows(file, library, header, content, pieces));
    } finally {
      await opened.close();
    }
  });
}

/** What hyparquet reads parts of. */
interface Content extends AsyncBuffer {
  /** Why a part could not be read. */
  failure?: unknown;
}

/**
 * The parts of an open file. hyparquet asks for parts before it needs them and derives promises that it may never look
 * at, whose rejection would end the process. So no promise rejects: a failure is kept for {@link guard}.
 */
function contentOf(file: string, { size, read }: OpenFile): Content {
  const content: Content = {
    byteLength: size,
    slice(begin, end = size) {
      // A damaged header may ask for any part.
      if (!(begin >= 0 && begin <= end && end <= size)) throw new Error(`no bytes ${begin} to ${end} of ${size}`);
      const bytes = new Uint8Array(end - begin);
      const load = async () => {
        for (let at = 0; at < bytes.length; ) {
          const count = await read(bytes.subarray(at), begin + at);
          if (count === 0) throw corrupt(file, `byte ${begin + at}: the file shrank while it was read`);
          at += count;
        }
      };
      const keep = (error: unknown) => {
        content.failure ??= error;
      };
      return load()
        .catch(keep)
        .then(() => bytes.buffer);
    },
  };
  return content;
}

/** Whatever the package throws is about the file. */
async function guard<T>(file: string, content: Content, read: () => T | Promise<T>): Promise<T> {
  try {
    const result = await read();
    if (content.failure !== undefined) throw content.failure;
    return result;
  } catch (error) {
    const cause = content.failure ?? error;
    if ((cause as Error).name === 'BlasnetError') throw cause;
    const reason = cut(String((cause as Error)?.message), 300);
    throw corrupt(file, `it is no Parquet file that can be read: ${reason}`, cause);
  }
}

interface Header {
  readonly metadata: FileMetaData;
  readonly names: readonly string[];
  readonly rows: number;
}

async function readHeader(file: string, library: Hyparquet, content: Content): Promise<Header> {
  const metadata = await guard(file, content, () => library.parquetMetadataAsync(content));
  const names = await guard(file, content, () =>
    library.parquetSchema(metadata).children.map(({ element }) => element.name),
  );
  const rows = Number(metadata.num_rows);
  if (names.length > MAX_COLUMNS) throw corrupt(file, `more than ${MAX_COLUMNS} columns`);
  if (!(rows >= 0)) throw corrupt(file, `expected a number of rows, got ${rows}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw corrupt(file, `two columns have the name ${quote(twice)}`);
  return { metadata, names, rows };
}

/** Gives all rows to a builder, those of a group at each step, so that not all rows are lists at once. */
async function* readRows(
  file: string,
  library: Hyparquet,
  { metadata, names, rows }: Header,
  content: Content,
  target: RowSink,
): AsyncGenerator<void> {
  const compressors = compressorsOf(zlib as Partial<Record<string, unknown>>);
  for (const name of names) target.column(name);
  let begin = 0;
  let done = 0;
  for (const group of metadata.row_groups) {
    const end = begin + Number(group.num_rows);
    if ((end - begin) * names.length > MAX_CELLS)
      throw corrupt(file, `more than ${MAX_CELLS} values in a group of rows`);
    const onComplete = (list: unknown[]) => {
      for (const values of list as unknown[][]) {
        const row = done++;
        target.addValues(values, () => `row ${row}`);
      }
    };
    const options = { file: content, metadata, compressors, rowStart: begin, rowEnd: end, onComplete };
    if (end > begin) await guard(file, content, () => library.parquetRead(options as ParquetReadOptions));
    begin = end;
    yield;
  }
  if (done !== rows) throw corrupt(file, `expected ${rows} rows, as its header tells, got ${done}`);
}
