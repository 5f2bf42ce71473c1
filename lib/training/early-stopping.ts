import { checkArity, checkBoolean, checkInteger, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Callbacks } from './callbacks.js';
import { type MonitorOptions, watch } from './monitor.js';

/** Options of {@link earlyStopping}. */
export type EarlyStoppingOptions = MonitorOptions & {
  /** Epochs without improvement to tolerate; the next one ends training. Default 10. */
  patience?: number;
  /** Improvements must be larger than this; default 0. */
  minimumChange?: number;
  /** Restore the parameters and state of the best epoch when training ends; default true. */
  restoreBest?: boolean;
};

const known = ['monitor', 'mode', 'patience', 'minimumChange', 'restoreBest'] as const;

/**
 * Callbacks for `fit` that end training when a value stops improving. The best weights are restored however training
 * ends, unless `fit` rejects; the optimizer keeps its state. `fit` rejects with `NON_FINITE` if the value is NaN.
 */
export function earlyStopping(options?: EarlyStoppingOptions): Callbacks {
  checkArity('earlyStopping', arguments, 1);
  const given = checkOptions('earlyStopping', options, known);
  const watched = watch('earlyStopping', given);
  const patience = checkInteger('earlyStopping: patience', given.patience ?? 10, { min: 0 });
  const minimumChange = checkNumber('earlyStopping: minimumChange', given.minimumChange ?? 0, { min: 0 });
  const restoreBest = checkBoolean('earlyStopping: restoreBest', given.restoreBest ?? true);
  let best = Number.NEGATIVE_INFINITY;
  let badEpochs = 0;
  let restore: (() => void) | undefined;
  return {
    onTrainBegin() {
      [best, badEpochs, restore] = [Number.NEGATIVE_INFINITY, 0, undefined];
    },
    onEpochEnd(log, training) {
      const value = watched.direction * watched.value(log);
      if (Number.isNaN(value)) {
        const message = `earlyStopping: monitor: ${watched.name} is NaN in epoch ${log.epoch}, which can't be compared`;
        throw new BlasnetError('NON_FINITE', message);
      }
      if (value > best + minimumChange) {
        [best, badEpochs] = [value, 0];
        if (restoreBest) restore = training.copyWeights();
      } else if (++badEpochs > patience) training.stop();
    },
    onTrainEnd() {
      if (badEpochs > 0) restore?.();
      restore = undefined;
    },
  };
}
