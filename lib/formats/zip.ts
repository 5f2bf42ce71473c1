import { crc32, inflateRawSync } from 'node:zlib';
import { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import { corrupt } from './safetensors.js';

/**
 * Archives as NumPy makes and reads them: files that are stored or deflated, no encryption, and no sizes of more than
 * 32 bits.
 */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const MAX_SIZE = 0xffffffff;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;
/** Names are UTF-8. */
const UTF8 = 1 << 11;
/** The version of the format that is needed: 2.0. */
const VERSION = 20;
/** The first of January 1980, the first date that there is. */
const DATE = 0x21;

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  /** Size in the archive. */
  readonly compressed: number;
  readonly size: number;
  /** Position of the local header. */
  readonly offset: number;
}

/** Position of the end record, which may be followed by a comment. */
function findEnd(bytes: Buffer, file: string): number {
  for (let at = bytes.length - END_BYTES; at >= 0 && at >= bytes.length - END_BYTES - MAX_COMMENT; at--) {
    if (bytes.readUInt32LE(at) === END && at + END_BYTES + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  }
  throw corrupt(file, bytes.length, 'it must end with the directory of a zip archive');
}

/** The files of an archive, as its directory says. */
export function readDirectory(content: Uint8Array, file: string): ZipEntry[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const end = findEnd(bytes, file);
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > end || bytes.readUInt32LE(at) !== CENTRAL)
      throw corrupt(file, at, `entry ${i} of the directory must be here`);
    const [flags, method] = [bytes.readUInt16LE(at + 8), bytes.readUInt16LE(at + 10)];
    const [crc, compressed, size] = [16, 20, 24].map((field) => bytes.readUInt32LE(at + field));
    const lengths = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    const next = at + CENTRAL_BYTES + lengths[0] + lengths[1] + lengths[2];
    if (next > end) throw corrupt(file, at, `entry ${i} of the directory ends after it`);
    const name = bytes.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + lengths[0]);
    const offset = bytes.readUInt32LE(at + 42);
    if ((flags & ENCRYPTED) !== 0 || (method !== STORED && method !== DEFLATED))
      throw corrupt(file, at, `${quote(name)} must be stored or deflated, without encryption`);
    if ([compressed, size, offset].includes(MAX_SIZE)) throw corrupt(file, at, `${quote(name)} is larger than 4 GiB`);
    if (names.has(name)) throw corrupt(file, at, `duplicate entry ${quote(name)} in the archive`);
    names.add(name);
    entries.push({ name, method, crc, compressed, size, offset });
    at = next;
  }
  return entries;
}

/** The content of a file of the archive, whose size is that of the directory. */
export function readEntry(content: Uint8Array, entry: ZipEntry, file: string): Uint8Array {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const { name, offset, method, compressed, size, crc } = entry;
  if (offset + LOCAL_BYTES > bytes.length || bytes.readUInt32LE(offset) !== LOCAL)
    throw corrupt(file, offset, `the header of ${quote(name)} must be here`);
  const begin = offset + LOCAL_BYTES + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
  if (begin + compressed > bytes.length) throw corrupt(file, begin, `${quote(name)} goes beyond the end of the file`);
  const stored = bytes.subarray(begin, begin + compressed);
  const data = method === STORED ? stored : inflate(stored, size, `${file}: ${name}`);
  if (data.length !== size)
    throw corrupt(file, begin, `${quote(name)} has ${data.length} bytes, its directory says ${size}`);
  if (crc32(data) !== crc) throw corrupt(file, begin, `${quote(name)} does not have its checksum`);
  return data;
}

function inflate(bytes: Uint8Array, size: number, file: string): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: size + 1 });
  } catch (cause) {
    throw new BlasnetError('FILE_CORRUPT', `${file}: broken deflate data: ${(cause as Error).message}`, { cause });
  }
}

/** An archive of files that are stored, in this order; the same bytes for the same files. */
export function encodeZip(files: readonly (readonly [name: string, content: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, content] of files) {
    const encoded = Buffer.from(name);
    // What the local header and the directory both say.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(UTF8, 2);
    common.writeUInt16LE(STORED, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(encoded.length, 22);
    const local = Buffer.alloc(4);
    local.writeUInt32LE(LOCAL);
    const central = Buffer.alloc(CENTRAL_BYTES);
    central.writeUInt32LE(CENTRAL);
    central.writeUInt16LE(VERSION, 4);
    central.set(common, 6);
    central.writeUInt32LE(at, 42);
    parts.push(local, common, encoded, content);
    directory.push(central, encoded);
    at += LOCAL_BYTES + encoded.length + content.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  if (at + size > MAX_SIZE || files.length > 0xffff)
    throw new BlasnetError('INVALID_ARGUMENT', 'an archive of more than 4 GiB or 65535 arrays');
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
