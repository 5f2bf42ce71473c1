import type { KernelCall } from 'blasnet/kernels';

// Node has it, but neither its types nor TypeScript's declare it.
declare const WebAssembly: { Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer } };

const PAGE = 65_536;
const LINE = 64;

type Blocks<L extends readonly number[]> = { [I in keyof L]: Float32Array };

/**
 * Memory for float32 blocks on 64-byte boundaries, like a network's own memory. It uses WebAssembly memory, which
 * starts at a page; no other JavaScript buffer guarantees that. The system allocates it only when it is written.
 */
export class AlignedMemory {
  readonly #buffer: ArrayBuffer;
  #offset = 0;

  constructor(bytes: number) {
    this.#buffer = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) }).buffer;
  }

  /** Allocates the next blocks, filled with numbers from -0.5 to 0.5. */
  floats<const L extends readonly number[]>(...lengths: L): Blocks<L> {
    return lengths.map((length) => this.#block(length)) as Blocks<L>;
  }

  #block(length: number): Float32Array {
    const block = new Float32Array(this.#buffer, this.#offset, length);
    for (let i = 0; i < length; i++) block[i] = Math.random() - 0.5;
    this.#offset += Math.ceil(block.byteLength / LINE) * LINE;
    return block;
  }

  /** Frees all blocks for reuse. */
  clear(): void {
    this.#offset = 0;
  }
}

/** A kernel with a shape that occurs in training. */
export interface KernelCase {
  readonly shape: string;
  /** Floating-point operations, for kernels that use BLAS; the others are compared with memory traffic. */
  readonly flops?: number;
  readonly call: (operands: Operands) => KernelCall;
}

/** Allocates a call's buffers and counts the bytes that the kernel must move. */
export class Operands {
  readonly #memory: AlignedMemory;
  #bytes = 0;

  constructor(memory: AlignedMemory) {
    memory.clear();
    this.#memory = memory;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Floats that are either read or written. */
  floats<const L extends readonly number[]>(...lengths: L): Blocks<L> {
    for (const length of lengths) this.#bytes += 4 * length;
    return this.#memory.floats(...lengths);
  }

  /** Doubles that are either read or written: totals. */
  doubles(length: number): Float64Array {
    this.#bytes += 8 * length;
    return new Float64Array(length);
  }

  /** Floats that the kernel does not need to access. */
  unread(length: number): Float32Array {
    return this.#memory.floats(length)[0];
  }

  /** Floats that are read and written. */
  updated(length: number): Float32Array {
    this.#bytes += 4 * length;
    return this.floats(length)[0];
  }

  /** Floats of 0 or more that are read and written. */
  squares(length: number): Float32Array {
    return this.updated(length).fill(0.5);
  }

  /** Integers that are either read or written: random ones below `bound`. */
  indices(length: number, bound: number): Int32Array {
    this.#bytes += 4 * length;
    return Int32Array.from({ length }, () => Math.floor(Math.random() * bound));
  }

  /** Rows of a source, of which a kernel reads `read`. */
  source(rows: number, features: number, read: number): Uint8Array {
    this.#bytes += read * features;
    return Uint8Array.from({ length: rows * features }, (_, i) => i % 251);
  }
}

/** Kernels with the same shape; with `flops`, those that use BLAS. */
export function on(shape: string, calls: readonly KernelCase['call'][], flops?: number): KernelCase[] {
  return calls.map((call) => (flops === undefined ? { shape, call } : { shape, flops, call }));
}
