import type { Optimizer } from '../optimizers/optimizer.js';

/** How the batches of a training make steps of the optimizer: `size` of them each, fewer at the end of an epoch. */
export class Accumulation {
  readonly size: number;
  /** Batches and rows of the step under way. */
  #batches = 0;
  #rows = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** Whether batches still wait for their step. */
  get open(): boolean {
    return this.#batches > 0;
  }

  close(): void {
    [this.#batches, this.#rows] = [0, 0];
  }

  /** Scalars of each batch: those of the optimizer and, with several batches per step, two more. */
  scalarCount(optimizer: Optimizer): number {
    return optimizer.scalarCount + (this.size > 1 ? 2 : 0);
  }

  /**
   * Counts a batch and writes its scalars at `at`: its share of the step's rows so far, and whether it ends the step.
   * Returns whether it does.
   */
  add(rows: number, endsEpoch: boolean, scalars: Float64Array, at: number): boolean {
    if (this.size === 1) return true;
    this.#batches++;
    this.#rows += rows;
    const ends = endsEpoch || this.#batches === this.size;
    scalars[at] = rows / this.#rows;
    scalars[at + 1] = ends ? 1 : 0;
    if (ends) this.close();
    return ends;
  }

  /** Steps that the first `batches` batches of a run ended, by its scalars. */
  stepsIn(batches: number, optimizer: Optimizer, scalars: Float64Array): number {
    if (this.size === 1) return batches;
    const count = this.scalarCount(optimizer);
    let steps = 0;
    for (let i = 0; i < batches; i++) steps += scalars[i * count + count - 1];
    return steps;
  }
}
