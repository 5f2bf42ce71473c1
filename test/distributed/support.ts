import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { addonFile, builtLibrary, environment, nodeProgram, projectFile } from '../lifecycle/child.js';

export interface Mpi {
  readonly name: 'Open MPI' | 'MPICH';
  readonly command: string;
  /** Options that all tests need: more ranks than cores. */
  readonly options: readonly string[];
  /** A name of its library. */
  readonly library: string;
}

function find(commands: readonly string[], version: RegExp): string | undefined {
  return commands.find((command) => {
    const { stdout = '' } = spawnSync(command, ['--version'], { encoding: 'utf8', timeout: 20_000 });
    return version.test(stdout ?? '');
  });
}

const known = [
  {
    name: 'Open MPI',
    commands: ['mpirun.openmpi', 'mpirun'],
    version: /Open MPI/,
    options: ['--oversubscribe', '--bind-to', 'none'],
    library: 'libmpi.so.40',
  },
  { name: 'MPICH', commands: ['mpirun.mpich', 'mpirun'], version: /HYDRA/, options: [], library: 'libmpich.so.12' },
] as const;

/** What is missing for tests of groups with several ranks; undefined if nothing is. */
export const missing = existsSync(addonFile) ? undefined : 'no native addon is built';

export const mpis: readonly Mpi[] =
  missing !== undefined
    ? []
    : known.flatMap(({ commands, version, ...rest }) => {
        const command = find(commands, version);
        return command === undefined ? [] : [{ ...rest, command }];
      });

/** The compiler of an MPI, which Debian has beside its launcher; undefined without its headers. */
export function compilerOf({ name }: Mpi): string | undefined {
  const compiler = name === 'MPICH' ? 'mpicc.mpich' : 'mpicc.openmpi';
  return spawnSync(compiler, ['-E', '-x', 'c', '-'], { input: '#include <mpi.h>\n' }).status === 0
    ? compiler
    : undefined;
}

/** Declares tests for each MPI that is installed here; the others are skipped, with the reason. */
export function describeMpi(title: string, suite: (mpi: Mpi) => void): void {
  for (const { name, commands } of known) {
    const mpi = mpis.find((found) => found.name === name);
    if (mpi !== undefined) {
      describe(`${title}, ${name}`, () => suite(mpi));
    } else {
      const reason = missing ?? `${commands[0]} is not installed`;
      describe.skip(`${title}, ${name}: ${reason}`, () => it('runs', () => {}));
    }
  }
}

export interface Launched<T> extends SpawnSyncReturns<string> {
  /** What each rank reported, by rank; undefined for one that did not. */
  readonly reports: (T | undefined)[];
  readonly seconds: number;
}

/** Seconds after which a job that hangs is killed: of the whole job, or without a line of output. */
export const WATCHDOG = 60;

const variables = (env: Readonly<Record<string, string>>) =>
  environment({
    OMPI_ALLOW_RUN_AS_ROOT: '1',
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
    OMPI_MCA_mpi_yield_when_idle: '1',
    ...env,
  });

function words(mpi: Mpi, ranks: number, fixture: string, folder: string, args: readonly string[]): string[] {
  const script = projectFile(`test/distributed/fixtures/${fixture}.mjs`);
  const library = builtLibrary('index.js').replace(/index\.js$/, '');
  return [mpi.command, ...mpi.options, '-n', String(ranks), nodeProgram, script, library, folder, ...args];
}

/**
 * Runs a script of test/distributed/fixtures on several ranks, to its end. The script is given the address of the built
 * package's folder, a folder in which each rank may write its report as `<rank>.json`, and `args`.
 */
export function launch<T>(
  mpi: Mpi,
  ranks: number,
  fixture: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Launched<T> {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-mpi-'));
  try {
    const [command, ...rest] = words(mpi, ranks, fixture, folder, args);
    const begin = performance.now();
    const result = spawnSync(command, rest, {
      env: variables(env),
      encoding: 'utf8',
      timeout: WATCHDOG * 1000,
      killSignal: 'SIGKILL',
    });
    const reports = Array.from({ length: ranks }, (_, rank) => {
      const path = join(folder, `${rank}.json`);
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
    });
    return { ...result, reports, seconds: (performance.now() - begin) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A job that runs. */
export interface Job {
  /** The processes of the ranks that have joined, by rank. */
  processes(): (number | undefined)[];
  /** Resolves when so many lines of standard output begin with `start`, or when the job has ended. */
  printed(start: string, count: number): Promise<void>;
  /** Resolves when the launcher has ended. */
  readonly ended: Promise<{ readonly status: number | null; readonly signal: string | null; readonly output: string }>;
}

export function processRuns(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a script of test/distributed/fixtures on several ranks, which report their processes in `folder`. The watchdog
 * kills the launcher and the ranks. `prefix`: words before the launcher's.
 */
export function startJob(
  mpi: Mpi,
  ranks: number,
  fixture: string,
  folder: string,
  args: readonly string[],
  { env = {}, prefix = [] }: { env?: Readonly<Record<string, string>>; prefix?: readonly string[] } = {},
): Job {
  const [command, ...rest] = [...prefix, ...words(mpi, ranks, fixture, folder, args)];
  for (let rank = 0; rank < ranks; rank++) rmSync(join(folder, `${rank}.json`), { force: true });
  const child = spawn(command, rest, { env: variables(env), stdio: ['ignore', 'pipe', 'pipe'] });
  const processes = () =>
    Array.from({ length: ranks }, (_, rank) => {
      try {
        return (JSON.parse(readFileSync(join(folder, `${rank}.json`), 'utf8')) as { pid: number }).pid;
      } catch {
        // It has not joined, or is writing the file.
        return undefined;
      }
    });
  const watchdog = setTimeout(() => {
    child.kill('SIGKILL');
    for (const pid of processes()) if (pid !== undefined && processRuns(pid)) process.kill(pid, 'SIGKILL');
  }, WATCHDOG * 1000);
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
      watchdog.refresh();
      for (const listener of listeners) listener();
    });
  let over = false;
  const ended = new Promise<Awaited<Job['ended']>>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      clearTimeout(watchdog);
      over = true;
      for (const listener of listeners) listener();
      resolve({ status, signal, output });
    });
  });
  const printed = (start: string, count: number) =>
    new Promise<void>((resolve) => {
      const listener = () => {
        if (!over && output.split('\n').filter((line) => line.startsWith(start)).length < count) return;
        listeners.delete(listener);
        resolve();
      };
      listeners.add(listener);
      listener();
    });
  return { processes, printed, ended };
}
