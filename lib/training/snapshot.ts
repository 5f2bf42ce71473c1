import type { Optimizer } from '../optimizers/optimizer.js';
import type { Engine } from './engine.js';
import { allFinite } from './inputs.js';

/** The last snapshot of each network, for the next fit, until the garbage collector takes it. */
const kept = new WeakMap<Engine, WeakRef<Snapshot>>();

function sameMemory(a: Float32Array, b: Float32Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}

/** A copy of all that training changes, to go back to when a run has left it with NaN or infinities. */
export class Snapshot {
  readonly #live: readonly Float32Array[];
  readonly #saved: readonly Float32Array[];
  readonly #optimizer: Optimizer;
  #steps = 0;

  private constructor(live: readonly Float32Array[], optimizer: Optimizer) {
    this.#live = live;
    this.#saved = live.map((block) => new Float32Array(block.length));
    this.#optimizer = optimizer;
  }

  static of(engine: Engine, optimizer: Optimizer): Snapshot {
    const live = [engine.parameters, engine.state, engine.attach(optimizer)];
    const last = kept.get(engine)?.deref();
    if (last !== undefined && last.#optimizer === optimizer && last.#live.every((block, i) => sameMemory(block, live[i])))
      return last;
    const snapshot = new Snapshot(live, optimizer);
    kept.set(engine, new WeakRef(snapshot));
    return snapshot;
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
