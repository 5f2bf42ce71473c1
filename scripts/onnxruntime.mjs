// Installs onnxruntime-node and onnxruntime-web below build/onnxruntime, for the tests of ONNX files and of the recipe
// for browsers: 450 MB, so they are no dependencies. Without them those tests are skipped.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readIfPresent, root } from './support.mjs';

const folder = join(root, 'build/onnxruntime');
const manifests = ['package.json', 'package-lock.json'];
const source = 'test/interop/onnx/runtime';

const isInstalled = manifests.every((name) => {
  const wanted = readIfPresent(`${source}/${name}`);
  return wanted === readIfPresent(`build/onnxruntime/${name}`);
});
if (!isInstalled || readIfPresent('build/onnxruntime/node_modules/onnxruntime-node/package.json') === undefined) {
  mkdirSync(folder, { recursive: true });
  for (const name of manifests) copyFileSync(join(root, source, name), join(folder, name));
  // Its install script only fetches the parts for graphics cards.
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' });
  process.exitCode = status ?? 1;
}
