import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { choiceOption, command, fileOption, flag, textOption, UsageError } from '../command.js';
import { buildShim } from '../mpi-shim.js';

export const build = command({
  name: 'build',
  summary: 'builds the native addon from source, or what it needs for an uncommon MPI',
  text: [
    'The built addon is preferred to the one that came with the package. Building needs g++, make, python3 and ' +
      'OpenBLAS (Debian: apt-get install g++ make python3 libopenblas-dev).',
    'Open MPI, MPICH with its relatives and MPI 5 need no build. For another MPI, --mpi compiles a small library by its ' +
      'mpicc, through which joinGroup() calls it. BLASNET_MPI chooses among several.',
  ],
  operands: [],
  options: {
    force: flag('build even if nothing has changed'),
    openblas: choiceOption('kind', 'link OpenBLAS statically or dynamically: static or dynamic', ['static', 'dynamic']),
    'openblas-lib': fileOption('path', 'the library of OpenBLAS to link'),
    mpi: flag('build the library for an MPI instead of the addon'),
    mpicc: textOption('command', "with --mpi: the MPI's compiler (default: mpicc)"),
    output: fileOption('path', "with --mpi: the file to write (default: in blasnet's folder, where joinGroup() looks)"),
  },
  examples: [
    ['blasnet build', 'builds, unless it is built already'],
    ['blasnet build --force --openblas dynamic', 'builds again, with the shared OpenBLAS of the system'],
    ['blasnet build --mpi', 'for the MPI of the mpicc in the PATH'],
  ],
  run(_operands, values, { note }) {
    const others = values.mpi ? (['force', 'openblas', 'openblas-lib'] as const) : (['mpicc', 'output'] as const);
    const other = others.find((name) => values[name] !== undefined);
    if (other !== undefined)
      throw new UsageError(`build: --${other} is of no use ${values.mpi ? 'with' : 'without'} --mpi`);
    if (values.mpi) return buildShim(values.mpicc ?? 'mpicc', values.output, note);
    const script = fileURLToPath(new URL('../../../scripts/build-addon.mjs', import.meta.url));
    const given = [
      ...(values.force ? ['--force'] : []),
      ...(values.openblas === undefined ? [] : [`--openblas=${values.openblas}`]),
      ...(values['openblas-lib'] === undefined ? [] : [`--openblas-lib=${values['openblas-lib']}`]),
    ];
    const { status, error } = spawnSync(process.execPath, [script, '--strict', ...given], { stdio: 'inherit' });
    if (error !== undefined) throw error;
    return { status: status ?? 1 };
  },
});
