import { types } from 'node:util';
import { savedInitializer } from '../initializers.js';
import { readSchedule, type ScheduleOrigin, scheduleOrigin } from '../schedules.js';

/** Stored instead of a function that can't be saved; it reads back as {@link UNSAVED}. */
const FUNCTION = { function: true };

/** Placeholder for a function that the file does not have. */
const UNSAVED = Symbol('a function that cannot be saved');

/**
 * Converts option values to JSON: initialisers by kind, the library's schedules by their arguments. Other functions,
 * and patterns, become a placeholder.
 */
export function toPlain(value: unknown): unknown {
  // A pattern from a file could take forever to match, so patterns are treated like functions.
  if (types.isRegExp(value)) return FUNCTION;
  if (typeof value === 'function') {
    const origin = scheduleOrigin(value as never);
    return origin === undefined ? FUNCTION : { schedule: { kind: origin.kind, argument: toPlain(origin.argument) } };
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toPlain);
  if ('sampler' in value && typeof value.sampler === 'function')
    return { initializer: (value as { kind?: unknown }).kind };
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toPlain(entry)]));
}

/** The inverse; functions that were not saved become {@link UNSAVED}. Throws a `BlasnetError` for invalid values. */
export function fromPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fromPlain);
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1) {
    if (first[0] === 'function') return UNSAVED;
    if (first[0] === 'initializer' && typeof first[1] === 'string') return savedInitializer(first[1]);
    if (first[0] === 'schedule') return scheduleFrom(first[1]);
  }
  return Object.fromEntries(entries.map(([key, entry]) => [key, fromPlain(entry)]));
}

function scheduleFrom(value: unknown): unknown {
  const origin = fromPlain(value) as Partial<ScheduleOrigin> | null;
  const argument = origin?.argument;
  // A warm-up to a user-defined schedule.
  if (typeof argument === 'object' && argument !== null && Object.values(argument).includes(UNSAVED)) return UNSAVED;
  return readSchedule({ kind: String(origin?.kind), argument });
}

/** Whether a value contains {@link UNSAVED}. */
export function hasUnsaved(value: unknown): boolean {
  if (value === UNSAVED) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(hasUnsaved);
}
