/** How this process was started together with others: what MPI launchers specify in environment variables. */
export interface Launcher {
  readonly name: string;
  /** Whose processes it starts; undefined if several libraries know it. */
  readonly family: 'Open MPI' | 'MPICH' | undefined;
  /** Undefined if the launcher doesn't specify it. */
  readonly rank: number | undefined;
  readonly size: number | undefined;
  /** Ranks on this host. */
  readonly ranksOnHost: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

function count(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** Tasks on this node, from Slurm's list for all nodes: `2(x3),1` is 2, 2, 2 and 1. */
function slurmTasks(environment: Environment): number | undefined {
  const node = count(environment.SLURM_NODEID);
  if (node === undefined) return undefined;
  let first = 0;
  for (const part of (environment.SLURM_STEP_TASKS_PER_NODE ?? '').split(',')) {
    const [, tasks, nodes = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? [];
    if (tasks === undefined) return undefined;
    first += Number(nodes);
    if (node < first) return count(tasks);
  }
  return undefined;
}

/** The launcher that started this process; undefined if it was started on its own. */
export function findLauncher(environment: Environment = process.env): Launcher | undefined {
  const { OMPI_COMM_WORLD_SIZE, PMI_SIZE, SLURM_STEP_NUM_TASKS, PMIX_RANK } = environment;
  if (count(OMPI_COMM_WORLD_SIZE) !== undefined) {
    return {
      name: "Open MPI's mpirun",
      family: 'Open MPI',
      rank: count(environment.OMPI_COMM_WORLD_RANK),
      size: count(OMPI_COMM_WORLD_SIZE),
      ranksOnHost: count(environment.OMPI_COMM_WORLD_LOCAL_SIZE),
    };
  }
  if (count(PMI_SIZE) !== undefined) {
    return {
      name: "MPICH's mpirun or a relative of it",
      family: 'MPICH',
      rank: count(environment.PMI_RANK),
      size: count(PMI_SIZE),
      ranksOnHost: count(environment.MPI_LOCALNRANKS) ?? slurmTasks(environment),
    };
  }
  // Only inside `srun`: a batch script itself has other variables of Slurm.
  if (count(SLURM_STEP_NUM_TASKS) !== undefined) {
    return {
      name: "Slurm's srun",
      family: undefined,
      rank: count(environment.SLURM_PROCID),
      size: count(SLURM_STEP_NUM_TASKS),
      ranksOnHost: slurmTasks(environment),
    };
  }
  if (count(PMIX_RANK) === undefined) return undefined;
  return {
    name: 'a PMIx launcher',
    family: undefined,
    rank: count(PMIX_RANK),
    size: undefined,
    ranksOnHost: undefined,
  };
}
