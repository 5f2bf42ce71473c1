import type { TypedArray } from '../types.js';
import { readBfloat16, readHalves } from './halves.js';
import type { StoredTensor } from './safetensors.js';

/** The numbers of a tensor of a safetensors file. */
export type TensorData = TypedArray | BigInt64Array | BigUint64Array;

const classes = new Map<string, new (buffer: ArrayBufferLike) => TensorData>(
  Object.entries({
    I8: Int8Array,
    U16: Uint16Array,
    I16: Int16Array,
    U32: Uint32Array,
    I32: Int32Array,
    U64: BigUint64Array,
    I64: BigInt64Array,
    F32: Float32Array,
    F64: Float64Array,
  }),
);

/**
 * The numbers of a tensor: those of 16 bits as float32; bytes as they are for booleans and types that have no class.
 */
export function tensorData({ dtype, bytes }: StoredTensor): TensorData {
  if (dtype === 'F16') return readHalves(bytes);
  if (dtype === 'BF16') return readBfloat16(bytes);
  // A copy, which is aligned.
  const own = new Uint8Array(bytes);
  const type = classes.get(dtype);
  return type === undefined ? own : new type(own.buffer);
}

const floats = ['F32', 'F64', 'F16', 'BF16'];

export function isFloating({ dtype }: StoredTensor): boolean {
  return floats.includes(dtype);
}

/** The numbers of a tensor of floats as float32. */
export function floatData(tensor: StoredTensor): Float32Array {
  const data = tensorData(tensor) as Float32Array | Float64Array;
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
