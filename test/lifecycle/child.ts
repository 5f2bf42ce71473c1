import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'vitest';

const root = new URL('../../', import.meta.url);

/** A file of the project, from its root. */
export function projectFile(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** Address of a module of the built library; fails where it is not built. */
export function builtLibrary(module = 'index.js'): string {
  const path = projectFile(`dist/${module}`);
  if (!existsSync(path))
    throw new Error(`${path} is missing: run \`node scripts/setup.mjs\` (or \`npx tsc -p tsconfig.json\`) first`);
  return pathToFileURL(path).href;
}

/** The addon under test: BLASNET_BINARY where that names one. */
const chosen = process.env.BLASNET_BINARY === 'none' ? undefined : process.env.BLASNET_BINARY;
export const addonFile = chosen ?? projectFile('build/Release/blasnet.node');

/** The Node.js that children run on: this one, or the one that the long jobs name. */
export const nodeProgram = process.env.BLASNET_NODE ?? process.execPath;

/** Whether that is a build of another kind, such as one under sanitizers: what memory takes is not told by it. */
export const instrumented = chosen !== undefined;

/**
 * This process's environment without what would steer the library, except to the addon under test, and with `changes`.
 */
export function environment(changes: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(BLASNET|OPENBLAS|GOTO|OMP|NODE_OPTIONS)/.test(name));
  return { ...Object.fromEntries(kept), ...(chosen !== undefined && { BLASNET_BINARY: chosen }), ...changes };
}

export interface FixtureOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node.js. */
  readonly flags?: readonly string[];
  /** Kilobytes of address space that the process may have; needs a shell. */
  readonly addressSpace?: number;
  /** Seconds; default 30. */
  readonly timeout?: number;
}

/** Runs a script of test/lifecycle/fixtures in a process of its own, to its end. */
export function runFixture(
  name: string,
  { args = [], flags = [], addressSpace, env, timeout = 30 }: FixtureOptions = {},
): SpawnSyncReturns<string> {
  const script = projectFile(`test/lifecycle/fixtures/${name}.mjs`);
  const command = [nodeProgram, ...flags, script, builtLibrary(), ...args];
  if (addressSpace !== undefined) command.unshift('sh', '-c', `ulimit -v ${addressSpace} && exec "$@"`, 'sh');
  return spawnSync(command[0], command.slice(1), {
    env: environment(env),
    encoding: 'utf8',
    timeout: timeout * 1000,
    maxBuffer: 1 << 26,
  });
}

/** What a fixture printed as its last line of JSON; fails when it did not end well. */
export function reportOf<T>(result: SpawnSyncReturns<string>): T {
  expect(result.signal, `${result.stdout}\n${result.stderr}`).toBeNull();
  expect(result.status, `${result.stdout}\n${result.stderr}`).toBe(0);
  const line = result.stdout.trimEnd().split('\n').at(-1) as string;
  return JSON.parse(line) as T;
}
