import { describe, expect, it } from 'vitest';
import type { Table, TableKFoldOptions, TableSplitOptions } from '../../lib/tables/index.js';
import { expectError } from '../data/expect-error.js';
import { idsOf, numbered } from './support.js';

/** Row i: its number, a class (70, 20 and 10 %), a group of three rows, a date that goes back, a size. */
const table = numbered(1000, (i) => ({
  class: i < 700 ? 'a' : i < 900 ? 'b' : null,
  group: `g${Math.floor(i / 3)}`,
  day: new Date(86_400_000 * (1000 - i)),
  size: i % 7 === 0 ? null : Math.exp(i / 100),
}));
const all = Array.from({ length: 1000 }, (_, i) => i);
const sorted = (ids: number[]) => ids.sort((a, b) => a - b);
const count = (part: Table, value: string | null) =>
  Array.from<unknown>(part.column('class').values).filter((other) => other === value).length;

describe('table.split', () => {
  it.each<TableSplitOptions>([{}, { stratify: 'class' }, { stratify: 'size' }, { group: 'group' }, { time: 'day' }])(
    'parts share no row and leave none out: %o',
    (options) => {
      const { train, validation, test } = table.split({ validation: 0.1, ...options });
      expect(sorted([train, validation, test].flatMap(idsOf))).toEqual(all);
      const tolerance = options.group ? 3 : 0;
      expect(Math.abs(validation.length - 100)).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(test.length - 200)).toBeLessThanOrEqual(tolerance);
    },
  );

  it('the same seed gives the same split, another one another', () => {
    const ids = (options: TableSplitOptions) => idsOf(table.split(options).test);
    for (const options of [{}, { stratify: 'class' }, { stratify: 'size' }, { group: 'group' }]) {
      expect(ids({ ...options, seed: 1 })).toEqual(ids({ ...options, seed: 1 }));
      expect(sorted(ids({ ...options, seed: 1 }))).not.toEqual(sorted(ids({ ...options, seed: 2 })));
    }
  });

  it('stratify keeps proportions, of missing values too', () => {
    const { train, test } = table.split({ stratify: 'class', seed: 4 });
    expect([count(test, 'a'), count(test, 'b'), count(test, null)]).toEqual([140, 40, 20]);
    expect([count(train, 'a'), count(train, 'b'), count(train, null)]).toEqual([560, 160, 80]);
  });

  it('stratify by numbers takes a fifth of each tenth of them', () => {
    const { test } = numbered(1000).split({ stratify: 'id', seed: 2 });
    const tenths = new Array<number>(10).fill(0);
    for (const id of idsOf(test)) tenths[Math.floor(id / 100)]++;
    expect(tenths).toEqual(new Array<number>(10).fill(20));
  });

  it('stratify by numbers deals those that occur once by chance, however often others do', () => {
    const amounts = numbered(1000, (i) => ({ amount: i < 700 ? 0 : i }));
    const heldOut = (seed: number) => idsOf(amounts.split({ stratify: 'amount', seed }).test).filter((i) => i >= 700);
    const [one, other] = [heldOut(1), heldOut(2)];
    expect([one.length, other.length]).toEqual([60, 60]);
    expect(sorted(one)).not.toEqual(sorted(other));
  });

  it('stratify by numbers that are labels keeps the proportions of each, in folds too', () => {
    const rare = numbered(400, (i) => ({ label: i % 80 === 0 ? 1 : 0, day: new Date(i % 80 === 0 ? 1e12 : 0) }));
    const ones = (part: Table) => (part.column('label').values as Float64Array).filter((value) => value === 1).length;
    for (const stratify of ['label', 'day']) {
      for (let seed = 0; seed < 100; seed++) {
        const { train, validation, test } = rare.split({ test: 0.2, validation: 0.2, seed, stratify });
        expect([train, validation, test].map(ones)).toEqual([3, 1, 1]);
        expect(rare.kFold({ folds: 5, seed, stratify }).map((fold) => ones(fold.validation))).toEqual([1, 1, 1, 1, 1]);
      }
    }
  });

  it('groups stay together', () => {
    const { train, validation, test } = table.split({ group: 'group', validation: 0.2, seed: 5 });
    const [a, b, c] = [train, validation, test].map((part) => new Set(part.column('group').values as string[]));
    for (const group of a) expect(b.has(group) || c.has(group)).toBe(false);
    for (const group of b) expect(c.has(group)).toBe(false);
    expect(a.size + b.size + c.size).toBe(334);
  });

  it('time: the latest rows are the test, in order; equal times stay together', () => {
    const { train, validation, test } = table.split({ time: 'day', validation: 0.1 });
    // Row 999 is the earliest.
    expect([...idsOf(train), ...idsOf(validation), ...idsOf(test)]).toEqual(all.toReversed());
    const days = numbered(10, (i) => ({ day: Math.floor(i / 4) })).split({ time: 'day', test: 0.3 });
    // The cut after 7 rows would divide the second day, of rows 4 to 7.
    expect([idsOf(days.train), idsOf(days.test)]).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [8, 9],
    ]);
  });

  it.each<[TableSplitOptions, RegExp]>([
    [{ test: 1 }, /split: test/],
    [{ validation: -1 }, /split: validation/],
    [{ test: 0.6, validation: 0.6 }, /no row remains for training: 1000 rows, test 0.6 and validation 0.6/],
    [{ test: 0.0001 }, /no row remains for the test/],
    [{ seed: 0.5 }, /seed/],
    [{ seed: 1, time: 'day' }, /seed: expected none with time/],
    [{ stratify: 'class', group: 'group' }, /expected at most one of stratify, group, time, got stratify and group/],
    [{ stratify: 'x' }, /^split: stratify: expected one of id, class.*, got "x"$/],
    [{ group: 'x' }, /^split: group: expected one of id, class/],
    [{ time: 'x' }, /^split: time: expected one of id, class/],
    [{ group: 'class' }, /group: row 900: expected a value in each row/],
    [{ time: 'size' }, /time: row 0: expected a value in each row/],
    [{ time: 'group' }, /time: expected a column of dates or numbers, got "category"/],
  ])('INVALID_ARGUMENT: %o', (options, message) => {
    expectError(() => table.split(options), 'INVALID_ARGUMENT', message);
  });

  it('one group, one time, no rows: nothing remains', () => {
    const same = numbered(10, () => ({ group: 'g', day: 1 }));
    expectError(() => same.split({ group: 'group' }), 'INVALID_ARGUMENT', /no row remains/);
    expectError(() => same.split({ time: 'day' }), 'INVALID_ARGUMENT', /no row remains for the test/);
    expectError(() => same.subset([]).split(), 'INVALID_ARGUMENT', /no row remains/);
  });
});

describe('table.kFold', () => {
  it.each<TableKFoldOptions>([{}, { folds: 3, stratify: 'class' }, { folds: 7, group: 'group' }])(
    'each row is held out once: %o',
    (options) => {
      const folds = table.kFold(options);
      expect(folds.length).toBe(options.folds ?? 5);
      expect(sorted(folds.flatMap(({ validation }) => idsOf(validation)))).toEqual(all);
      for (const { train, validation } of folds) {
        expect(sorted([...idsOf(train), ...idsOf(validation)])).toEqual(all);
        expect(Math.abs(validation.length - 1000 / folds.length)).toBeLessThanOrEqual(options.group ? 3 : 1);
        if (options.stratify) expect(Math.abs(count(validation, 'b') - 200 / 3)).toBeLessThanOrEqual(1);
        if (options.group === undefined) continue;
        const held = new Set(validation.column('group').values as string[]);
        expect(train.column('group').values.some((group: unknown) => held.has(group as string))).toBe(false);
      }
    },
  );

  it.each([
    [[40, 60, 1], 3],
    [[97, 1, 1, 1], 4],
    [[1, 1, 50, 2, 30], 4],
    [[5, 5, 90], 2],
  ])('groups of %o rows are enough for %i folds, whatever the seed', (sizes, folds) => {
    const groups = sizes.flatMap((size, group) => new Array<number>(size).fill(group));
    const uneven = numbered(groups.length, (row) => ({ group: groups[row] }));
    for (let seed = 0; seed < 200; seed++) {
      const held = uneven.kFold({ folds, group: 'group', seed }).map(({ validation }) => validation);
      expect(sorted(held.flatMap(idsOf))).toEqual(idsOf(uneven));
      const shares = held.map((part) => new Set(part.column('group').values as Float64Array));
      expect(shares.reduce((sum, { size }) => sum + size, 0)).toBe(sizes.length);
      expect(Math.min(...shares.map(({ size }) => size))).toBeGreaterThan(0);
    }
  });

  it('time: each part is held out after training on all before it', () => {
    const folds = numbered(8, (i) => ({ t: i })).kFold({ time: 't', folds: 3 });
    expect(folds.map(({ train, validation }) => [idsOf(train), idsOf(validation)])).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [
        [0, 1, 2, 3],
        [4, 5],
      ],
      [
        [0, 1, 2, 3, 4, 5],
        [6, 7],
      ],
    ]);
  });

  it('INVALID_ARGUMENT', () => {
    expectError(() => table.kFold({ folds: 1 }), 'INVALID_ARGUMENT', /folds/);
    expectError(() => numbered(3).kFold(), 'INVALID_ARGUMENT', /folds/);
    expectError(() => table.kFold({ group: 'x' }), 'INVALID_ARGUMENT', /^kFold: group: expected one of id, class/);
    const few = numbered(10, (i) => ({ group: i % 2 }));
    expectError(() => few.kFold({ folds: 3, group: 'group' }), 'INVALID_ARGUMENT', /too few groups for 3 folds/);
    expectError(
      () => few.kFold({ folds: 3, time: 'group' }),
      'INVALID_ARGUMENT',
      /too few different times for 3 folds/,
    );
    expectError(() => few.kFold({ test: 0.2 } as never), 'UNKNOWN_OPTION', /"test"/);
  });
});
