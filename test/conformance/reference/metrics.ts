import type { Results, Vector } from '../types.js';

export function argmax(x: Vector, rows: number, cols: number): Int32Array {
  const index = new Int32Array(rows);
  for (let i = 0; i < rows; i++) {
    let best = -1;
    for (let j = 0; j < cols; j++) {
      const value = x[i * cols + j];
      if (!Number.isNaN(value) && (best < 0 || value > x[i * cols + best])) best = j;
    }
    index[i] = Math.max(best, 0);
  }
  return index;
}

export function accuracyBinary(logits: Vector, target: Vector, rows: number, outputs: number): Float64Array {
  const hits = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let equal = 0;
    for (let j = i * outputs; j < (i + 1) * outputs; j++) {
      if (logits[j] > 0 === target[j] > 0.5) equal++;
    }
    hits[i] = equal / outputs;
  }
  return hits;
}

export type BatchTotalsArguments = { loss: Vector; hits: Vector | null; penalty: Vector | null; rows: number };

export function batchTotals({ loss, hits, penalty, rows }: BatchTotalsArguments): Results {
  let lossSum = 0;
  let hitSum = 0;
  for (let i = 0; i < rows; i++) {
    lossSum += loss[i];
    if (hits !== null) hitSum += hits[i];
  }
  return { meanLoss: [lossSum / rows + (penalty === null ? 0 : penalty[0])], hitCount: [hitSum] };
}

export type PenaltyArguments = { carry: Vector | null; w: Vector; n: number; l1: number; l2: number };

export function penalty({ carry, w, n, l1, l2 }: PenaltyArguments): Results {
  let absolute = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    absolute += Math.abs(w[i]);
    squares += w[i] * w[i];
  }
  return { total: [(carry === null ? 0 : carry[0]) + l1 * absolute + (l2 / 2) * squares] };
}

export type PenaltyGradientArguments = { dw: Vector; w: Vector; n: number; l1: number; l2: number };

export function penaltyGradient({ dw, w, n, l1, l2 }: PenaltyGradientArguments): Results {
  return { dw: Float64Array.from({ length: n }, (_, i) => dw[i] + l1 * Math.sign(w[i]) + l2 * w[i]) };
}
