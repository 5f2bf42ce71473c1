import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { BlasnetError } from '../errors.js';
import { checkRegular, writeReason } from '../system.js';
import { pathText } from '../text.js';

// Without O_NONBLOCK, opening a FIFO could wait for its other end for ever.
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0);
const NEWLINE = 10;

/**
 * Appends bytes to a regular file, which is created if there is none; the operating system has them when the promise
 * resolves. With `lines`, a last line that a crash cut off is ended first. The file is not kept open: a training that
 * fails has no hook in which to close it. Throws `FILE_NOT_WRITTEN`.
 */
export async function appendFile(path: string, bytes: Uint8Array, { lines = false } = {}): Promise<void> {
  try {
    const file = await open(path, FLAGS, 0o666);
    try {
      const stats = await file.stat();
      checkRegular(stats);
      if (lines && stats.size > 0) {
        const { buffer } = await file.read(Buffer.alloc(1), 0, 1, stats.size - 1);
        if (buffer[0] !== NEWLINE) await file.appendFile('\n');
      }
      await file.appendFile(bytes);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new BlasnetError('FILE_NOT_WRITTEN', `${pathText(path)}: it cannot be written (${writeReason(cause)})`, {
      cause,
    });
  }
}
