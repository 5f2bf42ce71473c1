/** `blasnet build --mpi`: the library through which joinGroup calls an MPI that it does not know. */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { addonFile, builtLibrary, environment, nodeProgram, projectFile } from '../lifecycle/child.js';
import { compilerOf, describeMpi, launch, mpis } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-shim-'));
afterAll(() => rmSync(folder, { recursive: true }));

function blasnet(main: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(nodeProgram, [main, ...args], { env: environment(env), encoding: 'utf8', timeout: 60_000 });
}
const own = builtLibrary('cli/main.js').replace(/^file:\/\//, '');

/** What `calls.mjs` of the fixtures reports, as far as it matters here. */
interface Report {
  sums: object;
  shortest: number[];
  bytes: number[];
  mpi: { interface: string; version: string; file: string };
}

/** Its sums of five numbers over two ranks. */
const expected = [
  ...Float32Array.from({ length: 5 }, (_, i) =>
    [0, 1].reduce((sum, rank) => sum + Math.fround(Math.sin(1 + i * (rank + 1)) * 10 ** ((i + rank) % 5)), 0),
  ),
];

describeMpi('a shim', (mpi) => {
  const compiler = compilerOf(mpi);
  const output = join(folder, `${mpi.name}.so`);

  it.skipIf(compiler === undefined)(`is built by ${compiler}, and joins, sums and broadcasts`, () => {
    const built = blasnet(own, ['build', '--mpi', '--mpicc', compiler!, '--output', output]);
    expect(built).toMatchObject({ status: 0, stderr: '' });
    expect(built.stdout).toContain(`${output}: ${mpi.name}`);
    const [library, ordered] = ['library', 'ordered'].map((reduction) => {
      const { status, stderr, reports } = launch<Report>(mpi, 2, 'calls', [reduction], { BLASNET_MPI: output });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return reports as Report[];
    });
    for (const [rank, report] of ordered.entries()) {
      expect(report.mpi).toEqual({ interface: 'shim', file: output, version: expect.stringContaining(mpi.name) });
      expect(report.bytes).toEqual([...Array(3).fill(rank), 1, 1, 1, ...Array(4).fill(rank)]);
      // A sum of two numbers has one order, and one rounding.
      expect(library[rank].sums).toEqual(report.sums);
      expect(report.shortest).toEqual(expected);
    }
  });

  it.skipIf(compiler === undefined)('ends the job', () => {
    const { status, stdout, stderr } = launch(mpi, 2, 'ends', ['exit code'], { BLASNET_MPI: output });
    expect(status).not.toBe(0);
    expect(stdout + stderr).toMatch(/rank 1 of 2 on \S+ ends the job: exit code 7\n/);
  });
});

const mpi = mpis.find((each) => compilerOf(each) !== undefined);

it.skipIf(mpi === undefined)('a shim in the folder of the package goes before known libraries', () => {
  // Another package, since this one's shim would be used by all tests that run at the same time.
  const root = join(folder, 'package');
  mkdirSync(join(root, 'build/Release'), { recursive: true });
  for (const path of ['package.json', 'dist', 'native/host/mpi_shim.c'])
    cpSync(projectFile(path), join(root, path), { recursive: true });
  symlinkSync(addonFile, join(root, 'build/Release/blasnet.node'));
  const main = join(root, 'dist/cli/main.js');
  const built = blasnet(main, ['build', '--mpi', '--mpicc', compilerOf(mpi!)!]);
  const file = join(root, 'build/Release/blasnet-mpi.so');
  expect(built).toMatchObject({ status: 0, stderr: '' });
  expect(built.stdout).toMatch(/; joinGroup\(\) uses it\n$/);
  expect(built.stdout).toContain(`${file}: ${mpi!.name}`);
  const again = blasnet(main, ['build', '--mpi', '--mpicc', compilerOf(mpi!)!], { BLASNET_MPI: mpi!.library });
  expect(again.stdout).toContain('; set BLASNET_MPI to it, and joinGroup() uses it');
  const library = (env = {}) => JSON.parse(blasnet(main, ['info', '--json'], env).stdout).mpi.library;
  expect(library()).toMatchObject({ file, interface: 'shim', version: expect.stringContaining(mpi!.name) });
  expect(library({ BLASNET_MPI: mpi!.library })).toMatchObject({ file: mpi!.library, interface: mpi!.name });
  expect(existsSync(pathToFileURL(file))).toBe(true);
});

it('errors tell what is missing', () => {
  const build = (...args: string[]) => blasnet(own, ['build', '--mpi', '--output', join(folder, 'no.so'), ...args]);
  const none = build('--mpicc', 'no-such-mpicc');
  expect(none.status).toBe(1);
  expect(none.stdout + none.stderr).toMatch(/no-such-mpicc was not found. Install the headers of the MPI/);
  const bare = join(folder, 'bare-mpicc');
  writeFileSync(bare, '#!/bin/sh\necho "mpi_shim.c:5:10: fatal error: mpi.h: No such file or directory" >&2\nexit 1\n');
  chmodSync(bare, 0o755);
  expect(build('--mpicc', bare).stderr).toMatch(/fatal error: mpi\.h.*\nInstall the headers of the MPI/);
  const failing = build('--mpicc', 'false');
  expect(failing.status).toBe(1);
  expect(failing.stdout + failing.stderr).toContain('the shim was not built: false failed');
  expect(existsSync(join(folder, 'no.so'))).toBe(false);
  for (const args of [
    ['--mpicc', 'x'],
    ['--mpi', '--force'],
  ]) {
    const { status, stderr } = blasnet(own, ['build', ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain('is of no use with');
  }
});
