import type { Optimizer } from '../optimizers/optimizer.js';
import type { Engine } from './engine.js';
import { allFinite } from './non-finite.js';
import { Slices } from './slices.js';

/** The latest snapshot of each network, reused by the next fit unless garbage-collected. */
const kept = new WeakMap<Engine, WeakRef<Snapshot>>();

function sameMemory(a: Float32Array, b: Float32Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}

/** A copy of everything that training changes, to restore if a run produced NaN or infinities. */
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
    if (
      last !== undefined &&
      last.#optimizer === optimizer &&
      last.#live.every((block, i) => sameMemory(block, live[i]))
    )
      return last;
    const snapshot = new Snapshot(live, optimizer);
    kept.set(engine, new WeakRef(snapshot));
    return snapshot;
  }

  /** Copies in slices, without blocking the event loop. */
  async take(): Promise<void> {
    await this.#copy(this.#saved, this.#live);
    this.#steps = this.#optimizer.steps;
  }

  /**
   * Restores the copy if a parameter is no longer finite, or `always`; returns whether it did. Running statistics can
   * also be restored alone.
   */
  async restore(always = false): Promise<boolean> {
    const [parameters, state] = this.#live;
    let finite = !always;
    await new Slices().each(parameters.length, (begin, end) => {
      finite &&= allFinite(parameters.subarray(begin, end));
    });
    if (finite) {
      // A batch with a NaN changed them before its loss could stop the step.
      if (!allFinite(state)) state.set(this.#saved[1]);
      return false;
    }
    await this.#copy(this.#live, this.#saved);
    this.#optimizer.steps = this.#steps;
    return true;
  }

  async #copy(to: readonly Float32Array[], from: readonly Float32Array[]): Promise<void> {
    const slices = new Slices();
    for (const [i, block] of to.entries()) await slices.copy('snapshot', block, from[i]);
  }
}
