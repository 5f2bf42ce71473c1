import type { Stats } from 'node:fs';
import { cut } from './text.js';

/** Short text of a system error, without paths, which the caller has already named. */
export function systemReason(error: unknown): string {
  const { message = String(error), path, dest } = error as Partial<NodeJS.ErrnoException & { dest: unknown }>;
  const short = [path, dest].reduce<string>(
    (text, own) => (typeof own === 'string' ? text.replace(` '${own}'`, '') : text),
    message,
  );
  return cut(short, 200);
}

/** Why a file could not be written. */
export function writeReason(error: unknown): string {
  const isLost = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  return isLost ? 'ENOENT: its folder does not exist' : systemReason(error);
}

/** True for the system errors that mean the file does not exist. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Throws unless it is a regular file: others may block forever, never end, or have side effects when opened. */
export function checkRegular(stats: Stats): void {
  if (stats.isFile()) return;
  const kinds: readonly (readonly [boolean, string])[] = [
    [stats.isDirectory(), 'a directory'],
    [stats.isFIFO(), 'a FIFO'],
    [stats.isSocket(), 'a socket'],
    [stats.isCharacterDevice() || stats.isBlockDevice(), 'a device'],
  ];
  const kind = kinds.find(([is]) => is)?.[1] ?? 'something else';
  throw new Error(`it is ${kind}, not a regular file`);
}
