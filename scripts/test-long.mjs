// `npm run test:long [-- names...]`: runs the jobs that take too long for `npm test` and .ci/run, all or the named
// ones. Prints a line per job, followed by the output if it failed; all output is kept in build/long. Ends with `N
// passed, N failed`.

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeVersions } from './nodes.mjs';
import { root } from './support.mjs';

const node = process.execPath;
const vitest = [node, 'node_modules/vitest/vitest.mjs', 'run'];

const sanitizers = [node, 'scripts/sanitizers.mjs'];

/** A job passes if its command exits with status 0; `env` is added to the environment. */
const jobs = [
  { name: 'suite-one-thread', command: vitest, env: { BLASNET_THREADS: '1' } },
  { name: 'properties', command: [...vitest, 'test/properties'], env: { BLASNET_PROPERTY_RUNS: '20' } },
  // Needs PyTorch and onnx; Debian's packages python3-torch and python3-onnx are for its own Python.
  {
    name: 'torch',
    command: [...vitest, 'test/torch', 'test/interop/onnx'],
    env: { BLASNET_TORCH_PYTHON: process.env.BLASNET_TORCH_PYTHON ?? '/usr/bin/python3' },
  },
  ...nodeVersions.map((version) => ({
    name: `lifecycle-node-${version.split('.')[0]}`,
    command: [
      node,
      'scripts/nodes.mjs',
      version,
      ...vitest,
      'test/lifecycle/exit.test.ts',
      'test/lifecycle/addon.test.ts',
    ],
    env: { BLASNET_TERMINATIONS: '300' },
  })),
  {
    name: 'bfloat16-accuracy',
    command: [...vitest, 'test/api/bfloat16.test.ts', '-t', 'accuracy of float32|within 0.1 points'],
    env: { BLASNET_ACCURACY_SEEDS: '20' },
  },
  { name: 'latency', command: [node, 'build/tools/bench/latency.js', '--check'] },
  {
    name: 'memory-growth',
    command: [...vitest, 'test/lifecycle/memory.test.ts'],
    env: { BLASNET_LEAK_TIMES: '1000', BLASNET_COPIES: '300' },
  },
  {
    name: 'allocations',
    command: [...vitest, 'test/lifecycle/allocations.test.ts'],
    env: { BLASNET_ALLOCATION_ROUNDS: '5' },
  },
  { name: 'killed-saves', command: [...vitest, 'test/formats/crash.test.ts'], env: { BLASNET_CRASH_ROUNDS: '200' } },
  // For each MPI; BLASNET_KILL_SEED chooses other moments.
  { name: 'killed-ranks', command: [...vitest, 'test/distributed/kills.test.ts'], env: { BLASNET_KILLS: '25' } },
  // Needs root: skipped, with a reason in the log, where network namespaces are not permitted.
  {
    name: 'network-faults',
    command: [...vitest, 'test/distributed/hosts.test.ts', '--reporter', 'verbose'],
    env: { BLASNET_NETWORK_FAULTS: '1' },
  },
  { name: 'suite-typescript', command: vitest, env: { BLASNET_BINARY: 'none' } },
  { name: 'suite-address-sanitizer', command: [...sanitizers, 'suite'] },
  { name: 'cpp-thread-sanitizer', command: [...sanitizers, 'tests', 'thread-all'] },
  { name: 'hostile-calls', command: [...sanitizers, 'calls', '30000'] },
  { name: 'leaks', command: [...sanitizers, 'leaks', '40'] },
  { name: 'races', command: [...sanitizers, 'races', '10'] },
  { name: 'valgrind', command: [...sanitizers, 'valgrind', '5'] },
  { name: 'fuzz', command: [...sanitizers, 'fuzz'], env: { BLASNET_FUZZ_SECONDS: '600' } },
  { name: 'windows-build', command: [node, 'scripts/prebuild.mjs', 'win32-x64'] },
  { name: 'windows', command: [node, 'scripts/prebuild.mjs', '--test', 'win32-x64'] },
];

const names = process.argv.slice(2);
const unknown = names.filter((name) => !jobs.some((job) => job.name === name));
if (unknown.length > 0) {
  console.error(`unknown job: ${unknown.join(', ')}; expected some of ${jobs.map((job) => job.name).join(', ')}`);
  process.exit(2);
}

const logs = join(root, 'build/long');
mkdirSync(logs, { recursive: true });
let passed = 0;
let failed = 0;
for (const { name, command, env = {} } of jobs.filter((job) => names.length === 0 || names.includes(job.name))) {
  const file = join(logs, `${name}.log`);
  const log = openSync(file, 'w');
  const begin = performance.now();
  const { status, signal, error } = spawnSync(command[0], command.slice(1), {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const seconds = Math.round((performance.now() - begin) / 1000);
  if (status === 0) passed++;
  else failed++;
  console.log(
    `${name}: ${status === 0 ? 'passed' : `failed (${error?.message ?? signal ?? `status ${status}`})`} (${seconds} s)`,
  );
  if (status !== 0)
    console.log(readFileSync(file, 'utf8').trimEnd().split('\n').slice(-150).join('\n').replace(/^/gm, '    '));
}
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
