import { checkInteger, checkNumber, checkOptions, invalid } from './checks.js';
import { BlasnetError } from './errors.js';

/** Where training stands: steps made by the optimizer so far, and the number of the epoch (from 0). */
export interface ScheduleTime {
  readonly step: number;
  readonly epoch: number;
}

/** A learning rate as a pure function of time. */
export type Schedule = (time: ScheduleTime) => number;

/** initial / (1 + rate · ⌊epoch / interval⌋); interval defaults to 1 epoch. */
export function inverseTime(options: { initial: number; rate: number; interval?: number }): Schedule {
  const { initial, rate, interval = 1 } = checkOptions('inverseTime', options, ['initial', 'rate', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const decay = checkNumber('rate', rate, { min: 0 });
  checkInteger('interval', interval, { min: 1 });
  return ({ epoch }) => start / (1 + decay * Math.floor(epoch / interval));
}

/** initial · factor^(epoch / interval); interval defaults to 1 epoch. */
export function exponential(options: { initial: number; factor: number; interval?: number }): Schedule {
  const { initial, factor, interval = 1 } = checkOptions('exponential', options, ['initial', 'factor', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const base = checkNumber('factor', factor, { above: 0 });
  checkNumber('interval', interval, { above: 0 });
  return ({ epoch }) => start * base ** (epoch / interval);
}

/** initial · factor^⌊epoch / interval⌋. */
export function stepDecay(options: { initial: number; factor: number; interval: number }): Schedule {
  const { initial, factor, interval } = checkOptions('stepDecay', options, ['initial', 'factor', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const base = checkNumber('factor', factor, { above: 0 });
  const every = checkInteger('interval', interval, { min: 1 });
  return ({ epoch }) => start * base ** Math.floor(epoch / every);
}

/** A learning rate given as a number or a schedule, as a schedule. */
export function resolveSchedule(name: string, value: number | Schedule): Schedule {
  if (typeof value === 'function') {
    return (time) => {
      const rate = value(time);
      if (typeof rate !== 'number' || !Number.isFinite(rate)) {
        throw new BlasnetError('INVALID_ARGUMENT', `${name}: the schedule returned ${rate} at step ${time.step}, epoch ${time.epoch}`);
      }
      return rate;
    };
  }
  if (typeof value !== 'number') throw invalid(name, 'a number or a function of { step, epoch }', value);
  const rate = checkNumber(name, value, { min: 0 });
  return () => rate;
}
