import { checkBoolean, checkChoice, checkInteger, checkNumber, checkOptions } from '../checks.js';
import type { Callbacks } from './callbacks.js';
import { type Monitor, monitored, monitors, rises } from './monitor.js';

export interface EarlyStoppingOptions {
  /** What must improve: a loss by falling, an accuracy by rising. Default 'validationLoss'. */
  monitor?: Monitor;
  /** Epochs without improvement that are let pass; the one after them ends training. Default 10. */
  patience?: number;
  /** A change must be larger than this to count as improvement; default 0. */
  minimumChange?: number;
  /** Give the network, when training ends, the parameters and state of the best epoch; default true. */
  restoreBest?: boolean;
}

const known = ['monitor', 'patience', 'minimumChange', 'restoreBest'];

/**
 * Callbacks for `fit` that end training when a figure has stopped improving. The best weights are put back however training ends, unless `fit`
 * rejects; the optimizer keeps its state.
 */
export function earlyStopping(options?: EarlyStoppingOptions): Callbacks {
  const given = checkOptions('earlyStopping', options, known);
  const monitor = checkChoice('earlyStopping: monitor', given.monitor ?? 'validationLoss', monitors);
  const patience = checkInteger('earlyStopping: patience', given.patience ?? 10, { min: 0 });
  const minimumChange = checkNumber('earlyStopping: minimumChange', given.minimumChange ?? 0, { min: 0 });
  const restoreBest = checkBoolean('earlyStopping: restoreBest', given.restoreBest ?? true);
  const direction = rises(monitor) ? 1 : -1;
  let best = Number.NEGATIVE_INFINITY;
  let badEpochs = 0;
  let restore: (() => void) | undefined;
  return {
    onTrainBegin() {
      [best, badEpochs, restore] = [Number.NEGATIVE_INFINITY, 0, undefined];
    },
    onEpochEnd(log, training) {
      const value = direction * monitored('earlyStopping', log, monitor);
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
