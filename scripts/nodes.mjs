// `node scripts/nodes.mjs [version command...]`: downloads that Node.js version (or one of each supported major) from
// npm into build/nodes, once. Runs the command with BLASNET_NODE set to it, so that tests start their child processes
// with it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, run } from './support.mjs';

/** One version of each supported major. */
export const nodeVersions = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];

/** The path of that version's executable, downloaded if missing. */
function fetchNode(version) {
  const prefix = join(root, 'build', 'nodes', version);
  const name = `node-linux-${process.arch}`;
  const file = join(prefix, 'node_modules', name, 'bin', 'node');
  if (existsSync(file)) return file;
  const { output } = run('npm', [
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--prefix',
    prefix,
    `${name}@${version}`,
  ]);
  if (!existsSync(file)) throw new Error(`${name}@${version} could not be installed:\n${output}`);
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [version, command, ...args] = process.argv.slice(2);
  for (const each of version === undefined ? nodeVersions : [version]) {
    const file = fetchNode(each);
    console.log(`${run(file, ['--version']).output.trim()}: ${file}`);
    if (command === undefined) continue;
    const { status } = spawnSync(command, args, {
      cwd: root,
      env: { ...process.env, BLASNET_NODE: file },
      stdio: 'inherit',
    });
    process.exitCode = status ?? 1;
  }
}
