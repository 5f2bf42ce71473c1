// Shared by the build scripts: running commands, hashing inputs, a lock between processes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command in the project's root; returns { ok, output }, where output is stdout and stderr together. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
    ...options,
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? result.error.message : ''}`;
  return { ok: result.status === 0, output };
}

/** Whether a program exists and runs (a shim without its program does not count). */
export function works(command, args = ['--version']) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** npm as a command with its first arguments: the npm that runs this script, or the one in PATH. */
export function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
}

/**
 * Installs packages that are not development dependencies into the folder `target`, once: those of the package.json in
 * the folder `source`, as the lock file beside it has them, or without one if every version is exact. Both paths are
 * relative to the root. Returns whether they are there.
 */
export function installOnce(source, target, options = []) {
  const manifests = ['package.json', 'package-lock.json'].filter((name) => existsSync(join(root, source, name)));
  const identity = hashInputs(manifests.map((name) => `${source}/${name}`));
  if (readIfPresent(`${target}/installed`) === identity) return true;
  const folder = join(root, target);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of manifests) copyFileSync(join(root, source, name), join(folder, name));
  const [npm, ...first] = npmCommand();
  const command = manifests.length === 2 ? ['ci'] : ['install', '--no-package-lock'];
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const args = [...first, ...command, '--prefix', folder, ...options, ...quiet];
  const shell = npm === 'npm' && process.platform === 'win32';
  if (spawnSync(npm, args, { cwd: folder, stdio: 'inherit', shell }).status !== 0) return false;
  writeWhole(`${target}/installed`, identity);
  return true;
}

/** Environment for node-gyp: uses the headers next to Node's executable, if present, instead of a download. */
export function headerEnvironment() {
  const prefix = join(dirname(process.execPath), '..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {};
}

/**
 * All files under a path (a file or a directory), sorted, relative to the root. Links are not followed: they may lead
 * outside.
 */
export function listFiles(path, excluded = []) {
  const absolute = join(root, path);
  if (excluded.includes(path) || !existsSync(absolute)) return [];
  if (!lstatSync(absolute).isDirectory()) return [path];
  return readdirSync(absolute)
    .sort()
    .flatMap((name) => listFiles(`${path}/${name}`, excluded));
}

/** A hash of the files' names and contents and of the given words. */
export function hashInputs(files, words = []) {
  const hash = createHash('sha256');
  for (const word of words) hash.update(`${word}\0`);
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/** The text of a file, relative to the root, or undefined. */
export function readIfPresent(path) {
  try {
    return readFileSync(resolve(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** Writes a file atomically: a reader sees the old or the new content, never a part of it. */
export function writeWhole(path, data) {
  const target = join(root, path);
  const temporary = `${target}.${process.pid}`;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(temporary, data);
  renameSync(temporary, target);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// The lock is a directory with its holder's process id. It is abandoned if its holder no longer runs, if it has no
// process id after some seconds (its creator ended between the two steps), or if it is older than any build takes
// (after a crash, another process may have the same id).
function isAbandoned(directory) {
  try {
    const age = Date.now() - statSync(directory).mtimeMs;
    const owner = Number(readIfPresent(join(directory, 'owner')) || 0);
    return owner > 0 ? !isAlive(owner) || age > 20 * 60e3 : age > 5e3;
  } catch {
    return false;
  }
}

/** Runs `work` while holding a lock between processes. */
export function withLock(path, work) {
  const directory = join(root, path);
  mkdirSync(dirname(directory), { recursive: true });
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let announced = false; ; ) {
    try {
      mkdirSync(directory);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(directory)) {
      rmSync(directory, { recursive: true, force: true });
      continue;
    }
    if (!announced) console.log('blasnet: waiting for another build to finish');
    announced = true;
    Atomics.wait(sleeper, 0, 0, 200);
  }
  const release = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', release);
  try {
    writeFileSync(join(directory, 'owner'), String(process.pid));
    return work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
