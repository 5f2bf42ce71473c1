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
    file = await openRegular(path);
    return await read(file, (await file.stat()).size);
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    // Everything has been read, so an error on close does not matter.
    await file?.close().catch(() => {});
  }
}

/** A file that is read at places, and must be closed. */
export interface OpenFile {
  readonly size: number;
  /** Reads up to the length of `into` from the byte `at`; returns how many bytes there were. */
  read(into: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

/** Opens a regular file. Throws like {@link readFile}, which closes it too, and so does its `read`. */
export async function openFile(path: string): Promise<OpenFile> {
  let file: FileHandle | undefined;
  try {
    file = await openRegular(path);
    const { size } = await file.stat();
    const own = file;
    return {
      size,
      async read(into, at) {
        try {
          return (await own.read(into, 0, Math.min(into.length, READ_LIMIT), at)).bytesRead;
        } catch (cause) {
          throw unreadable(path, cause);
        }
      },
      close: () => own.close().catch(() => {}),
    };
  } catch (cause) {
    await file?.close().catch(() => {});
    throw unreadable(path, cause);
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  // Checked before opening, which has side effects on some devices, and again after, as the path may have been
  // replaced.
  checkRegular(await stat(path));
  const file = await open(path, READ_FLAGS);
  try {
    checkRegular(await file.stat());
    return file;
  } catch (error) {
    await file.close().catch(() => {});
    throw error;
  }
}

function unreadable(path: string, cause: unknown): BlasnetError {
  if (cause instanceof BlasnetError) return cause;
  const reason = isMissing(cause) ? 'there is no such file' : `it cannot be read (${systemReason(cause)})`;
  return new BlasnetError('FILE_NOT_FOUND', `${pathText(path)}: ${reason}`, { cause });
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
