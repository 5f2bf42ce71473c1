/** Parameters and state as a network's users see them. */
import { invalid } from './checks.js';
import { BlasnetError } from './errors.js';
import type { Shape } from './program/instructions.js';
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

export interface ParameterView extends StateView {
  /** Gradient from the last `gradients`, `trainBatch` or training step. A step that freezes the parameter leaves it. */
  readonly gradient: Float32Array;
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
  for (const [target, source] of copies) target.value.set(source.value);
  return copies.map(([{ name }]) => name);
}
