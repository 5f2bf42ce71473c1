import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { reasonOf, root, runCommand, runText, stopping } from '../program.js';
import type { JavaScriptPeer, Peer, PythonPeer } from './peers.js';

/** A version of a peer, and the program that runs it. */
export interface Installation {
  readonly version: string;
  readonly command: string;
}

/** Where a peer was found, or why it was not. */
type Presence = readonly Installation[] | { readonly missing: string };

export interface PresentPeer {
  readonly peer: Peer;
  readonly installations: readonly Installation[];
}

/** The directory of a JavaScript peer's packages. */
export function peerFolder({ id }: JavaScriptPeer): string {
  return join(root, 'build/peers', id);
}

function versionsOf({ packages }: JavaScriptPeer): string {
  return Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}

/** Each peer has a separate directory, so that dependencies don't conflict. */
async function installPackages(peer: JavaScriptPeer): Promise<Presence> {
  const folder = peerFolder(peer);
  const version = versionsOf(peer);
  const presence = [{ version, command: process.execPath }];
  const installed = join(folder, 'installed');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === version) return presence;
  console.error(`installing ${version}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'peer', private: true, dependencies: peer.packages }),
  );
  const cli = process.env.npm_execpath;
  const [command, ...first] = cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
  // Without an explicit prefix, npm's environment variables would make it use the project's own packages.
  const args = [...first, 'install', '--prefix', folder, '--loglevel=error', '--no-audit', '--no-fund'];
  if (!peer.scripts) args.push('--ignore-scripts');
  try {
    await runText(command, args, { cwd: folder });
  } catch (error) {
    stopping.signal.throwIfAborted();
    return { missing: `npm install failed: ${reasonOf(error)}` };
  }
  writeFileSync(installed, version);
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
  return found.length > 0
    ? found
    : { missing: `${reasons[0]}; ${installation}, or --python of an interpreter that has it` };
}

/** Installs npm packages; only looks for Python packages, which the user must install. */
export function prepare(peer: Peer, pythons: readonly string[]): Promise<Presence> {
  return peer.language === 'javascript' ? installPackages(peer) : findModule(peer, pythons);
}
