// What the build scripts share: running commands, hashing inputs, a lock between processes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
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
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a command in the project's root: { ok, output }, the output being stdout and stderr together. */
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

/** Whether a program is there and runs (a shim without a program behind it does not count). */
export function works(command, args = ['--version']) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** All files under a path (a file or a directory), sorted, relative to the root. Links are not followed: they may lead out. */
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

/** The text of a file below the root, or undefined. */
export function readIfPresent(path) {
  try {
    return readFileSync(resolve(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** Writes a file below the root so that a reader sees the old or the new one, never half of it. */
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

// The lock is a directory with its holder's process id. A lock is abandoned when its holder is gone, when nobody signed
// it within some seconds (its maker ended between the two steps), or when it is older than any build takes (after a
// crash, another process may bear the holder's id).
function isAbandoned(directory) {
  try {
    const age = Date.now() - statSync(directory).mtimeMs;
    const owner = Number(readIfPresent(join(directory, 'owner')) || 0);
    return owner > 0 ? !isAlive(owner) || age > 20 * 60e3 : age > 5e3;
  } catch {
    return false;
  }
}

/** Runs the work while no other process that asks for the same lock does. */
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
