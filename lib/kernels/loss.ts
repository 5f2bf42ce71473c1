/**
 * Losses: write one value per row to `loss` and, if it is not null, the gradient of the mean over the rows to
 * `dprediction`. Predictions and targets are rows × outputs.
 */
import { doubles } from './helpers/scratch.js';
import { float, input, kernel, out, precise, size } from './signature.js';

const lossOutputs = (outputs: string) =>
  [out('loss', ['rows']), out('dprediction', ['rows', outputs], { optional: true })] as const;
const regression = () =>
  [
    ...lossOutputs('outputs'),
    input('prediction', ['rows', 'outputs']),
    input('target', ['rows', 'outputs']),
    size('rows'),
    size('outputs'),
  ] as const;

export const lossKernels = {
  softmaxCrossEntropy: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('labels', ['rows'], { type: 'i32', below: 'classes' }),
    size('rows'),
    size('classes'),
    precise('smoothing'),
  ),
  softmaxCrossEntropyProbabilities: kernel(
    'rows',
    ...lossOutputs('classes'),
    input('logits', ['rows', 'classes']),
    input('target', ['rows', 'classes']),
    size('rows'),
    size('classes'),
    precise('smoothing'),
  ),
  binaryCrossEntropy: kernel('rows', ...regression()),
  squaredError: kernel('rows', ...regression(), float('factor')),
  absoluteError: kernel('rows', ...regression()),
  huber: kernel('rows', ...regression(), float('delta')),
  // The gradient of the mean over the rows with respect to each row's loss.
  meanGradient: kernel('rows', out('dloss', ['rows']), size('rows')),
  // Weights of rows and of losses.
  sumWeights: kernel(undefined, out('total', [], { type: 'f64' }), input('weights', ['rows']), size('rows')),
  weighRows: kernel(
    'rows',
    out('y', ['rows', 'cols'], { alias: ['x'] }),
    input('x', ['rows', 'cols']),
    input('weights', ['rows'], { optional: true }),
    input('total', [], { type: 'f64', optional: true }),
    size('rows'),
    size('cols'),
    float('scale'),
  ),
  addTotal: kernel(
    undefined,
    out('total', [], { type: 'f64', alias: ['carry'] }),
    input('carry', [], { type: 'f64', optional: true }),
    input('x', [], { type: 'f64' }),
    precise('factor'),
  ),
} as const;

/** The largest element of the row of n that starts at `row`; ignores NaN. */
function rowMax(z: Float32Array, row: number, n: number): number {
  let max = -Infinity;
  for (let j = 0; j < n; j++) if (z[row + j] > max) max = z[row + j];
  return max;
}

export function softmaxCrossEntropy(
  loss: Float32Array,
  dprediction: Float32Array | null,
  logits: Float32Array,
  labels: Int32Array,
  rows: number,
  classes: number,
  smoothing: number,
): void {
  const powers = doubles(classes);
  const floor = smoothing / classes;
  for (let i = 0, row = 0; i < rows; i++, row += classes) {
    const label = labels[i];
    if (label < 0 || label >= classes) {
      loss[i] = NaN;
      if (dprediction !== null) dprediction.fill(NaN, row, row + classes);
      continue;
    }
    const max = rowMax(logits, row, classes);
    let sum = 0;
    let logitSum = 0;
    for (let j = 0; j < classes; j++) {
      const z = logits[row + j] - max;
      const power = Math.exp(z);
      powers[j] = power;
      sum += power;
      logitSum += z;
    }
    const logSum = Math.log(sum);
    let value = (1 - smoothing) * (logSum - (logits[row + label] - max));
    if (smoothing !== 0) value += smoothing * (logSum - logitSum / classes);
    loss[i] = value;
    if (dprediction !== null) {
      for (let j = 0; j < classes; j++) {
        const target = j === label ? 1 - smoothing + floor : floor;
        dprediction[row + j] = (powers[j] / sum - target) / rows;
      }
    }
  }
}

export function softmaxCrossEntropyProbabilities(
  loss: Float32Array,
  dprediction: Float32Array | null,
  logits: Float32Array,
  target: Float32Array,
  rows: number,
  classes: number,
  smoothing: number,
): void {
  const powers = doubles(classes);
  const floor = smoothing / classes;
  for (let i = 0, row = 0; i < rows; i++, row += classes) {
    const max = rowMax(logits, row, classes);
    let sum = 0;
    for (let j = 0; j < classes; j++) {
      const power = Math.exp(logits[row + j] - max);
      powers[j] = power;
      sum += power;
    }
    const logSum = Math.log(sum);
    let value = 0;
    let mass = 0;
    for (let j = 0; j < classes; j++) {
      const t = (1 - smoothing) * target[row + j] + floor;
      value += t * (logSum - (logits[row + j] - max));
      mass += t;
    }
    loss[i] = value;
    if (dprediction !== null) {
      for (let j = 0; j < classes; j++) {
        const t = (1 - smoothing) * target[row + j] + floor;
        dprediction[row + j] = ((powers[j] / sum) * mass - t) / rows;
      }
    }
  }
}

export function binaryCrossEntropy(
  loss: Float32Array,
  dprediction: Float32Array | null,
  prediction: Float32Array,
  target: Float32Array,
  rows: number,
  outputs: number,
): void {
  const factor = 1 / (rows * outputs);
  for (let i = 0, row = 0; i < rows; i++, row += outputs) {
    let sum = 0;
    for (let o = row; o < row + outputs; o++) {
      const z = prediction[o];
      sum += Math.max(z, 0) - z * target[o] + Math.log1p(Math.exp(-Math.abs(z)));
    }
    loss[i] = sum / outputs;
    if (dprediction !== null) {
      for (let o = row; o < row + outputs; o++) {
        dprediction[o] = (1 / (1 + Math.exp(-prediction[o])) - target[o]) * factor;
      }
    }
  }
}

export function squaredError(
  loss: Float32Array,
  dprediction: Float32Array | null,
  prediction: Float32Array,
  target: Float32Array,
  rows: number,
  outputs: number,
  factor: number,
): void {
  const slope = (2 * factor) / rows;
  for (let i = 0, row = 0; i < rows; i++, row += outputs) {
    let sum = 0;
    for (let o = row; o < row + outputs; o++) {
      const d = prediction[o] - target[o];
      sum += d * d;
      if (dprediction !== null) dprediction[o] = slope * d;
    }
    loss[i] = factor * sum;
  }
}

export function absoluteError(
  loss: Float32Array,
  dprediction: Float32Array | null,
  prediction: Float32Array,
  target: Float32Array,
  rows: number,
  outputs: number,
): void {
  const slope = 1 / (rows * outputs);
  for (let i = 0, row = 0; i < rows; i++, row += outputs) {
    let sum = 0;
    for (let o = row; o < row + outputs; o++) {
      const d = prediction[o] - target[o];
      sum += Math.abs(d);
      if (dprediction !== null) dprediction[o] = slope * Math.sign(d);
    }
    loss[i] = sum / outputs;
  }
}

export function huber(
  loss: Float32Array,
  dprediction: Float32Array | null,
  prediction: Float32Array,
  target: Float32Array,
  rows: number,
  outputs: number,
  delta: number,
): void {
  const slope = 1 / (rows * outputs);
  for (let i = 0, row = 0; i < rows; i++, row += outputs) {
    let sum = 0;
    for (let o = row; o < row + outputs; o++) {
      const d = prediction[o] - target[o];
      const size = Math.abs(d);
      sum += size <= delta ? 0.5 * d * d : delta * (size - 0.5 * delta);
      if (dprediction !== null) dprediction[o] = slope * Math.max(-delta, Math.min(delta, d));
    }
    loss[i] = sum / outputs;
  }
}

export function meanGradient(dloss: Float32Array, rows: number): void {
  for (let i = 0; i < rows; i++) dloss[i] = 1 / rows;
}

export function sumWeights(total: Float64Array, weights: Float32Array, rows: number): void {
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += weights[i];
  total[0] = sum;
}

export function weighRows(
  y: Float32Array,
  x: Float32Array,
  weights: Float32Array | null,
  total: Float64Array | null,
  rows: number,
  cols: number,
  scale: number,
): void {
  // Without any weight, no row counts.
  const factor = total === null ? scale : total[0] === 0 ? 0 : (scale * rows) / total[0];
  for (let i = 0, at = 0; i < rows; i++) {
    const weight = weights === null ? factor : weights[i] * factor;
    for (const end = at + cols; at < end; at++) y[at] = weight === 0 ? 0 : x[at] * weight;
  }
}

export function addTotal(total: Float64Array, carry: Float64Array | null, x: Float64Array, factor: number): void {
  total[0] = (carry === null ? 0 : carry[0]) + factor * x[0];
}
