import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mpiInfo } from 'blasnet/distributed';
import type { Context, Output } from './command.js';

const inPackage = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Where `joinGroup` looks for it. */
const defaultOutput = 'build/Release/blasnet-mpi.so';

const remedy =
  'Install the headers of the MPI (Debian: apt-get install libopenmpi-dev or libmpich-dev), or on a cluster load its ' +
  'module. --mpicc names another compiler';

/** Compiles native/host/mpi_shim.c by the MPI's compiler, and says which library it found. */
export function buildShim(compiler: string, asked: string | undefined, note: Context['note']): Output {
  // Not as an error, which is one line.
  const failed = (text: string): Output => {
    note(`blasnet: the shim was not built: ${text}`);
    return { status: 1 };
  };
  if (process.platform === 'win32') return failed('MPI is supported on Linux and macOS only');
  const output = resolve(asked ?? inPackage(defaultOutput));
  const unfinished = `${output}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(output), { recursive: true });
  } catch (error) {
    return failed((error as Error).message);
  }
  try {
    const flags = ['-std=gnu11', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-o', unfinished];
    const { status, error, stderr } = spawnSync(compiler, [...flags, inPackage('native/host/mpi_shim.c')], {
      encoding: 'utf8',
    });
    if (error !== undefined && 'code' in error && error.code === 'ENOENT')
      return failed(`${compiler} was not found. ${remedy}`);
    if (error !== undefined) return failed(error.message);
    if (status !== 0) {
      const told = stderr.trimEnd().split('\n').slice(0, 10).join('\n');
      return failed(`${compiler} failed:\n${told}${/\bmpi\.h\b/.test(told) ? `\n${remedy}` : ''}`);
    }
    renameSync(unfinished, output);
  } finally {
    rmSync(unfinished, { force: true });
  }
  const { BLASNET_MPI: named } = process.env;
  process.env.BLASNET_MPI = output;
  const { library, reason } = mpiInfo();
  if (library === undefined) {
    note(`blasnet: built, but it does not load: ${reason}`);
    return { status: 1 };
  }
  const other = named ? resolve(named) !== output : asked !== undefined;
  const use = other ? 'set BLASNET_MPI to it, and joinGroup() uses it' : 'joinGroup() uses it';
  return { text: `${library.file}: ${library.version}; ${use}` };
}
