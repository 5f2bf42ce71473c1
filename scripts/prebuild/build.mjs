// Builds one target's binary with prebuildify.
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashInputs, listFiles, readIfPresent, root, run, writeWhole } from '../support.mjs';
import { buildOpenBlas, openBlasThreads } from './openblas.mjs';
import { libgcc } from './targets.mjs';
import { prebuildify, timed, work } from './tools.mjs';

// A compiler command for node-gyp. g++ compiles the kernels, like in a build from source: they are as fast, and use
// nothing of a C++ runtime. The objects are the same for both C libraries, so the second build reuses those of the
// first. zig compiles the rest and links. It provides the target's C library and its own C++ library, so that the
// binary needs no newer system than its target.
function compilerScript({ zig }, program, gxx, kernels) {
  return `#!/bin/sh
case " $* " in
  *' -DBLASNET_SIMD='*) ;;
  *) exec '${program}' c++ -target ${zig} "$@" ;;
esac
for argument; do
  [ "$before" = -o ] && object=$argument
  before=$argument
done
kept='${kernels}/'$object
if [ ! -e "$kept" ]; then
  ${gxx} "$@" && mkdir -p "\${kept%/*}" && cp "$object" "$kept.new" && mv "$kept.new" "$kept"
else
  cp "$kept" "$object"
fi
`;
}

/** The directory for an architecture's kernel objects, emptied if their inputs have changed. */
function kernelFolder(arch, identity) {
  const folder = `${work}/kernels-${arch}`;
  if (readIfPresent(`${folder}/identity`) !== identity) {
    rmSync(join(root, folder), { recursive: true, force: true });
    writeWhole(`${folder}/identity`, identity);
  }
  return join(root, folder);
}

/** Builds a target unless its binary is up to date. */
export function buildTarget(target, { zig, env }) {
  const openblas = buildOpenBlas(target);
  const directory = `${work}/${target.name}`;
  const sources = [...listFiles('native', ['native/build', 'native/test']), 'scripts/openblas.mjs'];
  const recipe = ['build.mjs', 'targets.mjs', 'zig/package-lock.json'].map((name) => `scripts/prebuild/${name}`);
  // By the name that the build from source calls it: a compiler cache distinguishes names.
  const gxx = target.arch === process.arch ? 'g++' : `${target.triple}-g++`;
  const version = run(gxx, ['--version']).output.split('\n')[0];
  const openblasIdentity = readIfPresent(`${work}/openblas-${target.arch}/identity`);
  const common = hashInputs([...sources, ...recipe], [version, process.versions.node, openblasIdentity]);
  const identity = `${target.zig} ${common}`;
  if (existsSync(join(root, target.file)) && readIfPresent(`${directory}/identity`) === identity) return;
  timed(`building ${target.file}`, () => {
    rmSync(join(root, directory), { recursive: true, force: true });
    // A copy, because node-gyp builds inside it: native/build belongs to the build from source.
    for (const file of sources) cpSync(join(root, file), join(root, directory, file));
    const compiler = join(root, directory, 'c++');
    writeWhole(`${directory}/c++`, compilerScript(target, zig, gxx, kernelFolder(target.arch, common)));
    chmodSync(compiler, 0o755);
    const args = [
      '--tag-libc',
      target.libc,
      '--platform',
      'linux',
      '--arch',
      target.arch,
      '--cwd',
      `${directory}/native`,
    ];
    prebuildify(target.name, args, {
      ...process.env,
      ...env,
      CC: compiler,
      CXX: compiler,
      AR: `${target.triple}-ar`,
      // zig builds its C++ library during the link, with these optimisation flags.
      LDFLAGS: ['-O3', ...libgcc(target)].join(' '),
      PREBUILD_STRIP_BIN: `${target.triple}-strip`,
      GYP_DEFINES: `openblas_lib="${openblas}" openblas_getenv=renamed openblas_threads=${openBlasThreads}`,
    });
    writeWhole(`${directory}/identity`, identity);
  });
}
