// OpenBLAS for the prebuilt binaries: Debian's source package, built with only what blasnet calls: single precision,
// sequential, without LAPACK, with kernel tables for the CPUs that benefit. docs/packaging.md explains these settings.
import { mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { hashInputs, readIfPresent, root, run, writeWhole } from '../support.mjs';
import { download, logged, timed, work } from './tools.mjs';

const version = '0.3.29+ds-3'; // of Debian 13
const sources = {
  'openblas_0.3.29+ds-3.dsc': 'b5ee492da8dd40f0ce693635a6a9259c3634d2ff1a569d5baf18a53d62e2629c',
  'openblas_0.3.29+ds.orig.tar.xz': 'eb691e2cff83799400da22aa6ab93ebaa346ad317fea578b7ae119e226ce1b01',
  'openblas_0.3.29+ds-3.debian.tar.xz': '2f5d0b3a5c06209a737d1f0064d94583989504bc4a07019f78f46337b09e2e79',
};

/**
 * Maximum number of threads that multiply at the same time. OpenBLAS has two buffers for each; its default is the
 * processor count of the build machine.
 */
export const openBlasThreads = 256;

// For every system. OpenBLAS's makefiles treat a variable set to 0 as set, so unwanted ones (BUILD_DOUBLE) must not be
// named.
const settings = [
  'BUILD_SINGLE=1',
  'NO_LAPACK=1',
  'NO_LAPACKE=1',
  'NOFORTRAN=1',
  'USE_OPENMP=0',
  'USE_THREAD=0',
  'USE_LOCKING=1',
  `NUM_THREADS=${openBlasThreads}`,
  'NO_WARMUP=1',
];

// What the product calls, as make's patterns for the names of objects: a product with a vector may become a GEMV.
const kernels = ['sgemm_%', 'sgemv%', 'sscal_k%'];
const needed = ['cblas_sgemm.%', 'sgemm.%', 'setparam%', ...kernels];

// For the systems that Linux compiles for.
const crossSettings = [
  'DYNAMIC_ARCH=1',
  'NO_AFFINITY=1',
  `BLASOBJS=$(filter ${needed.join(' ')}, $(SBLASOBJS))`,
  'CFLAGS=-fPIC -fvisibility=hidden -ffunction-sections -fdata-sections',
];

// OpenBLAS reads all its settings through getenv, so native/kernels/blas_environment.cc replaces it. The others are
// glibc headers' names for C standard functions, which musl and older versions of glibc have only under their own
// names.
const renamed = [
  'getenv=blasnet_getenv',
  '__isoc23_strtol=strtol',
  '__isoc23_strtoul=strtoul',
  '__isoc23_sscanf=sscanf',
];

export function unpack() {
  const directory = `${work}/openblas-source`;
  const unpacked = join(root, directory, 'source');
  if (readIfPresent(`${directory}/unpacked`) === version) return unpacked;
  timed(`fetching OpenBLAS ${version}`, () => {
    rmSync(join(root, directory), { recursive: true, force: true });
    mkdirSync(join(root, directory), { recursive: true });
    for (const [file, sum] of Object.entries(sources)) {
      download(`pool/main/o/openblas/${file}`, sum, join(root, directory, file));
    }
    // This applies Debian's patches. The checksums above replace the signature check.
    const description = join(root, directory, Object.keys(sources)[0]);
    logged('openblas-source', 'dpkg-source', ['--no-check', '-x', description, unpacked]);
    writeWhole(`${directory}/unpacked`, version);
  });
  return unpacked;
}

/** Compiles OpenBLAS in a directory with its source, and installs it to `prefix`. */
export function makeOpenBlas(log, { cwd, env, prefix }, variables) {
  const all = [...variables, ...settings];
  logged(log, 'make', [`-j${os.availableParallelism()}`, 'libs', ...all], { cwd, env });
  const install = ['-f', 'Makefile.install', 'install', `PREFIX=${prefix}`, 'NO_SHARED=1', ...all];
  logged(`${log}-install`, 'make', install, { cwd, env });
}

/**
 * The kernels that OpenBLAS's tables name and that were not built, by what nm says of the library. Throws if the
 * product needs one of them.
 */
function missingKernels(symbols) {
  const namesOf = (kinds) => new Set([...symbols.matchAll(kinds)].map(([, name]) => name));
  const defined = namesOf(/ [A-TV-Z] (\w+)$/gm);
  const missing = [...namesOf(/ U (\w+_[A-Z0-9]+)$/gm)].filter((name) => !defined.has(name));
  if (missing.length === 0) throw new Error('OpenBLAS: expected kernels that were not built, found none');
  const required = ['gotoblas_', ...kernels.map((pattern) => pattern.replace('%', ''))];
  const lost = missing.filter((name) => required.some((start) => name.startsWith(start)));
  if (lost.length > 0) throw new Error(`OpenBLAS: the product needs ${lost.join(', ')}, which was not built`);
  return missing;
}

/** Adds the kernels that were not built to the library: all of them are one function, which aborts. */
function addMissingKernels(library, triple) {
  const missing = missingKernels(logged('openblas-symbols', `${triple}-nm`, ['-g', library]));
  const source = `${work}/openblas-missing.c`;
  writeWhole(
    source,
    [
      'void blasnet_missing(void) { __builtin_trap(); }',
      ...missing.map((name) => `void ${name}(void) __attribute__((alias("blasnet_missing")));`),
      '',
    ].join('\n'),
  );
  const object = join(root, work, 'missing.o');
  logged('openblas-missing', `${triple}-gcc`, ['-c', '-O2', '-fPIC', '-fvisibility=hidden', '-o', object, source]);
  logged('openblas-archive', `${triple}-ar`, ['-rs', library, object]);
}

/**
 * Builds the library for a target's architecture if it is missing; returns the archive's path. Its headers are in
 * ../include.
 */
export function buildOpenBlas({ arch, triple, openblas }) {
  const compiler = run(`${triple}-gcc`, ['--version']).output.split('\n')[0];
  const tools = [`CC=${triple}-gcc`, `AR=${triple}-ar`, `RANLIB=${triple}-ranlib`, 'HOSTCC=gcc'];
  if (arch !== process.arch) tools.push('CROSS=1');
  const variables = [...tools, ...openblas, ...crossSettings];
  const identity = hashInputs(['scripts/prebuild/openblas.mjs'], [compiler, ...variables]);
  const name = `${work}/openblas-${arch}`;
  const archive = join(root, name, 'lib/libopenblas.a');
  if (readIfPresent(`${name}/identity`) === identity) return archive;
  const source = unpack();
  timed(`building OpenBLAS for ${arch}`, () => {
    // Run-time settings of OpenBLAS must not affect the build.
    const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(OPENBLAS|MAKE|MFLAGS)/.test(key)));
    const build = join(root, `${name}-build`);
    const installed = join(root, `${name}-new`);
    for (const path of [build, installed, join(root, name)]) rmSync(path, { recursive: true, force: true });
    logged(`openblas-${arch}-copy`, 'cp', ['-r', source, build]);
    makeOpenBlas(`openblas-${arch}`, { cwd: build, env, prefix: installed }, variables);
    const library = realpathSync(join(installed, 'lib/libopenblas.a'));
    addMissingKernels(library, triple);
    const renames = renamed.flatMap((pair) => ['--redefine-sym', pair]);
    logged(`openblas-${arch}-rename`, `${triple}-objcopy`, [...renames, library]);
    renameSync(installed, join(root, name));
    writeWhole(`${name}/identity`, identity);
    rmSync(build, { recursive: true, force: true });
  });
  return archive;
}
