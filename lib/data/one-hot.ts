import { checkArity, checkInteger, invalid, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { readFloats, readLabels } from '../numbers.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import type { IntegerArray, TypedArray } from '../types.js';

/**
 * One-hot rows of class indices: `labels.length` × `classes` float32 numbers in shared memory, 1 at the label, 0
 * elsewhere. Throws `LABEL_OUT_OF_RANGE` for a label outside 0 … classes − 1, `INVALID_ARGUMENT` for anything but
 * integers.
 */
export function oneHot(labels: IntegerArray | readonly number[], classes: number): Float32Array {
  checkArity('oneHot', arguments, 2);
  checkInteger('classes', classes, SIZES);
  const indices = readLabels('labels', labels, classes);
  const rows = sharedFloats(indices.length * classes);
  for (let row = 0; row < indices.length; row++) rows[row * classes + indices[row]] = 1;
  return rows;
}

/**
 * The class of each one-hot or probability row: the column of its largest number, the first one on a tie. Returns an
 * Int32Array of `targets.length / classes` in shared memory. Throws `SHAPE_MISMATCH` if the numbers don't form whole
 * rows, `INVALID_ARGUMENT` for a row with NaN and for a row of 0 and 1 with several ones or none (which has labels, not
 * a class).
 */
export function fromOneHot(
  targets: TypedArray | readonly number[] | readonly (readonly number[])[],
  classes: number,
): Int32Array {
  checkArity('fromOneHot', arguments, 2);
  checkInteger('classes', classes, { min: 1 });
  const { data, shape } = readFloats('targets', targets);
  if (data.length % classes !== 0 || (shape.length > 1 && shape[1] !== classes)) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `targets: expected rows of ${classes} numbers, got shape [${shape.join(', ')}]`,
    );
  }
  const labels = sharedIntegers(data.length / classes);
  for (let row = 0; row < labels.length; row++) {
    let best = 0;
    let ones = 0;
    let others = 0;
    for (let column = 0; column < classes; column++) {
      const value = data[row * classes + column];
      if (value === 1) ones++;
      else if (value !== 0) others++;
      if (Number.isNaN(value)) throw invalid(`targets: row ${row}, column ${column}`, 'a number', value);
      if (value > data[row * classes + best]) best = column;
    }
    if (others === 0 && ones !== 1)
      throw invalid(`targets: row ${row}`, 'a single 1, as the row of a class has', `${ones} of them`);
    labels[row] = best;
  }
  return labels;
}
