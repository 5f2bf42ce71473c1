import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The project's root, found both from the sources and from the compiled files. */
export const root = dirname(createRequire(import.meta.url).resolve('blasnet/package.json'));

const execute = promisify(execFile);

/** Milliseconds; a process that takes longer is assumed to hang. */
export const LONGEST = 30 * 60_000;

/** Aborted to stop the program; ends the processes that it has started. */
export const stopping = new AbortController();

/** This process's environment with changed variables; undefined removes one. */
export function environmentWith(changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** Parses the last line of a program's output as JSON; libraries may print text before it. */
export function lastLine<T>(output: string): T {
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as T;
}

export function programPath(program: string): string {
  return join(root, 'build/tools/bench', `${program}.js`);
}

/** Runs one of this directory's programs in a separate process; returns the JSON that it prints. */
export async function runProgram<T>(program: string, argument: unknown, environment: NodeJS.ProcessEnv): Promise<T> {
  const args = [programPath(program), JSON.stringify(argument)];
  return runCommand<T>(process.execPath, args, environment, (text) => process.stderr.write(text));
}

/** Like {@link runProgram}, for any command; its other output goes to `warn`. */
export async function runCommand<T>(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  warn: (text: string) => void = () => {},
): Promise<T> {
  const { stdout, stderr } = await runText(command, args, { env: environment });
  if (stderr !== '') warn(stderr);
  return lastLine<T>(stdout);
}

/** Runs a command; returns what it prints. */
export function runText(command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string }) {
  return execute(command, args, {
    ...{ cwd: root, maxBuffer: 1 << 26, timeout: LONGEST, signal: stopping.signal, ...options },
    encoding: 'utf8',
  });
}

/** Runs `work` while another process keeps a core busy. That process ends afterwards, or when this one is killed. */
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

/** A one-line error message without this machine's directories. */
export function reasonOf(error: unknown): string {
  const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string };
  const lines = (stderr.trim() === '' ? message : stderr).split('\n').map((line) => line.trim());
  const find = (pattern: RegExp) => lines.findLast((line) => pattern.test(line));
  const reason = find(/Error: /) ?? find(/\b(ENOTFOUND|ETIMEDOUT|E[0-9]{3})\b/) ?? find(/./) ?? 'unknown';
  return reason
    .replace(/^npm (error|ERR!)\s*/, '')
    .replace(/(https?:\/\/|file:\/\/)?(\/[\w.@+-]+){2,}/g, '(a path)')
    .slice(0, 200);
}

/**
 * Prints a program's error in one line. On SIGINT and SIGTERM, ends the processes that it has started, and stops it.
 */
export async function runAsProgram(name: string, main: () => Promise<unknown>): Promise<void> {
  let stopped: 'SIGINT' | 'SIGTERM' | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopped = signal;
      stopping.abort();
    });
  }
  try {
    await main();
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    console.error(`${name}: ${stopped === undefined ? reason : `stopped by ${stopped}`}`);
    process.exitCode = stopped === undefined ? 1 : 128 + constants.signals[stopped];
  }
}

/**
 * Measures the items in order. After each, `record` saves the results so far and returns them as text, which is printed
 * at the end, even if an error or a signal ends the run.
 */
export async function measureInTurn<Item, Found>(
  items: readonly Item[],
  measure: (item: Item) => Promise<Found>,
  record: (found: readonly Found[], remaining: readonly Item[]) => string,
): Promise<Found[]> {
  const found: Found[] = [];
  let text: string | undefined;
  try {
    for (const item of items) {
      found.push(await measure(item));
      text = record(found, items.slice(found.length));
    }
  } finally {
    if (text !== undefined) console.log(text);
  }
  return found;
}
