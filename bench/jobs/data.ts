/**
 * What the programs of the jobs read: files in the folder in which they run. `digits` reads those of images; tables are
 * read by the programs themselves.
 */
import { readFileSync } from 'node:fs';

/** Images of 28 × 28 bytes, and their digits. */
export interface Digits {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** The first `count` images of a part. */
export function digits(part: 'train' | 'test', count: number): Digits {
  const read = (what: string) => new Uint8Array(readFileSync(`${part}-${what}.bin`));
  return { images: read('images').subarray(0, 784 * count), labels: read('labels').subarray(0, count) };
}
