// Builds the native backend with node-gyp into build/Release/blasnet.node, and does nothing when that is up to date.
//   node scripts/build-addon.mjs [--strict] [--force] [--openblas=static|dynamic] [--openblas-lib=<path>]
// Where it can't be built it says why and what to do, and leaves the package to a prebuilt binary or its TypeScript backend:
// the exit status is then 0, and 1 with --strict.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiler, compilerIdentity, findOpenBlas, openBlasIdentity } from './openblas.mjs';
import { hashInputs, listFiles, readIfPresent, root, run, withLock, works, writeWhole } from './support.mjs';

const addon = 'build/Release/blasnet.node';
const stampFile = 'build/addon.json';
const require = createRequire(import.meta.url);

// Why the addon can't be built; `remedy` is what to do about it, in place of installing what is missing.
class BuildProblem extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

// node-gyp of this project, or the one inside npm where the package is installed without development dependencies.
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
      // Not there: the next one.
    }
  }
  throw new BuildProblem('node-gyp was not found', 'Run `npm install`');
}

/** Arguments for node-gyp: Node's own headers beside its binary spare the download. */
export function headerArguments() {
  const prefix = join(dirname(process.execPath), '..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

// The compiler and OpenBLAS, and words that change when either is exchanged.
function findTools(options) {
  const compilerName = compilerIdentity();
  if (!compilerName) throw new BuildProblem(`the C++ compiler (${compiler()}) was not found`);
  for (const tool of ['make', 'python3']) {
    if (!works(tool)) throw new BuildProblem(`${tool} was not found`);
  }
  const openblas = findOpenBlas(options.openblas, options.library);
  if (!openblas) throw new BuildProblem(options.library ? `there is no ${options.library}` : 'OpenBLAS was not found');
  const identity = [
    compilerName,
    openBlasIdentity(openblas),
    require('node-addon-api/package.json').version,
    process.versions.node.split('.')[0],
    process.arch,
  ].join('; ');
  return { openblas, identity };
}

function compile({ openblas }, options, incremental) {
  if (openblas.linkage !== options.openblas) console.log(`blasnet: no libopenblas.a, linking ${openblas.library}`);
  const nodeGyp = [findNodeGyp(), '-C', 'native', ...headerArguments()];
  const definitions = ['--', `-Dopenblas=${openblas.linkage}`, `-Dopenblas_lib=${openblas.library}`];
  const jobs = `-j${os.availableParallelism()}`;
  const commands = incremental
    ? [
        [...nodeGyp, 'configure', ...definitions],
        [...nodeGyp, 'build', jobs],
      ]
    : [[...nodeGyp, 'rebuild', jobs, ...definitions]];
  for (const command of commands) {
    const { ok, output } = run(process.execPath, command);
    if (ok) continue;
    const lines = output.trimEnd().split('\n');
    const errors = lines.filter((line) => /error|undefined reference/i.test(line) && !/^gyp |^make/.test(line));
    const told = errors.length > 0 ? errors.slice(0, 10) : lines.slice(-10);
    throw new BuildProblem(`the build failed.\n${told.join('\n')}`, `The command was: node ${command.join(' ')}\nMend that`);
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
    const incremental = !options.force && last.tools === tools.identity && existsSync(join(root, 'native/build/Makefile'));
    failure = attempt(() => compile(tools, options, incremental));
  }
  const ok = failure.problem === undefined;
  // An addon of other sources must not stay: it would not fit the TypeScript side.
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

/** The command that installs what the addon needs with this system's package manager, or undefined. */
function installHint() {
  const manager = Object.keys(installHints).find((name) => works(name));
  return manager && installHints[manager];
}

/** Builds the addon when needed; returns whether it is there, having said why where it is not. */
export function buildAddon(options = {}) {
  const settings = { openblas: 'static', library: '', force: false, retry: false, ...options };
  const result = withLock('build/addon.lock', () => build(settings));
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
