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

/** Rows of numbers, of any depth; entries of the same depth have the same length. */
export type NestedNumbers = ReadonlyArray<number | TypedArray | NestedNumbers>;

/** Sizes from outermost to innermost dimension; row-major, channels last. */
export type Shape = readonly number[];

/** Samples of one input: rows × product(shape) numbers; the network sees `feature * scale + offset`. */
export interface FeatureColumn {
  /** Shape of one sample. */
  readonly shape: Shape;
  readonly features: Uint8Array | Float32Array;
  readonly scale: number;
  readonly offset: number;
  /**
   * For rows of which most numbers are 0: where each row's entries begin and the last row's end, rows + 1 numbers.
   * `features` are then a Float32Array of the entries alone, `scale` is 1 and `offset` 0.
   */
  readonly rowOffsets?: Int32Array | undefined;
  /** With `rowOffsets`: column of each entry, ascending within each row. */
  readonly indices?: Int32Array | undefined;
}

/** What an output should be: one of these. */
export interface TargetColumn {
  /** Class index per row. */
  readonly labels?: Int32Array | undefined;
  /** Rows × outputs numbers. */
  readonly targets?: Float32Array | undefined;
}

/** What training and evaluation need from a dataset; satisfied by `Dataset` and `SparseDataset` of `blasnet/data`. */
export interface SampleSource extends FeatureColumn, TargetColumn {
  /** Number of rows. */
  readonly length: number;
  /** Several inputs by name. The fields of `FeatureColumn` are then those of the first. */
  readonly inputs?: Readonly<Record<string, FeatureColumn>> | undefined;
  /** What several outputs should be, by name. */
  readonly goals?: Readonly<Record<string, TargetColumn>> | undefined;
  /** Weight of each row in the losses, ≥ 0: of all outputs, or by output. */
  readonly sampleWeights?: Float32Array | Readonly<Record<string, Float32Array>> | undefined;
}
