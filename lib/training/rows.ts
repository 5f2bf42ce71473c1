import { isFloatArray, readNumbers } from '../numbers.js';
import type { TypedArray } from '../types.js';

/** Numbers in a typed array or list, or a list of rows of equal length. */
export type Numbers = TypedArray | readonly number[] | readonly (TypedArray | readonly number[])[];

/** Numbers in flat form, with what their original form implies. */
export interface NumberBlock {
  readonly data: ArrayLike<number>;
  /** Numbers per row, if given as a list of rows. */
  readonly columns: number | undefined;
  /** Given as a float array or as rows, so they can't be classes. */
  readonly floats: boolean;
}

/** Reads numbers, keeping track of rows. */
export function readRows(name: string, value: unknown): NumberBlock {
  const { data, shape } = readNumbers(name, value);
  const nested = shape.length > 1;
  return { data, columns: nested ? data.length / shape[0] : undefined, floats: nested || isFloatArray(value) };
}
