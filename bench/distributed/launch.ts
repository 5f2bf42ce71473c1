/** Runs the program of a rank, on its own or under an MPI launcher. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { environmentWith, root, runCommand } from '../program.js';
import type { Workload } from '../workloads.js';
import type { Algorithm } from './model.js';

/** Times sums of blocks. */
export interface SumsJob {
  readonly kind: 'sums';
  /** Bytes of each block. */
  readonly sizes: readonly number[];
  /** Seconds for each size. */
  readonly seconds: number;
}

/** Median seconds of a sum, by size; 0 if it is too short to be measured. */
export type SumsReply = readonly number[];

/** Times steps of training. */
export interface StepsJob {
  readonly kind: 'steps';
  /** Its `batchSize` is that of all ranks together. */
  readonly workload: Workload;
  readonly seconds: number;
}

export interface StepsReply {
  /** Seconds of a step. */
  readonly seconds: number;
  readonly parameters: number;
  /** Share of a step's time in sums over the ranks, and waiting in them; 0 for one rank. */
  readonly sumShare: number;
}

export type RankJob = SumsJob | StepsJob;
export type RankReply<J extends RankJob> = J extends SumsJob ? SumsReply : StepsReply;

const RANK = join(root, 'build/tools/bench/distributed/rank.js');

export interface Mpi {
  readonly name: 'Open MPI' | 'MPICH';
  readonly command: string;
  /** How it sums gradients over two ranks. */
  readonly algorithm: Algorithm;
  readonly options: readonly string[];
}

const known = [
  {
    name: 'Open MPI',
    commands: ['mpirun.openmpi', 'mpirun'],
    version: /Open MPI/,
    // That of the setting that joining makes.
    algorithm: 'halving',
    options: ['--oversubscribe', '--bind-to', 'none'],
  },
  { name: 'MPICH', commands: ['mpirun.mpich', 'mpirun'], version: /HYDRA/, algorithm: 'halving', options: [] },
] as const;

/** The MPIs that are installed here. */
export function findMpis(): Mpi[] {
  return known.flatMap(({ commands, version, ...mpi }) => {
    const command = commands.find((name) => {
      const { stdout } = spawnSync(name, ['--version'], { encoding: 'utf8', timeout: 20_000 });
      return version.test(stdout ?? '');
    });
    return command === undefined ? [] : [{ ...mpi, command }];
  });
}

/** How the ranks of a job reach each other. */
export interface Way {
  readonly title: string;
  readonly mpi: Mpi;
  readonly options: readonly string[];
  /** Words before the launcher's, and variables for it. */
  readonly prefix?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a job on one rank, without a launcher. */
export function runAlone<J extends RankJob>(job: J, threads: number | undefined): Promise<RankReply<J>> {
  const environment = environmentWith({ BLASNET_THREADS: threads?.toString() });
  return runCommand(process.execPath, [RANK, JSON.stringify(job)], environment);
}

/** Runs a job on two ranks of one thread each. */
export function runOnTwo<J extends RankJob>(way: Way, job: J): Promise<RankReply<J>> {
  const { mpi, options, prefix = [] } = way;
  const rank = [process.execPath, RANK, JSON.stringify(job)];
  const words = [...prefix, mpi.command, ...mpi.options, ...options, '-n', '2', ...rank];
  // Open MPI refuses to run as root unless told so twice.
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const environment = environmentWith({ ...root, BLASNET_THREADS: '1', ...way.environment });
  return runCommand(words[0], words.slice(1), environment);
}
