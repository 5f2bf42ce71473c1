import { rm } from 'node:fs/promises';
import { checkInteger, checkOptions, checkPath, invalid } from '../checks.js';
import type { Callbacks } from './callbacks.js';

export interface CheckpointOptions {
  /** File to write; `{epoch}` in it stands for the epoch's number, as the log has it. Without it each file replaces the last. */
  path: string;
  /** Save after every so many epochs; default 1. */
  every?: number;
  /** Of the files that this callback has written keep only so many, the newest; needs `{epoch}`. Default: all. */
  keep?: number;
}

/**
 * Callbacks for `fit` that save the network with its optimizer; `Network.loadCheckpoint` reads such a file, and training goes on from it. `fit`
 * rejects with `FILE_NOT_WRITTEN` when a file can't be written.
 */
export function checkpoint(options: CheckpointOptions): Callbacks {
  const { path: given, every = 1, keep } = checkOptions('checkpoint', options, ['path', 'every', 'keep']);
  const path = checkPath('checkpoint: path', given);
  checkInteger('checkpoint: every', every, { min: 1 });
  if (keep !== undefined) {
    checkInteger('checkpoint: keep', keep, { min: 1 });
    if (!path.includes('{epoch}')) throw invalid('checkpoint: path', 'a path with {epoch}, since keep is given', path);
  }
  let written: string[] = [];
  return {
    async onEpochEnd({ epoch }, training) {
      if ((epoch + 1) % every !== 0) return;
      const file = path.replaceAll('{epoch}', String(epoch));
      await training.save(file);
      written = [...written.filter((name) => name !== file), file];
      while (keep !== undefined && written.length > keep) await rm(written.shift() as string, { force: true });
    },
  };
}
