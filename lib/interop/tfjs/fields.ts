import { isObject } from '../../checks.js';
import { BlasnetError, type ErrorCode } from '../../errors.js';
import { cut, quote } from '../../text.js';

/**
 * An error in a model. One that is `located` names its layer; others get it on the way out, from {@link inLayer}.
 */
export class ModelError extends BlasnetError {
  readonly located: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; located?: boolean } = {}) {
    super(code, message, options);
    this.located = options.located === true;
  }
}

/** The error for what no model.json may have. */
export function malformed(what: string): ModelError {
  return new ModelError('FILE_CORRUPT', what);
}

/** The error for what is valid in a file and has no counterpart here. */
export function unsupported(what: string): ModelError {
  return new ModelError('INVALID_ARGUMENT', `${what} has no counterpart in blasnet`);
}

/** The error for what is valid here and has no counterpart in a file. */
export function unwritable(what: string): ModelError {
  return new ModelError('INVALID_ARGUMENT', `${what} has no counterpart in tfjs`);
}

/**
 * Calls `make`; errors name the layer. A value that one of blasnet's own functions refuses stands in the file, which is
 * then `FILE_CORRUPT`.
 */
export function inLayer<T>(label: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof BlasnetError) || (cause instanceof ModelError && cause.located)) throw cause;
    const isRefused = !(cause instanceof ModelError) && cause.code === 'INVALID_ARGUMENT';
    const code = isRefused ? 'FILE_CORRUPT' : cause.code;
    throw new ModelError(code, `${label}: ${cause.message}`, { cause, located: true });
  }
}

/** `batch_input_shape` as `batchInputShape`: both are in use, in names and in values. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const shown = (value: unknown) => cut(JSON.stringify(value) ?? 'nothing', 80);

/** An object of a model.json. Its fields are found in either spelling; null is as good as absent. */
export class Fields {
  readonly #values = new Map<string, unknown>();
  readonly #name: string;

  /** `name` is for messages. Throws `FILE_CORRUPT` if `value` is not an object. */
  constructor(name: string, value: unknown) {
    this.#name = name;
    if (!isObject(value)) throw malformed(`${name} must be an object, got ${shown(value)}`);
    for (const [key, entry] of Object.entries(value)) if (entry !== null) this.#values.set(camelCase(key), entry);
  }

  /** The value of the first of these names that is there. */
  get(...names: string[]): unknown {
    return this.#values.get(names.find((name) => this.#values.has(name)) ?? '');
  }

  #refuse(name: string, wanted: string): ModelError {
    return malformed(`${this.#name}: ${name} must be ${wanted}, got ${shown(this.get(name))}`);
  }

  #typed<T>(name: string, type: 'number' | 'boolean' | 'string', absent: T | undefined): T {
    const value = this.get(name) ?? absent;
    if (typeof value !== type) throw this.#refuse(name, `a ${type}`);
    return value as T;
  }

  number(name: string, absent?: number): number {
    return this.#typed(name, 'number', absent);
  }

  boolean(name: string, absent?: boolean): boolean {
    return this.#typed(name, 'boolean', absent);
  }

  text(name: string, absent?: string): string {
    return this.#typed(name, 'string', absent);
  }

  list(name: string): readonly unknown[] {
    const value = this.get(name);
    if (!Array.isArray(value)) throw this.#refuse(name, 'a list');
    return value;
  }

  object(name: string): Fields {
    return new Fields(`${this.#name}: ${name}`, this.get(name));
  }

  /** A number for height and width, or one for each. */
  pair(name: string, absent?: number): readonly [number, number] {
    const value = this.get(name) ?? absent;
    const pair = Array.isArray(value) ? value : [value, value];
    if (pair.length !== 2 || !pair.every((each) => typeof each === 'number')) throw this.#refuse(name, 'two numbers');
    return pair as [number, number];
  }

  /** Throws `INVALID_ARGUMENT` if a field is there and has another value than those that mean nothing. */
  expect(name: string, ...harmless: unknown[]): void {
    const value = this.get(name);
    const same = (other: unknown) => JSON.stringify(other) === JSON.stringify(value);
    if (value !== undefined && !harmless.some(same)) throw unsupported(`${quote(name)} of ${shown(value)}`);
  }
}
