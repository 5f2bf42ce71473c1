import { checkArity, checkOptions, invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Fans, Initializer } from '../initializers.js';
import {
  type Builder,
  elements,
  type MergePass,
  type Mode,
  type Pass,
  type Shape,
  type Tensor,
} from '../program/instructions.js';
import type { Regularizer } from '../regularizers.js';

/** A layer as plain data: its type and its resolved options. */
export interface LayerSpec {
  readonly type: string;
  /** Prefix of the layer's parameter names; default: its index in the network. */
  readonly name?: string;
}

/** A trainable tensor of a layer. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: Initializer;
  readonly fans: Fans;
  /** Weights are regularised; biases, gammas and betas are not. */
  readonly weight: boolean;
  readonly regularizer?: Regularizer | undefined;
}

/** A tensor that a layer keeps but that is not trained, such as running statistics. */
export interface StateSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: number;
}

/** A layer with known shapes. */
export interface Layer {
  readonly output: Shape;
  readonly parameters: readonly ParameterSpec[];
  readonly state: readonly StateSpec[];
  /**
   * For layers that normalise by batch statistics in training: values per row, how to handle a single value, and
   * whether the statistics are those of all ranks.
   */
  readonly batchStatistics?: {
    readonly valuesPerRow: number;
    readonly singleValue: 'error' | 'allow';
    readonly sync?: boolean | undefined;
  };
  /** Emits the forward pass. */
  forward(builder: Builder, x: Tensor, mode: Mode): Pass;
}

/** A layer of several inputs with known shapes. */
export interface Merge {
  readonly output: Shape;
  forward(builder: Builder, xs: readonly Tensor[], mode: Mode): MergePass;
}

/** A layer with known shapes for any number of inputs: the form that the compiler uses. */
export interface Operation extends Omit<Layer, 'forward'>, Merge {}

/** Infers a layer's shapes from its spec and input shape. Throws `SHAPE_MISMATCH` if they don't fit. */
export type LayerFactory<S extends LayerSpec = LayerSpec> = (spec: S, input: Shape) => Layer;

/** Infers the shapes of a layer of several inputs. Throws `SHAPE_MISMATCH`, naming the shapes, if they don't fit. */
export type MergeFactory<S extends LayerSpec = LayerSpec> = (spec: S, inputs: readonly Shape[]) => Merge;

/** Rebuilds a spec from its fields (without `type`) with the layer's public function, which checks them. */
export type LayerReader = (fields: never) => LayerSpec;

interface LayerType {
  readonly read: LayerReader | undefined;
  /** Number of inputs; undefined for two or more. */
  readonly arity: 1 | undefined;
  operation(spec: LayerSpec, inputs: readonly Shape[]): Operation;
}

const types = new Map<string, LayerType>();

/** Registers a layer type with the compiler and, with `read`, for loading networks from files. */
export function registerLayer<S extends LayerSpec>(
  type: string,
  read: LayerReader | undefined,
  factory: LayerFactory<S>,
): void {
  const operation = (spec: LayerSpec, [input]: readonly Shape[]): Operation => {
    const { forward, ...layer } = factory(spec as S, input);
    return {
      ...layer,
      forward(builder, [x], mode) {
        const { y, backward } = forward(builder, x, mode);
        return { y, backward: (dy, [wanted]) => [backward(dy, wanted)] };
      },
    };
  };
  types.set(type, { read, arity: 1, operation });
}

/** Registers a layer type of two or more inputs. */
export function registerMerge<S extends LayerSpec>(
  type: string,
  read: LayerReader | undefined,
  factory: MergeFactory<S>,
): void {
  const operation = (spec: LayerSpec, inputs: readonly Shape[]): Operation => {
    return { parameters: [], state: [], ...factory(spec as S, inputs) };
  };
  types.set(type, { read, arity: undefined, operation });
}

/** The types registered so far. */
export function layerTypes(): ReadonlySet<string> {
  return new Set(types.keys());
}

/** Calls `make`; errors name the layer, as a network may have several of its type. */
export function named<T>(layer: string | undefined, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof BlasnetError) || layer === undefined) throw cause;
    throw new BlasnetError(cause.code, `${layer}: ${cause.message}`, { cause });
  }
}

/** A layer's spec from the fields in a file. Throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION` if they are invalid. */
export function readLayer(name: string, { type, ...fields }: Readonly<Record<string, unknown>>): LayerSpec {
  const read = typeof type === 'string' ? types.get(type)?.read : undefined;
  if (read === undefined) throw invalid(`${name}: type`, 'a type of layer', type);
  return named(name, () => read(fields as never));
}

/**
 * A layer's spec with checked options. Specs that were not made by a layer function, such as copies, are read as if
 * from a file (if their type supports it). `label` names the layer in messages.
 */
export function resolveLayer(spec: unknown, label: string): LayerSpec {
  const { type } = (typeof spec === 'object' && spec !== null ? spec : {}) as Partial<LayerSpec>;
  const known = type === undefined ? undefined : types.get(type);
  if (known === undefined) throw invalid(label, 'a layer such as dense(100) or relu()', spec);
  const given = spec as LayerSpec;
  return checked.has(given) || known.read === undefined ? given : readLayer(label, { ...given });
}

/** The operation of a resolved spec on the given inputs. `label`, if any, begins the messages of errors. */
export function createOperation(spec: LayerSpec, inputs: readonly Shape[], label?: string): Operation {
  const { arity, operation } = types.get(spec.type) as LayerType;
  return named(label, () => {
    if (arity === 1 ? inputs.length !== 1 : inputs.length < 2) {
      const wanted = arity === 1 ? 'one input' : 'two or more inputs';
      throw new BlasnetError('INVALID_ARGUMENT', `${spec.type}: expected ${wanted}, got ${inputs.length}`);
    }
    const made = operation(spec, inputs);
    const size = elements(made.output);
    if (size > MAX_SIZE) {
      const text = `a sample of the shape [${made.output.join(', ')}] has too many numbers; at most ${MAX_SIZE}`;
      throw new BlasnetError('INVALID_ARGUMENT', `${spec.type}: output: ${text}`);
    }
    return made;
  });
}

/** Checks and returns a layer's options, including its name. */
export function layerOptions<T extends { name?: string }>(
  type: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  checkArity('layerOptions', arguments, 3);
  const given = checkOptions(type, options, ['name', ...known]);
  if (given.name !== undefined) checkName(`${type}: name`, given.name);
  return given;
}

/** Whether a layer, an input or an output, or a registered part can have this name. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z_][\w-]*$/.test(name);
}

export function checkName(label: string, name: unknown): string {
  if (isName(name)) return name;
  throw invalid(label, 'a name of letters, digits, _ and -, beginning with a letter or _', name);
}

/** Specs created by {@link spec}, whose options have been checked. */
const checked = new WeakSet<object>();

/** Freezes a list and its elements. */
function freezeList(value: unknown): void {
  if (Array.isArray(value)) Object.freeze(value).forEach(freezeList);
}

/** A frozen spec with checked options; `name` is omitted if undefined. */
export function spec<S extends LayerSpec>(fields: Omit<S, 'name'> & { name: string | undefined }): S {
  checkArity('spec', arguments, 1);
  const { name, ...rest } = fields;
  const made = Object.freeze(name === undefined ? rest : { ...rest, name });
  Object.values(made).forEach(freezeList);
  checked.add(made);
  return made as unknown as S;
}

/** The error for a layer whose input has another shape than it can take. */
export function mismatch(type: string, wanted: string, input: Shape): BlasnetError {
  return new BlasnetError('SHAPE_MISMATCH', `${type}: input: expected ${wanted}, got [${input.join(', ')}]`);
}

/** Checks the input's last dimension, on which dense layers and batch norm operate. */
export function flatFeatures(type: string, input: Shape): number {
  if (input.length !== 1) throw mismatch(type, 'samples of the shape [features] (put flatten() before it)', input);
  return input[0];
}
