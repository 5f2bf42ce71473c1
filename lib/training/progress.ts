import { type Control, control as words } from '../backend/backend.js';
import type { Goal } from '../program/losses.js';
import type { Model } from '../program/model.js';
import type { Batches } from '../runtime/batches.js';
import { Tally } from '../runtime/tally.js';
import { clearInterval, setInterval } from '../timers.js';
import type { Callbacks, Progress } from './callbacks.js';

const INTERVAL = 100;

/** A training run in progress: steps of one or more epochs. */
interface Following {
  readonly control: Control;
  readonly report: Float64Array;
  readonly goals: readonly Goal[];
  readonly batches: Batches;
  /** Steps whose results have been read. */
  taken: number;
}

/**
 * Reports progress to `onProgress` from a timer that keeps running across epochs. If it fires between runs, the next
 * run reports when it ends. Nobody waits for the listeners, but an error in one ends training: {@link check} throws it.
 */
export class ProgressReporter {
  readonly #listeners: readonly Callbacks[];
  readonly #model: Model;
  readonly #firstEpoch: number;
  readonly #epochs: number;
  readonly #begin = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #failure: { error: unknown } | undefined;
  #due = false;
  #following: Following | undefined;
  /** The current epoch: number, steps if known, totals so far, and start times of this epoch and of its group. */
  #epoch = 0;
  #steps: number | undefined;
  #tally: Tally;
  #stretch = { begin: 0, rows: 0 };
  /** Steps of the last complete epoch, for streams. */
  #lastSteps: number | undefined;

  /** `epochs`: how many will be trained, starting at number `firstEpoch`. */
  constructor(callbacks: readonly Callbacks[], model: Model, firstEpoch: number, epochs: number) {
    this.#listeners = callbacks.filter((callback) => callback.onProgress !== undefined);
    this.#model = model;
    this.#firstEpoch = firstEpoch;
    this.#epochs = epochs;
    this.#tally = new Tally(model);
    if (this.#listeners.length > 0) this.#timer = setInterval(() => this.#tick(), INTERVAL);
  }

  /** Begins an epoch, or several that run together. `steps`: per epoch; undefined if known only at its end. */
  beginEpoch(epoch: number, steps: number | undefined): void {
    this.#epoch = epoch;
    this.#steps = steps;
    this.#tally = new Tally(this.#model);
    this.#stretch = { begin: performance.now(), rows: 0 };
  }

  /** Follows a run from its start. */
  follow(control: Control, report: Float64Array, goals: readonly Goal[], batches: Batches): void {
    if (this.#timer !== undefined) this.#following = { control, report, goals, batches, taken: 0 };
  }

  /** Call when the followed run has ended. Throws a listener's error. */
  ended(): void {
    if (this.#following === undefined) return;
    this.#take(this.#following);
    if (this.#due) this.#report();
    this.#following = undefined;
    this.check();
  }

  /** Call when the current epochs have ended. Throws a listener's error. */
  endEpoch(): void {
    this.#lastSteps = this.#tally.losses.length;
    this.check();
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#following = undefined;
  }

  #tick(): void {
    if (this.#following === undefined) this.#due = true;
    else {
      this.#take(this.#following);
      this.#report();
    }
  }

  /** Reads the finished steps; those of earlier epochs in the run count for speed only. */
  #take(following: Following): void {
    const { control, report, goals, batches } = following;
    const done = Atomics.load(control, words.steps);
    const several = this.#steps === batches.count;
    while (following.taken < done) {
      const index = several ? following.taken % batches.count : 0;
      if (several && following.taken > 0 && index === 0) {
        this.#epoch++;
        this.#tally = new Tally(this.#model);
      }
      const end = several ? Math.min(done, following.taken + batches.count - index) : done;
      const before = this.#tally.rows;
      this.#tally.add(report, goals, batches, following.taken, end, index);
      this.#stretch.rows += this.#tally.rows - before;
      following.taken = end;
    }
  }

  #report(): void {
    this.#due = false;
    const now = performance.now();
    const step = this.#tally.losses.length;
    const means = step > 0 ? this.#tally.means : undefined;
    const progress: Progress = {
      epoch: this.#epoch,
      epochs: this.#firstEpoch + this.#epochs,
      step,
      steps: this.#steps,
      samplesPerSecond: (this.#stretch.rows * 1000) / (now - this.#stretch.begin),
      loss: means?.loss,
      accuracy: means?.accuracy,
      secondsLeft: this.#secondsLeft(now, step),
    };
    const telling = this.#listeners.map(async (listener) => listener.onProgress?.(progress));
    const following = this.#following;
    Promise.all(telling).catch((error: unknown) => {
      this.#failure ??= { error };
      clearInterval(this.#timer);
      if (following !== undefined) Atomics.store(following.control, words.cancel, 1);
    });
  }

  /** At the average speed so far, evaluation and callbacks included. */
  #secondsLeft(now: number, step: number): number | undefined {
    const steps = this.#steps ?? this.#lastSteps;
    const done = this.#epoch - this.#firstEpoch + (steps === undefined ? 0 : Math.min(1, step / steps));
    if (steps === undefined || done === 0) return undefined;
    return ((now - this.#begin) / 1000 / done) * (this.#epochs - done);
  }
}
