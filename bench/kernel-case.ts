import type { KernelCall } from 'blasnet/kernels';
import type { AlignedMemory } from './aligned.js';

/** A kernel on a shape that training meets. */
export interface KernelCase {
  readonly kernel: KernelCall[0];
  readonly shape: string;
  /** Floating-point operations, for kernels that BLAS does; the others are held against memory traffic. */
  readonly flops?: number;
  readonly call: (operands: Operands) => KernelCall;
}

/** Hands out a call's buffers and counts the bytes that the kernel must move. */
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

  /** Floats that are read, or written. */
  floats(length: number): Float32Array {
    this.#bytes += 4 * length;
    return this.#memory.floats(length);
  }

  /** Floats that the kernel need not look at. */
  unread(length: number): Float32Array {
    return this.#memory.floats(length);
  }

  /** Floats that are read and written. */
  updated(length: number): Float32Array {
    this.#bytes += 4 * length;
    return this.floats(length);
  }

  /** Floats of 0 or more that are read and written. */
  squares(length: number): Float32Array {
    return this.updated(length).fill(0.5);
  }

  /** Integers that are read, or written: random ones below `bound`. */
  indices(length: number, bound: number): Int32Array {
    this.#bytes += 4 * length;
    return Int32Array.from({ length }, () => Math.floor(Math.random() * bound));
  }

  /** Rows of a source of which a kernel reads some: the traffic is told by the caller's other operands. */
  source(rows: number, features: number, read: number): Uint8Array {
    this.#bytes += read * features;
    return Uint8Array.from({ length: rows * features }, (_, i) => i % 251);
  }
}
