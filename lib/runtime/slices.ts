import { types } from 'node:util';
import type { Feed } from '../backend/backend.js';
import { checkStorage } from '../checks.js';
import { viewLike } from '../numbers.js';
import { sharedBuffer } from '../shared-memory.js';
import { turn } from '../timers.js';
import type { Source } from './engine.js';

/** Milliseconds of work on the event loop per slice. */
const SLICE = 4;
/** Elements processed between two clock checks: a fraction of a millisecond. */
const PIECE = 1 << 17;

type Column = Uint8Array | Int32Array | Float32Array;

/** Splits long work on the event loop into slices, yielding to the loop in between. */
export class Slices {
  #begin = performance.now();

  /** Calls `work` for consecutive pieces of a list of `length` elements. */
  async each(length: number, work: (begin: number, end: number) => void): Promise<void> {
    for (let begin = 0; begin < length; begin += PIECE) {
      if (performance.now() - this.#begin > SLICE) {
        await turn();
        this.#begin = performance.now();
      }
      work(begin, Math.min(begin + PIECE, length));
    }
  }

  /**
   * Copies `from` into `to`, which has the same length; throws `DETACHED_BUFFER`, with `name`, if either buffer was
   * transferred meanwhile.
   */
  async copy<T extends Column>(name: string, to: T, from: T): Promise<void> {
    const length = Math.max(to.length, from.length);
    await this.each(length, (begin, end) => {
      if (to.length < length || from.length < length) for (const view of [to, from]) checkStorage(name, view);
      to.set(from.subarray(begin, end), begin);
    });
  }
}

/** Converts the source for an asynchronous run, which accepts only shared memory: copies other storage in slices. */
export async function sharedInSlices(name: string, source: Source): Promise<Source> {
  const slices = new Slices();
  const shared = async <T extends Column>(column: string, data: T): Promise<T> => {
    // It may have been transferred while others were copied: the copy would be empty, too.
    checkStorage(`${name}: ${column}`, data);
    if (types.isSharedArrayBuffer(data.buffer)) return data;
    const copy = viewLike(data, sharedBuffer(data.byteLength));
    await slices.copy(`${name}: ${column}`, copy, data);
    return copy;
  };
  const feeds: Record<string, Feed> = {};
  for (const [column, feed] of Object.entries(source.feeds))
    feeds[column] = { ...feed, values: await shared(column, feed.values) };
  return { ...source, feeds };
}
