import { checkArity, checkNumber, checkOptions, invalid } from './checks.js';
import type { RandomStream } from './random.js';

/** Fan-in and fan-out of a weight: the number of inputs per output and of outputs per input. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Draws one initial value per call. */
export type Initializer = {
  readonly kind: string;
  readonly sampler: (fans: Fans, random: RandomStream) => () => number;
};

function make(kind: string, sampler: Initializer['sampler']): Initializer {
  return Object.freeze({ kind, sampler });
}

/** All values equal `value`. */
export function constant(value: number): Initializer {
  checkArity('constant', arguments, 1);
  checkNumber('value', value);
  return make(`constant(${value})`, () => () => value);
}

/** All values equal 0. */
export function zeros(): Initializer {
  checkArity('zeros', arguments, 0);
  return make('zeros', () => () => 0);
}

/** All values equal 1. */
export function ones(): Initializer {
  checkArity('ones', arguments, 0);
  return make('ones', () => () => 1);
}

/** Uniform in [min, max); default −0.05 … 0.05. */
export function uniform(options: { min?: number; max?: number } = {}): Initializer {
  checkArity('uniform', arguments, 1);
  const { min = -0.05, max = 0.05 } = checkOptions('uniform', options, ['min', 'max']);
  checkNumber('min', min);
  checkNumber('max', max, { min });
  return make(`uniform(${min}, ${max})`, (_, random) => () => min + (max - min) * random.uniform());
}

/** Normal with the given mean (default 0) and standard deviation (default 0.05). */
export function normal(options: { mean?: number; std?: number } = {}): Initializer {
  checkArity('normal', arguments, 1);
  const { mean = 0, std = 0.05 } = checkOptions('normal', options, ['mean', 'std']);
  checkNumber('mean', mean);
  checkNumber('std', std, { min: 0 });
  return make(`normal(${mean}, ${std})`, (_, random) => () => mean + std * random.normal());
}

function scaledNormal(kind: string, std: (fans: Fans) => number): Initializer {
  return make(kind, (fans, random) => {
    const s = std(fans);
    return () => s * random.normal();
  });
}

function scaledUniform(kind: string, limit: (fans: Fans) => number): Initializer {
  return make(kind, (fans, random) => {
    const l = limit(fans);
    return () => l * (2 * random.uniform() - 1);
  });
}

/** Glorot and Bengio 2010: normal with variance 2 / (fanIn + fanOut). */
export function glorotNormal(): Initializer {
  checkArity('glorotNormal', arguments, 0);
  return scaledNormal('glorotNormal', (f) => Math.sqrt(2 / (f.fanIn + f.fanOut)));
}

/** Glorot and Bengio 2010: uniform in ±√(6 / (fanIn + fanOut)), variance 2 / (fanIn + fanOut). */
export function glorotUniform(): Initializer {
  checkArity('glorotUniform', arguments, 0);
  return scaledUniform('glorotUniform', (f) => Math.sqrt(6 / (f.fanIn + f.fanOut)));
}

/** Alias of {@link glorotNormal}, as in Keras and PyTorch. */
export const xavierNormal = glorotNormal;

/** Alias of {@link glorotUniform}, as in Keras and PyTorch. */
export const xavierUniform = glorotUniform;

/** He et al. 2015: normal with std √(2 / fanIn). */
export function heNormal(): Initializer {
  checkArity('heNormal', arguments, 0);
  return scaledNormal('heNormal', (f) => Math.sqrt(2 / f.fanIn));
}

/** He et al. 2015: uniform in ±√(6 / fanIn). */
export function heUniform(): Initializer {
  checkArity('heUniform', arguments, 0);
  return scaledUniform('heUniform', (f) => Math.sqrt(6 / f.fanIn));
}

/** LeCun et al. 1998: normal with variance 1 / fanIn. */
export function lecunNormal(): Initializer {
  checkArity('lecunNormal', arguments, 0);
  return scaledNormal('lecunNormal', (f) => Math.sqrt(1 / f.fanIn));
}

/** LeCun et al. 1998: uniform in ±√(3 / fanIn), variance 1 / fanIn. */
export function lecunUniform(): Initializer {
  checkArity('lecunUniform', arguments, 0);
  return scaledUniform('lecunUniform', (f) => Math.sqrt(3 / f.fanIn));
}

/** Placeholder for the initialiser of a layer read from a file, which contains the parameters: returns zeros. */
export const savedInitializer = (kind: string): Initializer => make(kind, () => () => 0);

const named = {
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

/** Name of an initializer without options, which stands for it. */
export type InitializerName = keyof typeof named;

/** Resolves an initialiser given as name, number (constant) or value. */
export function resolveInitializer(name: string, value: Initializer | InitializerName | number): Initializer {
  if (typeof value === 'number') return constant(checkNumber(name, value));
  if (typeof value === 'string' && Object.hasOwn(named, value)) return named[value]();
  if (typeof value === 'object' && value !== null && typeof value.sampler === 'function') return value;
  throw invalid(name, `an initializer, a number or one of ${Object.keys(named).join(', ')}`, value);
}
