import { checkArity, checkChoice, checkInteger, checkNumber, checkOptions, invalid, MAX_SIZE } from './checks.js';
import { BlasnetError } from './errors.js';
import { type Builder, rows, type Shape, type Tensor, type Value } from './program/instructions.js';

/** A random change of training batches as plain data: its type and its resolved options. */
export interface Augmentation {
  readonly type: string;
}

/** The random words of one augmentation: key and counter. */
export interface Draws {
  readonly seed: number;
  readonly stream: number;
  readonly step: Value;
}

/** What the compiler needs to know about a type of augmentation. */
export interface AugmentationType<A extends Augmentation = Augmentation> {
  /** Makes the spec again from its fields (without `type`), which it checks. */
  read(fields: never): A;
  /** Whether it needs images. */
  readonly images: boolean;
  /** Whether it mixes rows: then their targets are mixed alike. */
  readonly mixes: boolean;
  /** Throws `INVALID_ARGUMENT` if the spec does not fit images of this shape. */
  check?(name: string, spec: A, image: Shape): void;
  /**
   * Emits the change of `x`, rows of `shape`: an image where `images` is true, otherwise of one dimension. Writes to
   * `y`, or to `x` itself; returns the tensor that it wrote to.
   */
  write(builder: Builder, spec: A, x: Tensor, y: () => Tensor, shape: Shape, draws: Draws): Tensor;
}

const types = new Map<string, AugmentationType>();

function register<A extends Augmentation>(type: string, entry: AugmentationType<A>): void {
  types.set(type, entry as unknown as AugmentationType);
}

/** Specs made by the functions below, whose options have been checked. */
const checked = new WeakSet<object>();

function spec<A extends Augmentation>(fields: A): A {
  for (const value of Object.values(fields)) if (Array.isArray(value)) Object.freeze(value);
  checked.add(Object.freeze(fields));
  return fields;
}

export function augmentationType({ type }: Augmentation): AugmentationType {
  return types.get(type) as AugmentationType;
}

/** A list of augmentations with checked options. Copies of specs are read again. */
export function resolveAugmentations(name: string, value: unknown): readonly Augmentation[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of augmentations', value);
  return Array.from(value as unknown[], (entry, i) => {
    const given = typeof entry === 'object' && entry !== null ? (entry as Augmentation) : undefined;
    const known = given && types.get(given.type);
    if (given === undefined || known === undefined)
      throw invalid(`${name}[${i}]`, 'an augmentation such as randomShift(2) or randomFlip()', entry);
    if (checked.has(given)) return given;
    const { type: _, ...fields } = given;
    try {
      return known.read(fields as never);
    } catch (cause) {
      if (!(cause instanceof BlasnetError)) throw cause;
      throw new BlasnetError(cause.code, `${name}[${i}]: ${cause.message}`, { cause });
    }
  });
}

/** Two numbers of pixels, vertical and horizontal. */
export type Pixels = number | readonly [vertical: number, horizontal: number];

function checkPixels(name: string, value: unknown, min: number): readonly [number, number] {
  const both = typeof value === 'number' ? [value, value] : value;
  if (!Array.isArray(both) || both.length !== 2)
    throw invalid(name, 'a number of pixels or [vertical, horizontal]', value);
  const [vertical, horizontal] = both.map((pixels) => checkInteger(name, pixels, { min, max: MAX_SIZE }));
  return [vertical, horizontal];
}

/** Options of {@link randomShift}, {@link randomRotation} and {@link cutout}. */
export interface FillOptions {
  /** What comes where the image has no pixels, in the network's input units (after `scale` and `offset`). Default 0. */
  fill?: number;
}

function checkFill(type: string, options: FillOptions | undefined): number {
  const { fill = 0 } = checkOptions(type, options, ['fill']);
  return checkNumber(`${type}: fill`, fill);
}

/** Sizes of a batch of images as kernels name them. */
const sizes = ([height, width, channels]: Shape) => ({ rows: rows(), height, width, channels });

interface Shift extends Augmentation {
  readonly pixels: readonly [number, number];
  readonly fill: number;
}

const shifting = (what: string): Omit<AugmentationType<Shift>, 'read'> => ({
  images: true,
  mixes: false,
  check(name, { pixels }, [height, width]) {
    if (pixels[0] < height && pixels[1] < width) return;
    const text = `${what} of less than the image, ${height} × ${width}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: expected ${text}, got ${pixels.join(' × ')}`);
  },
  write(builder, { pixels: [vertical, horizontal], fill }, x, target, shape, draws) {
    const y = target();
    builder.emit('shiftImages', { y, x, ...sizes(shape), vertical, horizontal, fill, ...draws });
    return y;
  },
});

/**
 * Moves each image by a random whole number of pixels: uniform from −`pixels` to `pixels`, vertically and horizontally,
 * below the image's height and width. What moves out is lost; `fill` comes in (default 0, in the network's input
 * units). Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function randomShift(pixels: Pixels, options?: FillOptions): Augmentation {
  checkArity('randomShift', arguments, 2);
  const checked = checkPixels('randomShift: pixels', pixels, 0);
  return spec<Shift>({ type: 'randomShift', pixels: checked, fill: checkFill('randomShift', options) });
}

register<Shift>('randomShift', {
  ...shifting('a shift'),
  read: ({ pixels, ...options }: { pixels: Pixels }) => randomShift(pixels, options) as Shift,
});

/**
 * Pads each image on all sides with `padding` pixels of `fill` (default 0, in the network's input units) and crops it
 * to its old size at a random place, as Krizhevsky (2009) and He et al. (2016) train on CIFAR-10. All places are
 * equally likely, so this is `randomShift(padding)`. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function randomCrop(options: { padding: Pixels; fill?: number }): Augmentation {
  checkArity('randomCrop', arguments, 1);
  const { padding, fill = 0 } = checkOptions('randomCrop', options, ['padding', 'fill']);
  const pixels = checkPixels('randomCrop: padding', padding, 0);
  return spec({ type: 'randomCrop', pixels, fill: checkNumber('randomCrop: fill', fill) });
}

register<Shift>('randomCrop', {
  ...shifting('a padding'),
  read: ({ pixels, ...options }: { pixels: Pixels }) => randomCrop({ padding: pixels, ...options }) as Shift,
});

interface Flip extends Augmentation {
  readonly direction: 'horizontal' | 'vertical';
  readonly probability: number;
}

/**
 * Mirrors each image with the given `probability` (default 0.5): left to right (`direction: 'horizontal'`, the default)
 * or upside down ('vertical'). Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function randomFlip(options?: { direction?: 'horizontal' | 'vertical'; probability?: number }): Augmentation {
  checkArity('randomFlip', arguments, 1);
  const given = checkOptions('randomFlip', options, ['direction', 'probability']);
  return spec<Flip>({
    type: 'randomFlip',
    direction: checkChoice('randomFlip: direction', given.direction ?? 'horizontal', ['horizontal', 'vertical']),
    probability: checkNumber('randomFlip: probability', given.probability ?? 0.5, { min: 0, max: 1 }),
  });
}

register<Flip>('randomFlip', {
  images: true,
  mixes: false,
  read: (options: object) => randomFlip(options) as Flip,
  write(builder, { direction, probability }, x, target, shape, draws) {
    const y = target();
    const vertical = direction === 'vertical' ? 1 : 0;
    builder.emit('flipImages', { y, x, ...sizes(shape), vertical, probability, ...draws });
    return y;
  },
});

interface Rotation extends Augmentation {
  readonly degrees: number;
  readonly fill: number;
}

/**
 * Turns each image about its centre by a random angle, uniform from −`degrees` to `degrees` (0 to 180), with bilinear
 * interpolation. Outside the image is `fill` (default 0, in the network's input units). Throws `INVALID_ARGUMENT` and
 * `UNKNOWN_OPTION`.
 */
export function randomRotation(degrees: number, options?: FillOptions): Augmentation {
  checkArity('randomRotation', arguments, 2);
  checkNumber('randomRotation: degrees', degrees, { min: 0, max: 180 });
  return spec<Rotation>({ type: 'randomRotation', degrees, fill: checkFill('randomRotation', options) });
}

register<Rotation>('randomRotation', {
  images: true,
  mixes: false,
  read: ({ degrees, ...options }: { degrees: number }) => randomRotation(degrees, options) as Rotation,
  write(builder, { degrees, fill }, x, target, shape, draws) {
    const y = target();
    builder.emit('rotateImages', { y, x, ...sizes(shape), angle: (degrees * Math.PI) / 180, fill, ...draws });
    return y;
  },
});

interface Cutout extends Augmentation {
  readonly size: readonly [number, number];
  readonly fill: number;
}

/**
 * Sets a square of each image (`size` pixels, or [height, width]) to `fill` (default 0, in the network's input units).
 * Its middle is uniform over the pixels, so part of it may lie outside (DeVries and Taylor 2017). Throws
 * `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function cutout(size: Pixels, options?: FillOptions): Augmentation {
  checkArity('cutout', arguments, 2);
  return spec<Cutout>({
    type: 'cutout',
    size: checkPixels('cutout: size', size, 1),
    fill: checkFill('cutout', options),
  });
}

register<Cutout>('cutout', {
  images: true,
  mixes: false,
  read: ({ size, ...options }: { size: Pixels }) => cutout(size, options) as Cutout,
  check(name, { size }, [height, width]) {
    if (size[0] <= height && size[1] <= width) return;
    const text = `at most the size of the image, ${height} × ${width}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: size: expected ${text}, got ${size.join(' × ')}`);
  },
  write(builder, { size: [cutHeight, cutWidth], fill }, x, _, shape, draws) {
    builder.emit('cutImages', { y: x, x, ...sizes(shape), cutHeight, cutWidth, fill, ...draws });
    return x;
  },
});

interface MixUp extends Augmentation {
  readonly alpha: number;
}

/**
 * Mix-up (Zhang et al. 2018): each sample becomes λ x + (1 − λ) x', where x' is another one of the batch, and λ is
 * drawn for each row from the distribution Beta(`alpha`, `alpha`), alpha > 0 (default 0.2). Targets are mixed alike.
 * Labels become rows of probabilities, so the loss must accept `targets`. The training's accuracy then compares the
 * largest output with the largest number of the mixed target. Samples of any shape. Throws `INVALID_ARGUMENT` and
 * `UNKNOWN_OPTION`.
 */
export function mixUp(options?: { alpha?: number }): Augmentation {
  checkArity('mixUp', arguments, 1);
  const { alpha = 0.2 } = checkOptions('mixUp', options, ['alpha']);
  return spec<MixUp>({ type: 'mixUp', alpha: checkNumber('mixUp: alpha', alpha, { above: 0 }) });
}

register<MixUp>('mixUp', {
  images: false,
  mixes: true,
  read: (options: object) => mixUp(options) as MixUp,
  write(builder, { alpha }, x, target, [features], draws) {
    const y = target();
    builder.emit('mixRows', { y, x, rows: rows(), features, alpha, ...draws });
    return y;
  },
});
