/** Operands of products, rounded to the precision that a kernel is called with. */
import { codeOf } from '../codes.js';
import { moreFloats } from './scratch.js';

const BFLOAT16 = codeOf('precision', 'bfloat16');

/**
 * The first n elements of x as the operand of a product: x itself, or scratch memory with each element rounded to
 * bfloat16, to nearest with ties to even; NaN stays NaN. `side` tells the two operands of a product apart.
 */
export function operand(x: Float32Array, n: number, precision: number, side: 'left' | 'right'): Float32Array {
  if (precision !== BFLOAT16) return x;
  const rounded = moreFloats(side, n);
  const bits = new Uint32Array(rounded.buffer, rounded.byteOffset, n);
  rounded.set(x.length === n ? x : x.subarray(0, n));
  for (let i = 0; i < n; i++) {
    const word = bits[i];
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    bits[i] = (isNaN ? word | 0x400000 : word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  }
  return rounded;
}
