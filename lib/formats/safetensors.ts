import { TextDecoder } from 'node:util';
import { isObject, MAX_RANK } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import { kindOf } from './arrays.js';
import { JsonError, parseJson } from './json.js';

/**
 * The safetensors format: eight bytes with the length of the header (little-endian), the header as JSON (dtype, shape
 * and data range of each tensor; under `__metadata__` strings by name), then the data. Reading enforces every rule of
 * the reference implementation.
 */

const METADATA = '__metadata__';
const LENGTH_BYTES = 8;
/**
 * Maximum header bytes. With the reference implementation's limit of 100 MB, a small file could block the event loop
 * for a minute and a half.
 */
export const MAX_HEADER = 8 * 2 ** 20;
const MAX_TENSORS = 30_000;
/** Three objects and lists and four members per tensor, plus the metadata. */
const LIMITS = { objects: 3 * MAX_TENSORS + 2, members: 4 * MAX_TENSORS + 1000 };

const sizes = new Map(
  Object.entries({
    BOOL: 1,
    U8: 1,
    I8: 1,
    F8_E5M2: 1,
    F8_E4M3: 1,
    F8_E8M0: 1,
    U16: 2,
    I16: 2,
    F16: 2,
    BF16: 2,
    U32: 4,
    I32: 4,
    F32: 4,
    U64: 8,
    I64: 8,
    F64: 8,
    C64: 8,
  }),
);

/** The dtype that is written, by class. */
const dtypes = new Map(
  Object.entries({
    Uint8Array: 'U8',
    Uint8ClampedArray: 'U8',
    Int8Array: 'I8',
    Uint16Array: 'U16',
    Int16Array: 'I16',
    Uint32Array: 'U32',
    Int32Array: 'I32',
    Float32Array: 'F32',
    BigUint64Array: 'U64',
    BigInt64Array: 'I64',
    Float64Array: 'F64',
  }),
);

/** The classes of data that can be written. */
export const tensorKinds: readonly string[] = [...dtypes.keys()];

/** A tensor to write. */
export interface NewTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its class determines the dtype: one of {@link tensorKinds}. */
  readonly value: ArrayBufferView;
}

/** A tensor in a file. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Position of its first byte in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The error for a file that breaks a rule at a byte. */
export function corrupt(file: string, offset: number, rule: string, cause?: unknown): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${file}: byte ${offset}: ${rule}`, { cause });
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new BlasnetError('OUT_OF_MEMORY', `cannot allocate ${length} bytes for a file`, { cause });
  }
}

/** The bytes of a file with these tensors, in this order. */
export function encodeSafetensors(
  tensors: readonly NewTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { [METADATA]: metadata };
  let length = 0;
  for (const { name, shape, value } of tensors) {
    header[name] = {
      dtype: dtypes.get(kindOf(value)),
      shape,
      data_offsets: [length, length + value.byteLength],
    };
    length += value.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces pad the header so that the data is 8-byte aligned.
  const padded = Math.ceil(json.length / 8) * 8;
  // Ensures that what is written can be read.
  if (padded > MAX_HEADER || tensors.length > MAX_TENSORS) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `a file of ${tensors.length} tensors with a header of ${padded} bytes: expected at most ${MAX_TENSORS} and ${MAX_HEADER}`,
    );
  }
  const bytes = allocate(LENGTH_BYTES + padded + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + padded);
  bytes.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + padded;
  for (const { value } of tensors) {
    bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), at);
    at += value.byteLength;
  }
  return bytes;
}

/**
 * Parses a file's bytes; the tensors are views of them. `file` names it in errors, which have the code `FILE_CORRUPT`.
 */
export function decodeSafetensors(bytes: Uint8Array, file: string): Safetensors {
  if (bytes.length < LENGTH_BYTES) {
    throw corrupt(file, 0, `expected 8 bytes with the length of the header, the file has ${bytes.length}`);
  }
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (headerLength > MAX_HEADER)
    throw corrupt(
      file,
      0,
      `a header of ${headerLength} bytes is longer than ${MAX_HEADER}, the most that is read: it is not a safetensors file, or it is damaged`,
    );
  const dataLength = bytes.length - LENGTH_BYTES - Number(headerLength);
  if (dataLength < 0)
    throw corrupt(file, 0, `a header of ${headerLength} bytes reaches beyond the file's ${bytes.length}`);
  const dataBegin = LENGTH_BYTES + Number(headerLength);
  const header = parseHeader(bytes.slice(LENGTH_BYTES, dataBegin), file);
  const metadata = readMetadata(header, file);

  const names = Object.keys(header).filter((name) => name !== METADATA);
  if (names.length > MAX_TENSORS) {
    throw corrupt(file, LENGTH_BYTES, `it has ${names.length} tensors; at most ${MAX_TENSORS} are read`);
  }
  const inOrder = names.map((name) => readInfo(name, header[name], file));
  const infos = [...inOrder].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const info of infos) {
    if (info.begin !== end) {
      const what = info.begin > end ? 'leaves a hole after' : 'overlaps';
      throw corrupt(
        file,
        dataBegin + info.begin,
        `tensor ${quote(info.name)} ${what} the one before it, which ends at ${end}`,
      );
    }
    if (info.end > dataLength) {
      throw corrupt(
        file,
        dataBegin + info.begin,
        `tensor ${quote(info.name)} ends at ${info.end}, the data at ${dataLength}`,
      );
    }
    end = info.end;
  }
  if (end !== dataLength) throw corrupt(file, dataBegin + end, `${dataLength - end} bytes belong to no tensor`);
  // In header order, which may differ from data order.
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of inOrder) {
    tensors.set(name, {
      dtype,
      shape,
      offset: dataBegin + begin,
      bytes: bytes.subarray(dataBegin + begin, dataBegin + end),
    });
  }
  return { tensors, metadata };
}

function parseHeader(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  if (bytes[0] !== 0x7b) throw corrupt(file, LENGTH_BYTES, "the header must begin with '{'");
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw corrupt(file, LENGTH_BYTES, 'the header must be UTF-8', cause);
  }
  try {
    return parseJson(text, LIMITS) as Record<string, unknown>;
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    const offset = LENGTH_BYTES + Buffer.byteLength(text.slice(0, cause.position));
    throw corrupt(file, offset, `the header must be JSON without duplicate keys: ${cause.message}`, cause);
  }
}

function readMetadata(header: Readonly<Record<string, unknown>>, file: string): ReadonlyMap<string, string> {
  if (!Object.hasOwn(header, METADATA)) return new Map();
  const metadata = header[METADATA];
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(file, LENGTH_BYTES, `${METADATA} must be an object of strings`);
  }
  return new Map(Object.entries(metadata as Record<string, string>));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const members = ['dtype', 'shape', 'data_offsets'];

/** Parses a tensor's entry in the header and checks its size against its shape. */
function readInfo(name: string, info: unknown, file: string) {
  const refuse = (rule: string) => corrupt(file, LENGTH_BYTES, `tensor ${quote(name)}: ${rule}`);
  const whole =
    isObject(info) && Object.keys(info).length === 3 && members.every((member) => Object.hasOwn(info, member));
  if (!whole) {
    throw refuse('expected an object with dtype, shape and data_offsets');
  }
  const { dtype, shape, data_offsets: offsets } = info;
  const size = typeof dtype === 'string' ? sizes.get(dtype) : undefined;
  if (typeof dtype !== 'string' || size === undefined)
    throw refuse(`the dtype must be one of ${[...sizes.keys()].join(', ')}`);
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) {
    throw refuse(`the shape must be a list of at most ${MAX_RANK} integers ≥ 0`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw refuse('data_offsets must be two integers ≥ 0');
  }
  const [begin, end] = offsets as [number, number];
  if (end < begin) throw refuse(`it ends (${end}) before it begins (${begin})`);
  let length = size;
  for (const dimension of shape) {
    length *= dimension;
    if (!Number.isSafeInteger(length)) throw refuse('the product of its shape is too large');
  }
  if (length !== end - begin) throw refuse(`its shape takes ${length} bytes, its offsets ${end - begin}`);
  return { name, dtype, shape: shape as number[], begin, end };
}
