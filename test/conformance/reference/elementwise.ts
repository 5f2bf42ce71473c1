import { codes } from '../../../lib/kernels/codes.js';
import type { Results, Vector } from '../types.js';

export type BinaryArguments = { a: Vector; b: Vector; n: number; operation: number };
export type BinaryGradientArguments = BinaryArguments & { dy: Vector; da?: null; db?: null };

const fill = (n: number, f: (i: number) => number) => Float64Array.from({ length: n }, (_, i) => f(i));

const extreme = (a: number, b: number, first: boolean) =>
  Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : first ? a : b;

function combine(name: string, a: number, b: number): number {
  if (name === 'add') return a + b;
  if (name === 'subtract') return a - b;
  if (name === 'multiply') return a * b;
  if (name === 'divide') return a / b;
  return extreme(a, b, name === 'maximum' ? a >= b : a <= b);
}

export function binary({ a, b, n, operation }: BinaryArguments): Results {
  return { y: fill(n, (i) => combine(codes.binary[operation], a[i], b[i])) };
}

/** The derivatives by a and b. */
function partials(name: string, a: number, b: number): [number, number] {
  if (name === 'add') return [1, 1];
  if (name === 'subtract') return [1, -1];
  if (name === 'multiply') return [b, a];
  if (name === 'divide') return [1 / b, -a / b ** 2];
  if (Number.isNaN(a) || Number.isNaN(b)) return [Number.NaN, Number.NaN];
  const first = name === 'maximum' ? a >= b : a <= b;
  return first ? [1, 0] : [0, 1];
}

export function binaryBackward({ da, db, dy, a, b, n, operation }: BinaryGradientArguments): Results {
  const part = (which: 0 | 1) => fill(n, (i) => dy[i] * partials(codes.binary[operation], a[i], b[i])[which]);
  return { ...(da !== null && { da: part(0) }), ...(db !== null && { db: part(1) }) };
}

export type UnaryArguments = { x: Vector; n: number; operation: number; alpha: number; beta: number };

export function value(name: string, x: number, alpha: number, beta: number): number {
  if (Number.isNaN(x)) return x;
  if (name === 'exp') return Math.exp(x);
  if (name === 'log') return Math.log(x);
  if (name === 'sqrt') return x ** 0.5;
  if (name === 'square') return x ** 2;
  if (name === 'abs') return Math.abs(x);
  if (name === 'power') return x ** alpha;
  if (name === 'clip') return Math.min(Math.max(x, alpha), beta);
  return alpha * x + beta;
}

export function unary({ x, n, operation, alpha, beta }: UnaryArguments): Results {
  return { y: fill(n, (i) => value(codes.unary[operation], x[i], alpha, beta)) };
}

export type UnaryGradientArguments = {
  dy: Vector;
  at: Vector;
  n: number;
  operation: number;
  alpha: number;
  beta: number;
};

function derivative(name: string, at: number, alpha: number, beta: number): number {
  if (Number.isNaN(at) && name !== 'scale') return at;
  if (name === 'exp') return at;
  if (name === 'log') return 1 / at;
  if (name === 'sqrt') return 1 / (2 * at);
  if (name === 'square') return 2 * at;
  if (name === 'abs') return Math.sign(at);
  if (name === 'power') return alpha === 0 ? 0 : alpha * at ** (alpha - 1);
  if (name === 'clip') return at < alpha || at > beta ? 0 : 1;
  return alpha;
}

export function unaryBackward({ dy, at, n, operation, alpha, beta }: UnaryGradientArguments): Results {
  return { dx: fill(n, (i) => dy[i] * derivative(codes.unary[operation], at[i], alpha, beta)) };
}
