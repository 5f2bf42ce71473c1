import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { BlasnetError } from './errors.js';
import { cut, quote } from './text.js';

/** Formats a value for an error message: short, with its type. Never throws, even for getters and proxies that do. */
export function describe(value: unknown): string {
  try {
    return cut(render(value), 240);
  } catch {
    return `${typeof value === 'function' ? 'function' : 'object'} that can't be inspected`;
  }
}

function render(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'function') return `function ${nameOf(value) || '(anonymous)'}`;
  if (Array.isArray(value)) {
    return value.length <= 8 && value.every((v) => typeof v === 'number')
      ? `[${value.join(', ')}]`
      : `array of length ${value.length}`;
  }
  if (ArrayBuffer.isView(value)) {
    const length = (value as { length?: number }).length;
    return `${nameOf(value.constructor)}${length === undefined ? '' : ` of length ${length}`}`;
  }
  if (typeof value === 'object') {
    return `object of class ${Object.getPrototypeOf(value) === null ? 'null-prototype' : nameOf(value.constructor)}`;
  }
  // Formatting a large one would take long and tell nothing.
  if (typeof value === 'bigint')
    return value < 2n ** 128n && value > -(2n ** 128n) ? `${value}n` : 'a bigint beyond 2^128';
  return String(value);
}

function nameOf(value: unknown): string {
  const name = (value as { name?: unknown } | undefined)?.name;
  return typeof name === 'string' ? cut(name, 40) : '(unnamed)';
}

/** Error for a bad argument: its name, what was expected, what was given. */
export function invalid(name: string, expected: string, actual: unknown): BlasnetError {
  return new BlasnetError('INVALID_ARGUMENT', `${cut(name, 400)}: expected ${expected}, got ${describe(actual)}`);
}

/** Throws `UNKNOWN_OPTION` for a key not in `known`. Returns `options` or an empty object. */
export function checkOptions<T extends object>(
  name: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (options === undefined) return {};
  // Arrays, Maps and signals are not option objects: no option would be found in them.
  if (Object.prototype.toString.call(options) !== '[object Object]')
    throw invalid(name, 'an object of options', options);
  for (const key of Object.keys(options)) {
    if (!(known as readonly string[]).includes(key)) {
      const list = known.length ? `known options are ${known.join(', ')}` : 'it takes no options';
      throw new BlasnetError('UNKNOWN_OPTION', `${name}: unknown option ${quote(key)}; ${list}`);
    }
  }
  return options;
}

/**
 * Throws if there are more than `most` arguments that are not undefined: `UNKNOWN_OPTION` if the first extra one is an
 * object of options, otherwise `INVALID_ARGUMENT`. Every public function calls it first.
 */
export function checkArity(name: string, given: ArrayLike<unknown>, most: number): void {
  if (given.length > most) refuseArguments(name, Array.from(given), most);
}

/**
 * Throws `INVALID_ARGUMENT` where the second argument of a function that takes a dataset and options is rows of numbers,
 * as in other libraries. Call it before `checkArity`.
 */
export function checkOneDataset(name: string, given: ArrayLike<unknown>): void {
  if (!Array.isArray(given[1]) && !ArrayBuffer.isView(given[1])) return;
  const what = `expected a dataset and options, got ${describe(given[0])} and ${describe(given[1])}`;
  const remedy = `put both in a Dataset: ${name}(new Dataset({ features, labels }), { … })`;
  throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${what}; ${remedy}`);
}

/** Whether a value is a plain object, from any realm. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether a value is an object other than an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseArguments(name: string, given: readonly unknown[], most: number): void {
  const extra = given.slice(most).find((argument) => argument !== undefined);
  if (extra === undefined) return;
  const takes = most === 0 ? 'no arguments' : `at most ${most} argument${most === 1 ? '' : 's'}`;
  const [key] = isPlain(extra) ? Object.keys(extra) : [];
  if (key !== undefined) {
    throw new BlasnetError('UNKNOWN_OPTION', `${name}: unknown option ${quote(key)}; it takes ${takes}`);
  }
  throw new BlasnetError('INVALID_ARGUMENT', `${name}: expected ${takes}, got ${given.length}: ${describe(extra)}`);
}

/**
 * Makes an object's fields read-only: assignments throw a TypeError. Call last in a constructor. Unless `derived`,
 * adding fields is prevented too; a derived class's constructor may still need to add some.
 */
export function lock(object: object, derived: boolean): void {
  if (!derived) Object.freeze(object);
  else for (const key of Object.keys(object)) Object.defineProperty(object, key, { writable: false });
}

export interface Range {
  min?: number;
  max?: number;
  /** Exclude the bound itself. */
  above?: number;
  below?: number;
}

function rangeText({ min, max, above, below }: Range): string {
  const parts: string[] = [];
  if (min !== undefined) parts.push(`≥ ${min}`);
  if (above !== undefined) parts.push(`> ${above}`);
  if (max !== undefined) parts.push(`≤ ${max}`);
  if (below !== undefined) parts.push(`< ${below}`);
  return parts.length ? ` ${parts.join(' and ')}` : '';
}

function inRange(value: number, { min, max, above, below }: Range): boolean {
  return (
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

/** A finite number within `range`; throws `INVALID_ARGUMENT` otherwise. */
export function checkNumber(name: string, value: unknown, range: Range = {}): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || !inRange(value, range)) {
    throw invalid(name, `a finite number${rangeText(range)}`, value);
  }
  return value;
}

/** A safe integer within `range`; throws `INVALID_ARGUMENT` otherwise. */
export function checkInteger(name: string, value: unknown, range: Range = {}): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || !inRange(value, range)) {
    throw invalid(name, `an integer${rangeText(range)}`, value);
  }
  return value;
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalid(name, 'true or false', value);
  return value;
}

/** Largest size, count and label: those of kernels are int32. */
export const MAX_SIZE = 2 ** 31 - 1;

/** Sizes and counts. */
export const SIZES: Range = { min: 1, max: MAX_SIZE };

/** Integers of 32 bits, such as axes and coordinates. */
export const INTEGERS = { min: -(2 ** 31), max: MAX_SIZE } as const satisfies Range;

/** Seeds are words of 32 bits. */
export const SEEDS: Range = { min: 0, max: 2 ** 32 - 1 };

/** A seed; throws `INVALID_ARGUMENT` otherwise. */
export function checkSeed(name: string, value: unknown): number {
  return checkInteger(name, value, SEEDS);
}

/**
 * A copy of the names of classes. Throws `INVALID_ARGUMENT` unless they are strings, and `SHAPE_MISMATCH` unless there
 * are `classes` of them, if given.
 */
export function checkLabelNames(names: unknown, classes?: number): string[] {
  // Copying turns holes into undefined; `every` would skip holes.
  const copy: unknown[] | undefined = Array.isArray(names) ? [...names] : undefined;
  if (!copy?.every((name) => typeof name === 'string')) throw invalid('labelNames', 'an array of strings', names);
  if (classes !== undefined && copy.length !== classes) {
    const text = `labelNames: expected a name for each of the ${classes} classes, got ${copy.length}`;
    throw new BlasnetError('SHAPE_MISMATCH', text);
  }
  return copy as string[];
}

/** Checks for one of a fixed list of strings. */
export function checkChoice<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T)) throw invalid(name, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value);
  return value as T;
}

/** Maximum number of dimensions of a shape; also in files. */
export const MAX_RANK = 64;

/** Checks a shape: a non-empty list of at most 64 positive integers whose product stays below 2^31. */
export function checkShape(name: string, value: unknown): number[] {
  // Copying turns holes into undefined; `every` would skip holes.
  const sizes: number[] = Array.isArray(value) && value.length <= MAX_RANK ? [...value] : [];
  const ok = sizes.length > 0 && sizes.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!ok || sizes.reduce((product, size) => product * size, 1) > MAX_SIZE) {
    throw invalid(name, `a non-empty list of positive integers, at most ${MAX_RANK}, with a product below 2^31`, value);
  }
  return sizes;
}

/** Whether a value is a URL, from any realm. */
export function isUrl(value: unknown): value is URL {
  return Object.prototype.toString.call(value) === '[object URL]';
}

/** The path of a file or folder, given as a path or file: URL (from any realm). */
export function checkPath(name: string, value: unknown): string {
  const path = isUrl(value) ? pathOf(name, value) : value;
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw invalid(name, 'a path or a file: URL', value);
  // At least two letters before the colon: one is a drive of Windows.
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    const what = `expected a path or a file: URL, got the text ${quote(path)}; pass new URL(…) for a file: URL`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${what}`);
  }
  return path;
}

function pathOf(name: string, { href }: URL): string {
  try {
    return fileURLToPath(href);
  } catch (cause) {
    const what = `expected a path or a file: URL, got the URL ${quote(String(href))} (${cut((cause as Error).message, 100)})`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${what}`, { cause });
  }
}

/** Throws if a view's storage is detached or resizable. */
export function checkStorage(name: string, view: ArrayBufferView): void {
  const buffer = view.buffer as ArrayBufferLike & { detached?: boolean; resizable?: boolean; growable?: boolean };
  if (buffer.resizable || buffer.growable) {
    throw new BlasnetError('RESIZABLE_BUFFER', `${name}: expected storage of a fixed size, got a resizable buffer`);
  }
  // Node 20 lacks ArrayBuffer.prototype.detached, but creating a view on a detached buffer throws there.
  let detached = buffer.detached === true;
  if (!detached && buffer.byteLength === 0 && types.isArrayBuffer(buffer)) {
    try {
      new Uint8Array(buffer);
    } catch {
      detached = true;
    }
  }
  if (detached) {
    throw new BlasnetError('DETACHED_BUFFER', `${name}: its ArrayBuffer is detached (it was transferred away)`);
  }
}

/**
 * Checks compressed sparse rows: `rows` + 1 offsets that don't fall, within the `values` entries, and ascending column
 * numbers below `columns` in each row. `label` is '' or ends with ': '. Throws `SHAPE_MISMATCH` and `INVALID_ARGUMENT`.
 */
export function checkSparseRows(
  label: string,
  rows: number,
  columns: number,
  rowOffsets: Int32Array,
  indices: Int32Array,
  values: number,
): void {
  const mismatch = (text: string) => new BlasnetError('SHAPE_MISMATCH', `${label}${text}`);
  if (rowOffsets.length !== rows + 1)
    throw mismatch(`rowOffsets: expected ${rows + 1} numbers for ${rows} rows, got ${rowOffsets.length}`);
  if (indices.length > MAX_SIZE) throw invalid(`${label}indices`, `at most ${MAX_SIZE} entries`, indices.length);
  if (indices.length !== values)
    throw mismatch(`values: expected one for each of the ${indices.length} indices, got ${values}`);
  for (let row = 0; row < rows; row++) {
    const [begin, end] = [rowOffsets[row], rowOffsets[row + 1]];
    if (begin < 0 || end < begin || end > values)
      throw invalid(
        `${label}rowOffsets[${row + 1}]`,
        `from ${Math.max(begin, 0)}, the offset before it, to ${values}, the number of values`,
        end,
      );
    for (let k = begin, last = -1; k < end; k++) {
      const index = indices[k];
      if (index <= last || index >= columns)
        throw invalid(
          `${label}indices[${k}]: row ${row}`,
          `a column from ${last + 1} to ${columns - 1}, ascending`,
          index,
        );
      last = index;
    }
  }
}
