import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BlasnetError } from '../errors.js';

/** One write call takes less than 2 GiB. */
const WRITE_LIMIT = 2 ** 30;

/** The file behind a path, links followed, with its permission bits; of a new file the path itself. */
async function existing(path: string): Promise<{ target: string; mode?: number }> {
  try {
    const target = await realpath(path);
    return { target, mode: (await stat(target)).mode & 0o7777 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { target: path };
    throw error;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(bytes.length - at, WRITE_LIMIT), at);
    at += bytesWritten;
  }
}

/** Makes a rename durable. Windows has no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Writes a file as a whole or not at all: whatever happens, `path` holds what it held before or the new bytes, and the new ones for good when
 * the promise has resolved. They go to a file beside it (`.<name>.<process>.<random>.tmp`), which then takes its name and keeps
 * the old file's permissions. Throws `FILE_NOT_WRITTEN`; the temporary file is then removed.
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  let temporary: string | undefined;
  try {
    const { target, mode } = await existing(path);
    const name = join(dirname(target), `.${basename(target)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`);
    const file = await open(name, 'wx', mode);
    temporary = name;
    try {
      // The mask of the process has reduced the mode that the file was opened with.
      if (mode !== undefined) await file.chmod(mode);
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    temporary = undefined;
    await syncDirectory(dirname(target));
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { force: true });
    throw new BlasnetError('FILE_NOT_WRITTEN', `${path}: it cannot be written (${(cause as Error).message})`, { cause });
  }
}
