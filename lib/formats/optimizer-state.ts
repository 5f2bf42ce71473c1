import { BlasnetError } from '../errors.js';
import { AdaGrad, Adam, AdamW, type Optimizer, RmsProp, Sgd } from '../optimizers/index.js';
import { fromPlain, hasUnsaved, toPlain } from './plain.js';
import { corrupt } from './safetensors.js';

/** An optimizer as a file holds it, but for its moments. */
export interface SavedOptimizer {
  readonly kind: string;
  /** Hyper-parameters in plain form. */
  readonly options: unknown;
  readonly steps: number;
  readonly rateFactor: number;
  /** Names of the moments. */
  readonly moments: readonly string[];
}

const classes = new Map<string, new (options: never) => Optimizer>(
  Object.entries({ sgd: Sgd, adaGrad: AdaGrad, rmsProp: RmsProp, adam: Adam, adamW: AdamW }),
);

export function describeOptimizer(optimizer: Optimizer): SavedOptimizer {
  const { kind, steps, rateFactor, momentNames } = optimizer;
  return { kind, options: toPlain(optimizer.options), steps, rateFactor, moments: momentNames };
}

/**
 * A new optimizer with the saved hyper-parameters. Throws `FILE_CORRUPT` when these are none, and `INVALID_ARGUMENT` when it needs something of the caller's: a function, a
 * pattern, or a class that is not the library's.
 */
export function makeOptimizer(file: string, { kind, options }: SavedOptimizer): Optimizer {
  const make = classes.get(kind);
  const needs = (what: string) =>
    new BlasnetError('INVALID_ARGUMENT', `${file}: ${what}: make the optimizer anew and give it as \`optimizer\``);
  if (make === undefined)
    throw needs(`it has the state of an optimizer of kind ${JSON.stringify(kind)}, which is not the library's`);
  try {
    const given = fromPlain(options);
    if (!hasUnsaved(given)) return new make(given as never);
  } catch (cause) {
    if (!(cause instanceof BlasnetError)) throw cause;
    throw corrupt(file, 8, `metadata: optimizer: ${cause.message}`, cause);
  }
  throw needs('its optimizer was made with a function or a pattern, which a file can not hold');
}
