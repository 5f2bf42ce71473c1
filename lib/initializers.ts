import { checkNumber, checkOptions, invalid } from './checks.js';
import type { RandomStream } from './random.js';

/** Fan-in and fan-out of a weight: the numbers of inputs and outputs that one output and one input see. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Draws one initial value a call. */
export type Initializer = { readonly kind: string; readonly sampler: (fans: Fans, random: RandomStream) => () => number };

export type InitializerName =
  | 'zeros'
  | 'ones'
  | 'glorotNormal'
  | 'glorotUniform'
  | 'xavierNormal'
  | 'xavierUniform'
  | 'heNormal'
  | 'heUniform'
  | 'lecunNormal'
  | 'lecunUniform';

/** All values equal `value`. */
export function constant(value: number): Initializer {
  checkNumber('value', value);
  return { kind: `constant(${value})`, sampler: () => () => value };
}

export const zeros = (): Initializer => ({ ...constant(0), kind: 'zeros' });
export const ones = (): Initializer => ({ ...constant(1), kind: 'ones' });

/** Uniform in [min, max); default −0.05 … 0.05. */
export function uniform(options: { min?: number; max?: number } = {}): Initializer {
  const { min = -0.05, max = 0.05 } = checkOptions('uniform', options, ['min', 'max']);
  checkNumber('min', min);
  checkNumber('max', max, { min });
  return { kind: `uniform(${min}, ${max})`, sampler: (_, random) => () => min + (max - min) * random.uniform() };
}

/** Normal with the given mean (default 0) and standard deviation (default 0.05). */
export function normal(options: { mean?: number; std?: number } = {}): Initializer {
  const { mean = 0, std = 0.05 } = checkOptions('normal', options, ['mean', 'std']);
  checkNumber('mean', mean);
  checkNumber('std', std, { min: 0 });
  return { kind: `normal(${mean}, ${std})`, sampler: (_, random) => () => mean + std * random.normal() };
}

function scaledNormal(kind: string, std: (fans: Fans) => number): Initializer {
  return {
    kind,
    sampler: (fans, random) => {
      const s = std(fans);
      return () => s * random.normal();
    },
  };
}

function scaledUniform(kind: string, limit: (fans: Fans) => number): Initializer {
  return {
    kind,
    sampler: (fans, random) => {
      const l = limit(fans);
      return () => l * (2 * random.uniform() - 1);
    },
  };
}

/** Glorot and Bengio 2010, also called Xavier: normal with std √(2 / (fanIn + fanOut)). */
export const glorotNormal = (): Initializer => scaledNormal('glorotNormal', (f) => Math.sqrt(2 / (f.fanIn + f.fanOut)));
/** Glorot and Bengio 2010, also called Xavier: uniform in ±√(6 / (fanIn + fanOut)). */
export const glorotUniform = (): Initializer => scaledUniform('glorotUniform', (f) => Math.sqrt(6 / (f.fanIn + f.fanOut)));
/** The form of Xavier's rule that looks at the inputs only: normal with std √(1 / fanIn). */
export const xavierNormal = (): Initializer => scaledNormal('xavierNormal', (f) => Math.sqrt(1 / f.fanIn));
/** The form of Xavier's rule that looks at the inputs only: uniform in ±√(3 / fanIn). */
export const xavierUniform = (): Initializer => scaledUniform('xavierUniform', (f) => Math.sqrt(3 / f.fanIn));
/** He et al. 2015: normal with std √(2 / fanIn). */
export const heNormal = (): Initializer => scaledNormal('heNormal', (f) => Math.sqrt(2 / f.fanIn));
/** He et al. 2015: uniform in ±√(6 / fanIn). */
export const heUniform = (): Initializer => scaledUniform('heUniform', (f) => Math.sqrt(6 / f.fanIn));
/** LeCun et al. 1998: normal with std √(1 / fanIn). */
export const lecunNormal = (): Initializer => scaledNormal('lecunNormal', (f) => Math.sqrt(1 / f.fanIn));
/** LeCun et al. 1998: uniform in ±√(3 / fanIn). */
export const lecunUniform = (): Initializer => scaledUniform('lecunUniform', (f) => Math.sqrt(3 / f.fanIn));

/** Stands for the initialiser of a layer read from a file, whose parameters the file brings: it draws zeros. */
export const savedInitializer = (kind: string): Initializer => ({ ...constant(0), kind });

const named: Record<InitializerName, () => Initializer> = {
  zeros,
  ones,
  glorotNormal,
  glorotUniform,
  xavierNormal,
  xavierUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
};

/** Resolves an initialiser given by name, number (constant) or value. */
export function resolveInitializer(name: string, value: Initializer | InitializerName | number): Initializer {
  if (typeof value === 'number') return constant(checkNumber(name, value));
  if (typeof value === 'string' && Object.hasOwn(named, value)) return named[value]();
  if (typeof value === 'object' && value !== null && typeof value.sampler === 'function') return value;
  throw invalid(name, `an initializer, a number or one of ${Object.keys(named).join(', ')}`, value);
}
