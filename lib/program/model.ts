import { checkShape, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { createLayer, type Layer, type LayerSpec, type ParameterSpec, resolveLayer, type StateSpec } from '../layers/layer.js';
import type { Loss } from '../losses.js';
import { RandomStream, Stream } from '../random.js';
import type { Regularizer } from '../regularizers.js';
import { elements, type Shape, type Tensor } from './instructions.js';

/** Blocks start on 64-byte boundaries: 16 float32 elements. */
export const BLOCK = 16;

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export interface ParameterEntry {
  readonly spec: ParameterSpec;
  readonly tensor: Tensor;
}

export interface StateEntry {
  readonly spec: StateSpec;
  readonly tensor: Tensor;
}

/** A network with all shapes inferred and every parameter placed. */
export interface Model {
  readonly input: Shape;
  readonly output: Shape;
  readonly layers: readonly Layer[];
  /** What the layers were made of. */
  readonly specs: readonly LayerSpec[];
  readonly loss: Loss;
  readonly regularizer: Regularizer | undefined;
  readonly seed: number;
  /** By full name, `<layer>.<parameter>`, in order. */
  readonly parameters: ReadonlyMap<string, ParameterEntry>;
  readonly state: ReadonlyMap<string, StateEntry>;
  /** Name of each layer: its own or its index. */
  readonly names: readonly string[];
  /** Elements of the parameter block, padding included; the gradient block is as long. */
  readonly parameterLength: number;
  readonly stateLength: number;
}

export interface ModelSpec {
  readonly input: Shape;
  readonly layers: readonly LayerSpec[];
  readonly loss: Loss;
  readonly regularizer: Regularizer | undefined;
  readonly seed: number;
}

/** Infers shapes and lays out parameters and state; throws when the layers don't fit together. */
export function buildModel(spec: ModelSpec): Model {
  const input = checkShape('input', spec.input);
  if (!Array.isArray(spec.layers) || spec.layers.length === 0) throw invalid('layers', 'a non-empty list of layers', spec.layers);
  const layers: Layer[] = [];
  const names: string[] = [];
  const taken = new Set<string>();
  const parameters = new Map<string, ParameterEntry>();
  const state = new Map<string, StateEntry>();
  let shape: Shape = input;
  let parameterLength = 0;
  let stateLength = 0;

  const specs = Array.from(spec.layers, resolveLayer);
  specs.forEach((layerSpec, index) => {
    const layer = createLayer(layerSpec, shape, index);
    const name = layerSpec.name ?? String(index);
    if (taken.has(name)) throw invalid(`layers[${index}]: name`, 'a name that no other layer has', name);
    layers.push(layer);
    names.push(name);
    taken.add(name);
    for (const parameter of layer.parameters) {
      const fixed = elements(parameter.shape);
      const full = `${name}.${parameter.name}`;
      const tensor: Tensor = { name: full, storage: 'parameter', type: 'f32', perRow: 0, fixed, offset: parameterLength };
      parameters.set(full, { spec: parameter, tensor });
      parameterLength += roundUp(fixed, BLOCK);
    }
    for (const entry of layer.state) {
      const fixed = elements(entry.shape);
      const full = `${name}.${entry.name}`;
      const tensor: Tensor = { name: full, storage: 'state', type: 'f32', perRow: 0, fixed, offset: stateLength };
      state.set(full, { spec: entry, tensor });
      stateLength += roundUp(fixed, BLOCK);
    }
    shape = layer.output;
  });
  if (parameterLength >= 2 ** 31) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `layers: ${parameterLength} parameters; a network can have at most ${2 ** 31 - 1}`,
    );
  }
  const { loss, regularizer, seed } = spec;
  return { input, output: shape, layers, specs, names, loss, regularizer, seed, parameters, state, parameterLength, stateLength };
}

/** Draws the initial parameters and state: each parameter from its own stream, so that one does not shift the next. */
export function initialize(model: Model, parameters: Float32Array, state: Float32Array): void {
  let index = 0;
  for (const { spec, tensor } of model.parameters.values()) {
    const sample = spec.initializer.sampler(spec.fans, new RandomStream(model.seed, Stream.initializer + index++));
    for (let i = tensor.offset, end = tensor.offset + tensor.fixed; i < end; i++) parameters[i] = sample();
  }
  for (const { spec, tensor } of model.state.values()) state.fill(spec.initial, tensor.offset, tensor.offset + tensor.fixed);
}
