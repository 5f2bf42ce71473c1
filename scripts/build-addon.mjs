// Builds the native backend with node-gyp into build/Release/blasnet.node, unless that is up to date.
//   node scripts/build-addon.mjs [--strict] [--force] [--openblas=static|dynamic] [--openblas-lib=<path>]
// If the build is impossible, it prints why and how to fix it. The package then uses a prebuilt binary or
// the TypeScript backend; the exit status is 0, or 1 with --strict.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilerIdentity, findOpenBlas, missingTools, openBlasIdentity } from './openblas.mjs';
import {
  hashInputs,
  headerEnvironment,
  listFiles,
  readIfPresent,
  root,
  run,
  withLock,
  works,
  writeWhole,
} from './support.mjs';

const addon = 'build/Release/blasnet.node';
const stampFile = 'build/addon.json';
const require = createRequire(import.meta.url);

// Why the addon can't be built. `remedy` is a fix other than installing missing packages.
class BuildProblem extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

// This project's node-gyp, or npm's if the package was installed without development dependencies.
function findNodeGyp() {
  const candidates = [
    () => require.resolve('node-gyp/bin/node-gyp.js'),
    () => process.env.npm_config_node_gyp,
    () => createRequire(process.env.npm_execpath).resolve('node-gyp/bin/node-gyp.js'),
    () => join(dirname(process.execPath), '../lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'),
  ];
  for (const candidate of candidates) {
    try {
      const path = candidate();
      if (path && existsSync(path)) return path;
    } catch {
      // Not there: try the next one.
    }
  }
  throw new BuildProblem('node-gyp was not found', 'Run `npm install`');
}

const headers = 'native/napi';

/**
 * Copies node-addon-api's headers to where the builds and the package expect them. An installed package has them
 * already.
 */
export function copyHeaders() {
  let directory;
  try {
    directory = dirname(require.resolve('node-addon-api/package.json'));
  } catch {
    if (existsSync(join(root, headers))) return;
    throw new BuildProblem('node-addon-api was not found', 'Run `npm install`');
  }
  mkdirSync(join(root, headers), { recursive: true });
  for (const name of ['napi.h', 'napi-inl.h', 'napi-inl.deprecated.h']) {
    cpSync(join(directory, name), join(root, headers, name), { preserveTimestamps: true });
  }
}

// Finds the compiler and OpenBLAS, with strings that change if either is replaced.
function findTools(options) {
  copyHeaders();
  const [missing] = missingTools(options.openblas, options.library);
  if (missing) throw new BuildProblem(`${missing.what} was not found`);
  const openblas = findOpenBlas(options.openblas, options.library);
  const node = process.versions.node.split('.')[0];
  const identity = [compilerIdentity(), openBlasIdentity(openblas), node, process.arch].join('; ');
  return { openblas, identity };
}

// Lines of the compiler and the linker that tell what failed.
const faults = /error|undefined reference|\bld: |: cannot /i;

// A command for a shell, with the variables that it is run with.
function shellCommand(command, variables) {
  const word = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`);
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${word(value)}`);
  return [...settings, ...command.map(word)].join(' ');
}

function compile({ openblas }, options, incremental) {
  if (openblas.linkage !== options.openblas) console.log(`blasnet: linking ${openblas.library} dynamically`);
  const nodeGyp = [findNodeGyp(), '-C', join(root, 'native')];
  const env = { ...process.env, ...headerEnvironment() };
  const definitions = ['--', `-Dopenblas=${openblas.linkage}`, `-Dopenblas_lib=${openblas.library}`];
  const jobs = `-j${os.availableParallelism()}`;
  const commands = incremental
    ? [
        [...nodeGyp, 'configure', ...definitions],
        [...nodeGyp, 'build', jobs],
      ]
    : [[...nodeGyp, 'rebuild', jobs, ...definitions]];
  for (const command of commands) {
    const { ok, output } = run(process.execPath, command, { env });
    if (ok) continue;
    const lines = output.trimEnd().split('\n');
    const errors = lines.filter((line) => faults.test(line) && !/^gyp |^make/.test(line));
    const told = errors.length > 0 ? errors.slice(0, 10) : lines.slice(-10);
    throw new BuildProblem(
      `the build failed.\n${told.join('\n')}`,
      `The command was: ${shellCommand([process.execPath, ...command], headerEnvironment())}\nFix the error`,
    );
  }
  writeWhole(addon, readFileSync(join(root, 'native/build/Release/blasnet.node')));
}

function attempt(work) {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof BuildProblem)) throw error;
    return { problem: error.message, remedy: error.remedy };
  }
}

function build(options) {
  const { value: tools, ...missing } = attempt(() => findTools(options));
  const sources = [...listFiles('native', ['native/build', 'native/test']), 'scripts/openblas.mjs'];
  const stamp = hashInputs(sources, [options.openblas, tools?.identity ?? missing.problem]);
  const last = JSON.parse(readIfPresent(stampFile) ?? '{}');
  if (!options.force && last.stamp === stamp && (last.ok ? existsSync(join(root, addon)) : !options.retry)) return last;

  let failure = missing;
  if (tools) {
    console.log('blasnet: building the native backend');
    const incremental =
      !options.force && last.tools === tools.identity && existsSync(join(root, 'native/build/Makefile'));
    failure = attempt(() => compile(tools, options, incremental));
  }
  const ok = failure.problem === undefined;
  // Don't keep an addon built from other sources: it would not match the TypeScript side.
  if (!ok) rmSync(join(root, addon), { force: true });
  const result = { stamp, ok, tools: tools?.identity, problem: failure.problem, remedy: failure.remedy };
  writeWhole(stampFile, `${JSON.stringify(result)}\n`);
  return result;
}

const installHints = {
  'apt-get': 'sudo apt-get install -y g++ make python3 libopenblas-dev',
  dnf: 'sudo dnf install -y gcc-c++ make python3 openblas-devel openblas-static',
  pacman: 'sudo pacman -S --needed gcc make python openblas',
  apk: 'apk add g++ make python3 openblas-dev',
  brew: 'brew install openblas',
};

/** The command that installs the addon's requirements with this system's package manager, or undefined. */
function installHint() {
  const manager = Object.keys(installHints).find((name) => works(name));
  return manager && installHints[manager];
}

function buildLocked(settings) {
  try {
    return withLock('build/addon.lock', () => build(settings));
  } catch (error) {
    // An installed package may be read-only.
    if (error.path === undefined) throw error;
    return { ok: false, problem: `${error.path} can't be written (${error.code})`, remedy: 'Make it writable' };
  }
}

/** Builds the addon if needed; returns whether it exists, and prints the reason if not. */
export function buildAddon(options = {}) {
  if (process.platform === 'win32') {
    console.log('blasnet: on Windows the native backend is not built from source: the package carries it for x64.');
    return false;
  }
  const settings = { openblas: 'static', library: '', force: false, retry: false, ...options };
  const result = buildLocked(settings);
  if (!result.ok) {
    const hint = installHint();
    const remedy = result.remedy ?? (hint ? `Install what it needs with \`${hint}\`` : 'Install it');
    const again = existsSync(join(root, 'lib')) ? 'npm run build:addon' : 'npx blasnet build';
    console.log(`blasnet: the native backend was not built: ${result.problem}`);
    console.log(`${remedy}, then run \`${again}\`.`);
  }
  return result.ok;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const valueOf = (name) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
  const ok = buildAddon({
    force: process.argv.includes('--force'),
    retry: true,
    ...(valueOf('openblas') && { openblas: valueOf('openblas') }),
    ...(valueOf('openblas-lib') && { library: valueOf('openblas-lib') }),
  });
  if (!ok && process.argv.includes('--strict')) process.exitCode = 1;
}
