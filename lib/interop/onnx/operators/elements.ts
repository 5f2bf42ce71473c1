/** Operators that map elements, and softmax. */
import * as merges from '../../../graph/functions.js';
import { isIndex, type Node } from '../../../graph/node.js';
import * as layers from '../../../layers/index.js';
import type { LayerSpec } from '../../../layers/layer.js';
import { elements } from '../../../program/instructions.js';
import { asPlain, fileShapeOf, inShape, plain, withAxes } from '../graph-reader.js';
import { FLOAT, INT32, INT64 } from '../model.js';
import { elementwise, endingWith, imageAgain, inFileShape, near, readers } from './reader.js';

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
elementwise('Celu', (reading) => {
  const alpha = reading.float('alpha', 1);
  return alpha === 1 ? layers.elu() : [merges.scale(1 / alpha), layers.elu(), merges.scale(alpha)];
});

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

readers.set('Identity', (reading) => reading.value());
readers.set('Dropout', (reading) => {
  if (reading.has(2) && reading.number(2) !== 0)
    throw reading.unsupported('it is in training mode: export the model for inference');
  return reading.value();
});
readers.set('Cast', (reading) => {
  const value = reading.value();
  // Indices are whole numbers, of whatever type.
  if (!isIndex(value.node) || ![INT32, INT64].includes(reading.int('to', FLOAT))) reading.only('to', FLOAT);
  return value;
});

readers.set('Erf', (reading) => {
  const { node, axes } = reading.value();
  const { type, factor, offset } = node.spec as unknown as { type: string; factor?: number; offset?: number };
  if (type !== 'scale' || offset !== 0 || !near(factor as number, Math.SQRT1_2))
    throw reading.unsupported('it is only read as a part of a gelu');
  return { node, axes, gelu: { x: node.inputs[0], plusOne: false, timesX: false, half: false } };
});

/** A softmax over one dimension; in sets before 13, over all from `axis` on. */
function softmax(operator: string, ofFeatures: () => LayerSpec, ofLast: readonly LayerSpec[]): void {
  const over = (node: Node) => node.pipe(...(node.shape.length === 1 ? [ofFeatures()] : ofLast));
  readers.set(operator, (reading) => {
    const value = reading.value();
    const shape = fileShapeOf(value);
    const isOld = reading.graph.model.opset < 13;
    const along = reading.axis(reading.int('axis', isOld ? 1 : -1), shape.length);
    if (isOld && along < shape.length - 1) {
      const ends = [elements(shape.slice(0, along)), elements(shape.slice(along))];
      return inFileShape(plain(over(inShape(asPlain(value), along === 0 ? [ends[1]] : ends))), shape);
    }
    const axes = endingWith(value, along);
    return imageAgain({ node: over(withAxes(value, axes)), axes }, value);
  });
}

softmax('Softmax', layers.softmax, [layers.logSoftmax(), merges.exp()]);
softmax('LogSoftmax', layers.logSoftmax, [layers.logSoftmax()]);
