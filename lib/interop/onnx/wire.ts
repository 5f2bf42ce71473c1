/**
 * The wire format of Protocol Buffers, as its public specification describes it: a message is a list of fields, each a
 * key (number and wire type) and a value. Only what ONNX files need.
 */
import { TextEncoder } from 'node:util';
import { BlasnetError } from '../../errors.js';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Integers are shapes, axes and the like. Each takes more memory than it may take in the file. */
export const MOST_INTEGERS = 2 ** 16;

const text = new TextEncoder();

/** A message that is being written. Contents are not copied until {@link MessageWriter.finish}. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #add(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  #varint(value: number | bigint): void {
    const bytes: number[] = [];
    // Negative numbers have ten bytes.
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    this.#add(Uint8Array.from([...bytes, Number(rest)]));
  }

  #key(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  /** An integer or an enumeration. */
  integer(field: number, value: number | bigint): void {
    this.#key(field, VARINT);
    this.#varint(value);
  }

  integers(field: number, values: readonly number[]): void {
    for (const value of values) this.integer(field, value);
  }

  /** A float32. */
  float(field: number, value: number): void {
    this.#key(field, FIXED32);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#add(bytes);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#key(field, BYTES);
    this.#varint(value.length);
    this.#add(value);
  }

  string(field: number, value: string): void {
    this.bytes(field, text.encode(value));
  }

  /** A message within this one. */
  message(field: number, write: (message: MessageWriter) => void): void {
    const inner = new MessageWriter();
    write(inner);
    this.#key(field, BYTES);
    this.#varint(inner.length);
    for (const part of inner.#parts) this.#add(part);
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** The error for bytes that are no ONNX file. */
export function corrupt(file: string, at: number, what: string): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${file}: byte ${at}: ${what}`);
}

/** One field of a message: its number, and a reader of its value. */
export interface Field {
  readonly number: number;
  readonly wire: number;
}

/**
 * Reads the fields of a message one after the other. Lengths are checked before anything is read by them, and nothing
 * is copied. Throws `FILE_CORRUPT`.
 */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, file: string, begin = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
    this.#at = begin;
    this.#end = end;
  }

  /** Position in the file, for messages. */
  get at(): number {
    return this.#at;
  }

  get file(): string {
    return this.#file;
  }

  corrupt(what: string): BlasnetError {
    return corrupt(this.#file, this.#at, what);
  }

  #varint(): bigint {
    const begin = this.#at;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw corrupt(this.#file, begin, 'a number goes beyond the end of its message');
      const byte = this.#bytes[this.#at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (value >= 2n ** 64n) break;
        return value;
      }
    }
    throw corrupt(this.#file, begin, 'a number has more than 64 bits');
  }

  /** The next field's key; undefined at the end of the message. */
  next(): Field | undefined {
    if (this.#at >= this.#end) return undefined;
    const key = Number(this.#varint());
    const field = { number: Math.floor(key / 8), wire: key % 8 };
    if (field.number < 1 || field.number >= 2 ** 29) throw this.corrupt(`a field has the number ${field.number}`);
    if (![VARINT, FIXED64, BYTES, FIXED32].includes(field.wire))
      throw this.corrupt(`a field has the wire type ${field.wire}`);
    return field;
  }

  #expect(field: Field, wire: number): void {
    if (field.wire !== wire) throw this.corrupt(`field ${field.number} has the wire type ${field.wire}, not ${wire}`);
  }

  /** The range of a value with a length. */
  #range(): readonly [begin: number, end: number] {
    const length = this.#varint();
    const begin = this.#at;
    if (length > BigInt(this.#end - begin)) throw this.corrupt('a length goes beyond the end of its message');
    this.#at = begin + Number(length);
    return [begin, this.#at];
  }

  #fixed(size: number): number {
    const begin = this.#at;
    if (this.#end - begin < size) throw this.corrupt('a number goes beyond the end of its message');
    this.#at += size;
    return begin;
  }

  skip(field: Field): void {
    if (field.wire === VARINT) this.#varint();
    else if (field.wire === BYTES) this.#range();
    else this.#fixed(field.wire === FIXED64 ? 8 : 4);
  }

  /** A signed integer; beyond 2^53 the nearest number. */
  integer(field: Field): number {
    this.#expect(field, VARINT);
    return Number(BigInt.asIntN(64, this.#varint()));
  }

  float(field: Field): number {
    this.#expect(field, FIXED32);
    return this.#view.getFloat32(this.#fixed(4), true);
  }

  /** A view of the bytes in the file. */
  bytes(field: Field): Uint8Array {
    this.#expect(field, BYTES);
    return this.#bytes.subarray(...this.#range());
  }

  string(field: Field): string {
    const { buffer, byteOffset, byteLength } = this.bytes(field);
    return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
  }

  /** Appends integers of a repeated field, written one by one or as one block. Lists of integers are short. */
  integers(field: Field, to: number[]): void {
    const read = (reader: MessageReader) => {
      if (to.length >= MOST_INTEGERS) throw this.corrupt(`a list of more than ${MOST_INTEGERS} integers`);
      to.push(Number(BigInt.asIntN(64, reader.#varint())));
    };
    if (field.wire === VARINT) read(this);
    else this.#packed(read, field);
  }

  floats(field: Field, to: number[]): void {
    const read = (reader: MessageReader) => to.push(reader.#view.getFloat32(reader.#fixed(4), true));
    if (field.wire === FIXED32) read(this);
    else this.#packed(read, field);
  }

  doubles(field: Field, to: number[]): void {
    const read = (reader: MessageReader) => to.push(reader.#view.getFloat64(reader.#fixed(8), true));
    if (field.wire === FIXED64) read(this);
    else this.#packed(read, field);
  }

  #packed(read: (inner: MessageReader) => void, field: Field): void {
    this.#expect(field, BYTES);
    const inner = new MessageReader(this.#bytes, this.#file, ...this.#range());
    while (inner.#at < inner.#end) read(inner);
  }

  /** A message within this one. */
  message(field: Field): MessageReader {
    this.#expect(field, BYTES);
    return new MessageReader(this.#bytes, this.#file, ...this.#range());
  }
}
