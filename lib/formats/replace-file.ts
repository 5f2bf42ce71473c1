import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, open, readlink, realpath, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, sep } from 'node:path';
import { types } from 'node:util';
import { BlasnetError } from '../errors.js';
import { checkRegular, isMissing, systemReason, writeReason } from '../system.js';
import { pathText } from '../text.js';

/** One write call is limited to less than 2 GiB. */
const WRITE_LIMIT = 2 ** 30;
/** Maximum number of links followed for a path, as on Linux. */
const MAX_LINKS = 40;

/** The result of `look` for a path; undefined if nothing exists there. */
async function ifThere(path: string, look: (path: string) => Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await look(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The target of a path where no file exists yet: the end of all links, the last one of which may be dangling. */
async function endOfLinks(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links <= MAX_LINKS; links++) {
    if (target.endsWith('/') || target.endsWith(sep)) throw new Error('it names a directory');
    const directory = await realpath(dirname(target));
    target = join(directory, basename(target));
    if (!(await ifThere(target, lstat))?.isSymbolicLink()) return target;
    const link = await readlink(target);
    target = isAbsolute(link) ? link : `${directory}${sep}${link}`;
  }
  throw new Error('it leads through too many symbolic links');
}

/** The regular file a path resolves to, following links, with its permission bits; or the file to create. */
export async function resolveTarget(path: string): Promise<{ target: string; mode?: number }> {
  const stats = await ifThere(path, stat);
  if (stats === undefined) return { target: await endOfLinks(path) };
  checkRegular(stats);
  return { target: await realpath(path), mode: stats.mode & 0o7777 };
}

/** Writes bytes at a place of a file. Returns the place after them. */
async function writeAll(file: FileHandle, bytes: Uint8Array, place: number): Promise<number> {
  if (!types.isUint8Array(bytes)) throw new TypeError('expected bytes');
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(bytes.length - at, WRITE_LIMIT), place + at);
    at += bytesWritten;
  }
  return place + bytes.length;
}

/** Creates a file that is to be renamed to `target`. */
async function openTemporary(target: string, mode: number | undefined): Promise<{ name: string; file: FileHandle }> {
  // A short name, as the target's own name may already have the maximum length.
  const name = join(dirname(target), `.blasnet-${randomBytes(6).toString('hex')}.tmp`);
  return { name, file: await open(name, 'wx', mode) };
}

/** Makes a file's or folder's content durable, except where Node's permission model allows no fsync at all. */
async function sync(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
  }
}

/** Makes a rename durable. Not available on Windows. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await sync(directory);
  } finally {
    await directory.close();
  }
}

function notWritten(path: string, cause: unknown): BlasnetError {
  return new BlasnetError('FILE_NOT_WRITTEN', `${pathText(path)}: it cannot be written (${writeReason(cause)})`, {
    cause,
  });
}

/**
 * Writes a file atomically: `path` holds either the old content or the new bytes at any time, and the new bytes are
 * durable once the promise resolves (under Node's permission model as far as that allows fsync). They are written to a
 * file in the same directory (`.blasnet-<random>.tmp`), which is then renamed and gets the old file's permissions.
 * Symbolic links are followed, even dangling ones. `content`: all bytes, or pieces of them one after the other, whose
 * errors are thrown as they are. Throws `FILE_NOT_WRITTEN`, also if the path is not a regular file. After any error the
 * temporary file is removed.
 */
export async function replaceFile(path: string, content: Uint8Array | Iterable<Uint8Array>): Promise<void> {
  let temporary: string | undefined;
  let thrown: { readonly error: unknown } | undefined;
  function* pieces() {
    try {
      // Of any realm: in Jest's environments a Buffer is no Uint8Array of this one.
      if (types.isUint8Array(content)) yield content;
      else yield* content as Iterable<Uint8Array>;
    } catch (error) {
      thrown = { error };
      throw error;
    }
  }
  try {
    const { target, mode } = await resolveTarget(path);
    const { name, file } = await openTemporary(target, mode);
    temporary = name;
    try {
      // The process's umask has reduced the mode the file was opened with. By path: Node's permission model allows no
      // fchmod.
      if (mode !== undefined) await chmod(name, mode);
      let place = 0;
      for (const piece of pieces()) place = await writeAll(file, piece, place);
      await sync(file);
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    temporary = undefined;
    await syncDirectory(dirname(target));
  } catch (cause) {
    // The original error matters more than a leftover temporary file.
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => {});
    if (thrown !== undefined) throw thrown.error;
    throw notWritten(path, cause);
  }
}

/** The bit of a directory's mode with which files are deleted and replaced by their owners only. */
const STICKY = 0o1000;

/**
 * Throws `FILE_NOT_WRITTEN` where {@link replaceFile} would, before work is done for the file: creates and removes a
 * temporary file.
 */
export async function checkReplaceable(path: string): Promise<void> {
  try {
    const { target, mode } = await resolveTarget(path);
    const { name, file } = await openTemporary(target, mode);
    await file.close();
    await unlink(name);
    const user = process.getuid?.();
    const [directory, old] = [await stat(dirname(target)), await ifThere(target, stat)];
    if (user && old && directory.mode & STICKY && directory.uid !== user && old.uid !== user)
      throw new Error("it is another user's, in a directory with the sticky bit");
  } catch (cause) {
    throw notWritten(path, cause);
  }
}

/** Deletes a file if it exists. Throws `FILE_NOT_WRITTEN`. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    if (isMissing(cause)) return;
    throw new BlasnetError('FILE_NOT_WRITTEN', `${pathText(path)}: it cannot be deleted (${systemReason(cause)})`, {
      cause,
    });
  }
}
