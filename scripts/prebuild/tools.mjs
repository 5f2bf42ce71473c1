// The programs that making and testing the binaries need: Debian packages, and zig from npm.
import { cpSync, existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readIfPresent, root, run, works, writeWhole } from '../support.mjs';

export const work = 'build/prebuild';

/** Runs a command and keeps its output in build/prebuild/logs; throws with the log's end when it fails. */
export function logged(log, command, args, options = {}) {
  const { ok, output } = run(command, args, options);
  const file = `${work}/logs/${log}.log`;
  writeWhole(file, output);
  if (ok) return output;
  const end = output.trimEnd().split('\n').slice(-20).join('\n');
  throw new Error(`\`${[command, ...args].join(' ')}\` failed; its output is in ${file} and ends\n${end}`);
}

/** Prints a line before and the seconds after what takes its time. */
export function timed(what, action) {
  const start = performance.now();
  console.log(`prebuild: ${what}`);
  const result = action();
  console.log(`prebuild: ${what}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return result;
}

/** Installs those Debian packages whose program isn't there; `needs` are pairs of a package and a test for it. */
export function installPackages(needs) {
  const missing = [...new Set(needs.filter(([, isThere]) => !isThere()).map(([name]) => name))];
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid() !== 0) throw new Error(`missing on this machine: ${missing.join(', ')}. Install with \`sudo ${command}\``);
  timed(`installing ${missing.join(', ')}`, () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    logged('apt-update', 'apt-get', ['update'], { env });
    logged('apt-install', 'apt-get', [...command.split(' ').slice(1), '-o', 'DPkg::Lock::Timeout=300'], { env });
  });
}

export const needsProgram = (name, packageName = name, args = ['--version']) => [packageName, () => works(name, args)];

/** What compiling for these targets needs. */
export function installCompilers(targets) {
  installPackages([
    needsProgram('make'),
    needsProgram('python3'),
    needsProgram('dpkg-source', 'dpkg-dev'),
    needsProgram('xz', 'xz-utils'),
    needsProgram('patch'),
    needsProgram('g++'),
    ...targets.flatMap(({ triple }) => {
      const suffix = triple.replace('_', '-');
      return [
        needsProgram(`${triple}-g++`, triple.startsWith('x86_64') && process.arch === 'x64' ? 'g++' : `g++-${suffix}`),
        needsProgram(
          `${triple}-objcopy`,
          triple.startsWith('x86_64') && process.arch === 'x64' ? 'binutils' : `binutils-${suffix}`,
        ),
      ];
    }),
  ]);
}

// The mirrors that apt uses on this machine, and Debian's own for systems that are not Debian.
function mirrors() {
  const { ok, output } = run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian']);
  const configured = ok ? output.split('\n').filter((line) => line.startsWith('http')) : [];
  return [...new Set([...configured, 'http://deb.debian.org/debian/'])];
}

/** Fetches a file of Debian's archive with apt's own downloader, which knows the machine's proxies and checks the SHA-256. */
export function download(path, sum, file) {
  const failures = [];
  for (const mirror of mirrors()) {
    const { ok, output } = run('/usr/lib/apt/apt-helper', ['download-file', `${mirror}${path}`, file, `SHA256:${sum}`]);
    if (ok) return;
    failures.push(`${mirror}${path}: ${output.trim().split('\n').at(-1)}`);
  }
  throw new Error(`${path} could not be downloaded:\n${failures.join('\n')}`);
}

/** npm as a command: the one that runs this, or the one in PATH. */
function npm(log, cwd, args) {
  const cli = process.env.npm_execpath;
  const command = cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
  logged(log, command[0], [...command.slice(1), ...args, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd });
}

/** Installs one of the package lists beside this file below build/, where npm has not yet; returns its directory. */
export function installFromNpm(list, extra = []) {
  const directory = `${work}/${list}`;
  const lock = readIfPresent(`scripts/prebuild/${list}/package-lock.json`);
  if (readIfPresent(`${directory}/installed`) === lock) return join(root, directory);
  timed(`installing ${list} from npm`, () => {
    rmSync(join(root, directory), { recursive: true, force: true });
    cpSync(join(root, `scripts/prebuild/${list}`), join(root, directory), { recursive: true });
    npm(`npm-${list}`, join(root, directory), ['ci', ...extra]);
    writeWhole(`${directory}/installed`, lock);
  });
  return join(root, directory);
}

/** The compiler whose C library is chosen by target, and its caches below build/. */
export function installZig() {
  const zig = join(installFromNpm('zig'), `node_modules/@zigc/linux-${process.arch}/bin/zig`);
  if (!existsSync(zig)) throw new Error(`zig comes without a program for linux-${process.arch}: expected ${zig}`);
  const cache = join(root, work, 'zig-cache');
  return { zig, env: { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache } };
}
