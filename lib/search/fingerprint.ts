import { createHash, type Hash } from 'node:crypto';
import type { AnyDataset } from '../data/split.js';

/** Adds numbers, and objects and arrays of them by their keys. */
function add(hash: Hash, value: unknown): void {
  if (ArrayBuffer.isView(value)) {
    hash.update(`${Object.prototype.toString.call(value)} ${value.byteLength};`).update(value as Uint8Array);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) {
      hash.update(`${JSON.stringify(key)}:`);
      add(hash, entry);
    }
    hash.update('.');
  } else {
    hash.update(`${value};`);
  }
}

/** SHA-256, as hexadecimal digits, of all that a training sees of datasets. */
export function fingerprint(datasets: readonly AnyDataset[]): string {
  const hash = createHash('sha256');
  for (const dataset of datasets) {
    const { shape, scale, offset, features, labels, targets, targetShape, goals, sampleWeights } = dataset;
    const inputs = 'inputs' in dataset ? dataset.inputs : undefined;
    add(hash, { shape, scale, offset, features, labels, targets, targetShape, inputs, goals, sampleWeights });
    if ('rowOffsets' in dataset) add(hash, { rowOffsets: dataset.rowOffsets, indices: dataset.indices });
  }
  return hash.digest('hex');
}
