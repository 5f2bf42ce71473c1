import { types } from 'node:util';
import { checkStorage, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { sharedBuffer } from '../shared-memory.js';
import type { NestedNumbers, TypedArray } from '../types.js';

/**
 * Storage of datasets: typed arrays over SharedArrayBuffers, which JavaScript can't detach, so that native threads may
 * hold their addresses. Each block has a SharedArrayBuffer of its own, whose alignment is the engine's: JavaScript
 * can't see an address, and the kernels read datasets by unaligned loads. Kept storage is viewed anew, so that its class
 * is one of this realm.
 */

const MAX_DEPTH = 8;

/** Numbers in one block, with the shape they were given in (`[length]` for a flat array). */
export interface Block<T> {
  data: T;
  shape: number[];
}

export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(sharedBuffer(length));
}

export function sharedFloats(length: number): Float32Array {
  return new Float32Array(sharedBuffer(length * 4));
}

export function sharedIntegers(length: number): Int32Array {
  return new Int32Array(sharedBuffer(length * 4));
}

/** Bytes stay bytes, everything else becomes float32; shared storage is kept, other storage copied. */
export function toFeatures(name: string, value: unknown): Block<Uint8Array | Float32Array> {
  if (!types.isUint8Array(value) && !types.isUint8ClampedArray(value)) return toFloats(name, value);
  checkStorage(name, value);
  const shape = [value.length];
  if (types.isSharedArrayBuffer(value.buffer)) {
    return { data: new Uint8Array(value.buffer, value.byteOffset, value.length), shape };
  }
  const data = sharedBytes(value.length);
  data.set(value);
  return { data, shape };
}

/** Float32 numbers from a typed array or nested arrays; a shared Float32Array is kept, all else copied. */
export function toFloats(name: string, value: unknown): Block<Float32Array> {
  if (Array.isArray(value)) return flatten(name, value);
  if (!isNumeric(value)) throw invalid(name, 'a typed array of numbers or (nested) arrays of numbers', value);
  checkStorage(name, value);
  const shape = [value.length];
  if (types.isFloat32Array(value) && types.isSharedArrayBuffer(value.buffer)) {
    return { data: new Float32Array(value.buffer, value.byteOffset, value.length), shape };
  }
  const data = sharedFloats(value.length);
  data.set(value);
  return { data, shape };
}

/**
 * Class indices as int32; a shared Int32Array is kept, all else copied.
 * Throws `LABEL_OUT_OF_RANGE`, naming the row, for a label that is negative or not below `classes`.
 */
export function toLabels(name: string, value: unknown, classes = 2 ** 31 - 1): Int32Array {
  const float = types.isFloat32Array(value) || types.isFloat64Array(value);
  if (!Array.isArray(value) && (!isNumeric(value) || float)) {
    throw invalid(name, 'an integer typed array or an array of integers', value);
  }
  if (!Array.isArray(value)) checkStorage(name, value);
  for (let row = 0; row < value.length; row++) {
    const label = value[row];
    if (!Number.isInteger(label)) throw invalid(`${name}[${row}]`, 'an integer', label);
    if (label < 0 || label >= classes) {
      throw new BlasnetError('LABEL_OUT_OF_RANGE', `${name}: row ${row}: expected 0 to ${classes - 1}, got ${label}`);
    }
  }
  if (types.isInt32Array(value) && types.isSharedArrayBuffer(value.buffer)) {
    return new Int32Array(value.buffer, value.byteOffset, value.length);
  }
  const data = sharedIntegers(value.length);
  data.set(value);
  return data;
}

/** True for typed arrays of numbers, of any realm; false for arrays of big integers and for DataViews. */
export function isNumeric(value: unknown): value is TypedArray {
  return types.isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value);
}

function isList(value: unknown): value is NestedNumbers | TypedArray {
  return Array.isArray(value) || isNumeric(value);
}

/** Copies nested arrays into one block; the first entry of each depth sets the length for its siblings. */
function flatten(name: string, list: NestedNumbers): Block<Float32Array> {
  const shape: number[] = [];
  for (let entry: unknown = list; isList(entry); entry = entry[0]) {
    if (shape.length === MAX_DEPTH) throw invalid(name, `arrays nested at most ${MAX_DEPTH} deep`, list);
    shape.push(entry.length);
  }
  const data = sharedFloats(shape.reduce((product, size) => product * size, 1));
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
    for (let i = 0; i < entry.length; i++) {
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
