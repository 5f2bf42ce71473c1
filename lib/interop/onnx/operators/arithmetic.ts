/** Arithmetic of values and constants, and the parts of a gelu. */
import * as merges from '../../../graph/functions.js';
import type { Node } from '../../../graph/node.js';
import * as layers from '../../../layers/index.js';
import type { LayerSpec } from '../../../layers/layer.js';
import { elements, type Shape } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import {
  asPlain,
  type FileValue,
  fileShapeOf,
  inShape,
  type NodeReading,
  type ParameterSource,
  plain,
  withAxes,
} from '../graph-reader.js';
import type { OnnxTensor } from '../model.js';
import { broadcastTo } from './constants.js';
import { dimensionOf, endingWith, imageAgain, near, readers, together } from './reader.js';

/** A factor and an offset for each element of the last dimension, as a convolution of one pixel. */
function affine(
  reading: NodeReading,
  node: Node,
  factor: ParameterSource | undefined,
  offset: ParameterSource | undefined,
): Node {
  const channels = node.shape[node.shape.length - 1];
  const ones: ParameterSource = { from: '1', length: channels, make: () => new Float32Array(channels).fill(1) };
  const image = node.shape.length === 3 ? node : inShape(node, [elements(node.shape) / channels, 1, channels]);
  const make = (named: { name?: string }) =>
    layers.depthwiseConv2d({ window: 1, bias: offset !== undefined, ...named });
  const sources = { weight: factor ?? ones, ...(offset && { bias: offset }) };
  return inShape(reading.graph.layer(reading.node, image, make, sources), node.shape);
}

/** Arithmetic of a value and a tensor of the file: one number, or one for each element of a dimension. */
function withConstant(reading: NodeReading, at: 0 | 1): FileValue {
  const { operator } = reading.node;
  const value = reading.value(1 - at);
  const { values, shape } = reading.constant(at) as OnnxTensor;
  const isFirst = at === 0;
  // More dimensions than the value has would move the batch.
  if (values.length === 1 && shape.length <= value.axes.length + 1) {
    const [c] = values;
    const layer = scalarLayers(reading, operator, c, isFirst);
    return { ...value, node: value.node.pipe(...layer) };
  }
  // One number for each element of a dimension, or for each number of a sample.
  const isWhole = shape.filter((size) => size !== 1).length > 1;
  const dimensions = fileShapeOf(value);
  const axes = isWhole ? plain(value.node).axes : endingWith(value, dimensionOf(reading, shape, value));
  let node = isWhole ? inShape(asPlain(value), [elements(dimensions)]) : withAxes(value, axes);
  if (operator === 'Sub' && isFirst) node = node.pipe(merges.scale(-1));
  if (operator === 'Div' && isFirst) node = node.pipe(merges.power(-1));
  const factor = operator === 'Sub' && !isFirst ? -1 : 1;
  const source = isWhole ? spread(reading, at, dimensions, factor) : reading.parameter(at, shape, undefined, factor);
  const inverse: ParameterSource = { ...source, from: `1/${source.from}`, make: () => source.make().map((x) => 1 / x) };
  if (operator === 'Add' || operator === 'Sub') node = affine(reading, node, undefined, source);
  else node = affine(reading, node, operator === 'Div' && !isFirst ? inverse : source, undefined);
  return imageAgain({ node: isWhole ? inShape(node, dimensions) : node, axes }, value);
}

/** A tensor that broadcasts to these dimensions of a sample, with a number for each of its elements. */
function spread(reading: NodeReading, i: number, dimensions: Shape, factor: number): ParameterSource {
  const tensor = reading.constant(i) as OnnxTensor;
  const missing = dimensions.length - tensor.shape.length;
  const fits = tensor.shape.every((size, axis) => size === 1 || size === dimensions[axis + missing]);
  if (!fits || missing < -1)
    throw reading.unsupported(
      `a constant of the shape ${shapeText(tensor.shape)} for samples of ${shapeText(dimensions)}`,
    );
  // What has the batch's dimension has it as 1.
  const source = reading.parameter(i, tensor.shape, undefined, factor);
  const shape = missing < 0 ? tensor.shape.slice(1) : tensor.shape;
  if (source.length === elements(dimensions)) return source;
  return {
    from: `${source.from}, for ${shapeText(dimensions)}`,
    length: elements(dimensions),
    make: () => Float32Array.from(broadcastTo({ shape, values: source.make() }, dimensions)),
  };
}

function scalarLayers(reading: NodeReading, operator: string, c: number, isFirst: boolean): LayerSpec[] {
  if (operator === 'Add') return [merges.scale(1, c)];
  if (operator === 'Sub') return [isFirst ? merges.scale(-1, c) : merges.scale(1, -c)];
  if (operator === 'Mul') return [merges.scale(c)];
  if (isFirst) return [merges.power(-1), merges.scale(c)];
  if (c === 0) throw reading.unsupported('it divides by 0');
  return [merges.scale(1 / c)];
}

type Many = (first: Node, second: Node, ...others: Node[]) => Node;

function merging(operator: string, merge: Many): void {
  readers.set(operator, (reading) => {
    const values = reading.allValues();
    if (values.length === 1) return values[0];
    const { nodes, axes } = together(reading, values);
    const [first, second, ...others] = nodes;
    return { node: merge(first, second, ...others), axes };
  });
}

merging('Sum', merges.add);
merging('Max', merges.maximum);
merging('Min', merges.minimum);
merging('Mean', merges.average);

/** The next part of a gelu, 0.5 · x · (1 + erf(x / √2)) in any order; undefined if it is none. */
function geluPart(reading: NodeReading): FileValue | undefined {
  if (!reading.has(0) || !reading.has(1)) return undefined;
  const at = [0, 1].find((i) => !reading.isConstant(i) && reading.anyValue(i).gelu !== undefined);
  if (at === undefined) return undefined;
  const { node, axes, gelu } = reading.anyValue(at);
  const { x, ...state } = gelu as NonNullable<FileValue['gelu']>;
  const { operator } = reading.node;
  const other = 1 - at;
  const next = { ...state };
  if (reading.isConstant(other)) {
    const { values } = reading.constant(other) as OnnxTensor;
    if (values.length !== 1) return undefined;
    const [c] = values;
    if (operator === 'Add' && near(c, 1) && !state.plusOne) next.plusOne = true;
    else if (operator === 'Mul' && near(c, 0.5) && state.plusOne && !state.half) next.half = true;
    else return undefined;
  } else {
    const value = reading.value(other);
    const { spec, inputs } = value.node as Node & { spec: { factor?: number; offset?: number } };
    const isHalf = spec.type === 'scale' && spec.factor === 0.5 && spec.offset === 0 && inputs[0] === x;
    const fits = operator === 'Mul' && state.plusOne && !state.timesX && value.axes.join() === axes.join();
    if (!fits || !(value.node === x || (isHalf && !state.half))) return undefined;
    next.timesX = true;
    if (value.node !== x) next.half = true;
  }
  if (next.timesX && next.half) return { node: x.pipe(layers.gelu()), axes };
  return { node, axes, gelu: { x, ...next } };
}

function arithmetic(operator: string, merge: (a: Node, b: Node) => Node): void {
  readers.set(operator, (reading) => {
    const part = geluPart(reading);
    if (part !== undefined) return part;
    if (reading.isConstant(0)) return withConstant(reading, 0);
    if (reading.isConstant(1)) return withConstant(reading, 1);
    const [a, b] = [reading.value(0), reading.value(1)];
    if (operator === 'Mul' && a.node === b.node && a.axes.join() === b.axes.join())
      return { ...a, node: a.node.pipe(merges.square()) };
    const { nodes, axes } = together(reading, [a, b]);
    return { node: merge(nodes[0], nodes[1]), axes };
  });
}

arithmetic('Add', merges.add);
arithmetic('Sub', merges.subtract);
arithmetic('Mul', merges.multiply);
arithmetic('Div', merges.divide);
