import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { BlasnetError } from '../errors.js';
import { sharedBytes } from '../shared-memory.js';
import { checkRegular, isMissing, systemReason } from '../system.js';
import { pathText } from '../text.js';

/** One read call is limited to less than 2 GiB. */
const READ_LIMIT = 2 ** 30;
/** Keeps opening a FIFO from blocking. Windows has neither the flag nor FIFOs. */
const READ_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file, gives it and its size to `read`, and closes it. Throws `FILE_NOT_FOUND` if it can't be opened
 * or read, or is a directory, FIFO, socket or device.
 */
export async function readFile<T>(path: string, read: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // Checked before opening, which has side effects on some devices, and again after, as the path may have been
    // replaced.
    checkRegular(await stat(path));
    file = await open(path, READ_FLAGS);
    const stats = await file.stat();
    checkRegular(stats);
    return await read(file, stats.size);
  } catch (cause) {
    if (cause instanceof BlasnetError) throw cause;
    const reason = isMissing(cause) ? 'there is no such file' : `it cannot be read (${systemReason(cause)})`;
    throw new BlasnetError('FILE_NOT_FOUND', `${pathText(path)}: ${reason}`, { cause });
  } finally {
    // Everything has been read, so an error on close does not matter.
    await file?.close().catch(() => {});
  }
}

/**
 * Reads a regular file of at most `most` bytes into memory from `allocate`. Throws like {@link readFile}, and
 * `FILE_CORRUPT` if it is longer or shrinks meanwhile.
 */
export function readWhole(
  path: string,
  allocate: (bytes: number) => Uint8Array,
  most = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  return readFile(path, async (file, size) => {
    if (size > most) throw new BlasnetError('FILE_CORRUPT', `${path}: it has ${size} bytes; at most ${most} are read`);
    const bytes = allocate(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, READ_LIMIT), at);
      if (bytesRead === 0)
        throw new BlasnetError('FILE_CORRUPT', `${path}: byte ${at}: the file shrank while it was read`);
      at += bytesRead;
    }
    return bytes;
  });
}

/** Reads a file directly into shared memory. Throws like {@link readWhole}. */
export function readShared(path: string): Promise<Uint8Array> {
  return readWhole(path, sharedBytes);
}
