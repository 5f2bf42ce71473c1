/** The readers of ONNX's operators by name, and what several of them share. */
import { slice } from '../../../graph/functions.js';
import type { Node } from '../../../graph/node.js';
import type { LayerSpec } from '../../../layers/layer.js';
import type { Shape } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import {
  asPlain,
  channelsFirst,
  type FileValue,
  fileShapeOf,
  inShape,
  type NodeReading,
  type ParameterSource,
  plain,
  withAxes,
} from '../graph-reader.js';
import type { OnnxTensor } from '../model.js';

/** What a node gives: a value, several, or a tensor that does not depend on the inputs. */
export type OperatorReader = (reading: NodeReading) => FileValue | readonly FileValue[] | OnnxTensor;

export const readers = new Map<string, OperatorReader>();

/** The readers of nodes all of whose inputs are tensors. */
export const constantReaders = new Map<string, (reading: NodeReading) => OnnxTensor>();

export function hasReader(operator: string): boolean {
  return readers.has(operator) || constantReaders.has(operator);
}

/** Reads a node. */
export const readOperator: OperatorReader = (reading) => {
  const { inputs, operator } = reading.node;
  const isConstant = inputs.every((name, i) => name === '' || reading.isConstant(i));
  const read = (isConstant && constantReaders.get(operator)) || readers.get(operator);
  if (read === undefined) throw reading.unsupported('blasnet has no such layer');
  return read(reading);
};

const elementwiseOperators = new Set(['Add', 'Sub', 'Mul', 'Div', 'Identity', 'Cast', 'Dropout']);

export function isElementwise(operator: string): boolean {
  return elementwiseOperators.has(operator);
}

/** Registers an operator that maps elements, and keeps the place of the channels. */
export function elementwise(
  operator: string,
  layers: (reading: NodeReading) => LayerSpec | readonly LayerSpec[],
): void {
  elementwiseOperators.add(operator);
  readers.set(operator, (reading) => {
    const { node, axes } = reading.value();
    return { node: node.pipe(...[layers(reading)].flat()), axes };
  });
}

export const near = (a: number, b: number) => Math.abs(a - b) < 1e-5;

/** Whether a value is an image, with its channels first in the file and last in the node. */
export const isImage = ({ axes }: Pick<FileValue, 'axes'>) => axes.join() === channelsFirst(3).join();

/** An image as the file has it, with the channels first. */
export const image = (node: Node): FileValue => ({ node, axes: channelsFirst(3) });

/** The axes of a value whose dimension `along` of the file is to be the node's last; its own if that is so. */
export function endingWith({ axes }: FileValue, along: number): readonly number[] {
  const last = axes.length - 1;
  return axes[along] === last ? axes : axes.map((_, i) => (i === along ? last : i < along ? i : i - 1));
}

/** A result in another order of dimensions than the value that it was made of: that of the value, if it is an image. */
export function imageAgain(result: FileValue, { axes }: FileValue): FileValue {
  return isImage({ axes }) ? { node: withAxes(result, axes), axes } : result;
}

/** A value in another shape of its samples in the file. */
export function inFileShape(value: FileValue, shape: Shape): FileValue {
  if (shape.length === 0) return { node: inShape(asPlain(value), [1]), axes: [] };
  return plain(inShape(asPlain(value), shape));
}

/** A part of a value, from `begin` to before `end` in the file's dimensions of a sample. */
export function sliced({ node, axes }: FileValue, begin: readonly number[], end: readonly number[]): FileValue {
  const inNode = (sizes: readonly number[]) => axes.map((_, place) => sizes[axes.indexOf(place)]);
  return { node: node.pipe(slice({ begin: inNode(begin), end: inNode(end) })), axes };
}

/** The nodes of several values whose dimensions broadcast, in one order of dimensions. */
export function together(
  reading: NodeReading,
  values: readonly FileValue[],
): { nodes: Node[]; axes: readonly number[] } {
  const [{ axes }] = values;
  if (values.some((value) => value.axes.length !== axes.length))
    throw reading.unsupported(`values of ${values.map((value) => value.axes.length + 1).join(' and ')} dimensions`);
  if (values.every((value) => value.axes.join() === axes.join()))
    return { nodes: values.map(({ node }) => node), axes };
  // What meets an image is one.
  const common = values.find(isImage)?.axes ?? plain(values[0].node).axes;
  return { nodes: values.map((value) => withAxes(value, common)), axes: common };
}

/** The dimension of a sample in the file for whose elements a tensor has a number each. */
export function dimensionOf(reading: NodeReading, shape: Shape, value: FileValue): number {
  const dimensions = fileShapeOf(value);
  const missing = dimensions.length + 1 - shape.length;
  const long = shape.findIndex((size) => size !== 1);
  const along = long + missing - 1;
  if (
    missing < 0 ||
    along < 0 ||
    shape.some((size, i) => i !== long && size !== 1) ||
    shape[long] !== dimensions[along]
  )
    throw reading.unsupported(`a constant of the shape ${shapeText(shape)} for samples of ${shapeText(dimensions)}`);
  return along;
}

/** A number for each channel, of which the file may have one for all. */
export function repeated(reading: NodeReading, i: number, count: number, factor = 1): ParameterSource {
  if (reading.constant(i)?.values.length !== 1 || count === 1) return reading.parameter(i, [count], undefined, factor);
  const source = reading.parameter(i, [1], undefined, factor);
  return {
    from: `${source.from}, ${count} times`,
    length: count,
    make: () => new Float32Array(count).fill(source.make()[0]),
  };
}
