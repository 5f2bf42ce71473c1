import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { BlasnetError } from '../errors.js';
import { sharedBytes } from '../shared-memory.js';

/** Deflate's highest compression ratio: a match of 258 bytes in two bits. */
const MAX_EXPANSION = 1032;
/** Content allowed by default: this many bytes, or this many times the compressed size. Data files stay far below. */
const MIN_CONTENT = 64 * 2 ** 20;
const USUAL_EXPANSION = 128;
/** Compressed bytes that must contain the wanted start; limits how much a hostile file can make us inflate. */
const START_LIMIT = 65536;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** The most bytes that `compressed` bytes of gzip can hold. */
export function largestContent(compressed: number): number {
  return compressed * MAX_EXPANSION;
}

/** Default limit for the inflated size of `compressed` bytes of gzip. */
export function usualContent(compressed: number): number {
  return Math.max(MIN_CONTENT, compressed * USUAL_EXPANSION);
}

/** The first `wanted` bytes of the content, fewer if it ends before. Throws `FILE_CORRUPT`. */
export function inflateStart(bytes: Uint8Array, wanted: number, source: string): Uint8Array {
  for (let taken = 256; ; taken *= 2) {
    try {
      // With a sync flush at the end, zlib accepts a truncated stream.
      const start = gunzipSync(bytes.subarray(0, taken), { finishFlush: constants.Z_SYNC_FLUSH });
      if (start.length >= wanted || taken >= bytes.length || taken >= START_LIMIT) return start.subarray(0, wanted);
    } catch (cause) {
      throw broken(source, cause);
    }
  }
}

/** The content, which must have exactly `size` bytes, in ordinary memory. Throws `FILE_CORRUPT`. */
export function inflateSync(bytes: Uint8Array, size: number, source: string): Uint8Array {
  try {
    const { buffer, engine } = gunzipSync(bytes, { maxOutputLength: size + 1, info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    checkSizes(source, size, buffer.length, bytes.length, engine.bytesWritten);
    return buffer;
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLong(source, size, cause);
    throw cause instanceof BlasnetError ? cause : broken(source, cause);
  }
}

/**
 * The content, which must have exactly `size` bytes, in shared memory; inflated off the event loop. Throws
 * `FILE_CORRUPT`.
 */
export async function inflate(bytes: Uint8Array, size: number, source: string): Promise<Uint8Array> {
  const content = sharedBytes(size);
  const engine = createGunzip({ chunkSize: 2 ** 18 });
  let at = 0;
  try {
    engine.end(bytes);
    for await (const chunk of engine as AsyncIterable<Buffer>) {
      if (at + chunk.length > size) throw tooLong(source, size);
      content.set(chunk, at);
      at += chunk.length;
    }
  } catch (cause) {
    throw cause instanceof BlasnetError ? cause : broken(source, cause);
  }
  checkSizes(source, size, at, bytes.length, engine.bytesWritten);
  return content;
}

function checkSizes(source: string, size: number, inflated: number, compressed: number, consumed: number): void {
  if (inflated > size) throw tooLong(source, size);
  if (inflated < size) {
    throw new BlasnetError(
      'FILE_CORRUPT',
      `${source}: byte ${inflated} of the inflated content: it ends here, but its header specifies ${size} bytes`,
    );
  }
  if (consumed < compressed) {
    throw new BlasnetError(
      'FILE_CORRUPT',
      `${source}: byte ${consumed}: ${compressed - consumed} bytes follow the gzip data`,
    );
  }
}

function tooLong(source: string, size: number, cause?: unknown): BlasnetError {
  return new BlasnetError(
    'FILE_CORRUPT',
    `${source}: byte ${size} of the inflated content: expected the end, as its header specifies, but more follows`,
    { cause },
  );
}

function broken(source: string, cause: unknown): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${source}: broken gzip data: ${(cause as Error).message}`, { cause });
}
