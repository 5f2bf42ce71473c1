import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { NativeGroup } from '../backend/backend.js';
import { cut } from '../text.js';

const STDERR = 2;
/** Milliseconds that a launcher has to read a rank's last lines. */
const FORWARDING = 200;

/** Writes at once: the process ends before a stream would. */
function tell(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

export function firstLine(error: unknown): string {
  return cut(String(error).split('\n', 1)[0], 300);
}

/** Ends this process and all others of the job, with a line that names this rank and the reason. */
export function endJob(native: NativeGroup, rank: string, reason: string, code: number, more?: string): never {
  tell(`blasnet: ${rank} ends the job: ${reason}`);
  if (more !== undefined) tell(more);
  // Launchers drop what they have not read when a rank aborts.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FORWARDING);
  return native.abort(code);
}

/** `busy`: other ranks wait for this one. `over`: they no longer do. */
export type GroupState = 'idle' | 'busy' | 'over';

/**
 * Ends the group when this process ends. If that is an error, or other ranks would wait for calls that can't come any
 * more, it ends the whole job, with a line that names this rank and the reason.
 */
export function endWithProcess(native: NativeGroup, rank: () => string, state: () => GroupState): void {
  let thrown: { readonly error: unknown } | undefined;
  process.on('uncaughtExceptionMonitor', (error) => {
    if (process.listenerCount('uncaughtException') === 0) thrown = { error };
  });
  process.on('exit', (given) => {
    // An earlier handler may have set it, as Node.js does for an `await` at top level that nothing ends.
    const code = Number(process.exitCode ?? given);
    if (state() === 'over') return;
    if (code === 0 && state() === 'idle' && native.close()) return;
    const early = state() === 'busy' ? 'it ended while other ranks wait for it' : 'the group failed before';
    const reason = thrown ? firstLine(thrown.error) : code !== 0 ? `exit code ${code}` : early;
    // Node.js would print it after this handler, which does not return.
    endJob(native, rank(), reason, code || 1, thrown && inspect(thrown.error));
  });
}
