import { type Sampling, samplings } from '../backend/backend.js';
import { checkBoolean, checkChoice, checkInteger } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { Stream } from '../random.js';
import type { Engine, Source } from './engine.js';

/** How `fit` takes the rows of an epoch. */
export interface SamplingOptions {
  /**
   * 'shuffle' (default): all rows in a new order each epoch. 'inOrder': all rows as they lie. 'withReplacement': each row of a batch
   * is drawn from all rows; batches are whole and may be larger than the data. Draws follow from the network's seed and the epoch.
   */
  sampling?: Sampling;
  /** The short form: true for sampling 'shuffle', false for 'inOrder'. */
  shuffle?: boolean;
  /** Batches of an epoch when rows are drawn with replacement; default: as many as the rows fill. */
  stepsPerEpoch?: number;
}

/** The resolved options. */
export interface RowChoice {
  readonly sampling: Sampling;
  readonly stepsPerEpoch: number | undefined;
}

/** Checks the sampling options of a `fit`; a stream has an order of its own and takes neither `sampling` nor `stepsPerEpoch`. */
export function resolveSampling({ sampling, shuffle, stepsPerEpoch }: SamplingOptions, stream: boolean): RowChoice {
  const refuse = (option: string, why: string) => new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: ${why}`);
  if (shuffle !== undefined) checkBoolean('fit: shuffle', shuffle);
  if (sampling !== undefined) checkChoice('fit: sampling', sampling, samplings);
  if (stepsPerEpoch !== undefined) checkInteger('fit: stepsPerEpoch', stepsPerEpoch, { min: 1, below: 2 ** 31 });
  if (sampling !== undefined && shuffle !== undefined)
    throw refuse('shuffle', 'it is the short form of sampling; give one of them');
  if (stream && sampling !== undefined) throw refuse('sampling', 'the batches of a stream come in its own order');
  if (stream && shuffle === true) throw refuse('shuffle', 'the batches of a stream come in its own order');
  if (stepsPerEpoch !== undefined && sampling !== 'withReplacement') {
    throw refuse('stepsPerEpoch', "it needs sampling 'withReplacement'; otherwise an epoch takes every row once");
  }
  return { sampling: sampling ?? (shuffle === false ? 'inOrder' : 'shuffle'), stepsPerEpoch };
}

/** Rows that an epoch takes. */
export function drawnRows({ sampling, stepsPerEpoch }: RowChoice, rows: number, batchSize: number): number {
  if (sampling !== 'withReplacement') return rows;
  const drawn = (stepsPerEpoch ?? Math.ceil(rows / batchSize)) * batchSize;
  if (drawn >= 2 ** 31)
    throw new BlasnetError('INVALID_ARGUMENT', `fit: an epoch draws ${drawn} rows; it can be at most ${2 ** 31 - 1}`);
  return drawn;
}

/** Rows of the batch of step `step` of a training job, in their order. */
export function batchRows(
  engine: Engine,
  source: Source,
  job: { readonly batchSize: number; readonly sampling: Sampling; readonly drawn: number; readonly epoch: number },
  step: number,
): Int32Array {
  const { batchSize, sampling, drawn } = job;
  const steps = Math.ceil(drawn / batchSize);
  const epoch = job.epoch + Math.floor(step / steps);
  const order = Int32Array.from({ length: drawn }, (_, i) => i);
  const { seed } = engine.model;
  if (sampling === 'shuffle') engine.backend.callKernel('permutation', [order, drawn, seed, Stream.shuffle, epoch]);
  else if (sampling === 'withReplacement') {
    engine.backend.callKernel('drawWithReplacement', [order, drawn, source.rows, seed, Stream.shuffle, epoch]);
  }
  const begin = (step % steps) * batchSize;
  return order.subarray(begin, begin + batchSize);
}
