import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../lib/data/index.js';
import { hash, wordsOf } from '../../lib/tables/encoders/text.js';
import {
  type ColumnOptions,
  Encoder,
  type EncoderJson,
  type EncoderOptions,
  encoder,
  Table,
} from '../../lib/tables/index.js';
import { expectError } from '../data/expect-error.js';

/** The numbers of a column `x` when fitted on `train` and applied to `rows`, row by row. */
function encode(
  train: readonly unknown[],
  options: ColumnOptions,
  rows = train,
): { names: readonly string[]; rows: number[][] } {
  const table = Table.from(train.map((x, i) => ({ x, y: i % 2 === 0 })));
  const fitted = encoder({ target: 'y', columns: { x: options } }).fit(table);
  const { features, shape } = fitted.features(rows.map((x) => ({ x })));
  const [width] = shape;
  return {
    names: fitted.featureNames,
    rows: rows.map((_, row) => Array.from(features.subarray(row * width, (row + 1) * width))),
  };
}

function near(actual: readonly number[][], expected: readonly number[][]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((row, i) => {
    expect(row.length).toBe(expected[i].length);
    row.forEach((value, j) => {
      expect(Math.abs(value - expected[i][j]), `row ${i}, number ${j}: ${value}, ${expected[i][j]}`).toBeLessThan(1e-6);
    });
  });
}

describe('numbers', () => {
  it('standard: mean 5, deviation 2', () => {
    const { names, rows } = encode([2, 4, 4, 4, 5, 5, 7, 9], {});
    expect(names).toEqual(['x']);
    near(rows, [[-1.5], [-0.5], [-0.5], [-0.5], [0], [0], [1], [2]]);
  });

  it('a missing one is the median, with a number that tells; unseen ones are too', () => {
    // Of 1, 2, 6: median 2, mean 3, deviation √(14 / 3).
    const deviation = Math.sqrt(14 / 3);
    const { names, rows } = encode([1, null, 6, 2], {}, [null, 3]);
    expect(names).toEqual(['x', 'x (missing)']);
    near(rows, [
      [-1 / deviation, 1],
      [0, 0],
    ]);
    near(encode([1, 6, 2], {}, [null]).rows, [[-1 / deviation]]);
  });

  it('robust: median 3.5, quartiles 2.25 and 4.75', () => {
    near(encode([6, 1, 2, 3, 4, 5], { scale: 'robust' }, [3.5, 6, 13.5]).rows, [[0], [1], [4]]);
    // Where the quartiles are equal, the deviation: of nine 0 and one 10 it is 3.
    near(encode([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], { scale: 'robust' }, [10]).rows, [[10 / 3]]);
  });

  it('none, log, and both', () => {
    near(encode([-3, 8], { scale: 'none' }).rows, [[-3], [8]]);
    near(encode([-Math.expm1(2), 0, Math.expm1(3)], { scale: 'none', log: true }).rows, [[-2], [0], [3]]);
    near(encode([Math.expm1(1), Math.expm1(3)], { log: true }, [Math.expm1(5)]).rows, [[3]]);
  });

  it('a constant column is 0', () => {
    near(encode([0.1, 0.1, 0.1], {}).rows, [[0], [0], [0]]);
    near(encode([0.1, 0.1, 0.1], { scale: 'robust' }, [0.1, 1.1]).rows, [[0], [1]]);
  });

  it('large numbers keep their differences', () => {
    near(encode([1e15 + 1, 1e15 + 3], {}).rows, [[-1], [1]]);
  });
});

describe('truth values', () => {
  it('are 0 and 1, missing ones the mean', () => {
    near(encode([true, false, true, true], {}, [true, false, null, 1]).rows, [[1], [0], [0.75], [1]]);
    const { names, rows } = encode([true, null], {});
    expect(names).toEqual(['x', 'x (missing)']);
    near(rows, [
      [1, 0],
      [1, 1],
    ]);
  });
});

describe('categories', () => {
  const city = ['Bern', 'Chur', 'Bern', 'Chur', 'Aarau', null];

  it('a place for each value, for rare and unseen ones, for missing ones', () => {
    const { names, rows } = encode(city, {}, ['Bern', 'Chur', 'Aarau', 'Basel', null, '__proto__']);
    expect(names).toEqual(['x=Bern', 'x=Chur', 'x (other)', 'x (missing)']);
    near(rows, [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
      [0, 0, 1, 0],
    ]);
  });

  it('without rare or missing values in the training part, unseen ones are zeros', () => {
    const { names, rows } = encode(['a', 'b', 'a', 'b'], {}, ['a', 'c', null, 'toString']);
    expect(names).toEqual(['x=a', 'x=b']);
    near(rows, [
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it('minimum and most', () => {
    expect(encode(city, { minimum: 1 }).names).toEqual(['x=Aarau', 'x=Bern', 'x=Chur', 'x (missing)']);
    expect(encode(city, { minimum: 1, most: 1 }).names).toEqual(['x=Bern', 'x (other)', 'x (missing)']);
    expect(encode(city, { minimum: 3 }).names).toEqual(['x (other)', 'x (missing)']);
  });

  it('numbers as categories', () => {
    const { names, rows } = encode([1, 3, 1, 3], { as: 'category' }, [3, '1', 2]);
    expect(names).toEqual(['x=1', 'x=3']);
    near(rows, [
      [0, 1],
      [1, 0],
      [0, 0],
    ]);
  });
});

describe('dates', () => {
  const date = (text: string) => new Date(text);
  const circle = (part: number) => [Math.sin(2 * Math.PI * part), Math.cos(2 * Math.PI * part)];

  it('the trend, and the place in year and week; the day only if there are times', () => {
    // The 4th of January 2021 is a Monday; the two days lie 2 apart, so their deviation is 1 day.
    const { names, rows } = encode([date('2021-01-04'), date('2021-01-06')], {}, ['2021-01-04', date('2021-01-07')]);
    expect(names).toEqual(['x trend', 'x year sin', 'x year cos', 'x week sin', 'x week cos']);
    near(rows, [
      [-1, ...circle(3 / 365), ...circle(0)],
      [2, ...circle(6 / 365), ...circle(3 / 7)],
    ]);
    expect(encode([date('2021-01-04'), date('2021-01-06T12:00Z')], {}).names).toContain('x day sin');
  });

  it('parts: the whole cycle, in leap years, before 1970 and in the year 50 too', () => {
    const parts = ['day', 'month', 'year', 'week'] as const;
    const { rows } = encode([date('1968-02-29T06:00Z'), date('1970-01-01')], { parts });
    near(rows, [
      // A Thursday.
      [...circle(1 / 4), ...circle(28.25 / 29), ...circle(59.25 / 366), ...circle(3.25 / 7)],
      [...circle(0), ...circle(0), ...circle(0), ...circle(3 / 7)],
    ]);
    near(encode(['0050-07-02T12:00Z', '0051-01-01'], { parts: ['year'] }).rows, [circle(182.5 / 365), circle(0)]);
  });

  it('missing ones are zeros with a number that tells', () => {
    const { names, rows } = encode([date('2021-01-04'), null], { parts: ['trend', 'week'] });
    expect(names).toEqual(['x trend', 'x week sin', 'x week cos', 'x (missing)']);
    near(rows, [
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
  });
});

describe('text', () => {
  it('words of all scripts, in lower case', () => {
    expect(wordsOf("It's 2 CAFÉS, naïve; Straße 北京！")).toEqual(['it', 's', '2', 'cafés', 'naïve', 'straße', '北京']);
    expect(wordsOf('e\u0301')).toEqual(['\u00e9']);
  });

  it('the hash is FNV-1a, then the finalizer of MurmurHash3', () => {
    /** The same with big integers, byte by byte. */
    const oracle = (text: string): number => {
      const mask = 0xffffffffn;
      let h = 2166136261n;
      for (const byte of Buffer.from(text, 'utf16le')) h = ((h ^ BigInt(byte)) * 16777619n) & mask;
      h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
      h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
      return Number(h ^ (h >> 16n));
    };
    for (const text of ['', 'a', 'word', 'two words', '北京', 'x'.repeat(100)]) expect(hash(text)).toBe(oracle(text));
  });

  it('counts n-grams at hashed places, with signs, and scales rows to the length 1', () => {
    const size = 16;
    const counts = (grams: string[]) => {
      const row = new Array<number>(size).fill(0);
      for (const gram of grams) row[(hash(gram) % 2 ** 31) % size] += hash(gram) >= 2 ** 31 ? -1 : 1;
      const length = Math.hypot(...row);
      return row.map((value) => (length === 0 ? 0 : value / length));
    };
    const texts = ['Red, red fox', 'fox', null, '?!'];
    const grams = [['red', 'red', 'fox', 'red red', 'red fox'], ['fox'], [], []];
    const options = { as: 'text', size } as const;
    near(encode(texts, options).rows, grams.map(counts));
    near(encode(texts, { ...options, ngrams: 1 }).rows, [['red', 'red', 'fox'], ['fox'], [], []].map(counts));
    near(encode(texts, { ...options, ngrams: 3 }).rows, [[...grams[0], 'red red fox'], ['fox'], [], []].map(counts));
  });

  it('is 256 numbers by default, and the same for any training part', () => {
    const texts = Array.from({ length: 60 }, (_, i) => `word${i} and others`);
    expect(encode(texts, {}).rows[0].length).toBe(256);
    expect(encode(texts, {}, ['word5']).rows).toEqual(encode(texts.slice(0, 51), {}, ['word5']).rows);
  });
});

describe('targets', () => {
  it('labels in the order of their characters, or of their values', () => {
    const labels = (values: unknown[], task?: 'classification') => {
      const table = Table.from(values.map((y, x) => ({ x, y })));
      const fitted = encoder({ target: 'y', ...(task && { task }) }).fit(table);
      const { labels, classes, labelNames } = fitted.dataset(table);
      expect([classes, labelNames]).toEqual([fitted.labels?.length, fitted.labels]);
      return [fitted.labels, [...(labels as Int32Array)]];
    };
    expect(labels(['b', 'a', 'b', 'é'])).toEqual([
      ['a', 'b', 'é'],
      [1, 0, 1, 2],
    ]);
    expect(labels([true, false, true])).toEqual([
      ['false', 'true'],
      [1, 0, 1],
    ]);
    expect(labels([10, 9, 10], 'classification')).toEqual([
      ['9', '10'],
      [1, 0, 1],
    ]);
    expect(labels(['__proto__', 'constructor', '__proto__'])[1]).toEqual([0, 1, 0]);
  });

  it('decode: the most probable label; one output for two labels', () => {
    const made = (labels: string[]) => encoder({ target: 'y' }).fit(Table.from(labels.map((y, x) => ({ x, y }))));
    expect(made(['a', 'b', '__proto__']).decode(Float32Array.of(0.25, 0.5, 0.25, 0.5, 0.5, 0))).toEqual([
      {
        label: 'a',
        probability: 0.5,
        probabilities: Object.fromEntries([
          ['__proto__', 0.25],
          ['a', 0.5],
          ['b', 0.25],
        ]),
      },
      {
        label: '__proto__',
        probability: 0.5,
        probabilities: Object.fromEntries([
          ['__proto__', 0.5],
          ['a', 0.5],
          ['b', 0],
        ]),
      },
    ]);
    expect(made(['no', 'yes']).decode(Float32Array.of(0.75, 0.25), 2)).toEqual([
      { label: 'yes', probability: 0.75, probabilities: { no: 0.25, yes: 0.75 } },
      { label: 'no', probability: 0.75, probabilities: { no: 0.75, yes: 0.25 } },
    ]);
    // Without the number of rows, two rows of one output would look like one row of two.
    expectError(() => made(['no', 'yes']).decode(Float32Array.of(0.75, 0.25)), 'INVALID_ARGUMENT', /decode: rows/);
    expect(made(['a', 'b']).decode(new Float32Array(0))).toEqual([]);
    expectError(
      () => made(['a', 'b', 'c']).decode(new Float32Array(4), 2),
      'SHAPE_MISMATCH',
      /expected 3 numbers a row/,
    );
    expectError(() => made(['a', 'b', 'c']).decode(new Float32Array(4)), 'INVALID_ARGUMENT', /decode: rows/);
    expectError(() => made(['a', 'b']).decode([1, 2] as never), 'INVALID_ARGUMENT', /outputs: expected a typed array/);
  });

  it('numbers are scaled for training, and in their own unit in predictions', () => {
    const table = Table.from([2, 4, 4, 4, 5, 5, 7, 9].map((y, x) => ({ x, y })));
    const fitted = encoder({ target: 'y' }).fit(table);
    const { targets, targetShape } = fitted.dataset(table);
    expect([...(targets as Float32Array)]).toEqual([-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2]);
    expect(targetShape).toEqual([1]);
    expect(fitted.decode(targets as Float32Array).map(({ value }) => value)).toEqual([2, 4, 4, 4, 5, 5, 7, 9]);
    expectError(() => fitted.decode(new Float32Array(4), 2), 'SHAPE_MISMATCH', /expected one number a row, got 2/);
    const logged = encoder({ target: 'y', columns: { y: { log: true, scale: 'none' } } }).fit(table);
    expect(logged.dataset(table).targets?.[0]).toBeCloseTo(Math.log(3), 6);
    const back = logged.decode(Float64Array.of(Math.log1p(9), 0, -Math.log1p(3))).map(({ value }) => value as number);
    near([back], [[9, 0, -3]]);
  });

  it('a missing target, a label that the training part did not have', () => {
    const train = Table.from([
      { x: 1, y: 'a' },
      { x: 2, y: 'b' },
    ]);
    const fitted = encoder({ target: 'y' }).fit(train);
    const hint = /dataset: table: row 1: the target "y" is missing; leave such rows out with dropMissing/;
    expectError(() => fitted.dataset(Table.from([{ x: 1, y: 'a' }, { x: 1 }])), 'INVALID_ARGUMENT', hint);
    expectError(
      () => fitted.dataset(Table.from([{ x: 1, y: 'c' }])),
      'LABEL_OUT_OF_RANGE',
      /row 0: expected one of a, b, which the training part has, got "c"/,
    );
    expectError(
      () => fitted.dataset(train.select(['x'])),
      'INVALID_ARGUMENT',
      /^dataset: table: expected a column "y", got x$/,
    );
  });
});

describe('encoder', () => {
  const rows = [
    { id: 1, age: 20, city: 'Bern', when: new Date(0), text: 'a b', old: false, empty: null, label: 'x' },
    { id: 2, age: 40, city: 'Bern', when: new Date(1e9), text: 'b c', old: true, empty: null, label: 'y' },
    { id: 3, age: null, city: null, when: null, text: null, old: null, empty: null, label: 'x' },
  ];
  const table = Table.from(rows);
  const options: EncoderOptions = { target: 'label', ignore: ['id'], columns: { text: { as: 'text', size: 4 } } };

  it('all columns but the target and ignored ones; a column without values is left out', () => {
    const fitted = encoder(options).fit(table);
    expect(fitted.target).toBe('label');
    expect(fitted.featureNames).toEqual([
      ...['age', 'age (missing)', 'city=Bern', 'city (missing)'],
      ...[
        'when trend',
        'when year sin',
        'when year cos',
        'when week sin',
        'when week cos',
        'when day sin',
        'when day cos',
      ],
      ...['when (missing)', 'text #0', 'text #1', 'text #2', 'text #3', 'old', 'old (missing)'],
    ]);
    expect(fitted.shape).toEqual([fitted.featureNames.length]);
    // A table and its rows as objects are the same.
    expect(fitted.features(rows).features).toEqual(fitted.dataset(table).features);
    expect(fitted.features(table.select(['when', 'age', 'city', 'old', 'text'])).features).toEqual(
      fitted.dataset(table).features,
    );
  });

  it('is the same after JSON', () => {
    const fitted = encoder(options).fit(table);
    const again = Encoder.fromJSON(JSON.parse(JSON.stringify(fitted)));
    expect(again.toJSON()).toEqual(fitted.toJSON());
    expect(again.dataset(table).features).toEqual(fitted.dataset(table).features);
    expect([again.labels, again.outputs, again.shape]).toEqual([['x', 'y'], 2, fitted.shape]);
    expect(again.target).toBe('label');
    const regression = encoder({ ...options, target: 'id', ignore: [] }).fit(table);
    expect(Encoder.fromJSON(JSON.parse(JSON.stringify(regression))).toJSON()).toEqual(regression.toJSON());
    expect([regression.labels, regression.outputs]).toEqual([undefined, 1]);
  });

  it('does not look at rows that it was not fitted on', () => {
    const fitted = encoder(options).fit(table.subset([0, 1]));
    const json = JSON.stringify(fitted);
    fitted.dataset(table);
    fitted.features([{ ...rows[0], age: 1e6, city: 'Chur' }]);
    expect(JSON.stringify(fitted)).toBe(json);
    expect(json).not.toContain('Chur');
  });

  it.each<[EncoderOptions, RegExp]>([
    [{ target: 5 as unknown as string }, /encoder: target: expected the name of a column/],
    [{ target: 'y', task: 'ranking' as 'regression' }, /encoder: task/],
    [{ target: 'y', columns: [] as never }, /encoder: columns/],
    [{ target: 'y', columns: { a: 5 as never } }, /encoder: columns: "a"/],
    [{ target: 'y', ignore: 'a' as never }, /encoder: ignore/],
    [{ target: 'y', ignore: ['y'] }, /encoder: ignore: expected no target/],
    [{ target: 'y', ignore: ['a'], columns: { a: {} } }, /^encoder: columns: expected no ignored column, got "a"$/],
  ])('INVALID_ARGUMENT: %o', (given, message) => {
    expectError(() => encoder(given), 'INVALID_ARGUMENT', message);
  });

  it.each<[Partial<EncoderOptions>, string, RegExp]>([
    [{ target: 'none' }, 'INVALID_ARGUMENT', /^encoder: target: expected one of .*, got "none"$/],
    [{ ignore: ['none'] }, 'INVALID_ARGUMENT', /^encoder: ignore: expected one of .*, got "none"$/],
    [{ columns: { none: {} } }, 'INVALID_ARGUMENT', /^encoder: columns: expected one of .*, got "none"$/],
    [{ target: 'when' }, 'INVALID_ARGUMENT', /another type than date/],
    [{ target: 'age' }, 'INVALID_ARGUMENT', /fit: table: row 2: the target "age" is missing/],
    [{ target: 'city', task: 'regression' }, 'INVALID_ARGUMENT', /row 0, column "city": expected a finite number/],
    [{ columns: { label: { as: 'text' } } }, 'INVALID_ARGUMENT', /"label": as: expected none for the target/],
    [{ columns: { label: { log: true } } }, 'UNKNOWN_OPTION', /"label": unknown option "log"/],
    [
      { columns: { age: { minimum: 3 } } },
      'UNKNOWN_OPTION',
      /"age": unknown option "minimum"; known options are scale/,
    ],
    [{ columns: { age: { scale: 'max' as 'none' } } }, 'INVALID_ARGUMENT', /"age": scale/],
    [{ columns: { age: { as: 'int' as 'text' } } }, 'INVALID_ARGUMENT', /"age": as/],
    [
      { columns: { city: { as: 'number' } } },
      'INVALID_ARGUMENT',
      /column "city": expected a finite number, got "Bern"/,
    ],
    [{ columns: { city: { minimum: 0 } } }, 'INVALID_ARGUMENT', /"city": minimum/],
    [{ columns: { when: { parts: [] } } }, 'INVALID_ARGUMENT', /"when": parts/],
    [{ columns: { when: { parts: ['hour' as 'day'] } } }, 'INVALID_ARGUMENT', /"when": parts/],
    [{ columns: { old: { log: true } } }, 'UNKNOWN_OPTION', /takes no options/],
    [{ columns: { text: { as: 'text', size: 0 } } }, 'INVALID_ARGUMENT', /"text": size/],
    [{ ignore: ['id', 'age', 'city', 'when', 'text', 'old'] }, 'EMPTY_DATA', /a column with values besides the target/],
  ])('fit refuses %o', (given, code, message) => {
    expectError(() => encoder({ target: 'label', ...given }).fit(table), code as 'EMPTY_DATA', message);
  });

  it('fit refuses other tables', () => {
    const plan = encoder({ target: 'label' });
    expectError(() => plan.fit(rows as never), 'INVALID_ARGUMENT', /expected a Table/);
    expectError(() => plan.fit(table.subset([])), 'EMPTY_DATA', /one row or more/);
    expectError(() => plan.fit(table.subset([0, 2])), 'INVALID_ARGUMENT', /from 2 to 100000 different labels, got 1/);
  });

  it('features refuses rows without a column, and values of another type', () => {
    const fitted = encoder({ target: 'label', ignore: ['id', 'when', 'text', 'old', 'empty'] }).fit(table);
    expect(fitted.features([{ age: 1, city: null, more: {} }, { age: 2 }]).length).toBe(2);
    expect(fitted.features([]).length).toBe(0);
    expectError(
      () => fitted.features([{ age: 1, town: 'Bern' }]),
      'INVALID_ARGUMENT',
      /the key "city" in at least one/,
    );
    expectError(
      () => fitted.features([{ age: 'old', city: 'Bern' }]),
      'INVALID_ARGUMENT',
      /features: rows: row 0, column "age": expected a finite number, got "old"/,
    );
    expectError(() => fitted.features({ age: 1 } as never), 'INVALID_ARGUMENT', /a list of plain objects/);
  });
});

describe('batches', () => {
  const table = Table.from(Array.from({ length: 100 }, (_, i) => ({ x: i, y: i % 3 === 0 ? 'a' : 'b' })));
  const fitted = encoder({ target: 'y', columns: { x: { scale: 'none' } } }).fit(table);
  const pass = (batches: Iterable<Dataset>) =>
    [...batches].map(({ features, labels }) => [[...features], [...(labels as Int32Array)]]);

  it('a pass has each row once, with its label, in batches of the size', () => {
    const list = pass(fitted.batches(table, { batchSize: 30, seed: 1 }));
    expect(list.map(([x]) => x.length)).toEqual([30, 30, 30, 10]);
    const [xs, labels] = [list.flatMap(([x]) => x), list.flatMap(([, y]) => y)];
    expect(xs.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(labels).toEqual(xs.map((x) => (x % 3 === 0 ? 0 : 1)));
  });

  it('each pass has another order, the same for the same seed', () => {
    const [one, two] = [fitted.batches(table, { seed: 1 }), fitted.batches(table, { seed: 1 })];
    const first = pass(one);
    expect(pass(two)).toEqual(first);
    const second = pass(one);
    expect(second).not.toEqual(first);
    expect(pass(two)).toEqual(second);
    expect(pass(fitted.batches(table, { seed: 2 }))).not.toEqual(first);
  });

  it('refuses wrong rows before the first batch, with their numbers', () => {
    const rows = table.rows();
    const wrong = (row: object) => Table.from([...rows, row as (typeof rows)[0]]);
    expectError(() => fitted.batches(wrong({ x: 1, y: 'c' })), 'LABEL_OUT_OF_RANGE', /batches: table: .*row 100/);
    expectError(
      () => fitted.batches(wrong({ x: 1, y: null })),
      'INVALID_ARGUMENT',
      /row 100: the target "y" is missing/,
    );
    expectError(() => fitted.batches(wrong({ x: 'c', y: 'a' })), 'INVALID_ARGUMENT', /row 100, column "x"/);
    expectError(() => fitted.batches(rows as never), 'INVALID_ARGUMENT', /expected a Table/);
    expectError(() => fitted.batches(table, { batchSize: 0 }), 'INVALID_ARGUMENT', /batchSize/);
    expectError(() => fitted.batches(table, { seed: -1 }), 'INVALID_ARGUMENT', /seed/);
    expectError(() => fitted.batches(table, { size: 1 } as never), 'UNKNOWN_OPTION', /"size"/);
  });
});

describe('Encoder', () => {
  const valid: EncoderJson = {
    version: 1,
    target: { name: 'y', type: 'category', labels: ['a', 'b'] },
    columns: [{ name: 'x', type: 'number', center: 0, spread: 1, log: false, median: 0, missing: false }],
  };
  const column = (change: object) => ({ ...valid, columns: [{ ...valid.columns[0], ...change }] });
  const other = (json: object) => ({ ...valid, columns: [{ name: 'x', ...json }] });

  it('takes plain data', () => {
    expect(new Encoder(valid).toJSON()).toEqual(valid);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /Encoder: expected an object/],
    [{ ...valid, version: 2 }, /version/],
    [{ ...valid, columns: [] }, /columns: expected a list of 1/],
    [{ ...valid, columns: [5] }, /columns\[0\]: expected an object/],
    [{ ...valid, columns: [valid.columns[0], valid.columns[0]] }, /columns\[1\]: name: expected a unique name/],
    [{ ...valid, target: { ...valid.target, name: 'x' } }, /columns\[0\]: name/],
    [{ ...valid, target: { ...valid.target, type: 'text' } }, /type: expected one of 'number', 'category'/],
    [{ ...valid, target: { ...valid.target, labels: ['a'] } }, /labels: expected at least two/],
    [{ ...valid, target: { ...valid.target, labels: ['a', 'a'] } }, /labels: expected unique strings/],
    [{ ...valid, target: { ...valid.target, labels: { length: 2 } } }, /labels: expected unique strings/],
    [{ ...valid, target: { name: 'y', type: 'number', center: 0, spread: 0, log: false } }, /spread/],
    [column({ type: 'toString' }), /type: expected one of/],
    [column({ center: null }), /center: expected a finite number/],
    [column({ spread: -1 }), /spread/],
    [column({ log: 1 }), /log/],
    [column({ median: '0' }), /median/],
    [column({ missing: undefined }), /missing/],
    [other({ type: 'boolean', mean: 2, missing: false }), /mean/],
    [other({ type: 'category', levels: [1], other: true, missing: true }), /levels/],
    [other({ type: 'category', levels: [], other: false, missing: false }), /width/],
    [other({ type: 'date', parts: ['x'], center: 0, spread: 1, missing: true }), /parts/],
    [other({ type: 'text', size: 2 ** 21, ngrams: 1 }), /size/],
    [other({ type: 'text', ngrams: 1 }), /size/],
    [other({ type: 'text', size: 5, ngrams: 9 }), /ngrams/],
    [
      {
        ...valid,
        columns: Array.from({ length: 20 }, (_, i) => ({ name: `${i}`, type: 'text', size: 2 ** 20, ngrams: 1 })),
      },
      /width: expected an integer ≥ 1 and ≤ 16777216/,
    ],
  ])('INVALID_ARGUMENT: %j', (json, message) => {
    expectError(() => new Encoder(json as EncoderJson), 'INVALID_ARGUMENT', message);
  });

  it('UNKNOWN_OPTION', () => {
    expectError(() => new Encoder({ ...valid, more: 1 } as EncoderJson), 'UNKNOWN_OPTION', /"more"/);
    expectError(() => new Encoder(column({ more: 1 }) as EncoderJson), 'UNKNOWN_OPTION', /"more"/);
  });
});

describe('sparse', () => {
  it('has all entries of many rows, over several pieces', () => {
    const words = (id: number) => Array.from({ length: 12 }, (_, k) => `w${(id * 31 + k * 97) % 500}`).join(' ');
    const table = Table.from(Array.from({ length: 700 }, (_, id) => ({ id, text: words(id) })));
    const fitted = encoder({ target: 'id', columns: { text: { as: 'text', size: 4096 } } }).fit(table);
    const [sparse, { features, shape }] = [fitted.sparse(table), fitted.dataset(table)];
    expect(sparse.features.length).toBeGreaterThan(5000);
    const [width] = shape;
    const rows = Array.from({ length: 700 }, (_, row) => sparse.row(row));
    expect(rows.every((own, row) => own.every((value, i) => value === features[row * width + i]))).toBe(true);
  });

  it('has the rows of the dataset', () => {
    const table = Table.from(
      Array.from({ length: 50 }, (_, id) => ({
        id,
        text: id % 7 === 0 ? null : `w${id % 5} w${id % 9}`,
        city: `c${id % 3}`,
      })),
    );
    for (const size of [64, 2 ** 20 - 5]) {
      const options = { text: { as: 'text', size } } as const;
      for (const target of ['city', 'id']) {
        const fitted = encoder({ target, columns: options }).fit(table);
        const [sparse, dense] = [fitted.sparse(table), fitted.dataset(table)];
        expect(sparse.shape).toEqual(dense.shape);
        for (const field of ['labels', 'targets', 'labelNames', 'targetShape'] as const)
          expect(sparse[field]).toEqual(dense[field]);
        for (let row = 0; row < 50; row++)
          expect(Buffer.compare(Buffer.from(sparse.row(row).buffer), Buffer.from(dense.row(row).buffer))).toBe(0);
      }
    }
    expectError(
      () =>
        encoder({ target: 'city' })
          .fit(table)
          .sparse([] as unknown as Table),
      'INVALID_ARGUMENT',
      /a Table/,
    );
  });
});

describe('indices', () => {
  // Bern and Chur are frequent, Basel is rare.
  const cities = ['Chur', 'Bern', 'Bern', 'Basel', 'Chur', null];
  const table = Table.from(cities.map((city, i) => ({ age: i, city, 'home town': `t${i % 2}`, y: i % 2 === 0 })));
  const index = { encoding: 'index' } as const;
  const fitted = encoder({ target: 'y', columns: { city: index, 'home town': index } }).fit(table);

  it('0 is rare and unseen, then the values, then missing ones; numbers are an input of their own', () => {
    expect(fitted.vocabularies).toEqual({
      city: ['city (other)', 'city=Bern', 'city=Chur', 'city (missing)'],
      'home town': ['home town (other)', 'home town=t0', 'home town=t1'],
    });
    expect([fitted.shape, fitted.featureNames]).toEqual([[1], ['age']]);
    const { inputs } = fitted.dataset(table);
    expect(Object.keys(inputs ?? {})).toEqual(['numbers', 'city', 'home_town']);
    expect(inputs?.numbers.shape).toEqual([1]);
    expect([...(inputs?.city.features ?? [])]).toEqual([2, 1, 1, 0, 2, 3]);
    expect([...(inputs?.home_town.features ?? [])]).toEqual([1, 2, 1, 2, 1, 2]);
    const unseen = fitted.features([{ age: 1, city: 'Thun', 'home town': null }, { city: ' Bern ' }]).inputs;
    expect([...(unseen?.city.features ?? [])]).toEqual([0, 1]);
    // Without missing values in the training part there is no place for them.
    expect([...(unseen?.home_town.features ?? [])]).toEqual([0, 0]);
    const inputsOf = Object.entries(fitted.inputs()).map(([key, { name, shape }]) => [key, name, shape]);
    expect(inputsOf).toEqual([
      ['numbers', 'numbers', [1]],
      ['city', 'city', [1]],
      ['home town', 'home_town', [1]],
    ]);
  });

  it('most, minimum, and JSON', () => {
    const levels = (options: ColumnOptions) =>
      encoder({ target: 'y', columns: { city: { ...index, ...options } } }).fit(table).vocabularies.city;
    expect(levels({ minimum: 1 })).toEqual([
      ...['city (other)', 'city=Basel', 'city=Bern', 'city=Chur'],
      'city (missing)',
    ]);
    expect(levels({ most: 1 })).toEqual(['city (other)', 'city=Bern', 'city (missing)']);
    const again = Encoder.fromJSON(JSON.parse(JSON.stringify(fitted)));
    expect(again.toJSON()).toEqual(fitted.toJSON());
    expect(again.vocabularies).toEqual(fitted.vocabularies);
    expect(again.dataset(table).inputs).toEqual(fitted.dataset(table).inputs);
    // As many values as there are: for one-hot columns 100 is the default.
    const codes = Table.from(Array.from({ length: 600 }, (_, i) => ({ code: `c${i % 300}`, y: i % 2 === 0 })));
    const own = encoder({ target: 'y', columns: { code: { as: 'category', ...index } } }).fit(codes);
    expect(own.vocabularies.code.length).toBe(301);
    // Without numbers.
    expect([own.shape, Object.keys(own.inputs()), Object.keys(own.dataset(codes).inputs ?? {})]).toEqual([
      [0],
      ['code'],
      ['code'],
    ]);
  });

  it('without such columns, the numbers are the only input', () => {
    const plain = encoder({ target: 'y' }).fit(table);
    expect(plain.vocabularies).toEqual({});
    expect(Object.keys(plain.inputs())).toEqual(['numbers']);
    expect(plain.dataset(table).inputs).toBeUndefined();
  });

  it('names of inputs are different', () => {
    const columns = Object.fromEntries(['a b', 'a_b', 'é', '1', '', '__proto__'].map((name) => [name, index]));
    // An own property, as JSON.parse makes it.
    Object.defineProperty(columns, '__proto__', { value: index, enumerable: true });
    const rows = [0, 1, 2, 3].map((i) =>
      Object.fromEntries([...Object.keys(columns).map((n) => [n, `x${i % 2}`]), ['y', i > 1]]),
    );
    const own = encoder({ target: 'y', columns }).fit(Table.from(rows));
    expect(Object.keys(own.vocabularies).sort()).toEqual(Object.keys(columns).sort());
    const names = Object.values(own.inputs()).map(({ name }) => name);
    expect(names.sort()).toEqual(Object.keys(own.dataset(Table.from(rows)).inputs ?? {}).sort());
    expect(new Set(names).size).toBe(6);
  });

  it('options that only categories have make one of a column of text', () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => ({ shop: `s${i % 10_000}`, y: i }));
    const text = Table.from(rows);
    expect(text.column('shop').type).toBe('text');
    const learn = (own: object) => encoder({ target: 'y', columns: { shop: own } }).fit(text);
    expect(learn(index).vocabularies.shop.length).toBe(10_001);
    expect(learn({ most: 10 }).featureNames).toHaveLength(11);
    expect(learn({ minimum: 3, most: 5 }).toJSON()).toEqual(learn({ as: 'category', minimum: 3, most: 5 }).toJSON());
    expect(learn({ size: 8 }).shape).toEqual([8]);
    expectError(() => learn({ ...index, size: 8 }), 'UNKNOWN_OPTION', /"size"/);
    expectError(() => learn({ as: 'text', ...index }), 'UNKNOWN_OPTION', /"encoding"/);
  });

  it('refuses', () => {
    expectError(() => fitted.sparse(table), 'INVALID_ARGUMENT', /no column with encoding: 'index', got "city"/);
    const learn = (columns: Record<string, object>, from = table) => encoder({ target: 'y', columns }).fit(from);
    expectError(() => learn({ city: { encoding: 'ordinal' } }), 'INVALID_ARGUMENT', /"city": encoding/);
    expectError(() => learn({ age: index }), 'UNKNOWN_OPTION', /"encoding"/);
    const named = Table.from(cities.map((city, i) => ({ age: i, numbers: city ?? 'x', y: i % 2 === 0 })));
    expectError(
      () => learn({ numbers: index }, named),
      'INVALID_ARGUMENT',
      /^Encoder: the column "numbers" can't have encoding: 'index' beside columns of numbers, whose input has that name$/,
    );
    // Alone it can.
    const alone = encoder({ target: 'y', columns: { numbers: index }, ignore: ['age'] }).fit(named);
    expect(Object.keys(alone.inputs())).toEqual(['numbers']);
    const json = fitted.toJSON();
    const changed = (entry: object) =>
      ({ ...json, columns: [{ name: 'city', type: 'category', ...entry }] }) as unknown as EncoderJson;
    const valid = { encoding: 'index', levels: ['a'], missing: true };
    expect(new Encoder(changed(valid)).vocabularies.city.length).toBe(3);
    expectError(() => new Encoder(changed({ ...valid, encoding: 'oneHot' })), 'INVALID_ARGUMENT', /encoding/);
    expectError(() => new Encoder(changed({ ...valid, other: true })), 'UNKNOWN_OPTION', /"other"/);
    expectError(() => new Encoder(changed({ ...valid, missing: 1 })), 'INVALID_ARGUMENT', /missing/);
    expectError(() => new Encoder(changed({ ...valid, levels: ['a', 'a'] })), 'INVALID_ARGUMENT', /levels/);
  });
});
