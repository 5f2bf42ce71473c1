/** What follows the product in a layer's kernel: the bias, and an activation that needs no input of its own. */
import { fusedActivations } from '../../../program/signatures.js';
import { elu, leakyRelu, relu, selu, sigmoid, softplus, tanh } from './activation.js';

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
  const n = rows * outputs;
  switch (fusedActivations[activation]) {
    case 'relu':
      relu(y, y, n);
      break;
    case 'leakyRelu':
      leakyRelu(y, y, n, slope);
      break;
    case 'elu':
      elu(y, y, n, slope);
      break;
    case 'selu':
      selu(y, y, n);
      break;
    case 'sigmoid':
      sigmoid(y, y, n);
      break;
    case 'tanh':
      tanh(y, y, n);
      break;
    case 'softplus':
      softplus(y, y, n);
      break;
  }
}

function addBias(y: Float32Array, b: Float32Array, rows: number, outputs: number): void {
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < outputs; j++, o++) y[o] += b[j];
}
