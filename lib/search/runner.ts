import { bounded } from '../runtime/waiting.js';
import { cut, errorText } from '../text.js';
import { average } from './cross-validate.js';
import type { Outcome, SearchLog } from './log.js';
import type { Params, Space } from './space.js';
import { type AnyTask, type Division, inParallel, type Metric, trainAndMeasure } from './training.js';

/** A training of a trial; frozen. */
export interface Trial<P = Params<Space>> {
  /** Number of the trial, from 0. */
  readonly trial: number;
  readonly params: P;
  /** The task's `seed`. */
  readonly seed: number;
  /** The task's `epochs`. */
  readonly epochs: number;
  /** The metric; undefined if the trial failed. */
  readonly value: number | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
  /** Epochs that `fit` took (with folds: the mean, rounded); fewer than `epochs` if a callback stopped it. */
  readonly trained: number;
  /** Of all its folds, with building and measuring. */
  readonly seconds: number;
}

/** How far a search has come. */
export interface SearchProgress<P = Params<Space>> {
  /** Trainings that are done, those from the log included. */
  readonly done: number;
  /** Trainings of the whole search. Less than that where trials fail before the last rung. */
  readonly total: number;
  /** The best so far of those with the most epochs. */
  readonly best: Trial<P> | undefined;
}

/** The parameters of a trial. */
export interface Draw {
  readonly trial: number;
  readonly seed: number;
  readonly params: Params<Space>;
}

/** What all trainings of a search share. */
export interface Setup {
  readonly build: (params: Params<Space>, task: AnyTask) => unknown;
  readonly divisions: readonly Division[];
  readonly metric: Metric;
  readonly controller: AbortController;
  readonly log: SearchLog | undefined;
  readonly onTrial: ((trial: Trial, progress: SearchProgress) => void | Promise<void>) | undefined;
  /** Trainings of the whole search. */
  readonly total: number;
}

/** Runs trainings, or takes them from the log, and keeps the results. */
export class Runner {
  readonly trials: Trial[] = [];
  /** The first error of a trial in this process. */
  cause: unknown;
  #done = 0;
  readonly #setup: Setup;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  /** Negative if `a` is better than `b`. */
  compare(a: Trial, b: Trial): number {
    const difference = (a.value as number) - (b.value as number);
    return this.#setup.metric.mode === 'min' ? difference : -difference;
  }

  /** The best of those that succeeded with the most epochs. */
  get best(): Trial | undefined {
    return this.trials.reduce<Trial | undefined>((best, trial) => {
      if (trial.value === undefined || best === undefined) return trial.value === undefined ? best : trial;
      if (trial.epochs !== best.epochs) return trial.epochs > best.epochs ? trial : best;
      const order = this.compare(trial, best);
      return order < 0 || (order === 0 && trial.trial < best.trial) ? trial : best;
    }, undefined);
  }

  /** Trains all, each for `epochs`; returns the results in the order of the trials' numbers. */
  async runAll(draws: readonly Draw[], epochs: number, concurrency: number): Promise<Trial[]> {
    const begin = this.trials.length;
    await inParallel(draws, concurrency, this.#setup.controller, (draw) => this.#run(draw, epochs));
    const results = this.trials.splice(begin).sort((a, b) => a.trial - b.trial);
    // Not as arguments, of which a call can have some 100,000.
    for (const trial of results) this.trials.push(trial);
    return results;
  }

  async #run(draw: Draw, epochs: number): Promise<void> {
    const { signal } = this.#setup.controller;
    const { trial, seed, params } = draw;
    const logged = this.#setup.log?.outcome(trial, epochs);
    const outcome = logged ?? (await this.#train(draw, epochs));
    if (logged === undefined) {
      // What was stopped has no outcome.
      signal.throwIfAborted();
      await this.#setup.log?.add(trial, epochs, params, outcome);
    }
    const result: Trial = Object.freeze({
      ...{ trial, params, seed, epochs },
      ...('error' in outcome
        ? { value: undefined, error: outcome.error, trained: 0 }
        : { value: outcome.value, error: undefined, trained: outcome.trained }),
      seconds: outcome.seconds,
    });
    this.trials.push(result);
    this.#done++;
    if (logged !== undefined) return;
    const progress = Object.freeze({ done: this.#done, total: this.#setup.total, best: this.best });
    await bounded(this.#setup.onTrial?.(result, progress), [signal]);
  }

  async #train({ trial, seed, params }: Draw, epochs: number): Promise<Outcome> {
    const begin = performance.now();
    const seconds = () => (performance.now() - begin) / 1000;
    const { signal } = this.#setup.controller;
    const build = (task: AnyTask) => this.#setup.build(params, task);
    try {
      const folds = [];
      for (const division of this.#setup.divisions)
        folds.push(await trainAndMeasure(build, division, { trial, seed, epochs }, this.#setup.metric, signal));
      const trained = Math.round(average(folds.map((fold) => fold.epochs)));
      return { value: average(folds.map((fold) => fold.value)), trained, seconds: seconds() };
    } catch (error) {
      this.cause ??= error;
      return { error: cut(errorText(error), 500), seconds: seconds() };
    }
  }
}
