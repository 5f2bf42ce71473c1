import { hostname } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { checkArity, checkChoice, checkOptions, checkPath } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { findLauncher, type Launcher } from '../launcher.js';
import { endWithProcess } from './exit.js';
import { type Group, JoinedGroup } from './group.js';
import { type MpiLibrary, openLibrary, startedBy } from './libraries.js';

/** Options of {@link joinGroup}. */
export interface JoinOptions {
  /**
   * Path, file: URL or name of the MPI library. Default: the environment variable `BLASNET_MPI`; otherwise what `npx
   * blasnet build --mpi` has built; otherwise the MPI library that this process has already loaded; otherwise the first
   * of the usual names that loads, starting with the launcher's family.
   */
  library?: string | URL;
  /**
   * How sums are made. `library` (default): by MPI's own reduction; the library chooses the order, and with it the last
   * bits of a result. `ordered`: in the order of the ranks and in double precision, the same bits with any library. All
   * ranks must choose alike.
   */
  reduction?: 'library' | 'ordered';
}

type Opened = ReturnType<typeof openLibrary>;

let joined: { options: JoinOptions; group: Promise<Group> } | undefined;

/**
 * Joins the processes that `mpirun`, `srun` or another MPI launcher started together. Call it on all of them; it
 * resolves when all have joined. A process that was started on its own is a group of one, for which no library is
 * opened. MPI starts once in a process: a second call gives the same group.
 *
 * If the process ends with an error, or while a call of the group or a `fit` is under way, the whole job ends.
 *
 * Throws `GROUP_FAILED` if no library loads, if it does not belong to the launcher, or if MPI does not start,
 * `BACKEND_UNAVAILABLE` without the native backend, `INVALID_ARGUMENT` (also in a worker thread, and for options other
 * than those of the first call) and `UNKNOWN_OPTION`.
 */
export async function joinGroup(options?: JoinOptions): Promise<Group> {
  checkArity('joinGroup', arguments, 1);
  const given = checkOptions('joinGroup', options, ['library', 'reduction']);
  const library = given.library === undefined ? undefined : checkPath('library', given.library);
  const reduction = checkChoice('reduction', given.reduction ?? 'library', ['library', 'ordered']);
  if (!isMainThread) {
    throw new BlasnetError('INVALID_ARGUMENT', 'joinGroup: expected to be called in the main thread, not in a worker');
  }
  const asked = { ...(library !== undefined && { library }), reduction };
  if (joined !== undefined) {
    const { options: first, group } = joined;
    if (asked.library !== first.library || asked.reduction !== first.reduction) {
      throw new BlasnetError('INVALID_ARGUMENT', 'joinGroup: expected the options of the first call, got others');
    }
    return group;
  }
  const launcher = findLauncher();
  if (launcher === undefined || launcher.size === 1) {
    const group = new JoinedGroup(0, [hostname()], reduction);
    joined = { options: asked, group: Promise.resolve(group) };
    return group;
  }
  const opened = openLibrary(launcher, library, reduction === 'ordered');
  joined = { options: asked, group: join(launcher, opened, reduction) };
  return joined.group;
}

async function join(launcher: Launcher, opened: Opened, reduction: Group['reduction']): Promise<Group> {
  const { native, library } = opened;
  let group: JoinedGroup | undefined;
  let failed = false;
  endWithProcess(
    native,
    () => group?.toString() ?? `rank ${launcher.rank ?? '?'} of ${launcher.size ?? '?'}`,
    () => group?.state ?? (failed ? 'over' : 'busy'),
  );
  try {
    const { rank, hosts } = await native.join();
    // Some launchers give only the rank.
    if ((launcher.size ?? hosts.length) !== hosts.length || (launcher.rank ?? rank) >= hosts.length) {
      // With this library each rank is a group of one, so there is no rank to wait for.
      await native.leave();
      throw new Error(mismatch(launcher, library, hosts.length));
    }
    group = new JoinedGroup(rank, hosts, reduction, opened);
    return group;
  } catch (cause) {
    failed = true;
    throw new BlasnetError('GROUP_FAILED', `joinGroup: ${(cause as Error).message}`, { cause });
  }
}

function mismatch(launcher: Launcher, { file, version }: MpiLibrary, size: number): string {
  const ranks = size === 1 ? '1 rank' : `${size} ranks`;
  const known = `${startedBy(launcher)}, but the library ${file} (${version}) knows of ${ranks}: they belong to different MPIs`;
  return `${known}. Name the launcher's library in BLASNET_MPI, or start with the library's mpirun`;
}
