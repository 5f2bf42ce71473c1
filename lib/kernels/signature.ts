import { type CodeList, codes } from './codes.js';

/**
 * Types of the kernel table. Argument order: outputs, inputs, sizes, settings. Gradients are called d<name>.
 * docs/numerics.md describes what each kernel computes. Two names have a meaning where several ranks share a batch: a
 * kernel with `dprediction` divides by the number of rows; the random numbers of one with `step` are counted by row.
 */

export type ElementType = 'f32' | 'f64' | 'i32' | 'u8';

/** Arrays of each type. */
export interface Arrays {
  f32: Float32Array;
  f64: Float64Array;
  i32: Int32Array;
  u8: Uint8Array;
}

export const elementBytes: Readonly<Record<ElementType, number>> = { f32: 4, f64: 8, i32: 4, u8: 1 };

export interface BufferParameter<
  N extends string = string,
  E extends ElementType = ElementType,
  O extends boolean = boolean,
> {
  readonly name: N;
  readonly kind: 'out' | 'inout' | 'in';
  readonly type: E;
  /** Length in elements: the product of these size parameters; an empty list means one element. */
  readonly length: readonly string[];
  /** May be null. */
  readonly optional: O;
  /** For outputs: inputs that may share the same storage exactly. No other overlap is allowed. */
  readonly alias: readonly string[];
  /** For i32 inputs: every element must be at least 0 and below this size. */
  readonly below: string | undefined;
  /** Every thread reads the whole buffer, even though the kernel's axis is one of its dimensions. */
  readonly whole: boolean;
  /**
   * Split into `parts`, each thread accesses only its share of this dimension (rows of the batch or runs of GRAIN) if
   * there are as many parts as threads.
   */
  readonly along: string | undefined;
}

/**
 * Usual multiple of units for shares of a constant axis. If a unit is one number, it keeps threads off each other's
 * cache lines. C++ has it from native/kernels/signatures.inc, which `npm run generate` writes.
 */
export const GRAIN = 16;

/** Of the axis `parts`: each share computes its own part of the outputs, and the size is the number of shares. */
export const PARTS = 'parts';

/** Shares of a constant axis are multiples of this many units, unless the instruction says otherwise. */
export const grainOf = (axis: string): number => (axis === PARTS ? 1 : GRAIN);

/** Sizes that a kernel takes together: as one struct in C++, as one object in TypeScript. */
export const structs = {
  /**
   * Images of a batch, channels last, and a window that slides over them. `padTop` and `padLeft` are the positions
   * before the first row and column.
   */
  Geometry: [
    ...['height', 'width', 'channels', 'outHeight', 'outWidth', 'windowHeight', 'windowWidth'],
    ...['strideHeight', 'strideWidth', 'padTop', 'padLeft'],
  ],
  /**
   * The same for images whose channels are divided into groups, and windows with gaps between their pixels. `channels`
   * and `filters` are those of one group.
   */
  GroupedGeometry: [
    ...['height', 'width', 'groups', 'channels', 'outHeight', 'outWidth', 'windowHeight', 'windowWidth'],
    ...['strideHeight', 'strideWidth', 'dilationHeight', 'dilationWidth', 'padTop', 'padLeft', 'filters'],
  ],
} as const;

type Structs = typeof structs;
export type StructName = keyof Structs;
export type Geometry = Readonly<Record<Structs['Geometry'][number], number>>;
export type GroupedGeometry = Readonly<Record<Structs['GroupedGeometry'][number], number>>;

/**
 * size: integer ≥ 0; float: finite number; word: unsigned 32-bit integer; flag: 0 or 1; code: an index into `codes`.
 */
export type ValueKind = 'size' | 'float' | 'word' | 'flag' | 'code';

export interface ValueParameter<N extends string = string, K extends ValueKind = ValueKind> {
  readonly name: N;
  readonly kind: K;
  /**
   * A float that the kernel takes as float64, because it computes 1 − value, for example, where float32 would lose
   * digits.
   */
  readonly precise?: boolean;
  /** The struct that this size is a field of. Fields are neighbouring parameters, in the order of `structs`. */
  readonly struct?: StructName;
  /** What the codes stand for. */
  readonly codes?: readonly string[];
}

export type Parameter<N extends string = string> = BufferParameter<N> | ValueParameter<N>;

export interface Signature<P extends readonly Parameter[] = readonly Parameter[]> {
  /**
   * Size parameters along which threads can split the work, one at a time. In a buffer with that dimension, a thread
   * touches only its share. An instruction names its axis or uses the first. None: a single thread does all the work.
   */
  readonly axes: readonly string[];
  readonly parameters: P;
}

/** A kernel's parameters in TypeScript: arrays, numbers, and an object for all fields of a struct. */
type Arguments<P extends readonly Parameter[]> = P extends readonly [
  infer First extends Parameter,
  ...infer Rest extends readonly Parameter[],
]
  ? First extends Field<infer S>
    ? [Readonly<Record<Structs[S][number], number>>, ...Arguments<WithoutFields<Rest>>]
    : [Argument<First>, ...Arguments<Rest>]
  : [];
type Argument<P extends Parameter> =
  P extends BufferParameter<string, infer E, infer O> ? Arrays[E] | (O extends true ? null : never) : number;
type WithoutFields<P extends readonly Parameter[]> = P extends readonly [
  Field<StructName>,
  ...infer Rest extends readonly Parameter[],
]
  ? WithoutFields<Rest>
  : P;

/** The implementation of a kernel in TypeScript. */
export type Implementation<S extends Signature> = (...args: Arguments<S['parameters']>) => void;

interface BufferOptions<E extends ElementType, O extends boolean> {
  type?: E;
  optional?: O;
  alias?: readonly string[];
  below?: string;
  whole?: boolean;
  along?: string;
}

const buffer =
  (kind: BufferParameter['kind']) =>
  <N extends string, E extends ElementType = 'f32', O extends boolean = false>(
    name: N,
    length: string[],
    options: BufferOptions<E, O> = {},
  ): BufferParameter<N, E, O> => {
    const { type = 'f32' as E, optional = false as O, alias = [], below, whole = false, along } = options;
    return { name, kind, type, length, optional, alias, below, whole, along };
  };
export const out = buffer('out');
export const inout = buffer('inout');
export const input = buffer('in');
const value =
  <K extends ValueKind>(kind: K) =>
  <N extends string>(name: N): ValueParameter<N, K> => ({ name, kind });
export const size = value('size');
type Field<S extends StructName, N extends string = string> = ValueParameter<N, 'size'> & { readonly struct: S };
type Fields<S extends StructName, F extends readonly string[]> = { readonly [I in keyof F]: Field<S, F[I]> };
/** The fields of a struct, as parameters. */
export const sizes = <S extends StructName>(struct: S) =>
  structs[struct].map((name) => ({ name, kind: 'size', struct })) as unknown as Fields<S, Structs[S]>;
export const float = value('float');
export const precise = <N extends string>(name: N): ValueParameter<N, 'float'> => ({
  name,
  kind: 'float',
  precise: true,
});
export const word = value('word');
export const flag = value('flag');
export const code = <N extends string>(name: N, list: CodeList): ValueParameter<N, 'code'> => ({
  name,
  kind: 'code',
  codes: codes[list],
});

/** Of a product's operands; sums are in float32. */
export const precision = () => code('precision', 'precision');

export function kernel<const P extends readonly Parameter[]>(
  axis: string | readonly string[] | undefined,
  ...parameters: P
): Signature<P> {
  const axes = typeof axis === 'string' ? [axis] : (axis ?? []);
  return { axes, parameters };
}

export function isBuffer(parameter: Parameter): parameter is BufferParameter {
  return parameter.kind === 'out' || parameter.kind === 'inout' || parameter.kind === 'in';
}
