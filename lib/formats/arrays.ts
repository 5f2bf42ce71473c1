import { types } from 'node:util';
import { checkOptions, checkStorage, invalid, isPlain, MAX_RANK } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { elements } from '../program/instructions.js';
import { shapeText } from '../text.js';
import type { Shape, TypedArray } from '../types.js';

/** Numbers with a shape, row-major. */
export interface NumberArray<T extends ArrayBufferView = TypedArray> {
  /** Sizes from the outermost to the innermost dimension; empty for a single number. */
  readonly shape: Shape;
  readonly data: T;
}

/** Numbers to write; the shape is that of a list, [length], if it is not given. */
export interface NewArray<T extends ArrayBufferView = TypedArray> {
  shape?: Shape;
  data: T;
}

/** What classes of typed arrays are called, by the name that they have in any realm. */
export function kindOf(data: ArrayBufferView): string {
  return Object.prototype.toString.call(data).slice(8, -1);
}

/** The bytes of a view. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Checks an array to write: its shape fits its data. `kinds` are the classes of data that the format has. */
export function checkArray(
  name: string,
  value: unknown,
  kinds: readonly string[],
): NumberArray<ArrayBufferView> & { readonly kind: string } {
  if (!isPlain(value) || Array.isArray(value)) throw invalid(name, 'an object with data and shape', value);
  const { data, shape } = checkOptions(name, value as NewArray, ['data', 'shape']);
  if (!types.isTypedArray(data) || !kinds.includes(kindOf(data)))
    throw invalid(`${name}: data`, `one of ${kinds.join(', ')}`, data);
  checkStorage(`${name}: data`, data);
  const sizes = shape === undefined ? [data.length] : shape;
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(sizes) || sizes.length > MAX_RANK || !Array.from(sizes).every(isSize))
    throw invalid(`${name}: shape`, `a list of at most ${MAX_RANK} integers ≥ 0`, shape);
  if (elements(sizes) !== data.length) {
    const text = `the shape ${shapeText(sizes)} has ${elements(sizes)} elements, the data ${data.length}`;
    throw new BlasnetError('SHAPE_MISMATCH', `${name}: ${text}`);
  }
  return { shape: [...sizes], data, kind: kindOf(data) };
}

/** The entries of arrays by name: an object or a Map. */
export function checkNamed(name: string, value: unknown): [string, unknown][] {
  if (types.isMap(value)) {
    for (const key of value.keys()) if (typeof key !== 'string') throw invalid(`${name}: key`, 'a string', key);
    return [...(value as Map<string, unknown>)];
  }
  if (!isPlain(value) || Array.isArray(value)) throw invalid(name, 'an object or a Map of arrays by name', value);
  return Object.entries(value);
}
