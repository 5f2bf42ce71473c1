/** Scratch memory for one kernel call. It is kept between calls and only ever grows. */
let first = new Float64Array(1024);
let second = new Float64Array(1024);
let single = new Float32Array(1024);

/** At least n doubles of undefined content, valid until the kernel returns. */
export function doubles(n: number): Float64Array {
  if (first.length < n) first = new Float64Array(n);
  return first;
}

/** Like `doubles`, for kernels that need a second block. */
export function moreDoubles(n: number): Float64Array {
  if (second.length < n) second = new Float64Array(n);
  return second;
}

/** Like `doubles`, in single precision, for an operand of a matrix product, which uses scratch memory itself. */
export function floats(n: number): Float32Array {
  if (single.length < n) single = new Float32Array(n);
  return single;
}

const sides = { left: new Float32Array(1024), right: new Float32Array(1024) };

/** Like `floats`, for copies of the two operands of a product. */
export function moreFloats(side: 'left' | 'right', n: number): Float32Array {
  if (sides[side].length < n) sides[side] = new Float32Array(n);
  return sides[side];
}
