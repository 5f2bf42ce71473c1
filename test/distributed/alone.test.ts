import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import { joinGroup, mpiInfo } from '../../lib/distributed/index.js';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { findLauncher } from '../../lib/launcher.js';
import { builtLibrary, environment, nodeProgram } from '../lifecycle/child.js';
import { missing, mpis } from './support.js';

describe('a process that no launcher started', () => {
  it('is a group of one, for which no library is opened', async () => {
    const group = await joinGroup();
    expect(group).toMatchObject({ rank: 0, size: 1, ranksOnHost: 1, library: undefined, reduction: 'library' });
    expect(group.host).toEqual({ name: hostname(), index: 0, count: 1 });
    expect(await joinGroup()).toBe(group);
    const values = Float32Array.of(1, 2);
    expect(await group.allReduce(values)).toBe(values);
    expect(await group.broadcast(values, 0)).toEqual(Float32Array.of(1, 2));
    await group.barrier();
    await expect(group.broadcast(values, 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await group.leave();
    await expect(group.barrier()).rejects.toMatchObject({ code: 'GROUP_FAILED' });
  });

  it('another group is refused, however the options are made', async () => {
    const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError() });
    const data = new Dataset({ features: [[1]], targets: [[1]] });
    class Options {
      group = 5 as never;
    }
    for (const options of [{ group: 5 as never }, new Options(), Object.create({ group: 5 })])
      await expect(network.fit(data, options)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/^fit: group: expected a group that joinGroup gave, got 5$/),
      });
  });

  it('detached and resizable arrays are refused', async () => {
    const group = await joinGroup();
    const detached = new Float32Array(4);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    await expect(group.allReduce(detached)).rejects.toMatchObject({ code: 'DETACHED_BUFFER' });
  });

  it('mpiInfo tells of no launcher', () => {
    expect(mpiInfo().launcher).toBeUndefined();
  });
});

interface Info {
  threads: number;
  threadsReason: string;
  mpi: { launcher?: object };
}

function command(env: Record<string, string>): Info {
  const main = builtLibrary('cli/main.js').replace(/^file:\/\//, '');
  const { stdout } = spawnSync(nodeProgram, [main, 'info', '--json'], { env: environment(env), encoding: 'utf8' });
  return JSON.parse(stdout);
}

describe.skipIf(missing !== undefined)(`processes that a launcher started${missing ? ` (${missing})` : ''}`, () => {
  const join = `import { joinGroup } from '${builtLibrary('distributed/index.js')}'; const { url, ...options } = JSON.parse(process.argv[1]); await joinGroup(url ? { library: new URL(url) } : options);`;
  const joining = (options: object, env: Record<string, string>) =>
    spawnSync(nodeProgram, ['--input-type=module', '-e', join, JSON.stringify(options)], {
      env: environment({ PMI_SIZE: '2', PMI_RANK: '1', ...env }),
      encoding: 'utf8',
      timeout: 60_000,
    });

  it('without a library: an error that names the launcher and what was tried', () => {
    const { status, stderr } = joining({}, { BLASNET_MPI: '/nowhere/libmpi.so' });
    expect(status).toBe(1);
    expect(stderr).toContain("MPICH's mpirun or a relative of it started 2 ranks, but no MPI library loads");
    expect(stderr).toMatch(/asked for by BLASNET_MPI. Tried \/nowhere\/libmpi.so: /);
    expect(stderr).toContain("code: 'GROUP_FAILED'");
  });

  it('the option goes before the variable, and takes a URL', () => {
    const { stderr } = joining({ url: 'file:///no%20where/libmpi.so' }, { BLASNET_MPI: '/other' });
    expect(stderr).toContain('/no where/libmpi.so: ');
    expect(stderr).not.toContain('/other');
  });

  it.skipIf(process.platform !== 'linux')('a library that is no MPI', () => {
    expect(joining({ library: 'libc.so.6' }, {}).stderr).toContain('libc.so.6: it has no MPI_Initialized');
  });

  const mpich = mpis.find(({ name }) => name === 'MPICH');
  it.skipIf(mpich === undefined)('by a launcher that tells the rank only, with the library of another', () => {
    const { status, stderr } = joining({}, { PMI_SIZE: '', PMIX_RANK: '1', BLASNET_MPI: mpich!.library });
    expect(status).toBe(1);
    expect(stderr).toContain('a PMIx launcher started this process as rank 1, but the library libmpich.so.12 (MPICH');
    expect(stderr).toContain('knows of 1 rank');
  });

  it('without the native backend', () => {
    const { stderr } = joining({}, { BLASNET_BINARY: 'none' });
    expect(stderr).toContain('MPI needs the native backend');
    expect(stderr).toContain("code: 'BACKEND_UNAVAILABLE'");
  });

  it('share the processors of their host', () => {
    const whole = command({}).threads;
    const half = command({ PMI_SIZE: '4', PMI_RANK: '0', MPI_LOCALNRANKS: '2' });
    expect(half.threads).toBe(Math.max(Math.floor(whole / 2), 1));
    if (whole > 1) expect(half.threadsReason).toMatch(/a share of \d+ processors for each of 2 ranks on this host/);
    expect(half.mpi.launcher).toMatchObject({ rank: 0, size: 4, ranksOnHost: 2 });
    expect(command({ PMI_SIZE: '999', PMI_RANK: '0', MPI_LOCALNRANKS: '999' }).threads).toBe(1);
    const chosen = { PMI_SIZE: '4', PMI_RANK: '0', MPI_LOCALNRANKS: '4', BLASNET_THREADS: '3' };
    expect(command(chosen).threads).toBe(3);
  });
});

describe('launchers', () => {
  it.each([
    [{}, undefined],
    [{ OMPI_COMM_WORLD_SIZE: 'many' }, undefined],
    // A batch script, outside of srun.
    [{ SLURM_NTASKS: '4', SLURM_PROCID: '0' }, undefined],
    [
      { OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_LOCAL_SIZE: '2', PMIX_RANK: '3' },
      { family: 'Open MPI', rank: 3, size: 4, ranksOnHost: 2 },
    ],
    // mpirun in a Slurm job: srun started its daemons only.
    [
      { OMPI_COMM_WORLD_SIZE: '4', SLURM_STEP_NUM_TASKS: '2', SLURM_PROCID: '1' },
      { family: 'Open MPI', size: 4, ranksOnHost: undefined },
    ],
    [
      { PMI_SIZE: '2', PMI_RANK: '0', MPI_LOCALNRANKS: '1' },
      { family: 'MPICH', rank: 0, size: 2, ranksOnHost: 1 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: '7', SLURM_PROCID: '6', SLURM_NODEID: '3', SLURM_STEP_TASKS_PER_NODE: '2(x3),1' },
      { name: "Slurm's srun", rank: 6, size: 7, ranksOnHost: 1 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: '7', SLURM_PROCID: '5', SLURM_NODEID: '2', SLURM_STEP_TASKS_PER_NODE: '2(x3),1' },
      { rank: 5, ranksOnHost: 2 },
    ],
    [
      { SLURM_STEP_NUM_TASKS: '7', SLURM_NODEID: '9', SLURM_STEP_TASKS_PER_NODE: '2(x3),1' },
      { ranksOnHost: undefined },
    ],
    [{ PMIX_RANK: '5' }, { rank: 5, size: undefined, family: undefined }],
  ])('%j', (variables, expected) => {
    const found = findLauncher(variables);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(expected);
  });
});
