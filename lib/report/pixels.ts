import { types } from 'node:util';
import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { SampleSource, Shape } from '../types.js';
import { encodePng } from './png.js';

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

/** An image's pixels and size. */
export interface Pixels {
  readonly bytes: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

/** Every second, third, … pixel, so that neither side is longer than `most`. */
export function thinned(image: Pixels, most: number): Pixels {
  const step = Math.ceil(Math.max(image.height, image.width) / most);
  return resized(image, 1, Math.max(1, step));
}

/** Each pixel as a square of `factor` × `factor`. */
export function enlarged(image: Pixels, factor: number): Pixels {
  return resized(image, factor, 1);
}

/** The nearest pixels of an image with sides `by` / `from` as long. */
function resized(image: Pixels, by: number, from: number): Pixels {
  if (by === from) return image;
  const { bytes, height, width, channels } = image;
  const [rows, columns] = [Math.ceil((height * by) / from), Math.ceil((width * by) / from)];
  const pixels = new Uint8Array(rows * columns * channels);
  let at = 0;
  for (let y = 0; y < rows; y++) {
    const row = Math.floor((y * from) / by) * width;
    for (let x = 0; x < columns; x++) {
      const source = (row + Math.floor((x * from) / by)) * channels;
      for (let c = 0; c < channels; c++) pixels[at++] = bytes[source + c];
    }
  }
  return { bytes: pixels, height: rows, width: columns, channels };
}

/** A PNG as a data: URL. */
export function imageUrl({ bytes, height, width, channels }: Pixels): string {
  return `data:image/png;base64,${encodePng(bytes, height, width, channels).toString('base64')}`;
}
