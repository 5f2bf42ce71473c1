import { checkChoice, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';

/** Figures of one class. */
export interface ClassScore {
  readonly name: string;
  /** Of the rows predicted as this class, the share that is. */
  readonly precision: number;
  /** Of the rows of this class, the share predicted as it. */
  readonly recall: number;
  /** Harmonic mean of precision and recall. */
  readonly f1: number;
  /** Rows of this class. */
  readonly support: number;
}

/**
 * `macro`: the plain mean over the classes that occur in truth or predictions. `micro`: over all rows as one, which for
 * one class a row is the accuracy.
 */
export type Average = 'macro' | 'micro';

/**
 * How often rows of each true class were predicted as each class. Where a figure is 0/0 (precision of a class never
 * predicted, recall of a class without rows, F1 of both zero) it is 0.
 */
export class ConfusionMatrix {
  /** classes × classes, row-major: row = truth, column = prediction. */
  readonly counts: Float64Array;
  readonly classes: number;
  /** What the classes are called; their numbers where nobody named them. */
  readonly labelNames: readonly string[];

  /** Throws `INVALID_ARGUMENT` or `SHAPE_MISMATCH`: counts that are no square of integers ≥ 0, names that are not one a class. */
  constructor(counts: ArrayLike<number>, labelNames?: readonly string[]) {
    const classes = Math.sqrt(counts.length);
    if (!Number.isInteger(classes) || classes === 0) {
      throw new BlasnetError('SHAPE_MISMATCH', `counts: expected classes × classes numbers, got ${counts.length}`);
    }
    for (let i = 0; i < counts.length; i++) checkInteger(`counts[${i}]`, counts[i], { min: 0 });
    const names = labelNames ?? Array.from({ length: classes }, (_, i) => String(i));
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
      throw invalid('labelNames', 'an array of strings', names);
    }
    if (names.length !== classes) {
      throw new BlasnetError(
        'SHAPE_MISMATCH',
        `labelNames: expected a name for each of the ${classes} classes, got ${names.length}`,
      );
    }
    this.counts = Float64Array.from(counts);
    this.classes = classes;
    this.labelNames = Object.freeze([...names]);
    Object.freeze(this);
  }

  /** Rows of class `truth` that were predicted as class `predicted`. */
  at(truth: number, predicted: number): number {
    checkInteger('truth', truth, { min: 0, below: this.classes });
    checkInteger('predicted', predicted, { min: 0, below: this.classes });
    return this.counts[truth * this.classes + predicted];
  }

  /** All rows. */
  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** The share of rows on the diagonal. */
  get accuracy(): number {
    let hits = 0;
    for (let i = 0; i < this.classes; i++) hits += this.counts[i * (this.classes + 1)];
    return ratio(hits, this.total);
  }

  /** Precision, recall, F1 and number of rows of each class. */
  perClass(): ClassScore[] {
    return this.labelNames.map((name, i) => {
      const { hits, support, predicted } = this.#margins(i);
      return {
        name,
        precision: ratio(hits, predicted),
        recall: ratio(hits, support),
        f1: ratio(2 * hits, support + predicted),
        support,
      };
    });
  }

  precision(average: Average = 'macro'): number {
    return this.#average(average, 'precision');
  }

  recall(average: Average = 'macro'): number {
    return this.#average(average, 'recall');
  }

  /** The macro average is the mean of the classes' F1, not the harmonic mean of macro precision and recall. */
  f1(average: Average = 'macro'): number {
    return this.#average(average, 'f1');
  }

  /** A table of the counts, rows = truth, with recall at the end of each row and precision below each column. */
  toString(): string {
    const scores = this.perClass();
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const lines = [
      ['truth \\ predicted', ...this.labelNames, 'recall'],
      ...scores.map(({ name, recall }, row) => {
        const counts = this.counts.subarray(row * this.classes, (row + 1) * this.classes);
        return [name, ...Array.from(counts, String), percent(recall)];
      }),
      ['precision', ...scores.map(({ precision }) => percent(precision)), percent(this.accuracy)],
    ];
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    return lines
      .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
      .join('\n');
  }

  #margins(index: number): { hits: number; support: number; predicted: number } {
    let support = 0;
    let predicted = 0;
    for (let other = 0; other < this.classes; other++) {
      support += this.counts[index * this.classes + other];
      predicted += this.counts[other * this.classes + index];
    }
    return { hits: this.counts[index * (this.classes + 1)], support, predicted };
  }

  #average(average: Average, figure: 'precision' | 'recall' | 'f1'): number {
    if (checkChoice('average', average, ['macro', 'micro']) === 'micro') return this.accuracy;
    const occurring = this.perClass().filter((_, i) => {
      const { support, predicted } = this.#margins(i);
      return support + predicted > 0;
    });
    return ratio(
      occurring.reduce((sum, score) => sum + score[figure], 0),
      occurring.length,
    );
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
