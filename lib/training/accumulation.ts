import type { Optimizer } from '../optimizers/optimizer.js';
import type { RankUse } from '../program/losses.js';
import { type Batches, ownRows, rowsOf } from '../runtime/batches.js';
import { turn } from '../timers.js';

/** Milliseconds of event loop time per slice when computing a long epoch's scalars. */
const SLICE = 8;

/**
 * How the batches of a training form groups of `size`, fewer at the end of an epoch. Each is a step of the optimizer
 * or, if ranks average their parameters, the steps between two averages.
 */
export class Accumulation {
  readonly size: number;
  readonly #sums: RankUse['sums'] | undefined;
  /** Batches and rows of the group under way, rows of this rank, and rows of the batches of which it has some. */
  #batches = 0;
  #rows = 0;
  #own = 0;
  #shared = 0;

  /** `sums`: what ranks do together; undefined for one alone. */
  constructor(size: number, sums: RankUse['sums'] | undefined) {
    this.size = size;
    this.#sums = sums;
  }

  /** Whether several batches make a step of the optimizer. */
  get accumulates(): boolean {
    return this.size > 1 && this.#sums !== 'parameters';
  }

  /** Whether batches still wait for the end of their group. */
  get open(): boolean {
    return this.#batches > 0;
  }

  /** This rank's part in the means over the ranks. */
  get weight(): number {
    return (this.#sums === 'parameters' ? this.#own : this.#shared) / this.#rows;
  }

  close(): void {
    [this.#batches, this.#rows, this.#own, this.#shared] = [0, 0, 0, 0];
  }

  /** Scalars of each batch: those of the optimizer, and those that {@link #add} writes. */
  scalarCount(optimizer: Optimizer): number {
    if (!this.accumulates && this.#sums !== 'parameters') return optimizer.scalarCount;
    return optimizer.scalarCount + (this.accumulates ? 1 : 0) + (this.#sums === undefined ? 0 : 1) + 1;
  }

  /**
   * Writes the scalars of a run of `epochs` epochs from number `first` on; `endsEpoch`: whether an epoch ends with its
   * batches. Returns the learning rate of each epoch's last step. Yields to the event loop, and ends with the reason of
   * one of the signals if that is aborted.
   */
  async writeScalars(
    scalars: Float64Array,
    optimizer: Optimizer,
    [first, epochs]: readonly [first: number, epochs: number],
    batches: Batches,
    endsEpoch: boolean,
    signals: readonly AbortSignal[],
  ): Promise<number[]> {
    const rates: number[] = [];
    const steps = batches.count;
    const count = this.scalarCount(optimizer);
    let step = optimizer.steps;
    let begin = performance.now();
    for (let i = 0; i < epochs * steps; i++) {
      const rate = optimizer.writeScalars(scalars, i * count, { step, epoch: first + Math.floor(i / steps) });
      const last = (i + 1) % steps === 0;
      const [rows, own] = [rowsOf(batches, i % steps), ownRows(batches, i % steps)];
      if (this.#add(rows, own, last && endsEpoch, scalars, i * count + optimizer.scalarCount)) step++;
      if (last) rates.push(rate);
      if (i % 256 === 255 && performance.now() - begin > SLICE) {
        await turn();
        for (const signal of signals) signal.throwIfAborted();
        begin = performance.now();
      }
    }
    return rates;
  }

  /**
   * Counts a batch, of which this rank has `own` rows, and writes its scalars at `at`: if the gradients are
   * accumulated, its share of the rows so far; with ranks, this one's part of them; whether it ends the group. Returns
   * whether it ends a step of the optimizer.
   */
  #add(rows: number, own: number, endsEpoch: boolean, scalars: Float64Array, at: number): boolean {
    if (!this.accumulates && this.#sums !== 'parameters') return true;
    this.#batches++;
    this.#rows += rows;
    this.#own += own;
    // A rank without rows skips a batch, so the mean of its gradients is over the others.
    this.#shared += own > 0 ? rows : 0;
    const ends = endsEpoch || this.#batches === this.size;
    const list = [
      ...(this.accumulates ? [own > 0 ? rows / this.#shared : 0] : []),
      ...(this.#sums === undefined ? [] : [this.weight]),
      ends ? 1 : 0,
    ];
    scalars.set(list, at);
    if (ends) this.close();
    return ends || !this.accumulates;
  }

  /** Steps of the optimizer that the first `done` batches of a run ended, by its scalars. */
  stepsIn(done: number, optimizer: Optimizer, scalars: Float64Array): number {
    if (!this.accumulates) return done;
    const count = this.scalarCount(optimizer);
    let steps = 0;
    for (let i = 0; i < done; i++) steps += scalars[i * count + count - 1];
    return steps;
  }

  /**
   * Where ranks average their parameters: the rows that this one has trained alone after the first `done` batches of a
   * run, and `before` before them.
   */
  aloneAfter(done: number, optimizer: Optimizer, scalars: Float64Array, batches: Batches, before: number): number {
    const count = this.scalarCount(optimizer);
    let rows = 0;
    for (let i = done - 1; i >= 0; i--) {
      if (scalars[i * count + count - 1] === 1) return rows;
      rows += ownRows(batches, i % batches.count);
    }
    return before + rows;
  }
}
