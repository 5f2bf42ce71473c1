import { checkNumber } from '../../checks.js';
import type { BooleanColumn, Column } from '../column.js';
import { type ColumnEncoder, checkGiven, type Given, type Kind, readFlag } from './kind.js';

class BooleanEncoder implements ColumnEncoder {
  readonly width: number;
  readonly #name: string;
  /** Stands for a missing value. */
  readonly #mean: number;
  readonly #missing: boolean;

  constructor(name: string, mean: number, missing: boolean) {
    this.width = missing ? 2 : 1;
    this.#name = name;
    this.#mean = mean;
    this.#missing = missing;
  }

  names(): string[] {
    return this.#missing ? [this.#name, `${this.#name} (missing)`] : [this.#name];
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as BooleanColumn;
    for (let row = 0, to = at; row < values.length; row++, to += stride) {
      const value = values[row];
      out[to] = value === null ? this.#mean : Number(value);
      if (value === null && this.#missing) out[to + 1] = 1;
    }
  }

  toJSON(): Given {
    return { mean: this.#mean, missing: this.#missing };
  }
}

export const booleanKind: Kind = {
  learn(label, name, options) {
    checkGiven(label, options, []);
    let [trues, present, missing] = [0, 0, false];
    return {
      add(column) {
        for (const value of (column as BooleanColumn).values) {
          if (value === null) missing = true;
          else present++;
          if (value) trues++;
        }
      },
      finish: () => new BooleanEncoder(name, trues / present, missing),
    };
  },
  read(label, name, json) {
    checkGiven(label, json, ['mean', 'missing']);
    const mean = checkNumber(`${label}: mean`, json.mean, { min: 0, max: 1 });
    return new BooleanEncoder(name, mean, readFlag(label, json, 'missing'));
  },
};
