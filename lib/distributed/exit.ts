import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { NativeGroup } from '../backend/backend.js';
import { cut } from '../text.js';
import type { JoinedGroup } from './group.js';

const STDERR = 2;

/** Writes at once: the process ends before a stream would. */
function tell(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`);
  } catch {
    // Nobody reads it.
  }
}

function firstLine(error: unknown): string {
  return cut(String(error).split('\n', 1)[0], 300);
}

/**
 * Ends the group when this process ends. If that is an error, or other ranks would wait for calls that can't come any
 * more, it ends the whole job, with a line that names this rank and the reason.
 */
export function endWithProcess(group: JoinedGroup, native: NativeGroup): void {
  let thrown: { readonly error: unknown } | undefined;
  process.on('uncaughtExceptionMonitor', (error) => {
    thrown = { error };
  });
  process.on('exit', (code) => {
    if (group.left && !group.busy) return;
    const reason = thrown ? firstLine(thrown.error) : code !== 0 ? `exit code ${code}` : 'it ended during a call';
    if (code === 0 && !group.busy && native.close()) return;
    tell(`blasnet: rank ${group.rank} of ${group.size} on ${group.host.name} ends the job: ${reason}`);
    // Node.js would print it after this handler, which does not return.
    if (thrown !== undefined) tell(inspect(thrown.error));
    native.abort(code || 1);
  });
}
