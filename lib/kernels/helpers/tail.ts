/** The part of a layer's kernel after the product: the bias, and an activation that needs no input of its own. */
import * as activations from '../activation.js';
import { codes } from '../codes.js';

type Activation = (y: Float32Array, x: Float32Array, n: number, slope: number) => void;
/** Only some activations use the slope. */
const functions: Record<(typeof codes.activation)[number], Activation> = { ...activations };

/** y ← f(y + b), where y is rows × outputs and f the activation of this code. */
export function biasAndActivation(
  y: Float32Array,
  b: Float32Array | null,
  rows: number,
  outputs: number,
  activation: number,
  slope: number,
): void {
  if (b !== null) addBias(y, b, rows, outputs);
  const name = codes.activation[activation];
  if (name !== 'identity') functions[name](y, y, rows * outputs, slope);
}

function addBias(y: Float32Array, b: Float32Array, rows: number, outputs: number): void {
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) y[o] += b[j];
}
