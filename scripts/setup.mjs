// Makes a clone ready to run: `npm start`, `npm test` and `npm run bench` call it first. It installs the development
// dependencies, the compiler and OpenBLAS where that is allowed, compiles the TypeScript and builds the native backend;
// each only when needed. It uses Node's own modules alone, since nothing else is there yet.
import { existsSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { compilerIdentity, findOpenBlas } from './openblas.mjs';
import { hashInputs, listFiles, readIfPresent, root, run, withLock, works, writeWhole } from './support.mjs';

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

// npm records in node_modules what it has installed; a package may be missing there when it is for other platforms.
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
  const cli = process.env.npm_execpath;
  const npm = cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
  const args = ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  const { ok, output } = run(npm[0], [...npm.slice(1), ...args]);
  if (!ok) fail(`\`npm ${args.join(' ')}\` failed:\n${output}`);
}

const failedInstallation = 'build/packages-failed';

function installSystemPackages() {
  const needs = [
    ['g++', () => compilerIdentity() !== ''],
    ['make', () => works('make')],
    ['python3', () => works('python3')],
    ['libopenblas-dev', () => findOpenBlas() !== undefined],
  ];
  const missing = needs.filter(([, isThere]) => !isThere()).map(([name]) => name);
  // Where it may not install, the build of the addon says what is missing and which command brings it.
  if (missing.length === 0 || process.getuid?.() !== 0 || !works('apt-get')) return;
  // Without network, apt-get takes its time to fail: not again within the hour.
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

// A compiled file whose source is gone would still be imported and packed.
function removeOrphans(outputs, sources) {
  for (const file of listFiles(outputs)) {
    const stem = file.slice(outputs.length + 1).replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    if (!existsSync(join(root, sources, `${stem}.ts`))) rmSync(join(root, file));
  }
}

function compileTypeScript(project, sources, outputs, sourceRoot) {
  const files = [...sources.flatMap((path) => listFiles(path)), 'tsconfig.json', project, 'package-lock.json'];
  const stampFile = `build/${basename(project, '.json')}.stamp`;
  const inputs = hashInputs(files);
  if (readIfPresent(stampFile) === inputs && existsSync(join(root, outputs))) return;
  console.log(`blasnet: compiling ${sources.join(' and ')}`);
  rmSync(join(root, stampFile), { force: true });
  removeOrphans(outputs, sourceRoot);
  const { ok, output } = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project]);
  if (!ok) fail(`the TypeScript compiler found errors:\n${output}`);
  writeWhole(stampFile, inputs);
}

checkNode();
process.chdir(root);
withLock('build/setup.lock', () => {
  installDependencies();
  installSystemPackages();
  compileTypeScript('tsconfig.json', ['lib'], 'dist', 'lib');
  compileTypeScript('tsconfig.tools.json', ['bench', 'examples'], 'build/tools', '.');
  buildAddon();
});
