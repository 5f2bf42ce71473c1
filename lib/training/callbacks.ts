import { checkNumber, checkOptions, invalid } from '../checks.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { EpochLog, History } from './history.js';

/** Where training stands within an epoch. */
export interface Progress {
  readonly epoch: number;
  /** The number after the last epoch of this `fit`. */
  readonly epochs: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps of an epoch; undefined for a stream, whose end is not known. */
  readonly steps: number | undefined;
  readonly samplesPerSecond: number;
}

/** What a callback can do to training. */
export interface TrainingHandle {
  /** Ends training after this epoch; `fit` then resolves as usual. */
  stop(): void;
  /**
   * Multiplies all learning rates of the optimizer by `factor`, from the next epoch on and for good: its `rateFactor` holds the product,
   * on top of its schedules. Throws `INVALID_ARGUMENT` for a factor that is not a finite number ≥ 0.
   */
  scaleLearningRate(factor: number): void;
}

/** A training that is on, as `fit` and the callbacks see it. */
export class Training {
  stopped = false;
  readonly handle: TrainingHandle;

  constructor(optimizer: Optimizer) {
    this.handle = Object.freeze({
      stop: () => {
        this.stopped = true;
      },
      scaleLearningRate: (factor: number) => {
        optimizer.rateFactor *= checkNumber('scaleLearningRate: factor', factor, { min: 0 });
      },
    });
  }
}

/** Hooks of `fit`; each may be asynchronous, and training waits for it. */
export interface Callbacks {
  onTrainBegin?(start: { epochs: number; initialEpoch: number; samples: number | undefined }): void | Promise<void>;
  onEpochBegin?(epoch: number): void | Promise<void>;
  /** About ten times a second while an epoch runs, on the event loop; the one hook that training does not wait for. */
  onProgress?(progress: Progress): void | Promise<void>;
  onEpochEnd?(log: EpochLog, training: TrainingHandle): void | Promise<void>;
  onTrainEnd?(history: History): void | Promise<void>;
}

const hooks = ['onTrainBegin', 'onEpochBegin', 'onProgress', 'onEpochEnd', 'onTrainEnd'] as const;

/** Checks and lists the callbacks of a `fit`. */
export function callbackList(value: Callbacks | readonly Callbacks[] | undefined): Callbacks[] {
  if (value === undefined) return [];
  const list = Array.isArray(value) ? (value as Callbacks[]) : [value as Callbacks];
  for (const callbacks of list) {
    if (typeof callbacks !== 'object' || callbacks === null)
      throw invalid('callbacks', 'an object of hooks or a list of them', callbacks);
    const keys = Object.keys(callbacks).filter((key) => key.startsWith('on'));
    checkOptions('callbacks', Object.fromEntries(keys.map((key) => [key, true])), hooks);
    for (const key of keys as (typeof hooks)[number][]) {
      if (typeof callbacks[key] !== 'function') throw invalid(`callbacks: ${key}`, 'a function', callbacks[key]);
    }
  }
  return list;
}
