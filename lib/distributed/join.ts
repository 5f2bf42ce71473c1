import { hostname } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { checkArity, checkChoice, checkOptions, checkPath } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { findLauncher, type Launcher } from '../launcher.js';
import { endWithProcess } from './exit.js';
import { type Group, JoinedGroup } from './group.js';
import { type MpiLibrary, openLibrary } from './libraries.js';

export interface JoinOptions {
  /**
   * Path, file: URL or name of the MPI library. Default: the environment variable `BLASNET_MPI`, else the library that
   * this process has loaded already, else the first that loads of the usual names, those of the launcher's family first.
   */
  library?: string | URL;
  /**
   * How sums are made. `library` (default): by MPI's own reduction; its order, and so the last bits of a result, are the
   * library's choice. `ordered`: in the order of the ranks and in double precision, the same bits with any library. All
   * ranks must choose alike.
   */
  reduction?: 'library' | 'ordered';
}

let joined: { options: JoinOptions; group: Promise<Group> } | undefined;

/**
 * Joins the processes that `mpirun`, `srun` or another MPI launcher started together. Call it on all of them; it
 * resolves when all have come. A process that was started on its own is a group of one, for which no library is opened.
 * MPI starts once in a process: a second call gives the same group.
 *
 * If the process ends with an error, or while a call of the group is under way, the whole job ends.
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
    const group = new JoinedGroup({ rank: 0, hosts: [hostname()] }, reduction);
    joined = { options: asked, group: Promise.resolve(group) };
    return group;
  }
  yieldWhenIdle();
  const opened = openLibrary(launcher, library, reduction === 'ordered');
  joined = { options: asked, group: join(launcher, opened, reduction) };
  return joined.group;
}

/** Open MPI's own threads and calls would spin on cores that other ranks need. It reads the variable when it starts. */
function yieldWhenIdle(): void {
  process.env.OMPI_MCA_mpi_yield_when_idle ??= '1';
}

async function join(
  launcher: Launcher,
  opened: ReturnType<typeof openLibrary>,
  reduction: Group['reduction'],
): Promise<Group> {
  const { native, library } = opened;
  let place: Awaited<ReturnType<typeof native.join>>;
  try {
    place = await native.join();
  } catch (cause) {
    const what = `joinGroup: MPI does not start with ${libraryText(library)}: ${(cause as Error).message}`;
    throw new BlasnetError('GROUP_FAILED', what, { cause });
  }
  const { size, name } = launcher;
  if (size !== undefined && place.hosts.length !== size) {
    // Each rank is alone with this library, so nobody has to be waited for.
    await native.leave();
    const ranks = place.hosts.length === 1 ? '1 rank' : `${place.hosts.length} ranks`;
    const what = `joinGroup: ${name} started ${size} ranks, but the library ${libraryText(library)} knows of ${ranks}`;
    const remedy =
      "they belong to different MPIs. Name the launcher's library in BLASNET_MPI, or start with the other mpirun";
    throw new BlasnetError('GROUP_FAILED', `${what}: ${remedy}`);
  }
  const group = new JoinedGroup(place, reduction, opened);
  endWithProcess(group, native);
  return group;
}

function libraryText({ file, version }: MpiLibrary): string {
  return `${file} (${version})`;
}
