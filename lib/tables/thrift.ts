/** Fields of a struct by number, except lists, binaries and 64-bit integers. */
export type Struct = ReadonlyMap<number, number | boolean | Struct>;

/** The types of the compact protocol that Parquet has. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

/** Structs in structs and lists in lists; Parquet has 7. */
const DEEPEST = 16;
/**
 * From this depth on, where statistics of columns are, a binary has at most so many bytes: for a longer decimal number
 * a reader takes time with the square of its length.
 */
const DEEP = 5;
const LONGEST = 2 ** 14;

/**
 * Walks over what Thrift's compact protocol wrote, and refuses what makes readers without bounds take more than some
 * times the size of the bytes: lists, numbers and nesting longer than they can be.
 */
export class ThriftReader {
  readonly #bytes: Uint8Array;
  readonly #fail: (message: string) => Error;
  #structs = 0;
  /** Where the next byte is. */
  at: number;

  /** `fail` makes the error for a message. */
  constructor(bytes: Uint8Array, at: number, fail: (message: string) => Error) {
    this.#bytes = bytes;
    this.at = at;
    this.#fail = fail;
  }

  struct(depth = 1): Struct {
    if (depth > DEEPEST) throw this.#fail('its header is nested too deeply');
    // An empty struct is one byte, and any number of objects in a reader.
    if (++this.#structs > 2 ** 20 + this.#bytes.length / 16) throw this.#fail('its header has too many parts');
    const fields = new Map<number, number | boolean | Struct>();
    for (let id = 0; ; ) {
      const byte = this.#byte();
      const type = byte & 15;
      if (type === 0) return fields;
      id = byte >> 4 ? id + (byte >> 4) : zigzag(this.#varint(5));
      const value = this.#value(type, depth);
      if (value === undefined) fields.delete(id);
      else fields.set(id, value);
    }
  }

  #value(type: number, depth: number): number | boolean | Struct | undefined {
    switch (type) {
      case TRUE:
      case FALSE:
        return type === TRUE;
      case BYTE:
        return (this.#byte() << 24) >> 24;
      case I16:
      case I32:
        return zigzag(this.#varint(5));
      case I64:
        this.#varint(10);
        return undefined;
      case DOUBLE:
        return this.#skip(8);
      case BINARY: {
        const length = this.#varint(5);
        if (depth >= DEEP && length > LONGEST) throw this.#fail(`its header has a value of ${length} bytes`);
        return this.#skip(length);
      }
      case LIST:
        return this.#list(depth);
      case STRUCT:
        return this.struct(depth + 1);
      default:
        throw this.#fail(`its header has a field of an unknown type, ${type}`);
    }
  }

  #list(depth: number): undefined {
    if (depth >= DEEPEST) throw this.#fail('its header is nested too deeply');
    const byte = this.#byte();
    const length = byte >> 4 === 15 ? this.#varint(5) : byte >> 4;
    // Each element has a byte at least.
    if (length > this.#bytes.length - this.at) throw this.#fail('its header has a list longer than itself');
    const type = byte & 15;
    for (let i = 0; i < length; i++) this.#value(type === TRUE || type === FALSE ? BYTE : type, depth + 1);
  }

  #byte(): number {
    if (this.at >= this.#bytes.length) throw this.#fail('its header ends too early');
    return this.#bytes[this.at++];
  }

  #skip(length: number): undefined {
    if (length > this.#bytes.length - this.at) throw this.#fail('its header ends too early');
    this.at += length;
  }

  /** At most so many bytes: 5 for 32 bits, 10 for 64, which a double holds nearly. */
  #varint(most: 5 | 10): number {
    let value = 0;
    for (let i = 0; i < most; i++) {
      const byte = this.#byte();
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128 && (most === 10 || value < 2 ** 32)) return value;
    }
    throw this.#fail('its header has a number that is too long');
  }
}

/** Zigzag encoding: positive and negative numbers alternate. */
function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
