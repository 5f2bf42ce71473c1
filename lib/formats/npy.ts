import { MAX_RANK } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { elements } from '../program/instructions.js';
import { quote } from '../text.js';
import type { TypedArray } from '../types.js';
import { bytesOf, checkArray, type NumberArray } from './arrays.js';
import { readHalves } from './halves.js';
import { corrupt } from './safetensors.js';

/**
 * NumPy's format of one array: a magic string, the version, the length of the header, and the header, a dictionary in
 * Python's notation; then the data.
 */

const MAGIC = [0x93, ...Buffer.from('NUMPY')];
/** Space for 64 sizes and more. */
const MAX_HEADER = 8192;
/** Written headers end at a multiple of this. */
const ALIGNMENT = 64;

type Numeric = TypedArray | BigInt64Array | BigUint64Array;
type NumericClass = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => Numeric;

/** Classes of the data by kind and size in bytes; halves become float32, and eight-byte integers int32. */
const classes = new Map<string, NumericClass>(
  Object.entries({
    f4: Float32Array,
    f8: Float64Array,
    i1: Int8Array,
    i2: Int16Array,
    i4: Int32Array,
    i8: BigInt64Array,
    u1: Uint8Array,
    b1: Uint8Array,
    u2: Uint16Array,
    u4: Uint32Array,
    u8: BigUint64Array,
    f2: Uint16Array,
  }),
);

/** What is written, by class. */
const descriptions = new Map(
  Object.entries({
    Float32Array: '<f4',
    Float64Array: '<f8',
    Int8Array: '|i1',
    Int16Array: '<i2',
    Int32Array: '<i4',
    Uint8Array: '|u1',
    Uint8ClampedArray: '|u1',
    Uint16Array: '<u2',
    Uint32Array: '<u4',
  }),
);
const npyKinds: readonly string[] = [...descriptions.keys()];

interface Header {
  readonly kind: string;
  readonly isBig: boolean;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** Position of the first byte of the data. */
  readonly begin: number;
}

/** The entries of a dictionary in Python's notation: strings, booleans and tuples of integers. */
function readDictionary(text: string, file: string): Map<string, string> {
  const fail = () => corrupt(file, MAGIC.length + 2, `the header must be a dictionary of NumPy's, got ${quote(text)}`);
  const body = /^\{(.*)\}[ \n]*$/s.exec(text)?.[1];
  if (body === undefined) throw fail();
  const entries = new Map<string, string>();
  const entry = /\s*['"](\w+)['"]\s*:\s*('[^'"\\]*'|"[^'"\\]*"|True|False|\([\d\s,]*\))\s*(?:,\s*|$)/y;
  while (entry.lastIndex < body.length) {
    const [, key, value] = entry.exec(body) ?? [];
    if (key === undefined || entries.has(key)) throw fail();
    entries.set(key, value);
  }
  return entries;
}

function readHeader(bytes: Uint8Array, file: string): Header {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte))
    throw corrupt(file, 0, "it must begin with NumPy's magic string");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  if (version < 1 || version > 3) throw corrupt(file, 6, `its version is ${version}; versions 1 to 3 are read`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw corrupt(file, bytes.length, 'the file ends within the length of its header');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = start + length;
  if (length > MAX_HEADER) throw corrupt(file, 8, `the header has ${length} bytes; at most ${MAX_HEADER} are read`);
  if (begin > bytes.length) throw corrupt(file, 8, `the header ends at ${begin}, the file at ${bytes.length}`);
  const entries = readDictionary(Buffer.from(bytes.subarray(start, begin)).toString('latin1'), file);
  const refuse = (rule: string) => corrupt(file, start, rule);
  const description = entries.get('descr') ?? '';
  const [, order, kind] = /^['"]([<>=|]?)([a-z]\d)['"]$/.exec(description) ?? [];
  if (kind === undefined || !classes.has(kind)) {
    const known = [...classes.keys()].join(', ');
    throw refuse(`the type ${quote(description)} is not read, only ${known}`);
  }
  const isFortran = entries.get('fortran_order');
  if (isFortran !== 'True' && isFortran !== 'False') throw refuse('fortran_order must be True or False');
  const tuple = /^\(([\d\s,]*)\)$/.exec(entries.get('shape') ?? '')?.[1];
  if (tuple === undefined) throw refuse('shape must be a tuple of integers');
  const shape = tuple.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  if (shape.length > MAX_RANK || !shape.every(Number.isSafeInteger))
    throw refuse(`shape must have at most ${MAX_RANK} sizes`);
  return { kind, isBig: order === '>', isFortran: isFortran === 'True', shape, begin };
}

/** Numbers in the order of Fortran, first dimension fastest, in that of C. */
function reordered<T extends Numeric>(data: T, shape: readonly number[]): T {
  const result = data.slice() as T;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => elements(shape.slice(0, axis)));
  let from = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/** Eight-byte integers as four-byte ones. Throws if one does not fit. */
function narrowed(data: BigInt64Array | BigUint64Array, file: string): Int32Array {
  const result = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    result[i] = Number(data[i]);
    if (BigInt(result[i]) !== data[i]) {
      const text = `element ${i} is ${data[i]}, which does not fit in 32 bits: save it as int32 or float64`;
      throw new BlasnetError('INVALID_ARGUMENT', `${file}: ${text}`);
    }
  }
  return result;
}

/** The array in the bytes of a file. Sizes are checked before memory is allocated. */
export function decodeNpy(bytes: Uint8Array, file: string): NumberArray {
  const { kind, isBig, isFortran, shape, begin } = readHeader(bytes, file);
  const type = classes.get(kind) as NumericClass & { readonly BYTES_PER_ELEMENT: number };
  const size = type.BYTES_PER_ELEMENT;
  const length = elements(shape);
  if (length * size !== bytes.length - begin) {
    const text = `the shape (${shape.join(', ')}) takes ${length * size} bytes, the data have ${bytes.length - begin}`;
    throw corrupt(file, begin, text);
  }
  // A copy, which is aligned; the method `slice` of a Buffer makes none.
  const own = Buffer.from(new Uint8Array(bytes.subarray(begin)).buffer);
  if (isBig && size === 2) own.swap16();
  else if (isBig && size === 4) own.swap32();
  else if (isBig && size === 8) own.swap64();
  const read = kind === 'f2' ? readHalves(own) : new type(own.buffer, own.byteOffset, length);
  const data = isFortran && shape.length > 1 ? reordered(read, shape) : read;
  const isWide = data instanceof BigInt64Array || data instanceof BigUint64Array;
  return { shape, data: isWide ? narrowed(data, file) : data };
}

/** The bytes of a file with the array `value`, which is checked; `name` is for messages. */
export function encodeNpy(name: string, value: unknown): Uint8Array {
  const { shape, data, kind } = checkArray(name, value, npyKinds);
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descriptions.get(kind)}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const start = MAGIC.length + 4;
  const begin = Math.ceil((start + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = Buffer.alloc(begin + data.byteLength);
  bytes.set([...MAGIC, 1, 0]);
  bytes.writeUInt16LE(begin - start, MAGIC.length + 2);
  bytes.write(`${text.padEnd(begin - start - 1)}\n`, start, 'latin1');
  bytes.set(bytesOf(data), begin);
  return bytes;
}
