import { readFileSync } from 'node:fs';
import { join } from 'node:path/posix';

/** A container's CPU time limit, in CPUs, and the file that sets it. */
export interface CpuQuota {
  readonly cpus: number;
  readonly file: string;
}

/** A file's text, or undefined if it can't be read. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Quota divided by period, both in microseconds; undefined if there is no limit ('max', −1) or the values are invalid.
 */
function cpusOf(quota: string | undefined, period: string | undefined): number | undefined {
  const [time, every] = [Number(quota), Number(period)];
  return time > 0 && every > 0 && Number.isFinite(time / every) ? time / every : undefined;
}

/** How to read a group's limit: cgroup v2 has both numbers in one file, v1 has one file for each. */
const readers = {
  cgroup2(root: string, group: string): CpuQuota | undefined {
    const file = join(group, 'cpu.max');
    const [quota, period] =
      read(root + file)
        ?.trim()
        .split(/\s+/) ?? [];
    const cpus = cpusOf(quota, period);
    return cpus === undefined ? undefined : { cpus, file };
  },
  cgroup(root: string, group: string): CpuQuota | undefined {
    const file = join(group, 'cpu.cfs_quota_us');
    const cpus = cpusOf(read(root + file), read(root + join(group, 'cpu.cfs_period_us')));
    return cpus === undefined ? undefined : { cpus, file };
  },
} as const;

/** A mount point of control groups that may limit CPU time. */
interface Mount {
  readonly version: keyof typeof readers;
  /** The group mounted at `point`: '/' unless a container sees only its own subtree. */
  readonly top: string;
  readonly point: string;
}

/**
 * Parses lines like `31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu`, with optional fields before
 * the hyphen.
 */
function mountsOf(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [mount, filesystem = ''] = line.split(' - ');
    const [, , , top = '', point = ''] = mount.split(' ').map(withoutEscapes);
    const [version, , options = ''] = filesystem.split(' ');
    const limits = version === 'cgroup2' || (version === 'cgroup' && options.split(',').includes('cpu'));
    return limits ? [{ version, top, point } as const] : [];
  });
}

/** Decodes special characters such as spaces, written as three octal digits. */
function withoutEscapes(field: string): string {
  return field.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/**
 * The process's group in the hierarchy of a mount, from lines like `4:cpu,cpuacct:/docker/ab` (v1) and `0::/docker/ab`
 * (v2).
 */
function groupOf(cgroup: string, version: Mount['version']): string | undefined {
  for (const line of cgroup.split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (group !== undefined && (version === 'cgroup2' ? controllers === '' : controllers.split(',').includes('cpu')))
      return group;
  }
  return undefined;
}

/** The directories of a group and its ancestors that are visible below the mount. */
function foldersOf({ top, point }: Mount, group: string): string[] {
  // A container may see its group's path on the host, but only that group mounted.
  const path = top === '/' ? group : group.startsWith(`${top}/`) ? group.slice(top.length) : '/';
  const names = path.split('/').filter((name) => name !== '' && name !== '..');
  return [...names.keys(), names.length].map((depth) => join(point, ...names.slice(0, depth)));
}

/**
 * The smallest CPU time limit of this process's control groups (v1 and v2); undefined if there is none. All paths are
 * relative to `root`.
 */
export function cpuQuota(root = ''): CpuQuota | undefined {
  const [mountinfo, cgroup] = [read(`${root}/proc/self/mountinfo`), read(`${root}/proc/self/cgroup`)];
  if (mountinfo === undefined || cgroup === undefined) return undefined;
  return mountsOf(mountinfo)
    .flatMap((mount) => {
      const group = groupOf(cgroup, mount.version);
      return group === undefined ? [] : foldersOf(mount, group).map((folder) => readers[mount.version](root, folder));
    })
    .filter((quota) => quota !== undefined)
    .sort((a, b) => a.cpus - b.cpus)[0];
}
