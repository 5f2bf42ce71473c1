import { fusedActivations } from '../../../lib/kernels/table.js';
import type { Vector } from '../types.js';
import { activation } from './activations.js';

export type GemmArguments = {
  c: Vector;
  a: Vector;
  b: Vector;
  m: number;
  n: number;
  k: number;
  transA: boolean | number;
  transB: boolean | number;
  alpha: number;
  beta: number;
};

export function gemm({ c, a, b, m, n, k, transA, transB, alpha, beta }: GemmArguments): Float64Array {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++)
        sum += (transA ? a[l * m + i] : a[i * k + l]) * (transB ? b[j * k + l] : b[l * n + j]);
      result[i * n + j] = alpha * sum + (beta === 0 ? 0 : beta * c[i * n + j]);
    }
  }
  return result;
}

export type BatchArguments = Omit<GemmArguments, 'c' | 'alpha' | 'beta'> & { rows: number };

export function matmulBatch({ a, b, rows, ...sizes }: BatchArguments): Float64Array {
  const { m, n, k } = sizes;
  const part = (x: Vector, row: number, length: number) => Float64Array.from({ length }, (_, i) => x[row * length + i]);
  const products = Array.from({ length: rows }, (_, row) => {
    const operands = { c: [], a: part(a, row, m * k), b: part(b, row, k * n) };
    return [...gemm({ ...operands, ...sizes, alpha: 1, beta: 0 })];
  });
  return Float64Array.from(products.flat());
}

export type DenseArguments = {
  x: Vector;
  w: Vector;
  b: Vector | null;
  rows: number;
  in: number;
  out: number;
  activation: number;
  slope: number;
};

export function denseForward({
  x,
  w,
  b,
  rows,
  in: inputs,
  out: outputs,
  activation: code,
  slope,
}: DenseArguments): Float64Array {
  const f = activation[fusedActivations[code]];
  const y = new Float64Array(rows * outputs);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < outputs; j++) {
      let sum = b === null ? 0 : b[j];
      for (let l = 0; l < inputs; l++) sum += x[i * inputs + l] * w[l * outputs + j];
      y[i * outputs + j] = f(sum, slope);
    }
  }
  return y;
}

/** The columns of share `part`: whole runs of sixteen, as evenly as they go. */
export function columnsOf(part: number, parts: number, inputs: number): [from: number, to: number] {
  const runs = Math.ceil(inputs / 16);
  // Larger shares come first, unless the last run is a short one.
  const start = (i: number) => {
    const whole = Math.floor((runs * i) / parts);
    const more = inputs % 16 === 0 && whole * parts < runs * i;
    return Math.min(inputs, 16 * (more ? whole + 1 : whole));
  };
  return [start(part), start(part + 1)];
}

/** Where element i, l of a matrix lies whose columns are divided into `parts` blocks, one after the other. */
export function placeInBlocks(rows: number, columns: number, parts: number): (i: number, l: number) => number {
  const shares = Array.from({ length: parts }, (_, part) => columnsOf(part, parts, columns));
  return (i, l) => {
    const [from, to] = shares.find(([from, to]) => l >= from && l < to) as [number, number];
    return rows * from + i * (to - from) + (l - from);
  };
}

export type PartsArguments = { x: Vector; w: Vector; rows: number; in: number; out: number; parts: number };

export function denseForwardParts({ x, w, rows, in: inputs, out: outputs, parts }: PartsArguments): Float64Array {
  const products = new Float64Array(parts * rows * outputs);
  const place = placeInBlocks(rows, inputs, parts);
  for (let part = 0; part < parts; part++) {
    const [from, to] = columnsOf(part, parts, inputs);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < outputs; j++) {
        for (let l = from; l < to; l++)
          products[(part * rows + i) * outputs + j] += x[place(i, l)] * w[l * outputs + j];
      }
    }
  }
  return products;
}

export type WeightPartsArguments = {
  x: Vector;
  dy: Vector;
  rows: number;
  in: number;
  out: number;
  parts: number;
};

export function denseBackwardWeightParts(a: WeightPartsArguments): Float64Array {
  const place = placeInBlocks(a.rows, a.in, a.parts);
  const x = Float64Array.from({ length: a.rows * a.in }, (_, e) => a.x[place(Math.floor(e / a.in), e % a.in)]);
  return denseBackwardWeight(x, a.dy, a.rows, a.in, a.out);
}

export type SumArguments = {
  products: Vector;
  b: Vector | null;
  rows: number;
  out: number;
  parts: number;
  activation: number;
  slope: number;
};

export function denseForwardSum({
  products,
  b,
  rows,
  out,
  parts,
  activation: code,
  slope,
}: SumArguments): Float64Array {
  const f = activation[fusedActivations[code]];
  return Float64Array.from({ length: rows * out }, (_, i) => {
    let sum = b === null ? 0 : b[i % out];
    for (let part = 0; part < parts; part++) sum += products[part * rows * out + i];
    return f(sum, slope);
  });
}

export function denseBackwardInput(dy: Vector, w: Vector, rows: number, inputs: number, outputs: number): Float64Array {
  const dx = new Float64Array(rows * inputs);
  for (let i = 0; i < rows; i++) {
    for (let l = 0; l < inputs; l++) {
      for (let j = 0; j < outputs; j++) dx[i * inputs + l] += dy[i * outputs + j] * w[l * outputs + j];
    }
  }
  return dx;
}

export function denseBackwardWeight(
  x: Vector,
  dy: Vector,
  rows: number,
  inputs: number,
  outputs: number,
): Float64Array {
  const dw = new Float64Array(inputs * outputs);
  for (let l = 0; l < inputs; l++) {
    for (let j = 0; j < outputs; j++) {
      for (let i = 0; i < rows; i++) dw[l * outputs + j] += x[i * inputs + l] * dy[i * outputs + j];
    }
  }
  return dw;
}

export function denseBackwardBias(dy: Vector, rows: number, outputs: number): Float64Array {
  const db = new Float64Array(outputs);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < outputs; j++) db[j] += dy[i * outputs + j];
  }
  return db;
}
