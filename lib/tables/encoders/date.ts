import { invalid } from '../../checks.js';
import type { Column, NumberColumn } from '../column.js';
import { type ColumnEncoder, checkGiven, type Given, type Kind, readFlag, readStrings } from './kind.js';
import { NumberScale } from './number.js';

/** A part of a date: the time since 1970, or the place in a cycle of time (in UTC). */
export type DatePart = 'trend' | 'year' | 'month' | 'week' | 'day';

/** How a column of dates is encoded. */
export interface DateOptions {
  /**
   * `'trend'`: the time since 1970, scaled to mean 0 and standard deviation 1. `'year'`, `'month'`, `'week'`, `'day'`:
   * sine and cosine of 2π times the part of that year, month, week (from Monday) or day that has passed. Default:
   * trend, year and week, and day if the training part has times of the day.
   */
  parts?: readonly DatePart[] | undefined;
}

const DAY = 86_400_000;
/** 1970 began on a Thursday. */
const MONDAY = 3 * DAY;

function modulo(value: number, period: number): number {
  return ((value % period) + period) % period;
}

/** The part of the span from `begin` to `end` that has passed at a time. */
function passed(time: number, begin: number, end: number): number {
  return (time - begin) / (end - begin);
}

/** Milliseconds since 1970 of the first day of a month; the years up to 99 too, for which Date.UTC adds 1900. */
function monthStart(year: number, month: number): number {
  return new Date(0).setUTCFullYear(year, month, 1);
}

const cycles: ReadonlyMap<string, (time: number) => number> = new Map([
  [
    'year',
    (time: number) => {
      const year = new Date(time).getUTCFullYear();
      return passed(time, monthStart(year, 0), monthStart(year + 1, 0));
    },
  ],
  [
    'month',
    (time: number) => {
      const date = new Date(time);
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
      return passed(time, monthStart(year, month), monthStart(year, month + 1));
    },
  ],
  ['week', (time: number) => modulo(time + MONDAY, 7 * DAY) / (7 * DAY)],
  ['day', (time: number) => modulo(time, DAY) / DAY],
]);
const PARTS = ['trend', ...cycles.keys()];

/** Missing dates are 0 in all parts: the mean of the trend, the centre of the cycles. */
class DateEncoder implements ColumnEncoder {
  readonly width: number;
  readonly #name: string;
  readonly #parts: readonly string[];
  readonly #scale: NumberScale;
  readonly #missing: boolean;

  constructor(name: string, parts: readonly string[], scale: NumberScale, missing: boolean) {
    this.width = parts.reduce((sum, part) => sum + (part === 'trend' ? 1 : 2), 0) + Number(missing);
    this.#name = name;
    this.#parts = parts;
    this.#scale = scale;
    this.#missing = missing;
  }

  names(): string[] {
    const own = this.#parts.flatMap((part) => (part === 'trend' ? [part] : [`${part} sin`, `${part} cos`]));
    return [...own, ...(this.#missing ? ['(missing)'] : [])].map((part) => `${this.#name} ${part}`);
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as NumberColumn;
    for (let row = 0; row < values.length; row++) {
      const time = values[row];
      const begin = row * stride + at;
      if (Number.isNaN(time)) {
        if (this.#missing) out[begin + this.width - 1] = 1;
        continue;
      }
      let to = begin;
      for (const part of this.#parts) {
        const cycle = cycles.get(part);
        if (cycle === undefined) {
          out[to++] = this.#scale.apply(time);
        } else {
          const angle = 2 * Math.PI * cycle(time);
          out[to++] = Math.sin(angle);
          out[to++] = Math.cos(angle);
        }
      }
    }
  }

  toJSON(): Given {
    const { center, spread } = this.#scale;
    return { parts: this.#parts, center, spread, missing: this.#missing };
  }
}

function checkParts(label: string, parts: readonly string[]): readonly string[] {
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined || parts.length === 0)
    throw invalid(`${label}: parts`, `some of ${PARTS.join(', ')}`, unknown ?? parts);
  return parts;
}

export const dateKind: Kind = {
  learn(label, name, options) {
    const { parts } = checkGiven(label, options, ['parts']);
    const given =
      parts === undefined ? undefined : checkParts(label, readStrings(label, options, 'parts', PARTS.length));
    const scale = NumberScale.learn(label, {});
    let [timed, missing] = [false, false];
    return {
      add(column) {
        const { values } = column as NumberColumn;
        timed ||= values.some((time) => !Number.isNaN(time) && time % DAY !== 0);
        missing ||= values.some(Number.isNaN);
        scale.add(values);
      },
      finish() {
        const usual = ['trend', 'year', 'week', ...(timed ? ['day'] : [])];
        return new DateEncoder(name, given ?? usual, scale.finish(), missing);
      },
    };
  },
  read(label, name, json) {
    checkGiven(label, json, ['parts', 'center', 'spread', 'missing']);
    const parts = checkParts(label, readStrings(label, json, 'parts', PARTS.length));
    const scale = NumberScale.read(label, { ...json, log: false });
    return new DateEncoder(name, parts, scale, readFlag(label, json, 'missing'));
  },
};
