import type { BufferParameter, ElementType } from '../../lib/kernels/signature.js';
import type { Vector } from './types.js';

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

export const arrayTypes = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const;

export function view(type: ElementType, buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray {
  // The constructors take shared storage as well; their union type does not say so.
  return new arrayTypes[type](buffer as ArrayBuffer, byteOffset, length);
}

/** Where a call's arrays lie: elements past a 64-byte boundary, and the kind of storage. */
export interface Placement {
  readonly offset: number;
  readonly storage: 'ordinary' | 'shared';
  /** All arrays of the call side by side in one buffer, as in a program's arena. */
  readonly packed?: boolean;
}

export const placements: readonly Placement[] = [
  { offset: 0, storage: 'ordinary' },
  { offset: 1, storage: 'ordinary' },
  { offset: 3, storage: 'ordinary' },
  { offset: 0, storage: 'shared' },
  { offset: 1, storage: 'shared' },
  { offset: 3, storage: 'shared' },
  { offset: 0, storage: 'shared', packed: true },
];

export function describePlacement({ offset, storage, packed }: Placement): string {
  return `${storage} storage, offset ${offset}${packed ? ', packed' : ''}`;
}

/** Room for an overrun by a few vectors of any width, so that it fails a test and not the process. */
const GUARD_BYTES = 256;
/** Around outputs: a pattern that no kernel writes. */
const OUTPUT_GUARD = 0xa5;
/** Around inputs: NaN for floats, −1 for int32, so that a read past the end spoils the result. */
const INPUT_GUARD = 0xff;
/** What an int32 output holds before the call. */
const UNWRITTEN = 0x5a5a5a5a;

function allocate(bytes: number, storage: Placement['storage']): ArrayBufferLike {
  return storage === 'shared' ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
}

/** A typed array for one argument, with guard bytes on both sides and a memory of what it held. */
export class Block {
  readonly array: TypedArray;
  readonly #around: Uint8Array;
  readonly #before: Uint8Array;
  readonly #start: number;

  /** `around` is the block's storage with its guards; `start` is where the array begins in it. */
  constructor(
    parameter: BufferParameter,
    length: number,
    contents: Vector | undefined,
    around: Uint8Array,
    start: number,
  ) {
    this.array = view(parameter.type, around.buffer, around.byteOffset + start, length);
    this.#around = around;
    this.#start = start;
    around.fill(parameter.kind === 'in' ? INPUT_GUARD : OUTPUT_GUARD);
    if (contents !== undefined) this.array.set(contents);
    else this.array.fill(parameter.type === 'i32' ? UNWRITTEN : Number.NaN);
    this.#before = around.slice();
  }

  static allocate(
    parameter: BufferParameter,
    length: number,
    contents: Vector | undefined,
    placement: Placement,
  ): Block {
    const { BYTES_PER_ELEMENT: size } = arrayTypes[parameter.type];
    const start = GUARD_BYTES + placement.offset * size;
    const buffer = allocate(start + length * size + GUARD_BYTES, placement.storage);
    return new Block(parameter, length, contents, new Uint8Array(buffer), start);
  }

  /** Whether a byte of the array itself has changed. */
  get changed(): boolean {
    return this.#changedByte(this.#start, this.#start + this.array.byteLength) !== undefined;
  }

  /** Which guard was written, if one was, in words. */
  get brokenGuard(): string | undefined {
    const end = this.#start + this.array.byteLength;
    const before = this.#changedByte(0, this.#start);
    if (before !== undefined) return `${this.#start - before} bytes before its start`;
    const after = this.#changedByte(end, this.#around.length);
    return after === undefined ? undefined : `${after - end} bytes after its end`;
  }

  #changedByte(from: number, to: number): number | undefined {
    for (let i = from; i < to; i++) {
      if (this.#around[i] !== this.#before[i]) return i;
    }
    return undefined;
  }
}

export interface BlockRequest {
  readonly parameter: BufferParameter;
  readonly length: number;
  readonly contents: Vector | undefined;
}

/**
 * Each block begins where the one before it ends (rounded up to its own element size); only the first and last have a
 * guard.
 */
function pack(requests: readonly BlockRequest[], storage: Placement['storage']): Block[] {
  const starts: number[] = [];
  let end = GUARD_BYTES;
  for (const { parameter, length } of requests) {
    const { BYTES_PER_ELEMENT: size } = arrayTypes[parameter.type];
    const start = Math.ceil(end / size) * size;
    starts.push(start);
    end = start + length * size;
  }
  const buffer = allocate(end + GUARD_BYTES, storage);
  return requests.map(({ parameter, length, contents }, i) => {
    const from = i === 0 ? 0 : starts[i];
    const bytes = length * arrayTypes[parameter.type].BYTES_PER_ELEMENT;
    const to = i === requests.length - 1 ? end + GUARD_BYTES : starts[i] + bytes;
    return new Block(parameter, length, contents, new Uint8Array(buffer, from, to - from), starts[i] - from);
  });
}

export function place(requests: readonly BlockRequest[], placement: Placement): Block[] {
  return placement.packed
    ? pack(requests, placement.storage)
    : requests.map(({ parameter, length, contents }) => Block.allocate(parameter, length, contents, placement));
}
