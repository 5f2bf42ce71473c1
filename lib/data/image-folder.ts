import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join, sep } from 'node:path';
import {
  checkArity,
  checkChoice,
  checkInteger,
  checkLabelNames,
  checkOptions,
  checkPath,
  checkShape,
  invalid,
  MAX_SIZE,
  SIZES,
} from '../checks.js';
import { BlasnetError } from '../errors.js';
import { loadPackage } from '../packages.js';
import { sharedBytes } from '../shared-memory.js';
import { systemReason } from '../system.js';
import { cut, listed, pathText, quote } from '../text.js';
import { Dataset } from './dataset.js';
import { readWhole } from './files.js';

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions {
  /**
   * [height, width] for all images, stretched if their proportions differ: each at most 10^8, and fewer than 2^31 / 3
   * pixels. Default: all images must have the same size.
   */
  size?: readonly [number, number];
  /** 1: grey, of colours 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601); 3 (default): red, green, blue. */
  channels?: 1 | 3;
  /**
   * How to determine an image's class: `'folder'` (default), the folder below `directory` that contains it; the first
   * character of its file name; or a function of its path relative to `directory` (with `/`) that returns a class name
   * or index. `'none'`: no labels.
   */
  label?: 'folder' | 'firstCharacter' | 'none' | ((path: string) => string | number);
  /**
   * Class names in index order; images of other classes are rejected. Pass those of the training data for the test data
   * (`labelNames: train.labelNames`), as a class without test images would otherwise shift the numbering. Default: the
   * names that occur and those of empty folders, sorted; numerically if all are integers.
   */
  labelNames?: readonly string[] | undefined;
  /** Only load this many images, the first by name. */
  limit?: number;
  /** Only load this many images per class, the first by name. */
  limitPerClass?: number;
  /** Maximum pixels (height × width) per image; larger ones count as corrupt. Default 2^25, more than 7680 × 4320. */
  maxPixels?: number;
  /**
   * How to handle files that can't be read or decoded, or whose format does not match their name. `'error'` (default):
   * throw an error naming these files after reading all. `'skip'`: skip them. A function: called for each one, in name
   * order, with its path and error; the file is skipped unless the function throws.
   */
  onCorrupt?: 'error' | 'skip' | ((file: string, error: BlasnetError) => void | Promise<void>);
}

const OPTIONS: readonly (keyof ImageFolderOptions)[] = [
  'size',
  'channels',
  'label',
  'labelNames',
  'limit',
  'limitPerClass',
  'maxPixels',
  'onCorrupt',
];

const MAX_PIXELS = 2 ** 25;
/** Maximum height or width: libvips has no larger images. */
const MAX_SIDE = 1e8;
/** Maximum bytes per pixel in a file (four channels and alpha, 16 bits each), and for everything else in the file. */
const PIXEL_BYTES = 10;
const OTHER_BYTES = 2 ** 22;
/** Maximum number of files named in an error. */
const MOST_NAMED = 20;

/** Images decoded concurrently; more gain nothing, as libvips has its own threads. */
const MOST_AT_ONCE = 8;

interface Classes {
  labels?: number[];
  labelNames?: readonly string[];
}

/**
 * How files of each format begin: a pattern for their first 64 bytes as latin-1. Only these formats are decoded;
 * libvips would accept many more, whatever the file's name.
 */
const FORMATS: Readonly<Record<string, { name: string; begin: RegExp }>> = {
  '.png': { name: 'png', begin: /^\x89PNG\r\n/ },
  '.jpg': { name: 'jpeg', begin: /^\xff\xd8\xff/ },
  '.webp': { name: 'webp', begin: /^RIFF.{4}WEBP/s },
  '.gif': { name: 'gif', begin: /^GIF8[79]a/ },
  '.tif': { name: 'tiff', begin: /^(II[*+]\0|MM\0[*+])/ },
  // The major brand and the compatible brands.
  '.avif': { name: 'avif', begin: /^.{4}ftyp(avi[fs]|.{8}(.{4})*avi[fs])/s },
};
const SYNONYMS: Readonly<Record<string, string>> = { '.jpeg': '.jpg', '.tiff': '.tif' };

/** The format according to the file's name; undefined if it is not an image. */
function formatOf(path: string) {
  const extension = extname(path).toLowerCase();
  return FORMATS[SYNONYMS[extension] ?? extension];
}

interface Picture {
  data: Uint8Array;
  height: number;
  width: number;
}

type Decode = (path: string) => Promise<Picture>;

/**
 * Loads the images in a folder and its subfolders as a dataset of shape [height, width, channels]. Pixels stay bytes in
 * shared memory; the network sees them times 1/255. Rows are sorted by path (by code units), independent of the file
 * system. Reads files ending in .png, .jpg, .jpeg, .webp, .gif (first frame), .tif, .tiff or .avif; ignores hidden
 * files. Links to files and folders are followed, but not those to a folder that contains them. EXIF orientation is
 * applied; transparency becomes white.
 *
 * Needs the package `sharp`; throws `PACKAGE_MISSING` without it. Throws, naming the files, `FILE_NOT_FOUND` (directory
 * missing or images unreadable), `EMPTY_DATA` (no images), `FILE_CORRUPT` (images that can't be decoded, don't match
 * their name's format or are too large) and `SHAPE_MISMATCH` (images of different sizes without `size`). Also throws
 * `LABEL_OUT_OF_RANGE`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `OUT_OF_MEMORY`.
 */
export async function imageFolder(path: string | URL, options?: ImageFolderOptions): Promise<Dataset> {
  checkArity('imageFolder', arguments, 2);
  const directory = checkPath('directory', path);
  const given = checkOptions('imageFolder', options, OPTIONS);
  const {
    size,
    channels = 3,
    label = 'folder',
    labelNames,
    limit,
    limitPerClass,
    maxPixels = MAX_PIXELS,
    onCorrupt = 'error',
  } = given;
  if (channels !== 1 && channels !== 3) throw invalid('channels', '1 or 3', channels);
  if (size !== undefined) checkSize(size);
  if (typeof label !== 'function') checkChoice('label', label, ['folder', 'firstCharacter', 'none']);
  if (limit !== undefined) checkInteger('limit', limit, { min: 1 });
  if (limitPerClass !== undefined) checkInteger('limitPerClass', limitPerClass, { min: 1 });
  checkInteger('maxPixels', maxPixels, SIZES);
  if (typeof onCorrupt !== 'function') checkChoice('onCorrupt', onCorrupt, ['error', 'skip']);
  const known = labelNames === undefined ? undefined : checkLabelNames(labelNames);
  const decode = await openDecoder(size, channels, maxPixels);

  const { found, folders } = await listImages(directory);
  found.sort();
  if (found.length === 0) throw new BlasnetError('EMPTY_DATA', `${directory}: expected at least one image, found none`);
  const { paths, names } = withLabels(directory, found.slice(0, limit), label, limitPerClass);
  const classes: Classes = names ? toClasses(directory, paths, names, known, label === 'folder' ? folders : []) : {};
  const files = paths.map((file) => join(directory, file));
  const { features, height, width, rows, faults, mismatch } = await readAll(files, channels, decode);
  if (faults.length > 0) {
    if (onCorrupt === 'error') throw corruptError(directory, paths, faults);
    for (const { row, error } of faults) if (onCorrupt !== 'skip') await onCorrupt(files[row], error);
    if (rows.length === 0)
      throw new BlasnetError('EMPTY_DATA', `${directory}: none of its ${paths.length} images can be read`);
    if (classes.labels) classes.labels = rows.map((row) => (classes.labels as number[])[row]);
  }
  if (mismatch !== undefined) throw mismatch;
  return new Dataset({
    features,
    shape: [height, width, channels],
    scale: 1 / 255,
    name: basename(directory),
    ...classes,
  });
}

function checkSize(size: unknown): void {
  if (checkShape('size', size).length !== 2) throw invalid('size', '[height, width]', size);
  const [height, width] = size as [number, number];
  // The decoder, which gives colours, would end the process for lack of a larger buffer.
  if (3 * height * width > MAX_SIZE || Math.max(height, width) > MAX_SIDE) {
    throw invalid('size', `sides up to ${MAX_SIDE}, and fewer than 2^31 / 3 pixels`, size);
  }
}

/** The error that names the unreadable files. */
function corruptError(directory: string, paths: readonly string[], faults: readonly Fault[]): BlasnetError {
  if (faults.length === 1) return faults[0].error;
  const code = faults.every(({ error }) => error.code === 'FILE_NOT_FOUND') ? 'FILE_NOT_FOUND' : 'FILE_CORRUPT';
  const named = faults.slice(0, MOST_NAMED).map(({ row }) => cut(paths[row], 60));
  const rest = faults.length > named.length ? ` and ${faults.length - named.length} more` : '';
  const [{ error: first }] = faults;
  const message = `${directory}: ${faults.length} of ${paths.length} images can't be read: ${named.join(', ')}${rest}; the first: ${first.message}`;
  return new BlasnetError(code, message, { cause: new AggregateError(faults.map(({ error }) => error)) });
}

/** The images and the folders in a directory, in file system order; names of hidden ones are left out. */
interface Listing {
  /** Paths of the images, relative to the directory, with `/`. */
  found: string[];
  /** Names of the folders in the directory itself. */
  folders: string[];
}

async function listImages(directory: string): Promise<Listing> {
  const found: string[] = [];
  const folders: string[] = [];
  const visit = async (below: string, around: readonly string[]): Promise<void> => {
    const { real, entries } = await openFolder(join(directory, below));
    // Following a link to a folder around it would never end, and one around the directory leads out of it.
    if (around.includes(real) || (around.length > 0 && contains(real, around[0]))) return;
    if (around.length === 1) folders.push(below.slice(0, -1));
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = below + entry.name;
      const linked = !entry.isFile() && !entry.isDirectory() && (await isDirectory(join(directory, path)));
      if (linked || entry.isDirectory()) await visit(`${path}/`, [...around, real]);
      // Unreadable ones fail when they are read.
      else if (formatOf(entry.name) !== undefined) found.push(path);
    }
  };
  await visit('', []);
  return { found, folders };
}

/** Whether a folder contains another; both are real paths. */
const contains = (outer: string, inner: string): boolean =>
  inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);

async function openFolder(path: string): Promise<{ real: string; entries: Dirent[] }> {
  try {
    return { real: await realpath(path), entries: await readdir(path, { withFileTypes: true }) };
  } catch (cause) {
    throw new BlasnetError(
      'FILE_NOT_FOUND',
      `${pathText(path)}: it cannot be read as a directory (${systemReason(cause)})`,
      {
        cause,
      },
    );
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

function labelOf(
  directory: string,
  path: string,
  label: Exclude<ImageFolderOptions['label'], 'none' | undefined>,
): string | number {
  if (label === 'firstCharacter') return String.fromCodePoint(basename(path).codePointAt(0) as number);
  if (label === 'folder') {
    const [folder, rest] = path.split('/', 2);
    if (rest === undefined) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${join(directory, path)}: expected it in a folder named after its class; see the option label`,
      );
    }
    return folder;
  }
  const result: unknown = label(path);
  if (typeof result === 'string') return result;
  return checkInteger(`label of ${join(directory, path)}`, result, { min: 0, max: MAX_SIZE });
}

function withLabels(
  directory: string,
  paths: string[],
  label: NonNullable<ImageFolderOptions['label']>,
  limitPerClass = Infinity,
) {
  if (label === 'none') return { paths: paths.slice(0, limitPerClass), names: undefined };
  const taken = new Map<string | number, number>();
  const kept: string[] = [];
  const names: (string | number)[] = [];
  for (const path of paths) {
    const name = labelOf(directory, path, label);
    const count = taken.get(name) ?? 0;
    if (count >= limitPerClass) continue;
    taken.set(name, count + 1);
    kept.push(path);
    names.push(name);
  }
  return { paths: kept, names };
}

function toClasses(
  directory: string,
  paths: string[],
  names: (string | number)[],
  known: readonly string[] | undefined,
  folders: readonly string[],
): Classes {
  const numbers = names.filter((name) => typeof name === 'number');
  if (numbers.length === names.length) return known ? { labels: numbers, labelNames: known } : { labels: numbers };
  if (numbers.length > 0) throw invalid('label', 'names for all images or class indices for all', 'both');
  const labelNames = known ?? sortNames([...new Set([...folders, ...(names as string[])])]);
  const labels = names.map((name, row) => {
    const index = labelNames.indexOf(name as string);
    if (index >= 0) return index;
    const path = join(directory, paths[row]);
    throw new BlasnetError(
      'LABEL_OUT_OF_RANGE',
      `${path}: its class ${quote(name as string)} is not among labelNames (${listed(labelNames)})`,
    );
  });
  return { labels, labelNames };
}

function sortNames(names: string[]): string[] {
  return names.every((name) => /^\d{1,9}$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();
}

/**
 * The grey of each pixel in red, green and blue, to the bit as PIL rounds it. The weights are those of ITU-R BT.601 in
 * 1/65536; their sum is 65536, so that grey stays as it is.
 */
function toGrey(colours: Uint8Array): Uint8Array {
  const grey = new Uint8Array(colours.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3)
    grey[i] = (19595 * colours[at] + 38470 * colours[at + 1] + 7471 * colours[at + 2] + 32768) >> 16;
  return grey;
}

async function openDecoder(size: ImageFolderOptions['size'], channels: 1 | 3, maxPixels: number): Promise<Decode> {
  const { default: sharp } = await loadPackage<typeof import('sharp')>('imageFolder', 'sharp');
  const decode = async (path: string): Promise<Picture> => {
    const bytes = await readWhole(path, (length) => new Uint8Array(length), PIXEL_BYTES * maxPixels + OTHER_BYTES);
    const begin = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
    const format = Object.values(FORMATS).find((one) => one.begin.test(begin));
    if (format === undefined || format !== formatOf(path)) {
      throw new Error(
        `its name specifies ${formatOf(path)?.name}, its first bytes ${format?.name ?? 'no format that is read'}`,
      );
    }
    // The decoder's default limit would let 31 kB expand to 1.5 GB.
    const source = sharp(bytes, { limitInputPixels: maxPixels });
    const { channels: stored } = await source.metadata();
    if (stored > 5) throw new Error(`it has ${stored} channels`);
    // rotate() without an angle applies the EXIF orientation.
    let image = source.rotate().flatten({ background: '#fff' });
    if (size) image = image.resize(size[1], size[0], { fit: 'fill' });
    // Not 'b-w', which is the luminance of linear light: other greys than those of PIL, torchvision and Keras.
    image = image.toColourspace('srgb');
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels instead of 3`);
    return { data: channels === 1 ? toGrey(data) : data, height: info.height, width: info.width };
  };
  return async (path) => {
    try {
      return await decode(path);
    } catch (cause) {
      if (cause instanceof BlasnetError) throw cause;
      throw new BlasnetError('FILE_CORRUPT', `${path}: it cannot be decoded as an image (${systemReason(cause)})`, {
        cause,
      });
    }
  };
}

/** A file that could not be read. */
interface Fault {
  row: number;
  error: BlasnetError;
}

interface Pictures {
  /** The readable images, contiguous in one block of shared memory. */
  features: Uint8Array;
  height: number;
  width: number;
  /** Their indices among the paths. */
  rows: number[];
  /** The unreadable ones, by index. */
  faults: Fault[];
  /** The first image of a different size. */
  mismatch: BlasnetError | undefined;
}

/** Reads all images even after failures, so that the errors reported don't depend on timing. */
async function readAll(paths: readonly string[], channels: number, decode: Decode): Promise<Pictures> {
  const faults: Fault[] = [];
  const read = async (row: number): Promise<Picture | undefined> => {
    try {
      return await decode(paths[row]);
    } catch (error) {
      if (!(error instanceof BlasnetError) || !['FILE_CORRUPT', 'FILE_NOT_FOUND'].includes(error.code)) throw error;
      faults.push({ row, error });
      return undefined;
    }
  };
  let first: Picture | undefined;
  let next = 0;
  while (first === undefined && next < paths.length) first = await read(next++);
  if (first === undefined)
    return { features: sharedBytes(0), height: 1, width: 1, rows: [], faults, mismatch: undefined };

  const { data, height, width } = first;
  const begin = next - 1;
  const length = height * width * channels;
  const features = sharedBytes((paths.length - begin) * length);
  features.set(data);
  const others: { row: number; height: number; width: number }[] = [];
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      const row = next++;
      const image = await read(row);
      if (image === undefined) continue;
      if (image.height === height && image.width === width) features.set(image.data, (row - begin) * length);
      else others.push({ row, height: image.height, width: image.width });
    }
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, availableParallelism()) }, work));

  faults.sort((a, b) => a.row - b.row);
  const left = new Set(faults.map(({ row }) => row));
  const rows = paths.map((_, row) => row).filter((row) => !left.has(row));
  rows.forEach((row, i) => {
    if (row !== begin + i) features.copyWithin(i * length, (row - begin) * length, (row - begin + 1) * length);
  });
  const [other] = others.sort((a, b) => a.row - b.row);
  const mismatch =
    other &&
    new BlasnetError(
      'SHAPE_MISMATCH',
      `${paths[other.row]}: expected ${height} × ${width} pixels (height × width) as ${paths[begin]} has, got ${other.height} × ${other.width}; ` +
        'the option size gives all images the same size',
    );
  return { features: features.subarray(0, rows.length * length), height, width, rows, faults, mismatch };
}
