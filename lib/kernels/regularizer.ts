/** L1 and L2 penalties on weights. */
import { float, inout, input, kernel, out, precise, size } from './signature.js';

export const regularizerKernels = {
  penalty: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('w', ['n']),
    size('n'),
    precise('l1'),
    precise('l2'),
  ),
  penaltyGradient: kernel('n', inout('dw', ['n']), input('w', ['n']), size('n'), float('l1'), float('l2')),
} as const;

/** total = carry + l1 Σ|w| + l2/2 Σ w²; total may be carry. */
export function penalty(
  total: Float64Array,
  carry: Float64Array | null,
  w: Float32Array,
  n: number,
  l1: number,
  l2: number,
): void {
  let absolutes = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const wi = w[i];
    absolutes += Math.abs(wi);
    squares += wi * wi;
  }
  total[0] = (carry === null ? 0 : carry[0]) + l1 * absolutes + 0.5 * l2 * squares;
}

/** dw ← dw + l1 · sign(w) + l2 · w. */
export function penaltyGradient(dw: Float32Array, w: Float32Array, n: number, l1: number, l2: number): void {
  for (let i = 0; i < n; i++) {
    const wi = w[i];
    dw[i] += l1 * Math.sign(wi) + l2 * wi;
  }
}
