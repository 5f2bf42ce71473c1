/**
 * A careful trainer in plain JavaScript, independent of blasnet: what hand-written code without native code or
 * WebAssembly reaches. Float32Array storage, a packed and register-blocked matrix product, no allocation while it trains.
 */
import { gemm } from './gemm.js';

class Parameter {
  readonly gradient: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;

  constructor(readonly value: Float32Array) {
    this.gradient = new Float32Array(value.length);
    this.m = new Float32Array(value.length);
    this.v = new Float32Array(value.length);
  }
}

interface Layer {
  readonly parameters: readonly Parameter[];
  /** `x` and the result are rows × width; the result may be `x`, overwritten. */
  forward(x: Float32Array, rows: number, training: boolean): Float32Array;
  backward(dy: Float32Array, rows: number): Float32Array;
}

class Dense implements Layer {
  readonly parameters: readonly Parameter[];
  readonly #weight: Parameter;
  readonly #bias: Parameter;
  readonly #y: Float32Array;
  readonly #dx: Float32Array;
  #x: Float32Array = new Float32Array(0);

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    capacity: number,
    weight: Float32Array,
    readonly first: boolean,
  ) {
    this.#weight = new Parameter(weight);
    this.#bias = new Parameter(new Float32Array(outputs));
    this.parameters = [this.#weight, this.#bias];
    this.#y = new Float32Array(capacity * outputs);
    this.#dx = new Float32Array(first ? 0 : capacity * inputs);
  }

  forward(x: Float32Array, rows: number): Float32Array {
    this.#x = x;
    for (let i = 0; i < rows; i++) this.#y.set(this.#bias.value, i * this.outputs);
    gemm(false, false, rows, this.outputs, this.inputs, x, this.#weight.value, this.#y, true);
    return this.#y;
  }

  backward(dy: Float32Array, rows: number): Float32Array {
    const { inputs, outputs } = this;
    const db = this.#bias.gradient;
    db.fill(0);
    for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) db[j] += dy[o];
    gemm(true, false, inputs, outputs, rows, this.#x, dy, this.#weight.gradient, false);
    if (!this.first) gemm(false, true, rows, inputs, outputs, dy, this.#weight.value, this.#dx, false);
    return this.#dx;
  }
}

/** In place. */
class Relu implements Layer {
  readonly parameters = [];
  #y: Float32Array = new Float32Array(0);

  constructor(readonly width: number) {}

  forward(x: Float32Array, rows: number): Float32Array {
    const n = rows * this.width;
    for (let i = 0; i < n; i++) if (!(x[i] > 0)) x[i] = 0;
    this.#y = x;
    return x;
  }

  backward(dy: Float32Array, rows: number): Float32Array {
    const y = this.#y;
    const n = rows * this.width;
    for (let i = 0; i < n; i++) if (y[i] === 0) dy[i] = 0;
    return dy;
  }
}

class BatchNorm implements Layer {
  readonly parameters: readonly Parameter[];
  readonly #gamma: Parameter;
  readonly #beta: Parameter;
  readonly #mean: Float64Array;
  readonly #inverseStd: Float64Array;
  readonly #sum: Float64Array;
  readonly #product: Float64Array;
  readonly #runningMean: Float32Array;
  readonly #runningVariance: Float32Array;
  readonly #normalized: Float32Array;
  readonly #y: Float32Array;
  readonly #dx: Float32Array;

  constructor(
    readonly width: number,
    capacity: number,
  ) {
    this.#gamma = new Parameter(new Float32Array(width).fill(1));
    this.#beta = new Parameter(new Float32Array(width));
    this.parameters = [this.#gamma, this.#beta];
    [this.#mean, this.#inverseStd, this.#sum, this.#product] = Array.from({ length: 4 }, () => new Float64Array(width));
    this.#runningMean = new Float32Array(width);
    this.#runningVariance = new Float32Array(width).fill(1);
    [this.#normalized, this.#y, this.#dx] = Array.from({ length: 3 }, () => new Float32Array(capacity * width));
  }

  forward(x: Float32Array, rows: number, training: boolean): Float32Array {
    const n = this.width;
    const [mean, inverseStd, normalized, y] = [this.#mean, this.#inverseStd, this.#normalized, this.#y];
    const [gamma, beta] = [this.#gamma.value, this.#beta.value];
    if (training) this.#statistics(x, rows);
    else {
      for (let j = 0; j < n; j++) {
        mean[j] = this.#runningMean[j];
        inverseStd[j] = 1 / Math.sqrt(this.#runningVariance[j] + 1e-3);
      }
    }
    for (let i = 0, o = 0; i < rows; i++) {
      for (let j = 0; j < n; j++, o++) {
        const value = (x[o] - mean[j]) * inverseStd[j];
        normalized[o] = value;
        y[o] = value * gamma[j] + beta[j];
      }
    }
    return y;
  }

  backward(dy: Float32Array, rows: number): Float32Array {
    const n = this.width;
    const [sum, product, normalized, inverseStd, dx] = [this.#sum, this.#product, this.#normalized, this.#inverseStd, this.#dx];
    const gamma = this.#gamma.value;
    sum.fill(0);
    product.fill(0);
    for (let i = 0, o = 0; i < rows; i++) {
      for (let j = 0; j < n; j++, o++) {
        sum[j] += dy[o];
        product[j] += dy[o] * normalized[o];
      }
    }
    for (let j = 0; j < n; j++) {
      this.#beta.gradient[j] = sum[j];
      this.#gamma.gradient[j] = product[j];
      sum[j] /= rows;
      product[j] /= rows;
    }
    for (let i = 0, o = 0; i < rows; i++) {
      for (let j = 0; j < n; j++, o++) dx[o] = gamma[j] * inverseStd[j] * (dy[o] - sum[j] - normalized[o] * product[j]);
    }
    return dx;
  }

  #statistics(x: Float32Array, rows: number): void {
    const n = this.width;
    const [mean, inverseStd, runningMean, runningVariance] = [
      this.#mean,
      this.#inverseStd,
      this.#runningMean,
      this.#runningVariance,
    ];
    mean.fill(0);
    inverseStd.fill(0);
    for (let i = 0, o = 0; i < rows; i++) {
      for (let j = 0; j < n; j++, o++) {
        const value = x[o];
        mean[j] += value;
        inverseStd[j] += value * value;
      }
    }
    for (let j = 0; j < n; j++) {
      const m = mean[j] / rows;
      const variance = Math.max(0, inverseStd[j] / rows - m * m);
      mean[j] = m;
      inverseStd[j] = 1 / Math.sqrt(variance + 1e-3);
      runningMean[j] = 0.99 * runningMean[j] + 0.01 * m;
      runningVariance[j] = 0.99 * runningVariance[j] + 0.01 * variance;
    }
  }
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function heNormal(fanIn: number, length: number, random: () => number): Float32Array {
  const deviation = Math.sqrt(2 / fanIn);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Float32Array.from({ length }, () => deviation * normal());
}

export interface ReferenceOptions {
  /** Inputs, hidden layers, outputs. */
  widths: readonly number[];
  /** Batch norm between dense and ReLU. */
  batchNorm: boolean;
  /** Largest batch. */
  capacity: number;
  random: () => number;
}

const adam = { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/** A multi-layer perceptron with ReLU, softmax cross-entropy (mean over the batch) and Adam. */
export class ReferenceNetwork {
  readonly #layers: Layer[] = [];
  readonly #parameters: Parameter[];
  readonly #classes: number;
  readonly #gradient: Float32Array;
  #steps = 0;

  constructor({ widths, batchNorm, capacity, random }: ReferenceOptions) {
    for (let i = 0; i + 1 < widths.length; i++) {
      const [inputs, outputs] = [widths[i], widths[i + 1]];
      this.#layers.push(new Dense(inputs, outputs, capacity, heNormal(inputs, inputs * outputs, random), i === 0));
      if (i + 2 === widths.length) break;
      if (batchNorm) this.#layers.push(new BatchNorm(outputs, capacity));
      this.#layers.push(new Relu(outputs));
    }
    this.#parameters = this.#layers.flatMap((layer) => layer.parameters);
    this.#classes = widths[widths.length - 1];
    this.#gradient = new Float32Array(capacity * this.#classes);
  }

  /** Logits, valid until the next call. */
  forward(x: Float32Array, rows: number, training: boolean): Float32Array {
    return this.#layers.reduce((values, layer) => layer.forward(values, rows, training), x);
  }

  /** Mean loss and hits of a batch, in inference mode. */
  evaluate(x: Float32Array, labels: Int32Array, rows: number): { loss: number; hits: number } {
    return this.#loss(this.forward(x, rows, false), labels, rows);
  }

  /** One training step; returns the mean loss before it. */
  step(x: Float32Array, labels: Int32Array, rows: number): number {
    const { loss } = this.#loss(this.forward(x, rows, true), labels, rows);
    this.#layers.reduceRight((gradient, layer) => layer.backward(gradient, rows), this.#gradient);
    this.#update();
    return loss;
  }

  #loss(logits: Float32Array, labels: Int32Array, rows: number): { loss: number; hits: number } {
    const n = this.#classes;
    const gradient = this.#gradient;
    let loss = 0;
    let hits = 0;
    for (let i = 0, o = 0; i < rows; i++, o += n) {
      let best = 0;
      for (let j = 1; j < n; j++) if (logits[o + j] > logits[o + best]) best = j;
      if (best === labels[i]) hits++;
      const largest = logits[o + best];
      let sum = 0;
      for (let j = 0; j < n; j++) {
        const e = Math.exp(logits[o + j] - largest);
        gradient[o + j] = e;
        sum += e;
      }
      loss += Math.log(sum) + largest - logits[o + labels[i]];
      for (let j = 0; j < n; j++) gradient[o + j] /= sum * rows;
      gradient[o + labels[i]] -= 1 / rows;
    }
    return { loss: loss / rows, hits };
  }

  #update(): void {
    const { rate, beta1, beta2, epsilon } = adam;
    this.#steps++;
    const stepSize = (rate * Math.sqrt(1 - beta2 ** this.#steps)) / (1 - beta1 ** this.#steps);
    for (const { value, gradient, m, v } of this.#parameters) {
      for (let i = 0; i < value.length; i++) {
        const g = gradient[i];
        const mean = beta1 * m[i] + (1 - beta1) * g;
        const square = beta2 * v[i] + (1 - beta2) * g * g;
        m[i] = mean;
        v[i] = square;
        value[i] -= (stepSize * mean) / (Math.sqrt(square) + epsilon);
      }
    }
  }
}
