import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The project's root, from the sources and from what they compile to alike. */
export const root = dirname(createRequire(import.meta.url).resolve('blasnet/package.json'));

const execute = promisify(execFile);

/** Runs one of this folder's programs in a process of its own; returns the JSON that it prints. */
export async function runProgram<T>(program: string, argument: unknown, environment: NodeJS.ProcessEnv): Promise<T> {
  const path = join(root, 'build/tools/bench', `${program}.js`);
  const options = { cwd: root, env: environment, maxBuffer: 1 << 24 };
  const { stdout, stderr } = await execute(process.execPath, [path, JSON.stringify(argument)], options);
  if (stderr !== '') process.stderr.write(stderr);
  return JSON.parse(stdout) as T;
}

/** This process's environment with other values for some variables; undefined takes one out. */
export function environmentWith(changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}
