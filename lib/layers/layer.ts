import { checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Fans, Initializer } from '../initializers.js';
import type { Builder, Mode, Pass, Shape, Tensor } from '../program/instructions.js';
import type { Regularizer } from '../regularizers.js';

/** A layer as plain data: its type and its resolved options. */
export interface LayerSpec {
  readonly type: string;
  /** Names the layer's parameters; default: its index in the network. */
  readonly name?: string;
}

export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: Initializer;
  readonly fans: Fans;
  /** Weights are regularised; biases, gammas and betas are not. */
  readonly weight: boolean;
  readonly regularizer?: Regularizer | undefined;
}

export interface StateSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: number;
}

/** A layer with its shapes known. */
export interface Layer {
  readonly output: Shape;
  readonly parameters: readonly ParameterSpec[];
  readonly state: readonly StateSpec[];
  /** Writes the forward pass. */
  forward(builder: Builder, x: Tensor, mode: Mode): Pass;
}

/** Infers a layer's shapes from its spec and its input's shape; throws `SHAPE_MISMATCH` when they don't fit. */
export type LayerFactory<S extends LayerSpec = LayerSpec> = (spec: S, input: Shape) => Layer;

const factories = new Map<string, LayerFactory>();

/** Makes a layer type known to the compiler. */
export function registerLayer<S extends LayerSpec>(type: string, factory: LayerFactory<S>): void {
  factories.set(type, factory as unknown as LayerFactory);
}

/** Makes a spec again from its fields but `type`, through the layer's public function, which checks them. */
export type LayerReader = (fields: never) => LayerSpec;

const readers = new Map<string, LayerReader>();

/** Lets networks with layers of this type be loaded from files. */
export function registerReader(type: string, read: LayerReader): void {
  readers.set(type, read);
}

/** What `make` gives; its errors tell the layer first, as a network may have many of its type. */
function named<T>(layer: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof BlasnetError)) throw cause;
    throw new BlasnetError(cause.code, `${layer}: ${cause.message}`, { cause });
  }
}

/** A layer's spec from the fields that a file holds; throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION` when they make none. */
export function readLayer(name: string, { type, ...fields }: Readonly<Record<string, unknown>>): LayerSpec {
  const read = typeof type === 'string' ? readers.get(type) : undefined;
  if (read === undefined) throw invalid(`${name}: type`, 'a type of layer', type);
  return named(name, () => read(fields as never));
}

/** A layer's spec with its options checked: one that no layer's function has made, say a copy, is read as if it came from a file (where its type can be read). */
export function resolveLayer(spec: LayerSpec, position: number): LayerSpec {
  const known = typeof spec === 'object' && spec !== null && factories.has(spec.type);
  if (!known) throw invalid(`layers[${position}]`, 'a layer such as dense(100) or relu()', spec);
  return checked.has(spec) || !readers.has(spec.type) ? spec : readLayer(`layers[${position}]`, { ...spec });
}

/** A layer of a resolved spec, behind `input`. */
export function createLayer(spec: LayerSpec, input: Shape, position: number): Layer {
  return named(`layers[${position}]`, () => (factories.get(spec.type) as LayerFactory)(spec, input));
}

/** Checks a layer's options, its name included, and returns them. */
export function layerOptions<T extends { name?: string }>(
  type: string,
  options: T | undefined,
  known: readonly string[],
): Partial<T> {
  const given = checkOptions(type, options, ['name', ...known]);
  if (given.name !== undefined && (typeof given.name !== 'string' || !/^[A-Za-z_][\w-]*$/.test(given.name))) {
    throw invalid(`${type}: name`, 'a name of letters, digits, _ and -, beginning with a letter or _', given.name);
  }
  return given;
}

/** The specs that come from {@link spec}: their options have been checked. */
const checked = new WeakSet<object>();

/** A frozen spec of checked options; `name` is left out when undefined. */
export function spec<S extends LayerSpec>(fields: Omit<S, 'name'> & { name: string | undefined }): S {
  const { name, ...rest } = fields;
  const made = Object.freeze(name === undefined ? rest : { ...rest, name });
  checked.add(made);
  return made as unknown as S;
}

/** The input's last dimension is what dense layers and batch norm work on; these check it. */
export function flatFeatures(type: string, input: Shape): number {
  if (input.length !== 1) {
    const wanted = 'samples of the shape [features] (put flatten() before it)';
    throw new BlasnetError('SHAPE_MISMATCH', `${type}: input: expected ${wanted}, got [${input.join(', ')}]`);
  }
  return input[0];
}
