// One target's binary, made by prebuildify.
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { headerArguments } from '../build-addon.mjs';
import { hashInputs, listFiles, readIfPresent, root, run, writeWhole } from '../support.mjs';
import { buildOpenBlas } from './openblas.mjs';
import { libgcc } from './targets.mjs';
import { logged, timed, work } from './tools.mjs';

// A compiler command for node-gyp. Kernels are compiled by g++, like in a build from source: they are as fast as those, and
// use nothing of a C++ runtime. All else and the link are zig's, which brings the C library of the target and its own
// C++ library, so that the binary needs no newer system than its target names.
function compilerScript({ triple, zig }, program) {
  return `#!/bin/sh
case " $* " in
  *' -DBLASNET_SIMD='*) exec ${triple}-g++ "$@" ;;
  *) exec '${program}' c++ -target ${zig} "$@" ;;
esac
`;
}

/** Builds a target where its binary is not up to date. */
export function buildTarget(target, { zig, env }) {
  const openblas = buildOpenBlas(target);
  const directory = `${work}/${target.name}`;
  const sources = [...listFiles('native', ['native/build', 'native/test']), 'scripts/openblas.mjs'];
  const recipe = ['build.mjs', 'targets.mjs', 'zig/package-lock.json'].map((name) => `scripts/prebuild/${name}`);
  const gxx = run(`${target.triple}-g++`, ['--version']).output.split('\n')[0];
  const identity = hashInputs(
    [...sources, ...recipe],
    [target.zig, gxx, readIfPresent(`${work}/openblas-${target.arch}/identity`)],
  );
  if (existsSync(join(root, target.file)) && readIfPresent(`${directory}/identity`) === identity) return;
  timed(`building ${target.file}`, () => {
    rmSync(join(root, directory), { recursive: true, force: true });
    // A copy, since node-gyp builds inside it: native/build belongs to the build from source.
    for (const file of sources) cpSync(join(root, file), join(root, directory, file));
    const compiler = join(root, directory, 'c++');
    writeWhole(`${directory}/c++`, compilerScript(target, zig));
    chmodSync(compiler, 0o755);
    const args = ['node_modules/prebuildify/bin.js', '--napi', '--strip', '--name', 'node', '--tag-libc', target.libc];
    args.push('--target', process.versions.node, '--platform', 'linux', '--arch', target.arch);
    args.push('--cwd', `${directory}/native`, '--out', '.');
    logged(target.name, process.execPath, args, {
      env: {
        ...process.env,
        ...env,
        ...headerEnvironment(),
        CC: compiler,
        CXX: compiler,
        AR: `${target.triple}-ar`,
        // zig builds its C++ library for the link, and optimises it like that.
        LDFLAGS: ['-O3', ...libgcc(target)].join(' '),
        PREBUILD_STRIP_BIN: `${target.triple}-strip`,
        GYP_DEFINES: `openblas_lib=${openblas} openblas_getenv=renamed`,
        JOBS: String(os.availableParallelism()),
      },
    });
    writeWhole(`${directory}/identity`, identity);
  });
}

// prebuildify hands node-gyp no arguments, but npm's settings reach it.
function headerEnvironment() {
  const [argument] = headerArguments();
  return argument ? { npm_config_nodedir: argument.replace('--nodedir=', '') } : {};
}
