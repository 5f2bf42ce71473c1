import { checkArity, checkInteger, checkOptions, checkPath, invalid, isPlain } from '../checks.js';
import { readWhole } from '../data/files.js';
import { usualContent } from '../data/gzip.js';
import { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import type { TypedArray } from '../types.js';
import { checkArray, checkNamed, type NewArray, type NumberArray } from './arrays.js';
import { decodeNpy, encodeNpy } from './npy.js';
import { replaceFile } from './replace-file.js';
import { decodeSafetensors, encodeSafetensors, tensorKinds } from './safetensors.js';
import { type TensorData, tensorData } from './tensor-data.js';
import { encodeZip, readDirectory, readEntry } from './zip.js';

/** The public functions for files of arrays: NumPy's and safetensors. */

const SUFFIX = '.npy';

/** Arrays to write by name. */
export type NamedArrays<T extends ArrayBufferView = TypedArray> =
  | Readonly<Record<string, NewArray<T>>>
  | ReadonlyMap<string, NewArray<T>>;

/** A tensor of a safetensors file. */
export interface FileTensor extends NumberArray<TensorData> {
  /** Its type in the file, such as `F32`. */
  readonly dtype: string;
}

/** What {@link readSafetensors} returns, in the order of the file. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

const read = (file: string) => readWhole(file, (size) => new Uint8Array(size));

/**
 * Reads an array of NumPy (`.npy`): floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes, and booleans, in either byte
 * order and in the order of C or of Fortran. The data have the class of their type, but for these: halves become
 * Float32Array, booleans Uint8Array, and eight-byte integers Int32Array. Rejects with `INVALID_ARGUMENT` if one of
 * those does not fit, with `FILE_NOT_FOUND`, and with `FILE_CORRUPT` for anything else, such as arrays of objects.
 */
export async function readNpy(path: string | URL): Promise<NumberArray> {
  checkArity('readNpy', arguments, 1);
  const file = checkPath('readNpy: path', path);
  return decodeNpy(await read(file), file);
}

/**
 * Writes an array as NumPy's `.npy`; the file is replaced as a whole. `data` is a typed array of numbers, `shape`
 * defaults to its length. Rejects with `INVALID_ARGUMENT`, `SHAPE_MISMATCH` if the shape does not fit, and
 * `FILE_NOT_WRITTEN`.
 */
export async function writeNpy(path: string | URL, array: NewArray): Promise<void> {
  checkArity('writeNpy', arguments, 2);
  const file = checkPath('writeNpy: path', path);
  await replaceFile(file, encodeNpy('writeNpy: array', array));
}

/**
 * Reads the arrays of NumPy's `.npz`, stored or compressed, in the order of the file. `maxBytes` limits what is
 * inflated; default: 64 MiB, or 128 times the size of the file if that is more. Errors as in {@link readNpy}.
 */
export async function readNpz(
  path: string | URL,
  options?: { maxBytes?: number },
): Promise<ReadonlyMap<string, NumberArray>> {
  checkArity('readNpz', arguments, 2);
  const file = checkPath('readNpz: path', path);
  const { maxBytes } = checkOptions('readNpz', options, ['maxBytes']);
  if (maxBytes !== undefined) checkInteger('readNpz: maxBytes', maxBytes, { min: 1 });
  return decodeNpz(await read(file), file, maxBytes);
}

/** The arrays in the bytes of an archive. */
export function decodeNpz(bytes: Uint8Array, file: string, maxBytes?: number): ReadonlyMap<string, NumberArray> {
  const entries = readDirectory(bytes, file);
  const most = maxBytes ?? usualContent(bytes.length);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > most) {
    const text = `its arrays take ${total} bytes; at most ${most} are read (see maxBytes of readNpz)`;
    throw new BlasnetError('FILE_CORRUPT', `${file}: ${text}`);
  }
  const arrays = new Map<string, NumberArray>();
  for (const entry of entries) {
    const { name } = entry;
    const key = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name;
    if (arrays.has(key))
      throw new BlasnetError('FILE_CORRUPT', `${file}: duplicate entry ${quote(key)} in the archive`);
    arrays.set(key, decodeNpy(readEntry(bytes, entry, file), `${file}: ${name}`));
  }
  return arrays;
}

/** Writes arrays by name as NumPy's `.npz`, not compressed. Errors as in {@link writeNpy}. */
export async function writeNpz(path: string | URL, arrays: NamedArrays): Promise<void> {
  checkArity('writeNpz', arguments, 2);
  const file = checkPath('writeNpz: path', path);
  const files = checkNamed('writeNpz: arrays', arrays).map(([key, array]) => {
    if (key === '' || key.length > 1000 || key.includes('\0'))
      throw invalid('writeNpz: name', 'a name of 1 to 1000 characters', key);
    return [key + SUFFIX, encodeNpy(`writeNpz: ${quote(key)}`, array)] as const;
  });
  await replaceFile(file, encodeZip(files));
}

/**
 * Reads a safetensors file. The data of a tensor have the class of its type; F16 and BF16 become Float32Array, I64 and
 * U64 are BigInt64Array and BigUint64Array, BOOL, F8 and C64 are left as bytes. Rejects with `FILE_NOT_FOUND` and
 * `FILE_CORRUPT`.
 */
export async function readSafetensors(path: string | URL): Promise<TensorFile> {
  checkArity('readSafetensors', arguments, 1);
  const file = checkPath('readSafetensors: path', path);
  const { tensors, metadata } = decodeSafetensors(await read(file), file);
  const decoded = [...tensors].map(([name, tensor]): [string, FileTensor] => {
    return [name, { dtype: tensor.dtype, shape: tensor.shape, data: tensorData(tensor) }];
  });
  return { tensors: new Map(decoded), metadata };
}

/**
 * Writes a safetensors file; it is replaced as a whole. `metadata` are strings by name. Rejects with
 * `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH` if a shape does not fit its data, and `FILE_NOT_WRITTEN`.
 */
export async function writeSafetensors(
  path: string | URL,
  tensors: NamedArrays<TensorData>,
  options?: { metadata?: Readonly<Record<string, string>> },
): Promise<void> {
  checkArity('writeSafetensors', arguments, 3);
  const file = checkPath('writeSafetensors: path', path);
  const { metadata = {} } = checkOptions('writeSafetensors', options, ['metadata']);
  const texts = isPlain(metadata) && !Array.isArray(metadata) ? Object.entries(metadata) : undefined;
  if (texts === undefined || texts.some(([key, text]) => typeof text !== 'string' || key === '__proto__'))
    throw invalid('writeSafetensors: metadata', 'an object of strings', metadata);
  const list = checkNamed('writeSafetensors: tensors', tensors).map(([name, tensor]) => {
    if (name === '__proto__' || name === '__metadata__')
      throw invalid('writeSafetensors: name', 'a name that the format does not take for itself', name);
    const { shape, data } = checkArray(`writeSafetensors: ${quote(name)}`, tensor, tensorKinds);
    return { name, shape, value: data, width: (data as TypedArray).BYTES_PER_ELEMENT };
  });
  // The widest come first, so that all are aligned.
  const sorted = list.toSorted((a, b) => b.width - a.width);
  await replaceFile(file, encodeSafetensors(sorted, { ...metadata }));
}
