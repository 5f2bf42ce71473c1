import { createHash } from 'node:crypto';
import { types } from 'node:util';
import { checkArity, checkInteger, checkOptions, checkPath, checkStorage, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { sharedBuffer } from '../shared-memory.js';
import { cut, shapeText } from '../text.js';
import type { TypedArray } from '../types.js';
import { Dataset, type DatasetOptions } from './dataset.js';
import { readShared } from './files.js';
import { inflate, inflateStart, inflateSync, isGzip, largestContent, usualContent } from './gzip.js';

/** Array types of the IDX format (the format of the MNIST files), by the third byte of the magic number. */
const ELEMENTS = {
  0x08: { type: 'uint8', size: 1 },
  0x09: { type: 'int8', size: 1 },
  0x0b: { type: 'int16', size: 2 },
  0x0c: { type: 'int32', size: 4 },
  0x0d: { type: 'float32', size: 4 },
  0x0e: { type: 'float64', size: 8 },
} as const;

const MAX_RANK = 8;
const MAX_HEADER = 4 + 4 * MAX_RANK;

/** Type of the numbers in an IDX file. */
export type IdxType = (typeof ELEMENTS)[keyof typeof ELEMENTS]['type'];

/** The content of an IDX file. */
export interface IdxArray {
  type: IdxType;
  /** Sizes, outermost first; at least one dimension; zeros are allowed. */
  shape: number[];
  /** product(shape) numbers, row-major, in native byte order. */
  data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

/** Options of {@link readIdx}. */
export interface ReadIdxOptions {
  /** Expected SHA-256 of the file in hexadecimal; any other file is rejected. */
  sha256?: string;
  /**
   * Maximum inflated size of a gzipped file, in bytes. Default: 64 MiB or 128 times the file's size, whichever is
   * larger.
   */
  maxBytes?: number;
}

interface Header {
  type: IdxType;
  shape: number[];
  /** Byte offset of the data. */
  start: number;
  /** Size of the whole content in bytes. */
  total: number;
}

/**
 * Parses an IDX file, raw or gzipped; `source` names it in messages. For one-byte types in raw files, `data` is a view
 * of `bytes`; wider types are converted from big-endian into shared memory. Every header field is checked against the
 * size of `bytes` before anything is allocated. Throws `FILE_CORRUPT`, naming the byte and the broken rule.
 */
export function parseIdx(bytes: Uint8Array, source = 'IDX data'): IdxArray {
  checkArity('parseIdx', arguments, 2);
  if (!types.isUint8Array(bytes)) throw invalid('bytes', 'a Uint8Array', bytes);
  checkStorage('bytes', bytes);
  if (typeof source !== 'string') throw invalid('source', 'a string', source);
  if (!isGzip(bytes)) return readArray(bytes, readHeader(bytes, source));
  const header = readGzipHeader(bytes, source, undefined);
  return readArray(inflateSync(bytes, header.total, source), header);
}

/**
 * Reads an IDX file, raw or gzipped, into shared memory. A gzipped file is inflated only to the size given by its
 * header, and to at most `maxBytes`. Throws `FILE_NOT_FOUND`, and `FILE_CORRUPT`, naming the byte and the broken rule.
 */
export async function readIdx(path: string | URL, options?: ReadIdxOptions): Promise<IdxArray> {
  checkArity('readIdx', arguments, 2);
  const file = checkPath('path', path);
  const { sha256, maxBytes } = checkOptions<ReadIdxOptions>('readIdx', options, ['sha256', 'maxBytes']);
  if (maxBytes !== undefined) checkInteger('maxBytes', maxBytes, { min: 1 });
  if (sha256 !== undefined && typeof sha256 !== 'string') throw invalid('sha256', 'a hash in hexadecimal', sha256);
  const bytes = await readShared(file);
  if (sha256 !== undefined) {
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== sha256.toLowerCase()) {
      throw new BlasnetError('FILE_CORRUPT', `${file}: expected SHA-256 ${cut(sha256, 64)}, got ${actual}`);
    }
  }
  if (!isGzip(bytes)) return parseIdx(bytes, file);
  const header = readGzipHeader(bytes, file, maxBytes);
  return readArray(await inflate(bytes, header.total, file), header);
}

/** Options of {@link readIdxDataset}. */
export interface IdxDatasetOptions
  extends Omit<DatasetOptions, 'features' | 'labels' | 'targets' | 'targetShape'>,
    Pick<ReadIdxOptions, 'maxBytes'> {
  /** The file of samples, a path or file: URL; its first dimension counts rows. */
  images: string | URL;
  /** The file of class indices: one dimension, integers. */
  labels?: string | URL | undefined;
}

/**
 * A dataset from two IDX files, raw or gzipped. Bytes stay bytes, read straight into shared memory. `shape` defaults to
 * the dimensions of the samples after the first, `name` to the path of the images. Throws the errors of `readIdx` and
 * `Dataset`, and `SHAPE_MISMATCH` if the files differ in their number of rows.
 */
export async function readIdxDataset(options: IdxDatasetOptions): Promise<Dataset> {
  checkArity('readIdxDataset', arguments, 1);
  if (options === undefined) throw invalid('options', 'an object with the path of the images', options);
  const known = ['images', 'labels', 'maxBytes', 'shape', 'classes', 'scale', 'offset', 'name', 'labelNames'] as const;
  checkOptions('readIdxDataset', options, known);
  const { images, labels, maxBytes, ...rest } = options;
  const read = async (name: string, file: string | URL): Promise<IdxFile> => {
    const path = checkPath(name, file);
    return { path, array: await readIdx(path, maxBytes === undefined ? {} : { maxBytes }) };
  };
  const [samples, classes] = await Promise.all([
    read('images', images),
    labels === undefined ? undefined : read('labels', labels),
  ]);
  return joinIdx(samples, classes, rest);
}

/** The content of an IDX file with its path, for messages. */
export interface IdxFile {
  path: string;
  array: IdxArray;
}

/** Builds the dataset from samples and labels; see `readIdxDataset`. */
export function joinIdx(images: IdxFile, labels: IdxFile | undefined, options: Partial<DatasetOptions>): Dataset {
  const [rows, ...shape] = images.array.shape;
  if (shape.includes(0)) {
    const sizes = images.array.shape.join(', ');
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${images.path}: expected samples of one number or more, got shape [${sizes}]`,
    );
  }
  if (labels && (labels.array.shape.length !== 1 || labels.array.shape[0] !== rows)) {
    const sizes = labels.array.shape.join(', ');
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${labels.path}: expected shape [${rows}], one label for each row of ${images.path}, got [${sizes}]`,
    );
  }
  try {
    return new Dataset({
      name: images.path,
      shape: shape.length ? shape : [1],
      ...options,
      features: images.array.data,
      labels: labels?.array.data as Int32Array | undefined,
    });
  } catch (error) {
    // The dataset's error names the row of a bad label; this adds the file.
    if (!(error instanceof BlasnetError) || error.code !== 'LABEL_OUT_OF_RANGE') throw error;
    throw new BlasnetError(error.code, `${labels?.path}: ${error.message}`, { cause: error });
  }
}

function corrupt(source: string, at: number, problem: string): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${source}: byte ${at}: ${problem}`);
}

/** Parses the header of raw content and checks that the size matches. */
function readHeader(bytes: Uint8Array, source: string): Header {
  const { length } = bytes;
  const header = readFields(bytes, source);
  if (header.total > length) {
    throw corrupt(
      source,
      length,
      `the file ends here, but the shape [${header.shape.join(', ')}] needs ${header.total} bytes`,
    );
  }
  if (header.total < length) {
    throw corrupt(
      source,
      header.total,
      `expected the end, as the shape [${header.shape.join(', ')}] specifies, but ${length - header.total} bytes follow`,
    );
  }
  return header;
}

/** Parses the header of gzipped content, whose size can only be bounded. */
function readGzipHeader(bytes: Uint8Array, source: string, maxBytes: number | undefined): Header {
  const header = readFields(inflateStart(bytes, MAX_HEADER, source), `${source} (inflated)`);
  if (header.total > largestContent(bytes.length)) {
    throw corrupt(
      source,
      bytes.length,
      `the file ends here; so few bytes cannot hold the shape [${header.shape.join(', ')}]`,
    );
  }
  const most = maxBytes ?? usualContent(bytes.length);
  if (header.total > most) {
    const shape = shapeText(header.shape);
    throw corrupt(
      source,
      bytes.length,
      `the shape ${shape} takes ${header.total} bytes; at most ${most} are inflated (see maxBytes of readIdx)`,
    );
  }
  return header;
}

function readFields(bytes: Uint8Array, source: string): Header {
  if (bytes.length < 4)
    throw corrupt(source, bytes.length, 'expected a magic number of 4 bytes, but the file ends here');
  if (bytes[0] !== 0 || bytes[1] !== 0)
    throw corrupt(source, 0, `expected two zero bytes, got ${bytes[0]} and ${bytes[1]}; this is no IDX file`);
  const element = ELEMENTS[bytes[2] as keyof typeof ELEMENTS];
  if (!element) throw corrupt(source, 2, `unknown element type 0x${bytes[2].toString(16).padStart(2, '0')}`);
  const rank = bytes[3];
  if (rank < 1 || rank > MAX_RANK) throw corrupt(source, 3, `expected 1 to ${MAX_RANK} dimensions, got ${rank}`);
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw corrupt(source, bytes.length, `expected ${rank} sizes of 4 bytes, but the file ends here`);

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  let size: number = element.size;
  if (shape.includes(0)) size = 0;
  for (let i = 0; i < rank && size !== 0; i++) {
    size *= shape[i];
    if (!Number.isSafeInteger(size))
      throw corrupt(source, 4 + 4 * i, `the shape [${shape.join(', ')}] is beyond any file's size`);
  }
  return { type: element.type, shape, start, total: start + size };
}

/** The numbers after the header; `bytes` has the size given by the header. */
function readArray(bytes: Uint8Array, { type, shape, start, total }: Header): IdxArray {
  const { buffer, byteOffset } = bytes;
  const at = byteOffset + start;
  const length = total - start;
  if (type === 'uint8') return { type, shape, data: new Uint8Array(buffer, at, length) };
  if (type === 'int8') return { type, shape, data: new Int8Array(buffer, at, length) };

  const view = new DataView(buffer, at, length);
  const out = sharedBuffer(length);
  switch (type) {
    case 'int16':
      return { type, shape, data: fill(new Int16Array(out), (i) => view.getInt16(2 * i)) };
    case 'int32':
      return { type, shape, data: fill(new Int32Array(out), (i) => view.getInt32(4 * i)) };
    case 'float32':
      return { type, shape, data: fill(new Float32Array(out), (i) => view.getFloat32(4 * i)) };
    case 'float64':
      return { type, shape, data: fill(new Float64Array(out), (i) => view.getFloat64(8 * i)) };
  }
}

function fill<T extends TypedArray>(out: T, read: (index: number) => number): T {
  for (let i = 0; i < out.length; i++) out[i] = read(i);
  return out;
}
