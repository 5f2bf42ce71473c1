import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { checkArity, checkOptions, checkPath, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { appendFile } from '../formats/append-file.js';
import { type SummaryValues, startEvent, summaryEvent, versionEvent } from '../formats/event-file.js';
import { systemReason } from '../system.js';
import { pathText } from '../text.js';
import { type Callbacks, onFirstRank } from './callbacks.js';
import { figuresOf } from './figures.js';
import { countNumbers } from './histogram.js';

/** A network whose parameters are counted; satisfied by `Network`. */
export interface WithParameters {
  readonly parameters: readonly { readonly name: string; readonly value: Float32Array }[];
}

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions {
  /** Folder of the run, a path or file: URL; made if it is missing. TensorBoard shows each folder as one run. */
  directory: string | URL;
  /** Write histograms of the parameters of this network, after each epoch. Default: none. */
  histograms?: WithParameters;
}

const BINS = 30;

/** Distinguishes the files of one process that begin in the same second. */
let files = 0;

/** One event file, made with its first event. */
class EventFile {
  readonly #directory: string;
  #path: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(step: number, values: SummaryValues): Promise<void> {
    const now = Date.now() / 1000;
    const event = summaryEvent(now, step, values);
    if (this.#path !== undefined) return appendFile(this.#path, event);
    try {
      await mkdir(this.#directory, { recursive: true });
    } catch (cause) {
      const text = `${pathText(this.#directory)}: the folder cannot be made (${systemReason(cause)})`;
      throw new BlasnetError('FILE_NOT_WRITTEN', text, { cause });
    }
    // TensorBoard reads the files of a folder in the order of their names and wants `tfevents` in them.
    const seconds = String(Math.floor(now)).padStart(10, '0');
    const host = hostname().replace(/[^\w.-]/g, '_');
    const number = String(files++).padStart(6, '0');
    const path = join(this.#directory, `events.out.tfevents.${seconds}.${host}.${process.pid}.${number}`);
    await appendFile(path, Buffer.concat([versionEvent(now), startEvent(now, step), event]));
    this.#path = path;
  }
}

/**
 * Callbacks for `fit` that write event files for TensorBoard, one value an epoch: `train` in the folder has loss,
 * accuracy, learning rate and samples per second, `validation` the same figures of the validation data and `fit`'s
 * `metrics`, so that TensorBoard draws both in one chart. The figures of outputs with names have these before a
 * slash. Steps are the epochs' numbers. Each `fit` begins new files beside the old ones; TensorBoard shows them as one
 * run, in which a resumed training continues the curves from its first epoch on.
 *
 * The operating system has an epoch's values when its callbacks end. `fit` rejects with `FILE_NOT_WRITTEN`. Throws
 * `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function tensorBoard(options: TensorBoardOptions): Callbacks {
  checkArity('tensorBoard', arguments, 1);
  const { directory, histograms } = checkOptions('tensorBoard', options, ['directory', 'histograms']);
  const folder = checkPath('tensorBoard: directory', directory);
  if (histograms !== undefined && !Array.isArray(histograms?.parameters))
    throw invalid('tensorBoard: histograms', 'a Network', histograms);
  let train = new EventFile(join(folder, 'train'));
  let validation = new EventFile(join(folder, 'validation'));
  return onFirstRank({
    onTrainBegin() {
      train = new EventFile(join(folder, 'train'));
      validation = new EventFile(join(folder, 'validation'));
    },
    async onEpochEnd(log) {
      const { epoch, learningRate, samplesPerSecond } = log;
      await train.write(epoch, {
        scalars: Object.fromEntries([
          ...figuresOf(log),
          ['learning rate', learningRate],
          ['samples per second', samplesPerSecond],
        ]),
        histograms: Object.fromEntries(
          (histograms?.parameters ?? []).map(({ name, value }) => [`parameters/${name}`, countNumbers(value, BINS)]),
        ),
      });
      if (log.validation === undefined) return;
      const metrics = Object.entries(log.metrics ?? {});
      await validation.write(epoch, { scalars: Object.fromEntries([...figuresOf(log.validation), ...metrics]) });
    },
  });
}
