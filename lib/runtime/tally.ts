import { type Goal, isOnlyLoss, reportedTotals } from '../program/losses.js';
import { goalsOf, type Model } from '../program/model.js';
import { type Batches, rowsOf } from './batches.js';

/** Mean loss over all rows and, if the loss defines it, the fraction of correct predictions. */
export interface Figures {
  readonly loss: number;
  readonly accuracy?: number;
}

/**
 * The result of an evaluation. `loss`: the sum of the outputs' mean losses times their weights, and of the penalties.
 * `accuracy`: that of an only loss. With sample weights, a mean loss is Σ w l / Σ w.
 */
export interface Evaluation extends Figures {
  /** Figures of each output with a loss, by its name, without penalties; undefined if the output has no name. */
  readonly outputs?: Readonly<Record<string, Figures>>;
}

/** Columns of an output in a report, with sums over the steps. */
interface Column {
  readonly name: string | undefined;
  readonly factor: number;
  readonly counts: boolean;
  loss: number;
  /** The last batch's mean loss. */
  last: number;
  hits: number;
  /** Sum of the weights, or rows without weights. */
  weight: number;
}

/** Numbers that each step reports. */
export function reportWidth(model: Model, goals: readonly Goal[]): number {
  return reportedTotals(model, { goals }).length;
}

/** Accumulates, batch by batch, mean losses over all rows and fractions of hits. */
export class Tally {
  /** Mean loss of each batch. */
  readonly losses: number[] = [];
  readonly #columns: readonly Column[];
  /** Whether the reports have no total besides the loss. */
  readonly #single: boolean;
  rows = 0;
  /** Sum over the rows of what the total has besides the losses. */
  #penalty = 0;

  constructor(model: Model) {
    const outputs = goalsOf(model);
    this.#single = isOnlyLoss(outputs);
    this.#columns = outputs.map(({ name, weight: factor, loss }) => {
      return { name, factor, counts: loss.writeHits !== undefined, loss: 0, last: 0, hits: 0, weight: 0 };
    });
  }

  /**
   * Adds the steps [begin, end) of a report for a source with these goals. They belong to one epoch and start at its
   * batch `first`.
   */
  add(report: Float64Array, goals: readonly Goal[], batches: Batches, begin: number, end: number, first: number): void {
    const single = this.#single;
    const width = (single ? 0 : 1) + goals.reduce((sum, { weighted }) => sum + (weighted ? 3 : 2), 0);
    for (let step = begin; step < end; step++) {
      const rows = rowsOf(batches, first + step - begin);
      let at = step * width;
      this.losses.push(report[at]);
      this.rows += rows;
      let penalty = single ? 0 : report[at++];
      for (const [i, column] of this.#columns.entries()) {
        const weight = goals[i].weighted ? report[at + 2] : rows;
        column.last = report[at];
        column.loss += report[at] * weight;
        column.hits += report[at + 1];
        column.weight += weight;
        if (!single) penalty -= column.factor * report[at];
        at += goals[i].weighted ? 3 : 2;
      }
      if (!single) this.#penalty += penalty * rows;
    }
  }

  /** NaN without rows. */
  get means(): Evaluation {
    const figures = this.#columns.map(({ loss, last, hits, weight, counts }): Figures => {
      // Rows that all have the weight 0 have no loss. The mean over a single batch is the batch's own, bit for bit.
      const all = this.losses.length === 1 ? last : loss / weight;
      const mean = { loss: weight === 0 && this.rows > 0 ? 0 : all };
      return counts ? { ...mean, accuracy: hits / this.rows } : mean;
    });
    if (this.#single) return figures[0];
    const penalty = this.#penalty / this.rows;
    const sum = figures.reduce((sum, { loss }, i) => sum + this.#columns[i].factor * loss, penalty);
    const loss = this.losses.length === 1 ? this.losses[0] : sum;
    const only = figures.length === 1 && figures[0].accuracy !== undefined ? { accuracy: figures[0].accuracy } : {};
    return { loss, ...only, outputs: Object.fromEntries(figures.map((each, i) => [this.#columns[i].name, each])) };
  }
}
