import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { cut, listed, quote } from '../text.js';
import type { TypedArray } from '../types.js';
import type { Column, NumberColumn, StringColumn } from './column.js';
import { checkGiven, type Given, readStrings } from './encoders/kind.js';
import { NumberScale } from './encoders/number.js';

/** What a classifier says of a row. */
export interface LabelPrediction {
  /** The most probable label, the first one on a tie. */
  readonly label: string;
  /** Its probability. */
  readonly probability: number;
  /** The probability of each label. */
  readonly probabilities: Readonly<Record<string, number>>;
  readonly value?: undefined;
}

/** What a regression says of a row. */
export interface ValuePrediction {
  /** In the unit of the target. */
  readonly value: number;
  readonly label?: undefined;
  readonly probability?: undefined;
  readonly probabilities?: undefined;
}

/** What a network predicts for a row: a label with its probabilities, or a value. */
export type Prediction = LabelPrediction | ValuePrediction;

/** What an encoder does with the column that is predicted. */
export interface Target {
  /** The type that its column must have. */
  readonly type: 'number' | 'category';
  readonly labels: readonly string[] | undefined;
  /** Options of a dataset. The column has the right type and no missing value. */
  encode(label: string, column: Column): { labels: Int32Array } | { targets: Float32Array; targetShape: [number] };
  /** `rows` predictions of a network's outputs. */
  decode(outputs: TypedArray, rows: number): Prediction[];
  toJSON(): Given;
}

/** Learns from the target's column, which comes in pieces. */
export interface TargetLearner {
  add(column: Column): void;
  finish(): Target;
}

/** Otherwise a prediction that is NaN would count as the first label, or be returned as NaN. */
function nonFinite(row: number, value: number): BlasnetError {
  return new BlasnetError('NON_FINITE', `outputs: row ${row}: the prediction is ${value}`);
}

const MOST_LABELS = 100_000;

/** Class names; a class is its place among them. */
export class LabelTarget implements Target {
  readonly type = 'category';
  readonly labels: readonly string[];
  readonly #places: ReadonlyMap<string, number>;

  constructor(labels: readonly string[]) {
    this.labels = labels;
    this.#places = new Map(labels.map((label, place) => [label, place]));
  }

  /** Labels in the order of their characters, or of their values if all are numbers. */
  static learn(label: string): TargetLearner {
    const seen = new Set<string>();
    const checkCount = (least: number) => {
      if (seen.size < least || seen.size > MOST_LABELS)
        throw invalid(label, `from 2 to ${MOST_LABELS} different labels`, seen.size);
    };
    return {
      add(column) {
        for (const value of (column as StringColumn).values) seen.add(value as string);
        checkCount(0);
      },
      finish() {
        checkCount(2);
        const labels = [...seen];
        const numbers = labels.every((text) => text.trim() !== '' && Number.isFinite(Number(text)));
        return new LabelTarget(numbers ? labels.sort((a, b) => Number(a) - Number(b)) : labels.sort());
      },
    };
  }

  static read(label: string, json: Given): LabelTarget {
    checkGiven(label, json, ['labels']);
    const labels = readStrings(label, json, 'labels', MOST_LABELS);
    if (labels.length < 2) throw invalid(`${label}: labels`, 'at least two', labels);
    return new LabelTarget(labels);
  }

  encode(label: string, column: Column) {
    const labels = Int32Array.from((column as StringColumn).values as readonly string[], (value, row) => {
      const place = this.#places.get(value);
      if (place !== undefined) return place;
      const known = `expected one of ${listed(this.labels)}, which the training part has`;
      throw new BlasnetError('LABEL_OUT_OF_RANGE', `${label}: row ${row}: ${known}, got ${quote(value)}`);
    });
    return { labels };
  }

  decode(outputs: TypedArray, rows: number): LabelPrediction[] {
    const { labels } = this;
    const width = outputs.length / rows;
    // One output of two classes is the probability of the second.
    const single = width === 1 && labels.length === 2;
    if (!single && width !== labels.length)
      throw new BlasnetError('SHAPE_MISMATCH', `outputs: expected ${labels.length} numbers a row, got ${width}`);
    return Array.from({ length: rows }, (_, row) => {
      const own = single ? [1 - outputs[row], outputs[row]] : [...outputs.subarray(row * width, (row + 1) * width)];
      const odd = own.find((value) => !Number.isFinite(value));
      if (odd !== undefined) throw nonFinite(row, odd);
      const best = own.reduce((most, value, i) => (value > own[most] ? i : most), 0);
      // Object.fromEntries makes own properties, even of a label __proto__.
      const probabilities = Object.fromEntries(labels.map((label, i) => [label, own[i]]));
      return { label: labels[best], probability: own[best], probabilities };
    });
  }

  toJSON(): Given {
    return { labels: this.labels };
  }
}

/** Numbers, scaled for training. */
export class ValueTarget implements Target {
  readonly type = 'number';
  readonly labels = undefined;
  readonly #scale: NumberScale;

  constructor(scale: NumberScale) {
    this.#scale = scale;
  }

  static learn(label: string, options: Given): TargetLearner {
    const scale = NumberScale.learn(label, options);
    return {
      add: (column) => scale.add((column as NumberColumn).values),
      finish: () => new ValueTarget(scale.finish()),
    };
  }

  static read(label: string, json: Given): ValueTarget {
    checkGiven(label, json, ['center', 'spread', 'log']);
    return new ValueTarget(NumberScale.read(label, json));
  }

  encode(label: string, column: Column) {
    const targets = Float32Array.from((column as NumberColumn).values, (value) => this.#scale.apply(value));
    const row = targets.findIndex((value) => !Number.isFinite(value));
    if (row >= 0) {
      const text = 'the value is too large, its number for the network overflows';
      throw new BlasnetError('NON_FINITE', `${label}: row ${row}: ${text}`);
    }
    return { targets, targetShape: [1] as [number] };
  }

  decode(outputs: TypedArray, rows: number): ValuePrediction[] {
    if (outputs.length !== rows) {
      const got = cut(String(outputs.length / rows), 20);
      throw new BlasnetError('SHAPE_MISMATCH', `outputs: expected one number a row, got ${got}`);
    }
    return Array.from(outputs, (output, row) => {
      const value = this.#scale.invert(output);
      if (!Number.isFinite(value)) throw nonFinite(row, value);
      return { value };
    });
  }

  toJSON(): Given {
    return this.#scale.toJSON();
  }
}
