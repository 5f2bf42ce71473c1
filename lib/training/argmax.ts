import { checkArity, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { TypedArray } from '../types.js';
import { readRows } from './rows.js';

/**
 * Index of the largest number, the first one on a tie: `argmax(network.predict(x))` is the predicted class of a single
 * row. With `columns` the numbers are rows × `columns`, and the result is an Int32Array with the index within each row.
 * A list of rows needs no `columns`. Throws `EMPTY_DATA` without numbers, `SHAPE_MISMATCH` if they don't form whole
 * rows, `INVALID_ARGUMENT` for NaN.
 */
export function argmax(values: TypedArray | readonly number[]): number;
export function argmax(values: TypedArray | readonly number[], columns: number): Int32Array;
export function argmax(values: readonly (TypedArray | readonly number[])[], columns?: number): Int32Array;
export function argmax(values: unknown, columns?: number): number | Int32Array {
  checkArity('argmax', arguments, 2);
  const { data, columns: rowLength } = readRows('values', values);
  const width = columns === undefined ? rowLength : checkInteger('columns', columns, { min: 1 });
  if (data.length === 0) throw new BlasnetError('EMPTY_DATA', 'values: expected at least one number, got none');
  if (rowLength !== undefined && width !== rowLength) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `values: expected rows of ${width} numbers, as columns says, got rows of ${rowLength}`,
    );
  }
  if (width === undefined) return largestOf('values', data, data.length)[0];
  if (data.length % width !== 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `values: expected a multiple of ${width} numbers (one row), got ${data.length}`,
    );
  }
  return largestOf('values', data, width);
}

/**
 * Index of the largest number per row of `columns` numbers, the first one on a tie. Throws `INVALID_ARGUMENT` for NaN.
 */
export function largestOf(name: string, values: ArrayLike<number>, columns: number): Int32Array {
  const result = new Int32Array(values.length / columns);
  for (let row = 0, at = 0; row < result.length; row++, at += columns) {
    let best = 0;
    for (let j = 0; j < columns; j++) {
      const value = values[at + j];
      if (Number.isNaN(value)) throw invalid(`${name}: row ${row}, output ${j}`, 'a number', value);
      if (value > values[at + best]) best = j;
    }
    result[row] = best;
  }
  return result;
}
