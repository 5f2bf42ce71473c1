import { checkInteger, invalid, MAX_SIZE } from '../checks.js';
import { isSampleSource } from '../runtime/columns.js';
import { checkFeatures } from '../runtime/dataset-inputs.js';

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
