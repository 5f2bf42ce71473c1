import { access } from 'node:fs/promises';
import { checkArity } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type MnistDatasets, type MnistOptions, readArguments, readMnist } from './mnist-files.js';

/** Installation directory of Debian's package dataset-fashion-mnist. */
const DEBIAN_DIRECTORY = '/usr/share/datasets/fashion-mnist';

const LABEL_NAMES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/**
 * Fashion-MNIST (Zalando): like `mnist`, with images of clothes and `labelNames`. Without a directory the files are
 * those of the Debian package dataset-fashion-mnist, in /usr/share/datasets/fashion-mnist.
 *
 * Throws `DATA_MISSING` if these are not installed, otherwise the errors of `mnist`.
 */
export async function fashionMnist(options?: MnistOptions): Promise<MnistDatasets>;
export async function fashionMnist(directory: string | URL | undefined, options?: MnistOptions): Promise<MnistDatasets>;
export async function fashionMnist(first?: string | URL | MnistOptions, second?: MnistOptions): Promise<MnistDatasets> {
  checkArity('fashionMnist', arguments, 2);
  const { directory, options } = readArguments('fashionMnist', first, second);
  if (directory === undefined) await checkInstalled();
  return readMnist(
    { name: 'Fashion-MNIST', directory: directory ?? DEBIAN_DIRECTORY, labelNames: LABEL_NAMES },
    options,
  );
}

async function checkInstalled(): Promise<void> {
  try {
    await access(DEBIAN_DIRECTORY);
  } catch (cause) {
    throw new BlasnetError(
      'DATA_MISSING',
      `fashionMnist: there is no ${DEBIAN_DIRECTORY}; install the Debian package dataset-fashion-mnist, ` +
        'or pass the directory of the Fashion-MNIST files: fashionMnist(directory)',
      { cause },
    );
  }
}
