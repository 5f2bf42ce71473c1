import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { dense, Network, softmaxCrossEntropy } from '../../lib/index.js';
import {
  type CsvOptions,
  Encoder,
  encoder,
  predictRows,
  readCsv,
  readJsonLines,
  readParquet,
  streamCsv,
  streamJsonLines,
  streamParquet,
  Table,
} from '../../lib/tables/index.js';
import { expectError, expectRejection } from '../data/expect-error.js';
import { fileWriter, typesOf } from './support.js';

const write = fileWriter();
const read = (content: string, options?: CsvOptions) => readCsv(write(content), options);
const features = (fitted: Encoder, rows: Parameters<Encoder['features']>[0]) => [...fitted.features(rows).features];

describe('values that overflow', () => {
  const rows = Array.from({ length: 8 }, (_, x) => ({ x, y: x % 2 ? 'b' : 'a', z: x }));

  it('a feature: an error that names row and column', () => {
    const fitted = encoder({ target: 'y' }).fit(Table.from(rows));
    const network = new Network({ input: [2], layers: [dense(2)], loss: softmaxCrossEntropy() });
    network.encoder = fitted;
    const far = [rows[0], { ...rows[1], x: 1e300 }];
    expectError(() => predictRows(network, far), 'NON_FINITE', /row 1, column "x"/);
    expectError(() => fitted.dataset(Table.from(far)), 'NON_FINITE', /row 1, column "x"/);
  });

  it('numbers whose spread overflows, and a target far from those of the training part', () => {
    const huge = [1, 2, 3, 1e160].map((x, i) => ({ x, y: i % 2 ? 'b' : 'a', z: i }));
    const message = /columns: "x": its values are too large: their spread overflows/;
    expectError(() => encoder({ target: 'y' }).fit(Table.from(huge)), 'NON_FINITE', message);
    expectError(() => encoder({ target: 'x' }).fit(Table.from(huge)), 'NON_FINITE', message);
    // A constant has no spread, however large it is, and logarithms are small.
    const constant = encoder({ target: 'y' }).fit(Table.from(huge.map((row) => ({ ...row, x: 1e160 }))));
    expect(features(constant, [{ ...huge[0], x: 1e160 }])[0]).toBe(0);
    encoder({ target: 'y', columns: { x: { log: true } } }).fit(Table.from(huge));
    const robust = encoder({ target: 'y', columns: { x: { scale: 'robust' } } });
    expect(robust.fit(Table.from([...huge, ...huge.slice(0, 3)])).toJSON().columns[0]).toMatchObject({ center: 2 });
    const value = encoder({ target: 'z' }).fit(Table.from(rows));
    const far = Table.from([rows[0], { ...rows[1], z: 1e160 }]);
    expectError(() => value.dataset(far), 'NON_FINITE', /dataset: table: column "z": row 1: the value is too large/);
  });

  it('a prediction: both kinds name the row, also beyond the first part of a long table', () => {
    const labels = encoder({ target: 'y' }).fit(Table.from(rows));
    expectError(() => labels.decode(Float32Array.of(0, 1, Number.NaN, Number.NaN), 2), 'NON_FINITE', /row 1.*NaN/);
    expectError(() => labels.decode(Float32Array.of(0.5, Number.NaN), 2), 'NON_FINITE', /row 1.*NaN/);
    const values = encoder({ target: 'z', columns: { z: { log: true } } }).fit(Table.from(rows));
    expectError(() => values.decode(Float32Array.of(0, 1, 1e30)), 'NON_FINITE', /row 2.*Infinity/);
    // Rows of 2^20 numbers are predicted four at a time.
    const wide = encoder({ target: 'z', columns: { y: { as: 'text', size: 2 ** 20 } }, ignore: ['x'] });
    const fitted = wide.fit(Table.from(rows));
    const network = {
      encoder: fitted.toJSON(),
      predict: ({ length }: { length: number }) =>
        Float32Array.from({ length }, (_, i) => (length === 2 && i === 1 ? Infinity : 0)),
    };
    expectError(() => predictRows(network, rows.slice(0, 6)), 'NON_FINITE', /row 5/);
    expect(predictRows(network, rows.slice(0, 5))).toHaveLength(5);
  });

  it('dates that no Date holds', async () => {
    const late = write('{"d":8640000000000001}\n');
    await expectRejection(() => readJsonLines(late, { types: { d: 'date' } }), 'FILE_CORRUPT', /line 1, column "d"/);
    const table = await readJsonLines(write('{"d":8640000000000000}\n'), { types: { d: 'date' } });
    expect(table.row(0)).toEqual({ d: new Date(8.64e15) });
    const column = { type: 'date', values: Float64Array.of(Number.NaN, 9e15) } as const;
    expectError(() => new Table([['d', column]]), 'INVALID_ARGUMENT', /row 1/);
  });

  it('numbers and integers that a double does not hold are categories', async () => {
    const table = await read('a,b,c,d\n1,9007199254740993,9007199254740991,1e300\n7e1234,12,-9007199254740991,2\n');
    expect(typesOf(table)).toEqual({ a: 'category', b: 'category', c: 'number', d: 'number' });
    expect(table.rows().map(({ a, b }) => [a, b])).toEqual([
      ['1', '9007199254740993'],
      ['7e1234', '12'],
    ]);
    await expectRejection(() => read('a\n7e1234\n', { types: { a: 'number' } }), 'FILE_CORRUPT', /line 2, column "a"/);
    expect(Table.from([{ id: 1n }, { id: 2n ** 60n }]).rows()).toEqual([{ id: '1' }, { id: '1152921504606846976' }]);
  });
});

describe('long runs of digits', () => {
  it('are read in a time that their length determines', { timeout: 10_000 }, async () => {
    const digits = `${'7'.repeat(200_000)}x`;
    expect((await read(`a\n${digits}\n`)).column('a').values).toEqual([digits]);
  });
});

describe('select: columns that are not read', () => {
  const select = (name: string) => name === 'x' || name === 'y';
  const expected = [
    { x: 1, y: 'a' },
    { x: 2, y: 'b' },
  ];

  it('CSV: two may have one name; lines still have as many fields', async () => {
    const text = 'id,x,id,,y\n7,1,8,9,a\n7,2,q,9,b\n';
    expect((await read(text, { select })).rows()).toEqual(expected);
    const tables = [];
    for await (const table of streamCsv(write(text), { select })) tables.push(...table.rows());
    expect(tables).toEqual(expected);
    await expectRejection(() => read('id,x\n1\n', { select }), 'FILE_CORRUPT', /line 2: expected 2 fields, got 1/);
    await expectRejection(() => read('x,x\n1,2\n', { select }), 'FILE_CORRUPT', /two columns have the name "x"/);
    expect((await read('a,b\n1,2\n', { select })).names).toEqual([]);
    await expectRejection(() => read('a\n', { select: 'a' as never }), 'INVALID_ARGUMENT', /readCsv: select/);
  });

  it('an error of the function is thrown as it is', async () => {
    const own = new Error('mine');
    const failing = {
      select: () => {
        throw own;
      },
    };
    await expect(read('a\n1\n', failing)).rejects.toBe(own);
    await expect(readJsonLines(write('{"a":1}\n'), failing)).rejects.toBe(own);
    const parquet = write(new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'a', data: Int32Array.of(1) }] })));
    await expect(readParquet(parquet, failing)).rejects.toBe(own);
  });

  it('Parquet: without a column no row is read', async () => {
    const columnData = [{ name: 'a', data: Int32Array.of(1, 2, 3) }];
    const path = write(new Uint8Array(parquetWriteBuffer({ columnData })));
    const table = await readParquet(path, { select: () => false });
    expect([table.names, table.length]).toEqual([[], 0]);
  });

  it('JSON lines: they may hold anything', async () => {
    const text = '{"x":1,"meta":{"a":[1]},"y":"a"}\n{"x":2,"y":"b","list":[]}\n';
    expect((await readJsonLines(write(text), { select })).rows()).toEqual(expected);
    for await (const table of streamJsonLines(write(text), { select })) expect(table.rows()).toEqual(expected);
    await expectRejection(() => readJsonLines(write(text)), 'FILE_CORRUPT', /"meta"/);
  });

  it('Parquet: they may be bytes or nested', async () => {
    const columnData = [
      { name: 'bytes', data: [Uint8Array.of(255), Uint8Array.of(254)] },
      { name: 'x', data: Int32Array.of(1, 2) },
      {
        name: 'nested',
        data: [
          { a: 1, b: { c: 'p' } },
          { a: 2, b: { c: 'q' } },
        ],
      },
      { name: 'y', data: ['a', 'b'] },
    ];
    const schema = [
      { name: 'root', num_children: 4 },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'REQUIRED' },
      { name: 'x', type: 'INT32', repetition_type: 'REQUIRED' },
      { name: 'nested', num_children: 2, repetition_type: 'REQUIRED' },
      { name: 'a', type: 'INT32', repetition_type: 'REQUIRED' },
      { name: 'b', num_children: 1, repetition_type: 'REQUIRED' },
      { name: 'c', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      { name: 'y', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    ] as const;
    const path = write(new Uint8Array(parquetWriteBuffer({ columnData, schema: [...schema] })));
    expect((await readParquet(path, { select })).rows()).toEqual(expected);
    for await (const table of streamParquet(path, { select })) expect(table.rows()).toEqual(expected);
    await expectRejection(() => readParquet(path), 'FILE_CORRUPT', /"nested": expected a column of single values/);
  });
});

describe('decimal comma', () => {
  it('points separate thousands, and nothing else with a point is a number', async () => {
    const text = 'a;b;c;d\n1.234;1,5;1.5;0.123\n-1.234.567,8;2;2,5;1,5\n12;3;3;1\n';
    const table = await read(text, { decimal: ',' });
    expect(typesOf(table)).toEqual({ a: 'number', b: 'number', c: 'category', d: 'category' });
    expect(table.rows().map(({ a }) => a)).toEqual([1234, -1234567.8, 12]);
    expect(table.rows().map(({ c }) => c)).toEqual(['1.5', '2,5', '3']);
    const wrong = read('a;b\n1.23;2\n', { decimal: ',', types: { a: 'number' } });
    await expectRejection(() => wrong, 'FILE_CORRUPT', /line 2, column "a"/);
  });

  it('separates fields only where nothing else does', async () => {
    const header = ['a', 'b'];
    const numbers = [{ a: 1.5, b: 2.5 }];
    for (const text of ['1,5;2,5\n', '1,5\t2,5\n', 'a;b\n1,5;2,5\n', '"1,5","2,5"\n', 'a,b\n"1,5","2,5"\n']) {
      const options = text.startsWith('a') ? {} : { header };
      expect((await read(text, { decimal: ',', ...options })).rows()).toEqual(numbers);
    }
    // More commas than semicolons, in a header of names, too.
    const named = await read('size, in cm, or so;b\n1,5;2,5\n', { decimal: ',' });
    expect(named.row(0)).toEqual({ 'size, in cm, or so': 1.5, b: 2.5 });
    expect((await read('a,b\n1,2\n', { decimal: ',' })).rows()).toEqual([{ a: 1, b: 2 }]);
  });

  it('with a point, commas are no part of numbers', async () => {
    const table = await read('a;b\n1,234;1.234\n2;2\n', { decimal: '.' });
    expect(typesOf(table)).toEqual({ a: 'category', b: 'number' });
    expect(table.row(1)).toEqual({ a: '2', b: 2 });
  });
});

describe('lines and spaces of CSV', () => {
  it.each(['a\r\n1\n2\n3\n', 'a\n1\r\n2\r3', 'a\r1\r2\r\n3\n\n'])('ends of lines may be mixed: %j', async (text) => {
    expect((await read(text)).rows()).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  });

  it('quotes may stand after spaces; tabs between fields are no spaces', async () => {
    expect((await read('a, b\n1, "x, y" \n2 ,z\n')).rows()).toEqual([
      { a: 1, b: 'x, y' },
      { a: 2, b: 'z' },
    ]);
    expect((await read('a\tb\tc\n\t\t1\n 2 \t" x\ty "\t\n')).rows()).toEqual([
      { a: null, b: null, c: 1 },
      { a: 2, b: 'x\ty', c: null },
    ]);
  });

  it.each([2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1])('CR LF at byte %i, where the file is read in pieces', async (end) => {
    // 'a,b\r\n', then a field and ',1\r\n' that ends at this byte.
    const long = 'x'.repeat(end - 5 - 4);
    const text = `a,b\r\n${long},1\r\ny,2\r\n`;
    expect(text.slice(end - 2, end)).toBe('\r\n');
    const rows = [
      { a: long, b: 1 },
      { a: 'y', b: 2 },
    ];
    expect((await read(text)).rows()).toEqual(rows);
    const wrong = `a,b\r\n${long},1\r\ny,2\r\nz\r\n`;
    await expectRejection(() => read(wrong), 'FILE_CORRUPT', /line 4: expected 2 fields, got 1/);
  });
});

describe('categories are read alike in training and prediction', () => {
  const days = 'd,t,n,y\n2020-01-01,TRUE,1.50,1\n2020-01-01,TRUE,1.50,2\n2020-02-01,FALSE,2,3\n2020-02-01,FALSE,2,4\n';
  const columns = { d: { as: 'category' }, t: { as: 'category' }, n: { as: 'category' } } as const;

  it('of dates, truth values and numbers, however they are written', async () => {
    const table = await read(days);
    const fitted = encoder({ target: 'y', columns }).fit(table);
    const again = Encoder.fromJSON(JSON.parse(JSON.stringify(fitted)));
    expect(again.toJSON()).toEqual(fitted.toJSON());
    for (const own of [fitted, again]) {
      const expected = [1, 0, 0, 1, 1, 0];
      expect(features(own, table).slice(0, 6)).toEqual(expected);
      expect(features(own, [{ d: '2020-01-01', t: 'TRUE', n: '1.50' }])).toEqual(expected);
      expect(features(own, [{ d: new Date(Date.UTC(2020, 0, 1)), t: true, n: 1.5 }])).toEqual(expected);
    }
    // A text that is none of the type is an unseen value, not an error.
    expect(features(fitted, [{ d: 'soon', t: 'maybe', n: 'x' }])).toEqual([0, 0, 0, 0, 0, 0]);
    const strings = await read(days, { types: { d: 'category', t: 'category', n: 'category' } });
    expect(features(fitted, strings)).toEqual(features(fitted, table));
  });

  it('a column that was read as another type is an error, not all zeros', async () => {
    const text = 't,y\nTRUE,1\nFALSE,2\nMAYBE,3\nTRUE,4\nFALSE,5\nMAYBE,6\n';
    const fitted = encoder({ target: 'y' }).fit(await read(text));
    const table = await read('t,y\nTRUE,1\n,2\nFALSE,2\n');
    const message = /column "t" was read as boolean.*types: \{ "t": 'category' \}/;
    expectError(() => fitted.features(table), 'INVALID_ARGUMENT', message);
    expectError(() => fitted.batches(table), 'INVALID_ARGUMENT', message);
    expect(features(fitted, await read('t,y\nTRUE,1\n', { types: { t: 'category' } }))).toEqual([0, 0, 1]);
    // Nothing is wrong with missing values, or with unseen ones of the same type.
    expect(features(fitted, [{ t: null }, { t: 'NO' }])).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('spaces around strings do not count, and empty ones are missing', () => {
    const rows = [' Bern ', 'Bern', 'Basel', 'Basel', '', null].map((city, y) => ({ city, y }));
    const fitted = encoder({ target: 'y' }).fit(Table.from(rows));
    expect(fitted.featureNames).toEqual(['city=Basel', 'city=Bern', 'city (missing)']);
    const given = [{ city: '\tBern ' }, { city: ' ' }, { city: '' }, { city: 'NA' }];
    const expected = [0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0];
    expect(features(fitted, given)).toEqual(expected);
    expect(features(fitted, Table.from(given))).toEqual(expected);
    const numbers = encoder({ target: 'y' }).fit(
      Table.from([
        { x: 1, y: 1 },
        { x: 3, y: 2 },
        { x: null, y: 3 },
      ]),
    );
    expect(features(numbers, [{ x: ' ' }])).toEqual(features(numbers, [{ x: null }]));
  });

  it('nor in tables, whatever they are made of', async () => {
    const rows = [
      { g: 'pat1', y: ' pos', n: ' 1 ', d: '2020-01-02 ' },
      { g: 'pat1\t', y: 'pos', n: '', d: ' ' },
      { g: ' ', y: '', n: '2', d: '2020-01-03' },
    ];
    const expected = [
      { g: 'pat1', y: 'pos', n: 1, d: new Date('2020-01-02') },
      { g: 'pat1', y: 'pos', n: null, d: null },
      { g: null, y: null, n: 2, d: new Date('2020-01-03') },
    ];
    const options = { types: { n: 'number' } } as const;
    const lines = write(rows.map((row) => JSON.stringify(row)).join('\n'));
    const columnData = (['g', 'y', 'n', 'd'] as const).map((name) => {
      return { name, data: rows.map((row) => row[name]), type: 'STRING' as const };
    });
    const parquet = write(new Uint8Array(parquetWriteBuffer({ columnData })));
    const tables = [
      Table.from(rows, options),
      await readJsonLines(lines, options),
      await readParquet(parquet, options),
      (await streamJsonLines(lines, options).pieces().next()).value as Table,
    ];
    for (const table of tables) {
      expect(table.rows()).toEqual(expected);
      expect(table.dropMissing(['y']).length).toBe(2);
    }
  });

  it('nor in groups, which stay together', () => {
    const table = Table.from(Array.from({ length: 40 }, (_, i) => ({ g: `p${i % 20}${i < 20 ? '' : ' '}` })));
    const { train, test } = table.split({ group: 'g', seed: 1 });
    const own = new Set(train.column('g').values as string[]);
    expect((test.column('g').values as string[]).filter((group) => own.has(group.trim()))).toEqual([]);
    expect(own.size).toBe(train.length / 2);
  });

  it('labels too', async () => {
    const fitted = encoder({ target: 't', task: 'classification', ignore: ['d', 'n'] }).fit(await read(days));
    expect(fitted.labels).toEqual(['false', 'true']);
    expect([...(fitted.dataset(await read(days, { types: { t: 'category' } })).labels ?? [])]).toEqual([1, 1, 0, 0]);
  });

  it('from is checked', () => {
    const json = encoder({ target: 'y' })
      .fit(
        Table.from([
          { x: 1, y: 1 },
          { x: 2, y: 2 },
        ]),
      )
      .toJSON();
    const changed = (more: object) => new Encoder({ ...json, columns: [{ ...json.columns[0], ...more }] });
    expectError(() => changed({ from: 'date' }), 'INVALID_ARGUMENT', /from/);
    expectError(() => changed({ from: 'toString' }), 'INVALID_ARGUMENT', /from/);
  });
});
