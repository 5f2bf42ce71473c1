/** A disk that is full when rank 0 saves its second checkpoint. Needs root, for a file system of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Network } from '../../lib/index.js';
import { describeMpi, launch } from './support.js';

/** Room for one checkpoint of 111 KB, not for the next beside it. */
const KILOBYTES = 176;

describeMpi('a full disk on rank 0', (mpi) => {
  it('ends all ranks with the reason, and leaves the checkpoint before', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'blasnet-disk-'));
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${KILOBYTES}k`, 'tmpfs', disk], {
      encoding: 'utf8',
    });
    try {
      if (mounted.status !== 0) skip(`no file system can be mounted here: ${mounted.stderr ?? mounted.error}`);
      const path = join(disk, 'checkpoint.safetensors');
      const { status, signal, stdout, stderr } = launch(mpi, 3, 'trains', [path, '20']);
      expect(signal, 'no hang').toBeNull();
      expect(status).not.toBe(0);
      expect(stdout).not.toContain('epoch 1\n');
      const lines = stderr.split('\n').filter((line) => line.includes('ends the job'));
      expect(
        lines.some((line) => /rank 0 of 3 on \S+ ends the job: .*ENOSPC: no space left on device/.test(line)),
      ).toBe(true);
      expect((await Network.loadCheckpoint(path)).epoch).toBe(1);
      expect(readdirSync(disk)).toEqual(['checkpoint.safetensors']);
    } finally {
      if (mounted.status === 0) spawnSync('umount', [disk]);
      rmSync(folder, { recursive: true });
    }
  });
});
