/** Gradient clipping over a flat block of n gradients g. */
import { float, inout, input, kernel, out, precise, size } from './signature.js';

export const clipKernels = {
  clipValue: kernel('n', inout('g', ['n']), size('n'), float('limit')),
  squareSum: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('g', ['n']),
    size('n'),
  ),
  clipNorm: kernel('n', inout('g', ['n']), input('squares', [], { type: 'f64' }), size('n'), precise('limit')),
} as const;

/** g ← clamp(g, −limit, limit); NaN stays NaN. */
export function clipValue(g: Float32Array, n: number, limit: number): void {
  for (let i = 0; i < n; i++) g[i] = Math.min(Math.max(g[i], -limit), limit);
}

/** total = carry + Σ g²; total may be carry. */
export function squareSum(total: Float64Array, carry: Float64Array | null, g: Float32Array, n: number): void {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += g[i] * g[i];
  total[0] = (carry === null ? 0 : carry[0]) + sum;
}

/** g ← g · limit / norm if norm, the root of `squares`, is finite and above the limit. */
export function clipNorm(g: Float32Array, squares: Float64Array, n: number, limit: number): void {
  const norm = Math.sqrt(squares[0]);
  if (!(norm > limit) || norm === Infinity) return;
  const factor = limit / norm;
  for (let i = 0; i < n; i++) g[i] *= factor;
}
