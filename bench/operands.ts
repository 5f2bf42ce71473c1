import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KernelCall } from 'blasnet/kernels';
import { root } from './program.js';

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

/** A parameter of the kernel table: a buffer, which has a type and a length, or a number. */
interface Parameter {
  readonly name: string;
  readonly kind: string;
  readonly type?: 'f32' | 'f64' | 'i32' | 'u8';
  /** Names of sizes, whose product is the number of elements. */
  readonly length?: readonly string[];
  /** The size that an index must be below. */
  readonly below?: string;
  readonly codes?: readonly string[];
}

interface KernelTable {
  readonly signatures: Readonly<
    Record<string, { readonly axes: readonly string[]; readonly parameters: readonly Parameter[] }>
  >;
}

const { signatures } = (await import(pathToFileURL(join(root, 'dist/kernels/table.js')).href)) as KernelTable;

export { signatures };

/** Sizes and settings by the names of the kernel table's parameters. */
export type Values = Readonly<Record<string, number>>;

/** Usual settings of the kernels; those that are not here are 0. */
const usual: Values = {
  ...{ alpha: 1, slope: 0.1, epsilon: 1e-5, scale: 1, threshold: 2 ** 31, deviation: 0.1, probability: 0.5 },
  ...{ momentum: 0.9, learningRate: 0.01, stepSize: 0.001, gradientSize: 0.001, correction: 1, decay: 0.9 },
  ...{ beta1: 0.9, beta2: 0.999, intake: 0.001, l1: 1e-4, l2: 1e-4, angle: Math.PI / 18, factor: 0.5, delta: 1 },
  ...{ activation: 1, shrink: 1e-5 },
  // Just below the norm that the totals, which are 1, stand for.
  limit: 0.999999,
};

/** How often a kernel reads or writes an operand where that is not once, or twice for one that it updates. */
const exceptions: Values = { 'identityBackward y': 0, 'copyStrided y': 1 };

/** Operands that are squares, or sums of them. */
const positive = /^(v|vMax|u|accumulator|average|steps|squares|scale|variance|runningVariance)$/;

/**
 * A kernel's call on operands of the right lengths, and the bytes that it must move: each operand once, twice if it is
 * updated; of a source only the rows that are gathered.
 */
export function makeCall(kernel: string, values: Values, memory: AlignedMemory): { call: KernelCall; bytes: number } {
  memory.clear();
  const sized = (name: string): number => {
    if (values[name] === undefined) throw new Error(`${kernel}: no size ${name}`);
    return values[name];
  };
  const product = (names: readonly string[]) => names.reduce((length, name) => length * sized(name), 1);
  let bytes = 0;
  const operand = ({ name, kind, type, length: names = [], below }: Parameter) => {
    const length = product(names);
    const passes = exceptions[`${kernel} ${name}`] ?? (kind === 'inout' ? 2 : 1);
    const elementBytes = type === 'f64' ? 8 : type === 'u8' ? 1 : 4;
    bytes += passes * elementBytes * product(names.map((size) => (size === 'sourceRows' ? 'rows' : size)));
    if (type === 'u8') return Uint8Array.from({ length }, (_, i) => i % 251);
    if (type === 'f64') return new Float64Array(length).fill(1);
    if (type === 'i32') {
      // The pixel that won a window is one of its image.
      const bound = below === undefined ? product(values.height ? ['height', 'width', 'channels'] : []) : sized(below);
      return Int32Array.from({ length }, () => Math.floor(Math.random() * bound));
    }
    const [block] = memory.floats(length);
    return positive.test(name) ? block.fill(0.5) : block;
  };
  const args = signatures[kernel].parameters.map((parameter) => {
    const { name, kind, length } = parameter;
    if (length !== undefined) return operand(parameter);
    return kind === 'size' ? sized(name) : (values[name] ?? usual[name] ?? 0);
  });
  return { call: [kernel, ...args] as unknown as KernelCall, bytes };
}
