import { expect } from 'vitest';
import { BlasnetError, type ErrorCode } from '../../lib/errors.js';

/** Expects `run` to throw, or to reject with, a BlasnetError of `code` whose message matches `message`. */
export function expectError(run: () => unknown, code: ErrorCode, message: RegExp): void {
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  check(error, code, message);
}

export async function expectRejection(run: () => Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  check(
    await run().then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
    code,
    message,
  );
}

function check(error: unknown, code: ErrorCode, message: RegExp): void {
  expect(error, 'expected an error').toBeInstanceOf(BlasnetError);
  expect((error as BlasnetError).code).toBe(code);
  expect((error as BlasnetError).message).toMatch(message);
}
