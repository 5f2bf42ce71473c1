import { TextDecoder, TextEncoder } from 'node:util';
import type { NativeGroup } from '../backend/backend.js';
import { endJob, firstLine } from '../distributed/exit.js';
import { type Group, nativeGroup, occupy, release } from '../distributed/group.js';
import { BlasnetError } from '../errors.js';
import { type Batches, ownRows, type Parts } from '../runtime/batches.js';
import type { JobRanks } from '../runtime/engine.js';
import { Slices } from '../runtime/slices.js';
import { sharedBuffer } from '../shared-memory.js';
import { cut, errorText } from '../text.js';

/** Numbers that each rank contributes to an exchange. */
const WORDS = 6;
const MOST_TEXT = 400;
/** Elements that are averaged at a time. */
const PIECE = 1 << 16;

/** What a rank contributes to an exchange. */
interface Word {
  /** A number that must be the same on all ranks. */
  readonly same?: number;
  /** What {@link same} stands for, for the error if ranks differ. */
  readonly what?: string;
  /** Whether this rank wants to stop. */
  readonly stop?: boolean;
  /** All ranks take the least. */
  readonly number?: number;
  /** Whether this rank has found what it looked for. */
  readonly found?: boolean;
}

/**
 * The ranks of a training, as `fit` sees them. Between runs they synchronise by {@link meet}: a rank that fails reports
 * it in its next exchange, so that none waits for it.
 */
export class Ranks {
  readonly rank: number;
  readonly size: number;
  /** All ranks run on one machine. */
  readonly oneHost: boolean;
  /** Rows that this rank has trained alone since the last mean of the parameters. */
  alone = 0;
  readonly #group: Group;
  readonly #handle: object;
  /** No further exchange is possible: a rank has failed, or the group. */
  #over = false;
  /** Rows since the last mean of the running statistics: this rank's, and those of all. */
  #seen = { own: 0, all: 0 };
  /** This rank's part of the rows that the ranks have trained alone, as of the last exchange; undefined without any. */
  #part: number | undefined;

  /** Throws `INVALID_ARGUMENT` if the group trains already. */
  constructor(group: Group) {
    if (!occupy(group))
      throw new BlasnetError('INVALID_ARGUMENT', 'fit: group: it trains a network; wait for that fit to end');
    this.rank = group.rank;
    this.size = group.size;
    this.oneHost = group.host.count === 1;
    this.#group = group;
    this.#handle = nativeGroup(group)?.handle as object;
  }

  /** Lets the group train again. */
  end(): void {
    release(this.#group);
  }

  /** For a run of the native backend, which starts when all ranks are ready and agree on `word`. */
  job(parts: Parts, use: Pick<JobRanks, 'sums' | 'divided'>, word?: Word): JobRanks {
    const failed = (error: unknown) => {
      const native = nativeGroup(this.#group) as NativeGroup;
      return endJob(native, String(this.#group), `a run failed: ${firstLine(error)}`, 1);
    };
    return { ...use, handle: this.#handle, parts, ready: async () => void (await this.meet(word)), failed };
  }

  /**
   * Waits for all ranks. Resolves to whether one of them wants to stop, the least number, and the first rank that
   * has found something, or -1. Throws `GROUP_FAILED` if a rank failed, or if `same` differs between ranks.
   */
  async meet({ same = 0, what = '', stop = false, number = 0, found = false }: Word = {}) {
    const all = await this.#exchange([0, same, Number(stop), number, Number(found)]);
    await this.#throwFailure(all, undefined);
    const other = all.findIndex(([, theirs]) => theirs !== all[0][1]);
    if (other >= 0) {
      this.#over = true;
      throw new BlasnetError('GROUP_FAILED', `fit: rank ${other} and rank 0 differ in ${what}`);
    }
    const finder = all.findIndex((words) => words[4] > 0);
    return { stop: all.some(([, , stops]) => stops > 0), number: Math.min(...all.map((words) => words[3])), finder };
  }

  /** The first rank that has found something; undefined if none has, or if one has failed meanwhile. */
  async finder(found: boolean): Promise<number | undefined> {
    try {
      const { finder } = await this.meet({ found });
      return finder < 0 ? undefined : finder;
    } catch {
      // That rank's own error gives the reason.
      return undefined;
    }
  }

  /**
   * Tells the other ranks in their next exchange that this one has failed, unless they know. Blocks that the ranks have
   * trained alone are averaged as in their next common step.
   */
  async fail(error: unknown, ...blocks: readonly Float32Array[]): Promise<void> {
    try {
      if (!this.#over) await this.#tell(error);
      const part = this.#part;
      this.#part = undefined;
      if (part !== undefined) for (const block of blocks) await this.average(block, part);
    } catch {
      // The group's error: this rank has its own.
    }
  }

  /** Notes that the group has failed, and returns the error to throw. */
  lost(reason: string | undefined): BlasnetError {
    this.#over = true;
    this.#part = undefined;
    return new BlasnetError('GROUP_FAILED', `fit: the group failed: ${reason ?? 'for an unknown reason'}`);
  }

  /** Overwrites blocks with those of the first rank. */
  async broadcast(...blocks: readonly NodeJS.TypedArray[]): Promise<void> {
    for (const block of blocks) if (block.length > 0) await this.#group.broadcast(block, 0);
  }

  /** Overwrites a block with the ranks' mean, of the given `weight` (the weights of all ranks have the sum 1). */
  async average(block: Float32Array, weight: number): Promise<void> {
    // In float64, so that equal numbers stay as they are.
    const length = Math.min(PIECE, block.length);
    const sums = new Float64Array(sharedBuffer(8 * length), 0, length);
    for (let begin = 0; begin < block.length; begin += PIECE) {
      const values = block.subarray(begin, begin + PIECE);
      const piece = sums.subarray(0, values.length);
      // Values of weight 0 may be NaN.
      for (let i = 0; i < values.length; i++) piece[i] = weight === 0 ? 0 : values[i] * weight;
      await this.#group.allReduce(piece);
      values.set(piece);
    }
  }

  /** Counts the rows of `epochs` epochs for {@link averageState}. */
  see(batches: Batches, epochs: number): void {
    this.#seen.all += epochs * batches.rows;
    for (let i = 0; i < batches.count; i++) this.#seen.own += epochs * ownRows(batches, i);
  }

  /** Overwrites running statistics with the ranks' mean, weighted by the rows that each has seen since the last one. */
  async averageState(state: Float32Array): Promise<void> {
    await this.meet();
    await this.average(state, this.#seen.own / this.#seen.all);
    this.#seen = { own: 0, all: 0 };
  }

  /** The numbers of each rank. */
  async gather(number: number): Promise<number[]> {
    const all = new Float64Array(this.size);
    all[this.rank] = number;
    await this.#group.allReduce(all);
    return Array.from(all);
  }

  async #tell(error: unknown): Promise<void> {
    const text = new TextEncoder().encode(cut(errorText(error), MOST_TEXT));
    try {
      await this.#throwFailure(await this.#exchange([1 + text.length, 0, 0, 0, 0]), text);
    } catch {
      // The other ranks' errors, or the group's: this rank has its own.
    }
  }

  async #exchange(words: readonly number[]): Promise<number[][]> {
    const all = new Float64Array(WORDS * this.size);
    all.set([...words, this.alone], WORDS * this.rank);
    this.#part = undefined;
    try {
      await this.#group.allReduce(all);
    } catch (error) {
      this.#over = true;
      throw error;
    }
    const list = Array.from({ length: this.size }, (_, i) => Array.from(all.subarray(WORDS * i, WORDS * (i + 1))));
    const rows = list.reduce((sum, each) => sum + each[WORDS - 1], 0);
    if (rows > 0) this.#part = this.alone / rows;
    return list;
  }

  /** If a rank failed: throws an error with the message of the first that did. */
  async #throwFailure(all: readonly number[][], own: Uint8Array | undefined): Promise<void> {
    const failed = all.findIndex(([status]) => status > 0);
    if (failed < 0) return;
    this.#over = true;
    const text = new Uint8Array(all[failed][0] - 1);
    if (failed === this.rank && own !== undefined) text.set(own);
    try {
      if (text.length > 0) await this.#group.broadcast(text, failed);
    } catch (error) {
      this.#part = undefined;
      throw error;
    }
    throw new BlasnetError('GROUP_FAILED', `fit: rank ${failed} ended the training: ${new TextDecoder().decode(text)}`);
  }
}

const HASH_START = 0x811c9dc5;
const hashed = (hash: number, word: number) => Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15);

/** A hash of the bits of some blocks, an integer below 2³². */
export async function checksum(...blocks: readonly Float32Array[]): Promise<number> {
  let hash = HASH_START;
  const slices = new Slices();
  for (const block of blocks) {
    const words = new Uint32Array(block.buffer, block.byteOffset, block.length);
    await slices.each(words.length, (begin, end) => {
      for (let i = begin; i < end; i++) hash = hashed(hash, words[i]);
    });
  }
  return hash >>> 0;
}

/** The same for a text. */
export function checksumOf(text: string): number {
  let hash = HASH_START;
  for (let i = 0; i < text.length; i++) hash = hashed(hash, text.charCodeAt(i));
  return hash >>> 0;
}
