// The binary for macOS, made on a Mac of its architecture with Apple's compiler. OpenBLAS is the same source as for the other
// systems, which a Linux machine unpacks (`npm run prebuild -- --source`) into build/prebuild/openblas-source.
import { existsSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { headerArguments } from '../build-addon.mjs';
import { root } from '../support.mjs';
import { logged, timed, work } from './tools.mjs';

// The oldest system that Node.js 22 runs on.
const oldestSystem = '11.0';

// Processors of Apple's have one table of kernels; Intel's in Macs need those up to AVX-512.
const cores = {
  arm64: ['TARGET=VORTEX'],
  x64: ['TARGET=GENERIC', 'DYNAMIC_ARCH=1', 'DYNAMIC_LIST=NEHALEM SANDYBRIDGE HASWELL SKYLAKEX'],
};

const settings = [
  'BUILD_SINGLE=1',
  'NO_LAPACK=1',
  'NO_LAPACKE=1',
  'NOFORTRAN=1',
  'USE_OPENMP=0',
  'USE_THREAD=0',
  'USE_LOCKING=1',
  'NO_SHARED=1',
  'NO_WARMUP=1',
  'CC=clang',
  // native/kernels/blas_environment.cc answers OpenBLAS's questions for its settings.
  `CFLAGS=-Dgetenv=blasnet_getenv -fvisibility=hidden -mmacosx-version-min=${oldestSystem}`,
];

export const macs = Object.keys(cores).map((arch) => ({
  name: `darwin-${arch}`,
  arch,
  file: `prebuilds/darwin-${arch}/node.node`,
}));

/** Builds a Mac's binary, from nothing each time. */
export function buildMac({ arch, file }) {
  if (process.platform !== 'darwin' || process.arch !== arch) {
    throw new Error(`${file} is made on macOS on ${arch}, this is ${process.platform} on ${process.arch}`);
  }
  const source = join(root, work, 'openblas-source/source');
  if (!existsSync(source)) throw new Error(`${source} is missing: unpack it on Linux with \`npm run prebuild -- --source\``);
  const env = { ...process.env, MACOSX_DEPLOYMENT_TARGET: oldestSystem };
  const installed = join(root, work, `openblas-darwin-${arch}`);
  timed(`building OpenBLAS for darwin-${arch}`, () => {
    rmSync(installed, { recursive: true, force: true });
    const variables = [...cores[arch], ...settings];
    logged('darwin-openblas', 'make', [`-j${os.availableParallelism()}`, 'libs', ...variables], { cwd: source, env });
    const install = ['-f', 'Makefile.install', 'install', `PREFIX=${installed}`, ...variables];
    logged('darwin-openblas-install', 'make', install, { cwd: source, env });
  });
  timed(`building ${file}`, () => {
    const args = ['node_modules/prebuildify/bin.js', '--napi', '--strip', '--name', 'node', '--arch', arch];
    args.push('--target', process.versions.node, '--cwd', 'native', '--out', '.');
    const [headers] = headerArguments();
    logged('darwin-build', process.execPath, args, {
      env: {
        ...env,
        ...(headers && { npm_config_nodedir: headers.replace('--nodedir=', '') }),
        GYP_DEFINES: `openblas_lib=${join(installed, 'lib/libopenblas.a')}`,
        JOBS: String(os.availableParallelism()),
      },
    });
  });
}
