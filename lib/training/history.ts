import type { Profile } from '../program/profile.js';

/** What evaluation gives: the mean loss with penalties, and the share of right predictions where the loss has one. */
export interface Evaluation {
  readonly loss: number;
  readonly accuracy?: number;
}

/** One epoch of training. */
export interface EpochLog extends Evaluation {
  /** Number of the epoch, from 0. */
  readonly epoch: number;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  /** Seconds of training, evaluation excluded. */
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /** Mean loss of each batch, before its update. */
  readonly batchLosses: Float64Array;
  /** On the validation data, when there is any. */
  readonly validation?: Evaluation;
}

/** What `fit` returns: a log for each epoch, and the same as columns. */
export class History {
  readonly epochs: EpochLog[] = [];
  /** Where the time went, with `fit`'s option `profile`; `String()` prints it. */
  readonly profile: Profile | undefined;

  constructor(profile?: Profile) {
    this.profile = profile;
  }

  get loss(): number[] {
    return this.epochs.map((log) => log.loss);
  }

  /** NaN where the loss has no accuracy. */
  get accuracy(): number[] {
    return this.epochs.map((log) => log.accuracy ?? Number.NaN);
  }

  /** NaN in epochs without validation. */
  get validationLoss(): number[] {
    return this.epochs.map((log) => log.validation?.loss ?? Number.NaN);
  }

  get validationAccuracy(): number[] {
    return this.epochs.map((log) => log.validation?.accuracy ?? Number.NaN);
  }

  /** Seconds of training over all epochs. */
  get seconds(): number {
    return this.epochs.reduce((sum, log) => sum + log.seconds, 0);
  }
}
