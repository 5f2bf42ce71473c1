import { type Sampling, samplings } from '../backend/backend.js';
import { checkBoolean, checkChoice, checkInteger, MAX_SIZE, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { Stream } from '../random.js';
import { type Batches, rowsOf } from '../runtime/batches.js';
import type { Engine, Source } from '../runtime/engine.js';

/** How `fit` selects the rows of an epoch. */
export interface SamplingOptions {
  /**
   * 'shuffle' (default): all rows, in a new order each epoch. 'inOrder': all rows in dataset order. 'withReplacement':
   * each row of a batch is drawn from all rows; all batches are full and may be larger than the dataset. Draws depend
   * on the network's seed and the epoch.
   */
  sampling?: Sampling;
  /** Short form: true for sampling 'shuffle', false for 'inOrder'. */
  shuffle?: boolean;
  /** Batches per epoch with sampling 'withReplacement'; default: as many as the rows fill. */
  stepsPerEpoch?: number;
}

/** The resolved options. */
export interface RowChoice {
  readonly sampling: Sampling;
  readonly stepsPerEpoch: number | undefined;
}

/**
 * Checks the sampling options of a `fit`. A stream has its own order and allows neither `sampling` nor `stepsPerEpoch`.
 */
export function resolveSampling({ sampling, shuffle, stepsPerEpoch }: SamplingOptions, stream: boolean): RowChoice {
  const refuse = (option: string, why: string) => new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: ${why}`);
  if (shuffle !== undefined) checkBoolean('fit: shuffle', shuffle);
  if (sampling !== undefined) checkChoice('fit: sampling', sampling, samplings);
  if (stepsPerEpoch !== undefined) checkInteger('fit: stepsPerEpoch', stepsPerEpoch, SIZES);
  if (sampling !== undefined && shuffle !== undefined)
    throw refuse('shuffle', 'it is the short form of sampling; give one of them');
  if (stream && sampling !== undefined) throw refuse('sampling', 'the batches of a stream come in its own order');
  if (stream && shuffle === true) throw refuse('shuffle', 'the batches of a stream come in its own order');
  if (stepsPerEpoch !== undefined && sampling !== 'withReplacement') {
    throw refuse('stepsPerEpoch', "it needs sampling 'withReplacement'; otherwise an epoch takes every row once");
  }
  return { sampling: sampling ?? (shuffle === false ? 'inOrder' : 'shuffle'), stepsPerEpoch };
}

/** Number of rows in an epoch. */
export function drawnRows({ sampling, stepsPerEpoch }: RowChoice, rows: number, batchSize: number): number {
  if (sampling !== 'withReplacement') return rows;
  const drawn = (stepsPerEpoch ?? Math.ceil(rows / batchSize)) * batchSize;
  if (drawn > MAX_SIZE)
    throw new BlasnetError('INVALID_ARGUMENT', `fit: an epoch draws ${drawn} rows; it can be at most ${MAX_SIZE}`);
  return drawn;
}

/**
 * The rows of the batch of step `step`, in order, for a training run whose first epoch has the number `firstEpoch`;
 * with `sharded` those of this rank's part, as the others are not here.
 */
export function batchRows(
  engine: Engine,
  source: Source,
  sampling: Sampling,
  batches: Batches,
  firstEpoch: number,
  step: number,
  sharded: boolean,
): Int32Array {
  const epoch = (firstEpoch + Math.floor(step / batches.count)) % 2 ** 32;
  const { seed } = engine.model;
  const { parts } = batches;
  const length = sampling === 'shuffle' ? source.rows : (parts?.drawn ?? batches.rows);
  const order = Int32Array.from({ length }, (_, i) => i);
  if (sampling === 'shuffle') engine.backend.callKernel('permutation', [order, length, seed, Stream.shuffle, epoch]);
  else if (sampling === 'withReplacement') {
    engine.backend.callKernel('drawWithReplacement', [order, length, source.rows, seed, Stream.shuffle, epoch]);
  }
  const index = step % batches.count;
  const whole = [index * batches.size, rowsOf(batches, index)];
  const [begin, rows] = (sharded && parts?.table.subarray(4 * index)) || whole;
  return order.subarray(begin, begin + rows);
}
