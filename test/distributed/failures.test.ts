import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { projectFile } from '../lifecycle/child.js';
import { compilerOf, describeMpi, launch, mpis, processRuns } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-failures-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether a process runs; one that has just been killed may be there for a moment. */
async function ends(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (!processRuns(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

describeMpi('a rank that ends ends the job', (mpi) => {
  const thrown = /rank 1 of 3 on \S+ ends the job: TypeError: bad luck\n/;
  const otherWaysToThrow: [string, RegExp][] = [
    ['rejects', thrown],
    ['in a timer', thrown],
  ];
  const afterFailure: [string, RegExp][] = [
    ['after a failure', /GROUP_FAILED\n.*rank 1 of 3 on \S+ ends the job: the group failed before\n/s],
  ];
  it.each<[string, RegExp]>([
    ['throws', thrown],
    // What comes from JavaScript is the same with the other MPI.
    ...(mpi.name === 'MPICH' ? otherWaysToThrow : []),
    ['exit code', /rank 1 of 3 on \S+ ends the job: exit code 7\n/],
    ['during a call', /rank 1 of 3 on \S+ ends the job: it ended while other ranks wait for it\n/],
    // Open MPI ends the job itself.
    ...(mpi.name === 'MPICH' ? afterFailure : []),
    ['unsettled', /rank 1 of 3 on \S+ ends the job: exit code 13\n/],
    ['killed', /signal 9|SIGKILL|KILLED/i],
  ])('%s', async (how, line) => {
    const { status, signal, stdout, stderr, reports, seconds } = launch<{ pid: number }>(mpi, 3, 'ends', [how]);
    expect(signal, 'no hang').toBeNull();
    expect(status).not.toBe(0);
    expect(stdout + stderr).toMatch(line);
    expect(seconds).toBeLessThan(30);
    for (const report of reports) if (report !== undefined) expect(await ends(report.pid)).toBe(true);
  });
});

describeMpi('a rank that ends before it joins', (mpi) => {
  // MPICH's launcher waits for the others, which wait for this one: docs/distributed.md tells to join first.
  it.skipIf(mpi.name === 'MPICH')('ends the job', () => {
    const { status, signal, stderr } = launch(mpi, 3, 'ends', ['before']);
    expect(signal, 'no hang').toBeNull();
    expect(status).not.toBe(0);
    expect(stderr).toContain('TypeError: bad luck');
  });
});

describeMpi('the library of another MPI', (mpi) => {
  const other = mpis.find(({ name }) => name !== mpi.name);
  it.skipIf(other === undefined)('is an error that names both', () => {
    const { status, stderr } = launch(mpi, 2, 'calls', ['library'], { BLASNET_MPI: other!.library });
    expect(status).not.toBe(0);
    const launcher = mpi.name === 'MPICH' ? "MPICH's mpirun or a relative of it" : "Open MPI's mpirun";
    expect(stderr).toContain(`${launcher} started 2 ranks, but the library ${other!.library} (${other!.name}`);
    expect(stderr).toContain('knows of 1 rank');
    expect(stderr).toContain("code: 'GROUP_FAILED'");
  });
});

/** A shim whose gathers fail from number 20 on: the first is of the hosts, each step of `torn.mjs` has at least one. */
const failing = `
#include <mpi.h>
static int gathers = 0;
static int failingGather(const void* send, int count, MPI_Datatype type, void* receive, const int* counts,
                         const int* places, MPI_Datatype received, MPI_Comm comm, MPI_Request* request) {
  if (++gathers >= 20) return MPI_ERR_OTHER;
  return MPI_Iallgatherv(send, count, type, receive, counts, places, received, comm, request);
}
#define MPI_Iallgatherv failingGather
#include "${projectFile('native/host/mpi_shim.c')}"
`;

describeMpi('MPI reports an error while ranks divide the update', (mpi) => {
  const compiler = compilerOf(mpi);

  it.skipIf(compiler === undefined)('fit restores what its last run began with', () => {
    const [source, library] = ['c', 'so'].map((ending) => join(folder, `${mpi.name}.${ending}`));
    writeFileSync(source, failing);
    const compiled = spawnSync(compiler!, ['-shared', '-fPIC', '-o', library, source], { encoding: 'utf8' });
    expect(compiled).toMatchObject({ status: 0, stderr: '' });
    const { reports, stderr } = launch(mpi, 2, 'torn', [], { BLASNET_MPI: library, BLASNET_THREADS: '1' });
    for (const report of reports) {
      expect(report, stderr).toEqual({ code: 'GROUP_FAILED', epochs: expect.any(Number), differing: [] });
      expect((report as { epochs: number }).epochs).toBeGreaterThan(0);
    }
  });
});
