/** Metrics: one value per row, and the totals of a batch. */
import { input, kernel, out, size } from './signature.js';

export const metricKernels = {
  argmax: kernel(
    'rows',
    out('index', ['rows'], { type: 'i32' }),
    input('x', ['rows', 'cols']),
    size('rows'),
    size('cols'),
  ),
  accuracyLabels: kernel(
    'rows',
    out('hits', ['rows']),
    input('x', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
  ),
  accuracyProbabilities: kernel(
    'rows',
    out('hits', ['rows']),
    input('x', ['rows', 'classes']),
    input('target', ['rows', 'classes']),
    size('rows'),
    size('classes'),
  ),
  accuracyBinary: kernel(
    'rows',
    out('hits', ['rows']),
    input('logits', ['rows', 'outputs']),
    input('target', ['rows', 'outputs']),
    size('rows'),
    size('outputs'),
  ),
  batchTotals: kernel(
    undefined,
    out('meanLoss', [], { type: 'f64' }),
    out('hitCount', [], { type: 'f64' }),
    input('loss', ['rows']),
    input('hits', ['rows'], { optional: true }),
    input('penalty', [], { type: 'f64', optional: true }),
    size('rows'),
  ),
} as const;

/** Index, within the row that starts at `row`, of the first largest element. Ignores NaN; 0 if all are NaN. */
function rowArgmax(x: Float32Array, row: number, cols: number): number {
  let best = 0;
  let max = x[row];
  for (let j = 1; j < cols; j++) {
    const value = x[row + j];
    // max is NaN only while every element so far was NaN.
    if (value > max || (Number.isNaN(max) && !Number.isNaN(value))) {
      best = j;
      max = value;
    }
  }
  return best;
}

export function argmax(index: Int32Array, x: Float32Array, rows: number, cols: number): void {
  for (let i = 0; i < rows; i++) index[i] = rowArgmax(x, i * cols, cols);
}

export function accuracyLabels(
  hits: Float32Array,
  x: Float32Array,
  labels: Int32Array,
  rows: number,
  classes: number,
): void {
  for (let i = 0; i < rows; i++) hits[i] = rowArgmax(x, i * classes, classes) === labels[i] ? 1 : 0;
}

export function accuracyProbabilities(
  hits: Float32Array,
  x: Float32Array,
  target: Float32Array,
  rows: number,
  classes: number,
): void {
  for (let i = 0, row = 0; i < rows; i++, row += classes) {
    hits[i] = rowArgmax(x, row, classes) === rowArgmax(target, row, classes) ? 1 : 0;
  }
}

export function accuracyBinary(
  hits: Float32Array,
  logits: Float32Array,
  target: Float32Array,
  rows: number,
  outputs: number,
): void {
  for (let i = 0, row = 0; i < rows; i++, row += outputs) {
    let count = 0;
    for (let o = row; o < row + outputs; o++) if (logits[o] > 0 === target[o] > 0.5) count++;
    hits[i] = count / outputs;
  }
}

export function batchTotals(
  meanLoss: Float64Array,
  hitCount: Float64Array,
  loss: Float32Array,
  hits: Float32Array | null,
  penalty: Float64Array | null,
  rows: number,
): void {
  let lossSum = 0;
  for (let i = 0; i < rows; i++) lossSum += loss[i];
  meanLoss[0] = lossSum / rows + (penalty === null ? 0 : penalty[0]);
  let hitSum = 0;
  if (hits !== null) for (let i = 0; i < rows; i++) hitSum += hits[i];
  hitCount[0] = hitSum;
}
