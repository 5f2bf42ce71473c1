/** Working memory of one kernel call, kept between calls; it grows to the largest size asked for and stays. */
let first = new Float64Array(1024);
let second = new Float64Array(1024);
let single = new Float32Array(1024);

/** At least n doubles of undefined content, valid until the kernel returns. */
export function doubles(n: number): Float64Array {
  if (first.length < n) first = new Float64Array(n);
  return first;
}

/** As `doubles`, for a kernel that needs two. */
export function moreDoubles(n: number): Float64Array {
  if (second.length < n) second = new Float64Array(n);
  return second;
}

/** As `doubles`, in single precision: an operand of a matrix product, which takes scratch of its own. */
export function floats(n: number): Float32Array {
  if (single.length < n) single = new Float32Array(n);
  return single;
}
