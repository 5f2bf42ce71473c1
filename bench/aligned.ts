// Node has it, but neither its types nor the language's declare it.
declare const WebAssembly: { Memory: new (descriptor: { initial: number }) => { readonly buffer: ArrayBuffer } };

const PAGE = 65_536;
const LINE = 64;

/**
 * Memory for float32 blocks on 64-byte boundaries, as a network's own memory has them. It is WebAssembly's, which begins on
 * a page; no other buffer of JavaScript promises that. The system provides it only where it is written.
 */
export class AlignedMemory {
  readonly #buffer: ArrayBuffer;
  #offset = 0;

  constructor(bytes: number) {
    this.#buffer = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) }).buffer;
  }

  /** The next block, of numbers from -0.5 to 0.5. */
  floats(length: number): Float32Array {
    const block = new Float32Array(this.#buffer, this.#offset, length);
    for (let i = 0; i < length; i++) block[i] = Math.random() - 0.5;
    this.#offset += Math.ceil(block.byteLength / LINE) * LINE;
    return block;
  }

  /** Gives all blocks back, to be handed out again. */
  clear(): void {
    this.#offset = 0;
  }
}
