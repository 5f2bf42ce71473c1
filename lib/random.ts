/**
 * Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC11). A number depends only on key and counter, so C++ and TypeScript draw the same ones, with any
 * number of threads. The key is (seed, stream); the meaning of the counter depends on the use.
 */

/**
 * Purposes of random streams. Streams from 0x10000 belong to layers, by position. Those from 0x40000 belong to the
 * augmentations of a training, by position, and those from 0x80000000 to the trials of a search, by number.
 */
export const Stream = {
  shuffle: 1, data: 2, initializer: 0x10000, dropout: 0x20000, noise: 0x30000, augment: 0x40000, search: 0x80000000,
} as const;


const PARITY = 0x1bd11bda;

/** Encrypts counter (c0, c1) with key (k0, k1); writes two unsigned words to `out[at]` and `out[at + 1]`. */
export function threefry(out: Uint32Array, at: number, k0: number, k1: number, c0: number, c1: number): void {
  const k2 = PARITY ^ k0 ^ k1;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  // Four rounds with rotations 13 15 26 6, then 17 29 16 24, alternating; a key injection after every four.
  x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + k1) | 0; x1 = (x1 + k2 + 1) | 0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + k2) | 0; x1 = (x1 + k0 + 2) | 0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  x0 = (x0 + k0) | 0; x1 = (x1 + k1 + 3) | 0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
  x0 = (x0 + k1) | 0; x1 = (x1 + k2 + 4) | 0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
  x0 = (x0 + x1) | 0; x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
  out[at] = x0 + k2;
  out[at + 1] = x1 + k0 + 5;
}

/** A sequential reader of one stream, for work done only in TypeScript (initial weights, data). */
export class RandomStream {
  readonly #k0: number;
  readonly #k1: number;
  readonly #words = new Uint32Array(2);
  #counter = 0;
  #left = 0;

  constructor(seed: number, stream: number) {
    this.#k0 = seed;
    this.#k1 = stream;
  }

  /** The next unsigned 32-bit word. */
  word(): number {
    if (this.#left === 0) {
      threefry(this.#words, 0, this.#k0, this.#k1, this.#counter >>> 0, Math.floor(this.#counter / 2 ** 32));
      this.#counter++;
      this.#left = 2;
    }
    return this.#words[2 - this.#left--];
  }

  /** Uniform in (0, 1): never 0, never 1. */
  uniform(): number {
    return (this.word() + 0.5) / 2 ** 32;
  }

  /** Standard normal by the Box-Muller transform; uses two uniforms per number, to keep the stream simple. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform integer in [0, bound), bound ≤ 2^32, by multiplication with the word; the bias is below bound / 2^32. */
  below(bound: number): number {
    return multiplyHigh(this.word(), bound);
  }
}

/** floor(word * bound / 2^32) for unsigned 32-bit operands, exact in doubles. */
export function multiplyHigh(word: number, bound: number): number {
  const high = word >>> 16;
  const low = word & 0xffff;
  return Math.floor((high * bound + Math.floor((low * bound) / 65536)) / 65536);
}
