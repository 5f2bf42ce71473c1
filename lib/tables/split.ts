import { checkInteger, checkNumber, checkOptions, checkSeed, invalid } from '../checks.js';
import { deal, gather, inTurn, shuffled } from '../data/split.js';
import { BlasnetError } from '../errors.js';
import { RandomStream, Stream } from '../random.js';
import { type Column, type Columns, columnNamed, firstMissing } from './column.js';

/** How rows are divided; at most one of these. */
interface Division {
  /** A column whose values have the same proportions in each part. */
  stratify?: string | undefined;
  /** A column whose equal values stay together in one part. */
  group?: string | undefined;
  /** A column of dates or numbers by which the rows are put in order. */
  time?: string | undefined;
  /** 32-bit unsigned integer, default 0: the same seed gives the same parts. None with `time`. */
  seed?: number | undefined;
}

/** Options of `Table.split`. */
export interface TableSplitOptions extends Division {
  /** Fraction of rows for the test part, in [0, 1). Default 0.2. */
  test?: number | undefined;
  /** Fraction of rows for validation, in [0, 1). Default 0. */
  validation?: number | undefined;
}

/** Options of `Table.kFold`. */
export interface TableKFoldOptions extends Division {
  /** Number of folds, at least 2. Default 5. */
  folds?: number | undefined;
}

/** What splitting needs of a table. */
interface Rows extends Columns {
  readonly length: number;
}

const DIVISION = ['stratify', 'group', 'time', 'seed'] as const;
/** Groups of rare numbers that are stratified by. */
const STRATA = 10;
/** Numbers that occur so often are labels or counts, and are stratified by value. */
const REPEATED = 3;
/** Dealing takes rows × folds steps. */
const MOST_FOLDS = 1000;

function checkDivision(name: string, { stratify, group, time, seed }: Division): number {
  const given = Object.entries({ stratify, group, time }).filter(([, column]) => column !== undefined);
  if (given.length > 1) {
    const names = given.map(([option]) => option).join(' and ');
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: expected at most one of stratify, group, time, got ${names}`);
  }
  if (time !== undefined && seed !== undefined) throw invalid(`${name}: seed`, 'none with time', seed);
  return checkSeed(`${name}: seed`, seed ?? 0);
}

/** Rows of the training, validation and test parts. */
export function splitRows(table: Rows, options: TableSplitOptions | undefined): Int32Array[] {
  const given = checkOptions('split', options, ['test', 'validation', ...DIVISION]);
  const test = checkNumber('split: test', given.test ?? 0.2, { min: 0, below: 1 });
  const validation = checkNumber('split: validation', given.validation ?? 0, { min: 0, below: 1 });
  const seed = checkDivision('split', given);
  const { length } = table;
  const sizes = [0, Math.round(validation * length), Math.round(test * length)];
  sizes[0] = length - sizes[1] - sizes[2];
  const parts =
    test + validation >= 1 || sizes[0] < 0
      ? []
      : given.time === undefined
        ? divide('split', table, given, seed, { sizes, fill: false })
        : cut(timesOf('split', table, given.time), [sizes[0], sizes[0] + sizes[1]]);
  const wanted = [length > 0, validation > 0, test > 0];
  const bad = wanted.findIndex((want, part) => want && !parts[part]?.length);
  if (bad < 0) return parts;
  const part = ['training', 'validation', 'the test'][bad];
  const fractions = `test ${test} and validation ${validation}`;
  throw new BlasnetError('INVALID_ARGUMENT', `split: no row remains for ${part}: ${length} rows, ${fractions}`);
}

/** Rows of the training and validation part of each fold. */
export function foldRows(table: Rows, options: TableKFoldOptions | undefined) {
  const given = checkOptions('kFold', options, ['folds', ...DIVISION]);
  const seed = checkDivision('kFold', given);
  const { length } = table;
  const folds = checkInteger('kFold: folds', given.folds ?? 5, {
    min: 2,
    max: Math.max(2, Math.min(length, MOST_FOLDS)),
  });
  const timed = given.time !== undefined;
  const count = timed ? folds + 1 : folds;
  const sizes = Array.from({ length: count }, (_, i) => Math.floor((length + count - 1 - i) / count));
  let parts: Int32Array[];
  if (given.time === undefined) {
    parts = divide('kFold', table, given, seed, { sizes, fill: true });
  } else {
    let end = 0;
    const ends = sizes.slice(0, -1).map((size) => {
      end += size;
      return end;
    });
    parts = cut(timesOf('kFold', table, given.time), ends);
  }
  const empty = parts.findIndex((rows) => rows.length === 0);
  if (empty >= 0) {
    const what = timed ? 'different times' : given.group === undefined ? 'rows' : 'groups';
    throw new BlasnetError('INVALID_ARGUMENT', `kFold: folds: too few ${what} for ${folds} folds`);
  }
  const others = (own: number) => (timed ? parts.slice(0, own) : parts.filter((_, part) => part !== own));
  return parts.slice(timed ? 1 : 0).map((validation, i) => {
    return { train: joined(others(timed ? i + 1 : i)), validation };
  });
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const rows = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    rows.set(part, at);
    at += part.length;
  }
  return rows;
}

interface Parts {
  /** Rows of each part. */
  readonly sizes: readonly number[];
  /** Whether each part gets a group while there are enough, however large the last ones are. */
  readonly fill: boolean;
}

/** The rows of each part, in shuffled order. */
function divide(name: string, table: Rows, { stratify, group }: Division, seed: number, wanted: Parts) {
  const { sizes } = wanted;
  const order = shuffled(table.length, new RandomStream(seed, Stream.data));
  if (stratify !== undefined)
    return gather(order, sizes, deal(byStratum(columnNamed(`${name}: stratify`, table, stratify), order), sizes));
  if (group === undefined) return gather(order, sizes, inTurn(order, sizes));
  const groups = checkComplete(`${name}: group`, columnNamed(`${name}: group`, table, group)).values;
  const parts = dealGroups(groups, order, wanted);
  const counts = sizes.map(() => 0);
  for (const part of parts) counts[part]++;
  return gather(order, counts, parts);
}

/**
 * Rows in order of their strata, those of a stratum in the order of `order`. A stratum is a value or, for numbers that
 * occur rarely, a tenth of the rows with such numbers. Sorting is stable.
 */
function byStratum({ type, values }: Column, order: Int32Array): Int32Array {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const numeric = type === 'number' || type === 'date';
  const rare = (row: number) => numeric && (counts.get(values[row]) as number) < REPEATED;
  const keys = new Float64Array(order.length);
  const known = new Map<unknown, number>();
  values.forEach((value: unknown, row: number) => {
    if (rare(row)) return;
    if (!known.has(value)) known.set(value, known.size);
    keys[row] = known.get(value) as number;
  });
  const ranked = Array.from(order)
    .filter(rare)
    .sort((a, b) => compare(values[a] as number, values[b] as number));
  ranked.forEach((row, rank) => {
    keys[row] = known.size + Math.floor((rank * STRATA) / ranked.length);
  });
  return order.slice().sort((a, b) => keys[a] - keys[b]);
}

/** Order of two numbers, NaN last. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b;
}

/** Deals whole groups, in random order, to the part that is furthest below its share of the rows dealt so far. */
function dealGroups(groups: Column['values'], order: Int32Array, { sizes, fill }: Parts): Int32Array {
  const rowsOf = new Map<unknown, number[]>();
  for (const row of order) {
    const rows = rowsOf.get(groups[row]);
    if (rows === undefined) rowsOf.set(groups[row], [row]);
    else rows.push(row);
  }
  const parts = new Int32Array(order.length);
  const dealt = sizes.map(() => 0);
  let seen = 0;
  let left = rowsOf.size;
  for (const rows of rowsOf.values()) {
    seen += rows.length;
    const needed = fill && left-- <= dealt.filter((count) => count === 0).length;
    const lags = sizes.map((size, part) =>
      needed && dealt[part] > 0 ? -Infinity : seen * size - dealt[part] * order.length,
    );
    const part = lags.indexOf(Math.max(...lags));
    for (const row of rows) parts[row] = part;
    dealt[part] += rows.length;
  }
  return parts;
}

function checkComplete(label: string, column: Column): Column {
  const at = firstMissing(column);
  if (at >= 0) throw invalid(`${label}: row ${at}`, 'a value in each row', null);
  return column;
}

/** All rows in order of time, with the times. */
function timesOf(name: string, table: Rows, time: string) {
  const column = checkComplete(`${name}: time`, columnNamed(`${name}: time`, table, time));
  if (column.type !== 'date' && column.type !== 'number')
    throw invalid(`${name}: time`, 'a column of dates or numbers', column.type);
  const times = column.values;
  const order = Int32Array.from({ length: table.length }, (_, i) => i).sort((a, b) => times[a] - times[b]);
  return { order, times };
}

/** Cuts rows at these places, or later where equal times would be separated. */
function cut({ order, times }: { order: Int32Array; times: Float64Array }, ends: readonly number[]): Int32Array[] {
  let begin = 0;
  const parts = ends.map((end) => {
    let stop = Math.max(begin, end);
    while (stop > 0 && stop < order.length && times[order[stop]] === times[order[stop - 1]]) stop++;
    const part = order.subarray(begin, stop);
    begin = stop;
    return part;
  });
  return [...parts, order.subarray(begin)];
}
