import { checkArity, checkInteger, checkOptions, checkSparseRows, invalid, lock, SIZES } from '../checks.js';
import { readSharedFloats, readSharedIntegers } from '../numbers.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import type { IntegerArray, Shape, TypedArray } from '../types.js';
import {
  type ColumnChange,
  LabelledRows,
  type LabelledRowsOptions,
  oneHotOptions,
  picked,
  ROW_OPTIONS,
  readRows,
  rowOptions,
  sliced,
  unchanged,
} from './rows.js';

/** Options of {@link SparseDataset}'s constructor: the rows, and what they are to become. */
export interface SparseDatasetOptions extends LabelledRowsOptions {
  /**
   * Where the entries of each row begin, and then where the last row's end: rows + 1 numbers that don't fall. Row i has
   * the entries `rowOffsets[i]` to `rowOffsets[i + 1]` (exclusive) of `indices` and `values`.
   */
  rowOffsets: IntegerArray | readonly number[];
  /** Column of each entry, ascending within each row, from 0 to `columns` − 1; at most 2^31 − 1 entries. */
  indices: IntegerArray | readonly number[];
  /** Number of each entry; rounded to float32. All other numbers of a row are 0. */
  values: TypedArray | readonly number[];
  /** Numbers per row as the network sees it. */
  columns: number;
}

const OPTIONS: readonly (keyof SparseDatasetOptions)[] = [...ROW_OPTIONS, 'rowOffsets', 'indices', 'values', 'columns'];

/**
 * Samples of which most numbers are 0, such as hashed texts, as compressed sparse rows (CSR) in shared memory; labels,
 * targets and weights as in a `Dataset`. A run expands them batch by batch: besides the entries, memory holds one batch
 * of `columns` numbers a row. Training gives the same bits as with a `Dataset` of the same rows as floats.
 *
 * Data in a SharedArrayBuffer of the types `Int32Array` and `Float32Array` are used without a copy: don't change them.
 * Everything else is copied once.
 *
 * The constructor throws `UNKNOWN_OPTION`, `INVALID_ARGUMENT` (also for offsets that fall, and indices that are not
 * ascending or no columns, naming the row), `SHAPE_MISMATCH` (inconsistent lengths), `LABEL_OUT_OF_RANGE`,
 * `DETACHED_BUFFER`, `RESIZABLE_BUFFER` and `OUT_OF_MEMORY`. As in a `Dataset`, a number that is not finite is reported
 * by the run that uses its row.
 */
export class SparseDataset extends LabelledRows {
  /** Shape of one sample: `[columns]`. */
  readonly shape: Shape;
  /** Numbers per sample. */
  readonly columns: number;
  /** Where the entries of each row begin, and where the last row's end: `length + 1` numbers. */
  readonly rowOffsets: Int32Array;
  /** Column of each entry. */
  readonly indices: Int32Array;
  /** Number of each entry: the same as `features`. */
  readonly values: Float32Array;
  /** Number of each entry, where a `Dataset` has all numbers. */
  readonly features: Float32Array;
  /** Always 1. */
  readonly scale: number;
  /** Always 0. */
  readonly offset: number;

  constructor(options: SparseDatasetOptions) {
    checkArity('SparseDataset', arguments, 1);
    if (options === undefined) throw invalid('options', 'an object with rowOffsets, indices and values', options);
    checkOptions('SparseDataset', options, OPTIONS);
    const columns = checkInteger('columns', options.columns, SIZES);
    const rowOffsets = readSharedIntegers('rowOffsets', options.rowOffsets);
    const indices = readSharedIntegers('indices', options.indices);
    const { data: values, shape } = readSharedFloats('values', options.values);
    if (shape.length > 1) throw invalid('values', 'a list of numbers', options.values);
    if (rowOffsets.length === 0) throw invalid('rowOffsets', 'a number more than there are rows', rowOffsets);
    super(options, () => rowOffsets.length - 1);
    checkSparseRows('', this.length, columns, rowOffsets, indices, values.length);
    this.columns = columns;
    this.shape = Object.freeze([columns]);
    this.rowOffsets = rowOffsets;
    this.indices = indices;
    this.values = values;
    this.features = values;
    this.scale = 1;
    this.offset = 0;
    lock(this, new.target !== SparseDataset);
  }

  /** Row `index` as the network sees it: Float32Array of `columns` numbers. Throws `INVALID_ARGUMENT`. */
  row(index: number): Float32Array {
    checkArity('row', arguments, 1);
    checkInteger('index', index, { min: 0, below: this.length });
    const { rowOffsets, indices, values } = this;
    const out = new Float32Array(this.columns);
    for (let k = rowOffsets[index]; k < rowOffsets[index + 1]; k++) out[indices[k]] = values[k];
    return out;
  }

  /**
   * Rows from `begin` to `end` (exclusive; default: the number of rows), sharing storage. Throws `INVALID_ARGUMENT`.
   */
  slice(begin: number, end: number = this.length): SparseDataset {
    checkArity('slice', arguments, 2);
    checkInteger('begin', begin, { min: 0, max: this.length });
    checkInteger('end', end, { min: begin, max: this.length });
    return this.#with(sliced(begin, end), { rowOffsets: this.rowOffsets.subarray(begin, end + 1) });
  }

  /** The first `count` rows, sharing storage. Throws `INVALID_ARGUMENT` if there are fewer. */
  take(count: number): SparseDataset {
    checkArity('take', arguments, 1);
    checkInteger('count', count, { min: 0, max: this.length });
    return this.slice(0, count);
  }

  /** A copy of the rows at `indices`, in that order; rows may be repeated. Throws `INVALID_ARGUMENT`. */
  subset(indices: IntegerArray | readonly number[]): SparseDataset {
    checkArity('subset', arguments, 1);
    const rows = readRows(indices, this.length);
    const from = this.rowOffsets;
    const rowOffsets = sharedIntegers(rows.length + 1);
    rows.forEach((row, i) => {
      rowOffsets[i + 1] = rowOffsets[i] + from[row + 1] - from[row];
    });
    const entries = { indices: sharedIntegers(rowOffsets[rows.length]), values: sharedFloats(rowOffsets[rows.length]) };
    rows.forEach((row, i) => {
      entries.indices.set(this.indices.subarray(from[row], from[row + 1]), rowOffsets[i]);
      entries.values.set(this.values.subarray(from[row], from[row + 1]), rowOffsets[i]);
    });
    return this.#with(picked(rows), { rowOffsets, ...entries });
  }

  /**
   * A dataset with the same features and one-hot targets, rows × `classes`, instead of labels. Throws
   * `INVALID_ARGUMENT` without labels.
   */
  oneHot(): SparseDataset {
    checkArity('oneHot', arguments, 0);
    return this.#with(unchanged, oneHotOptions(this));
  }

  #with(change: ColumnChange, others: Partial<SparseDatasetOptions>): SparseDataset {
    const { rowOffsets, indices, values, columns } = this;
    return new SparseDataset({ rowOffsets, indices, values, columns, ...rowOptions(this, change), ...others });
  }
}
