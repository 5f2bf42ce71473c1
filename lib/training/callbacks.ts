import { checkNumber, checkOptions, checkPath, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { encodeNetwork, type Kept } from '../formats/network-file.js';
import { replaceFile } from '../formats/replace-file.js';
import { type Optimizer, WEIGHT_AVERAGE } from '../optimizers/optimizer.js';
import type { Engine } from '../runtime/engine.js';
import type { EpochLog, History } from './history.js';

/** Progress of training within an epoch. */
export interface Progress {
  readonly epoch: number;
  /** The number after the last epoch of this `fit`; Infinity if training is unlimited. */
  readonly epochs: number;
  /** Steps done in this epoch. */
  readonly step: number;
  /** Steps per epoch; undefined for a stream, whose length is unknown. */
  readonly steps: number | undefined;
  readonly samplesPerSecond: number;
  /** Mean loss over this epoch's rows so far, each batch before its update; undefined before the first step. */
  readonly loss: number | undefined;
  /** Fraction of correct predictions so far; undefined also if the loss has no accuracy. */
  readonly accuracy: number | undefined;
  /**
   * Estimated time left in this `fit`, in seconds. Infinity if training is unlimited; undefined before the first step
   * and in the first epoch of a stream.
   */
  readonly secondsLeft: number | undefined;
}

/** What `onTrainBegin` receives. */
export interface TrainingStart {
  /** Epochs to train; Infinity if training is unlimited. */
  readonly epochs: number;
  readonly initialEpoch: number;
  /** Rows of the training data; undefined for a stream. */
  readonly samples: number | undefined;
  /** What is trained and how, as plain data for logs: network, optimizer, batch size and the other options of `fit`. */
  readonly settings: TrainingSettings;
}

/** The settings of a training, as JSON can hold them; functions are `{ function: true }`. */
export interface TrainingSettings {
  /** Layers or graph, losses and seed, as in a network's file. */
  readonly network: unknown;
  /** Number of trainable parameters. */
  readonly parameters: number;
  readonly backend: string;
  readonly optimizer: { readonly kind: string; readonly options: unknown };
  /** Undefined for a stream. */
  readonly batchSize: number | undefined;
  readonly sampling: string;
  readonly accumulate: number;
  /** Augmentations of each input; undefined without. */
  readonly augment: unknown;
}

/** Controls for callbacks. */
export interface TrainingHandle {
  /** Ends training after this epoch; `fit` then resolves as usual. */
  stop(): void;
  /**
   * Multiplies all learning rates of the optimizer by `factor`, permanently, from the next epoch on. The product is
   * kept in its `rateFactor` and applies in addition to its schedules. Throws `INVALID_ARGUMENT` unless `factor` is a
   * finite number ≥ 0.
   */
  scaleLearningRate(factor: number): void;
  /**
   * Saves the network with its optimizer, as `network.save` does, for `Network.loadCheckpoint`. Rejects like it, and
   * with `NETWORK_BUSY` while an epoch runs.
   */
  save(path: string | URL): Promise<void>;
  /**
   * Copies parameters, state, and the average of weights if the optimizer keeps one. The returned function restores the
   * copy, now or in `onTrainEnd`. The optimizer's moments and step count are not affected. Both throw `NETWORK_BUSY`
   * while an epoch runs.
   */
  copyWeights(): () => void;
}

/** A running training, shared by `fit` and the callbacks. */
export class Training {
  stopped = false;
  /** Whether training is waiting for callbacks, so that parameters and optimizer are consistent. */
  waiting = false;
  readonly handle: TrainingHandle;

  constructor(engine: Engine, kept: Kept, optimizer: Optimizer) {
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
      save: async (path: string | URL) => {
        const file = checkPath('save: path', path);
        checkWaiting('save');
        await replaceFile(file, encodeNetwork(engine, kept, optimizer));
      },
      copyWeights: () => {
        checkWaiting('copyWeights');
        const average = optimizer.averageWeights && optimizer.moments.get(WEIGHT_AVERAGE);
        const live = [engine.parameters, engine.state, ...(average ? [average] : [])];
        const copies = live.map((block) => new Float32Array(block));
        return () => {
          checkWaiting('copyWeights');
          engine.checkIdle();
          live.forEach((block, i) => block.set(copies[i]));
        };
      },
    });
  }
}

/**
 * Hooks of `fit`. Each may be asynchronous; training waits for it, but at most half a second after the signal is
 * aborted or the network disposed. While it waits, the network can be used (`predict`, `forward`, `evaluate`, `save`,
 * `toBytes`) but not changed.
 */
export interface Callbacks {
  onTrainBegin?(start: TrainingStart): void | Promise<void>;
  onEpochBegin?(epoch: number): void | Promise<void>;
  /**
   * Called about ten times per second during training, on the event loop. The only hook training does not wait for. An
   * error in it ends training. The network is busy: calling it throws `NETWORK_BUSY`.
   */
  onProgress?(progress: Progress): void | Promise<void>;
  onEpochEnd?(log: EpochLog, training: TrainingHandle): void | Promise<void>;
  onTrainEnd?(history: History): void | Promise<void>;
  /**
   * Called once when `fit` rejects after `onTrainBegin`, instead of `onTrainEnd` or after it, with what it rejects
   * with: an error of training or of a callback, or the signal's reason. Nothing waits for it, errors in it are
   * ignored, and the network is busy: calling it throws `NETWORK_BUSY`.
   */
  onTrainFail?(error: unknown): void | Promise<void>;
}

const hooks = ['onTrainBegin', 'onEpochBegin', 'onProgress', 'onEpochEnd', 'onTrainEnd', 'onTrainFail'] as const;

/** Calls `onTrainFail` of all callbacks; nothing that they do can hide the error. */
export function tellFailure(callbacks: readonly Callbacks[], error: unknown): void {
  for (const listener of callbacks) {
    // An async function also throws by its promise.
    (async () => listener.onTrainFail?.(error))().catch(() => {});
  }
}

const ofFirstRank = new WeakSet<object>();

/**
 * Marks callbacks that write files or show progress: of several ranks that train together, only the first calls them.
 */
export function onFirstRank<C extends Callbacks>(callbacks: C): C {
  ofFirstRank.add(callbacks);
  return callbacks;
}

/** The callbacks that a rank calls. */
export function callbacksOfRank(callbacks: readonly Callbacks[], rank: number): readonly Callbacks[] {
  return rank === 0 ? callbacks : callbacks.filter((each) => !ofFirstRank.has(each));
}

/** Checks the callbacks of a `fit` and returns them as a list. */
export function callbackList(value: Callbacks | readonly Callbacks[] | undefined): Callbacks[] {
  if (value === undefined) return [];
  const list = Array.isArray(value) ? [...(value as Callbacks[])] : [value as Callbacks];
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
