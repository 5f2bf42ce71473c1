import { types } from 'node:util';
import { checkStorage, invalid, MAX_SIZE } from './checks.js';
import { BlasnetError } from './errors.js';
import { sharedBytes, sharedFloats, sharedIntegers } from './shared-memory.js';
import type { IntegerArray, NestedNumbers, TypedArray } from './types.js';

/**
 * Reads numbers from callers: a typed array of numbers from any realm, or (nested) arrays of numbers or typed arrays.
 * Holes, strings, arrays of big integers, rows of unequal length, and detached or resizable storage are rejected;
 * errors name the position, as in `x[3][1]`. Borrowed arrays are wrapped in new views, so that their class is from this
 * realm.
 *
 * `shared`: the result is in shared memory, which JavaScript can't detach, so native threads may keep its address. Each
 * block has its own SharedArrayBuffer. Its alignment depends on the engine, as JavaScript can't see addresses; kernels
 * read datasets with unaligned loads.
 */

const MAX_DEPTH = 8;

/** Numbers in one block, with their original shape (`[length]` for a flat array). */
export interface Block<T> {
  data: T;
  shape: number[];
}

/** The product of sizes: the number of elements of a shape. */
export function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}

/** True for typed arrays of numbers, from any realm; false for arrays of big integers and for DataViews. */
export function isNumeric(value: unknown): value is TypedArray {
  return types.isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value);
}

export function isFloatArray(value: unknown): value is Float32Array | Float64Array {
  return types.isFloat32Array(value) || types.isFloat64Array(value);
}

const integerArrays = [
  types.isUint8Array,
  types.isUint8ClampedArray,
  types.isInt8Array,
  types.isInt16Array,
  types.isUint16Array,
  types.isInt32Array,
  types.isUint32Array,
];

export function isIntegerArray(value: unknown): value is IntegerArray {
  return integerArrays.some((is) => is(value));
}

type View<T> = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T;

/**
 * The array itself if it is of this realm's plain class, otherwise a view of its memory that is: a subclass, whose
 * constructor also makes the views of `subarray`, may do anything.
 */
export function plainView<T extends Uint8Array | Int32Array | Float32Array>(array: T, constructor: View<T>): T {
  if (Object.getPrototypeOf(array) === constructor.prototype) return array;
  return new constructor(array.buffer, array.byteOffset, array.length);
}

/** A view of the first elements of `buffer`, of the type and length of `like` but of a plain class. */
export function viewLike<T extends Uint8Array | Int32Array | Float32Array>(like: T, buffer: SharedArrayBuffer): T {
  const plain: unknown = types.isFloat32Array(like) ? Float32Array : types.isInt32Array(like) ? Int32Array : Uint8Array;
  return new (plain as View<T>)(buffer, 0, like.length);
}

/** Float32 numbers; a Float32Array is borrowed, everything else copied. */
export function readFloats(name: string, value: unknown): Block<Float32Array> {
  if (!types.isFloat32Array(value)) return copy(name, value, (length) => new Float32Array(length));
  checkStorage(name, value);
  return { data: plainView(value, Float32Array), shape: [value.length] };
}

/**
 * Bytes stay bytes, everything else becomes float32, in shared memory; shared storage is borrowed, other storage
 * copied.
 */
export function readSharedFeatures(name: string, value: unknown): Block<Uint8Array | Float32Array> {
  if (!types.isUint8Array(value) && !types.isUint8ClampedArray(value)) return readSharedFloats(name, value);
  checkStorage(name, value);
  const shape = [value.length];
  if (types.isSharedArrayBuffer(value.buffer)) {
    return { data: new Uint8Array(value.buffer, value.byteOffset, value.length), shape };
  }
  const data = sharedBytes(value.length);
  data.set(value);
  return { data, shape };
}

/** Float32 numbers in shared memory; a shared Float32Array is borrowed, everything else copied. */
export function readSharedFloats(name: string, value: unknown): Block<Float32Array> {
  const shared = types.isFloat32Array(value) && types.isSharedArrayBuffer(value.buffer);
  if (!shared) return copy(name, value, sharedFloats);
  checkStorage(name, value);
  return { data: new Float32Array(value.buffer, value.byteOffset, value.length), shape: [value.length] };
}

/** Numbers unchanged: typed arrays are borrowed, arrays become float64. */
export function readNumbers(name: string, value: unknown): Block<TypedArray> {
  if (!isNumeric(value)) return copy(name, value, (length) => new Float64Array(length));
  checkStorage(name, value);
  return { data: value, shape: [value.length] };
}

/**
 * Class indices; an Int32Array is borrowed, everything else copied. Throws `LABEL_OUT_OF_RANGE`, naming the row, for a
 * label that is negative or not below `classes`.
 */
export function readLabels(name: string, value: unknown, classes = MAX_SIZE): Int32Array {
  return labels(name, value, classes, types.isInt32Array(value), (length) => new Int32Array(length));
}

/**
 * Class indices in shared memory; a shared Int32Array is borrowed, everything else copied. Throws like
 * {@link readLabels}.
 */
export function readSharedLabels(name: string, value: unknown, classes = MAX_SIZE): Int32Array {
  const shared = types.isInt32Array(value) && types.isSharedArrayBuffer(value.buffer);
  return labels(name, value, classes, shared, sharedIntegers);
}

/**
 * Integers from 0 to 2³¹ − 1 in shared memory; a shared Int32Array is borrowed and not checked, everything else copied.
 */
export function readSharedIntegers(name: string, value: unknown): Int32Array {
  const { data, shape } = readNumbers(name, value);
  if (shape.length > 1) throw invalid(name, 'a list of integers', value);
  if (types.isInt32Array(data) && types.isSharedArrayBuffer(data.buffer)) return plainView(data, Int32Array);
  const integers = sharedIntegers(data.length);
  for (let i = 0; i < data.length; i++) {
    if (!Number.isInteger(data[i]) || data[i] < 0 || data[i] > MAX_SIZE)
      throw invalid(`${name}[${i}]`, `an integer from 0 to ${MAX_SIZE}`, data[i]);
    integers[i] = data[i];
  }
  return integers;
}

function labels(
  name: string,
  value: unknown,
  classes: number,
  borrow: boolean,
  allocate: (length: number) => Int32Array,
): Int32Array {
  if (!Array.isArray(value) && !isIntegerArray(value)) {
    throw invalid(name, 'an integer typed array or an array of integers', value);
  }
  if (!Array.isArray(value)) checkStorage(name, value);
  const { length } = value;
  const data = borrow ? plainView(value as Int32Array, Int32Array) : allocate(length);
  for (let row = 0; row < length; row++) {
    const label: unknown = value[row];
    if (!Number.isInteger(label)) throw invalid(`${name}[${row}]`, 'an integer', label);
    if ((label as number) < 0 || (label as number) >= classes) {
      throw new BlasnetError('LABEL_OUT_OF_RANGE', `${name}: row ${row}: expected 0 to ${classes - 1}, got ${label}`);
    }
    if (data !== value) data[row] = label as number;
  }
  return data;
}

function copy<T extends Float32Array | Float64Array>(
  name: string,
  value: unknown,
  allocate: (length: number) => T,
): Block<T> {
  if (Array.isArray(value)) return flatten(name, value, allocate);
  if (!isNumeric(value)) throw invalid(name, 'a typed array of numbers or (nested) arrays of numbers', value);
  checkStorage(name, value);
  const data = allocate(value.length);
  data.set(value);
  return { data, shape: [value.length] };
}

function isList(value: unknown): value is NestedNumbers | TypedArray {
  return Array.isArray(value) || isNumeric(value);
}

/** Copies nested arrays into one block; the first entry of each depth sets the length of its siblings. */
function flatten<T extends Float32Array | Float64Array>(
  name: string,
  list: NestedNumbers,
  allocate: (length: number) => T,
): Block<T> {
  const shape: number[] = [];
  for (let entry: unknown = list; isList(entry); entry = entry[0]) {
    if (shape.length === MAX_DEPTH) throw invalid(name, `arrays nested at most ${MAX_DEPTH} deep`, list);
    shape.push(entry.length);
  }
  const data = allocate(shape.reduce((product, size) => product * size, 1));
  let at = 0;

  const fill = (entry: unknown, depth: number, path: string): void => {
    if (!isList(entry)) throw invalid(path, `${shape[depth]} entries, as its siblings have`, entry);
    if (entry.length !== shape[depth]) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `${path}: expected ${shape[depth]} entries, as its siblings have, got ${entry.length}`,
      );
    }
    if (isNumeric(entry)) checkStorage(path, entry);
    for (let i = 0; i < shape[depth]; i++) {
      const item = entry[i];
      if (depth + 1 < shape.length) {
        fill(item, depth + 1, `${path}[${i}]`);
      } else {
        if (typeof item !== 'number') throw invalid(`${path}[${i}]`, 'a number', item);
        data[at++] = item;
      }
    }
  };
  fill(list, 0, name);
  return { data, shape };
}
