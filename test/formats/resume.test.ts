import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeNative } from '../api/support.js';
import { reportOf, runFixture } from '../lifecycle/child.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-resume-'));
afterAll(() => rmSync(folder, { recursive: true }));

function resume(backend: string, threads: number): void {
  const report = reportOf(
    runFixture('resume', { args: [backend, folder], env: { BLASNET_THREADS: String(threads) }, timeout: 60 }),
  );
  const all = { adam: true, momentum: true, nadam: true, lion: true, muon: true };
  expect(report).toEqual({ threads, same: all, changed: all });
}

// Batch norm, dropout, shuffling, a schedule: all that has a state or a count of its own.
it('a training that goes on from a file has the bits of one that was not interrupted (typescript)', () => {
  resume('typescript', 1);
});

describeNative('a training that goes on from a file', () => {
  it.each([1, 2])('has the bits of one that was not interrupted, on %i threads', (threads) =>
    resume('native', threads),
  );
});
