/** Operators that map elements, and softmax. */
import * as merges from '../../../graph/functions.js';
import { isIndex } from '../../../graph/node.js';
import * as layers from '../../../layers/index.js';
import type { LayerSpec } from '../../../layers/layer.js';
import { asPlain, plain } from '../graph-reader.js';
import { BOOL, FLOAT, FLOATING, INT32, INT64, type OnnxTensor } from '../model.js';
import { elementwise, near, type OperatorReader, readers } from './reader.js';

const withoutOptions = {
  ...{ Relu: layers.relu, Sigmoid: layers.sigmoid, Tanh: layers.tanh, Softplus: layers.softplus },
  ...{ Softsign: layers.softsign, HardSwish: layers.hardSwish, Mish: layers.mish },
  ...{ Exp: merges.exp, Log: merges.log, Sqrt: merges.sqrt, Abs: merges.abs },
};
for (const [operator, layer] of Object.entries(withoutOptions)) elementwise(operator, () => layer());
elementwise('Neg', () => merges.scale(-1));
elementwise('Reciprocal', () => merges.power(-1));
elementwise('LeakyRelu', (reading) => layers.leakyRelu({ slope: reading.float('alpha', 0.01) }));
elementwise('Elu', (reading) => layers.elu({ alpha: reading.float('alpha', 1) }));

elementwise('Selu', (reading) => {
  if (!near(reading.float('alpha', 1.6732632), 1.6732632) || !near(reading.float('gamma', 1.050701), 1.050701))
    throw reading.unsupported('blasnet has the usual alpha and gamma only');
  return layers.selu();
});
elementwise('HardSigmoid', (reading) => {
  const [alpha, beta] = [reading.float('alpha', 0.2), reading.float('beta', 0.5)];
  // PyTorch's, which blasnet has as one layer.
  if (near(alpha, 1 / 6) && beta === 0.5) return layers.hardSigmoid();
  return [merges.scale(alpha, beta), merges.clip(0, 1)];
});
elementwise('Gelu', (reading) => {
  reading.only('approximate', 'none');
  return layers.gelu();
});
/** The largest float32: a limit that limits nothing. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

elementwise('Clip', (reading) => {
  // Older sets have attributes.
  const min = Math.max(-LARGEST, reading.has(1) ? reading.number(1) : reading.float('min', -LARGEST));
  const max = Math.min(LARGEST, reading.has(2) ? reading.number(2) : reading.float('max', LARGEST));
  return min === 0 && max === 6 ? layers.relu6() : merges.clip(min, max);
});
elementwise('Pow', (reading) => {
  const exponent = reading.number(1);
  return exponent === 2 ? merges.square() : merges.power(exponent);
});

const same: OperatorReader = (reading) =>
  reading.isConstant(0) ? (reading.constant(0) as OnnxTensor) : reading.value();
readers.set('Identity', same);
readers.set('Dropout', (reading) => {
  if (reading.has(2) && reading.number(2) !== 0)
    throw reading.unsupported('it is in training mode: export the model for inference');
  return reading.value();
});
readers.set('Cast', (reading) => {
  if (!reading.isConstant(0)) {
    const value = reading.value();
    // Indices are whole numbers, of whatever type.
    if (!isIndex(value.node) || ![INT32, INT64].includes(reading.int('to', FLOAT))) reading.only('to', FLOAT);
    return value;
  }
  const { shape, values } = reading.constant(0) as OnnxTensor;
  const to = reading.int('to', FLOAT);
  if (FLOATING.includes(to)) return { shape, values: Float32Array.from(values) };
  if (to === BOOL) return { shape, values: Array.from(values, (x) => (x === 0 ? 0 : 1)) };
  if (to === INT32 || to === INT64) return { shape, values: Array.from(values, Math.trunc) };
  throw reading.unsupported(`a constant as the element type ${to}`);
});

readers.set('Erf', (reading) => {
  const { node, axes } = reading.value();
  const { type, factor, offset } = node.spec as unknown as { type: string; factor?: number; offset?: number };
  if (type !== 'scale' || offset !== 0 || !near(factor as number, Math.SQRT1_2))
    throw reading.unsupported('it is only read as a part of a gelu');
  return { node, axes, gelu: { x: node.inputs[0], plusOne: false, timesX: false, half: false } };
});

/** A softmax over the last dimension; in sets before 13, over all from `axis` on. */
function softmax(operator: string, layer: () => LayerSpec): void {
  readers.set(operator, (reading) => {
    const value = reading.value();
    const rank = value.axes.length;
    const isOld = reading.graph.model.opset < 13;
    if (reading.axis(reading.int('axis', isOld ? 1 : -1), rank) !== rank - 1)
      throw reading.unsupported('over another dimension than the last');
    return plain(asPlain(value).pipe(layer()));
  });
}

softmax('Softmax', layers.softmax);
softmax('LogSoftmax', layers.logSoftmax);
