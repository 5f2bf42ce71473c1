/**
 * The entry point `blasnet/extend`: for layers, losses and optimizers that write kernel calls themselves. Layers that
 * existing ones can express are functions from a node to a node, and losses `customLoss`; both need nothing of this.
 */
import { checkArity, invalid } from './checks.js';
import type { Initializer } from './initializers.js';
import {
  registerLayer as addLayer,
  registerMerge as addMerge,
  checkName,
  type LayerFactory,
  type LayerReader,
  type LayerSpec,
  layerTypes,
  type MergeFactory,
} from './layers/layer.js';
import { registerLoss as addLoss, type Loss, lossKinds } from './losses/loss.js';
import { registerOptimizer as addOptimizer, type OptimizerClass, optimizerKinds } from './optimizers/optimizer.js';
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

function checkFunction(name: string, value: unknown, optional = false): void {
  if (typeof value !== 'function' && !(optional && value === undefined)) throw invalid(name, 'a function', value);
}

/**
 * Registers a type of layer with one input. `factory` gets a spec and the input's shape, and returns a `Layer`, or
 * throws `SHAPE_MISMATCH`. `read` makes a spec again from the fields in a file; without it networks with the layer
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
  addLayer(checkFree('layer', type), read, factory);
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
  addMerge(checkFree('layer', type), read, factory);
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
