/**
 * An optimised trainer in plain JavaScript, independent of blasnet: the speed that hand-written code reaches without
 * native code or WebAssembly. Float32Array storage, a packed and register-blocked matrix product, no allocation during
 * training.
 */
import { gemm } from './gemm.js';

interface Parameter {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

function parameter(value: Float32Array): Parameter {
  const zeros = () => new Float32Array(value.length);
  return { value, gradient: zeros(), m: zeros(), v: zeros() };
}

interface Layer {
  readonly parameters: readonly Parameter[];
  /** `x` and the result are rows × width; the result may overwrite `x`. */
  forward(x: Float32Array, rows: number): Float32Array;
  backward(dy: Float32Array, rows: number): Float32Array;
}

function dense(inputs: number, outputs: number, capacity: number, weights: Float32Array, first: boolean): Layer {
  const [weight, bias] = [parameter(weights), parameter(new Float32Array(outputs))];
  const y = new Float32Array(capacity * outputs);
  const dx = new Float32Array(first ? 0 : capacity * inputs);
  let x: Float32Array = dx;
  return {
    parameters: [weight, bias],
    forward(values, rows) {
      x = values;
      for (let i = 0; i < rows; i++) y.set(bias.value, i * outputs);
      gemm(false, false, rows, outputs, inputs, x, weight.value, y, true);
      return y;
    },
    backward(dy, rows) {
      const db = bias.gradient;
      db.fill(0);
      for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) db[j] += dy[o];
      gemm(true, false, inputs, outputs, rows, x, dy, weight.gradient, false);
      if (!first) gemm(false, true, rows, inputs, outputs, dy, weight.value, dx, false);
      return dx;
    },
  };
}

/** In place. */
function relu(width: number): Layer {
  let y: Float32Array = new Float32Array(0);
  return {
    parameters: [],
    forward(x, rows) {
      for (let i = 0; i < rows * width; i++) if (!(x[i] > 0)) x[i] = 0;
      y = x;
      return x;
    },
    backward(dy, rows) {
      for (let i = 0; i < rows * width; i++) if (y[i] === 0) dy[i] = 0;
      return dy;
    },
  };
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

interface ReferenceOptions {
  /** Inputs, hidden layers, outputs. */
  widths: readonly number[];
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

  constructor({ widths, capacity, random }: ReferenceOptions) {
    for (let i = 0; i + 1 < widths.length; i++) {
      const [inputs, outputs] = [widths[i], widths[i + 1]];
      this.#layers.push(dense(inputs, outputs, capacity, heNormal(inputs, inputs * outputs, random), i === 0));
      if (i + 2 === widths.length) break;
      this.#layers.push(relu(outputs));
    }
    this.#parameters = this.#layers.flatMap((layer) => layer.parameters);
    this.#classes = widths[widths.length - 1];
    this.#gradient = new Float32Array(capacity * this.#classes);
  }

  /** Logits, valid until the next call. */
  forward(x: Float32Array, rows: number): Float32Array {
    return this.#layers.reduce((values, layer) => layer.forward(values, rows), x);
  }

  /** Mean loss and hits of a batch, in inference mode. */
  evaluate(x: Float32Array, labels: Int32Array, rows: number): { loss: number; hits: number } {
    return this.#loss(this.forward(x, rows), labels, rows);
  }

  /** One training step; returns the mean loss before it. */
  step(x: Float32Array, labels: Int32Array, rows: number): number {
    const { loss } = this.#loss(this.forward(x, rows), labels, rows);
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
