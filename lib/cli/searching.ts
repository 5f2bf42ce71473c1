import { choice, logUniform, search } from 'blasnet/search';
import type { Encoder, SplitTables } from 'blasnet/tables';
import { UsageError } from './command.js';
import { trainingProgress } from './progress.js';
import { figure } from './scores.js';
import { fitOptions, makeNetwork } from './training.js';

/** What the options of the command line say; undefined for what the search is to find. */
export interface Fixed {
  readonly layers: readonly number[] | undefined;
  readonly dropout: number | undefined;
  readonly learningRate: number | undefined;
  readonly batchSize: number | undefined;
}

export interface Searching {
  readonly trials: number;
  readonly epochs: number;
  /** Of the search: it decides what is tried. */
  readonly seed: number;
  /** A file of JSON lines, from which an interrupted search goes on. */
  readonly log: string | undefined;
}

/** Settings of a training. */
export interface Settings {
  readonly layers: readonly number[];
  readonly dropout: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

/** The best of a search. */
export interface Found {
  readonly settings: Settings;
  /** Of its network: the same seed trains the same network again. */
  readonly seed: number;
  /**
   * `best`: number of the best trial, from 0; `networkSeed`: `seed`; `seconds`: of all trials, also those in the log.
   */
  readonly figures: Readonly<
    Record<'trials' | 'failed' | 'best' | 'networkSeed' | 'validationLoss' | 'seconds', number>
  >;
  /** All that in a line. */
  readonly line: string;
}

const LAYERS = [[32], [100], [256], [64, 32], [128, 64], [256, 128]];
const DROPOUT = [0, 0.1, 0.2, 0.4];

/** What the command line says of a search; undefined for none. Throws `UsageError` for what can't be searched. */
export function readSearching(
  { trials, ...rest }: Omit<Searching, 'trials'> & { readonly trials: number | undefined },
  fixed: Fixed,
  validation: number,
): Searching | undefined {
  if (trials === undefined) {
    if (rest.log !== undefined) throw new UsageError('--search-log: it is for --search');
    return undefined;
  }
  if (validation === 0)
    throw new UsageError('--search: it compares networks by the validation part, which --validation 0 leaves out');
  if (Object.values(fixed).every((value) => value !== undefined))
    throw new UsageError('--search: --layers, --dropout, --learning-rate and --batch-size leave nothing to search');
  return { trials, ...rest };
}

/**
 * Tries settings drawn at random, each with early stopping, and reports which has the least validation loss. What the
 * command line fixes is a choice of one, so that a log with other fixed settings is one of another search.
 */
export async function searchSettings(
  encoder: Encoder,
  { train, validation }: SplitTables,
  { layers, dropout, learningRate, batchSize }: Fixed,
  usualBatch: number,
  { trials, epochs, seed, log }: Searching,
): Promise<Found> {
  const space = {
    layers: choice(layers === undefined ? LAYERS : [[...layers]]),
    dropout: choice(dropout === undefined ? DROPOUT : [dropout]),
    learningRate: learningRate === undefined ? logUniform(3e-4, 2e-2) : choice([learningRate]),
    batchSize: choice(batchSize === undefined ? [usualBatch / 2, usualBatch, usualBatch * 2] : [batchSize]),
  };
  const terminal = process.stderr.isTTY ? process.stderr : undefined;
  let progress: ReturnType<typeof trainingProgress> | undefined;
  const interrupt = () => {
    progress?.clear();
    // Now without a listener: it ends the process.
    process.kill(process.pid, 'SIGINT');
  };
  process.once('SIGINT', interrupt);
  try {
    const { best, trials: all } = await search({
      space,
      trials,
      epochs,
      seed,
      data: encoder.dataset(train),
      validation: encoder.dataset(validation),
      metric: 'loss',
      refit: false,
      ...(log !== undefined && { log }),
      build: (params, task) => {
        progress?.clear();
        // One after the other: those before it are done.
        progress = terminal && trainingProgress(terminal, `search: ${task.trial} of ${trials}`);
        return {
          network: makeNetwork(encoder, { ...params, seed: task.seed }),
          ...fitOptions({ ...params, epochs }, task.validation, progress?.callbacks),
        };
      },
    });
    const settings = best.params;
    const failed = all.filter(({ error }) => error !== undefined).length;
    const seconds = all.reduce((sum, trial) => sum + trial.seconds, 0);
    const validationLoss = best.value as number;
    const chosen = [
      `layers ${settings.layers.join(',') || 'none'}`,
      `dropout ${settings.dropout}`,
      `learning rate ${figure(settings.learningRate)}`,
      `batches of ${settings.batchSize}`,
    ].join(', ');
    const count = `${trials} trials${failed > 0 ? `, ${failed} of them failed,` : ''} in ${seconds.toFixed(1)} s`;
    return {
      settings,
      seed: best.seed,
      figures: { trials, failed, best: best.trial, networkSeed: best.seed, validationLoss, seconds },
      line: `search: ${count}; best: ${chosen} (validation loss ${figure(validationLoss)})`,
    };
  } finally {
    process.removeListener('SIGINT', interrupt);
    progress?.clear();
  }
}
