import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BlasnetError } from '../../lib/index.js';

/**
 * How many times more than usual each property is tried. The usual number is tried with the same examples each time, so
 * that a suite that was green stays so; with more of them each run draws its own. What fails prints its seed.
 */
const factor = Number(process.env.BLASNET_PROPERTY_RUNS || 1);
const seed = Number(process.env.BLASNET_PROPERTY_SEED || (factor === 1 ? 1 : Date.now()));

/** A test of a property, on `runs` examples. */
export function holds<T>(
  name: string,
  runs: number,
  property: fc.IAsyncPropertyWithHooks<T> | fc.IPropertyWithHooks<T>,
): void {
  it(name, { timeout: 60_000 * factor }, async () => {
    // What is left of the time is for the smallest example that fails.
    const options = { seed, numRuns: Math.ceil(runs * factor), interruptAfterTimeLimit: 50_000 * factor };
    await fc.assert(property as fc.IAsyncProperty<T>, options);
  });
}

/**
 * What a call gives, or the error with which it refuses, which must be one of the library's own and not of its inside.
 */
export async function given<T>(run: () => T | Promise<T>): Promise<{ value: T } | { error: BlasnetError }> {
  try {
    return { value: await run() };
  } catch (error) {
    if (!(error instanceof BlasnetError)) throw error;
    expect(error.code, error.message).not.toBe('INTERNAL');
    return { error };
  }
}

/** A training that diverges ends with this error, in the same place each time. */
export function nonFinite(error: BlasnetError): 'nonFinite' {
  if (error.code !== 'NON_FINITE') throw error;
  return 'nonFinite';
}
