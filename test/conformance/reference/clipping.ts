import type { Results, Vector } from '../types.js';

export type ClipValueArguments = { g: Vector; n: number; limit: number };

export function clipValue({ g, n, limit }: ClipValueArguments): Results {
  return { g: Float64Array.from({ length: n }, (_, i) => (g[i] > limit ? limit : g[i] < -limit ? -limit : g[i])) };
}

export type SquareSumArguments = { carry: Vector | null; g: Vector; n: number };

export function squareSum({ carry, g, n }: SquareSumArguments): Results {
  let total = carry?.[0] ?? 0;
  for (let i = 0; i < n; i++) total += g[i] ** 2;
  return { total: [total] };
}

export type ClipNormArguments = { g: Vector; squares: Vector; n: number; limit: number };

export function clipNorm({ g, squares, n, limit }: ClipNormArguments): Results {
  const norm = Math.sqrt(squares[0]);
  const factor = Number.isFinite(norm) && norm > limit ? limit / norm : 1;
  return { g: Float64Array.from({ length: n }, (_, i) => g[i] * factor) };
}
