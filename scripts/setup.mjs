// Prepares a clone: `npm start`, `npm test` and `npm run bench` call it first. It installs the development
// dependencies, and the compiler and OpenBLAS where that is allowed, compiles the TypeScript and builds the native
// backend; each only if needed. It uses only Node's own modules, because nothing else is installed yet.
import { existsSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { missingTools } from './openblas.mjs';
import {
  hashInputs,
  listFiles,
  npmCommand,
  readIfPresent,
  root,
  run,
  withLock,
  works,
  writeWhole,
} from './support.mjs';

const oldestNode = [20, 19];

function fail(message) {
  console.error(`blasnet: ${message}`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    fail(`Node.js ${oldestNode.join('.')} or newer is needed, this is ${process.versions.node}`);
  }
}

// npm records in node_modules what it has installed; packages for other platforms may be missing there.
function isInstalled() {
  const wanted = JSON.parse(readIfPresent('package-lock.json') ?? '{}').packages ?? {};
  const found = JSON.parse(readIfPresent('node_modules/.package-lock.json') ?? '{}').packages;
  if (!found) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional, peer }]) => {
    if (path === '') return true;
    const entry = found[path];
    if (!entry) return optional || devOptional || peer;
    return entry.version === version && entry.integrity === integrity;
  });
}

function installDependencies() {
  if (isInstalled()) return;
  console.log('blasnet: installing the development dependencies');
  const [npm, ...first] = npmCommand();
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const { ok, output } = run(npm, [...first, ...args]);
  if (!ok) fail(`\`npm ${args.join(' ')}\` failed:\n${output}`);
}

const failedInstallation = 'build/packages-failed';

function installSystemPackages() {
  const missing = missingTools().map(({ name }) => name);
  // Without permission to install, the addon's build prints what is missing and how to install it.
  if (missing.length === 0 || process.getuid?.() !== 0 || !works('apt-get')) return;
  // Without network, apt-get takes long to fail, so don't retry within an hour.
  const marker = join(root, failedInstallation);
  if (readIfPresent(failedInstallation) === missing.join() && Date.now() - statSync(marker).mtimeMs < 3600e3) return;
  console.log(`blasnet: installing ${missing.join(', ')} with apt-get`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...missing];
  for (const args of [['update'], install]) {
    const { ok, output } = run('apt-get', args, { env });
    if (ok) continue;
    console.log(`blasnet: \`apt-get ${args.join(' ')}\` failed:\n${output.trimEnd()}`);
    writeWhole(failedInstallation, missing.join());
    return;
  }
  rmSync(marker, { force: true });
}

// Compiled files without a source would still be imported and packed.
function removeOrphans(outputs, sources) {
  for (const file of listFiles(outputs)) {
    const stem = file.slice(outputs.length + 1).replace(/^types\/(.*)\.d\.ts$|\.js$/, '$1');
    if (!existsSync(join(root, sources, `${stem}.ts`))) rmSync(join(root, file));
  }
}

// `further`: scripts that process the compiler's output.
function compileTypeScript(project, sources, outputs, sourceRoot, further = []) {
  const files = [
    ...sources.flatMap((path) => listFiles(path)),
    'tsconfig.json',
    project,
    'package.json',
    'package-lock.json',
  ];
  const stampFile = `build/${basename(project, '.json')}.stamp`;
  const inputs = hashInputs([...files, ...further]);
  if (readIfPresent(stampFile) === inputs && existsSync(join(root, outputs))) return;
  console.log(`blasnet: compiling ${sources.join(' and ')}`);
  rmSync(join(root, stampFile), { force: true });
  removeOrphans(outputs, sourceRoot);
  const { ok, output } = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]);
  if (!ok) fail(`the TypeScript compiler found errors:\n${output}`);
  for (const script of further) {
    const result = run(process.execPath, [script]);
    if (!result.ok) fail(`${script} failed:\n${result.output}`);
  }
  writeWhole(stampFile, inputs);
}

checkNode();
process.chdir(root);
withLock('build/setup.lock', () => {
  installDependencies();
  installSystemPackages();
  compileTypeScript('tsconfig.json', ['lib'], 'dist', 'lib', ['scripts/package-files.mjs']);
  compileTypeScript('tsconfig.tools.json', ['bench', 'examples'], 'build/tools', '.');
  buildAddon();
});
