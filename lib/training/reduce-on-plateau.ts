import { checkArity, checkChoice, checkInteger, checkNumber, checkOptions } from '../checks.js';
import type { Callbacks } from './callbacks.js';
import { type MonitorOptions, watch } from './monitor.js';

/** Options of {@link reduceOnPlateau}. */
export type ReduceOnPlateauOptions = MonitorOptions & {
  /** Factor for the learning rate; default 0.1. */
  factor?: number;
  /** Epochs without improvement to tolerate; the next one lowers the rate. Default 10. */
  patience?: number;
  /** Smallest change that counts as improvement; default 1e-4. */
  threshold?: number;
  /** Whether the threshold is a fraction of the best value ('relative', the default) or a difference. */
  thresholdMode?: 'relative' | 'absolute';
  /** Epochs after a reduction that don't count as epochs without improvement; default 0. */
  cooldown?: number;
  /** The rate is not lowered below this; default 0. */
  minimumRate?: number;
};

const known = [
  'monitor',
  'mode',
  'factor',
  'patience',
  'threshold',
  'thresholdMode',
  'cooldown',
  'minimumRate',
] as const;

/**
 * Callbacks for `fit` that lower the learning rate when a value stops improving, like PyTorch's ReduceLROnPlateau. The
 * rate compared with `minimumRate` is that of the optimizer's own schedule; groups are lowered in proportion. NaN is no
 * improvement.
 */
export function reduceOnPlateau(options?: ReduceOnPlateauOptions): Callbacks {
  checkArity('reduceOnPlateau', arguments, 1);
  const given = checkOptions('reduceOnPlateau', options, known);
  const watched = watch('reduceOnPlateau', given);
  const factor = checkNumber('reduceOnPlateau: factor', given.factor ?? 0.1, { above: 0, below: 1 });
  const patience = checkInteger('reduceOnPlateau: patience', given.patience ?? 10, { min: 0 });
  const threshold = checkNumber('reduceOnPlateau: threshold', given.threshold ?? 1e-4, { min: 0 });
  const mode = checkChoice('reduceOnPlateau: thresholdMode', given.thresholdMode ?? 'relative', [
    'relative',
    'absolute',
  ]);
  const cooldown = checkInteger('reduceOnPlateau: cooldown', given.cooldown ?? 0, { min: 0 });
  const minimumRate = checkNumber('reduceOnPlateau: minimumRate', given.minimumRate ?? 0, { min: 0 });
  const { direction } = watched;
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
      const value = watched.value(log);
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
