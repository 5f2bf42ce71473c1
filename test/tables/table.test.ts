import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Column, readJsonLines, streamJsonLines, Table } from '../../lib/tables/index.js';
import { expectError, expectRejection } from '../data/expect-error.js';
import { fileWriter, idsOf, numbered, typesOf } from './support.js';

const write = fileWriter();

describe('Table.from', () => {
  it('columns are the keys that occur, missing where a row lacks them', () => {
    const table = Table.from([
      { a: 1, b: 'x', c: null },
      { b: 'y', d: true, e: new Date(5), f: 7n },
      { a: Number.NaN, b: undefined, e: new Date(Number.NaN) },
    ]);
    expect(typesOf(table)).toEqual({
      a: 'number',
      b: 'category',
      c: 'category',
      d: 'boolean',
      e: 'date',
      f: 'number',
    });
    expect(table.rows()).toEqual([
      { a: 1, b: 'x', c: null, d: null, e: null, f: null },
      { a: null, b: 'y', c: null, d: true, e: new Date(5), f: 7 },
      { a: null, b: null, c: null, d: null, e: null, f: null },
    ]);
  });

  it('rows() gives back what from() takes', () => {
    const rows = [
      { n: 1.5, s: 'a', t: true, d: new Date(0) },
      { n: null, s: null, t: null, d: null },
    ];
    expect(Table.from(Table.from(rows).rows()).rows()).toEqual(rows);
  });

  it('values of different types become strings, numbers written as strings stay strings', () => {
    const table = Table.from([
      { a: 1, b: '1', c: '2020-01-01', d: '2020-01-01' },
      { a: 'x', b: '2', c: '2020-01-02T00:00Z', d: 'soon' },
    ]);
    expect(table.column('a').values).toEqual(['1', 'x']);
    expect(typesOf(table)).toEqual({ a: 'category', b: 'category', c: 'date', d: 'category' });
  });

  it('given types', () => {
    const rows = [{ n: '1.5', b: 1, d: 86_400_000, c: 7, t: true }];
    const types = { n: 'number', b: 'boolean', d: 'date', c: 'category', t: 'text' } as const;
    const table = Table.from(rows, { types });
    expect(typesOf(table)).toEqual(types);
    expect(table.row(0)).toEqual({ n: 1.5, b: true, d: new Date(86_400_000), c: '7', t: 'true' });
    expect(typesOf(Table.from([], { types }))).toEqual(types);
    const mistaken = { types: { x: 'number' } } as const;
    expectError(
      () => Table.from(rows, mistaken),
      'INVALID_ARGUMENT',
      /^Table.from: types: expected names .*, got "x"$/,
    );
  });

  it('a key __proto__ is a column; objects of other realms and without prototype are rows', () => {
    const rows = [
      JSON.parse('{"__proto__": 1}'),
      Object.assign(Object.create(null), { a: 2 }),
      runInNewContext('({ a: 3 })'),
    ];
    const table = Table.from(rows);
    expect(table.names).toEqual(['__proto__', 'a']);
    expect(table.column('a').values).toEqual(Float64Array.of(Number.NaN, 2, 3));
  });

  it.each([
    [5, /rows: expected a list of plain objects/],
    [[1], /row 0: expected a plain object, got 1/],
    [[{ a: 1 }, [2]], /row 1: expected a plain object/],
    [[{ a: 1 }, { a: Infinity }], /row 1, column "a": expected a finite number, got Infinity/],
    [[{ a: {} }], /row 0, column "a": expected a number, a string, a truth value, a Date or null/],
    [[{ a: 'x' }, { a: [1] }], /row 1, column "a"/],
  ])('INVALID_ARGUMENT: %j', (rows, message) => {
    expectError(() => Table.from(rows as []), 'INVALID_ARGUMENT', message);
  });

  it('more columns and values than a table holds', () => {
    const wide = [Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`c${i}`, 1]))];
    expectError(() => Table.from(wide), 'INVALID_ARGUMENT', /more than 100000 columns/);
    // Missing values count too.
    const sparse = [Object.fromEntries(Object.entries(wide[0]).slice(1)), ...new Array(2700).fill({ c1: 1 })];
    expectError(() => Table.from(sparse), 'INVALID_ARGUMENT', /more than 268435456 values \(100000 columns, 2685 rows/);
  });
});

describe('Table', () => {
  it('is made of columns', () => {
    const values = Float64Array.of(1, 2);
    const table = new Table(
      Object.entries<Column>({ a: { type: 'number', values }, b: { type: 'text', values: ['x', null] } }),
    );
    expect([table.length, table.names, table.has('a'), table.has('c')]).toEqual([2, ['a', 'b'], true, false]);
    expect(table.column('a').values).toBe(values);
    expect(new Table([]).length).toBe(0);
  });

  it.each<[unknown, string, RegExp]>([
    [{ a: 1 }, 'INVALID_ARGUMENT', /names and columns/],
    [['a'], 'INVALID_ARGUMENT', /pairs of a name and a column/],
    [[['a', undefined]], 'INVALID_ARGUMENT', /column "a": type/],
    [[['a', { type: 'number', values: [1] }]], 'INVALID_ARGUMENT', /expected a Float64Array/],
    [[['a', { type: 'number', values: Float64Array.of(1, Infinity) }]], 'NON_FINITE', /row 1 is Infinity/],
    [[['a', { type: 'text', values: [1] }]], 'INVALID_ARGUMENT', /row 0: expected a string or null, got 1/],
    // biome-ignore lint/suspicious/noSparseArray: what is refused
    [[['a', { type: 'boolean', values: [true, ,] }]], 'INVALID_ARGUMENT', /row 1: expected a boolean or null/],
    [
      [
        ['a', { type: 'text', values: ['x'] }],
        ['b', { type: 'text', values: [] }],
      ],
      'SHAPE_MISMATCH',
      /column "b": expected 1 values, as "a" has, got 0/,
    ],
    [
      [
        ['a', { type: 'text', values: ['x'] }],
        ['a', { type: 'text', values: ['x'] }],
      ],
      'INVALID_ARGUMENT',
      /unique names/,
    ],
  ])('refuses %j', (columns, code, message) => {
    expectError(() => new Table(columns as []), code as 'NON_FINITE', message);
  });

  it('selects rows and columns', () => {
    const table = numbered(5, (row) => ({
      even: row % 2 === 0,
      name: row === 3 ? null : `n${row}`,
      at: new Date(row),
    }));
    expect(table.select(['name', 'id']).names).toEqual(['name', 'id']);
    expect(
      table
        .subset([4, 0, 0])
        .rows()
        .map(({ id, at }) => [id, Number(at)]),
    ).toEqual([
      [4, 4],
      [0, 0],
      [0, 0],
    ]);
    expect(idsOf(table.subset(Uint8Array.of(1)))).toEqual([1]);
    expect(idsOf(table.filter(({ even }, index) => even === true && index > 0))).toEqual([2, 4]);
    expect(idsOf(table.dropMissing())).toEqual([0, 1, 2, 4]);
    expect(idsOf(table.dropMissing(['id']))).toEqual([0, 1, 2, 3, 4]);
  });

  it('INVALID_ARGUMENT', () => {
    const table = numbered(3);
    expectError(() => table.column('x'), 'INVALID_ARGUMENT', /column: expected one of id, got "x"/);
    expectError(() => table.row(3), 'INVALID_ARGUMENT', /index/);
    expectError(() => table.subset([3]), 'INVALID_ARGUMENT', /indices\[0\]/);
    expectError(() => table.subset({} as []), 'INVALID_ARGUMENT', /indices/);
    expectError(() => table.select('id' as unknown as []), 'INVALID_ARGUMENT', /names/);
    expectError(() => table.select(['x']), 'INVALID_ARGUMENT', /^select: names: expected one of id, got "x"$/);
    expectError(() => table.filter(5 as never), 'INVALID_ARGUMENT', /keep: expected a function/);
    expectError(
      () => table.dropMissing(['x']),
      'INVALID_ARGUMENT',
      /^dropMissing: names: expected one of id, got "x"$/,
    );
  });
});

describe('readJsonLines', () => {
  it('reads objects, one a line, also where two reads divide a line', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      id: i,
      text: `é${'x'.repeat(i % 50)}`,
      when: '2020-01-01',
    }));
    const table = await readJsonLines(write(`\ufeff${rows.map((row) => JSON.stringify(row)).join('\r\n\n')}`));
    expect(typesOf(table)).toEqual({ id: 'number', text: 'category', when: 'date' });
    expect(table.rows()).toEqual(rows.map((row) => ({ ...row, when: new Date(row.when) })));
  });

  it('columns that occur late, of different types, with given types', async () => {
    const path = write('{"a": 1}\n{"a": "x", "__proto__": 5}\n{"b": 3}');
    const table = await readJsonLines(path, { types: { b: 'category' } });
    expect(table.names).toEqual(['a', '__proto__', 'b']);
    expect(table.column('a').values).toEqual(['1', 'x', null]);
    expect(table.column('b').values).toEqual([null, null, '3']);
  });

  it('integers that a double does not hold are categories with all digits, as in CSV', async () => {
    const [a, b] = ['9007199254740992', '-9007199254740993'];
    const text = `{"id": ${a}, "n": 9007199254740991, "s": "a \\"${a}, \\\\", "x": 0.12345678901234566}\n{"id":${b},"x":1e20}`;
    const rows = [
      { id: a, n: 9007199254740991, s: `a "${a}, \\`, x: 0.12345678901234566 },
      { id: b, n: null, s: null, x: 1e20 },
    ];
    const path = write(text);
    expect((await readJsonLines(path)).rows()).toEqual(rows);
    expect(((await streamJsonLines(path).pieces().next()).value as Table).rows()).toEqual(rows);
    const types = { id: 'number' } as const;
    expect((await readJsonLines(path, { types })).column('id').values).toEqual(Float64Array.of(2 ** 53, -(2 ** 53)));
    const mixed = write(`{"id": 1}\n{"id": ${a}}\n{"id": 9007199254740993}`);
    for (const types of [{}, { id: 'category' } as const])
      expect((await readJsonLines(mixed, { types })).column('id').values).toEqual(['1', a, '9007199254740993']);
  });

  it.each(['{9007199254740993: 1}', '{"a": 09007199254740993}', '{"a": 9007199254740993"}'])(
    '%s is no JSON, for all its digits',
    async (content) => {
      await expectRejection(() => readJsonLines(write(content)), 'FILE_CORRUPT', /line 1: /);
    },
  );

  it('an empty file has no columns', async () => {
    expect((await readJsonLines(write('\n'))).names).toEqual([]);
  });

  it.each([
    ['{"a": 1}\n{"a": ', /line 2: /],
    ['{"a": 1}\n\n[1]', /line 3: expected a JSON object/],
    ['null', /line 1: expected a JSON object/],
    ['{"a": {"b": 1}}', /line 1, column "a": expected a number/],
    ['{"a": 1e999}', /line 1, column "a": expected a finite number/],
    [`${'['.repeat(1e5)}`, /line 1: /],
    [`{"a": "${'x'.repeat(2 ** 24)}`, /line 1: it has more than 16777216 characters/],
    ['{"a": "\0"}', /NUL/],
  ])('%.40j is FILE_CORRUPT', async (content, message) => {
    await expectRejection(() => readJsonLines(write(content)), 'FILE_CORRUPT', message);
  });
});
