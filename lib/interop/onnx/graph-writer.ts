import { BlasnetError } from '../../errors.js';
import type { PlacedNode } from '../../graph/place.js';
import type { Shape } from '../../program/instructions.js';
import { quote } from '../../text.js';
import type { NewAttribute, NewNode, OnnxTensor } from './model.js';

/**
 * Where the channels of a sample stand in the file. blasnet has them last; ONNX's layers of images want them first,
 * after the batch. A value of the graph has one of the two, and gets the other where it is needed.
 */
export type Channels = 'first' | 'last';

/** A value in the file. */
export interface GraphValue {
  readonly name: string;
  /** Shape of one sample as blasnet has it: channels last. */
  readonly shape: Shape;
  /** The same for samples of one dimension. */
  readonly channels: Channels;
}

/** A sample's shape as the file has it. */
export function fileShape(shape: Shape, channels: Channels): number[] {
  return channels === 'first' ? [...shape.slice(-1), ...shape.slice(0, -1)] : [...shape];
}

/** The order of dimensions of a Transpose from one place of the channels to the other; the first is the batch. */
function toOther(rank: number, from: Channels): number[] {
  const others = Array.from({ length: rank - 1 }, (_, i) => i);
  return from === 'last' ? [0, rank, ...others.map((i) => i + 1)] : [0, ...others.map((i) => i + 2), 1];
}

/** Collects the nodes and tensors of a file. */
export class GraphWriter {
  readonly nodes: NewNode[] = [];
  readonly tensors = new Map<string, OnnxTensor>();
  /** Values whose channels were moved, by name. */
  readonly #moved = new Map<string, GraphValue>();
  readonly #constants = new Map<string, string>();
  /** The node of the network that is being written: prefix of names. */
  #prefix = '';
  #count = 0;

  /** Names from now on begin with `prefix`, which no other part of the graph has. */
  begin(prefix: string): void {
    this.#prefix = prefix;
    this.#count = 0;
  }

  /** Writes an operator; returns the name of its result. `name` replaces the writer's own. */
  operator(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, NewAttribute>> = {},
    name?: string,
  ): string {
    const own = this.#count === 0 ? this.#prefix : `${this.#prefix}/${this.#count}`;
    this.#count++;
    const output = name ?? `${own}/${operator}`;
    this.nodes.push({ name: own, operator, inputs, outputs: [output], attributes });
    return output;
  }

  /** A tensor of parameters, once for each name. */
  tensor(name: string, shape: readonly number[], make: () => Float32Array): string {
    if (!this.tensors.has(name)) this.tensors.set(name, { shape, values: make() });
    return name;
  }

  #constant(kind: string, shape: readonly number[], values: Float32Array | readonly number[]): string {
    const key = `${kind}:${shape}:${Array.from(values)}`;
    const name = this.#constants.get(key) ?? `/constant_${this.#constants.size}`;
    this.#constants.set(key, name);
    this.tensors.set(name, { shape, values });
    return name;
  }

  /** A float32 number for all elements. */
  number(value: number): string {
    return this.#constant('number', [], Float32Array.of(value));
  }

  /** The same float32 number `count` times. */
  numbers(value: number, count: number): string {
    return this.#constant('numbers', [count], new Float32Array(count).fill(value));
  }

  floats(values: readonly number[]): string {
    return this.#constant('floats', [values.length], Float32Array.from(values));
  }

  integers(values: readonly number[]): string {
    return this.#constant('integers', [values.length], values);
  }

  /** The value with its channels there. */
  as(value: GraphValue, channels: Channels): GraphValue {
    if (value.channels === channels) return value;
    const { name, shape } = value;
    if (shape.length === 1) return { ...value, channels };
    const known = this.#moved.get(name);
    if (known !== undefined) return known;
    const perm = { ints: toOther(shape.length, value.channels) };
    const moved = { name: this.operator('Transpose', [name], { perm }), shape, channels };
    this.#moved.set(name, moved);
    this.#moved.set(moved.name, value);
    return moved;
  }

  /** A value's numbers in another shape of the file, which is given without the batch. */
  reshaped(name: string, shape: Shape): string {
    return this.operator('Reshape', [name, this.integers([0, ...shape])]);
  }
}

/** A node of the network that is being written. */
export interface LayerWriting {
  readonly graph: GraphWriter;
  readonly node: PlacedNode;
  readonly inputs: readonly GraphValue[];
  /** A parameter or state by its own name, such as `weight`, as a tensor of the file. */
  parameter(own: string, form?: { shape: Shape; place: (i: number) => number; suffix?: string }): string;
  has(own: string): boolean;
}

/** The error for a node that can't be written. */
export function notExported({ label, spec }: PlacedNode, why: string): BlasnetError {
  return new BlasnetError('INVALID_ARGUMENT', `toOnnx: ${label}: ${quote(spec.type)} can't be exported: ${why}`);
}
