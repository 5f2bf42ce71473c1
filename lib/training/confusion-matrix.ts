import { checkArity, checkInteger, checkLabelNames, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { alignColumns } from '../text.js';
import { type Average, averaged, each, type Figure, type Margins, ratio, total } from './averages.js';
import { type Numbers, readRows } from './rows.js';

/** Metrics of one class. */
export interface ClassScore {
  readonly name: string;
  /** Fraction of the rows predicted as this class that belong to it. */
  readonly precision: number;
  /** Fraction of the rows of this class that are predicted as it. */
  readonly recall: number;
  /** Harmonic mean of precision and recall. */
  readonly f1: number;
  /** Rows of this class. */
  readonly support: number;
}

/** Number of rows of one class predicted as another or the same class. */
export interface ConfusionCell {
  readonly truth: number;
  readonly predicted: number;
  readonly count: number;
}

/** A matrix given by its cells. */
export interface ConfusionCells {
  readonly classes: number;
  readonly cells: Iterable<ConfusionCell>;
}

/** Maximum number of classes; each takes three numbers and a name. */
export const MOST_CLASSES = 2 ** 20;
/** Maximum number of classes for `counts`, which has classes × classes numbers: 512 MB. */
const MOST_DENSE = 2 ** 13;
/** With more classes, the text lists confusions instead of a table. */
const MOST_PRINTED = 100;
const MOST_CONFUSIONS = 20;

/**
 * Counts how often rows of each true class were predicted as each class. A metric that is 0/0 (precision of a class
 * never predicted, recall of a class without rows, F1 if both are zero) is 0. Only non-zero cells take memory; at most
 * 1,048,576 classes.
 */
export class ConfusionMatrix {
  readonly classes: number;
  /** Class names; the class numbers if no names were given. */
  readonly labelNames: readonly string[];
  /** Non-zero counts, by truth · classes + prediction. */
  readonly #cells: ReadonlyMap<number, number>;
  readonly #margins: Margins;
  #counts: Float64Array | undefined;

  /**
   * From classes × classes counts (row = truth, column = prediction), or from `classes` and the non-zero cells, each
   * given once. Throws `INVALID_ARGUMENT` or `SHAPE_MISMATCH` unless the counts form a square of integers ≥ 0, the
   * cells' classes exist and there is one name per class.
   */
  constructor(counts: Numbers | ConfusionCells, labelNames?: readonly string[]) {
    checkArity('ConfusionMatrix', arguments, 2);
    const { classes, cells } = isCells(counts) ? counts : denseCells(counts);
    checkInteger('classes', classes, { min: 1, max: MOST_CLASSES });
    const zeros = () => new Float64Array(classes);
    const margins = { hits: zeros(), support: zeros(), predicted: zeros(), positive: 1 };
    const own = new Map<number, number>();
    for (const { truth, predicted, count } of cells) {
      checkInteger('cells: truth', truth, { min: 0, below: classes });
      checkInteger('cells: predicted', predicted, { min: 0, below: classes });
      const key = truth * classes + predicted;
      checkInteger(isCells(counts) ? 'cells: count' : `counts[${key}]`, count, { min: 0 });
      if (own.has(key)) throw invalid('cells', 'each cell once', `cell (${truth}, ${predicted}) twice`);
      if (count === 0) continue;
      own.set(key, count);
      margins.support[truth] += count;
      margins.predicted[predicted] += count;
      if (truth === predicted) margins.hits[truth] = count;
    }
    const names = labelNames ?? Array.from({ length: classes }, (_, i) => String(i));
    this.classes = classes;
    this.labelNames = Object.freeze(checkLabelNames(names, classes));
    this.#cells = own;
    this.#margins = margins;
    Object.freeze(this);
  }

  /**
   * Counts, classes × classes, row-major: row = truth, column = prediction. Throws `INVALID_ARGUMENT` above 8192
   * classes: use {@link cells}.
   */
  get counts(): Float64Array {
    if (this.#counts === undefined) {
      if (this.classes > MOST_DENSE) {
        throw invalid(
          'counts',
          `at most ${MOST_DENSE} classes (cells() gives those counts that are not 0)`,
          this.classes,
        );
      }
      this.#counts = new Float64Array(this.classes ** 2);
      for (const [key, count] of this.#cells) this.#counts[key] = count;
    }
    return this.#counts;
  }

  /** The non-zero cells, ordered by truth, then prediction. */
  cells(): ConfusionCell[] {
    checkArity('cells', arguments, 0);
    const { classes } = this;
    return [...this.#cells]
      .sort(([a], [b]) => a - b)
      .map(([key, count]) => ({ truth: Math.floor(key / classes), predicted: key % classes, count }));
  }

  /** Number of rows of class `truth` predicted as class `predicted`. */
  at(truth: number, predicted: number): number {
    checkArity('at', arguments, 2);
    checkInteger('truth', truth, { min: 0, below: this.classes });
    checkInteger('predicted', predicted, { min: 0, below: this.classes });
    return this.#cells.get(truth * this.classes + predicted) ?? 0;
  }

  /** Number of rows. */
  get total(): number {
    return total(this.#margins.support);
  }

  /** Fraction of rows on the diagonal. */
  get accuracy(): number {
    return ratio(total(this.#margins.hits), this.total);
  }

  /** Precision, recall, F1 and number of rows per class. */
  perClass(): ClassScore[] {
    checkArity('perClass', arguments, 0);
    const [precision, recall, f1] = (['precision', 'recall', 'f1'] as const).map((figure) =>
      each(figure, this.#margins),
    );
    const { support } = this.#margins;
    return this.labelNames.map((name, i) => ({
      name,
      precision: precision[i],
      recall: recall[i],
      f1: f1[i],
      support: support[i],
    }));
  }

  /**
   * Precision. The macro average covers the classes that occur in truth or predictions; the micro average is the
   * accuracy.
   */
  precision(average: 'none'): number[];
  precision(average?: Exclude<Average, 'none'>): number;
  precision(average: Average): number | number[];
  precision(average: Average = 'macro'): number | number[] {
    checkArity('precision', arguments, 1);
    return this.#average('precision', average);
  }

  /** Recall. Averages as in {@link precision}. */
  recall(average: 'none'): number[];
  recall(average?: Exclude<Average, 'none'>): number;
  recall(average: Average): number | number[];
  recall(average: Average = 'macro'): number | number[] {
    checkArity('recall', arguments, 1);
    return this.#average('recall', average);
  }

  /** F1. The macro average is the mean of the classes' F1, not the harmonic mean of macro precision and recall. */
  f1(average: 'none'): number[];
  f1(average?: Exclude<Average, 'none'>): number;
  f1(average: Average): number | number[];
  f1(average: Average = 'macro'): number | number[] {
    checkArity('f1', arguments, 1);
    return this.#average('f1', average);
  }

  /**
   * A table of the counts, rows = truth, with recall at the end of each row and precision below each column. Above 100
   * classes: the twenty most frequent confusions.
   */
  toString(): string {
    if (this.classes > MOST_PRINTED) return this.#confusions();
    const scores = this.perClass();
    const lines = [
      ['truth \\ predicted', ...this.labelNames, 'recall'],
      ...scores.map(({ name, recall }, row) => {
        const counts = this.counts.subarray(row * this.classes, (row + 1) * this.classes);
        return [name, ...Array.from(counts, String), percent(recall)];
      }),
      ['precision', ...scores.map(({ precision }) => percent(precision)), percent(this.accuracy)],
    ];
    return table(lines);
  }

  #confusions(): string {
    const wrong = this.cells().filter(({ truth, predicted }) => truth !== predicted);
    const most = wrong.sort((a, b) => b.count - a.count).slice(0, MOST_CONFUSIONS);
    const names = this.labelNames;
    return [
      `${this.classes} classes, ${this.total} rows, accuracy ${percent(this.accuracy)}`,
      table([
        ['truth', 'predicted', 'rows'],
        ...most.map(({ truth, predicted, count }) => [names[truth], names[predicted], String(count)]),
      ]),
    ].join('\n');
  }

  #average(figure: Figure, average: Average): number | number[] {
    const { support, predicted } = this.#margins;
    return averaged(figure, this.#margins, average, (i) => support[i] + predicted[i] > 0);
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function table(lines: readonly (readonly string[])[]): string {
  return alignColumns(lines, (column) => column === 0).join('\n');
}

function isCells(counts: Numbers | ConfusionCells): counts is ConfusionCells {
  return typeof counts === 'object' && counts !== null && 'cells' in counts;
}

function denseCells(counts: Numbers): ConfusionCells {
  const { data } = readRows('counts', counts);
  const classes = Math.sqrt(data.length);
  if (!Number.isInteger(classes) || classes === 0) {
    throw new BlasnetError('SHAPE_MISMATCH', `counts: expected classes × classes numbers, got ${data.length}`);
  }
  const cells = Array.from(data, (count, i) => ({ truth: Math.floor(i / classes), predicted: i % classes, count }));
  return { classes, cells };
}

/** Counts how often each pair of classes occurs. */
export function countPairs(truth: Int32Array, predicted: Int32Array, classes: number): ConfusionCells {
  const counts = new Map<number, number>();
  for (let row = 0; row < truth.length; row++) {
    const key = truth[row] * classes + predicted[row];
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const cells = Array.from(counts, ([key, count]) => ({
    truth: Math.floor(key / classes),
    predicted: key % classes,
    count,
  }));
  return { classes, cells };
}
