import { type FileHandle, open } from 'node:fs/promises';
import { BlasnetError } from '../errors.js';
import { sharedBytes } from './storage.js';

/** One read call takes less than 2 GiB. */
const READ_LIMIT = 2 ** 30;

/** True for the errors of the operating system that mean that there is no such file. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** A whole file in shared memory, read without a copy. Throws `FILE_NOT_FOUND` where it can't be opened or read. */
export async function readShared(path: string): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    const bytes = sharedBytes(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, READ_LIMIT), at);
      if (bytesRead === 0) throw new BlasnetError('FILE_CORRUPT', `${path}: byte ${at}: the file shrank while it was read`);
      at += bytesRead;
    }
    return bytes;
  } catch (cause) {
    if (cause instanceof BlasnetError) throw cause;
    const reason = isMissing(cause) ? 'there is no such file' : `it cannot be read (${(cause as Error).message})`;
    throw new BlasnetError('FILE_NOT_FOUND', `${path}: ${reason}`, { cause });
  } finally {
    // All has been read: what closing says changes nothing.
    await file?.close().catch(() => {});
  }
}
