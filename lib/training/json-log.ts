import { checkArity, checkPath } from '../checks.js';
import { appendFile } from '../formats/append-file.js';
import { type Callbacks, onFirstRank } from './callbacks.js';

/**
 * Callbacks for `fit` that append JSON lines to a file (a path or file: URL): at the start of each `fit` one of type
 * `'start'` with the run's settings, then one of type `'epoch'` for each epoch, which has the epoch's log without the
 * losses of the batches. Each has the `time` (ISO 8601, UTC). Numbers that are not finite are null. A file that exists
 * is continued, so a resumed training adds to its log; a line that a crash cut off stays and is ended.
 *
 * The operating system has a line when its epoch's callbacks end. `fit` rejects with `FILE_NOT_WRITTEN` if the file
 * can't be written or is not a regular file. Throws `INVALID_ARGUMENT`.
 */
export function jsonLog(path: string | URL): Callbacks {
  checkArity('jsonLog', arguments, 1);
  const file = checkPath('jsonLog: path', path);
  const append = (line: object) => appendFile(file, Buffer.from(`${JSON.stringify(line)}\n`), { lines: true });
  return onFirstRank({
    onTrainBegin: (start) => append({ type: 'start', time: new Date().toISOString(), ...start }),
    onEpochEnd: ({ batchLosses, ...log }) => append({ type: 'epoch', time: new Date().toISOString(), ...log }),
  });
}
