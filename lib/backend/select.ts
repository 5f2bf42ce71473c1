import { checkArity, checkChoice } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { loadCounterBy } from '../shared-memory.js';
import type { Backend, BackendInfo, BackendName } from './backend.js';
import { createNativeBackend } from './native/index.js';
import { typescriptBackend } from './typescript/index.js';

/** The native backend of this environment, or the reason why there is none. Loading is tried once. */
let native: { backend: Backend } | { error: BlasnetError } | undefined;
let warned = false;

/** The native backend, or the error that explains why it is unavailable. */
export function tryNative(): { backend: Backend } | { error: BlasnetError } {
  if (native === undefined) {
    try {
      native = { backend: createNativeBackend() };
    } catch (error) {
      if (!(error instanceof BlasnetError)) throw error;
      native = { error };
    }
  }
  return native;
}

loadCounterBy(tryNative);

export function typescript(): Backend {
  return typescriptBackend;
}

export interface Selection {
  readonly backend: Backend;
  readonly reason: string;
}

/** Resolves a backend name. `auto` falls back to TypeScript, with one warning that suggests a fix. */
export function selectBackend(name: 'auto' | BackendName = 'auto'): Selection {
  checkChoice('backend', name, ['auto', 'native', 'typescript']);
  if (name === 'typescript') return { backend: typescriptBackend, reason: 'asked for by the caller' };
  const result = tryNative();
  if ('backend' in result) {
    return {
      backend: result.backend,
      reason: name === 'native' ? 'asked for by the caller' : 'the native addon loaded',
    };
  }
  if (name === 'native') throw result.error;
  if (!warned) {
    warned = true;
    process.emitWarning(`${result.error.message}. Falling back to the TypeScript backend, which is much slower.`, {
      type: 'BlasnetWarning',
      code: 'BLASNET_TYPESCRIPT_FALLBACK',
    });
  }
  return { backend: typescriptBackend, reason: result.error.message };
}

/** Which backend `auto` (or the given name) selects here and why, with CPU features, BLAS, kernel set and threads. */
export function backendInfo(name: 'auto' | BackendName = 'auto'): BackendInfo {
  checkArity('backendInfo', arguments, 1);
  const { backend, reason } = selectBackend(name);
  return { ...backend.info(), reason };
}
