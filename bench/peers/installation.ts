import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { root, runCommand, stopping } from '../processes.js';
import type { JavaScriptPeer, Peer, PythonPeer } from './peers.js';

const execute = promisify(execFile);
/** An installation that takes longer hangs. */
const LONGEST = 10 * 60_000;

/** A version of a peer, and the program that runs it. */
export interface Installation {
  readonly version: string;
  readonly command: string;
}

/** Where a peer was found, or the reason why nowhere. */
export type Presence = readonly Installation[] | { readonly missing: string };

export interface PresentPeer {
  readonly peer: Peer;
  readonly installations: readonly Installation[];
}

/** Where a JavaScript peer's packages are. */
export function peerFolder({ id }: JavaScriptPeer): string {
  return join(root, 'build/peers', id);
}

function versionsOf({ packages }: JavaScriptPeer): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

function isInstalled(folder: string, { packages }: JavaScriptPeer): boolean {
  try {
    readFileSync(join(folder, 'installed'));
    return Object.entries(packages).every(([name, version]) => {
      const manifest = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as {
        version: string;
      };
      return manifest.version === version;
    });
  } catch {
    return false;
  }
}

/** What went wrong, in a line without this machine's folders. */
export function reasonOf(error: unknown): string {
  const { stderr = '', message = String(error) } = error as { stderr?: string; message?: string };
  const lines = (stderr.trim() === '' ? message : stderr).split('\n').map((line) => line.trim());
  const find = (pattern: RegExp) => lines.findLast((line) => pattern.test(line));
  const telling = find(/Error: /) ?? find(/\b(ENOTFOUND|ETIMEDOUT|E[0-9]{3})\b/);
  const reason = telling ?? lines.findLast((line) => line !== '') ?? 'unknown';
  return reason
    .replace(/^npm (error|ERR!)\s*/, '')
    .replace(/(https?:\/\/|file:\/\/)?(\/[\w.@+-]+){2,}/g, '(a path)')
    .slice(0, 200);
}

/** Each peer has a folder of its own, so that their dependencies don't meet. */
async function installPackages(peer: JavaScriptPeer): Promise<Presence> {
  const folder = peerFolder(peer);
  const version = versionsOf(peer);
  const presence = [{ version, command: process.execPath }];
  if (isInstalled(folder, peer)) return presence;
  console.error(`installing ${version}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'peer', private: true, dependencies: peer.packages }));
  const cli = process.env.npm_execpath;
  const [command, ...first] = cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
  // Without an explicit prefix, npm's variables would lead it to the project's own packages.
  const args = [
    ...first,
    'install',
    '--prefix',
    folder,
    '--loglevel=error',
    '--no-audit',
    '--no-fund',
    ...(peer.scripts ? [] : ['--ignore-scripts']),
  ];
  try {
    await execute(command, args, { cwd: folder, maxBuffer: 1 << 26, timeout: LONGEST, signal: stopping.signal });
  } catch (error) {
    stopping.signal.throwIfAborted();
    return { missing: `npm install failed: ${reasonOf(error)}` };
  }
  writeFileSync(join(folder, 'installed'), '');
  return presence;
}

async function findModule({ module, installation }: PythonPeer, pythons: readonly string[]): Promise<Presence> {
  const code = `import json, numpy, ${module}; print(json.dumps(${module}.__version__))`;
  const found: Installation[] = [];
  const reasons: string[] = [];
  for (const command of pythons) {
    try {
      found.push({ version: await runCommand<string>(command, ['-c', code], process.env), command });
    } catch (error) {
      stopping.signal.throwIfAborted();
      reasons.push(reasonOf(error));
    }
  }
  return found.length > 0 ? found : { missing: `${reasons[0]}; ${installation}, or --python of an interpreter that has it` };
}

/** Installs packages of the npm registry; looks for what Python needs, which is the user's to install. */
export function prepare(peer: Peer, pythons: readonly string[]): Promise<Presence> {
  return peer.language === 'javascript' ? installPackages(peer) : findModule(peer, pythons);
}
