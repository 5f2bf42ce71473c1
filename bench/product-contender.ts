/**
 * A process of the products benchmark: repeats products on request, in one way (BLASNET_PRODUCTS) or the chosen one.
 */
import { type KernelCall, native } from 'blasnet/kernels';
import { AlignedMemory } from './operands.js';

/** `c ← op(a) op(b)`: m × k by k × n. */
export interface ProductShape {
  readonly transA: 0 | 1;
  readonly transB: 0 | 1;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Prepares a product, or repeats the last one. */
export type ProductRequest = { readonly shape: ProductShape } | { readonly times: number };

export interface ProductReply {
  /** CPU time, of the process, in seconds. */
  readonly seconds: number;
  /** Tells results apart by their bits. */
  readonly bits: number;
}

let calls: KernelCall[] = [];
let result: Float32Array = new Float32Array(0);

function fill(block: Float32Array, step: number): void {
  const period = Math.min(block.length, 8191);
  for (let i = 0; i < period; i++) block[i] = ((i * step) % 1) - 0.5;
  for (let i = period; i < block.length; i *= 2) block.copyWithin(i, 0, i);
}

function prepare({ transA, transB, m, n, k }: ProductShape): void {
  const [a, b, c] = new AlignedMemory(4 * (m * k + k * n + m * n) + 3 * 64).floats(m * k, k * n, m * n);
  // The same in every process.
  fill(a, 0.37);
  fill(b, 0.53);
  calls = [['gemm', c, a, b, m, n, k, transA, transB, 1, 0]];
  result = c;
}

function work(times: number): number {
  const begin = process.cpuUsage();
  native.repeat(calls, times);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1e6;
}

function bitsOf(values: Float32Array): number {
  return new Uint32Array(values.buffer, values.byteOffset, values.length).reduce(
    (sum, bits) => (31 * sum + bits) >>> 0,
    7,
  );
}

process.on('message', (request: ProductRequest) => {
  if ('shape' in request) prepare(request.shape);
  const seconds = work('shape' in request ? 1 : request.times);
  process.send?.({ seconds, bits: 'shape' in request ? bitsOf(result) : 0 } satisfies ProductReply);
});
process.on('disconnect', () => process.exit());
