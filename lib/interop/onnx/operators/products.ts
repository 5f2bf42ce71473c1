/** Matrix products and rows of tables: layers with weights for features. */
import * as merges from '../../../graph/functions.js';
import { isIndex, type Node } from '../../../graph/node.js';
import * as layers from '../../../layers/index.js';
import { elements } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import {
  asPlain,
  type FileValue,
  type Fill,
  fileShapeOf,
  inShape,
  type NodeReading,
  type ParameterSource,
  plain,
} from '../graph-reader.js';
import type { OnnxTensor } from '../model.js';
import { inFileShape, readers, repeated, sliced } from './reader.js';

readers.set('MatMul', (reading) => {
  if (!reading.isConstant(1)) {
    const values = reading.allValues();
    if (values.some(({ axes }) => axes.length === 0)) throw reading.unsupported('a product across the batch');
    const [a, b] = values.map(asPlain);
    return plain(merges.matmul(a, b));
  }
  const value = reading.value();
  const node = asPlain(value);
  const { shape } = reading.constant(1) as OnnxTensor;
  const features = node.shape[node.shape.length - 1];
  if (value.axes.length === 0 || shape.length !== 2)
    throw reading.unsupported(`samples of ${shapeText(fileShapeOf(value))} times a matrix of ${shapeText(shape)}`);
  const units = shape[1];
  const weight = reading.parameter(1, [features, units]);
  // A bias is added by a node of its own.
  const { graph } = reading;
  const [output] = reading.node.outputs;
  const [taker, ...others] = graph.takers.get(output) ?? [];
  const bias = taker?.operator === 'Add' && others.length === 0 ? biasOf(reading, taker, value, units) : undefined;
  const product = plain(linear(reading, node, units, { weight, ...(bias && { bias }) }));
  if (taker !== undefined && bias !== undefined) {
    graph.values.set(taker.outputs[0], product);
    graph.done.add(taker);
  }
  return product;
});

/** A matrix of weights for the last dimension, and a bias: where there are more, as a convolution of one pixel. */
function linear(reading: NodeReading, node: Node, units: number, sources: Fill['sources']): Node {
  const rows = node.shape.slice(0, -1);
  const features = node.shape[rows.length];
  const options = { bias: 'bias' in sources };
  if (rows.length === 0)
    return reading.graph.layer(reading.node, node, (named) => layers.dense(units, { ...options, ...named }), sources);
  const make = (named: { name?: string }) => layers.conv2d(units, { window: 1, ...options, ...named });
  const image = inShape(node, [elements(rows), 1, features]);
  return inShape(reading.graph.layer(reading.node, image, make, sources), [...rows, units]);
}

/** The bias that a node adds to `output`; undefined if it is none. */
function biasOf(
  reading: NodeReading,
  taker: NodeReading['node'],
  { axes }: FileValue,
  units: number,
): ParameterSource | undefined {
  const name = taker.inputs.find((other) => other !== reading.node.outputs[0]) ?? '';
  const tensor = reading.graph.constants.get(name);
  if (tensor?.values.length !== units || tensor.shape.at(-1) !== units) return undefined;
  // More dimensions than the product has would move the batch.
  if (tensor.shape.length > axes.length + 1) return undefined;
  const values = tensor.values as Float32Array;
  return values instanceof Float32Array
    ? { from: `${reading.graph.originOf(name)}*1`, length: units, make: () => values }
    : undefined;
}

readers.set('Gemm', (reading) => {
  reading.only('transA', 0);
  const value = reading.value();
  const node = asPlain(value);
  const tensor = reading.constant(1);
  if (value.axes.length !== 1 || tensor?.shape.length !== 2)
    throw reading.unsupported(`samples of ${shapeText(fileShapeOf(value))} and no matrix of weights`);
  const [inputs] = node.shape;
  const isTransposed = reading.int('transB', 0) !== 0;
  const units = tensor.shape[isTransposed ? 0 : 1];
  const place = (i: number) => (i % inputs) * units + Math.floor(i / inputs);
  const weight = isTransposed
    ? reading.parameter(1, [units, inputs], place, reading.float('alpha', 1))
    : reading.parameter(1, [inputs, units], undefined, reading.float('alpha', 1));
  const rows = reading.constant(2)?.shape.at(-2) ?? 1;
  if (rows !== 1) throw reading.unsupported(`a bias for each of ${rows} samples`);
  const bias = reading.has(2) ? { bias: repeated(reading, 2, units, reading.float('beta', 1)) } : {};
  const make = (named: { name?: string }) => layers.dense(units, { bias: reading.has(2), ...named });
  return plain(reading.graph.layer(reading.node, node, make, { weight, ...bias }));
});

/** Rows of a table of weights. */
function embedding(reading: NodeReading): FileValue {
  const value = reading.value(1);
  const table = reading.constant(0);
  if (!isIndex(value.node)) throw reading.unsupported('its indices are not an input');
  if (table?.shape.length !== 2 || reading.int('axis', 0) !== 0)
    throw reading.unsupported('only rows of a matrix are read');
  const [vocabulary, size] = table.shape;
  const make = (named: { name?: string }) => layers.embedding(vocabulary, size, named);
  const sources = { weight: reading.parameter(0, table.shape) };
  const node = reading.graph.layer(reading.node, value.node, make, sources);
  return plain(inShape(node, [...fileShapeOf(value), size]));
}

/** Elements of one dimension next to each other, which a slice gives. */
function gatherSlice(reading: NodeReading): FileValue {
  const value = reading.value(0);
  const sizes = fileShapeOf(value);
  const along = reading.axis(reading.int('axis', 0), sizes.length);
  const { shape, values } = reading.constant(1) as OnnxTensor;
  const picked = Array.from(values, (i) => (i < 0 ? i + sizes[along] : i));
  const [first] = picked;
  const last = first + picked.length;
  if (!(first >= 0 && last <= sizes[along])) throw reading.corrupt('an index is out of range');
  if (shape.length > 1 || picked.some((at, i) => at !== first + i))
    throw reading.unsupported('elements that are not next to each other');
  const begin = sizes.map((_, axis) => (axis === along ? first : 0));
  const kept = sliced(
    value,
    begin,
    sizes.map((size, axis) => (axis === along ? last : size)),
  );
  // One index that is no list leaves no dimension.
  return shape.length === 1 ? kept : inFileShape(kept, sizes.toSpliced(along, 1));
}

readers.set('Gather', (reading) => (reading.isConstant(0) ? embedding(reading) : gatherSlice(reading)));
