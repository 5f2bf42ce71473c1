import { checkBoolean, checkChoice, checkNumber } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { Column, NumberColumn } from '../column.js';
import { Moments, quantile, Sample } from '../statistics.js';
import { type ColumnEncoder, checkGiven, type Given, type Kind, readFlag, readNumber } from './kind.js';

/** How a column of numbers is encoded. */
export interface NumberOptions {
  /**
   * `'standard'` (default): (x − mean) / standard deviation. `'robust'`: (x − median) / interquartile range; where that
   * is 0, the standard deviation. `'none'`: x.
   */
  scale?: 'standard' | 'robust' | 'none' | undefined;
  /** First replace x by sign(x) · ln(1 + |x|), for values of very different size. Default false. */
  log?: boolean | undefined;
}

/** x → (l(x) − center) / spread, where l is the identity or sign(x) · ln(1 + |x|). */
export class NumberScale {
  readonly center: number;
  readonly spread: number;
  readonly log: boolean;

  constructor(center: number, spread: number, log: boolean) {
    this.center = center;
    this.spread = spread;
    this.log = log;
  }

  /**
   * Learns the scale for the numbers of a column, of which there is at least one; NaN doesn't count. `finish` throws
   * `NON_FINITE` for numbers so large that the scale overflows.
   */
  static learn(label: string, options: Given): { add(values: Float64Array): void; finish(): NumberScale } {
    const { scale = 'standard', log = false } = checkGiven(label, options, ['scale', 'log']);
    checkChoice(`${label}: scale`, scale, ['standard', 'robust', 'none']);
    const logarithmic = checkBoolean(`${label}: log`, log);
    const moments = new Moments();
    const sample = new Sample();
    return {
      add(values) {
        if (scale === 'none') return;
        const numbers = logarithmic ? values.map(signedLog) : values;
        moments.add(numbers);
        if (scale === 'robust') sample.add(numbers);
      },
      finish() {
        if (scale === 'none') return new NumberScale(0, 1, logarithmic);
        const { mean, deviation } = moments;
        // Of a constant column everything is 0.
        if (scale === 'standard') return finite(label, new NumberScale(mean, deviation || 1, logarithmic));
        const numbers = sample.sorted();
        const range = quantile(numbers, 0.75) - quantile(numbers, 0.25);
        return finite(label, new NumberScale(quantile(numbers, 0.5), range || deviation || 1, logarithmic));
      },
    };
  }

  static read(label: string, json: Given): NumberScale {
    const center = readNumber(label, json, 'center');
    const spread = checkNumber(`${label}: spread`, json.spread, { above: 0 });
    return new NumberScale(center, spread, readFlag(label, json, 'log'));
  }

  apply(value: number): number {
    return ((this.log ? signedLog(value) : value) - this.center) / this.spread;
  }

  invert(value: number): number {
    const number = value * this.spread + this.center;
    return this.log ? Math.sign(number) * Math.expm1(Math.abs(number)) : number;
  }

  toJSON() {
    return { center: this.center, spread: this.spread, log: this.log };
  }
}

/** Refuses the scale of numbers so large that their squares overflow. */
function finite(label: string, scale: NumberScale): NumberScale {
  if (Number.isFinite(scale.center) && Number.isFinite(scale.spread)) return scale;
  const remedy = 'leave such values out, or use log: true';
  throw new BlasnetError('NON_FINITE', `${label}: its values are too large: their spread overflows; ${remedy}`);
}

function signedLog(value: number): number {
  return Math.sign(value) * Math.log1p(Math.abs(value));
}

class NumberEncoder implements ColumnEncoder {
  readonly width: number;
  readonly #name: string;
  readonly #scale: NumberScale;
  /** Stands for a missing value. */
  readonly #median: number;
  readonly #missing: boolean;

  constructor(name: string, scale: NumberScale, median: number, missing: boolean) {
    this.width = missing ? 2 : 1;
    this.#name = name;
    this.#scale = scale;
    this.#median = median;
    this.#missing = missing;
  }

  names(): string[] {
    return this.#missing ? [this.#name, `${this.#name} (missing)`] : [this.#name];
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as NumberColumn;
    for (let row = 0, to = at; row < values.length; row++, to += stride) {
      const missing = Number.isNaN(values[row]);
      out[to] = this.#scale.apply(missing ? this.#median : values[row]);
      if (missing && this.#missing) out[to + 1] = 1;
    }
  }

  toJSON(): Given {
    return { ...this.#scale.toJSON(), median: this.#median, missing: this.#missing };
  }
}

export const numberKind: Kind = {
  learn(label, name, options) {
    const scale = NumberScale.learn(label, options);
    const sample = new Sample();
    let missing = false;
    return {
      add(column) {
        const { values } = column as NumberColumn;
        missing ||= values.some(Number.isNaN);
        scale.add(values);
        sample.add(values);
      },
      finish: () => new NumberEncoder(name, scale.finish(), quantile(sample.sorted(), 0.5), missing),
    };
  },
  read(label, name, json) {
    checkGiven(label, json, ['center', 'spread', 'log', 'median', 'missing']);
    const median = readNumber(label, json, 'median');
    return new NumberEncoder(name, NumberScale.read(label, json), median, readFlag(label, json, 'missing'));
  },
};
