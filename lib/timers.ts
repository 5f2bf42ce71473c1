/**
 * Node's own timers, as they were when the library was loaded: a test's fake timers replace the global ones, and some
 * may be missing in other realms (Jest).
 */
import * as timers from 'node:timers';
import * as promises from 'node:timers/promises';

export const { setTimeout, clearTimeout, setInterval, clearInterval } = timers;

/** Resolves after the events that wait now. */
export const { setImmediate: turn } = promises;
