import { checkArity, checkInteger, checkNumber, checkOptions, checkSeed } from '../checks.js';
import { RandomStream, Stream } from '../random.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import { Dataset } from './dataset.js';

/** Options of the synthetic datasets. */
export interface SyntheticOptions {
  /** Number of points; default 200. Row i has class i mod classes. */
  samples?: number;
  /** Standard deviation of the normal noise added to each coordinate; default 0.1. */
  noise?: number;
  /** 32-bit unsigned integer, default 0: the same seed gives the same points. */
  seed?: number;
}

/** Options of {@link circles}. */
export interface CirclesOptions extends SyntheticOptions {
  /** Radius of the inner circle, in (0, 1). Default 0.5. */
  factor?: number;
}

/** Options of {@link spirals}. */
export interface SpiralsOptions extends SyntheticOptions {
  /** Number of arms, 1 or more. Default 2. */
  classes?: number;
  /** Turns that each arm takes. Default 1. */
  turns?: number;
}

/** Options of {@link blobs}. */
export interface BlobsOptions extends SyntheticOptions {
  /** Number of blobs, 1 or more. Default 3. */
  classes?: number;
  /** Distance of the blob centres from the origin. Default 1. */
  radius?: number;
}

/**
 * Two interleaving half circles of radius 1: class 0 is the upper one around (0, 0), class 1 the lower one around (1,
 * 0.5). Points are float32 of shape [2]. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 */
export function twoMoons(options?: SyntheticOptions): Dataset {
  checkArity('twoMoons', arguments, 1);
  const common = readCommon('twoMoons', options, []);
  return scatter('two moons', 2, common, (label, random) => {
    const angle = Math.PI * random.uniform();
    const [x, y] = [Math.cos(angle), Math.sin(angle)];
    return label === 0 ? [x, y] : [1 - x, 0.5 - y];
  });
}

/**
 * Two circles around the origin: class 0 of radius 1, class 1 of radius `factor`. Points are float32 of shape [2].
 * Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 */
export function circles(options: CirclesOptions = {}): Dataset {
  checkArity('circles', arguments, 1);
  const common = readCommon('circles', options, ['factor']);
  const factor = checkNumber('factor', options.factor ?? 0.5, { above: 0, below: 1 });
  return scatter('circles', 2, common, (label, random) =>
    polar(label === 0 ? 1 : factor, 2 * Math.PI * random.uniform()),
  );
}

/**
 * Spiral arms from the origin to radius 1, at equal angles to each other. Points are float32 of shape [2], at radii
 * drawn uniformly. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 */
export function spirals(options: SpiralsOptions = {}): Dataset {
  checkArity('spirals', arguments, 1);
  const common = readCommon('spirals', options, ['classes', 'turns'], 0.02);
  const classes = checkInteger('classes', options.classes ?? 2, { min: 1, max: 65536 });
  const turns = checkNumber('turns', options.turns ?? 1, { above: 0 });
  return scatter('spirals', classes, common, (label, random) => {
    const radius = random.uniform();
    return polar(radius, 2 * Math.PI * (turns * radius + label / classes));
  });
}

/**
 * Normal clusters of standard deviation `noise` around centres evenly spaced on a circle of `radius`, the first one on
 * the positive x axis. Points are float32 of shape [2]. Throws `UNKNOWN_OPTION` and `INVALID_ARGUMENT`.
 */
export function blobs(options: BlobsOptions = {}): Dataset {
  checkArity('blobs', arguments, 1);
  const common = readCommon('blobs', options, ['classes', 'radius']);
  const classes = checkInteger('classes', options.classes ?? 3, { min: 1, max: 65536 });
  const radius = checkNumber('radius', options.radius ?? 1, { min: 0 });
  return scatter('blobs', classes, common, (label) => polar(radius, (2 * Math.PI * label) / classes));
}

type Point = [x: number, y: number];

function polar(radius: number, angle: number): Point {
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

function readCommon<T extends SyntheticOptions>(
  name: string,
  options: T | undefined,
  others: readonly (keyof T & string)[],
  defaultNoise = 0.1,
): Required<SyntheticOptions> {
  const {
    samples = 200,
    noise = defaultNoise,
    seed = 0,
  } = checkOptions(name, options, ['samples', 'noise', 'seed', ...others]);
  checkInteger('samples', samples, { min: 0, max: 2 ** 28 });
  checkNumber('noise', noise, { min: 0 });
  checkSeed('seed', seed);
  return { samples, noise, seed };
}

/** Points of alternating classes, drawn by `draw`, with noise added. */
function scatter(
  name: string,
  classes: number,
  { samples, noise, seed }: Required<SyntheticOptions>,
  draw: (label: number, random: RandomStream) => Point,
): Dataset {
  const random = new RandomStream(seed, Stream.data);
  const features = sharedFloats(samples * 2);
  const labels = sharedIntegers(samples);
  for (let row = 0; row < samples; row++) {
    labels[row] = row % classes;
    const [x, y] = draw(labels[row], random);
    features[2 * row] = x + noise * random.normal();
    features[2 * row + 1] = y + noise * random.normal();
  }
  return new Dataset({ features, shape: [2], labels, classes, name });
}
