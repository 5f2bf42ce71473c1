import { TextDecoder } from 'node:util';
import * as zlib from 'node:zlib';
import type {
  ColumnMetaData,
  ConvertedType,
  FileMetaData,
  ParquetReadOptions,
  RowGroup,
  SchemaElement,
} from 'hyparquet';
import { checkArity, checkOptions, checkPath } from '../checks.js';
import { type OpenFile, openFile } from '../data/files.js';
import type { BlasnetError } from '../errors.js';
import { loadPackage } from '../packages.js';
import { cut, quote } from '../text.js';
import {
  type ColumnTypes,
  checkSelect,
  checkTypes,
  MAX_CELLS,
  MAX_COLUMNS,
  type Select,
  TableBuilder,
} from './builder.js';
import { isTime } from './column.js';
import { checkContent, type Page, type PageColumn, readPages } from './parquet-pages.js';
import { checkPieceRows, Pieces, type RowSink, type StreamOptions, TableStream } from './stream.js';
import { Table } from './table.js';
import { corrupt } from './text-file.js';
import { ThriftReader } from './thrift.js';

/** Options of {@link readParquet} and {@link streamParquet}. */
export interface ParquetOptions {
  /** Types by column names; other columns have the type that their values look like. */
  types?: ColumnTypes | undefined;
  /** Whether to read the column of a name; the values of others are not looked at. Default: all are read. */
  select?: ((name: string) => boolean) | undefined;
}

interface Hyparquet {
  parquetMetadata(file: ArrayBuffer, options: { geoparquet: boolean }): FileMetaData;
  parquetRead(options: ParquetReadOptions): Promise<void>;
  snappyUncompress(input: Uint8Array, output: Uint8Array): void;
}

/** Constant values take hardly any space in a file: a group of rows may have so many, and more by its bytes. */
const FREE_VALUES = 2 ** 24;
const VALUES_PER_BYTE = 256;
/** Values of a column that are read at a time, if its pages are not larger. */
const SLAB = 2 ** 17;
/** Rows that are made of the columns' values at a time. */
const BLOCK = 8192;

type Decompress = (input: Uint8Array, length: number) => Uint8Array;

/** How pages are decompressed. Zstandard only since Node.js 22.15. */
function decompressors(library: Hyparquet): Readonly<Record<string, Decompress>> {
  type Native = (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
  const native = zlib as unknown as Readonly<Record<string, Native | undefined>>;
  const wrap = (decompress: Native | undefined): Decompress => {
    return (input, length) => {
      if (decompress === undefined) throw new Error('the compression ZSTD needs Node.js 22.15 or newer');
      return decompress(input, { maxOutputLength: Math.max(1, length) });
    };
  };
  return {
    UNCOMPRESSED: (input) => input,
    SNAPPY(input, length) {
      const output = new Uint8Array(length);
      library.snappyUncompress(input, output);
      return output;
    },
    GZIP: wrap(native.gunzipSync),
    BROTLI: wrap(native.brotliDecompressSync),
    ZSTD: wrap(native.zstdDecompressSync),
  };
}

/**
 * Reads a Parquet file whose columns are not nested. Needs the package hyparquet. Compressions: Snappy, gzip, Brotli,
 * and Zstandard from Node.js 22.15 on. 64-bit integers (up to 2^53) and decimals become numbers, timestamps and dates
 * become dates, bytes become strings; otherwise types are as in {@link Table.from}.
 *
 * Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` for anything but such a file, values that don't have a given type,
 * strings that are no UTF-8, more than 100,000 columns or 2^28 values, more than 2^22 values or 256 MiB in a page, and
 * more values in a group of rows than 2^24 and 256 for each byte of the file; with `PACKAGE_MISSING`,
 * `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export async function readParquet(path: string | URL, options?: ParquetOptions): Promise<Table> {
  checkArity('readParquet', arguments, 2);
  const file = checkPath('readParquet: path', path);
  const given = checkOptions('readParquet', options, ['types', 'select']);
  const types = checkTypes('readParquet: types', given.types);
  const select = checkSelect('readParquet', given.select);
  const library = await loadPackage<Hyparquet>('readParquet', 'hyparquet');
  const fail = (message: string) => corrupt(file, message);
  const opened = await openFile(file);
  try {
    const header = await readHeader(file, library, opened, select);
    const { columns, rows } = header;
    if (rows * columns.length > MAX_CELLS)
      throw fail(`more than ${MAX_CELLS} values (${columns.length} columns, ${rows} rows)`);
    for (let builder: TableBuilder | undefined = new TableBuilder(types, fail); ; ) {
      for await (const _ of readRows(file, library, header, opened, builder));
      const again: TableBuilder | undefined = builder.again();
      if (again === undefined) return new Table(builder.finish('readParquet'));
      builder = again;
    }
  } finally {
    await opened.close();
  }
}

/** Options of a stream. */
export interface ParquetStreamOptions extends ParquetOptions, StreamOptions {}

/**
 * A file as for {@link readParquet}, in pieces of `rows` rows; types and errors are as in {@link streamCsv}. A group of
 * rows of the file is in memory at a time as it is stored, whatever `rows` is, and a part of it as values.
 */
export function streamParquet(path: string | URL, options?: ParquetStreamOptions): TableStream {
  checkArity('streamParquet', arguments, 2);
  const file = checkPath('streamParquet: path', path);
  const given = checkOptions('streamParquet', options, ['types', 'select', 'rows']);
  const types = checkTypes('streamParquet: types', given.types);
  const select = checkSelect('streamParquet', given.select);
  const rows = checkPieceRows('streamParquet', given.rows);
  return new TableStream(async function* (wanted) {
    const library = await loadPackage<Hyparquet>('streamParquet', 'hyparquet');
    const opened = await openFile(file);
    try {
      const header = await readHeader(file, library, opened, select);
      const pieces = new Pieces({
        name: 'streamParquet',
        rows,
        types,
        wanted,
        open: false,
        fail: (message) => corrupt(file, message),
      });
      yield* pieces.read(readRows(file, library, header, opened, pieces));
    } finally {
      await opened.close();
    }
  });
}

/** The bytes `begin` to `end` of a file. */
async function readBytes(file: string, { size, read }: OpenFile, begin: number, end: number): Promise<Uint8Array> {
  // A damaged header may refer to any part.
  if (!(begin >= 0 && begin <= end && end <= size)) throw corrupt(file, `no bytes ${begin} to ${end} of ${size}`);
  const bytes = new Uint8Array(end - begin);
  for (let at = 0; at < bytes.length; ) {
    const count = await read(bytes.subarray(at), begin + at);
    if (count === 0) throw corrupt(file, `byte ${begin + at}: the file shrank while it was read`);
    at += count;
  }
  return bytes;
}

/** Whatever the package throws is about the file. */
async function guard<T>(file: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if ((error as Error).name === 'BlasnetError') throw error;
    const reason = cut(String((error as Error)?.message), 300);
    throw corrupt(file, `it is no Parquet file that can be read: ${reason}`, error);
  }
}

/** A column of the file: what the format says of it, and of that what pages depend on. */
interface FileColumn extends PageColumn {
  readonly root: SchemaElement;
  readonly element: SchemaElement;
  /** Among the columns that are stored. */
  readonly place: number;
}

/** A group of rows, which stores the values of each column in a chunk. */
interface Group {
  readonly rows: number;
  readonly chunks: readonly ColumnMetaData[];
}

interface Header {
  readonly groups: readonly Group[];
  readonly columns: readonly FileColumn[];
  readonly rows: number;
}

const MAGIC = 'PAR1';

async function readHeader(file: string, library: Hyparquet, opened: OpenFile, select: Select): Promise<Header> {
  const fail = (message: string) => corrupt(file, `it is no Parquet file that can be read: ${message}`);
  const { size } = opened;
  const tail = await readBytes(file, opened, Math.max(0, size - 8), size);
  if (tail.length < 8 || Buffer.from(tail.subarray(4)).toString('latin1') !== MAGIC)
    throw fail(`it does not end with ${MAGIC}`);
  const length = new DataView(tail.buffer).getUint32(0, true);
  if (length > size - 8) throw fail(`a header of ${length} bytes in a file of ${size}`);
  const footer = await readBytes(file, opened, size - 8 - length, size);
  new ThriftReader(footer.subarray(0, length), 0, fail).struct();
  const metadata = await guard(file, () =>
    library.parquetMetadata(footer.buffer as ArrayBuffer, { geoparquet: false }),
  );
  const rows = Number(metadata.num_rows);
  if (!(rows >= 0)) throw corrupt(file, `expected a number of rows, got ${rows}`);
  // Not within the guard: what the caller's function throws is thrown as it is.
  const selected = new Set(metadata.schema.map(({ name }) => name).filter((name) => select(name)));
  const { columns, stored } = await guard(file, () => columnsOf(file, metadata.schema, selected));
  if (stored === 0 && rows > 0) throw corrupt(file, `it has ${rows} rows, but no column`);
  const groups = await guard(file, () =>
    metadata.row_groups.map((group) => checkGroup(file, group, columns, stored, size)),
  );
  const inGroups = groups.reduce((sum, group) => sum + group.rows, 0);
  if (inGroups !== rows)
    throw corrupt(file, `expected ${rows} rows, as its header specifies, got ${inGroups} in its groups`);
  return { groups, columns, rows };
}

/** Logical types that the package knows only as converted types, their older form, which newer writers may omit. */
const CONVERTED: readonly string[] = ['DECIMAL', 'DATE', 'JSON', 'BSON'] satisfies ConvertedType[];

function withConvertedType(element: SchemaElement): SchemaElement {
  const { converted_type, logical_type: logical } = element;
  if (converted_type !== undefined || logical === undefined || !CONVERTED.includes(logical.type)) return element;
  const digits = logical.type === 'DECIMAL' ? { scale: logical.scale, precision: logical.precision } : {};
  return { ...element, ...digits, converted_type: logical.type as ConvertedType };
}

/** The columns that are selected, and the number of columns that are stored. */
function columnsOf(
  file: string,
  [root, ...given]: readonly SchemaElement[],
  selected: ReadonlySet<string>,
): { columns: FileColumn[]; stored: number } {
  const elements = given.map(withConvertedType);
  if (elements.length > MAX_COLUMNS) throw corrupt(file, `more than ${MAX_COLUMNS} columns`);
  const names = new Set<string>();
  const columns: FileColumn[] = [];
  let stored = 0;
  let described = 0;
  for (let at = 0; at < elements.length; at++, described++) {
    const element = elements[at];
    const place = stored;
    // After a nested column come all that it consists of, of which those without parts are stored.
    for (let parts = element.num_children ?? 0; parts > 0; parts--) {
      at++;
      if (at >= elements.length) throw corrupt(file, `column ${quote(element.name)}: its description ends too early`);
      if (elements[at].num_children) parts += elements[at].num_children as number;
      else stored++;
    }
    if (!element.num_children) stored++;
    const { name, type, type_length: length, repetition_type, converted_type, logical_type: logical } = element;
    if (!selected.has(name)) continue;
    if (names.has(name)) throw corrupt(file, `two columns have the name ${quote(name)}`);
    names.add(name);
    if (repetition_type === 'REPEATED' || element.num_children || type === undefined)
      throw corrupt(file, `column ${quote(name)}: expected a column of single values, got a nested one`);
    if (logical?.type === 'GEOMETRY' || logical?.type === 'GEOGRAPHY')
      throw corrupt(file, `column ${quote(name)}: expected numbers, strings, booleans or dates, got a geometry`);
    const isDecimal = converted_type === 'DECIMAL';
    columns.push({
      root,
      element,
      place,
      name,
      type,
      length,
      nullable: repetition_type !== 'REQUIRED',
      decimal: isDecimal,
    });
  }
  if (root.num_children !== described && (root.num_children || described))
    throw corrupt(file, `expected ${described} columns, as it describes, got ${root.num_children}`);
  return { columns, stored };
}

function checkGroup(
  file: string,
  group: RowGroup,
  columns: readonly FileColumn[],
  stored: number,
  size: number,
): Group {
  const rows = Number(group.num_rows);
  if (!(rows >= 0 && rows * columns.length <= Math.min(MAX_CELLS, FREE_VALUES + VALUES_PER_BYTE * size)))
    throw corrupt(file, `${rows} rows of ${columns.length} columns in a group, of a file of ${size} bytes`);
  if (group.columns.length !== stored)
    throw corrupt(file, `expected ${stored} columns in a group of rows, got ${group.columns.length}`);
  const chunks = columns.map(({ name, type, place }) => {
    const { meta_data: meta, file_path } = group.columns[place];
    if (meta === undefined || file_path || meta.path_in_schema.join('.') !== name || meta.type !== type)
      throw corrupt(file, `column ${quote(name)}: expected its values, in the same order in each group of rows`);
    if (Number(meta.num_values) !== rows)
      throw corrupt(file, `column ${quote(name)}: it has ${meta.num_values} values for ${rows} rows`);
    return meta;
  });
  return { rows, chunks };
}

/** Gives all rows to a builder, some at each step, so that not all rows are lists at once. */
async function* readRows(
  file: string,
  library: Hyparquet,
  { groups, columns }: Header,
  opened: OpenFile,
  target: RowSink,
): AsyncGenerator<void> {
  for (const { name } of columns) target.column(name);
  // A short file can claim any number of rows, which only columns limit.
  if (columns.length === 0) return;
  let done = 0;
  let stored = 0;
  for (const { rows, chunks } of groups) {
    const readers: ColumnReader[] = [];
    for (const [i, column] of columns.entries()) {
      const fail = (message: string) => corrupt(file, `column ${quote(column.name)}: ${message}`);
      const begin = Number(chunks[i].dictionary_page_offset || chunks[i].data_page_offset);
      const bytes = Number(chunks[i].total_compressed_size);
      stored += bytes;
      // Otherwise many groups could consist of the same bytes.
      if (!(stored <= opened.size)) throw fail('its values overlap others or the end of the file');
      const chunk = await readBytes(file, opened, begin, begin + bytes);
      readers.push(new ColumnReader(library, column, chunks[i], chunk, rows, fail));
    }
    for (let row = 0; row < rows; ) {
      let count = Math.min(BLOCK, rows - row);
      for (const reader of readers) {
        if (reader.left === 0) await guard(file, () => reader.read());
        count = Math.min(count, reader.left);
      }
      for (let i = 0; i < count; i++, done++) {
        const number = done;
        const values = new Array<unknown>(readers.length);
        for (let k = 0; k < readers.length; k++) values[k] = readers[k].next(number);
        target.addValues(values, () => `row ${number}`);
      }
      row += count;
      yield;
    }
  }
}

/** Reads the values of a column in a group of rows, some pages at a time. */
class ColumnReader {
  readonly #library: Hyparquet;
  readonly #column: FileColumn;
  readonly #meta: ColumnMetaData;
  readonly #chunk: Uint8Array;
  readonly #fail: (message: string) => BlasnetError;
  readonly #pages: readonly Page[];
  readonly #decompress: Decompress;
  #dictionary: Page | undefined;
  /** The next page that was not read. */
  #page = 0;
  #values: ArrayLike<unknown> = [];
  #at = 0;
  /** Values are milliseconds of dates, which take less memory. */
  #dates = false;

  constructor(
    library: Hyparquet,
    column: FileColumn,
    meta: ColumnMetaData,
    chunk: Uint8Array,
    rows: number,
    fail: (message: string) => BlasnetError,
  ) {
    this.#library = library;
    this.#column = column;
    this.#meta = meta;
    this.#chunk = chunk;
    this.#fail = fail;
    this.#pages = readPages(chunk, column, rows, fail);
    const decompress = decompressors(library)[meta.codec];
    if (decompress === undefined) throw fail(`the compression ${meta.codec} cannot be read`);
    this.#decompress = decompress;
  }

  /** Values that {@link next} gives before more must be read. */
  get left(): number {
    return this.#values.length - this.#at;
  }

  /** The next value, which is that of row `row` of the file. */
  next(row: number): unknown {
    const value = this.#values[this.#at++];
    if (value === undefined) throw this.#fail('a value is missing from its dictionary');
    if (!this.#dates || value === null) return value;
    if (!isTime(value as number))
      throw this.#fail(`row ${row}: expected milliseconds of a Date, within ±8.64e15, got ${value}`);
    return new Date(value as number);
  }

  /** Reads the next pages. */
  async read(): Promise<void> {
    const pages = this.#dictionary === undefined ? [] : [this.#dictionary];
    let rows = 0;
    while (this.#page < this.#pages.length && rows < SLAB) {
      const page = this.#pages[this.#page++];
      pages.push(page);
      if (page.kind === 'dictionary') this.#dictionary = page;
      else rows += page.values;
    }
    const parts = await this.#decode(pages, rows);
    this.#values = parts.length === 1 ? parts[0] : parts.flatMap((part) => Array.from(part));
    this.#at = 0;
    if (this.#values.length !== rows) throw this.#fail(`it has ${this.#values.length} values for ${rows} rows`);
  }

  /**
   * The values of some pages, as the package reads them: a file of these pages, whose content is checked on its way.
   */
  async #decode(pages: readonly Page[], rows: number): Promise<ArrayLike<unknown>[]> {
    const bytes = Buffer.concat(pages.map(({ begin, end }) => this.#chunk.subarray(begin, end)));
    const buffer = Uint8Array.from(bytes).buffer;
    const packed = pages.filter((page) => page.packed).values();
    const codec = 'CHECKED' as ColumnMetaData['codec'];
    const unpack: Decompress = (input, length) => {
      const content = this.#decompress(input, length);
      if (content.length !== length) throw this.#fail(`a page of ${content.length} bytes instead of ${length}`);
      checkContent(content, packed.next().value as Page, this.#column, this.#fail);
      return content;
    };
    const date = (milliseconds: number) => {
      this.#dates = true;
      return milliseconds as unknown as Date;
    };
    const { root, element, name } = this.#column;
    const { dictionary_page_offset: _, ...rest } = this.#meta;
    const meta = {
      ...rest,
      codec,
      path_in_schema: [name],
      data_page_offset: 0n,
      total_compressed_size: BigInt(buffer.byteLength),
    };
    // The package would make one character of all bytes that don't fit.
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const decode = (bytes: Uint8Array): string => {
      try {
        return decoder.decode(bytes);
      } catch {
        throw this.#fail('it has bytes that are not valid UTF-8');
      }
    };
    const parts: ArrayLike<unknown>[] = [];
    await this.#library.parquetRead({
      file: { byteLength: buffer.byteLength, slice: () => buffer },
      metadata: {
        version: 1,
        metadata_length: 0,
        schema: [{ ...root, num_children: 1 }, element],
        num_rows: BigInt(rows),
        row_groups: [{ columns: [{ file_offset: 0n, meta_data: meta }], total_byte_size: 0n, num_rows: BigInt(rows) }],
      },
      compressors: { [codec]: unpack },
      parsers: {
        timestampFromMilliseconds: (value) => date(Number(value)),
        timestampFromMicroseconds: (value) => date(Number(value / 1000n)),
        timestampFromNanoseconds: (value) => date(Number(value / 1_000_000n)),
        dateFromDays: (days) => date(days * 86_400_000),
        stringFromBytes: (bytes) => bytes && decode(bytes),
        jsonFromBytes: (bytes) => bytes && JSON.parse(decode(bytes)),
      },
      // Unlike onChunk of older versions, it leaves no unhandled rejection.
      onPage: ({ columnData }) => parts.push(columnData as ArrayLike<unknown>),
    } as ParquetReadOptions);
    return parts;
  }
}
