import { checkInteger, invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { fits, isSampleSource } from '../runtime/columns.js';
import { checkFeatures } from '../runtime/dataset-inputs.js';
import { shapeText } from '../text.js';
import type { Shape } from '../types.js';

/**
 * The features of a source with all numbers of each row, for what reads them without a network. Throws
 * `INVALID_ARGUMENT` for anything else, also for sparse rows, and `SHAPE_MISMATCH`.
 */
export function denseFeatures(name: string, data: unknown): Uint8Array | Float32Array {
  if (!isSampleSource(data)) throw invalid(name, 'a Dataset', data);
  if (data.rowOffsets !== undefined) throw invalid(name, 'a Dataset with dense rows', 'sparse rows');
  checkInteger(`${name}: length`, data.length, { min: 0, max: MAX_SIZE });
  checkFeatures(name, data.length, data);
  return data.features;
}

/** Throws `SHAPE_MISMATCH` if a network's input does not take samples of this shape. */
export function checkFits(name: string, given: Shape, wanted: Shape): void {
  if (fits(given, wanted)) return;
  const text = `expected samples of shape ${shapeText(wanted)}, as the network takes, got ${shapeText(given)}`;
  throw new BlasnetError('SHAPE_MISMATCH', `${name}: ${text}`);
}
