/**
 * The entry point `blasnet/extend`: for layers, losses and optimizers that write kernel calls themselves. Layers that
 * existing ones can express are functions from a node to a node, and losses `customLoss`; both need nothing of this.
 */
import { checkArity, checkBoolean, checkNumber, checkShape, invalid } from './checks.js';
import type { Initializer } from './initializers.js';
import {
  registerLayer as addLayer,
  registerMerge as addMerge,
  checkName,
  type Layer,
  type LayerFactory,
  type LayerReader,
  type LayerSpec,
  layerTypes,
  type Merge,
  type MergeFactory,
  type ParameterSpec,
  type StateSpec,
} from './layers/layer.js';
import { registerLoss as addLoss, type Loss, lossKinds } from './losses/loss.js';
import { registerOptimizer as addOptimizer, type OptimizerClass, optimizerKinds } from './optimizers/optimizer.js';
import { isTensor, type MergePass, type Pass } from './program/instructions.js';
import { resolveRegularizer } from './regularizers.js';
import './layers/index.js';
import './losses/index.js';
import './optimizers/index.js';

export { merge } from './graph/node.js';
export { codeOf, codes } from './kernels/codes.js';
export {
  type Layer,
  type LayerFactory,
  type LayerReader,
  type LayerSpec,
  layerOptions,
  type Merge,
  type MergeFactory,
  type ParameterSpec,
  type StateSpec,
  spec,
} from './layers/layer.js';
export { freeze as makeLoss, type Loss, type LossTensors, type TargetKind } from './losses/loss.js';
export { commonOptions, Optimizer, type OptimizerOptions, type UpdateTensors } from './optimizers/optimizer.js';
export {
  type Builder,
  elements,
  type Frozen,
  type MergePass,
  type Mode,
  type Pass,
  rows,
  type Shape,
  type Tensor,
  type Value,
} from './program/instructions.js';
export type { Initializer };

/** The library's own names, which nobody else may take. */
const taken = { layer: layerTypes(), loss: lossKinds(), optimizer: optimizerKinds() };

function checkFree(what: keyof typeof taken, given: unknown): string {
  const name = checkName(`${what}: name`, given);
  if (taken[what].has(name)) throw invalid(`${what}: name`, `a name that none of the library's has`, name);
  return name;
}

/** What a factory or a pass returned; `what` lists the fields that it must have. */
function checkObject<T extends object>(name: string, value: T, what: string): T {
  if (typeof value !== 'object' || value === null) throw invalid(name, `an object with ${what}`, value);
  return value;
}

function checkTensors(name: string, specs: readonly (ParameterSpec | StateSpec)[], names: Set<string>): void {
  if (!Array.isArray(specs)) throw invalid(name, 'a list', specs);
  specs.forEach((given, i) => {
    const own = checkName(`${name}[${i}]: name`, checkObject(`${name}[${i}]`, given, 'name and shape').name);
    if (names.has(own)) throw invalid(`${name}[${i}]: name`, 'unique names', own);
    names.add(own);
    checkShape(`${name}[${i}]: shape`, given.shape);
  });
}

/** Throws `INVALID_ARGUMENT` unless a factory's result has what layers of one and of several inputs have. */
function checkMerge<T extends Layer | Merge>(label: string, layer: T): T {
  checkObject(label, layer, 'output and forward');
  checkShape(`${label}: output`, layer.output);
  checkFunction(`${label}: forward`, layer.forward);
  return layer;
}

/** Throws `INVALID_ARGUMENT` unless a factory's result is a layer of one input. */
function checkLayer(label: string, layer: Layer): Layer {
  const { parameters, state } = checkMerge(label, layer);
  const names = new Set<string>();
  checkTensors(`${label}: parameters`, parameters, names);
  parameters.forEach(({ initializer, fans, weight, regularizer }, i) => {
    const own = `${label}: parameters[${i}]`;
    if (typeof initializer?.sampler !== 'function')
      throw invalid(`${own}: initializer`, 'an initializer such as glorotNormal()', initializer);
    checkObject(`${own}: fans`, fans, 'fanIn and fanOut');
    checkNumber(`${own}: fans: fanIn`, fans.fanIn, { min: 0 });
    checkNumber(`${own}: fans: fanOut`, fans.fanOut, { min: 0 });
    checkBoolean(`${own}: weight`, weight);
    resolveRegularizer(`${own}: regularizer`, regularizer);
  });
  checkTensors(`${label}: state`, state, names);
  state.forEach(({ initial }, i) => checkNumber(`${label}: state[${i}]: initial`, initial));
  return layer;
}

/** Throws `INVALID_ARGUMENT` unless what `forward` returned is a pass. */
function checkPass<T extends Pass | MergePass>(label: string, pass: T): T {
  const { y, backward } = checkObject(label, pass, 'y and backward');
  if (typeof y !== 'object' || y === null || !isTensor(y)) throw invalid(`${label}: y`, 'a tensor', y);
  checkFunction(`${label}: backward`, backward);
  return pass;
}

function checkFunction(name: string, value: unknown, optional = false): void {
  if (typeof value !== 'function' && !(optional && value === undefined)) throw invalid(name, 'a function', value);
}

/**
 * Registers a type of layer with one input. `factory` gets a spec and the input's shape, and returns a `Layer`, or
 * throws `SHAPE_MISMATCH`. A network with a layer that lacks a field, or has one that is not valid, throws
 * `INVALID_ARGUMENT`. `read` makes a spec again from the fields in a file; without it networks with the layer
 * can't be loaded. Throws `INVALID_ARGUMENT` for a type of the library's.
 */
export function registerLayer<S extends LayerSpec>(
  type: string,
  read: LayerReader | undefined,
  factory: LayerFactory<S>,
): void {
  checkArity('registerLayer', arguments, 3);
  checkFunction('registerLayer: read', read, true);
  checkFunction('registerLayer: factory', factory);
  const label = `layer type "${type}"`;
  addLayer<S>(checkFree('layer', type), read, (given, input) => {
    const { forward, ...layer } = checkLayer(label, factory(given, input));
    return { ...layer, forward: (builder, x, mode) => checkPass(`${label}: forward`, forward(builder, x, mode)) };
  });
}

/** As {@link registerLayer} for a layer of two or more inputs, whose nodes `merge(spec, nodes)` makes. */
export function registerMerge<S extends LayerSpec>(
  type: string,
  read: LayerReader | undefined,
  factory: MergeFactory<S>,
): void {
  checkArity('registerMerge', arguments, 3);
  checkFunction('registerMerge: read', read, true);
  checkFunction('registerMerge: factory', factory);
  const label = `layer type "${type}"`;
  addMerge<S>(checkFree('layer', type), read, (given, inputs) => {
    const { forward, ...layer } = checkMerge(label, factory(given, inputs));
    return { ...layer, forward: (builder, xs, mode) => checkPass(`${label}: forward`, forward(builder, xs, mode)) };
  });
}

/** Registers a loss for loading files: `make` makes it from its saved options. Errors as in {@link registerLayer}. */
export function registerLoss(kind: string, make: (options: never) => Loss): void {
  checkArity('registerLoss', arguments, 2);
  checkFunction('registerLoss: make', make);
  addLoss(checkFree('loss', kind), make);
}

/**
 * Registers a class of optimizers for loading files, made from its saved options. Errors as in {@link registerLayer}.
 */
export function registerOptimizer(kind: string, make: OptimizerClass): void {
  checkArity('registerOptimizer', arguments, 2);
  checkFunction('registerOptimizer: make', make);
  addOptimizer(checkFree('optimizer', kind), make);
}

export type { OptimizerClass };
