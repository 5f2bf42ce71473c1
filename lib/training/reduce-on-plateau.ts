import { checkChoice, checkInteger, checkNumber, checkOptions } from '../checks.js';
import type { Callbacks } from './callbacks.js';
import { type Monitor, monitored, monitors, rises } from './monitor.js';

export interface ReduceOnPlateauOptions {
  /** What must improve: a loss by falling, an accuracy by rising. Default 'validationLoss'. */
  monitor?: Monitor;
  /** What the learning rate is multiplied by; default 0.1. */
  factor?: number;
  /** Epochs without improvement that are let pass; the one after them lowers the rate. Default 10. */
  patience?: number;
  /** Smallest change that counts as improvement; default 1e-4. */
  threshold?: number;
  /** Whether the threshold is a share of the best value ('relative', the default) or a difference. */
  thresholdMode?: 'relative' | 'absolute';
  /** Epochs after a reduction in which none is counted as without improvement; default 0. */
  cooldown?: number;
  /** The rate is not lowered below this; default 0. */
  minimumRate?: number;
}

const known = ['monitor', 'factor', 'patience', 'threshold', 'thresholdMode', 'cooldown', 'minimumRate'];

/**
 * Callbacks for `fit` that lower the learning rate when a value has stopped improving, by the rule of PyTorch's ReduceLROnPlateau.
 * The rate is that of the optimizer's own schedule; those of groups are lowered in the same proportion.
 */
export function reduceOnPlateau(options?: ReduceOnPlateauOptions): Callbacks {
  const given = checkOptions('reduceOnPlateau', options, known);
  const monitor = checkChoice('reduceOnPlateau: monitor', given.monitor ?? 'validationLoss', monitors);
  const factor = checkNumber('reduceOnPlateau: factor', given.factor ?? 0.1, { above: 0, below: 1 });
  const patience = checkInteger('reduceOnPlateau: patience', given.patience ?? 10, { min: 0 });
  const threshold = checkNumber('reduceOnPlateau: threshold', given.threshold ?? 1e-4, { min: 0 });
  const mode = checkChoice('reduceOnPlateau: thresholdMode', given.thresholdMode ?? 'relative', ['relative', 'absolute']);
  const cooldown = checkInteger('reduceOnPlateau: cooldown', given.cooldown ?? 0, { min: 0 });
  const minimumRate = checkNumber('reduceOnPlateau: minimumRate', given.minimumRate ?? 0, { min: 0 });
  const direction = rises(monitor) ? 1 : -1;
  let best = Number.NaN;
  let badEpochs = 0;
  let cooling = 0;

  const improves = (value: number) => {
    if (Number.isNaN(best)) return !Number.isNaN(value);
    return direction * value > direction * best + (mode === 'relative' ? threshold * Math.abs(best) : threshold);
  };
  return {
    onTrainBegin() {
      [best, badEpochs, cooling] = [Number.NaN, 0, 0];
    },
    onEpochEnd(log, training) {
      const value = monitored('reduceOnPlateau', log, monitor);
      if (improves(value)) [best, badEpochs] = [value, 0];
      else badEpochs++;
      if (cooling > 0) {
        cooling--;
        badEpochs = 0;
      }
      if (badEpochs <= patience) return;
      [badEpochs, cooling] = [0, cooldown];
      const lowest = log.learningRate > 0 ? minimumRate / log.learningRate : 1;
      if (lowest < 1) training.scaleLearningRate(Math.max(factor, lowest));
    },
  };
}
