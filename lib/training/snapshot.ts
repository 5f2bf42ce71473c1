import type { Optimizer } from '../optimizers/optimizer.js';
import type { Engine } from './engine.js';
import { allFinite } from './inputs.js';

/** A copy of all that training changes, to go back to when a run has left it with NaN or infinities. */
export class Snapshot {
  readonly #live: readonly Float32Array[];
  readonly #saved: readonly Float32Array[];
  readonly #optimizer: Optimizer;
  #steps = 0;

  constructor(engine: Engine, optimizer: Optimizer) {
    this.#live = [engine.parameters, engine.state, engine.attach(optimizer)];
    this.#saved = this.#live.map((block) => new Float32Array(block.length));
    this.#optimizer = optimizer;
  }

  take(): void {
    this.#live.forEach((block, i) => this.#saved[i].set(block));
    this.#steps = this.#optimizer.steps;
  }

  /** Puts the copy back if a parameter is no longer finite; says whether it did. Running statistics go back on their own. */
  restore(): boolean {
    const [parameters, state] = this.#live;
    if (allFinite(parameters)) {
      // A batch with a NaN has reached them before its loss could stop the step.
      if (!allFinite(state)) state.set(this.#saved[1]);
      return false;
    }
    this.#live.forEach((block, i) => block.set(this.#saved[i]));
    this.#optimizer.steps = this.#steps;
    return true;
  }
}
