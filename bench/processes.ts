import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The project's root, from the sources and from what they compile to alike. */
export const root = dirname(createRequire(import.meta.url).resolve('blasnet/package.json'));

const execute = promisify(execFile);

/** A process that takes longer hangs. */
const LONGEST = 30 * 60_000;

/** Aborted when the program shall stop; ends the processes that it has started. */
export const stopping = new AbortController();

/** What the last line of a program's output holds, as JSON; libraries may greet before. */
export function lastLine<T>(output: string): T {
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as T;
}

function programPath(program: string): string {
  return join(root, 'build/tools/bench', `${program}.js`);
}

/** Runs one of this folder's programs in a process of its own; returns the JSON that it prints. */
export async function runProgram<T>(program: string, argument: unknown, environment: NodeJS.ProcessEnv): Promise<T> {
  const args = [programPath(program), JSON.stringify(argument)];
  return runCommand<T>(process.execPath, args, environment, (text) => process.stderr.write(text));
}

/** As {@link runProgram}, for any command; what it says beside its output goes to `warn`. */
export async function runCommand<T>(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  warn: (text: string) => void = () => {},
): Promise<T> {
  const options = { cwd: root, env: environment, maxBuffer: 1 << 24, timeout: LONGEST, signal: stopping.signal };
  const { stdout, stderr } = await execute(command, args, options);
  if (stderr !== '') warn(stderr);
  return lastLine<T>(stdout);
}

/** Works while another process holds a core; that process is gone afterwards, and with this one if it is killed. */
export async function besideBusyProcess<T>(work: (id: number) => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, [programPath('busy'), String(process.pid)], { stdio: 'ignore' });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  try {
    return await work(child.pid as number);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** This process's environment with other values for some variables; undefined takes one out. */
export function environmentWith(changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}
