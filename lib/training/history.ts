import type { Profile } from '../runtime/profile.js';
import type { Evaluation } from '../runtime/tally.js';

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
  /** Result on the validation data, if given. */
  readonly validation?: Evaluation;
  /** User-defined metrics by name, with `fit`'s option `metrics`. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** What `fit` returns: a log per epoch (the last ones, with `fit`'s option `history`), also available as columns. */
export class History {
  /** One entry per epoch, in order; with `fit`'s option `history` only the last ones. */
  readonly epochs: EpochLog[] = [];
  /** Time per kernel, with `fit`'s option `profile`; `String()` prints it. */
  readonly profile: Profile | undefined;

  constructor(profile?: Profile) {
    this.profile = profile;
  }

  /** Training loss of each epoch. */
  get loss(): number[] {
    return this.epochs.map((log) => log.loss);
  }

  /** NaN if the loss has no accuracy. */
  get accuracy(): number[] {
    return this.epochs.map((log) => log.accuracy ?? Number.NaN);
  }

  /** NaN in epochs without validation. */
  get validationLoss(): number[] {
    return this.epochs.map((log) => log.validation?.loss ?? Number.NaN);
  }

  /** Fraction in [0, 1]; NaN in epochs without validation, and if the loss has no accuracy. */
  get validationAccuracy(): number[] {
    return this.epochs.map((log) => log.validation?.accuracy ?? Number.NaN);
  }

  /** The columns of an output, by its name; NaN where a figure does not exist. */
  output(name: string): { loss: number[]; accuracy: number[]; validationLoss: number[]; validationAccuracy: number[] } {
    const column = (log: (epoch: EpochLog) => Evaluation | undefined, figure: 'loss' | 'accuracy') =>
      this.epochs.map((epoch) => {
        const outputs = log(epoch)?.outputs ?? {};
        return (Object.hasOwn(outputs, name) ? outputs[name][figure] : undefined) ?? Number.NaN;
      });
    const validation = ({ validation }: EpochLog) => validation;
    return {
      loss: column((epoch) => epoch, 'loss'),
      accuracy: column((epoch) => epoch, 'accuracy'),
      validationLoss: column(validation, 'loss'),
      validationAccuracy: column(validation, 'accuracy'),
    };
  }

  /** A user-defined metric per epoch; NaN where it does not exist. */
  metric(name: string): number[] {
    return this.epochs.map(({ metrics }) =>
      metrics !== undefined && Object.hasOwn(metrics, name) ? metrics[name] : Number.NaN,
    );
  }

  /** Seconds of training over these epochs, evaluation excluded. */
  get seconds(): number {
    return this.epochs.reduce((sum, log) => sum + log.seconds, 0);
  }
}
