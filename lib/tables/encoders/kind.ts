import { checkBoolean, checkNumber, checkOptions, invalid, isPlain } from '../../checks.js';
import type { Column, ColumnType } from '../column.js';

/** Options of a column by their names, not yet checked. */
export type Given = Readonly<Record<string, unknown>>;

/** Turns a column of one type into numbers; fitted. */
export interface ColumnEncoder {
  /** Numbers a row. */
  readonly width: number;
  /** Whether a row is one index of an embedding's vocabulary, which is an input of its own. */
  readonly index?: boolean;
  /** What each number means, or each index. */
  names(): string[];
  /**
   * Writes the numbers of each row at `out[row * stride + at]` and after; `out` is 0 there. The column has the type of
   * the encoder.
   */
  encode(column: Column, out: Float32Array, at: number, stride: number): void;
  /** Whether a value of categories has a place of its own; only where values have one. */
  knows?(value: string): boolean;
  /** Plain data that `read` takes. */
  toJSON(): Given;
}

/** Learns from the values of a column that come in pieces, of which one at least has a value. */
export interface Learner {
  add(column: Column): void;
  finish(): ColumnEncoder;
}

/** How columns of one type are encoded. */
export interface Kind {
  /** Begins to learn. `label` is for errors. */
  learn(label: string, name: string, options: Given): Learner;
  /** The encoder of what `toJSON` gave, fully checked. */
  read(label: string, name: string, json: Given): ColumnEncoder;
}

/** The kinds that a file may name; a Map, as no property of an object's prototype is one. */
export type Kinds = ReadonlyMap<ColumnType, Kind>;

export function checkGiven(label: string, value: unknown, known: readonly string[]): Given {
  if (!isPlain(value) || Array.isArray(value)) throw invalid(label, 'an object', value);
  return checkOptions<Record<string, unknown>>(label, value as Record<string, unknown>, known);
}

export function readNumber(label: string, json: Given, key: string): number {
  return checkNumber(`${label}: ${key}`, json[key]);
}

export function readFlag(label: string, json: Given, key: string): boolean {
  return checkBoolean(`${label}: ${key}`, json[key]);
}

/** A list of strings, all different. */
export function readStrings(label: string, json: Given, key: string, most: number): readonly string[] {
  const list = json[key];
  const ok = Array.isArray(list) && list.length <= most && [...list].every((entry) => typeof entry === 'string');
  if (!ok || new Set(list).size !== list.length)
    throw invalid(`${label}: ${key}`, `unique strings, at most ${most}`, list);
  return Object.freeze([...list]);
}
