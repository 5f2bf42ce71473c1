import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { checkChoice, checkInteger, checkOptions, checkShape, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { loadPackage } from '../packages.js';
import { Dataset } from './dataset.js';
import { sharedBytes } from './storage.js';

export interface ImageFolderOptions {
  /** [height, width] to which every image is resized, stretched where its proportions differ. Default: they all have one size. */
  size?: readonly [number, number];
  /** 1: grey, 3 (default): red, green, blue. */
  channels?: 1 | 3;
  /**
   * The class of an image: the folder below `directory` that it lies in (default), the first character of its file name, or what
   * a function makes of its path relative to `directory` (with `/`): a name, or a class index. `'none'`: no labels.
   */
  label?: 'folder' | 'firstCharacter' | 'none' | ((path: string) => string | number);
  /** The classes in the order of their indices. Default: the names that occur, sorted; as numbers where all are integers. */
  labelNames?: readonly string[];
  /** Take the first so many images, by name. */
  limit?: number;
  /** Take the first so many images of each class, by name. */
  limitPerClass?: number;
}

const OPTIONS: readonly (keyof ImageFolderOptions)[] = ['size', 'channels', 'label', 'labelNames', 'limit', 'limitPerClass'];

const EXTENSIONS = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.tif', '.tiff', '.avif']);

/** Images decoded at one time; more gain nothing, as libvips has threads of its own. */
const MOST_AT_ONCE = 8;

interface Classes {
  labels?: number[];
  labelNames?: readonly string[];
}

interface Picture {
  data: Uint8Array;
  height: number;
  width: number;
}

type Decode = (path: string) => Promise<Picture>;

/**
 * The images in a folder and the folders below it, as a dataset of shape [height, width, channels]. Pixels stay bytes in shared
 * memory; the network sees them times 1/255. Rows are sorted by path, by code units, whatever the order of the file system.
 * Read are files that end in .png, .jpg, .jpeg, .webp, .gif (the first frame), .tif, .tiff or .avif; hidden files are not.
 * An EXIF orientation is applied, transparency shows white.
 *
 * Needs the package `sharp`, and throws `PACKAGE_MISSING` without it. Throws `FILE_NOT_FOUND` (no such directory), `EMPTY_DATA`
 * (no images), `FILE_CORRUPT` (an image that can't be decoded), `SHAPE_MISMATCH` (images of different sizes and no `size`),
 * each naming the file; `LABEL_OUT_OF_RANGE`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `OUT_OF_MEMORY`.
 */
export async function imageFolder(directory: string, options?: ImageFolderOptions): Promise<Dataset> {
  if (typeof directory !== 'string') throw invalid('directory', 'a path', directory);
  const given = checkOptions('imageFolder', options, OPTIONS);
  const { size, channels = 3, label = 'folder', limit, limitPerClass } = given;
  if (size !== undefined && checkShape('size', size).length !== 2) throw invalid('size', '[height, width]', size);
  if (channels !== 1 && channels !== 3) throw invalid('channels', '1 or 3', channels);
  if (typeof label !== 'function') checkChoice('label', label, ['folder', 'firstCharacter', 'none']);
  if (limit !== undefined) checkInteger('limit', limit, { min: 1 });
  if (limitPerClass !== undefined) checkInteger('limitPerClass', limitPerClass, { min: 1 });
  const decode = await openDecoder(size, channels);

  const found = (await listImages(directory, '')).sort().slice(0, limit);
  if (found.length === 0) throw new BlasnetError('EMPTY_DATA', `${directory}: expected at least one image, found none`);
  const { paths, names } = withLabels(directory, found, label, limitPerClass);
  const classes = names ? toClasses(directory, paths, names, given.labelNames) : {};
  const { features, height, width } = await readAll(
    paths.map((path) => join(directory, path)),
    channels,
    decode,
  );
  return new Dataset({ features, shape: [height, width, channels], scale: 1 / 255, name: basename(directory), ...classes });
}

/** Paths of the images below `directory`, relative to it and with `/`, in the order of the file system. */
async function listImages(directory: string, below: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(directory, below), { withFileTypes: true });
  } catch (cause) {
    const path = join(directory, below);
    throw new BlasnetError('FILE_NOT_FOUND', `${path}: it cannot be read as a directory (${(cause as Error).message})`, {
      cause,
    });
  }
  const found: string[] = [];
  for (const entry of entries) {
    const path = below + entry.name;
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) found.push(...(await listImages(directory, `${path}/`)));
    else if (!EXTENSIONS.has(extname(entry.name).toLowerCase())) continue;
    // Links to folders are not followed: they may form a circle.
    else if (entry.isFile() || (await stat(join(directory, path))).isFile()) found.push(path);
  }
  return found;
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
        `${join(directory, path)}: expected it in a folder that tells its class; see the option label`,
      );
    }
    return folder;
  }
  const result: unknown = label(path);
  if (typeof result === 'string') return result;
  return checkInteger(`label of ${join(directory, path)}`, result, { min: 0, below: 2 ** 31 });
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
): Classes {
  const numbers = names.filter((name) => typeof name === 'number');
  if (numbers.length === names.length) return known ? { labels: numbers, labelNames: known } : { labels: numbers };
  if (numbers.length > 0) throw invalid('label', 'names for all images or class indices for all', 'both');
  const labelNames = known ?? sortNames([...new Set(names as string[])]);
  const labels = names.map((name, row) => {
    const index = labelNames.indexOf(name as string);
    if (index >= 0) return index;
    const path = join(directory, paths[row]);
    throw new BlasnetError(
      'LABEL_OUT_OF_RANGE',
      `${path}: its class ${JSON.stringify(name)} is not among labelNames (${labelNames.join(', ')})`,
    );
  });
  return { labels, labelNames };
}

function sortNames(names: string[]): string[] {
  return names.every((name) => /^\d{1,9}$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();
}

async function openDecoder(size: ImageFolderOptions['size'], channels: 1 | 3): Promise<Decode> {
  const { default: sharp } = await loadPackage('imageFolder', 'sharp', () => import('sharp'));
  return async (path) => {
    try {
      // rotate() without an angle applies the EXIF orientation.
      let image = sharp(path).rotate().flatten({ background: '#fff' });
      if (size) image = image.resize(size[1], size[0], { fit: 'fill' });
      image = image.toColourspace(channels === 1 ? 'b-w' : 'srgb');
      const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
      if (info.channels !== channels) throw new Error(`${info.channels} channels in place of ${channels}`);
      return { data, height: info.height, width: info.width };
    } catch (cause) {
      throw new BlasnetError('FILE_CORRUPT', `${path}: it cannot be decoded as an image (${(cause as Error).message})`, {
        cause,
      });
    }
  };
}

/** All images in one block of shared memory. */
async function readAll(paths: string[], channels: number, decode: Decode) {
  const first = await decode(paths[0]);
  const { height, width } = first;
  const length = height * width * channels;
  const features = sharedBytes(paths.length * length);
  const put = async (row: number): Promise<void> => {
    const image = row === 0 ? first : await decode(paths[row]);
    if (image.height !== height || image.width !== width) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `${paths[row]}: expected ${height} × ${width} pixels (height × width) as ${paths[0]} has, got ${image.height} × ${image.width}; ` +
          'the option size makes all images alike',
      );
    }
    features.set(image.data, row * length);
  };

  // Rows are begun in order and each is ended, so that the first file at fault is reported, however long each takes.
  const faults: { row: number; error: unknown }[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length && faults.length === 0) {
      const row = next++;
      try {
        await put(row);
      } catch (error) {
        faults.push({ row, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, availableParallelism()) }, work));
  if (faults.length > 0) throw faults.reduce((a, b) => (a.row < b.row ? a : b)).error;
  return { features, height, width };
}
