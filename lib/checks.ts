import { BlasnetError } from './errors.js';

/** Renders a value for an error message: short, and telling its type. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) {
    return value.length <= 8 && value.every((v) => typeof v === 'number')
      ? `[${value.join(', ')}]`
      : `array of length ${value.length}`;
  }
  if (ArrayBuffer.isView(value)) {
    const length = (value as { length?: number }).length;
    return `${value.constructor.name}${length === undefined ? '' : ` of length ${length}`}`;
  }
  if (typeof value === 'object') return `object of class ${value.constructor?.name ?? 'null-prototype'}`;
  if (typeof value === 'bigint') return `${value}n`;
  return String(value);
}

/** The one sentence form of a bad argument: its name, what was expected, what came. */
export function invalid(name: string, expected: string, actual: unknown): BlasnetError {
  return new BlasnetError('INVALID_ARGUMENT', `${name}: expected ${expected}, got ${describe(actual)}`);
}

/** Throws `UNKNOWN_OPTION` for a key that is not in `known`; returns `options` or an empty object. */
export function checkOptions<T extends object>(name: string, options: T | undefined, known: readonly string[]): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(name, 'an object of options', options);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      const list = known.length ? `known options are ${known.join(', ')}` : 'it takes no options';
      throw new BlasnetError('UNKNOWN_OPTION', `${name}: unknown option ${JSON.stringify(key)}; ${list}`);
    }
  }
  return options;
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

/** One of a fixed list of strings. */
export function checkChoice<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  if (!choices.includes(value as T)) throw invalid(name, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value);
  return value as T;
}

/** A shape: a non-empty list of positive integers whose product stays below 2^31. */
export function checkShape(name: string, value: unknown): number[] {
  const ok =
    Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'number' && Number.isSafeInteger(v) && v > 0);
  if (!ok || value.reduce((p: number, v: number) => p * v, 1) >= 2 ** 31) {
    throw invalid(name, 'a non-empty list of positive integers with a product below 2^31', value);
  }
  return [...value];
}

/** A path of a file. */
export function checkPath(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw invalid(name, 'a path', value);
  return value;
}

/** Throws when a view's storage was transferred away or can change its size. */
export function checkStorage(name: string, view: ArrayBufferView): void {
  const buffer = view.buffer as ArrayBufferLike & { detached?: boolean; resizable?: boolean; growable?: boolean };
  if (buffer.resizable || buffer.growable) {
    throw new BlasnetError('RESIZABLE_BUFFER', `${name}: expected storage of a fixed size, got a resizable buffer`);
  }
  // Node 20 lacks ArrayBuffer.prototype.detached; creating a view on detached storage throws there.
  let detached = buffer.detached === true;
  if (!detached && buffer.byteLength === 0 && buffer instanceof ArrayBuffer) {
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
