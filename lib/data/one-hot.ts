import { checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { IntegerArray, TypedArray } from '../types.js';
import { sharedFloats, sharedIntegers, toFloats, toLabels } from './storage.js';

/**
 * One-hot rows of class indices: `labels.length` × `classes` float32 numbers in shared memory, 1 at the label, 0 elsewhere.
 * Throws `LABEL_OUT_OF_RANGE` for a label outside 0 … classes − 1, `INVALID_ARGUMENT` for anything but integers.
 */
export function oneHot(labels: IntegerArray | readonly number[], classes: number): Float32Array {
  checkInteger('classes', classes, { min: 1, max: 2 ** 31 - 1 });
  const indices = toLabels('labels', labels, classes);
  const rows = sharedFloats(indices.length * classes);
  for (let row = 0; row < indices.length; row++) rows[row * classes + indices[row]] = 1;
  return rows;
}

/**
 * The class of each row of one-hot or probability rows: the column of its largest number, the first one of equals.
 * Returns Int32Array `targets.length / classes`, in shared memory. Throws `SHAPE_MISMATCH` when the rows don't fit,
 * `INVALID_ARGUMENT` for a row that holds NaN.
 */
export function fromOneHot(
  targets: TypedArray | readonly number[] | readonly (readonly number[])[],
  classes: number,
): Int32Array {
  checkInteger('classes', classes, { min: 1 });
  const { data, shape } = toFloats('targets', targets);
  if (data.length % classes !== 0 || (shape.length > 1 && shape[1] !== classes)) {
    throw new BlasnetError('SHAPE_MISMATCH', `targets: expected rows of ${classes} numbers, got shape [${shape.join(', ')}]`);
  }
  const labels = sharedIntegers(data.length / classes);
  for (let row = 0; row < labels.length; row++) {
    let best = 0;
    for (let column = 0; column < classes; column++) {
      const value = data[row * classes + column];
      if (Number.isNaN(value)) throw invalid(`targets: row ${row}, column ${column}`, 'a number', value);
      if (value > data[row * classes + best]) best = column;
    }
    labels[row] = best;
  }
  return labels;
}
