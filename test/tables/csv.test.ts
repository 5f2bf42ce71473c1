import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlasnetError } from '../../lib/errors.js';
import { type CsvOptions, readCsv } from '../../lib/tables/index.js';
import { expectRejection } from '../data/expect-error.js';
import { fileWriter, typesOf, WEATHER } from './support.js';

const write = fileWriter();
const read = (content: string | Uint8Array, options?: CsvOptions) => readCsv(write(content), options);

describe('readCsv', () => {
  it('reads types, missing values, quotes and spaces', async () => {
    const table = await read(
      'name, age,member,born,city,note\n' +
        '"Ann ""A"" Lee",41,true,2001-02-03,Bern,"two\nlines, one comma"\n' +
        '\n' +
        'Bo, 3.5e1 ,FALSE,2001-02-03T04:05:06.5Z, Basel ,NA\n' +
        ',,,,,\n',
    );
    expect(table.length).toBe(3);
    expect(typesOf(table)).toEqual({
      name: 'category',
      age: 'number',
      member: 'boolean',
      born: 'date',
      city: 'category',
      note: 'category',
    });
    expect(table.rows()).toEqual([
      {
        name: 'Ann "A" Lee',
        age: 41,
        member: true,
        born: new Date(Date.UTC(2001, 1, 3)),
        city: 'Bern',
        note: 'two\nlines, one comma',
      },
      {
        name: 'Bo',
        age: 35,
        member: false,
        born: new Date(Date.UTC(2001, 1, 3, 4, 5, 6, 500)),
        city: 'Basel',
        note: null,
      },
      { name: null, age: null, member: null, born: null, city: null, note: null },
    ]);
    expect(table.column('age').values).toEqual(Float64Array.of(41, 35, Number.NaN));
  });

  it.each([
    ['1\n2.5\n-3e2\n.5\n+4.', 'number'],
    ['1\nx', 'category'],
    ['x\n1', 'category'],
    ['true\n1', 'category'],
    ['01234\n81234', 'category'],
    ['81234\n01234', 'category'],
    ['0\n0.5\n-0', 'number'],
    ['Infinity', 'category'],
    ['0x10', 'category'],
    ['2020-02-29', 'date'],
    ['2021-02-29', 'category'],
    ['2020/01/31 10:20', 'date'],
    ['2020-01-31T25:00', 'category'],
    ['2020', 'number'],
    ['NA\nNA', 'category'],
    ['NA\n7', 'number'],
  ])('the type of %j is %s', async (lines, type) => {
    const table = await read(`x,y\n${lines.replace(/^|\n/g, '$&a,')}`);
    expect(table.column('y').type).toBe(type);
  });

  it('strings that are mostly different are text', async () => {
    const lines = (count: number, of: number) => Array.from({ length: count }, (_, i) => `t${i % of}`).join('\n');
    expect((await read(`x\n${lines(60, 60)}`)).column('x').type).toBe('text');
    expect((await read(`x\n${lines(50, 50)}`)).column('x').type).toBe('category');
    expect((await read(`x\n${lines(120, 60)}`)).column('x').type).toBe('category');
    expect((await read(`x\n${lines(60, 60)}`, { types: { x: 'category' } })).column('x').type).toBe('category');
  });

  it('a date without a zone is in UTC, one with a zone is converted', async () => {
    const table = await read(
      't\n2020-06-01T00:30:00+02:00\n2020-06-01T00:30-0130\n2020-06-01 00:30:00.123456\n0099-01-01\n2020-06-01 00:30:00+02',
    );
    expect(typesOf(table)).toEqual({ t: 'date' });
    expect(Array.from(table.column('t').values as Float64Array, (time) => new Date(time).toISOString())).toEqual([
      '2020-05-31T22:30:00.000Z',
      '2020-06-01T02:00:00.000Z',
      '2020-06-01T00:30:00.123Z',
      '0099-01-01T00:00:00.000Z',
      '2020-05-31T22:30:00.000Z',
    ]);
  });

  it('keeps the first values of a column whose type shows only later', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `${i}.50,${i}`).join('\n');
    const table = await read(`x,y\n${rows}\nunknown,5000`);
    expect(table.column('x').values.slice(0, 2)).toEqual(['0.50', '1.50']);
    expect(table.column('x').values[5000]).toBe('unknown');
    expect(table.column('y').values).toEqual(Float64Array.from({ length: 5001 }, (_, i) => i));
  });

  it.each([
    ['a,b\n1,2', ','],
    ['a\tb\n1\t2', '\t'],
    ['a;b\n1;2', ';'],
    ['a|b\n1|2', '|'],
    ['"x,y,z";b\n1;2', ';'],
    ['\n\na;b\n1;2', ';'],
  ])('finds the delimiter of %j', async (text) => {
    const table = await read(text);
    expect(table.names.at(-1)).toBe('b');
    expect(table.rows()).toEqual([{ [table.names[0]]: 1, b: 2 }]);
  });

  it('takes a delimiter, names, a decimal comma, missing values and types', async () => {
    const table = await read('1,5~2~-\n,25~?~a', {
      delimiter: '~',
      header: ['x', 'y', 'z'],
      decimal: ',',
      missing: ['?', '-'],
      types: { y: 'category' },
    });
    expect(table.rows()).toEqual([
      { x: 1.5, y: '2', z: null },
      { x: 0.25, y: null, z: 'a' },
    ]);
  });

  it('spaces around what stands for a missing value do not count either', async () => {
    const table = await read('a,b\n1,? \n?,x\n,\n', { missing: [' ? '] });
    expect(table.rows()).toEqual([
      { a: 1, b: null },
      { a: null, b: 'x' },
      { a: null, b: null },
    ]);
  });

  it('a file: URL, the ends of lines of all systems, a byte order mark, a last line without an end', async () => {
    const rows = [
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ];
    for (const end of ['\n', '\r\n', '\r']) {
      const path = write(`\ufeffa,b${end}1,x${end}2,y`);
      expect((await readCsv(pathToFileURL(path))).rows()).toEqual(rows);
    }
  });

  it('a header alone has columns without rows', async () => {
    const table = await read('a,,b\n');
    expect([table.length, table.names]).toEqual([0, ['a', 'column_2', 'b']]);
  });

  it('encodings', async () => {
    expect((await read(Buffer.from('é,ü\n1,2', 'latin1'), { encoding: 'latin1' })).names).toEqual(['é', 'ü']);
    expect((await read(Buffer.from('\ufeffé,ü\n1,2', 'utf16le'), { encoding: 'utf-16le' })).names).toEqual(['é', 'ü']);
    const hint = /byte 0 or after: it is not valid utf-8; is its encoding latin1 or utf-16le\?/;
    await expectRejection(() => read(Buffer.from('é,ü\n1,2', 'latin1')), 'FILE_CORRUPT', hint);
    // A character that two reads divide.
    const long = `a\n${'x'.repeat(65_533)}é\n`;
    expect((await read(long)).column('a').values[0]).toBe(`${'x'.repeat(65_533)}é`);
    await expectRejection(() => read(Buffer.from('a\nb\xc3', 'latin1')), 'FILE_CORRUPT', /not valid utf-8/);
  });

  it('a real file, whose lines have neither quotes nor missing values', async () => {
    const table = await readCsv(WEATHER);
    expect(typesOf(table)).toEqual({
      date: 'date',
      precipitation: 'number',
      temp_max: 'number',
      temp_min: 'number',
      wind: 'number',
      weather: 'category',
    });
    expect(table.length).toBe(1461);
    const lines = readFileSync(WEATHER, 'utf8').trim().split('\n').slice(1);
    table.names.forEach((name, i) => {
      const fields = lines.map((line) => line.trim().split(',')[i]);
      const { type, values } = table.column(name);
      const read = { number: Number, date: (text: string) => new Date(text).getTime(), category: String }[
        type as 'date'
      ];
      expect(Array.from(values as Iterable<unknown>)).toEqual(fields.map(read));
    });
    expect(table.row(1460)).toEqual({
      date: new Date(Date.UTC(2015, 11, 31)),
      precipitation: 0,
      temp_max: 5.6,
      temp_min: -2.1,
      wind: 3.5,
      weather: 'sun',
    });
  });
});

describe('readCsv: hostile files', () => {
  it('column names of Object.prototype are names like others', async () => {
    const table = await read('__proto__,constructor,toString\n1,2,3\n4,5,6', {
      types: Object.fromEntries([['constructor', 'category']]),
    });
    expect(table.names).toEqual(['__proto__', 'constructor', 'toString']);
    const row = table.row(1);
    expect(Object.getOwnPropertyDescriptor(row, '__proto__')?.value).toBe(4);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(table.column('constructor').values).toEqual(['2', '5']);
    expect(({} as Record<string, unknown>).constructor).toBe(Object);
  });

  it.each([
    ['a,b\n1,2\n3\n', /line 3: expected 2 fields, got 1/],
    ['a,b\n1,2\n\n\n3,4,5\n', /line 5: expected 2 fields, got 3/],
    ['a,b\n1,"2\n3,4\n', /line \d: Quote Not Closed/],
    ['a,b\n1,"2"x\n', /line 2: Invalid Closing Quote/],
    ['a,b\n1,x"2"\n', /line 2: Invalid Opening Quote/],
    ['a,a\n1,2\n', /line 1: two columns have the name "a"/],
    ['a,b\n1,2\0\n', /byte 0 or after: it has a NUL/],
    ['', /it has no columns/],
    ['\n\n', /it has no columns/],
    [Buffer.from([0xff, 0xfe, 0x61, 0x00]), /not valid utf-8/],
    [Buffer.from([0x1f, 0x8b, 0x08, 0x00]), /not valid utf-8/],
  ])('%j is FILE_CORRUPT', async (content, message) => {
    await expectRejection(() => read(content), 'FILE_CORRUPT', message);
  });

  it('a million columns, and a quote that is never closed', async () => {
    await expectRejection(() => read(`${'a,'.repeat(1e6)}\n`), 'FILE_CORRUPT', /line 1: more than 100000 columns/);
    await expectRejection(() => read(`a\n"${'x'.repeat(2 ** 24 + 9)}`), 'FILE_CORRUPT', /line 2: Max Record Size/);
  });

  it('a given type of dates says what it takes', async () => {
    await expectRejection(
      () => read('t\n1577836800000\n', { types: { t: 'date' } }),
      'FILE_CORRUPT',
      /line 2, column "t": expected a Date, a text in ISO 8601 or a number of milliseconds .*, got "1577836800000"/,
    );
  });

  it('a value that does not have the given type', async () => {
    const text = 'a,b\n1,2\n3,four\n';
    await expectRejection(
      () => read(text, { types: { b: 'number' } }),
      'FILE_CORRUPT',
      /line 3, column "b": expected a finite number, got "four"/,
    );
    await expectRejection(
      () => read(text, { types: { c: 'number' } }),
      'INVALID_ARGUMENT',
      /^readCsv: types: .*got "c"/,
    );
    await expectRejection(() => read('a\n1e999', { types: { a: 'number' } }), 'FILE_CORRUPT', /finite number/);
  });

  it('changed bytes give a table or FILE_CORRUPT, nothing else', async () => {
    const text = Buffer.from('a,b,c\n1,"x ""y"", z",2020-01-01\n2,w,2020-01-02\r\n,,\n');
    const change = fc.tuple(fc.nat(text.length - 1), fc.constantFrom(0, 10, 13, 34, 44, 0x5f, 0x80, 0xc3, 0xff));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(text);
        for (const [at, byte] of changes) bytes[at] = byte;
        try {
          const table = await read(bytes);
          for (const name of table.names) expect(table.column(name).values.length).toBe(table.length);
        } catch (error) {
          expect(error).toBeInstanceOf(BlasnetError);
          expect((error as BlasnetError).code).toBe('FILE_CORRUPT');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('reads back what a writer by RFC 4180 writes', async () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', '\n', ';', '😀', "'"), minLength: 1 });
    const rows = fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 20 });
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(rows, async (list) => {
        const text = ['x,y', ...list.map((row) => row.map(quoted).join(','))].join('\r\n');
        const table = await read(text, { missing: [], types: { x: 'text', y: 'text' } });
        expect(table.rows()).toEqual(list.map(([x, y]) => ({ x: x.trim() || null, y: y.trim() || null })));
      }),
      { numRuns: 100 },
    );
  });
});

describe('readCsv: arguments', () => {
  it.each<[CsvOptions, RegExp]>([
    [{ delimiter: ',,' }, /delimiter: expected a single character/],
    [{ delimiter: '"' }, /delimiter/],
    [{ header: [] }, /header: expected names/],
    [{ header: ['a', 'a'] }, /header: expected unique names/],
    [{ header: ['a', 'a '] }, /header: expected unique names, got "a "/],
    [{ decimal: '·' as '.' }, /decimal: expected one of/],
    [{ missing: [1 as unknown as string] }, /missing: expected a list of strings/],
    [{ types: { a: 'int' as 'number' } }, /types: "a": expected one of 'number'/],
    [{ types: [] as unknown as Record<string, 'number'> }, /types: expected an object/],
    [{ encoding: 'utf-7' as 'utf-8' }, /encoding: expected one of/],
  ])('INVALID_ARGUMENT: %o', async (options, message) => {
    await expectRejection(() => read('a\n1', options), 'INVALID_ARGUMENT', message);
  });

  it('without csv-parse, and without hyparquet for Parquet, the error says what to install', () => {
    // A copy of the package, with no node_modules around it.
    const folder = mkdtempSync(join(tmpdir(), 'blasnet-alone-'));
    try {
      cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(folder, 'dist'), { recursive: true });
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      writeFileSync(join(folder, 'rows'), '{"a": 1}');
      const script = `import { readCsv, readJsonLines, readParquet } from './dist/tables/index.js';
        const said = await Promise.allSettled([readCsv('rows'), readParquet('rows'), readJsonLines('rows')]);
        console.log(JSON.stringify(said.map(({ reason, value }) => value?.length ?? reason.message)));`;
      writeFileSync(join(folder, 'script.js'), script);
      const output = execFileSync(process.execPath, ['script.js'], { cwd: folder, encoding: 'utf8' });
      expect(JSON.parse(output)).toEqual([
        'readCsv: the package csv-parse is not installed; run `npm install csv-parse`',
        'readParquet: the package hyparquet is not installed; run `npm install hyparquet`',
        1,
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('the number of names must be the number of fields', async () => {
    await expectRejection(() => read('1,2', { header: ['a'] }), 'FILE_CORRUPT', /line 1: expected 1 fields, got 2/);
  });
});
