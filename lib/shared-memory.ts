import { types } from 'node:util';
import { BlasnetError } from './errors.js';

/**
 * V8 ignores shared memory when it decides whether to collect garbage, so code that creates and drops blocks would only
 * ever grow. The addon reports each block's bytes to V8. Until it is loaded, an ordinary buffer of the same size lives
 * as long as the block, since V8 counts those; it is never touched and so takes no memory.
 */
export interface Counter {
  /** Counts the bytes of a block while it lives. */
  count(block: SharedArrayBuffer, bytes: number): void;
  /** Adjusts the number of counted bytes. */
  countMore(bytes: number): void;
  /** Requests large pages for a block, given a view of all of it. */
  adopt(view: Uint8Array): unknown;
}

/**
 * Minimum size of blocks counted before the addon is loaded: only buffers this large get untouched pages of their own.
 */
const MIN_SHADOWED = 1 << 16;

/** Minimum size of blocks in large pages. */
const MIN_ADOPTED = 1 << 22;

let counter: Counter | undefined;
let loadCounter = (): void => {};
let shadows = new WeakMap<SharedArrayBuffer, ArrayBuffer>();
/** Bytes of the live blocks created before the addon was loaded. */
let early = 0;
const ends = new FinalizationRegistry<number>((bytes) => {
  early -= bytes;
  counter?.countMore(-bytes);
});

/** Zeroed shared memory, which JavaScript can't detach while a run uses it. Throws `OUT_OF_MEMORY`. */
export function sharedBuffer(bytes: number): SharedArrayBuffer {
  let block: SharedArrayBuffer;
  // Memory that was written in small pages has to be copied to large ones.
  if (bytes >= MIN_ADOPTED && counter === undefined) loadCounter();
  try {
    block = new SharedArrayBuffer(bytes);
    counter?.count(block, bytes);
    if (bytes >= MIN_ADOPTED) counter?.adopt(new Uint8Array(block));
  } catch (cause) {
    throw new BlasnetError('OUT_OF_MEMORY', `cannot allocate ${bytes} bytes of shared memory`, { cause });
  }
  if (counter === undefined && bytes >= MIN_SHADOWED) shadow(block, bytes);
  return block;
}

function shadow(block: SharedArrayBuffer, bytes: number): void {
  try {
    shadows.set(block, new ArrayBuffer(bytes));
  } catch {
    // No address space for the buffer; the block itself exists.
  }
  early += bytes;
  ends.register(block, bytes);
}

/** Calls `load` before a block of {@link MIN_ADOPTED} bytes or more is allocated while there is no counter. */
export function loadCounterBy(load: () => void): void {
  loadCounter = load;
}

/** From now on the addon counts, including earlier blocks. */
export function countWith(addon: Counter): void {
  counter = addon;
  addon.countMore(early);
  shadows = new WeakMap();
}

/**
 * Whether two blocks are the same memory at byte `at`: a structured clone of a SharedArrayBuffer is another object over
 * it. Only of the first may the byte change, for a moment.
 */
export function isSameMemory(first: ArrayBufferLike, second: ArrayBufferLike, at: number): boolean {
  if (first === second) return true;
  if (!types.isSharedArrayBuffer(first) || !types.isSharedArrayBuffer(second)) return false;
  const [written, read] = [new Uint8Array(first, at, 1), new Uint8Array(second, at, 1)];
  // Four flips leave the byte as it was. Others may write to it, but would have to follow each flip.
  let same = true;
  for (let i = 0; i < 4; i++) {
    const before = Atomics.load(read, 0);
    Atomics.xor(written, 0, 0xff);
    same &&= Atomics.load(read, 0) === (before ^ 0xff);
  }
  return same;
}

export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(sharedBuffer(length));
}

export function sharedFloats(length: number): Float32Array {
  return new Float32Array(sharedBuffer(length * 4));
}

export function sharedIntegers(length: number): Int32Array {
  return new Int32Array(sharedBuffer(length * 4));
}
