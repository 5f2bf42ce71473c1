import { spawnSync } from 'node:child_process';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { ByteWriter } from 'hyparquet-writer/src/bytewriter.js';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import { describe, expect, it } from 'vitest';
import { readParquet, streamParquet } from '../../lib/tables/index.js';
import { expectRejection } from '../data/expect-error.js';
import { nodeProgram, projectFile } from '../lifecycle/child.js';
import { fileWriter } from './support.js';

const write = fileWriter();
type PageHeader = Parameters<typeof writePageHeader>[1];
type Encoding = NonNullable<PageHeader['data_page_header']>['encoding'];
type Metadata = Parameters<typeof writeMetadata>[1];
type SchemaElement = Metadata['schema'][number];
type ColumnMetaData = NonNullable<Metadata['row_groups'][number]['columns'][number]['meta_data']>;

/** An unsigned LEB128 number. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

/** Runs of levels or indices: [value, how often]. */
const runs = (...list: (readonly [value: number, count: number])[]) =>
  list.flatMap(([value, count]) => [...varint(2 * count), value]);
/** Their size before them, as pages of the first kind have it. */
const sized = (bytes: number[]) => [bytes.length, 0, 0, 0, ...bytes];
/** Integers with equal differences: blocks of 128 in 4 parts. */
const deltas = (count: number, first: number, difference: number, block = 128, parts = 4) => [
  ...varint(block),
  ...varint(parts),
  ...varint(count),
  ...varint(2 * first),
  ...Array.from({ length: Math.ceil((count - 1) / 128) }, () => [...varint(2 * difference), 0, 0, 0, 0]).flat(),
];

/** A page with its header. */
function page(header: Partial<PageHeader>, content: ArrayLike<number>): Uint8Array {
  const writer = new ByteWriter();
  const length = content.length;
  writePageHeader(writer, {
    type: 'DATA_PAGE',
    uncompressed_page_size: length,
    compressed_page_size: length,
    ...header,
  });
  writer.appendBytes(Uint8Array.from(content));
  return new Uint8Array(writer.getBuffer());
}

const data = (values: number, encoding: Encoding, content: ArrayLike<number>, more: Partial<PageHeader> = {}) =>
  page(
    {
      data_page_header: {
        num_values: values,
        encoding,
        definition_level_encoding: 'RLE',
        repetition_level_encoding: 'RLE',
      },
      ...more,
    },
    content,
  );

function data2(
  values: number,
  nulls: number,
  levels: number[],
  encoding: Encoding,
  content: number[],
  size = levels.length,
): Uint8Array {
  const data_page_header_v2 = {
    num_values: values,
    num_nulls: nulls,
    num_rows: values,
    encoding,
    definition_levels_byte_length: size,
    repetition_levels_byte_length: 0,
    is_compressed: false,
  };
  return page({ type: 'DATA_PAGE_V2', data_page_header_v2 }, [...levels, ...content]);
}

const dictionary = (values: number, content: ArrayLike<number>) =>
  page({ type: 'DICTIONARY_PAGE', dictionary_page_header: { num_values: values, encoding: 'PLAIN' } }, content);

interface FileOptions {
  rows?: number;
  element?: Partial<SchemaElement>;
  meta?: Partial<ColumnMetaData>;
  groups?: number;
}

/** A file of one column, of these pages. */
function file(pages: Uint8Array[], { rows = 4, element, meta, groups = 1 }: FileOptions = {}): Uint8Array {
  const writer = new ByteWriter();
  writer.appendBytes(Buffer.from('PAR1'));
  for (const bytes of pages) writer.appendBytes(bytes);
  const column: SchemaElement = { type: 'INT32', repetition_type: 'REQUIRED', name: 'x', ...element };
  const meta_data = {
    type: column.type,
    encodings: [],
    path_in_schema: ['x'],
    codec: 'UNCOMPRESSED',
    num_values: BigInt(rows),
    total_uncompressed_size: BigInt(writer.offset - 4),
    total_compressed_size: BigInt(writer.offset - 4),
    data_page_offset: 4n,
    ...meta,
  } as ColumnMetaData;
  const group = {
    columns: [{ file_offset: 0n, meta_data }],
    total_byte_size: 0n,
    num_rows: BigInt(rows),
  };
  writeMetadata(
    writer,
    {
      version: 2,
      schema: [{ name: 'root', num_children: 1 }, column],
      num_rows: BigInt(groups * rows),
      row_groups: Array.from({ length: groups }, () => group),
      metadata_length: 0,
    },
    2 ** 21,
  );
  writer.appendBytes(Buffer.from('PAR1'));
  return new Uint8Array(writer.getBuffer());
}

/** A file whose header is these bytes. */
const withHeader = (header: number[]) => {
  const tail = Buffer.from('0000PAR1');
  tail.writeUInt32LE(header.length);
  return Buffer.concat([Buffer.from('PAR1'), Buffer.from(header), tail]);
};

const int32 = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0];
const one = [1, 0, 0, 0];
const optional = { element: { repetition_type: 'OPTIONAL' } } as const;
const text = { element: { type: 'BYTE_ARRAY' } } as const;
const compressed = (codec: 'SNAPPY' | 'GZIP', content: ArrayLike<number>, claimed: number) =>
  file([data(4, 'PLAIN', content, { uncompressed_page_size: claimed })], { meta: { codec } });
const fixed = (type_length: number) => ({ element: { type: 'FIXED_LEN_BYTE_ARRAY', type_length } }) as const;
const decimal = { element: { type: 'BYTE_ARRAY', converted_type: 'DECIMAL', scale: 2 } } as const;

/** A page header without the size of its content. */
const unsized = Uint8Array.from([0x15, 0, 0x15, 32, 0x2c, 0x15, 8, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0, ...int32]);

const hostile: Record<string, [Uint8Array, RegExp]> = {
  'rows that no page has': [file([data(4, 'PLAIN', int32)], { rows: 2 ** 24 }), /4 values for 16777216 rows/],
  'a group of too many rows': [file([data(4, 'PLAIN', int32)], { rows: 2 ** 26 }), /67108864 rows of 1 columns/],
  'fewer rows than values': [file([data(4, 'PLAIN', int32)], { rows: 3 }), /4 values for 3 rows/],
  'a page of too many values': [file([data(2 ** 23, 'PLAIN', int32)], { rows: 2 ** 23 }), /a page of 8388608 values/],
  'a page of less than no values': [file([data(-4, 'PLAIN', int32)]), /a page of -4 values/],
  'many groups of the same bytes': [file([data(4, 'PLAIN', int32)], { groups: 1000 }), /overlap/],
  'a long run of levels': [
    file([data(4, 'PLAIN', [...sized(runs([1, 2 ** 30])), ...int32])], optional),
    /a run of 1073741824 where 4/,
  ],
  'a long run of indices': [
    file([dictionary(1, one), data(4, 'RLE_DICTIONARY', [1, ...runs([0, 2 ** 30])])]),
    /a run of 1073741824 where 4/,
  ],
  'packed indices of no bits': [
    file([dictionary(1, one), data2(4, 0, [], 'RLE_DICTIONARY', [0, ...varint(2 ** 30 + 1)])]),
    /a run of 4294967296 where 4/,
  ],
  'a long run of truth values': [
    file([data(4, 'RLE', sized(runs([1, 2 ** 30])))], { element: { type: 'BOOLEAN' } }),
    /a run of 1073741824 where 4/,
  ],
  'a large dictionary without bytes': [
    file([dictionary(2 ** 22, one), data(4, 'RLE_DICTIONARY', [1, ...runs([0, 4])])], text),
    /a dictionary of 4194304 values in 4 bytes/,
  ],
  'indices without a dictionary': [file([data(4, 'RLE_DICTIONARY', [1, ...runs([0, 4])])]), /dictionary is missing/],
  'indices beyond the dictionary': [
    file([dictionary(1, [1, 0, 0, 0, 65]), data(4, 'RLE_DICTIONARY', [1, ...runs([1, 4])])], text),
    /a value is missing from its dictionary/,
  ],
  'Snappy that claims a gigabyte': [compressed('SNAPPY', [0, 0], 2 ** 30), /a page of 1073741824 bytes/],
  'gzip that claims a gigabyte': [compressed('GZIP', gzipSync(Buffer.alloc(16)), 2 ** 30), /1073741824 bytes/],
  'gzip of more than it claims': [compressed('GZIP', gzipSync(Buffer.alloc(2 ** 26)), 16), /no Parquet file|bytes/],
  'large blocks of differences': [
    file([data(4, 'DELTA_BINARY_PACKED', deltas(4, 0, 1, 2 ** 31, 2 ** 26))]),
    /blocks of 2147483648 differences/,
  ],
  'a prefix of a gigabyte': [
    file([data(4, 'DELTA_BYTE_ARRAY', [...deltas(4, 2 ** 30, 0), ...deltas(4, 0, 0)])], text),
    /begins as none before it/,
  ],
  'strings that grow': [
    file(
      [data(30_000, 'DELTA_BYTE_ARRAY', [...deltas(30_000, 0, 1), ...deltas(30_000, 1, 0), ...Buffer.alloc(30_000)])],
      { ...text, rows: 30_000 },
    ),
    /more than 268435456 bytes of strings/,
  ],
  'long values in split bytes': [file([data(4, 'BYTE_STREAM_SPLIT', int32)], fixed(2 ** 30)), /ends too early/],
  'a long decimal number': [
    file([data(1, 'PLAIN', [0, 0, 16, 0, ...Buffer.alloc(2 ** 20, 1)])], { ...decimal, rows: 1 }),
    /a decimal number of 1048576 bytes/,
  ],
  'a long value in statistics': [
    file([data(4, 'PLAIN', int32)], { ...text, meta: { statistics: { max_value: 'x'.repeat(2 ** 20) } } }),
    /a value of 1048576 bytes/,
  ],
  'less than no missing values': [file([data2(4, -(2 ** 30), [], 'PLAIN', int32)]), /-1073741824 missing values/],
  'other missing values than levels': [
    file([data2(4, 2, runs([1, 4]), 'PLAIN', int32)], optional),
    /2 missing values, of which 4/,
  ],
  'levels longer than their page': [
    file([data2(4, 0, [], 'PLAIN', int32, 2 ** 30)], optional),
    /levels of nested values/,
  ],
  'a page without a size': [file([unsized]), /a page of NaN bytes/],
  'lists in lists, each long': [
    withHeader([0x19, ...Array.from({ length: 12 }, () => [0xf9, ...varint(2 ** 24)]).flat()]),
    /a list longer than itself/,
  ],
  'structs without end': [withHeader(Array(100_000).fill(0x1c)), /nested too deeply/],
  'a nested column': [
    file([data(4, 'PLAIN', int32)], { element: { repetition_type: 'REPEATED' } }),
    /"x": expected a column of single values, got a nested one/,
  ],
  'a geometry': [
    file([data(4, 'PLAIN', int32)], { element: { type: 'BYTE_ARRAY', logical_type: { type: 'GEOMETRY' } } }),
    /got a geometry/,
  ],
};

describe('a Parquet file made to do harm', () => {
  it.each(Object.entries(hostile))('%s', async (_, [bytes, message]) => {
    const path = write(bytes);
    await expectRejection(() => readParquet(path), 'FILE_CORRUPT', message);
    await expectRejection(
      async () => {
        for await (const _ of streamParquet(path));
      },
      'FILE_CORRUPT',
      message,
    );
  });

  it('is refused within a small heap and soon', () => {
    const script = `
      import { readParquet } from ${JSON.stringify(projectFile('dist/tables/index.js'))};
      for (const path of process.argv.slice(1)) {
        const begin = process.cpuUsage();
        const code = await readParquet(path).then(() => 'read', (error) => error.code ?? String(error));
        const { user, system } = process.cpuUsage(begin);
        if (code !== 'FILE_CORRUPT' || user + system > 2e6) console.log(code, user + system, path);
      }
      console.log(process.resourceUsage().maxRSS / 1024);`;
    const paths = Object.values(hostile).map(([bytes]) => write(bytes));
    const args = ['--max-old-space-size=64', '--input-type=module', '-e', script, ...paths];
    const { stdout, stderr, status } = spawnSync(nodeProgram, args, { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(Number(stdout)).toBeLessThan(256);
  });
});

describe('a Parquet file of few bytes and many values is read', () => {
  const count = 2 ** 20;
  const pages = 4;

  it('constants', async () => {
    const page = data(count, 'RLE_DICTIONARY', [1, ...runs([0, count])]);
    const path = write(file([dictionary(1, [42, 0, 0, 0]), ...Array(pages).fill(page)], { rows: pages * count }));
    const { values } = (await readParquet(path)).column('x');
    expect(values.length).toBe(pages * count);
    expect((values as Float64Array).every((value) => value === 42)).toBe(true);
  });

  it('zeros in a page that Brotli makes a few bytes', async () => {
    const zeros = Buffer.alloc(4 * count);
    const page = data(count, 'PLAIN', brotliCompressSync(zeros), { uncompressed_page_size: zeros.length });
    const { values } = (await readParquet(write(file([page], { rows: count, meta: { codec: 'BROTLI' } })))).column('x');
    expect(values).toEqual(new Float64Array(count));
  });

  it.each(['first', 'second'])('missing and present ones in pages of the %s kind', async (kind) => {
    const levels = runs([0, count - 1], [1, 1]);
    const page =
      kind === 'first'
        ? data(count, 'PLAIN', [...sized(levels), 7, 0, 0, 0])
        : data2(count, count - 1, levels, 'PLAIN', [7, 0, 0, 0]);
    const path = write(file(Array(pages).fill(page), { ...optional, rows: pages * count }));
    let row = 0;
    for await (const piece of streamParquet(path)) {
      for (const value of piece.column('x').values as Float64Array)
        if ((++row % count === 0) !== (value === 7)) expect.fail(`row ${row - 1}: ${value}`);
    }
    expect(row).toBe(pages * count);
  });
});
