import { accessSync, constants, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Throws if a file can't be written there, before work is done for it. */
export function checkWritable(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) throw new Error(`${path}: it is not a regular file`);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(`${path}: ${missing ? 'there is no such folder' : 'the folder is not writable'}`, { cause });
  }
}

export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new Error(`${path}: it can't be written (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
