import type { BlasnetError } from '../errors.js';
import { type Struct, ThriftReader } from './thrift.js';

/** At most so many values and decompressed bytes of a page, as a few bytes can claim any number. */
const MAX_PAGE_VALUES = 2 ** 22;
const MAX_PAGE_BYTES = 2 ** 28;
/** What gzip expands at most; other compressions may expand a small page further, and equal numbers to any size. */
const EXPANSION = 1032;
const SMALL_PAGE = 2 ** 21;
/** The largest number of a fixed size, with its level. */
const VALUE_BYTES = 17;
/** Bytes of a decimal number; reading one takes time with the square of its length. */
const MAX_DECIMAL = 1024;

/** What pages of a column depend on. */
export interface PageColumn {
  readonly name: string;
  readonly type: string | undefined;
  /** Bytes of values of fixed length. */
  readonly length: number | undefined;
  readonly nullable: boolean;
  readonly decimal: boolean;
}

type Kind = 'dictionary' | 'data' | 'data2';

/** A page with its header: bytes `begin` to `end` of the chunk, the header up to `body`. */
export interface Page {
  readonly kind: Kind;
  readonly begin: number;
  readonly body: number;
  readonly end: number;
  /** Missing ones included. */
  readonly values: number;
  /** Of pages of the second kind. */
  readonly missing: number;
  readonly encoding: number | undefined;
  /** Whether the content still has to be decompressed, and checked by {@link checkContent}. */
  readonly packed: boolean;
}

// Numbers in the format.
const PLAIN = 0;
const PLAIN_DICTIONARY = 2;
const RLE = 3;
const DELTA_BINARY_PACKED = 5;
const DELTA_LENGTH_BYTE_ARRAY = 6;
const DELTA_BYTE_ARRAY = 7;
const RLE_DICTIONARY = 8;
const BYTE_STREAM_SPLIT = 9;
const kinds: Readonly<Record<number, readonly [kind: Kind, field: number, encoding: number]>> = {
  0: ['data', 5, 2],
  2: ['dictionary', 7, 2],
  3: ['data2', 8, 4],
};
const widths: Readonly<Record<string, number>> = { INT32: 4, FLOAT: 4, INT64: 8, DOUBLE: 8 };

type Fail = (message: string) => BlasnetError;

const integer = (struct: Struct | undefined, field: number): number => {
  const value = struct?.get(field);
  return typeof value === 'number' ? value : Number.NaN;
};

/**
 * The pages of a chunk that hold its `rows` values. They are read afterwards by a package that checks no bounds, so the
 * sizes that their headers, levels and uncompressed values claim are checked here.
 */
export function readPages(chunk: Uint8Array, column: PageColumn, rows: number, fail: Fail): Page[] {
  const pages: Page[] = [];
  let values = 0;
  for (let begin = 0, hasDictionary = false; values < rows; ) {
    if (begin >= chunk.length) throw fail(`it has ${values} values for ${rows} rows`);
    const page = readPage(chunk, begin, column, fail);
    if (page.kind === 'dictionary') hasDictionary = true;
    else values += page.values;
    if (!hasDictionary && (page.encoding === RLE_DICTIONARY || page.encoding === PLAIN_DICTIONARY))
      throw fail('its dictionary is missing');
    pages.push(page);
    begin = page.end;
  }
  if (values > rows) throw fail(`it has ${values} values for ${rows} rows`);
  return pages;
}

function readPage(chunk: Uint8Array, begin: number, column: PageColumn, fail: Fail): Page {
  const reader = new ThriftReader(chunk, begin, fail);
  const header = reader.struct();
  const body = reader.at;
  const type = integer(header, 1);
  if (!(type in kinds)) throw fail(`a page of an unknown kind, ${type}`);
  const [kind, field, encodingField] = kinds[type];
  const [unpacked, packed] = [integer(header, 2), integer(header, 3)];
  if (!(packed >= 0 && packed <= chunk.length - body)) throw fail(`a page of ${packed} bytes, which are not there`);
  const own = header.get(field);
  const details = own instanceof Map ? (own as Struct) : undefined;
  const values = integer(details, 1);
  if (!(values >= 0 && values <= MAX_PAGE_VALUES))
    throw fail(`a page of ${values} values; at most ${MAX_PAGE_VALUES} are read: write smaller groups of rows`);
  const most = SMALL_PAGE + EXPANSION * packed + VALUE_BYTES * values;
  if (!(unpacked >= 0 && unpacked <= Math.min(MAX_PAGE_BYTES, most)))
    throw fail(`a page of ${unpacked} bytes, compressed to ${packed}`);
  const encoding = kind === 'dictionary' ? undefined : integer(details, encodingField);
  const page = { kind, begin, body, end: body + packed, values, missing: 0, encoding, packed: true };
  if (kind === 'dictionary' && values > 8 * unpacked)
    throw fail(`a dictionary of ${values} values in ${unpacked} bytes`);
  if (kind !== 'data2') return page;

  // Levels of these pages are not compressed.
  const missing = integer(details, 2);
  const [levels, repetitions] = [integer(details, 5), integer(details, 6)];
  if (integer(details, 3) !== values || repetitions !== 0 || !(levels >= 0 && levels <= Math.min(packed, unpacked)))
    throw fail('a page with levels of nested values');
  const bytes = chunk.subarray(body, page.end);
  const present = column.nullable ? countPresent(bytes, 0, values, fail) : values;
  if (missing !== values - present) throw fail(`a page with ${missing} missing values, of which ${present} are there`);
  const isPacked = details?.get(7) !== false && unpacked > levels;
  const found = { ...page, missing, packed: isPacked };
  if (!isPacked) checkValues(bytes.subarray(levels), 0, values - missing, found, column, fail);
  return found;
}

/**
 * Checks the sizes that the decompressed content of a page claims: levels and values; only values in the second kind.
 */
export function checkContent(bytes: Uint8Array, page: Page, column: PageColumn, fail: Fail): void {
  const { kind, values, missing } = page;
  if (kind === 'dictionary') checkValues(bytes, 0, values, { ...page, encoding: PLAIN }, column, fail);
  else if (kind === 'data2') checkValues(bytes, 0, values - missing, page, column, fail);
  else if (!column.nullable) checkValues(bytes, 0, values, page, column, fail);
  else checkValues(bytes, 4 + length32(bytes, 0, fail), countPresent(bytes, 4, values, fail), page, column, fail);
}

/** Walks over levels of 0 (missing) and 1; returns how many of `values` are there. */
function countPresent(bytes: Uint8Array, at: number, values: number, fail: Fail): number {
  let present = 0;
  walkRuns(bytes, at, 1, values, fail, (from, count, packed) => {
    if (!packed) present += bytes[from] === 1 ? count : 0;
    else for (let i = 0; i < count; i++) present += (bytes[from + (i >> 3)] >> (i & 7)) & 1;
  });
  return present;
}

/** Walks over runs of values of `width` bits, and refuses those longer than the number of values. */
function walkRuns(
  bytes: Uint8Array,
  begin: number,
  width: number,
  values: number,
  fail: Fail,
  run?: (from: number, count: number, packed: boolean) => void,
): void {
  if (width > 32) throw fail(`values of ${width} bits`);
  for (let at = begin, seen = 0; seen < values; ) {
    const header = varint(bytes, at, fail);
    at = header.end;
    const left = values - seen;
    const packed = header.value % 2 === 1;
    const count = Math.floor(header.value / 2) * (packed ? 8 : 1);
    // Values are packed by 8, and some writers leave space for more.
    if (count > left + (packed ? 512 : 0)) throw fail(`a run of ${count} where ${left} values are left`);
    run?.(at, Math.min(count, left), packed);
    seen += Math.min(count, left);
    at += packed ? (count / 8) * width : Math.ceil(width / 8);
  }
}

function checkValues(bytes: Uint8Array, at: number, count: number, page: Page, column: PageColumn, fail: Fail): void {
  const { type, length = 0 } = column;
  const isDecimal = column.decimal && (type === 'BYTE_ARRAY' || type === 'FIXED_LEN_BYTE_ARRAY');
  const checkLength = (bytes: number) => {
    if (isDecimal && bytes > MAX_DECIMAL) throw fail(`a decimal number of ${bytes} bytes`);
  };
  if (type === 'FIXED_LEN_BYTE_ARRAY') checkLength(length);
  const mustBe = (...types: string[]) => {
    if (!types.includes(type as string)) throw fail(`encoding ${page.encoding} for ${type}`);
  };
  switch (page.encoding) {
    case PLAIN:
      if (type === 'BYTE_ARRAY' && isDecimal) {
        for (let i = 0; i < count; i++) {
          const bytesOfIt = length32(bytes, at, fail);
          checkLength(bytesOfIt);
          at += 4 + bytesOfIt;
        }
      }
      return;
    case PLAIN_DICTIONARY:
    case RLE_DICTIONARY: {
      if (type === 'BOOLEAN') mustBe();
      if (count > 0 && at >= bytes.length) throw fail('a page ends too early');
      const width = bytes[at];
      // In pages of the first kind, nothing follows a width of 0.
      if (width > 0 || page.kind === 'data2') walkRuns(bytes, at + 1, width, count, fail);
      return;
    }
    case RLE:
      mustBe('BOOLEAN');
      walkRuns(bytes, at + 4, 1, count, fail);
      return;
    case DELTA_BINARY_PACKED:
      mustBe('INT32', 'INT64');
      walkDeltas(bytes, at, count, fail);
      return;
    case DELTA_LENGTH_BYTE_ARRAY:
      mustBe('BYTE_ARRAY');
      for (const bytesOfIt of unpackDeltas(bytes, at, count, fail).values) checkLength(bytesOfIt);
      return;
    case DELTA_BYTE_ARRAY: {
      mustBe('BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY');
      const prefixes = unpackDeltas(bytes, at, count, fail);
      const suffixes = unpackDeltas(bytes, prefixes.end, count, fail).values;
      let [before, total] = [0, 0];
      for (let i = 0; i < count; i++) {
        const prefix = prefixes.values[i];
        if (!(prefix >= 0 && prefix <= before && suffixes[i] >= 0)) throw fail('a value begins as none before it');
        before = prefix + suffixes[i];
        total += before;
        checkLength(before);
        if (total > MAX_PAGE_BYTES) throw fail(`a page of more than ${MAX_PAGE_BYTES} bytes of strings`);
      }
      return;
    }
    case BYTE_STREAM_SPLIT: {
      const width = type === 'FIXED_LEN_BYTE_ARRAY' ? length : widths[type as string];
      if (!(count * width <= bytes.length - at)) throw fail('a page ends too early');
      return;
    }
  }
}

/** Integers of 32 bits that are stored as differences, and where they end. */
function unpackDeltas(bytes: Uint8Array, at: number, count: number, fail: Fail): { values: Int32Array; end: number } {
  const values = new Int32Array(count);
  let value = 0;
  let i = 0;
  const end = walkDeltas(bytes, at, count, fail, (least, from, width, inPart) => {
    for (let j = 0; j < inPart; j++) {
      let difference = 0;
      for (let bit = 0; bit < Math.min(32, width); bit++) {
        const place = j * width + bit;
        difference |= ((bytes[from + (place >> 3)] >> (place & 7)) & 1) << bit;
      }
      value = (value + least + difference) | 0;
      values[i++] = value;
    }
  });
  return { values, end };
}

/**
 * Walks over differences, in blocks of parts that have a width in bits each; returns where they end. `visit` gets the
 * least difference of the block, where the part begins, its width and how many values it has.
 */
function walkDeltas(
  bytes: Uint8Array,
  begin: number,
  count: number,
  fail: Fail,
  visit?: (least: number, from: number, width: number, values: number) => void,
): number {
  const block = varint(bytes, begin, fail);
  const { value: parts, end } = varint(bytes, block.end, fail);
  const perPart = block.value / parts;
  if (!(block.value <= 2 ** 16 && perPart > 0 && perPart % 32 === 0))
    throw fail(`blocks of ${block.value} differences in ${parts} parts`);
  const first = varint(bytes, varint(bytes, end, fail).end, fail);
  if (count > 0) visit?.(unzigzag(first.value), first.end, 0, 1);
  let at = first.end;
  for (let left = count - 1; left > 0; ) {
    const least = varint(bytes, at, fail);
    at = least.end + parts;
    for (let part = 0; part < parts && left > 0; part++) {
      const width = bytes[least.end + part];
      if (!(width <= 64 && at + (perPart * width) / 8 <= bytes.length)) throw fail('a page ends too early');
      visit?.(unzigzag(least.value), at, width, Math.min(perPart, left));
      left -= perPart;
      at += (perPart * width) / 8;
    }
  }
  return at;
}

/** Zigzag encoding: positive and negative numbers alternate. 64-bit numbers are not needed exactly. */
function unzigzag(value: number): number {
  return (value % 2 === 0 ? value / 2 : -(value + 1) / 2) | 0;
}

function varint(bytes: Uint8Array, at: number, fail: Fail): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 10 && at + i < bytes.length; i++) {
    const byte = bytes[at + i];
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return { value, end: at + i + 1 };
  }
  throw fail('a number is too long, or a page ends too early');
}

function length32(bytes: Uint8Array, at: number, fail: Fail): number {
  if (!(at + 4 <= bytes.length)) throw fail('a page ends too early');
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
}
