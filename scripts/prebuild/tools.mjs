// The programs needed to build and test the binaries: Debian packages, and zig from npm.
import { existsSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { headerEnvironment, installOnce, root, run, works, writeWhole } from '../support.mjs';

export const work = 'build/prebuild';

/** Runs a command and keeps its output in build/prebuild/logs; throws with the end of the log if it fails. */
export function logged(log, command, args, options = {}) {
  const { ok, output } = run(command, args, options);
  const file = `${work}/logs/${log}.log`;
  writeWhole(file, output);
  if (ok) return output;
  const end = output.trimEnd().split('\n').slice(-20).join('\n');
  throw new Error(`\`${[command, ...args].join(' ')}\` failed; its output is in ${file} and ends\n${end}`);
}

/** Prints a line before a slow action, and its seconds afterwards. */
export function timed(what, action) {
  const start = performance.now();
  console.log(`prebuild: ${what}`);
  const result = action();
  console.log(`prebuild: ${what}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return result;
}

/** Installs the Debian packages whose program is missing; `needs` are pairs of a package and a test for it. */
export function installPackages(needs) {
  const missing = [...new Set(needs.filter(([, isThere]) => !isThere()).map(([name]) => name))];
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid() !== 0)
    throw new Error(`missing on this machine: ${missing.join(', ')}. Install with \`sudo ${command}\``);
  timed(`installing ${missing.join(', ')}`, () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    logged('apt-update', 'apt-get', ['update'], { env });
    logged('apt-install', 'apt-get', [...command.split(' ').slice(1), '-o', 'DPkg::Lock::Timeout=300'], { env });
  });
}

export const needsProgram = (name, packageName = name, args = ['--version']) => [packageName, () => works(name, args)];

/** Installs the compilers for these targets. */
export function installCompilers(targets) {
  installPackages([
    needsProgram('make'),
    needsProgram('python3'),
    needsProgram('dpkg-source', 'dpkg-dev'),
    needsProgram('xz', 'xz-utils'),
    needsProgram('patch'),
    needsProgram('g++'),
    ...targets.flatMap(({ triple }) => {
      const suffix = triple.startsWith('x86_64') && process.arch === 'x64' ? '' : `-${triple.replace('_', '-')}`;
      return [needsProgram(`${triple}-g++`, `g++${suffix}`), needsProgram(`${triple}-objcopy`, `binutils${suffix}`)];
    }),
  ]);
}

// The mirrors that apt uses on this machine, plus Debian's own in case the system is not Debian.
function mirrors() {
  const { ok, output } = run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
    'Origin: Debian',
  ]);
  const configured = ok ? output.split('\n').filter((line) => line.startsWith('http')) : [];
  return [...new Set([...configured, 'http://deb.debian.org/debian/'])];
}

/**
 * Downloads a file of Debian's archive with apt's own downloader, which knows the machine's proxies and checks the
 * SHA-256.
 */
export function download(path, sum, file) {
  const failures = [];
  for (const mirror of mirrors()) {
    const { ok, output } = run('/usr/lib/apt/apt-helper', ['download-file', `${mirror}${path}`, file, `SHA256:${sum}`]);
    if (ok) return;
    failures.push(`${mirror}${path}: ${output.trim().split('\n').at(-1)}`);
  }
  throw new Error(`${path} could not be downloaded:\n${failures.join('\n')}`);
}

/** Builds an addon with prebuildify; `args` specify the source and the target. */
export function prebuildify(log, args, env) {
  const program = ['node_modules/prebuildify/bin.js', '--napi', '--strip', '--name', 'node', '--out', '.'];
  const jobs = { JOBS: String(os.availableParallelism()) };
  // prebuildify passes no arguments to node-gyp, but npm's settings reach it.
  logged(log, process.execPath, [...program, '--target', process.versions.node, ...args], {
    env: { ...env, ...headerEnvironment(), ...jobs },
  });
}

/** Installs one of the package lists in this directory to build/, unless already done; returns its directory. */
export function installFromNpm(list, options = []) {
  if (!installOnce(`scripts/prebuild/${list}`, `${work}/${list}`, options))
    throw new Error(`the packages of scripts/prebuild/${list} could not be installed`);
  return join(root, work, list);
}

/** Installs zig, the compiler with a C library per target; returns its path and its caches below build/. */
export function installZig() {
  const zig = join(installFromNpm('zig'), `node_modules/@zigc/linux-${process.arch}/bin/zig`);
  if (!existsSync(zig)) throw new Error(`zig comes without a program for linux-${process.arch}: expected ${zig}`);
  const cache = join(root, work, 'zig-cache');
  return { zig, env: { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache } };
}
