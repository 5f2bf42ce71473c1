import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A program's standard output, and the seconds from its start to its end. */
export interface Timed {
  readonly output: string;
  readonly seconds: number;
}

export async function runTimed(program: string, args: readonly string[]): Promise<Timed> {
  const begin = performance.now();
  const { stdout } = await execute(program, args, { maxBuffer: 1 << 26 });
  return { output: stdout, seconds: (performance.now() - begin) / 1000 };
}
