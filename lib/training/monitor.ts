import { BlasnetError } from '../errors.js';
import type { EpochLog } from './history.js';

export const monitors = ['loss', 'accuracy', 'validationLoss', 'validationAccuracy'] as const;

/** A figure of an epoch's log that a callback watches. */
export type Monitor = (typeof monitors)[number];

/** Whether the figure gets better by rising. */
export function rises(monitor: Monitor): boolean {
  return monitor === 'accuracy' || monitor === 'validationAccuracy';
}

/** The figure in a log; throws `INVALID_ARGUMENT` when the log has none. `callback` is named in the message. */
export function monitored(callback: string, log: EpochLog, monitor: Monitor): number {
  const ofValidation = monitor.startsWith('validation');
  const { loss, accuracy } = ofValidation ? (log.validation ?? {}) : log;
  const value = rises(monitor) ? accuracy : loss;
  if (value === undefined) {
    const why = ofValidation && log.validation === undefined ? 'this fit has no validation data' : 'the loss has no accuracy';
    throw new BlasnetError('INVALID_ARGUMENT', `${callback}: monitor: there is no ${monitor}: ${why}`);
  }
  return value;
}
