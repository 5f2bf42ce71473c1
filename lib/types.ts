/** Any typed array whose elements are JavaScript numbers. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** Typed arrays that hold class indices. */
export type IntegerArray = Exclude<TypedArray, Float32Array | Float64Array>;

/** Rows of numbers, of any depth; every entry of one depth has the same length. */
export type NestedNumbers = ReadonlyArray<number | TypedArray | NestedNumbers>;

/** Sizes from the outermost dimension to the innermost; row-major, channels last. */
export type Shape = readonly number[];

/** What training and evaluation need of a dataset; `Dataset` of `blasnet/data` is one. */
export interface SampleSource {
  /** Number of rows. */
  readonly length: number;
  /** One sample's shape. */
  readonly shape: Shape;
  /** Rows × product(shape) numbers; the network sees `feature * scale + offset`. */
  readonly features: Uint8Array | Float32Array;
  readonly scale: number;
  readonly offset: number;
  /** One class index a row. */
  readonly labels?: Int32Array | undefined;
  /** Rows × outputs numbers. */
  readonly targets?: Float32Array | undefined;
}
