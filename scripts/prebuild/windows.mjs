// Builds the binary for Windows on Linux: MinGW's compilers build OpenBLAS and, with CMake, the addon and the C++
// tests.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { hashInputs, headerEnvironment, listFiles, readIfPresent, root, run, writeWhole } from '../support.mjs';
import { buildOpenBlas, openBlasThreads } from './openblas.mjs';
import { installPackages, logged, needsProgram, timed, work } from './tools.mjs';

const triple = 'x86_64-w64-mingw32';
const directory = `${work}/win32-x64`;

export const windows = {
  name: 'win32-x64',
  file: 'prebuilds/win32-x64/node.node',
  tests: `${directory}/cmake/blasnet_tests.exe`,
};

// Windows aligns the stack for 16-byte registers, but this compiler stores wider ones as if it were aligned for those.
// An assembler option turns such stores into unaligned ones; CMakeLists.txt does the same for blasnet's code.
const openblas = {
  arch: 'win32-x64',
  triple,
  openblas: [
    'TARGET=GENERIC',
    'DYNAMIC_LIST=NEHALEM SANDYBRIDGE HASWELL SKYLAKEX COOPERLAKE',
    'COMMON_OPT=-O2 -Wa,-muse-unaligned-vector-move',
  ],
};

/** The directory with Node-API's headers, which are the same for all systems. */
function nodeHeaders() {
  const { npm_config_nodedir: prefix } = headerEnvironment();
  if (!prefix)
    throw new Error('the headers of Node.js were not found: expected include/node/node_api.h beside its program');
  return join(prefix, 'include/node');
}

// The host functions that the addon may call, as an import library resolved at the first call.
function writeHostLibrary(headers) {
  const declarations = ['js_native_api.h', 'node_api.h']
    .map((name) => readFileSync(join(headers, name), 'utf8'))
    .join('\n');
  const names = new Set([...declarations.matchAll(/NAPI_CDECL\s+((?:napi|node_api)_\w+)\(/g)].map((match) => match[1]));
  writeWhole(`${directory}/node.def`, `NAME node.exe\nEXPORTS\n${[...names].join('\n')}\n`);
  const library = join(root, directory, 'libnode.a');
  logged('win32-host', `${triple}-dlltool`, ['-d', `${directory}/node.def`, '-y', library]);
  return library;
}

/** Builds prebuilds/win32-x64/node.node unless it is up to date. */
export function buildWindows() {
  installPackages([
    needsProgram('make'),
    needsProgram('cmake'),
    needsProgram('gcc'),
    needsProgram('dpkg-source', 'dpkg-dev'),
    needsProgram('xz', 'xz-utils'),
    needsProgram('patch'),
    needsProgram(`${triple}-g++-posix`, 'g++-mingw-w64-x86-64-posix'),
  ]);
  const archive = buildOpenBlas(openblas);
  const compiler = run(`${triple}-g++-posix`, ['--version']).output.split('\n')[0];
  const sources = ['CMakeLists.txt', ...listFiles('native', ['native/build']), 'scripts/prebuild/windows.mjs'];
  const identity = hashInputs(sources, [compiler, readIfPresent(`${work}/openblas-${openblas.arch}/identity`)]);
  if (existsSync(join(root, windows.file)) && readIfPresent(`${directory}/identity`) === identity) return;
  timed(`building ${windows.file}`, () => {
    rmSync(join(root, directory), { recursive: true, force: true });
    const headers = nodeHeaders();
    const host = writeHostLibrary(headers);
    // On Windows, OpenBLAS reads most of its settings from the system; native/kernels/blas_environment.cc replaces
    // that.
    const library = join(root, directory, 'libopenblas.a');
    const renamed = ['--redefine-sym', '__imp_GetEnvironmentVariableA=blasnet_GetEnvironmentVariable'];
    logged('win32-openblas', `${triple}-objcopy`, [...renamed, archive, library]);
    const settings = {
      CMAKE_SYSTEM_NAME: 'Windows',
      CMAKE_SYSTEM_PROCESSOR: 'x86_64',
      CMAKE_BUILD_TYPE: 'Release',
      CMAKE_C_COMPILER: `${triple}-gcc-posix`,
      CMAKE_CXX_COMPILER: `${triple}-g++-posix`,
      OPENBLAS_LIB: library,
      OPENBLAS_THREADS: openBlasThreads,
      CBLAS_INCLUDE: join(dirname(archive), '../include'),
      BLASNET_TESTS: 'ON',
      CMAKE_JS_INC: headers,
      CMAKE_JS_LIB: host,
    };
    const definitions = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
    logged('win32-configure', 'cmake', ['-S', '.', '-B', `${directory}/cmake`, '-G', 'Unix Makefiles', ...definitions]);
    logged('win32-build', 'cmake', ['--build', `${directory}/cmake`, `-j${os.availableParallelism()}`]);
    mkdirSync(dirname(join(root, windows.file)), { recursive: true });
    logged('win32-strip', `${triple}-strip`, ['-o', windows.file, `${directory}/cmake/blasnet.node`]);
    writeWhole(`${directory}/identity`, identity);
  });
}
