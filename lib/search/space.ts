import { checkArity, checkInteger, checkNumber, checkOptions, invalid, isPlain } from '../checks.js';
import { checkMetadata, type Metadata } from '../formats/network-file.js';
import type { RandomStream } from '../random.js';
import { quote } from '../text.js';

/** A number between two bounds. Plain data: `{ type: 'uniform', min: 0, max: 0.5 }` is as good as `uniform(0, 0.5)`. */
export interface NumberRange {
  readonly type: 'uniform' | 'logUniform' | 'integer';
  readonly min: number;
  readonly max: number;
}

/** One of a list of values. */
export interface Choice<T extends Metadata = Metadata> {
  readonly type: 'choice';
  readonly values: readonly T[];
}

/** How one parameter is drawn. */
export type Dimension = NumberRange | Choice;

/** What to search: a dimension for each parameter. */
export type Space = Readonly<Record<string, Dimension>>;

type Drawn<D> = D extends Choice<infer T> ? T : number;

/** Values of a space's parameters. */
export type Params<S extends Space> = { readonly [K in keyof S]: Drawn<S[K]> };

/** Numbers from `min` to `max`, all equally likely. Throws `INVALID_ARGUMENT` unless min < max. */
export function uniform(min: number, max: number): NumberRange {
  checkArity('uniform', arguments, 2);
  return range('uniform', 'uniform', min, max);
}

/** Numbers from `min` > 0 to `max` whose logarithms are equally likely, as for learning rates. Throws as `uniform`. */
export function logUniform(min: number, max: number): NumberRange {
  checkArity('logUniform', arguments, 2);
  return range('logUniform', 'logUniform', min, max);
}

/** Integers from `min` to `max`, both included, all equally likely; at most 2^32 of them. Throws as `uniform`. */
export function integer(min: number, max: number): NumberRange {
  checkArity('integer', arguments, 2);
  return range('integer', 'integer', min, max);
}

/**
 * One of `values`, all equally likely: any values that JSON can hold, such as numbers, names or lists of widths. Throws
 * `INVALID_ARGUMENT` for none and for what JSON can't hold.
 */
export function choice<const T extends Metadata>(values: readonly T[]): Choice<T> {
  checkArity('choice', arguments, 1);
  return readChoice('choice', values) as Choice<T>;
}

function range(label: string, type: NumberRange['type'], min: unknown, max: unknown): NumberRange {
  if (type === 'integer') {
    const least = checkInteger(`${label}: min`, min);
    checkInteger(`${label}: max`, max, { above: least, max: least + 2 ** 32 - 1 });
  } else {
    const least = checkNumber(`${label}: min`, min, type === 'logUniform' ? { above: 0 } : {});
    const most = checkNumber(`${label}: max`, max, { above: least });
    checkNumber(`${label}: max − min`, most - least);
  }
  return Object.freeze({ type, min: min as number, max: max as number });
}

function readChoice(label: string, values: unknown): Choice {
  if (!Array.isArray(values) || values.length === 0) throw invalid(`${label}: values`, 'a list of values', values);
  return Object.freeze({ type: 'choice', values: checkMetadata(`${label}: values`, values) as readonly Metadata[] });
}

function readDimension(label: string, value: unknown): Dimension {
  const { type, min, max, values } = (isPlain(value) ? value : {}) as Record<string, unknown>;
  if (type === 'choice') {
    checkOptions(label, value as Choice, ['type', 'values']);
    return readChoice(label, values);
  }
  if (type === 'uniform' || type === 'logUniform' || type === 'integer') {
    checkOptions(label, value as NumberRange, ['type', 'min', 'max']);
    return range(label, type, min, max);
  }
  throw invalid(label, 'uniform(…), logUniform(…), integer(…) or choice(…)', value);
}

/** Checks a space and copies it: its dimensions by name, in order. */
export function readSpace(label: string, space: unknown): readonly (readonly [name: string, Dimension])[] {
  if (!isPlain(space) || Array.isArray(space)) throw invalid(label, 'an object of dimensions by name', space);
  const entries = Object.entries(space);
  if (entries.length === 0) throw invalid(label, 'at least one dimension', space);
  return entries.map(([name, dimension]) => {
    // It would set an object's prototype.
    if (name === '__proto__') throw invalid(label, 'another name', name);
    return [name, readDimension(`${label}: ${quote(name)}`, dimension)] as const;
  });
}

/** Draws one value of each dimension, in order. */
export function drawParams(
  dimensions: readonly (readonly [name: string, Dimension])[],
  random: RandomStream,
): Readonly<Record<string, Metadata>> {
  return Object.freeze(Object.fromEntries(dimensions.map(([name, dimension]) => [name, draw(dimension, random)])));
}

function draw(dimension: Dimension, random: RandomStream): Metadata {
  if (dimension.type === 'choice') return dimension.values[random.below(dimension.values.length)];
  const { type, min, max } = dimension;
  if (type === 'integer') return min + random.below(max - min + 1);
  if (type === 'uniform') return min + (max - min) * random.uniform();
  const ratio = max / min;
  const value = Number.isFinite(ratio)
    ? min * Math.exp(Math.log(ratio) * random.uniform())
    : Math.exp(Math.log(min) + (Math.log(max) - Math.log(min)) * random.uniform());
  // Rounding may lead past a bound.
  return Math.min(Math.max(value, min), max);
}
