import * as zlib from 'node:zlib';
import type { AsyncBuffer, Compressors, FileMetaData, ParquetReadOptions, SchemaTree } from 'hyparquet';
import { checkArity, checkOptions, checkPath } from '../checks.js';
import { readWhole } from '../data/files.js';
import { loadPackage } from '../packages.js';
import { cut, quote } from '../text.js';
import { type ColumnTypes, checkTypes, MAX_CELLS, MAX_COLUMNS, TableBuilder } from './builder.js';
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
  const content = buffer as ArrayBuffer;
  /** Whatever the package throws is about the file. */
  const guard = async <T>(read: () => T | Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (cause) {
      if ((cause as Error).name === 'BlasnetError') throw cause;
      throw corrupt(
        file,
        `it is no Parquet file that can be read: ${cut(String((cause as Error)?.message), 300)}`,
        cause,
      );
    }
  };
  const metadata = await guard(() => library.parquetMetadataAsync(content));
  const names = await guard(() => library.parquetSchema(metadata).children.map(({ element }) => element.name));
  const rows = Number(metadata.num_rows);
  if (names.length > MAX_COLUMNS) throw corrupt(file, `more than ${MAX_COLUMNS} columns`);
  if (!(rows >= 0) || rows * names.length > MAX_CELLS)
    throw corrupt(file, `more than ${MAX_CELLS} values (${names.length} columns, ${rows} rows)`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw corrupt(file, `two columns have the name ${quote(twice)}`);
  const compressors = compressorsOf(zlib as Partial<Record<string, unknown>>);
  const first = new TableBuilder(types, (message) => corrupt(file, message));
  for (let builder: TableBuilder | undefined = first; ; ) {
    const target: TableBuilder = builder;
    for (const name of names) target.column(name);
    // A group of rows at a time, so that not all rows are lists at once.
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      const onComplete = (list: unknown[]) => {
        for (const values of list as unknown[][]) target.addValues(values, () => `row ${target.rows}`);
      };
      if (rowEnd > rowStart)
        await guard(() =>
          library.parquetRead({
            file: content,
            metadata,
            compressors,
            rowStart,
            rowEnd,
            onComplete,
          } as ParquetReadOptions),
        );
      rowStart = rowEnd;
    }
    if (target.rows !== rows) throw corrupt(file, `expected ${rows} rows, as its header tells, got ${target.rows}`);
    const again: TableBuilder | undefined = target.again();
    if (again === undefined) return new Table(target.finish());
    builder = again;
  }
}
