import { types } from 'node:util';
import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { SampleSource, Shape } from '../types.js';

/** Size of the images of a dataset. Throws `SHAPE_MISMATCH` if its samples are none. */
export function imageShape(shape: Shape): { height: number; width: number; channels: 1 | 3 } {
  const [height, width, channels = 1] = shape;
  if ((shape.length === 2 || shape.length === 3) && (channels === 1 || channels === 3))
    return { height, width, channels };
  const side = Math.sqrt(shape[0]);
  if (shape.length === 1 && Number.isInteger(side)) return { height: side, width: side, channels: 1 };
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `dataset: expected images of shape [height, width], [height, width, 1 or 3] or [a square number], got [${shape.join(', ')}]`,
  );
}

/**
 * The images as bytes: bytes as they are, other numbers from the smallest (0) to the largest (255) of all of them.
 */
export function bytesOf({ features, length }: SampleSource, indices: readonly number[]): Uint8Array[] {
  const size = features.length / length;
  const rows = indices.map((row) => features.subarray(row * size, (row + 1) * size));
  if (types.isUint8Array(features)) return rows as Uint8Array[];
  let low = Infinity;
  let high = -Infinity;
  for (const row of rows) {
    for (const value of row) {
      if (!Number.isFinite(value)) throw invalid('dataset: features', 'finite numbers', value);
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const range = high > low ? high - low : 1;
  return rows.map((row) => Uint8Array.from(row, (value) => Math.round((255 * (value - low)) / range)));
}
