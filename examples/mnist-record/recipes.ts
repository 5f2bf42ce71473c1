/** What is trained for each goal, as data. */
import {
  type Augmentation,
  batchNorm,
  conv2d,
  dense,
  flatten,
  type LayerSpec,
  maxPool2d,
  randomShift,
  relu,
  slice,
} from 'blasnet';

export interface Recipe {
  readonly name: string;
  readonly layers: readonly LayerSpec[];
  /** The first so many training images; default all. */
  readonly images?: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest rate of Adam's cycle. */
  readonly rate: number;
  readonly augment?: readonly Augmentation[];
}

/** The middle 24 × 24 pixels. The digits lie in 20 × 20 pixels around their centre of mass. */
const middle = slice({ begin: [2, 2, 0], end: [26, 26, 1] });
const normalised = [batchNorm(), relu()];
const convolution = (filters: number, window: number, stride = 1) => [
  conv2d(filters, { window, stride, bias: false }),
  ...normalised,
];
/** The maximum before batch norm, which then sees a quarter of the values. */
const pooled = (filters: number, window: number, stride = 1) => [
  conv2d(filters, { window, stride, bias: false }),
  maxPool2d(2),
  ...normalised,
];
const hidden = (units: number) => [dense(units, { bias: false }), ...normalised];

const plain = [flatten(), ...hidden(128), ...hidden(64), dense(10)];
/** One convolution in steps of two pixels: 10 × 10, pooled to 5 × 5. */
const shallow = (filters: number) => [middle, ...pooled(filters, 5, 2), flatten(), ...hidden(64), dense(10)];
/** Two convolutions in steps of two pixels: 10 × 10, 4 × 4. */
const strided = (filters: number) => [
  middle,
  ...convolution(filters, 5, 2),
  ...convolution(2 * filters, 4, 2),
  flatten(),
  ...hidden(64),
  dense(10),
];
/** 20 × 20 pooled to 10 × 10, 8 × 8, 6 × 6 pooled to 3 × 3. */
const deep = (first: number, second: number, third: number) => [
  middle,
  ...pooled(first, 5),
  ...convolution(second, 3),
  ...pooled(third, 3),
  flatten(),
  ...hidden(128),
  dense(10),
];
const augment = [randomShift(1)];

const goals = ['97', '98', '99', '99.4'] as const;
/** Test accuracy in per cent. */
export type Goal = (typeof goals)[number];
export const isGoal = (text: string): text is Goal => (goals as readonly string[]).includes(text);

/** For each goal the recipes that were compared (`--choose`). The first is the one that was chosen. */
export const candidates: Readonly<Record<Goal, readonly Recipe[]>> = {
  '97': [
    { name: 'shallow 16, 10,000 images', layers: shallow(16), images: 10_000, epochs: 1, batchSize: 32, rate: 0.03 },
    { name: 'shallow 16, 12,000 images', layers: shallow(16), images: 12_000, epochs: 1, batchSize: 32, rate: 0.03 },
    { name: 'shallow 8, 20,000 images', layers: shallow(8), images: 20_000, epochs: 1, batchSize: 32, rate: 0.03 },
    { name: 'plain, 1 epoch', layers: plain, epochs: 1, batchSize: 64, rate: 0.01 },
  ],
  '98': [
    { name: 'shallow 8, 1 epoch', layers: shallow(8), epochs: 1, batchSize: 64, rate: 0.03 },
    { name: 'shallow 16, 24,000 images', layers: shallow(16), images: 24_000, epochs: 1, batchSize: 32, rate: 0.03 },
    { name: 'shallow 16, 30,000 images', layers: shallow(16), images: 30_000, epochs: 1, batchSize: 64, rate: 0.03 },
    { name: 'plain, 3 epochs', layers: plain, epochs: 3, batchSize: 128, rate: 0.01 },
  ],
  '99': [
    { name: 'shallow 24, 2 epochs', layers: shallow(24), epochs: 2, batchSize: 64, rate: 0.02, augment },
    { name: 'shallow 32, 2 epochs', layers: shallow(32), epochs: 2, batchSize: 64, rate: 0.02, augment },
    { name: 'strided 12, 2 epochs', layers: strided(12), epochs: 2, batchSize: 64, rate: 0.02, augment },
  ],
  '99.4': [
    { name: 'deep 8, 4 epochs', layers: deep(8, 16, 32), epochs: 4, batchSize: 64, rate: 0.02, augment },
    { name: 'deep 12, 3 epochs', layers: deep(12, 24, 24), epochs: 3, batchSize: 64, rate: 0.02, augment },
    { name: 'deep 16, 3 epochs', layers: deep(16, 32, 32), epochs: 3, batchSize: 64, rate: 0.02, augment },
  ],
};
