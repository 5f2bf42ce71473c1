/** The readers of ONNX's operators by name, and what several of them share. */
import type { Node } from '../../../graph/node.js';
import type { LayerSpec } from '../../../layers/layer.js';
import type { Shape } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import {
  asPlain,
  channelsFirst,
  type FileValue,
  fileShapeOf,
  type NodeReading,
  type ParameterSource,
  plain,
  withAxes,
} from '../graph-reader.js';
import type { OnnxTensor } from '../model.js';

/** What a node gives: a value, or a tensor that does not depend on the inputs. */
export type OperatorReader = (reading: NodeReading) => FileValue | OnnxTensor;

export const readers = new Map<string, OperatorReader>();

export function operatorReader(operator: string): OperatorReader | undefined {
  return readers.get(operator);
}

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

/** An image as the file has it, with the channels first. */
export const image = (node: Node): FileValue => ({ node, axes: channelsFirst(3) });

/** The axes of a value whose dimension `along` of the file is to be the node's last; its own if that is so. */
export function endingWith({ axes }: FileValue, along: number): readonly number[] {
  const last = axes.length - 1;
  return axes[along] === last ? axes : axes.map((_, i) => (i === along ? last : i < along ? i : i - 1));
}

/** A result in another order of dimensions than the value that it was made of: that of the value, if it is an image. */
export function imageAgain(result: FileValue, { axes }: FileValue): FileValue {
  return axes.join() === channelsFirst(3).join() ? { node: withAxes(result, axes), axes } : result;
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
  const nodes = values.map(asPlain);
  return { nodes, axes: plain(nodes[0]).axes };
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
