import { checkArity, checkChoice, checkInteger, checkNumber, checkOptions, describe, invalid } from './checks.js';
import { BlasnetError } from './errors.js';

/** Training time: optimizer steps so far, and the epoch number (from 0). */
export interface ScheduleTime {
  readonly step: number;
  readonly epoch: number;
}

/** A learning rate as a pure function of time. */
export type Schedule = (time: ScheduleTime) => number;

/** A library schedule as function name and argument, as stored in a file. */
export interface ScheduleOrigin {
  readonly kind: string;
  readonly argument: unknown;
}

const origins = new WeakMap<Schedule, ScheduleOrigin>();

function known(kind: string, argument: unknown, schedule: Schedule): Schedule {
  origins.set(schedule, { kind, argument });
  return schedule;
}

/** The origin of a schedule; undefined for a function not made by the library. */
export function scheduleOrigin(schedule: Schedule): ScheduleOrigin | undefined {
  return origins.get(schedule);
}

/** initial / (1 + rate · ⌊epoch / interval⌋); interval defaults to 1 epoch. */
export function inverseTime(options: { initial: number; rate: number; interval?: number }): Schedule {
  checkArity('inverseTime', arguments, 1);
  const { initial, rate, interval = 1 } = checkOptions('inverseTime', options, ['initial', 'rate', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const decay = checkNumber('rate', rate, { min: 0 });
  checkInteger('interval', interval, { min: 1 });
  return known('inverseTime', { ...options }, ({ epoch }) => start / (1 + decay * Math.floor(epoch / interval)));
}

/** initial · factor^(epoch / interval); interval defaults to 1 epoch. */
export function exponential(options: { initial: number; factor: number; interval?: number }): Schedule {
  checkArity('exponential', arguments, 1);
  const { initial, factor, interval = 1 } = checkOptions('exponential', options, ['initial', 'factor', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const base = checkNumber('factor', factor, { above: 0 });
  checkNumber('interval', interval, { above: 0 });
  return known('exponential', { ...options }, ({ epoch }) => start * base ** (epoch / interval));
}

/** initial · factor^⌊epoch / interval⌋. */
export function stepDecay(options: { initial: number; factor: number; interval: number }): Schedule {
  checkArity('stepDecay', arguments, 1);
  const { initial, factor, interval } = checkOptions('stepDecay', options, ['initial', 'factor', 'interval']);
  const start = checkNumber('initial', initial, { min: 0 });
  const base = checkNumber('factor', factor, { above: 0 });
  const every = checkInteger('interval', interval, { min: 1 });
  return known('stepDecay', { ...options }, ({ epoch }) => start * base ** Math.floor(epoch / every));
}

/** A constant rate. */
export function constantRate(rate: number): Schedule {
  checkArity('constantRate', arguments, 1);
  checkNumber('constantRate', rate, { min: 0 });
  return known('constantRate', rate, () => rate);
}

/**
 * values[i] from boundaries[i − 1] (inclusive) to boundaries[i] (exclusive), counted in epochs (default) or in steps.
 */
export function piecewise(options: {
  boundaries: readonly number[];
  values: readonly number[];
  by?: 'epoch' | 'step';
}): Schedule {
  checkArity('piecewise', arguments, 1);
  const { boundaries, values, by = 'epoch' } = checkOptions('piecewise', options, ['boundaries', 'values', 'by']);
  if (!Array.isArray(boundaries)) throw invalid('piecewise: boundaries', 'a list of integers', boundaries);
  const ends = Array.from(boundaries, (boundary, i) => {
    return checkInteger(`piecewise: boundaries[${i}]`, boundary, { above: i === 0 ? 0 : boundaries[i - 1] });
  });
  if (!Array.isArray(values) || values.length !== ends.length + 1) {
    throw invalid('piecewise: values', `a list of ${ends.length + 1} rates, one more than boundaries`, values);
  }
  const rates = Array.from(values, (value, i) => checkNumber(`piecewise: values[${i}]`, value, { min: 0 }));
  checkChoice('piecewise: by', by, ['epoch', 'step']);
  return known('piecewise', { boundaries: ends, values: rates, by }, (time) => {
    const next = ends.findIndex((end) => time[by] < end);
    return rates[next < 0 ? ends.length : next];
  });
}

/** A duration, in epochs or in steps: exactly one of them. */
export type Duration = { epochs: number; steps?: never } | { steps: number; epochs?: never };

/** The fraction of a duration that has passed, from 0 to 1. */
function passed(
  name: string,
  { epochs, steps }: { epochs?: number | undefined; steps?: number | undefined },
): Schedule {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: expected either epochs or steps`);
  }
  const [unit, value] = epochs === undefined ? (['step', steps] as const) : (['epoch', epochs] as const);
  const length = checkInteger(`${name}: ${unit}s`, value, { min: 1 });
  return (time) => Math.min(1, time[unit] / length);
}

/** Half a cosine from one rate to another; `share` goes from 0 to 1. */
function halfCosine(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
}

/**
 * Half a cosine from `initial` to `final` (default 0), then constant (Loshchilov and Hutter 2016, without restarts).
 */
export function cosine(options: { initial: number; final?: number } & Duration): Schedule {
  checkArity('cosine', arguments, 1);
  const {
    initial,
    final = 0,
    epochs,
    steps,
  } = checkOptions('cosine', options, ['initial', 'final', 'epochs', 'steps']);
  const start = checkNumber('cosine: initial', initial, { min: 0 });
  const end = checkNumber('cosine: final', final, { min: 0 });
  const share = passed('cosine', { epochs, steps });
  return known('cosine', { ...options }, (time) => halfCosine(start, end, share(time)));
}

/**
 * Linear warm-up from the rate `from` (default 0) to the rate of `after`, which follows (Goyal et al. 2017). `after`
 * sees the same time: its count starts with the warm-up, not after it.
 */
export function warmUp(options: { after: number | Schedule; from?: number } & Duration): Schedule {
  checkArity('warmUp', arguments, 1);
  const { after, from = 0, epochs, steps } = checkOptions('warmUp', options, ['after', 'from', 'epochs', 'steps']);
  const target = resolveSchedule('warmUp: after', after as number | Schedule);
  const start = checkNumber('warmUp: from', from, { min: 0 });
  const share = passed('warmUp', { epochs, steps });
  return known('warmUp', { ...options }, (time) => {
    const done = share(time);
    return done === 1 ? target(time) : start + (target(time) - start) * done;
  });
}

/** Options of {@link oneCycle}. */
export interface OneCycleOptions {
  /** The highest rate. */
  max: number;
  /** Steps of the whole cycle; the rate is constant afterwards. */
  steps: number;
  /** The first rate as a fraction of `max`; default 1/25. */
  initialFactor?: number;
  /** The last rate as a fraction of `max`; default 4e-6. */
  finalFactor?: number;
  /** Fraction of the steps in which the rate rises; default 0.3. */
  warmFraction?: number;
}

/**
 * One-cycle schedule: half a cosine up to `max`, reached at step warmFraction · steps − 1, then half a cosine down
 * until step steps − 1 (Smith and Topin 2017). Same form and defaults as PyTorch's OneCycleLR, but does not change the
 * momentum. Where warmFraction · steps < 1, the first step has the rate `max`, and PyTorch's a lower one.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  checkArity('oneCycle', arguments, 1);
  const names = ['max', 'steps', 'initialFactor', 'finalFactor', 'warmFraction'] as const;
  const {
    max,
    steps,
    initialFactor = 1 / 25,
    finalFactor = 4e-6,
    warmFraction = 0.3,
  } = checkOptions('oneCycle', options, names);
  const highest = checkNumber('oneCycle: max', max, { min: 0 });
  const last = checkInteger('oneCycle: steps', steps, { min: 2 }) - 1;
  const initial = highest * checkNumber('oneCycle: initialFactor', initialFactor, { min: 0, max: 1 });
  const final = highest * checkNumber('oneCycle: finalFactor', finalFactor, { min: 0, max: 1 });
  const warm = checkNumber('oneCycle: warmFraction', warmFraction, { min: 0, below: 1 }) * (last + 1) - 1;
  return known('oneCycle', { ...options }, ({ step }) => {
    if (step < warm) return halfCosine(initial, highest, step / warm);
    const start = Math.max(warm, 0);
    return halfCosine(highest, final, Math.min(1, (step - start) / (last - start)));
  });
}

/** Converts a learning rate, a number or a schedule, to a schedule. */
export function resolveSchedule(name: string, value: number | Schedule): Schedule {
  if (typeof value === 'function') {
    return (time) => {
      const rate = value(time);
      if (typeof rate !== 'number' || !Number.isFinite(rate) || rate < 0) {
        throw new BlasnetError(
          'INVALID_ARGUMENT',
          `${name}: expected a finite rate ≥ 0 from the schedule, got ${describe(rate)} at step ${time.step}, epoch ${time.epoch}`,
        );
      }
      return rate;
    };
  }
  if (typeof value !== 'number') throw invalid(name, 'a number or a function of { step, epoch }', value);
  const rate = checkNumber(name, value, { min: 0 });
  return () => rate;
}

const schedules = new Map<string, (argument: never) => Schedule>(
  Object.entries({ inverseTime, exponential, stepDecay, constantRate, piecewise, cosine, warmUp, oneCycle }),
);

/** The schedule of an origin. Throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION` if it is invalid. */
export function readSchedule({ kind, argument }: ScheduleOrigin): Schedule {
  const make = schedules.get(kind);
  if (make === undefined) throw invalid('schedule', `one of ${[...schedules.keys()].join(', ')}`, kind);
  return make(argument as never);
}
