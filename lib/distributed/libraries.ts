import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeGroup } from '../backend/backend.js';
import { tryNative } from '../backend/select.js';
import { checkArity } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { findLauncher, type Launcher } from '../launcher.js';
import { packageFolder } from '../packages.js';
import { cut, errorText } from '../text.js';

/** An MPI library that was opened. */
export interface MpiLibrary {
  /** Path or name that it was opened by; `(loaded)` if the process had loaded it already. */
  readonly file: string;
  /** Its name and version, as it says itself. */
  readonly version: string;
  /** Its binary interface; `shim` for a library built by `blasnet build --mpi`. */
  readonly interface: 'Open MPI' | 'MPICH' | 'MPI ABI' | 'shim';
}

/** Names under which packages install the libraries, by family. The standard's interface belongs to both. */
const names = {
  linux: {
    'Open MPI': ['libmpi.so.40', 'libmpi.so'],
    MPICH: ['libmpi.so.12', 'libmpich.so.12'],
    standard: ['libmpi_abi.so.1', 'libmpi_abi.so.0'],
  },
  darwin: {
    'Open MPI': ['libmpi.40.dylib', '/opt/homebrew/lib/libmpi.40.dylib'],
    MPICH: ['libmpi.12.dylib', '/opt/homebrew/lib/libmpi.12.dylib'],
    standard: ['libmpi_abi.1.dylib', '/opt/homebrew/lib/libmpi_abi.1.dylib'],
  },
};

/** What `blasnet build --mpi` has made, if anything. */
function shims(): string[] {
  const folder = packageFolder();
  const file = folder && join(folder, 'build', 'Release', 'blasnet-mpi.so');
  return file !== undefined && existsSync(file) ? [file] : [];
}

function candidates(family: Launcher['family']): string[] {
  const table = names[process.platform === 'darwin' ? 'darwin' : 'linux'];
  // The other family is tried too: the error then states both what is installed and what would be needed.
  const order =
    family === 'MPICH' ? (['MPICH', 'standard', 'Open MPI'] as const) : (['Open MPI', 'MPICH', 'standard'] as const);
  // An empty name: what the process has loaded. Only its shim knows an uncommon MPI.
  return [...shims(), '', ...order.flatMap((name) => table[name])];
}

/**
 * Settings that the libraries read when they load. They are for processes with several threads and for large sums,
 * whatever the machine; variables that the user has set are kept.
 */
const settings = {
  // A rank that waits inside the library leaves its core to others.
  OMPI_MCA_mpi_yield_when_idle: '1',
  // Rabenseifner's algorithm. For sums in place, Open MPI would otherwise send the whole block along a tree.
  OMPI_MCA_coll_libnbc_iallreduce_algorithm: '3',
  // UCX, which some MPIs use, hooks into memory management, and moves the end of the heap to test its hooks. Another
  // thread that moves it at the same time loses the page in between.
  UCX_MEM_EVENTS: 'no',
};

/** The loader's message without the name of the library at its beginning. */
function reasonOf(error: unknown, file: string): string {
  const message = errorText(error);
  return cut(message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message, 200);
}

/**
 * Opens the MPI library: the requested one (an argument, or `BLASNET_MPI`), otherwise the one that `blasnet build
 * --mpi` was run for, otherwise the one that this process has loaded, otherwise the first of the known names that
 * loads. Throws `GROUP_FAILED` with every library tried and why it failed, and `BACKEND_UNAVAILABLE` without the native
 * backend.
 */
export function openLibrary(
  launcher: Launcher | undefined,
  asked: string | undefined,
  ordered: boolean,
): { native: NativeGroup; library: MpiLibrary } {
  const selected = tryNative();
  if ('error' in selected) {
    throw new BlasnetError('BACKEND_UNAVAILABLE', `MPI needs the native backend (${selected.error.message})`, {
      cause: selected.error,
    });
  }
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
  const own = asked ?? (process.env.BLASNET_MPI || undefined);
  const failures: string[] = [];
  for (const file of own === undefined ? candidates(launcher?.family) : [own]) {
    try {
      const native = selected.backend.openGroup!(file, ordered);
      const [version = ''] = native.version.split(/[,\n]/);
      return {
        native,
        library: {
          file: file || '(loaded)',
          version: version.replace(/\s+/g, ' ').trim(),
          interface: native.interface,
        },
      };
    } catch (error) {
      if (file !== '') failures.push(`${file}: ${reasonOf(error, file)}`);
    }
  }
  const remedy =
    own === undefined
      ? 'Install the MPI that the launcher belongs to, name its library in BLASNET_MPI, or run `npx blasnet build --mpi`'
      : `It was asked for by ${asked === undefined ? 'BLASNET_MPI' : "the option 'library'"}`;
  const started = launcher === undefined ? '' : `${startedBy(launcher)}, but `;
  throw new BlasnetError('GROUP_FAILED', `${started}no MPI library loads. ${remedy}. Tried ${failures.join('; ')}`);
}

/** What the launcher reports: `… started 4 ranks`. */
export function startedBy({ name, rank, size }: Launcher): string {
  if (size !== undefined) return `${name} started ${size} ranks`;
  return `${name} started this process${rank === undefined ? '' : ` as rank ${rank}`}`;
}

/** What is known of MPI here before any group is joined. */
export interface MpiInfo {
  /** What started this process together with others; undefined if it was started on its own. */
  readonly launcher: Omit<Launcher, 'family'> | undefined;
  /** The library that `joinGroup` would use; undefined if none loads. */
  readonly library: MpiLibrary | undefined;
  /** Why no library loads. */
  readonly reason: string | undefined;
}

/** The launcher of this process and the MPI library that `joinGroup()` would use. Opens the library, starts nothing. */
export function mpiInfo(): MpiInfo {
  checkArity('mpiInfo', arguments, 0);
  const found = findLauncher();
  const launcher = found && { name: found.name, rank: found.rank, size: found.size, ranksOnHost: found.ranksOnHost };
  try {
    return { launcher, library: openLibrary(found, undefined, false).library, reason: undefined };
  } catch (error) {
    if (!(error instanceof BlasnetError)) throw error;
    return { launcher, library: undefined, reason: error.message };
  }
}
