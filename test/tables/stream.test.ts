import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { Adam, dense, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import {
  type ColumnTypes,
  type Encoder,
  encoder,
  type Row,
  readCsv,
  readJsonLines,
  readParquet,
  streamCsv,
  streamJsonLines,
  streamParquet,
  type Table,
  type TableStream,
} from '../../lib/tables/index.js';
import { Moments, quantile, Sample } from '../../lib/tables/statistics.js';
import { expectError, expectRejection } from '../data/expect-error.js';
import { environment, projectFile } from '../lifecycle/child.js';
import { fileWriter, typesOf, WEATHER } from './support.js';

const write = fileWriter();

async function piecesOf(stream: AsyncIterable<Table>): Promise<Table[]> {
  const pieces: Table[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
const rowsOf = async (stream: AsyncIterable<Table>): Promise<Row[]> =>
  (await piecesOf(stream)).flatMap((piece) => piece.rows());

/** Compares numbers in plain data to 11 digits, and all else exactly. */
function near(actual: unknown, expected: unknown): void {
  if (typeof expected === 'number')
    expect((actual as number) / (expected || 1)).toBeCloseTo(expected === 0 ? 0 : 1, 11);
  else if (typeof expected !== 'object' || expected === null) expect(actual).toBe(expected);
  else {
    expect(Object.keys(actual as object)).toEqual(Object.keys(expected));
    for (const [key, value] of Object.entries(expected)) near((actual as Record<string, unknown>)[key], value);
  }
}

describe('pieces', () => {
  it('are the rows of the table, with its types', async () => {
    const whole = await readCsv(WEATHER);
    const pieces = await piecesOf(streamCsv(WEATHER, { rows: 100 }));
    expect(pieces.map(({ length }) => length)).toEqual([...Array.from({ length: 14 }, () => 100), 61]);
    for (const piece of pieces) expect(typesOf(piece)).toEqual(typesOf(whole));
    expect(pieces.flatMap((piece) => piece.rows())).toEqual(whole.rows());
    expect(await rowsOf(streamCsv(WEATHER))).toEqual(whole.rows());
    // As often as one likes.
    const again = streamCsv(WEATHER, { rows: 1000 });
    expect(await rowsOf(again)).toEqual(await rowsOf(again));
  });

  it('a piece of exactly all rows has the types of the table', async () => {
    const text = Array.from({ length: 60 }, (_, i) => JSON.stringify({ id: `id${i}` })).join('\n');
    const path = write(`${text}\n`);
    const whole = await readJsonLines(path);
    for (const rows of [60, 61]) {
      const [piece] = await piecesOf(streamJsonLines(path, { rows }));
      expect(typesOf(piece), `${rows}`).toEqual(typesOf(whole));
    }
  });

  it('strings that repeat in later pieces alone are categories, as in the table', async () => {
    const rows = Array.from({ length: 600 }, (_, i) => [
      `customer${i % 150}`,
      `the order ${i} came late`,
      `city-${i % 80}`,
    ]);
    const path = write(`id|note|city\n${rows.map((row) => row.join('|')).join('\n')}\n`);
    const types = { id: 'category', note: 'text', city: 'category' };
    expect(typesOf(await readCsv(path))).toEqual(types);
    for (const size of [120, 300, 600, 8192])
      for (const piece of await piecesOf(streamCsv(path, { rows: size }))) expect(typesOf(piece)).toEqual(types);
    // All rows are one piece: nothing can repeat later.
    const few = write(`id\n${Array.from({ length: 60 }, (_, i) => `id${i}`).join('\n')}\n`);
    expect(typesOf(await readCsv(few))).toEqual({ id: 'text' });
    expect((await piecesOf(streamCsv(few, { rows: 100 }))).map(typesOf)).toEqual([{ id: 'text' }]);
    const learnt = await encoder({ target: 'note', task: 'classification' }).fitStream(streamCsv(path, { rows: 120 }));
    expect(learnt.toJSON().columns.map(({ name, type }) => [name, type])).toEqual([
      ['id', 'category'],
      ['city', 'category'],
    ]);
  });

  it('a short file may come all at once', async () => {
    const path = write('n\n1\n2\n3\n4\n');
    for (const [rows, sizes] of [
      [1, [1, 1, 1, 1]],
      [3, [3, 1]],
      [4, [4]],
    ] as const)
      expect((await piecesOf(streamCsv(path, { rows }))).map(({ length }) => length)).toEqual(sizes);
  });

  it('the type of a column is that of its first values, which the options may say', async () => {
    const text = 'a,b\n1,\n2,\n3,5\n4,6\nx,7\n';
    const stream = streamCsv(write(text), { rows: 2 });
    await expectRejection(
      () => rowsOf(stream),
      'FILE_CORRUPT',
      /line 6, column "a": expected a number.*, got "x"; .*first 2 rows/,
    );
    const given = await piecesOf(streamCsv(write(text), { rows: 2, types: { a: 'category' } }));
    expect(given.map((piece) => typesOf(piece))).toEqual([
      { a: 'category', b: 'category' },
      { a: 'category', b: 'number' },
      { a: 'category', b: 'number' },
    ]);
    // Within one piece, different types make strings, as in a table.
    expect(await rowsOf(streamCsv(write(text), { rows: 5 }))).toEqual((await readCsv(write(text))).rows());
    await expectRejection(
      () => rowsOf(streamCsv(write(text), { types: { c: 'text' } })),
      'INVALID_ARGUMENT',
      /^streamCsv: types/,
    );
  });

  it.each([
    ['1', '01067', 'a number'],
    ['1', '12345678901234567890', 'a number'],
    ['true', '1', 'true or false'],
    ['2020-01-01', '5', 'an ISO 8601 date'],
  ])('no value is made one of the type of those before: %s, then %s', async (first, later, wanted) => {
    const path = write(`a\n${first}\n${first}\n${later}\n`);
    const message = new RegExp(`: line 4, column "a": expected ${wanted}.*, got "${later}"; .*the option types$`);
    await expectRejection(() => rowsOf(streamCsv(path, { rows: 2 })), 'FILE_CORRUPT', message);
    // As a table, it has strings.
    expect((await readCsv(path)).rows().at(-1)).toEqual({ a: later });
    expect(await rowsOf(streamCsv(path, { rows: 2, types: { a: 'category' } }))).toEqual(
      [first, first, later].map((a) => ({ a })),
    );
    const number = await piecesOf(streamCsv(write('a\n1\n2\n01067\n'), { rows: 2, types: { a: 'number' } }));
    expect(number[1].rows()).toEqual([{ a: 1067 }]);
  });

  it.each([
    ['"2020-01-01"', '5', /expected an ISO 8601 date, got 5;/],
    ['true', '1', /expected true or false, got 1;/],
    ['2', '"3"', /expected a number.*, got "3";/],
  ])('nor in JSON lines: %s, then %s', async (first, later, message) => {
    const path = write(`{"a":${first}}\n{"a":${later}}\n`);
    await expectRejection(() => rowsOf(streamJsonLines(path, { rows: 1 })), 'FILE_CORRUPT', message);
  });

  it('strings hold whatever comes later', async () => {
    const path = write('a\nx\n5\n2020-01-01\n010\n');
    expect(await rowsOf(streamCsv(path, { rows: 1 }))).toEqual(['x', '5', '2020-01-01', '010'].map((a) => ({ a })));
  });

  it('a name that JSON lines lack is an error, as in a table', async () => {
    const path = write('{"a":1}\n{"a":2}\n{"b":null}\n');
    for (const rows of [1, 8]) {
      const read = (types: ColumnTypes) => rowsOf(streamJsonLines(path, { rows, types }));
      await expectRejection(
        () => read({ agee: 'number' }),
        'INVALID_ARGUMENT',
        /^streamJsonLines: types: .*got "agee"$/,
      );
      expect((await read({ b: 'number' })).length).toBe(3);
    }
    await expectRejection(() => readJsonLines(path, { types: { agee: 'number' } }), 'INVALID_ARGUMENT', /"agee"/);
    expect(await rowsOf(streamJsonLines(write(''), { types: { agee: 'number' } }))).toEqual([]);
    const pieces = streamJsonLines(path).pieces({ A: 'number' });
    await expectRejection(
      () => piecesOf(pieces),
      'INVALID_ARGUMENT',
      /^streamJsonLines: expected a column "A", got a, b$/,
    );
  });

  it('columns of JSON lines may begin late', async () => {
    const path = write('{"a":1}\n{"a":2}\n{"b":true}\n{"a":3,"c":"x"}\n');
    const pieces = await piecesOf(streamJsonLines(path, { rows: 2 }));
    expect(pieces[0].rows().map(({ a }) => a)).toEqual([1, 2]);
    expect(pieces[1].rows()).toEqual([
      { a: null, b: true, c: null },
      { a: 3, b: null, c: 'x' },
    ]);
    const wide = await piecesOf(streamJsonLines(path, { rows: 4, types: { c: 'text' } }));
    expect(typesOf(wide[0])).toEqual({ c: 'text', a: 'number', b: 'boolean' });
    expect((await readJsonLines(path)).length).toBe(4);
  });

  it('Parquet, by groups', async () => {
    const data = (make: (i: number) => unknown) => Array.from({ length: 70 }, (_, i) => make(i));
    const columnData = [
      { name: 'n', data: data((i) => (i % 9 === 0 ? null : i)), type: 'DOUBLE', nullable: true },
      { name: 's', data: data((i) => `s${i % 3}`), type: 'STRING' },
    ] as Parameters<typeof parquetWriteBuffer>[0]['columnData'];
    const path = write(new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 25 })));
    const pieces = await piecesOf(streamParquet(path, { rows: 20 }));
    expect(pieces.map(({ length }) => length)).toEqual([20, 20, 20, 10]);
    expect(pieces.flatMap((piece) => piece.rows())).toEqual((await readParquet(path)).rows());
  });

  it('damaged metadata of Parquet is an error or other rows, and no rejection that nobody sees', async () => {
    const unseen: unknown[] = [];
    const see = (error: unknown) => void unseen.push(error);
    process.on('unhandledRejection', see);
    try {
      const bytes = readFileSync(projectFile('test/fuzz/corpus/parquet/plain'));
      let refused = 0;
      for (let at = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8); at < bytes.length; at++) {
        for (const value of [0, 0x15, 0x2c, 0xff]) {
          const damaged = Uint8Array.from(bytes);
          damaged[at] = value;
          await rowsOf(streamParquet(write(damaged))).catch((error: Error) => {
            expect(error).toMatchObject({ name: 'BlasnetError', code: 'FILE_CORRUPT' });
            refused++;
          });
        }
      }
      expect(refused).toBeGreaterThan(100);
      await new Promise(setImmediate);
      expect(unseen).toEqual([]);
    } finally {
      process.off('unhandledRejection', see);
    }
  });

  it('a file is closed when it has been read, and when reading ends early', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    await rowsOf(streamCsv(WEATHER, { rows: 100 }));
    for await (const piece of streamCsv(WEATHER, { rows: 100 })) if (piece.length > 0) break;
    await expectRejection(
      () => rowsOf(streamCsv(WEATHER, { types: { wind: 'boolean' } })),
      'FILE_CORRUPT',
      /line 2, column "wind"/,
    );
    expect(open()).toBe(before);
  });

  it('files without rows, and none', async () => {
    expect((await piecesOf(streamCsv(write('a,b\n')))).map(({ names, length }) => ({ names, length }))).toEqual([
      { names: ['a', 'b'], length: 0 },
    ]);
    await expectRejection(() => rowsOf(streamCsv(write(''))), 'FILE_CORRUPT', /no columns/);
    await expectRejection(() => rowsOf(streamCsv('nowhere.csv')), 'FILE_NOT_FOUND', /no such file/);
    await expectRejection(() => rowsOf(streamJsonLines('nowhere')), 'FILE_NOT_FOUND', /no such file/);
    await expectRejection(() => rowsOf(streamParquet('nowhere')), 'FILE_NOT_FOUND', /no such file/);
    await expectRejection(() => rowsOf(streamParquet(write('PAR1 no PAR1'))), 'FILE_CORRUPT', /no Parquet file/);
  });

  it('options are checked at once', () => {
    expectError(() => streamCsv('x', { rows: 0 }), 'INVALID_ARGUMENT', /rows/);
    expectError(() => streamCsv('x', { row: 1 } as object), 'UNKNOWN_OPTION', /row/);
    expectError(() => streamJsonLines('x', { rows: 1.5 }), 'INVALID_ARGUMENT', /rows/);
    expectError(() => streamParquet('x', { types: { a: 'integer' as 'number' } }), 'INVALID_ARGUMENT', /types/);
    const stream = streamCsv(WEATHER);
    expectError(() => stream.split({ test: 0.6, validation: 0.4 }), 'INVALID_ARGUMENT', /test \+ validation/);
    expectError(() => stream.split({ stratify: 'weather' } as object), 'UNKNOWN_OPTION', /stratify/);
    expectError(() => stream.dropMissing('weather' as unknown as string[]), 'INVALID_ARGUMENT', /names/);
  });
});

describe('parts of a stream', () => {
  it('split is disjoint, complete and the same each time', async () => {
    const stream = streamCsv(WEATHER, { rows: 100 });
    const { train, validation, test } = stream.split({ test: 0.2, validation: 0.1, seed: 4 });
    const parts = await Promise.all([train, validation, test].map(rowsOf));
    const dates = parts.map((rows) => rows.map(({ date }) => Number(date)));
    expect(dates.flat().length).toBe(1461);
    expect(new Set(dates.flat()).size).toBe(1461);
    // Binomial: four standard deviations.
    for (const [i, fraction] of [0.7, 0.1, 0.2].entries()) {
      const bound = 4 * Math.sqrt(1461 * fraction * (1 - fraction));
      expect(Math.abs(dates[i].length - 1461 * fraction)).toBeLessThan(bound);
    }
    expect(await rowsOf(test)).toEqual(parts[2]);
    expect(await rowsOf(stream.split({ test: 0.2, validation: 0.1, seed: 5 }).test)).not.toEqual(parts[2]);
  });

  it('dropMissing leaves rows out', async () => {
    const stream = streamCsv(write('a,b\n1,\n,2\n3,4\n,\n5,6\n'), { rows: 2 });
    expect(await rowsOf(stream.dropMissing(['a']))).toEqual([
      { a: 1, b: null },
      { a: 3, b: 4 },
      { a: 5, b: 6 },
    ]);
  });
});

describe('columns that begin late', () => {
  // Longer than what is read of the file at a time.
  const pad = 'p'.repeat(2 ** 16);
  const line = (i: number) => JSON.stringify({ x: i, ...(i >= 6 && { y: i % 2 ? 'a' : 'b', z: i, id: i }), pad });
  const path = write(Array.from({ length: 20 }, (_, i) => `${line(i)}\n`).join(''));
  const stream = streamJsonLines(path, { rows: 4 });

  it('may be missing in whole pieces', async () => {
    expect((await piecesOf(stream))[0].names).toEqual(['x', 'pad']);
    expect((await rowsOf(stream.dropMissing(['y']))).map(({ x }) => x)).toEqual(
      Array.from({ length: 14 }, (_, i) => i + 6),
    );
    await expectRejection(
      () => rowsOf(stream.dropMissing(['x', 'Y'])),
      'INVALID_ARGUMENT',
      /^dropMissing: names: .*got "Y"$/,
    );
    await expectRejection(
      () => rowsOf(streamCsv(write('a\n1\n')).dropMissing(['A'])),
      'INVALID_ARGUMENT',
      /^dropMissing: names: .*got "A"$/,
    );
  });

  it('are learnt, and may have options', async () => {
    const plan = encoder({ target: 'y', columns: { z: { scale: 'none' } }, ignore: ['id', 'pad'] });
    const table = (await readJsonLines(path)).dropMissing(['y']);
    near((await plan.fitStream(stream.dropMissing(['y']))).toJSON(), plan.fit(table).toJSON());
    const late = encoder({ target: 'x', columns: { y: { size: 2 } }, ignore: ['id', 'pad'] });
    await expectRejection(() => late.fitStream(stream), 'UNKNOWN_OPTION', /"y".*size/);
    const good = encoder({ target: 'x', columns: { z: { scale: 'none' } }, ignore: ['id', 'pad'] });
    near((await good.fitStream(stream)).toJSON(), good.fit(await readJsonLines(path)).toJSON());
    for (const options of [{ columns: { Z: {} } }, { ignore: ['Z'] }])
      await expectRejection(
        () => encoder({ target: 'x', ...options }).fitStream(stream),
        'INVALID_ARGUMENT',
        /^encoder: (columns|ignore): .*got "Z"$/,
      );
  });

  it('that never begin are an error of the batches too', async () => {
    const fitted = await encoder({ target: 'x', ignore: ['id', 'pad', 'y'] }).fitStream(stream);
    const other = streamJsonLines(write('{"x":1,"Z":1}\n{"x":2,"Z":2}\n'), { rows: 1 });
    const pass = async () => {
      for await (const batch of fitted.stream(other)) expect(batch.length).toBeGreaterThan(0);
    };
    await expectRejection(pass, 'INVALID_ARGUMENT', /^streamJsonLines: expected a column "z", got x, Z$/);
  });
});

describe('an encoder that learns from a stream', () => {
  const plans = {
    classification: encoder({
      target: 'weather',
      columns: { wind: { scale: 'robust' }, precipitation: { log: true } },
    }),
    regression: encoder({ target: 'temp_max', columns: { temp_max: { log: true }, weather: { as: 'text' } } }),
    codes: encoder({ target: 'weather', columns: { wind: { as: 'category' }, date: { parts: ['month'] } } }),
  };
  it.each(Object.entries(plans))('%s: as from the table', async (_, plan) => {
    const whole = plan.fit(await readCsv(WEATHER)).toJSON();
    for (const rows of [7, 500, 5000]) near((await plan.fitStream(streamCsv(WEATHER, { rows }))).toJSON(), whole);
  });

  it('missing values of all types, at the beginning and at the end of the file', async () => {
    const line = (i: number) =>
      i < 20 || i === 99 ? `,,,,,${i % 2}` : `${i},${i % 3 === 0},k${i % 4},2020-01-${10 + (i % 20)},w${i} v,${i % 2}`;
    const path = write(`n,b,c,d,t,y\n${Array.from({ length: 100 }, (_, i) => `${line(i)}\n`).join('')}`);
    const plan = encoder({ target: 'y', task: 'classification', columns: { t: { size: 8 } } });
    const types = { t: 'text' } as const;
    const whole = plan.fit(await readCsv(path, { types }));
    near((await plan.fitStream(streamCsv(path, { rows: 8, types }))).toJSON(), whole.toJSON());
    expect(whole.featureNames).toContain('n (missing)');
  });

  it('tells what is wrong', async () => {
    const gap = write(`x,y\n${'1,a\n2,b\n'.repeat(10)}3,\n`);
    const plan = encoder({ target: 'y' });
    await expectRejection(
      () => plan.fitStream(streamCsv(gap, { rows: 8 })),
      'INVALID_ARGUMENT',
      /^fitStream: rows from 16: row 4: the target "y" is missing; leave such rows out with dropMissing\(\["y"\]\)$/,
    );
    const fitted = await plan.fitStream(streamCsv(gap, { rows: 8 }).dropMissing(['y']));
    expect(fitted.labels).toEqual(['a', 'b']);
    await expectRejection(() => plan.fitStream(streamCsv(write('x,y\n'))), 'EMPTY_DATA', /one row or more/);
    await expectRejection(() => plan.fitStream({} as TableStream), 'INVALID_ARGUMENT', /TableStream/);
    await expectRejection(() => encoder({ target: 'z' }).fitStream(streamCsv(gap)), 'INVALID_ARGUMENT', /"z"/);
  });

  it('medians of more numbers than are kept are estimates', () => {
    const values = Float64Array.from({ length: 300_000 }, (_, i) => ((i * 7919) % 300_000) / 300_000);
    const [sample, moments] = [new Sample(), new Moments()];
    for (let at = 0; at < values.length; at += 1000) {
      sample.add(values.subarray(at, at + 1000));
      moments.add(values.subarray(at, at + 1000));
    }
    const sorted = sample.sorted();
    expect(sorted.length).toBe(2 ** 15);
    // All numbers from 0 to 1, each once: the standard error of a quantile is √(p (1 − p) / n), at most 0.0028.
    for (const p of [0.05, 0.25, 0.5, 0.75, 0.95]) expect(Math.abs(quantile(sorted, p) - p)).toBeLessThan(0.011);
    expect(moments.mean).toBeCloseTo(299_999 / 600_000, 10);
    expect(moments.deviation).toBeCloseTo(Math.sqrt((300_000 ** 2 - 1) / 12) / 300_000, 10);
    const first = new Sample();
    first.add(values);
    first.add(Float64Array.of(7));
    expect(first.sorted().length).toBe(300_000);
  });
});

describe('batches of a stream', () => {
  const path = write(`x,y\n${Array.from({ length: 103 }, (_, i) => `${i},${i % 2 ? 'odd' : 'even'}\n`).join('')}`);
  const stream = streamCsv(path, { rows: 20 });
  const plan = encoder({ target: 'y', columns: { x: { scale: 'none' } } });

  async function pass(batches: ReturnType<Encoder['stream']>) {
    const list = [];
    for await (const { features, labels, length } of batches) list.push({ x: [...features], labels, length });
    return list;
  }

  it('have each row once, with its label, shuffled within each piece, otherwise in each pass', async () => {
    const batches = (await plan.fitStream(stream)).stream(stream, { batchSize: 8, seed: 1 });
    const [first, second] = [await pass(batches), await pass(batches)];
    expect(first.map(({ length }) => length)).toEqual([...Array.from({ length: 12 }, () => 8), 7]);
    const rows = first.flatMap(({ x }) => x);
    expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
    expect(rows.slice(0, 20).some((x, i) => x !== i)).toBe(true);
    rows.forEach((x, i) => {
      expect(Math.floor(x / 20)).toBe(Math.floor(i / 20));
    });
    for (const { x, labels } of first) expect([...(labels ?? [])]).toEqual(x.map((value) => value % 2));
    expect(second.flatMap(({ x }) => x)).not.toEqual(rows);
    const again = (await plan.fitStream(stream)).stream(stream, { batchSize: 8, seed: 1 });
    expect(await pass(again)).toEqual(first);
  });

  it('columns have the types of the training, whatever the file looks like', async () => {
    const fitted = await plan.fitStream(stream);
    const other = write('y,x\nodd,\neven,2.5\n');
    expect((await pass(fitted.stream(streamCsv(other)))).flatMap(({ x }) => x).sort()).toEqual([2.5, 51]);
    await expectRejection(() => pass(fitted.stream(streamCsv(write('y\nodd\n')))), 'INVALID_ARGUMENT', /"x"/);
    await expectRejection(
      () => pass(fitted.stream(streamCsv(write('x,y\n1,odd\n2,none\n')))),
      'LABEL_OUT_OF_RANGE',
      /^stream: rows from 0: column "y": row 1: .*got "none"$/,
    );
    // In the order of the file, however batches are shuffled.
    const large = write(`x,y\n${'1,odd\n'.repeat(20)}${'1,odd\n'.repeat(13)}1e300,odd\n${'1,odd\n'.repeat(6)}`);
    await expectRejection(
      () => pass(fitted.stream(streamCsv(large, { rows: 20 }), { batchSize: 4 })),
      'NON_FINITE',
      /^stream: rows from 20: row 13, column "x": the value is too large/,
    );
    const table = await readCsv(large);
    expectError(() => fitted.batches(table), 'NON_FINITE', /^batches: table: row 33, column "x": the value/);
    expectError(() => fitted.stream(stream, { batchSize: 0 }), 'INVALID_ARGUMENT', /batchSize/);
    expectError(() => fitted.stream({} as TableStream), 'INVALID_ARGUMENT', /TableStream/);
  });

  it('train a network as well as a table does', async () => {
    const { train, test } = streamCsv(WEATHER, { rows: 512 }).split({ test: 0.2, seed: 1 });
    const fitted = await encoder({ target: 'weather' }).fitStream(train);
    const layers = [dense(32), relu(), dense(fitted.outputs)];
    const network = new Network({ input: fitted.shape, layers, loss: softmaxCrossEntropy(), seed: 1 });
    const optimizer = new Adam({ learningRate: 0.01 });
    await network.fit(fitted.stream(train, { batchSize: 32 }), { optimizer, epochs: 20 });
    const { accuracy } = await network.evaluate(fitted.stream(test));
    expect(accuracy).toBeGreaterThan(0.78);
  });
});

describe('a file larger than memory', () => {
  it('of 100 MB trains in a heap of 48 MB, and the process grows by less than 64 MB', () => {
    const file = write('');
    const program = projectFile('test/tables/larger.mjs');
    const args = ['--max-old-space-size=48', '--expose-gc', program, file, '100'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      env: environment({}),
      encoding: 'utf8',
      timeout: 280_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { rows, growth, loss, width } = JSON.parse(stdout);
    expect(rows).toBeGreaterThan(90_000);
    // a, b and whether it is missing, and four kinds.
    expect(width).toBe(7);
    expect(loss[0]).toBeLessThan(0.5);
    expect(growth).toBeLessThan(64);
  }, 300_000);
});

describe('a sparse dataset', () => {
  it('of 6,000 texts × 32,768 places takes less than 60 MB', () => {
    const args = ['--expose-gc', projectFile('test/tables/sparse-memory.mjs'), 'native'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      env: environment({}),
      encoding: 'utf8',
      timeout: 110_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { entries, accuracy, rss, arrayBuffers } = JSON.parse(stdout);
    expect(entries).toBeGreaterThan(120_000);
    expect(accuracy).toBeGreaterThan(0.99);
    expect(rss).toBeLessThan(60);
    expect(arrayBuffers).toBeLessThan(60);
  }, 120_000);
});
