/** Arithmetic on each element, selected by a code; y may be an input, dx, da or db may be dy. */
import { type BinaryOperation, codes, type UnaryOperation } from './codes.js';
import { code, input, kernel, out, precise, size } from './signature.js';

export const elementwiseKernels = {
  binary: kernel(
    'n',
    out('y', ['n'], { alias: ['a', 'b'] }),
    input('a', ['n']),
    input('b', ['n']),
    size('n'),
    code('operation', 'binary'),
  ),
  // One of the gradients may take the place of dy.
  binaryBackward: kernel(
    'n',
    out('da', ['n'], { optional: true, alias: ['dy'] }),
    out('db', ['n'], { optional: true, alias: ['dy'] }),
    input('dy', ['n']),
    input('a', ['n']),
    input('b', ['n']),
    size('n'),
    code('operation', 'binary'),
  ),
  unary: kernel(
    'n',
    out('y', ['n'], { alias: ['x'] }),
    input('x', ['n']),
    size('n'),
    code('operation', 'unary'),
    precise('alpha'),
    precise('beta'),
  ),
  // `at` is the output of the forward pass for exp and sqrt, the input for the rest.
  unaryBackward: kernel(
    'n',
    out('dx', ['n'], { alias: ['dy'] }),
    input('dy', ['n']),
    input('at', ['n']),
    size('n'),
    code('operation', 'unary'),
    precise('alpha'),
    precise('beta'),
  ),
} as const;

type Binary = (a: number, b: number) => number;

const sum: Binary = (a, b) => a + b;
/** NaN if one of the two is NaN. */
const maximum: Binary = (a, b) => (a >= b ? a : a < b ? b : NaN);
const minimum: Binary = (a, b) => (a <= b ? a : a > b ? b : NaN);

/** 1 where the comparison holds, 0 where its opposite does; NaN stays NaN. */
const choice = (chosen: boolean, other: boolean) => (chosen ? 1 : other ? 0 : NaN);

/** The value, and the derivatives by a and b. */
const binaries: Record<BinaryOperation, readonly [Binary, Binary, Binary]> = {
  add: [sum, () => 1, () => 1],
  subtract: [(a, b) => a - b, () => 1, () => -1],
  multiply: [(a, b) => a * b, (_, b) => b, (a) => a],
  divide: [(a, b) => a / b, (_, b) => 1 / b, (a, b) => -a / (b * b)],
  maximum: [maximum, (a, b) => choice(a >= b, a < b), (a, b) => choice(a < b, a >= b)],
  minimum: [minimum, (a, b) => choice(a <= b, a > b), (a, b) => choice(a > b, a <= b)],
};

/** y = a ∘ b. */
export function binary(y: Float32Array, a: Float32Array, b: Float32Array, n: number, operation: number): void {
  const [f] = binaries[codes.binary[operation]];
  // The sum of gradients is the frequent one: without a call of a function.
  if (f === sum) for (let i = 0; i < n; i++) y[i] = a[i] + b[i];
  else for (let i = 0; i < n; i++) y[i] = f(a[i], b[i]);
}

export function binaryBackward(
  da: Float32Array | null,
  db: Float32Array | null,
  dy: Float32Array,
  a: Float32Array,
  b: Float32Array,
  n: number,
  operation: number,
): void {
  const [, byA, byB] = binaries[codes.binary[operation]];
  for (let i = 0; i < n; i++) {
    const d = dy[i];
    const ai = a[i];
    const bi = b[i];
    if (da !== null) da[i] = d * byA(ai, bi);
    if (db !== null) db[i] = d * byB(ai, bi);
  }
}

type Unary = (x: number, alpha: number, beta: number) => number;

const power: Unary = (x, exponent) => (Number.isNaN(x) ? NaN : x ** exponent);

/** The value, and the derivative by x: for exp and sqrt from y. */
const unaries: Record<UnaryOperation, readonly [Unary, Unary]> = {
  exp: [(x) => Math.exp(x), (y) => y],
  log: [(x) => Math.log(x), (x) => 1 / x],
  sqrt: [(x) => Math.sqrt(x), (y) => 0.5 / y],
  square: [(x) => x * x, (x) => 2 * x],
  abs: [(x) => Math.abs(x), (x) => (x > 0 ? 1 : x < 0 ? -1 : x)],
  // Not 0 · ∞ at 0, where the exponent is 0.
  power: [
    power,
    (x, exponent) => (exponent === 0 ? choice(false, !Number.isNaN(x)) : exponent * power(x, exponent - 1, 0)),
  ],
  clip: [
    (x, low, high) => (x < low ? low : x > high ? high : x),
    (x, low, high) => choice(x >= low && x <= high, x < low || x > high),
  ],
  scale: [(x, factor, offset) => factor * x + offset, (_, factor) => factor],
};

/** y = f(x). */
export function unary(
  y: Float32Array,
  x: Float32Array,
  n: number,
  operation: number,
  alpha: number,
  beta: number,
): void {
  const [f] = unaries[codes.unary[operation]];
  for (let i = 0; i < n; i++) y[i] = f(x[i], alpha, beta);
}

/** dx = dy · f'. */
export function unaryBackward(
  dx: Float32Array,
  dy: Float32Array,
  at: Float32Array,
  n: number,
  operation: number,
  alpha: number,
  beta: number,
): void {
  const [, derivative] = unaries[codes.unary[operation]];
  for (let i = 0; i < n; i++) dx[i] = dy[i] * derivative(at[i], alpha, beta);
}
