import { checkInteger, describe } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { Addon } from './addon.js';

/**
 * Environment variables of the native backend. An invalid value makes the backend unavailable, with an error that names
 * the variable. An empty value counts as unset. The addon checks `BLASNET_SIMD`, because it knows the sets.
 */

/** The most threads of a run. C++ has it from native/executor/format.h, which `npm run generate` writes. */
export const MOST_THREADS = 256;

function oneOf(name: string, values: readonly string[]): void {
  const value = process.env[name];
  if (value !== undefined && value !== '' && !values.includes(value)) {
    throw new BlasnetError('BACKEND_UNAVAILABLE', `${name}: expected ${values.join(' or ')}, got ${describe(value)}`);
  }
}

/** Checks the settings that the addon's kernels read themselves. */
export function checkSwitches(): void {
  oneOf('BLASNET_SKIP_ZEROS', ['0', '1']);
  oneOf('BLASNET_PRODUCTS', ['whole', 'pieces', 'strips', 'tiles', 'parts', 'winograd']);
  oneOf('BLASNET_BFLOAT16', ['amx', 'avx512-bf16', 'float32']);
  oneOf('BLASNET_FLOAT32', ['amx', 'fma']);
}

/** Throws `BACKEND_UNAVAILABLE` if products that the environment requests can't run here. */
export function checkWays(addon: Pick<Addon, 'bfloat16' | 'float32'>): void {
  const { BLASNET_BFLOAT16: bfloat16, BLASNET_FLOAT32: float32, BLASNET_PRODUCTS: products } = process.env;
  const check = (name: string, value: string | undefined, wanted: string | undefined, used: () => string) => {
    if (wanted === undefined || wanted === '' || wanted === used()) return;
    const text = `asked for ${value}, but this process uses ${used()}: what its CPU and system have, or chose before`;
    throw new BlasnetError('BACKEND_UNAVAILABLE', `${name}: ${text}`);
  };
  check('BLASNET_BFLOAT16', bfloat16, bfloat16, () => addon.bfloat16());
  check('BLASNET_FLOAT32', float32, float32, () => addon.float32());
  check('BLASNET_PRODUCTS', products, products === 'parts' ? 'amx' : undefined, () => addon.float32());
}

/**
 * Warns if OpenBLAS does not use the kernels that `BLASNET_CORETYPE` requests; it may report a different name for the
 * same kernels.
 */
export function checkCore(used: string): void {
  const wanted = process.env.BLASNET_CORETYPE;
  if (wanted === undefined || wanted === '' || wanted.toLowerCase() === used.toLowerCase()) return;
  process.emitWarning(`BLASNET_CORETYPE: asked for ${describe(wanted)}, OpenBLAS uses its kernels for ${used}`, {
    type: 'BlasnetWarning',
    code: 'BLASNET_CORETYPE',
  });
}

/** The thread count from `BLASNET_THREADS`, if set; throws `BACKEND_UNAVAILABLE`. */
export function chosenThreads(): number | undefined {
  const chosen = process.env.BLASNET_THREADS;
  if (chosen === undefined || chosen === '') return undefined;
  try {
    return checkInteger('BLASNET_THREADS', /^\d+$/.test(chosen) ? Number(chosen) : chosen, {
      min: 1,
      max: MOST_THREADS,
    });
  } catch (cause) {
    throw new BlasnetError('BACKEND_UNAVAILABLE', (cause as Error).message, { cause });
  }
}
