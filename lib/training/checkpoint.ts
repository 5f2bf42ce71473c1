import { checkArity, checkInteger, checkOptions, checkPath, invalid } from '../checks.js';
import { removeFile } from '../formats/replace-file.js';
import { type Callbacks, onFirstRank } from './callbacks.js';
import { type MonitorOptions, watch } from './monitor.js';

/**
 * With `monitor` (a name as in `earlyStopping`), only epochs are saved in which this value improves on all earlier
 * checkpoints of the same `fit`.
 */
export type CheckpointOptions = MonitorOptions & {
  /**
   * File to write, a path or file: URL. `{epoch}` is replaced by the epoch's number as in the log; without it, each
   * file overwrites the previous one.
   */
  path: string | URL;
  /** Save every this many epochs; default 1. */
  every?: number;
  /** Keep only this many of the files written by this callback, the newest; needs `{epoch}`. Default: all. */
  keep?: number;
};

const known = ['path', 'every', 'keep', 'monitor', 'mode'] as const;

/**
 * Callbacks for `fit` that save the network with its optimizer. `Network.loadCheckpoint` reads the file to continue
 * training. `fit` rejects with `FILE_NOT_WRITTEN` if a file can't be written.
 */
export function checkpoint(options: CheckpointOptions): Callbacks {
  checkArity('checkpoint', arguments, 1);
  const { path: given, every = 1, keep, monitor, mode } = checkOptions('checkpoint', options, known);
  const path = checkPath('checkpoint: path', given);
  checkInteger('checkpoint: every', every, { min: 1 });
  if (keep !== undefined) {
    checkInteger('checkpoint: keep', keep, { min: 1 });
    if (!path.includes('{epoch}')) throw invalid('checkpoint: path', 'a path with {epoch}, since keep is given', path);
  }
  if (monitor === undefined && mode !== undefined)
    throw invalid('checkpoint: mode', 'none, since there is no monitor', mode);
  const watched = monitor === undefined ? undefined : watch('checkpoint', options);
  let written: string[] = [];
  let best = Number.NEGATIVE_INFINITY;
  return onFirstRank({
    onTrainBegin() {
      best = Number.NEGATIVE_INFINITY;
    },
    async onEpochEnd(log, training) {
      const { epoch } = log;
      if ((epoch + 1) % every !== 0) return;
      if (watched !== undefined) {
        const value = watched.direction * watched.value(log);
        if (!(value > best)) return;
        best = value;
      }
      const file = path.replaceAll('{epoch}', String(epoch));
      await training.save(file);
      written = [...written.filter((name) => name !== file), file];
      while (keep !== undefined && written.length > keep) await removeFile(written.shift() as string);
    },
  });
}
