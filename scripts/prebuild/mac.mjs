// Builds the binary for macOS, on a Mac of its architecture, with Apple's compiler. OpenBLAS has the same source as for
// the other systems; a Linux machine unpacks it (`npm run prebuild -- --source`) into build/prebuild/openblas-source.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support.mjs';
import { makeOpenBlas, openBlasThreads } from './openblas.mjs';
import { prebuildify, timed, work } from './tools.mjs';

// The oldest system that Node.js 22 supports.
const oldestSystem = '11.0';

// Apple's processors need one kernel table; Intel's in Macs need those up to AVX-512.
const cores = {
  arm64: ['TARGET=VORTEX'],
  x64: ['TARGET=GENERIC', 'DYNAMIC_ARCH=1', 'DYNAMIC_LIST=NEHALEM SANDYBRIDGE HASWELL SKYLAKEX'],
};

const settings = [
  'NO_SHARED=1',
  'CC=clang',
  // native/kernels/blas_environment.cc supplies OpenBLAS's settings.
  `CFLAGS=-Dgetenv=blasnet_getenv -fvisibility=hidden -mmacosx-version-min=${oldestSystem}`,
];

export const macs = Object.keys(cores).map((arch) => ({
  name: `darwin-${arch}`,
  arch,
  file: `prebuilds/darwin-${arch}/node.node`,
}));

/** Builds a Mac's binary, from scratch each time. */
export function buildMac({ arch, file }) {
  if (process.platform !== 'darwin' || process.arch !== arch) {
    throw new Error(`${file} is made on macOS on ${arch}, this is ${process.platform} on ${process.arch}`);
  }
  const source = join(root, work, 'openblas-source/source');
  if (!existsSync(source))
    throw new Error(`${source} is missing: unpack it on Linux with \`npm run prebuild -- --source\``);
  const env = { ...process.env, MACOSX_DEPLOYMENT_TARGET: oldestSystem };
  const prefix = join(root, work, `openblas-darwin-${arch}`);
  timed(`building OpenBLAS for darwin-${arch}`, () => {
    rmSync(prefix, { recursive: true, force: true });
    makeOpenBlas('darwin-openblas', { cwd: source, env, prefix }, [...cores[arch], ...settings]);
  });
  timed(`building ${file}`, () => {
    const library = `openblas_lib="${join(prefix, 'lib/libopenblas.a')}" openblas_threads=${openBlasThreads}`;
    prebuildify('darwin-build', ['--arch', arch, '--cwd', 'native'], { ...env, GYP_DEFINES: library });
  });
}
