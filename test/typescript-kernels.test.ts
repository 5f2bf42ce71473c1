/**
 * What is particular to the TypeScript backend's kernels; the conformance suite holds both backends to the formulas.
 */
import { describe, expect, it } from 'vitest';
import { kernels } from '../lib/backend/typescript/kernels.js';
import { erf, erfc, normalCdf } from '../lib/kernels/helpers/special.js';
import { kernelNames, signatureOf } from '../lib/kernels/table.js';
import { threefry } from '../lib/random.js';

function fraction(value: number, expected: number): number {
  return Math.abs(value - expected) / Math.abs(expected);
}

/** A view that starts inside shared memory, as buffers of an arena do. */
function shared(values: ArrayLike<number>): Float32Array {
  const view = new Float32Array(new SharedArrayBuffer(4 * values.length + 128), 64, values.length);
  view.set(values);
  return view;
}

/** Reproducible numbers in [−1, 1). */
function numbers(count: number, start: number): Float32Array {
  let state = start;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

interface Product {
  m: number;
  n: number;
  k: number;
  transA: number;
  transB: number;
  alpha: number;
  beta: number;
}

function gemmByDefinition(c: Float32Array, a: Float32Array, b: Float32Array, product: Product): Float64Array {
  const { m, n, k, transA, transB, alpha, beta } = product;
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[transA ? p * m + i : i * k + p] * b[transB ? j * k + p : p * n + j];
      result[i * n + j] = alpha * sum + (beta === 0 ? 0 : beta * c[i * n + j]);
    }
  }
  return result;
}

/** Largest deviation from the definition, as a multiple of a float32's rounding error of a sum of this depth. */
function gemmDeviation(product: Product, place: (values: Float32Array) => Float32Array = (values) => values): number {
  const { m, n, k, transA, transB, alpha, beta } = product;
  const a = place(numbers(m * k, 1));
  const b = place(numbers(k * n, 2));
  const c = place(beta === 0 ? new Float32Array(m * n).fill(NaN) : numbers(m * n, 3));
  const expected = gemmByDefinition(c, a, b, product);
  kernels.gemm(c, a, b, m, n, k, transA, transB, alpha, beta);
  const unit = 2 ** -23 * (1 + Math.sqrt(k));
  return c.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]) / unit), 0);
}

describe('kernel table', () => {
  it('has every kernel of the signatures and no other', () => {
    const functions = Object.entries(kernels).filter(([, each]) => typeof each === 'function');
    expect(functions.map(([name]) => name).sort()).toEqual([...kernelNames].sort());
  });

  // Their types are checked by the compiler.
  it('names the parameters as the signatures do, a struct g for all of its fields', () => {
    // `in` is no name in JavaScript.
    const others: Record<string, string> = { in: 'inputs', out: 'outputs' };
    for (const name of kernelNames) {
      const { parameters } = signatureOf(name);
      const expected = parameters.map((each) => ('struct' in each ? 'g' : (others[each.name] ?? each.name)));
      const source = String(kernels[name]);
      const list = source.slice(source.indexOf('('), source.indexOf(')'));
      expect([name, ...(list.match(/[a-z]\w*/gi) ?? [])]).toEqual([name, ...new Set(expected)]);
    }
  });
});

describe('erf', () => {
  it.each([
    [1e-10, 1.1283791670955126e-10],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [0.999, 0.8422852702064969],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
  ])('erf(±%d)', (x, expected) => {
    expect(fraction(erf(x), expected)).toBeLessThan(1e-15);
    expect(erf(-x)).toBe(-erf(x));
  });

  it.each([
    [-2, 1.9953222650189528],
    [0.5, 0.4795001221869535],
    [1, 0.15729920705028513],
    [2, 0.004677734981047266],
    [3, 2.209049699858544e-5],
    [5, 1.537459794428035e-12],
    [10, 2.088487583762545e-45],
    [20, 5.395865611607901e-176],
    [26, 5.663192408856143e-296],
  ])('erfc(%d)', (x, expected) => {
    expect(fraction(erfc(x), expected)).toBeLessThan(2e-15);
  });

  it('has exact ends and keeps NaN', () => {
    expect(erf(0)).toBe(0);
    expect(erf(Infinity)).toBe(1);
    expect(erf(-Infinity)).toBe(-1);
    expect(erfc(Infinity)).toBe(0);
    expect(erfc(-Infinity)).toBe(2);
    expect(erf(NaN)).toBeNaN();
    expect(normalCdf(0)).toBe(0.5);
  });
});

describe('gemm', () => {
  const transposes = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ];
  const scales = [
    [1, 0],
    [1, 1],
    [-0.5, 0],
    [0.75, -2],
  ];

  it.each(transposes)('equals the definition around the tile, transA %d, transB %d', (transA, transB) => {
    const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 17];
    for (const m of sizes) {
      for (const n of sizes) {
        for (const k of [0, 1, 2, 5, 8, 31]) {
          for (const [alpha, beta] of scales) {
            expect(gemmDeviation({ m, n, k, transA, transB, alpha, beta }), `${m}×${n}×${k}`).toBeLessThan(2);
          }
        }
      }
    }
  });

  it.each(transposes)('equals the definition over several blocks, transA %d, transB %d', (transA, transB) => {
    for (const [m, n, k] of [
      [4, 3, 1025],
      [5, 7, 2500],
      [200, 9, 700],
      [7, 201, 700],
      [130, 90, 1100],
    ]) {
      expect(gemmDeviation({ m, n, k, transA, transB, alpha: 0.5, beta: 1 })).toBeLessThan(2);
      expect(gemmDeviation({ m, n, k, transA, transB, alpha: 1, beta: 0 })).toBeLessThan(2);
    }
  });

  it('works on views of shared memory', () => {
    for (const m of [1, 8]) {
      expect(gemmDeviation({ m, n: 10, k: 33, transA: 1, transB: 0, alpha: 1, beta: 0 }, shared)).toBeLessThan(2);
    }
  });

  it('takes a NaN to the row or column that uses it, and no further', () => {
    const size = 5;
    const c = new Float32Array(size * size);
    const poisoned = (values: Float32Array) => values.with(2 * size + 2, NaN);
    const a = numbers(size * size, 1);
    const b = numbers(size * size, 2);
    kernels.gemm(c, poisoned(a), b, size, size, size, 0, 0, 1, 0);
    expect(Array.from(c, Number.isNaN)).toEqual(Array.from(c, (_, i) => Math.floor(i / size) === 2));
    kernels.gemm(c, a, poisoned(b), size, size, size, 0, 0, 1, 0);
    expect(Array.from(c, Number.isNaN)).toEqual(Array.from(c, (_, i) => i % size === 2));
  });
});

describe('random numbers', () => {
  it.each([
    [
      [0, 0],
      [0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344],
      [0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ])('threefry, key %j, counter %j', (key, counter, expected) => {
    const words = new Uint32Array(2);
    threefry(words, 0, key[0], key[1], counter[0], counter[1]);
    expect(Array.from(words)).toEqual(expected);
  });

  it('dropout takes word i & 16 of counter (i >> 5) · 16 + (i & 15)', () => {
    const n = 100;
    const threshold = 0x9999999a;
    const mask = new Float32Array(n);
    const y = new Float32Array(n);
    const x = numbers(n, 4);
    kernels.dropoutForward(y, mask, x, n, threshold, 2.5, 0xfedcba98, 0x20003, 7);
    const words = new Uint32Array(2);
    for (let i = 0; i < n; i++) {
      threefry(words, 0, 0xfedcba98, 0x20003, (i >> 5) * 16 + (i & 15), 7);
      const word = words[(i & 16) === 0 ? 0 : 1];
      expect(mask[i]).toBe(word < threshold ? 0 : 2.5);
      expect(y[i]).toBe(Math.fround(x[i] * mask[i]));
    }
  });

  it.each([0, 1, 2, 3, 10, 1001])('permutation of %d is a permutation', (n) => {
    const order = new Int32Array(n);
    kernels.permutation(order, n, 0xffffffff, 1, 0);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
  });

  it('permutations differ by epoch and repeat by seed', () => {
    const permutation = (seed: number, epoch: number) => {
      const order = new Int32Array(50);
      kernels.permutation(order, 50, seed, 1, epoch);
      return Array.from(order);
    };
    expect(permutation(1, 0)).toEqual(permutation(1, 0));
    expect(permutation(1, 0)).not.toEqual(permutation(1, 1));
    expect(permutation(1, 0)).not.toEqual(permutation(2, 0));
  });
});
