import { TextDecoder } from 'node:util';
import { openFile } from '../data/files.js';
import { BlasnetError } from '../errors.js';
import { pathText } from '../text.js';

/** How the bytes of a text file are read. `latin1` is Windows-1252, as browsers have it. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'latin1';
export const ENCODINGS: readonly TextEncoding[] = ['utf-8', 'utf-16le', 'latin1'];

const CHUNK = 2 ** 16;

/** An error about the content of a file. */
export function corrupt(path: string, message: string, cause?: unknown): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${pathText(path)}: ${message}`, { cause });
}

/**
 * The text of a regular file, piece by piece, without a byte order mark. Throws `FILE_NOT_FOUND`, and `FILE_CORRUPT`
 * for bytes that are not valid in this encoding.
 */
export async function* readText(path: string, encoding: TextEncoding): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const chunk = new Uint8Array(CHUNK);
  let at = 0;
  const decode = (bytes: Uint8Array | undefined): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      const hint = encoding === 'utf-8' ? '; is its encoding latin1 or utf-16le?' : '';
      throw corrupt(path, `byte ${at} or after: it is not valid ${encoding}${hint}`, cause);
    }
  };
  const file = await openFile(path);
  try {
    for (;;) {
      const bytesRead = await file.read(chunk, at);
      if (bytesRead === 0) break;
      const text = decode(chunk.subarray(0, bytesRead));
      if (text.includes('\0')) throw corrupt(path, `byte ${at} or after: it has a NUL, as no text file does`);
      at += bytesRead;
      yield text;
    }
    const rest = decode(undefined);
    if (rest !== '') yield rest;
  } finally {
    await file.close();
  }
}
