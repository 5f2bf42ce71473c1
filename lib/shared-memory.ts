import { BlasnetError } from './errors.js';

/** Zeroed shared memory, which JavaScript can't detach while a run uses it; throws `OUT_OF_MEMORY`. */
export function sharedBuffer(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    throw new BlasnetError('OUT_OF_MEMORY', `cannot allocate ${bytes} bytes of shared memory`, { cause });
  }
}
