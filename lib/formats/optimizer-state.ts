import { BlasnetError } from '../errors.js';
import { type Optimizer, optimizerClass } from '../optimizers/optimizer.js';
import { quote } from '../text.js';
import { fromPlain, hasUnsaved, toPlain } from './plain.js';
import { corrupt } from './safetensors.js';

/** An optimizer as stored in a file, without its moments. */
export interface SavedOptimizer {
  readonly kind: string;
  /** Hyper-parameters in plain form. */
  readonly options: unknown;
  readonly steps: number;
  readonly rateFactor: number;
  /** Names of the moments. */
  readonly moments: readonly string[];
}

export function describeOptimizer(optimizer: Optimizer): SavedOptimizer {
  const { kind, steps, rateFactor, blockNames } = optimizer;
  return { kind, options: toPlain(optimizer.options), steps, rateFactor, moments: blockNames };
}

/**
 * A new optimizer with the saved hyper-parameters. Throws `FILE_CORRUPT` if they are invalid, and `INVALID_ARGUMENT` if
 * it needs something user-defined: a function, a pattern or a class.
 */
export function makeOptimizer(file: string, { kind, options }: SavedOptimizer): Optimizer {
  const make = optimizerClass(kind);
  const needs = (what: string) =>
    new BlasnetError('INVALID_ARGUMENT', `${file}: ${what}: create the optimizer again and give it as \`optimizer\``);
  if (make === undefined)
    throw needs(`it has the state of an optimizer of kind ${quote(kind)}, which is not the library's`);
  try {
    const given = fromPlain(options);
    if (!hasUnsaved(given)) return new make(given as never);
  } catch (cause) {
    if (!(cause instanceof BlasnetError)) throw cause;
    throw corrupt(file, 8, `metadata: optimizer: ${cause.message}`, cause);
  }
  throw needs('its optimizer was made with a function or a pattern, which a file cannot hold');
}
