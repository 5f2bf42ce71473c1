import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
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

/** Seconds after which a job that hangs is killed. */
const WATCHDOG = 60;

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
    const script = projectFile(`test/distributed/fixtures/${fixture}.mjs`);
    const library = builtLibrary('index.js').replace(/index\.js$/, '');
    const command = [...mpi.options, '-n', String(ranks), nodeProgram, script, library, folder, ...args];
    const begin = performance.now();
    const result = spawnSync(mpi.command, command, {
      env: environment({
        OMPI_ALLOW_RUN_AS_ROOT: '1',
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1',
        OMPI_MCA_mpi_yield_when_idle: '1',
        ...env,
      }),
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
