/** Inputs, outputs, parameters and state as a network's users see them. */
import { invalid } from './checks.js';
import { BlasnetError } from './errors.js';
import type { Shape } from './program/instructions.js';
import type { Engine } from './runtime/engine.js';
import { listed, shapeText } from './text.js';

/**
 * A parameter or state tensor. The arrays are views of the memory the kernels use: writing to one changes the network.
 */
export interface StateView {
  /** `<layer index or name>.<weight|bias|gamma|…>`. */
  readonly name: string;
  readonly shape: Shape;
  readonly value: Float32Array;
}

/** A parameter with its gradient: views of the memory the kernels use, as in {@link StateView}. */
export interface ParameterView extends StateView {
  /** Gradient from the last `gradients`, `trainBatch` or training step. A step that freezes the parameter leaves it. */
  readonly gradient: Float32Array;
}

/** An input or an output of a network. */
export interface Port {
  /** Undefined if it is the only one and has no name. */
  readonly name: string | undefined;
  /** Shape of one sample. */
  readonly shape: Shape;
  /** For an input of indices, which embeddings take; undefined for numbers. */
  readonly type?: 'index' | undefined;
  /** Of an input of indices: they are below this number, the smallest vocabulary of its embeddings. */
  readonly vocabulary?: number | undefined;
}

/** Inputs or outputs, frozen. */
export function portsOf(list: readonly Port[]): readonly Port[] {
  const ports = list.map(({ name, shape, vocabulary }): Port => {
    const index = vocabulary !== undefined && { type: 'index' as const, vocabulary };
    return Object.freeze({ name, shape: Object.freeze([...shape]), ...index });
  });
  return Object.freeze(ports);
}

/** Views of all parameters, frozen. */
export function parametersOf({ model, parameters, gradients }: Engine): readonly ParameterView[] {
  const views = [...model.parameters].map(([name, { spec, tensor }]) => {
    const [begin, end] = [tensor.offset, tensor.offset + tensor.fixed];
    const [value, gradient] = [parameters.subarray(begin, end), gradients.subarray(begin, end)];
    return Object.freeze({ name, shape: spec.shape, value, gradient });
  });
  return Object.freeze(views);
}

/** The same of the state. */
export function stateOf({ model, state }: Engine): readonly StateView[] {
  const views = [...model.state].map(([name, { spec, tensor }]) =>
    Object.freeze({ name, shape: spec.shape, value: state.subarray(tensor.offset, tensor.offset + tensor.fixed) }),
  );
  return Object.freeze(views);
}

interface Views {
  readonly parameters: readonly ParameterView[];
  readonly state: readonly StateView[];
}

/** Copies parameters and state between networks by name; see `Network.copyParameters`. */
export function copyInto(to: Views, from: Views, map: ((name: string) => string | undefined) | undefined): string[] {
  const copies: [StateView, StateView][] = [];
  for (const part of ['parameters', 'state'] as const) {
    for (const target of to[part]) {
      const name = map === undefined ? target.name : map(target.name);
      if (name === undefined) continue;
      const source = from[part].find((other) => other.name === name);
      if (source === undefined && map === undefined) continue;
      if (source === undefined)
        throw invalid(`map: ${target.name}`, `one of ${listed(from[part].map((other) => other.name))}`, name);
      if (source.shape.join() !== target.shape.join()) {
        const text = `expected the shape ${shapeText(target.shape)}, got ${shapeText(source.shape)} (${name})`;
        throw new BlasnetError('SHAPE_MISMATCH', `${target.name}: ${text}`);
      }
      copies.push([target, source]);
    }
  }
  if (copies.length === 0 && map === undefined)
    throw invalid('from', 'a network with a parameter of the same name as one here', from);
  // All are read before one is written, as the networks can be the same.
  const values = copies.map(([, source]) => source.value.slice());
  copies.forEach(([target], i) => target.value.set(values[i]));
  return copies.map(([{ name }]) => name);
}
