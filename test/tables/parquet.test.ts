import * as zlib from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { BlasnetError } from '../../lib/errors.js';
import { readParquet } from '../../lib/tables/index.js';
import { expectRejection } from '../data/expect-error.js';
import { fileWriter, typesOf } from './support.js';

const write = fileWriter();
type Options = Parameters<typeof parquetWriteBuffer>[0];
type Schema = NonNullable<Options['schema']>;
const file = (columnData: Options['columnData'], more: Partial<Options> = {}) =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...more }));

const columns: Options['columnData'] = [
  { name: 'count', data: [1n, 2n, null, 4n, 5n], type: 'INT64', nullable: true },
  { name: 'size', data: [0.5, null, -1e300, 3, Number.NaN], type: 'DOUBLE', nullable: true },
  { name: 'city', data: ['Bern', 'Zürich', null, 'Bern', ''], type: 'STRING', nullable: true },
  { name: 'old', data: [true, false, true, null, true], type: 'BOOLEAN', nullable: true },
  { name: 'when', data: [0, 1, 2, 3, 4].map((day) => new Date(86_400_000 * day)), type: 'TIMESTAMP' },
  { name: '__proto__', data: [1, 2, 3, 4, 5], type: 'INT32' },
];

describe('readParquet', () => {
  it('reads columns of all types, over several groups of rows', async () => {
    const table = await readParquet(write(file(columns, { rowGroupSize: 2 })), { types: { city: 'text' } });
    expect(typesOf(table)).toEqual(
      Object.fromEntries([
        ...[
          ['count', 'number'],
          ['size', 'number'],
          ['city', 'text'],
        ],
        ...[
          ['old', 'boolean'],
          ['when', 'date'],
          ['__proto__', 'number'],
        ],
      ]),
    );
    const { values } = table.column('count');
    expect(values).toEqual(Float64Array.of(1, 2, Number.NaN, 4, 5));
    expect(table.column('size').values).toEqual(Float64Array.of(0.5, Number.NaN, -1e300, 3, Number.NaN));
    expect(table.column('city').values).toEqual(['Bern', 'Zürich', null, 'Bern', null]);
    expect(table.column('old').values).toEqual([true, false, true, null, true]);
    expect(table.column('when').values).toEqual(Float64Array.of(0, 1, 2, 3, 4).map((day) => 86_400_000 * day));
    expect(table.column('__proto__').values).toEqual(Float64Array.of(1, 2, 3, 4, 5));
  });

  it('columns with a logical type alone are as those with its older name', async () => {
    const read = async (type: Type, data: unknown[]) => {
      const schema = [
        { name: 'root', num_children: 1 },
        { name: 'x', ...type, repetition_type: 'OPTIONAL' },
      ] as Schema;
      const table = await readParquet(write(file([{ name: 'x', data: [...data, null] }] as never, { schema })));
      return [table.column('x').type, Array.from(table.column('x').values as ArrayLike<unknown>).slice(0, -1)];
    };
    type Type = { type: string; logical_type: object };
    const decimal = { type: 'DECIMAL', scale: 2, precision: 9 };
    expect(await read({ type: 'INT32', logical_type: decimal }, [1234, -5])).toEqual(['number', [12.34, -0.05]]);
    expect(await read({ type: 'INT64', logical_type: decimal }, [1234n, -5n])).toEqual(['number', [12.34, -0.05]]);
    const date = { type: 'INT32', logical_type: { type: 'DATE' } };
    expect(await read(date, [-1, 18000])).toEqual(['date', [-86_400_000, 18000 * 86_400_000]]);
    const json = { type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } };
    expect(
      await read(
        json,
        ['"a"', '"b"'].map((text) => Buffer.from(text)),
      ),
    ).toEqual(['category', ['a', 'b']]);
    const micros = { type: 'TIMESTAMP', unit: 'MICROS', isAdjustedToUTC: true };
    expect(await read({ type: 'INT64', logical_type: micros }, [5_000_000n])).toEqual(['date', [5000]]);
    const unsigned = { type: 'INTEGER', bitWidth: 32, isSigned: false };
    expect(await read({ type: 'INT32', logical_type: unsigned }, [2 ** 32 - 1])).toEqual(['number', [2 ** 32 - 1]]);
  });

  it.each([
    ['TIMESTAMP_MILLIS', 'INT64', [1n, 2n, 9_000_000_000_000_000n]],
    ['TIMESTAMP_MICROS', 'INT64', [1n, 2n, -9_000_000_000_000_000_000n]],
    ['DATE', 'INT32', [1, 2, 2 ** 31 - 1]],
  ] as const)('%s that no Date holds are an error that names the row', async (converted_type, type, data) => {
    const schema = [
      { name: 'root', num_children: 1 },
      { name: 'when', type, converted_type, repetition_type: 'REQUIRED' },
    ] as Schema;
    const path = write(file([{ name: 'when', data }] as never, { schema }));
    await expectRejection(() => readParquet(path), 'FILE_CORRUPT', /column "when": row 2: expected .*, got -?\d+/);
  });

  it.each(['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'BROTLI', 'ZSTD'] as const)('%s', async (codec) => {
    const library = zlib as unknown as Partial<Record<string, (input: Uint8Array) => Uint8Array>>;
    const name = { GZIP: 'gzipSync', BROTLI: 'brotliCompressSync', ZSTD: 'zstdCompressSync' }[codec as 'GZIP'];
    const data = Array.from({ length: 1000 }, (_, i) => i % 7);
    const compress = name === undefined ? undefined : library[name];
    const compressors = compress && { [codec]: compress };
    if (codec === 'ZSTD' && compress === undefined) {
      const bytes = file([{ name: 'x', data, type: 'INT32' }], {
        codec,
        compressors: { ZSTD: (input: Uint8Array) => input },
      });
      await expectRejection(() => readParquet(write(bytes)), 'FILE_CORRUPT', /compression ZSTD needs Node.js 22.15/);
      return;
    }
    const bytes = file([{ name: 'x', data, type: 'INT32' }], { codec, ...(compressors && { compressors }) });
    expect((await readParquet(write(bytes))).column('x').values).toEqual(Float64Array.from(data));
  });

  const integers = Array.from({ length: 3000 }, (_, i) => (i * 7919) % 1001);
  const values = {
    INT32: integers,
    INT64: integers.map((i) => BigInt(i) - 500n),
    FLOAT: integers.map((i) => i / 4),
    DOUBLE: integers.map(Math.sin),
    BOOLEAN: integers.map((i) => i % 3 === 0),
    STRING: integers.map((i) => 'x'.repeat(i % 5) + i),
    TIMESTAMP: integers.map((i) => new Date(1e9 * i)),
  };
  const kinds = {
    PLAIN: ['INT32', 'INT64', 'FLOAT', 'DOUBLE', 'BOOLEAN', 'STRING', 'TIMESTAMP'],
    RLE_DICTIONARY: ['INT32', 'INT64', 'FLOAT', 'DOUBLE', 'STRING', 'TIMESTAMP'],
    RLE: ['BOOLEAN'],
    DELTA_BINARY_PACKED: ['INT32', 'INT64', 'TIMESTAMP'],
    DELTA_LENGTH_BYTE_ARRAY: ['STRING'],
    DELTA_BYTE_ARRAY: ['STRING'],
    BYTE_STREAM_SPLIT: ['INT32', 'INT64', 'FLOAT', 'DOUBLE'],
  } as const;
  const cases = Object.entries(kinds).flatMap(([encoding, types]) => types.map((type) => [encoding, type] as const));

  it.each(cases)('%s of %s, also with missing ones, over several pages and groups', async (encoding, type) => {
    const all = values[type];
    const gaps = all.map((value, i) => (i % 5 === 0 || (i > 700 && i < 900) ? null : value));
    const common = { type, encoding } as Options['columnData'][number];
    const bytes = file(
      [
        { ...common, name: 'all', data: all },
        { ...common, name: 'gaps', data: gaps, nullable: true },
      ],
      { rowGroupSize: 2000, pageSize: 500 },
    );
    const table = await readParquet(write(bytes), { types: type === 'STRING' ? { all: 'text', gaps: 'text' } : {} });
    const plain = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
    const rows = all.map((value, i) => ({ all: plain(value), gaps: plain(gaps[i]) }));
    expect(table.rows()).toEqual(rows);
  });

  it('columns of values that are not plain', async () => {
    const lists = file([{ name: 'x', data: [[1], [2]] }]);
    await expectRejection(() => readParquet(write(lists)), 'FILE_CORRUPT', /row 0, column "x": expected a number/);
    const infinite = file([{ name: 'x', data: [1, Infinity], type: 'DOUBLE' }]);
    await expectRejection(() => readParquet(write(infinite)), 'FILE_CORRUPT', /row 1, column "x": expected a finite/);
  });

  it.each([
    ['', 0],
    ['UTF8', 0],
    // The writer would make JSON of the bytes, so a file of strings gets this type afterwards.
    ['UTF8', 38],
  ] as const)('bytes that are not UTF-8: type "%s", %i', async (converted, changed) => {
    const values = ['"\xff"', '"\xfe"', '"a"'].map((text) => Uint8Array.from(Buffer.from(text, 'latin1')));
    const element = { name: 'x', type: 'BYTE_ARRAY', repetition_type: 'REQUIRED' } as const;
    const schema: Options['schema'] = [
      { name: 'root', num_children: 1 },
      converted === '' ? element : { ...element, converted_type: converted },
    ];
    // All different, and repeated ones in a dictionary.
    for (const data of [values, Array.from({ length: 300 }, (_, i) => values[i % 3])]) {
      const bytes = file([{ name: 'x', data }], { schema });
      const at = Buffer.from(bytes).lastIndexOf(Buffer.from([0x18, 1, 'x'.charCodeAt(0), 0x25, 0]));
      if (converted !== '') bytes[at + 4] = changed;
      const expected = /: column "x": it has bytes that are not valid UTF-8$/;
      await expectRejection(() => readParquet(write(bytes)), 'FILE_CORRUPT', expected);
    }
  });

  it.each([
    [new Uint8Array(0), /no Parquet file/],
    [Buffer.from('PAR1'), /no Parquet file/],
    [Buffer.from('a,b\n1,2\n3,4,5,6,7'), /no Parquet file/],
    [Buffer.from('PAR1\xff\xff\xff\x7fPAR1', 'latin1'), /no Parquet file/],
  ])('%j is FILE_CORRUPT', async (content, message) => {
    await expectRejection(() => readParquet(write(content)), 'FILE_CORRUPT', message);
  });

  it('cut files and changed headers give a table or FILE_CORRUPT, nothing else', async () => {
    const bytes = file(columns, { rowGroupSize: 2 });
    const header = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
    const versions = Array.from({ length: bytes.length / 10 }, (_, i) => bytes.slice(0, 10 * i));
    for (let at = header; at < bytes.length; at += 1) {
      const changed = bytes.slice();
      changed[at] = [0, 1, 0x7f, 0xff][at % 4];
      versions.push(changed);
    }
    for (const version of versions) {
      try {
        const table = await readParquet(write(version));
        for (const name of table.names) expect(table.column(name).values.length).toBe(table.length);
      } catch (error) {
        expect(error).toBeInstanceOf(BlasnetError);
        expect((error as BlasnetError).code).toBe('FILE_CORRUPT');
      }
    }
  });
});
