import { readHalves } from '../../formats/halves.js';
import { elements } from '../../program/instructions.js';
import { quote } from '../../text.js';
import type { Shape } from '../../types.js';
import { Fields, malformed, unsupported } from './fields.js';

/** The tensors of a weights manifest: their names, shapes and places in the data of their group. */

const bytesOf = new Map(Object.entries({ float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 }));
const MAX_RANK = 16;
/** More than any network that can be saved has. */
const MAX_WEIGHTS = 30_000;

/** A tensor of a manifest. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: Shape;
  /** As what it is stored: one of {@link bytesOf}. */
  readonly stored: string;
  /** The values are stored · scale + min. */
  readonly scale: number;
  readonly min: number;
  /** Position of its first byte in the group's data, and its number of bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Tensors whose data stand one after the other in one block of bytes. */
export interface WeightGroup {
  readonly specs: readonly WeightSpec[];
  readonly bytes: number;
}

function readShape(name: string, value: readonly unknown[]): Shape {
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  if (value.length > MAX_RANK || !value.every(isSize))
    throw malformed(`${name}: shape must be a list of at most ${MAX_RANK} integers ≥ 0`);
  return value as number[];
}

function readSpec(value: unknown, index: number, offset: number): WeightSpec {
  const fields = new Fields(`weight ${index}`, value);
  const name = fields.text('name');
  const label = `weight ${quote(name)}`;
  const shape = readShape(label, fields.list('shape'));
  const dtype = fields.text('dtype');
  const quantization = fields.get('quantization') === undefined ? undefined : fields.object('quantization');
  const stored = quantization?.text('dtype') ?? dtype;
  const size = bytesOf.get(stored);
  if (size === undefined) throw unsupported(`${label}: the dtype ${quote(stored)}`);
  const bytes = elements(shape) * size;
  if (!Number.isSafeInteger(offset + bytes)) throw malformed(`${label}: the product of its shape is too large`);
  const isScaled = quantization !== undefined && stored !== 'float16';
  const scale = isScaled ? quantization.number('scale') : 1;
  const min = isScaled ? quantization.number('min') : 0;
  return { name, shape, stored, scale, min, offset, bytes };
}

/** Reads the entries of a group: their data follow each other without gaps. */
export function readGroup(entries: readonly unknown[]): WeightGroup {
  if (entries.length > MAX_WEIGHTS) throw malformed(`${entries.length} weights; at most ${MAX_WEIGHTS} are read`);
  const specs: WeightSpec[] = [];
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    const spec = readSpec(entry, index, bytes);
    bytes += spec.bytes;
    // What an optimizer keeps is of no use without it.
    const { group } = entry as { group?: unknown };
    if (group !== 'optimizer') specs.push(spec);
  }
  return { specs, bytes };
}

/** The values of a tensor, from the data of its group. */
export function decodeWeight({ stored, scale, min, offset, bytes }: WeightSpec, data: Uint8Array): Float32Array {
  // A copy is aligned. The method `slice` of a Buffer makes none.
  const own = new Uint8Array(data.subarray(offset, offset + bytes));
  if (stored === 'float16') return readHalves(own);
  if (stored === 'float32') return new Float32Array(own.buffer);
  const integers =
    stored === 'uint16' ? new Uint16Array(own.buffer) : stored === 'int32' ? new Int32Array(own.buffer) : own;
  const values = new Float32Array(integers.length);
  for (let i = 0; i < values.length; i++) values[i] = integers[i] * scale + min;
  return values;
}
