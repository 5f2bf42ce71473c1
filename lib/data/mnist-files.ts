import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { checkNumber, checkOptions, checkPath, invalid, isPlain, isUrl } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { isMissing } from '../system.js';
import { pathText } from '../text.js';
import type { Dataset } from './dataset.js';
import { type IdxFile, joinIdx, readIdx } from './idx.js';

/** Options of `mnist` and `fashionMnist`. */
export interface MnistOptions {
  /** `[784]` (default) for dense layers, `[28, 28, 1]` for convolutions. */
  shape?: readonly [784] | readonly [28, 28, 1];
  /** The network sees `byte * scale + offset`. Default 1/255. */
  scale?: number;
  /** Default 0. */
  offset?: number;
}

/** What `mnist` and `fashionMnist` return: the rows to train on and those to test with. */
export interface MnistDatasets {
  train: Dataset;
  test: Dataset;
}

/** The four files of MNIST and compatible datasets, under their usual names. */
const MNIST_FILES = {
  trainImages: 'train-images-idx3-ubyte',
  trainLabels: 'train-labels-idx1-ubyte',
  testImages: 't10k-images-idx3-ubyte',
  testLabels: 't10k-labels-idx1-ubyte',
} as const;

export type MnistFile = keyof typeof MNIST_FILES;

export interface MnistSource {
  /** Name of the dataset. */
  name: string;
  directory: string;
  /** Expected hash of each file. */
  sha256?: Record<MnistFile, string>;
  labelNames?: readonly string[];
}

/** Resolves and checks the arguments `(directory?, options?)`, both optional. */
export function readArguments(
  name: string,
  first: string | URL | MnistOptions | undefined,
  second: MnistOptions | undefined,
): { directory: string | undefined; options: Required<MnistOptions> } {
  const alone = typeof first === 'object' && first !== null && !isUrl(first);
  if (alone && second !== undefined) throw invalid('directory', 'a path in front of options', first);
  if (alone && !isPlain(first)) throw invalid('directory', 'a path, a file: URL or options', first);
  const directory = alone || first === undefined ? undefined : checkPath('directory', first);
  const {
    shape = [784],
    scale = 1 / 255,
    offset = 0,
  } = checkOptions(name, alone ? first : second, ['shape', 'scale', 'offset']);
  if (!Array.isArray(shape) || !['784', '28,28,1'].includes(shape.join()))
    throw invalid('shape', '[784] or [28, 28, 1]', shape);
  checkNumber('scale', scale);
  checkNumber('offset', offset);
  return { directory, options: { shape, scale, offset } };
}

/** Reads the four files of a directory, raw or gzipped. Throws the errors of `mnist` for a directory. */
export async function readMnist(source: MnistSource, options: Required<MnistOptions>): Promise<MnistDatasets> {
  const read = async (file: MnistFile): Promise<IdxFile> => {
    const path = await findFile(source.directory, MNIST_FILES[file]);
    return { path, array: await readIdx(path, source.sha256 && { sha256: source.sha256[file] }) };
  };
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all([
    read('trainImages'),
    read('trainLabels'),
    read('testImages'),
    read('testLabels'),
  ]);
  const labelNames = source.labelNames;
  const join = (images: IdxFile, labels: IdxFile, part: string): Dataset => {
    checkImages(images);
    return joinIdx(images, labels, { ...options, classes: 10, name: `${source.name} ${part}`, labelNames });
  };
  return { train: join(trainImages, trainLabels, 'train'), test: join(testImages, testLabels, 'test') };
}

function checkImages({ path, array: { type, shape } }: IdxFile): void {
  if (type === 'uint8' && shape.length === 3 && shape[1] === 28 && shape[2] === 28) return;
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `${path}: expected uint8 images of shape [rows, 28, 28], got ${type} of shape [${shape.join(', ')}]`,
  );
}

/** The path of a file with a hyphen or a dot before `idx` in its name, raw or gzipped. */
async function findFile(directory: string, name: string): Promise<string> {
  const spellings = [name, name.replace('-idx', '.idx')].flatMap((spelling) => [spelling, `${spelling}.gz`]);
  for (const spelling of spellings) {
    const path = join(directory, spelling);
    try {
      await access(path);
      return path;
    } catch (error) {
      // A file that exists but can't be read is reported by the reader.
      if (!isMissing(error)) return path;
    }
  }
  throw new BlasnetError(
    'FILE_NOT_FOUND',
    `${pathText(directory)}: expected a file ${spellings.join(' or ')}, found none`,
  );
}
