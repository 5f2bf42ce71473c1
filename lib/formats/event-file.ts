/**
 * TensorBoard's event files: records of TFRecord, each an `Event` message. Sources of the format: TensorFlow's
 * documentation of TFRecord, and event.proto and summary.proto of TensorBoard.
 */

/** What one event holds: numbers and histograms by tag. */
export interface SummaryValues {
  readonly scalars: Readonly<Record<string, number>>;
  readonly histograms?: Readonly<Record<string, Histogram>>;
}

/** Counts of numbers: `counts[i]` of them are in (limits[i − 1], limits[i]]. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** How many numbers there are, their sum and the sum of their squares. */
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) of each byte value. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** The checksum of a record: CRC-32C, rotated right by 15 bits, plus a constant. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A TFRecord: length (64 bits, little-endian), its checksum, the data, their checksum. */
function record(data: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(data.length));
  head.writeUInt32LE(maskedCrc(head.subarray(0, 8)), 8);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(maskedCrc(data));
  return Buffer.concat([head, data, tail]);
}

// Protocol buffers: a field is a key, number · 8 + wire type, and its value. Wire types: 0 varint, 1 eight bytes, 2 a
// length and as many bytes, 5 four bytes.

/** An unsigned integer, seven bits a byte, lowest first; the top bit says that more follow. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const key = (field: number, type: number) => varint(8 * field + type);
const integer = (field: number, value: number) => Buffer.concat([key(field, 0), varint(value)]);
const bytes = (field: number, value: Uint8Array) => Buffer.concat([key(field, 2), varint(value.length), value]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value));

function float(field: number, value: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeFloatLE(value);
  return Buffer.concat([key(field, 5), number]);
}

function double(field: number, value: number): Buffer {
  const number = Buffer.alloc(8);
  number.writeDoubleLE(value);
  return Buffer.concat([key(field, 1), number]);
}

function doubles(field: number, values: readonly number[]): Buffer {
  const packed = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => {
    packed.writeDoubleLE(value, 8 * i);
  });
  return bytes(field, packed);
}

/** HistogramProto. */
function histogram({ min, max, count, sum, sumOfSquares, limits, counts }: Histogram): Buffer {
  const figures = [min, max, count, sum, sumOfSquares].map((value, i) => double(i + 1, value));
  return Buffer.concat([...figures, doubles(6, limits), doubles(7, counts)]);
}

/** An Event: the time in seconds since 1970, and what else it has. */
const event = (time: number, ...fields: Buffer[]) => record(Buffer.concat([double(1, time), ...fields]));

/** The first record of an event file. */
export function versionEvent(time: number): Buffer {
  return event(time, text(3, 'brain.Event:2'));
}

/** The record of a start at this step: earlier files' values of this step and later ones are void. */
export function startEvent(time: number, step: number): Buffer {
  return event(time, integer(2, step), bytes(7, integer(1, 1)));
}

/** A record with the values of one step, an integer ≥ 0. Numbers are written as float32. */
export function summaryEvent(time: number, step: number, { scalars, histograms = {} }: SummaryValues): Buffer {
  const values = [
    ...Object.entries(scalars).map(([tag, value]) => Buffer.concat([text(1, tag), float(2, value)])),
    ...Object.entries(histograms).map(([tag, value]) => Buffer.concat([text(1, tag), bytes(5, histogram(value))])),
  ];
  return event(time, integer(2, step), bytes(5, Buffer.concat(values.map((value) => bytes(1, value)))));
}
