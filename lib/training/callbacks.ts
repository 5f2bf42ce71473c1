import { checkNumber, checkOptions, checkPath, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { encodeNetwork } from '../formats/network-file.js';
import { replaceFile } from '../formats/replace-file.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { Engine } from './engine.js';
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
  /**
   * Saves the network with its optimizer, as `network.save` does; rejects as that, and with `NETWORK_BUSY` while an epoch runs.
   * `Network.loadCheckpoint` reads the file.
   */
  save(path: string): Promise<void>;
  /**
   * Copies parameters and state; the function that is returned puts the copy back, now or in `onTrainEnd`. Moments and step count of the
   * optimizer stay as they are. Both throw `NETWORK_BUSY` while an epoch runs.
   */
  copyWeights(): () => void;
}

/** State of the shuffle that outlives a `fit`. */
export interface EpochCounter {
  next: number;
}

/** A training that is on, as `fit` and the callbacks see it. */
export class Training {
  stopped = false;
  /** Whether training waits for callbacks, so that parameters and optimizer agree with each other. */
  waiting = false;
  readonly handle: TrainingHandle;

  constructor(engine: Engine, counter: EpochCounter, optimizer: Optimizer) {
    const checkWaiting = (name: string) => {
      engine.checkUsable();
      if (!this.waiting) throw new BlasnetError('NETWORK_BUSY', `${name}: possible only in onEpochEnd and onTrainEnd`);
    };
    this.handle = Object.freeze({
      stop: () => {
        this.stopped = true;
      },
      scaleLearningRate: (factor: number) => {
        optimizer.rateFactor *= checkNumber('scaleLearningRate: factor', factor, { min: 0 });
      },
      save: async (path: string) => {
        checkPath('save: path', path);
        checkWaiting('save');
        await replaceFile(path, encodeNetwork(engine, counter.next, optimizer));
      },
      copyWeights: () => {
        checkWaiting('copyWeights');
        const live = [engine.parameters, engine.state];
        const copies = live.map((block) => new Float32Array(block));
        return () => {
          checkWaiting('copyWeights');
          live.forEach((block, i) => block.set(copies[i]));
        };
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
