import type { BlasnetError } from '../../errors.js';
import { MAX_LAYERS, type Node, type Shared, shared } from '../../graph/node.js';
import { flatten } from '../../layers/flatten.js';
import { isName, type LayerSpec } from '../../layers/layer.js';
import { permute, reshape } from '../../layers/shape.js';
import { elements, type Shape } from '../../program/instructions.js';
import { cut, quote, shapeText } from '../../text.js';
import { isTensor, type OnnxModel, type OnnxNode, type OnnxTensor, unsupported } from './model.js';
import { corrupt } from './wire.js';

/**
 * A value of the file as a node. Dimension i of a sample in the file is dimension `axes[i]` of the node: images with
 * channels first in the file have the axes [2, 0, 1]. So a Transpose needs no work, and neither does a layer that
 * wants its channels where ONNX's layers have them. One number a row, [batch] in the file, has no axes and a node of
 * the shape [1].
 */
export interface FileValue {
  readonly node: Node;
  readonly axes: readonly number[];
  /** x, if this is what an Erf gave of x / √2, or one more than that: parts of a gelu, which blasnet has whole. */
  readonly gelu?: { readonly x: Node; readonly plusOne: boolean; readonly timesX: boolean; readonly half: boolean };
}

/** In the shape of a value, which the file can compute with: the size of the batch. */
export const BATCH = Number.NEGATIVE_INFINITY;

const inOrder = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);

/** The axes of a value whose channels are last in the node and first in the file. */
export const channelsFirst = (rank: number): number[] => [rank - 1, ...inOrder(rank - 1)];

/** A value whose dimensions are those of the node. */
export function plain(node: Node): FileValue {
  return { node, axes: inOrder(node.shape.length) };
}

/** Shape of a sample in the file. */
export function fileShapeOf({ node, axes }: FileValue): number[] {
  return axes.map((axis) => node.shape[axis]);
}

/** A node's numbers in another shape, by one reshape from the last node that isn't one. */
export function inShape(node: Node, shape: Shape): Node {
  let from = node;
  while (from.spec.type === 'reshape' || from.spec.type === 'flatten') from = from.inputs[0];
  if (from.shape.join() === shape.join()) return from;
  return from.pipe(shape.length === 1 ? flatten() : reshape(shape));
}

/** The node whose dimensions are in this order: its dimension `axes[i]` is dimension i of a sample in the file. */
export function withAxes({ node, axes }: FileValue, wanted: readonly number[]): Node {
  const order: number[] = [];
  wanted.forEach((axis, i) => {
    order[axis] = axes[i];
  });
  if (order.every((axis, i) => axis === i)) return node;
  const shape = order.map((axis) => node.shape[axis]);
  // Only dimensions of 1 move: the numbers stay where they are.
  const long = order.filter((axis) => node.shape[axis] !== 1);
  if (long.every((axis, i) => i === 0 || axis > long[i - 1])) return inShape(node, shape);
  return node.pipe(permute(order));
}

/** A tensor's shape without the dimensions of 1 at its begin: where it broadcasts, its end counts. */
function broadcasting(shape: Shape): Shape {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? [] : shape.slice(first);
}

export function asPlain(value: FileValue): Node {
  return withAxes(value, inOrder(value.axes.length));
}

/** Numbers for a parameter, made when the network has memory for them. */
export interface ParameterSource {
  /** The names of the file's tensors that they come from. */
  readonly from: string;
  readonly length: number;
  make(): Float32Array;
}

/** What a node's parameters and state get. */
export interface Fill {
  readonly node: Node;
  readonly sources: Readonly<Record<string, ParameterSource>>;
}

/** Parameters may take this many times the file's numbers, and some more: a tensor can belong to several layers. */
const MOST = { times: 4, more: 2 ** 18 };

/** Reads the nodes of a file into a graph. */
export class GraphReader {
  readonly file: string;
  readonly model: OnnxModel;
  /** The batch's size, if the file fixes it. */
  readonly batch: number | undefined;
  readonly constants: Map<string, OnnxTensor>;
  readonly values = new Map<string, FileValue>();
  readonly fills: Fill[] = [];
  /** The nodes that take a value, by its name; the graph's outputs count as takers. */
  readonly takers = new Map<string, (OnnxNode | undefined)[]>();
  /** Nodes that were read as a part of another one. */
  readonly done = new Set<OnnxNode>();
  /** How many layers have the same settings and parameters, by what these are. */
  readonly uses = new Map<string, number>();
  readonly #repeated: ReadonlyMap<string, number>;
  readonly #shared = new Map<string, Shared>();
  readonly #names = new Set<string>();
  readonly #most: number;
  /** Names of computed tensors, by how they are computed. */
  readonly #firsts = new Map<string, string>();
  readonly #origins = new Map<string, string>();
  #numbers = 0;
  #computed = 0;

  constructor(model: OnnxModel, file: string, batch: number | undefined, repeated: ReadonlyMap<string, number>) {
    this.file = file;
    this.model = model;
    this.batch = batch;
    this.#repeated = repeated;
    this.constants = new Map(model.tensors);
    let numbers = 0;
    for (const { values } of model.tensors.values()) numbers += values.length;
    for (const { attributes } of model.nodes) {
      const value = attributes.get('value');
      if (isTensor(value)) numbers += value.values.length;
    }
    this.#most = MOST.times * numbers + MOST.more;
    const take = (name: string, taker: OnnxNode | undefined) => {
      const list = this.takers.get(name);
      if (list === undefined) this.takers.set(name, [taker]);
      else list.push(taker);
    };
    for (const node of model.nodes) for (const name of node.inputs) take(name, node);
    for (const { name } of model.outputs) take(name, undefined);
  }

  /** Counts numbers that a constant of the file is made of; a short file may not ask for any number of them. */
  countNumbers(count: number): void {
    this.#computed += count;
    if (this.#computed > this.#most) throw unsupported(this.file, 'it computes with far more numbers than it has');
  }

  /** Keeps a tensor that a node computes, and whether another one has computed the same: it is the same parameter. */
  compute(node: OnnxNode, tensor: OnnxTensor): void {
    const [output] = node.outputs;
    if (output === '') return;
    this.constants.set(output, tensor);
    const attributes = [...node.attributes];
    if (node.inputs.length === 0 || attributes.some(([, value]) => isTensor(value))) return;
    const origins = node.inputs.map((name) => this.originOf(name));
    const key = JSON.stringify([node.operator, origins, attributes]);
    const first = this.#firsts.get(key) ?? output;
    this.#firsts.set(key, first);
    this.#origins.set(output, first);
  }

  /** The name of the first tensor that was computed as this one was; its own for a tensor of the file. */
  originOf(name: string): string {
    return this.#origins.get(name) ?? name;
  }

  /** A name for a layer from that of a node of the file; undefined if it can't be one or is taken. */
  #nameOf(name: string): string | undefined {
    const own = cut(name.replace(/[^\w-]+/g, '_').replace(/^_+/, ''), 100).replace('…', '_');
    if (!isName(own) || this.#names.has(own) || this.#names.size > MAX_LAYERS) return undefined;
    this.#names.add(own);
    return own;
  }

  /**
   * A layer with parameters after a node. Where several nodes of the file have the same ones, they share them. `make`
   * gets the options that name the layer.
   */
  layer(
    { name }: OnnxNode,
    input: Node,
    make: (named: { name?: string }) => LayerSpec,
    sources: Readonly<Record<string, ParameterSource>>,
  ): Node {
    const key = JSON.stringify([make({}), Object.entries(sources).map(([own, { from }]) => [own, from])]);
    const count = this.uses.get(key) ?? 0;
    this.uses.set(key, count + 1);
    const known = this.#shared.get(key);
    // Any of the uses may be the only one that the outputs need.
    if (known !== undefined) return this.#filled(input.pipe(known), sources);
    if (count === 0) for (const { length } of Object.values(sources)) this.#numbers += length;
    if (this.#numbers > this.#most)
      throw corrupt(this.file, 0, 'its layers have more parameters than it has numbers for');
    const own = this.#nameOf(name);
    const spec = make(own === undefined ? {} : { name: own });
    if ((this.#repeated.get(key) ?? 0) <= 1) return this.#filled(input.pipe(spec), sources);
    const once = shared(spec);
    this.#shared.set(key, once);
    return this.#filled(input.pipe(once), sources);
  }

  #filled(node: Node, sources: Fill['sources']): Node {
    this.fills.push({ node, sources });
    return node;
  }
}

/** One node of the file that is being read. */
export class NodeReading {
  readonly graph: GraphReader;
  readonly node: OnnxNode;

  constructor(graph: GraphReader, node: OnnxNode) {
    this.graph = graph;
    this.node = node;
  }

  /** The error for a node that blasnet has no counterpart of. */
  unsupported(what: string): BlasnetError {
    return unsupported(this.graph.file, `node ${quote(this.node.name)} (${cut(this.node.operator, 40)}): ${what}`);
  }

  /** The error for a node that no ONNX file may have. */
  corrupt(what: string): BlasnetError {
    const { name, operator } = this.node;
    return corrupt(this.graph.file, 0, `node ${quote(name)} (${cut(operator, 40)}): ${what}`);
  }

  has(i: number): boolean {
    return (this.node.inputs[i] ?? '') !== '';
  }

  isConstant(i: number): boolean {
    return this.graph.constants.has(this.node.inputs[i]);
  }

  /** A value that depends on the inputs; parts of a gelu are none. */
  value(i = 0): FileValue {
    const value = this.anyValue(i);
    if (value.gelu !== undefined) throw this.unsupported('Erf is only read as a part of a gelu');
    return value;
  }

  anyValue(i: number): FileValue {
    const name = this.node.inputs[i] ?? '';
    const value = this.graph.values.get(name);
    if (value !== undefined) return value;
    if (this.graph.constants.has(name)) throw this.unsupported(`input ${i} is a constant`);
    throw this.corrupt(name === '' ? `input ${i} is missing` : `there is no value ${quote(name)} before it`);
  }

  /** All inputs, which depend on those of the network. */
  allValues(): FileValue[] {
    if (this.node.inputs.length === 0) throw this.corrupt('it has no inputs');
    return this.node.inputs.map((_, i) => this.value(i));
  }

  /** A tensor of the file; undefined for an optional input that is omitted. */
  constant(i: number): OnnxTensor | undefined {
    const name = this.node.inputs[i] ?? '';
    if (name === '') return undefined;
    const found = this.graph.constants.get(name);
    if (found !== undefined) return found;
    throw this.graph.values.has(name)
      ? this.unsupported(`input ${i} is not a constant`)
      : this.corrupt(`there is no value ${quote(name)} before it`);
  }

  /** A tensor of parameters of this shape, whose element i goes to `place(i)`; default: to where it is. */
  parameter(i: number, shape: Shape, place?: (i: number) => number, factor = 1): ParameterSource {
    const tensor = this.constant(i);
    if (tensor === undefined) throw this.corrupt(`input ${i} is missing`);
    const { values } = tensor;
    if (!(values instanceof Float32Array)) throw this.unsupported(`input ${i} has integers`);
    const length = elements(shape);
    if (values.length !== length || broadcasting(tensor.shape).join() !== broadcasting(shape).join())
      throw this.corrupt(`input ${i} has the shape ${shapeText(tensor.shape)}, expected ${shapeText(shape)}`);
    return {
      // A square matrix and its transpose are not the same parameters.
      from: `${this.graph.originOf(this.node.inputs[i])}*${factor}${place === undefined ? '' : ', moved'}`,
      length,
      make() {
        const made = new Float32Array(length);
        for (let at = 0; at < length; at++) made[place?.(at) ?? at] = factor * values[at];
        return made;
      },
    };
  }

  integers(i: number): readonly number[] | undefined {
    const tensor = this.constant(i);
    if (tensor === undefined) return undefined;
    if (tensor.values instanceof Float32Array) throw this.corrupt(`input ${i} has no integers`);
    return tensor.values;
  }

  /** Integers from an input or, in older sets, an attribute; undefined if both are omitted. */
  list(i: number, name: string): readonly number[] | undefined {
    return this.has(i) ? this.integers(i) : this.ints(name);
  }

  /** The only number of an input. */
  number(i: number): number {
    const tensor = this.constant(i);
    if (tensor === undefined) throw this.corrupt(`input ${i} is missing`);
    if (tensor.values.length !== 1) throw this.unsupported(`input ${i} is not one number`);
    return tensor.values[0];
  }

  #attribute(name: string): unknown {
    return this.node.attributes.get(name);
  }

  float(name: string, otherwise: number): number {
    const value = this.#attribute(name) ?? otherwise;
    if (typeof value !== 'number') throw this.corrupt(`the attribute ${quote(name)} is no number`);
    return value;
  }

  int(name: string, otherwise: number): number {
    const value = this.float(name, otherwise);
    if (!Number.isInteger(value)) throw this.corrupt(`the attribute ${quote(name)} is no integer`);
    return value;
  }

  string(name: string, otherwise: string): string {
    const value = this.#attribute(name) ?? otherwise;
    if (typeof value !== 'string') throw this.corrupt(`the attribute ${quote(name)} is no text`);
    return value;
  }

  ints(name: string): readonly number[] | undefined {
    const value = this.#attribute(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every(Number.isInteger))
      throw this.corrupt(`the attribute ${quote(name)} is no list of integers`);
    return value as number[];
  }

  /** Throws unless an attribute has the value that blasnet's layer has. */
  only(name: string, value: number | string): void {
    const given = this.#attribute(name) ?? value;
    if (given !== value) throw this.unsupported(`${name} ${cut(String(given), 40)}, where blasnet has ${value}`);
  }

  /** A dimension of a sample in the file, from one of the file's, which count the batch and may count from the end. */
  axis(given: number, rank: number): number {
    const at = given < 0 ? given + rank + 1 : given;
    if (!(at >= 0 && at <= rank)) throw this.corrupt(`there is no dimension ${given}`);
    if (at === 0) throw this.unsupported('it acts across the samples of a batch');
    return at - 1;
  }

  /** The value as images, [height, width, channels], as blasnet's layers take them. */
  image(i = 0): Node {
    const value = this.value(i);
    if (value.axes.length !== 3)
      throw this.unsupported(`its input has ${value.axes.length + 1} dimensions; only images (4) are read`);
    return withAxes(value, channelsFirst(3));
  }
}
