// `node scripts/nodes.mjs`: fetches a Node.js of each supported major from its npm package into build/nodes, once, and prints where
// they are. The long jobs run the lifecycle tests' children on them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from './support.mjs';

/** Versions by the names of the jobs. */
export const nodeVersions = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];

/** File of a version's program, whether or not it has been fetched. */
export function nodeFile(version) {
  return join(root, 'build', 'nodes', version, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
}

function fetchNode(version) {
  if (existsSync(nodeFile(version))) return;
  const prefix = join(root, 'build', 'nodes', version);
  const name = `node-linux-${process.arch}@${version}`;
  const { ok, output } = run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, name]);
  if (!ok || !existsSync(nodeFile(version))) throw new Error(`${name} could not be installed:\n${output}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const version of nodeVersions) {
    fetchNode(version);
    const { output } = run(nodeFile(version), ['--version']);
    console.log(`${output.trim()}: ${nodeFile(version)}`);
  }
}
