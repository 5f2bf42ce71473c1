import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { projectFile } from '../lifecycle/child.js';

const folder = 'examples/distributed';
const file = (name: string) => projectFile(`${folder}/${name}`);
const text = (name: string) => readFileSync(file(name), 'utf8');
const temporary = mkdtempSync(join(tmpdir(), 'blasnet-manifests-'));
afterAll(() => rmSync(temporary, { recursive: true }));

/** A command that prints its arguments, or does what `script` says. */
function fake(name: string, script = `echo "${name}" "$@"`): string {
  const path = join(temporary, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

function bash(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = `${temporary}:${process.env.PATH}`;
  return spawnSync('bash', [file(script), ...args], { encoding: 'utf8', env: { PATH: path, ...env }, timeout: 20_000 });
}

interface Replica {
  replicas: number;
  restartPolicy: string;
  template: {
    spec: { containers: { image: string; command: string[]; args: string[]; securityContext: object }[] };
  };
}

describe('the MPIJob', () => {
  const document = parseDocument(text('mpijob.yaml'), { strict: true, uniqueKeys: true });
  const job = document.toJS();
  const { Launcher, Worker } = job.spec.mpiReplicaSpecs as Record<string, Replica>;
  const [launcher] = Launcher.template.spec.containers;
  const [worker] = Worker.template.spec.containers;

  it('is YAML of that kind', () => {
    expect(document.errors).toEqual([]);
    expect(document.warnings).toEqual([]);
    expect(job).toMatchObject({ apiVersion: 'kubeflow.org/v2beta1', kind: 'MPIJob' });
  });

  it('starts as many ranks as the workers have slots', () => {
    expect(launcher.command).toEqual(['mpirun']);
    expect(launcher.args.every((argument) => typeof argument === 'string')).toBe(true);
    const ranks = launcher.args[launcher.args.indexOf('-n') + 1];
    expect(Number(ranks)).toBe(Worker.replicas * job.spec.slotsPerWorker);
    expect(launcher.args.slice(-2)).toEqual(['node', '/app/train.js']);
  });

  it('agrees with the Dockerfile', () => {
    const dockerfile = text('Dockerfile');
    expect(worker.image).toBe(launcher.image);
    for (const { securityContext } of [launcher, worker]) expect(securityContext).toEqual({ runAsUser: 1000 });
    const configuration = worker.args.at(-1) as string;
    expect(dockerfile).toContain(`> ${configuration} \\`);
    expect(dockerfile).toContain(`HostKey ${job.spec.sshAuthMountPath}/id_rsa`);
    expect(dockerfile).toMatch(/^WORKDIR \/app$/m);
    expect(dockerfile).toMatch(/^USER node$/m);
  });
});

it('the Dockerfile has only instructions that there are', () => {
  const lines = text('Dockerfile').replace(/\\\n/g, ' ').split('\n');
  const instructions = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  expect(instructions.map((line) => line.split(' ')[0])).toEqual([
    'FROM',
    'RUN',
    'RUN',
    'WORKDIR',
    'COPY',
    'RUN',
    'COPY',
    'USER',
  ]);
  for (const line of instructions) expect(line, 'an even number of quotes').toMatch(/^[^']*('[^']*'[^']*)*$/);
});

describe.skipIf(spawnSync('bash', ['--version']).status !== 0)('scripts (where bash is installed)', () => {
  it.each(['train.sbatch', 'restart.sh'])('%s: bash reads it, and may execute it', (name) => {
    expect(spawnSync('bash', ['-n', file(name)], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    accessSync(file(name), constants.X_OK);
  });

  it('train.sbatch: a dry run', () => {
    fake('srun', 'echo "$BLASNET_THREADS" "$@"');
    const { stdout, stderr, status } = bash('train.sbatch', ['--epochs', '3'], { SLURM_CPUS_PER_TASK: '16' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toBe('16 --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=16 node train.js --epochs 3\n');
    expect(bash('train.sbatch', [], { MPI_PLUGIN: 'pmi2' }).stdout).toContain('1 --mpi=pmi2 ');
    // Slurm reads its settings before the first command only.
    const lines = text('train.sbatch').split('\n');
    const command = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
    expect(lines.slice(command).some((line) => line.startsWith('#SBATCH'))).toBe(false);
  });

  it('restart.sh: again after a failure, not after success or a stop', () => {
    const counter = join(temporary, 'count');
    // Fails with the status that is asked for, until the last number of calls.
    const job = fake('job', `echo x >> ${counter}; [ $(wc -l < ${counter}) -ge "$2" ] && exit 0; exit "$1"`);
    const run = (attempts: string, ...args: string[]) => {
      rmSync(counter, { force: true });
      const { status } = bash('restart.sh', [attempts, job, ...args], { RESTART_PAUSE: '0' });
      return { status, calls: readFileSync(counter, 'utf8').length / 2 };
    };
    expect(run('5', '7', '3')).toEqual({ status: 0, calls: 3 });
    expect(run('2', '7', '3')).toEqual({ status: 7, calls: 2 });
    expect(run('5', '130', '3')).toEqual({ status: 130, calls: 1 });
    expect(bash('restart.sh', ['many', 'true']).status).toBe(2);
    expect(bash('restart.sh', ['1']).status).toBe(2);
  });
});
