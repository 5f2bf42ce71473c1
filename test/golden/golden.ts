import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { GoldenName } from './files.js';

type Json = number | string | boolean | null | readonly Json[] | { readonly [key: string]: Json };
/** Results to compare: numbers in row-major order. */
export type Numbers = number | ArrayLike<number>;

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * One file of golden values: its inputs, and the comparison of results with what it expects. It notes what has been
 * compared, so that {@link complete} finds expected values which a test forgot.
 */
export class Golden {
  readonly name: GoldenName;
  readonly #root: Json;
  readonly #compared = new Set<string>();

  constructor(name: GoldenName) {
    this.name = name;
    this.#root = JSON.parse(readFileSync(new URL(`./data/${name}.json`, import.meta.url), 'utf8')) as Json;
  }

  /** The numbers at a path such as `inputs.params.W1` or `inputs.keep_masks.3`, flat in row-major order. */
  numbers(path: string): number[] {
    const value = this.#at(path);
    const flat = Array.isArray(value) ? value.flat(8) : [value];
    if (!flat.every((item) => typeof item === 'number')) throw new Error(`${this.name}: ${path} does not hold numbers`);
    return flat as number[];
  }

  number(path: string): number {
    const [value, ...more] = this.numbers(path);
    if (more.length > 0) throw new Error(`${this.name}: ${path} is not one number`);
    return value;
  }

  floats(path: string): Float32Array {
    return Float32Array.from(this.numbers(path));
  }

  integers(path: string): Int32Array {
    return Int32Array.from(this.numbers(path));
  }

  text(path: string): string {
    return String(this.#at(path));
  }

  /** Names under a path, or the indices of an array. */
  keys(path: string): string[] {
    return Object.keys(this.#at(path) as object);
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /**
   * Compares with `expected.<path>` within the file's tolerance for float32; `looser` takes its wider bound where there
   * is one.
   */
  near(path: string, got: Numbers, looser = false): void {
    const tolerance =
      (looser ? this.#tolerance('float32_atol_if_cancelled_biases_are_trained', path) : undefined) ??
      this.#tolerance('float32_atol', path);
    if (tolerance === undefined) throw new Error(`${this.name}: no float32 tolerance for ${path}`);
    this.within(path, got, () => tolerance);
  }

  /** Compares with `expected.<path>` within the file's tolerance for float64. */
  double(path: string, got: Numbers): void {
    const [rtol, atol] = [this.number('tolerance.float64.rtol'), this.number('tolerance.float64.atol')];
    this.within(path, got, (want) => atol + rtol * Math.abs(want));
  }

  /** Compares with `expected.<path>`: not a bit may differ. */
  exact(path: string, got: Numbers): void {
    this.within(path, got, () => 0);
  }

  /** Compares with `expected.<path>` within an absolute tolerance for each value. */
  within(path: string, got: Numbers, tolerance: (want: number, index: number) => number): void {
    this.#compared.add(path);
    const want = this.numbers(`expected.${path}`);
    const values = typeof got === 'number' ? [got] : Array.from(got);
    expect(values.length, `${this.name}: ${path}: number of values`).toBe(want.length);
    for (const [i, value] of values.entries()) {
      const bound = tolerance(want[i], i);
      const difference = Math.abs(value - want[i]);
      // Written so that a NaN fails.
      if (!(difference <= bound)) {
        expect.fail(`${this.name}: ${path}[${i}]: expected ${want[i]} ± ${bound}, got ${value}, off by ${difference}`);
      }
    }
  }

  /** Fails unless every expected value has been compared; `left` names groups that are skipped, with the reason. */
  complete(left: Readonly<Record<string, string>> = {}): void {
    const forgotten = this.#leaves('').filter(
      (leaf) => !this.#compared.has(leaf) && !Object.keys(left).some((group) => `${leaf}.`.startsWith(`${group}.`)),
    );
    expect(forgotten, `${this.name}: expected values that were not compared`).toEqual([]);
  }

  #tolerance(kind: string, path: string): number | undefined {
    // The paths are keys here, dots and all.
    const tolerances = this.#find(`tolerance.${kind}`);
    const tolerance = isObject(tolerances) ? tolerances[path] : undefined;
    return typeof tolerance === 'number' ? tolerance : undefined;
  }

  #leaves(prefix: string): string[] {
    return this.keys(`expected${prefix && `.${prefix}`}`).flatMap((key) => {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      return isObject(this.#at(`expected.${path}`)) ? this.#leaves(path) : [path];
    });
  }

  #at(path: string): Json {
    const value = this.#find(path);
    if (value === undefined) throw new Error(`${this.name}: nothing at ${path}`);
    return value;
  }

  #find(path: string): Json | undefined {
    return path.split('.').reduce<Json | undefined>((value, key) => {
      const inner: unknown =
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
      return inner as Json | undefined;
    }, this.#root);
  }
}
