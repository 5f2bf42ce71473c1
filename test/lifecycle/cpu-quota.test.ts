import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cpuQuota } from '../../lib/backend/native/cpu-quota.js';

/** A folder with these files, for the time of a test. */
function rootOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'blasnet-quota-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const proc = (cgroup: string, mountinfo: string) => ({ 'proc/self/cgroup': cgroup, 'proc/self/mountinfo': mountinfo });
const v2 = '30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n';
const quotaOf = (files: Readonly<Record<string, string>>) => cpuQuota(rootOf(files));

describe('the CPU quota of a container', () => {
  it('is read from cgroup v2', () => {
    const files = { ...proc('0::/\n', v2), 'sys/fs/cgroup/cpu.max': '150000 100000\n' };
    expect(quotaOf(files)).toEqual({ cpus: 1.5, file: '/sys/fs/cgroup/cpu.max' });
    expect(quotaOf({ ...files, 'sys/fs/cgroup/cpu.max': '50000 200000' })?.cpus).toBe(0.25);
  });

  it('is the smallest of a group and those around it', () => {
    const files = { ...proc('0::/kube/pod/box\n', v2), 'sys/fs/cgroup/kube/pod/box/cpu.max': 'max 100000\n' };
    expect(quotaOf(files)).toBeUndefined();
    const limited = {
      ...files,
      'sys/fs/cgroup/kube/pod/cpu.max': '400000 100000\n',
      'sys/fs/cgroup/kube/cpu.max': '700000 100000\n',
    };
    expect(quotaOf(limited)).toEqual({ cpus: 4, file: '/sys/fs/cgroup/kube/pod/cpu.max' });
  });

  it('is read from cgroup v1, beside hierarchies of other controllers', () => {
    const mounts = [
      '31 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset',
      '32 30 0:29 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro master:17 - cgroup cgroup rw,cpu,cpuacct',
      '33 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
    ].join('\n');
    const cgroup = '5:cpuset:/\n4:cpu,cpuacct:/docker/ab\n0::/\n';
    const folder = 'sys/fs/cgroup/cpu,cpuacct';
    const files = {
      ...proc(cgroup, mounts),
      [`${folder}/cpu.cfs_quota_us`]: '-1\n',
      [`${folder}/cpu.cfs_period_us`]: '100000\n',
    };
    expect(quotaOf(files)).toBeUndefined();
    expect(quotaOf({ ...files, [`${folder}/cpu.cfs_quota_us`]: '250000\n' })).toEqual({
      cpus: 2.5,
      file: '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us',
    });
    // Told its path on the host, of which it sees nothing.
    const host = {
      ...files,
      'proc/self/cgroup': '4:cpu,cpuacct:/system.slice/x\n',
      [`${folder}/cpu.cfs_quota_us`]: '100000',
    };
    expect(quotaOf(host)?.cpus).toBe(1);
    // Below the mounted group.
    const below = {
      ...files,
      'proc/self/cgroup': '4:cpu,cpuacct:/docker/ab/inner\n',
      [`${folder}/inner/cpu.cfs_quota_us`]: '300000',
    };
    expect(quotaOf({ ...below, [`${folder}/inner/cpu.cfs_period_us`]: '100000' })?.cpus).toBe(3);
  });

  it('is found where the mount has a name with a space', () => {
    const mount = '30 24 0:27 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n';
    expect(quotaOf({ ...proc('0::/\n', mount), 'sys/fs/c group/cpu.max': '200000 100000' })?.cpus).toBe(2);
  });

  it('is none where there are no groups, or no sense in their files', () => {
    expect(quotaOf({})).toBeUndefined();
    expect(quotaOf(proc('', ''))).toBeUndefined();
    expect(quotaOf(proc('0::/\n', v2))).toBeUndefined();
    expect(quotaOf(proc('0::/../..\n', v2))).toBeUndefined();
    for (const text of ['', 'max', 'x y', '0 0', '100000', '100000 0', '-5 100000', 'NaN NaN']) {
      expect(quotaOf({ ...proc('0::/\n', v2), 'sys/fs/cgroup/cpu.max': text }), text).toBeUndefined();
    }
  });
});
