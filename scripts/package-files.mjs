// Creates the package's files beside the compiler's output, from package.json's `exports`:
// - the CommonJS build (`require`): the bundled entry points, for Node.js versions that can't `require` ES modules;
// - the declarations of the ES modules: they re-export those of CommonJS, so that each type exists only once; those
//   that no entry point leads to are dropped;
// - the header files of node-addon-api, which an installed package needs to build its addon.
import { existsSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path/posix';
import { rolldown } from 'rolldown';
import { minifySync } from 'rolldown/experimental';
import { copyHeaders } from './build-addon.mjs';
import { listFiles, readIfPresent, root, writeWhole } from './support.mjs';

const { exports } = JSON.parse(readIfPresent('package.json'));
const entries = Object.values(exports).filter((conditions) => conditions.require);

const hotGlobals = ['Array', 'Float32Array', 'Int32Array', 'Math', 'Number', 'Object', 'Uint8Array', 'Uint32Array'];

async function buildCommonJs() {
  const directory = dirname(entries[0].require);
  const input = Object.fromEntries(
    entries.map((entry) => [basename(entry.require, '.cjs'), join(root, entry.default)]),
  );
  // Its logs would name local directories; a non-Node import is an error.
  const bundle = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    onLog(level, log) {
      if (level !== 'info') throw new Error(log.message);
    },
  });
  rmSync(join(root, directory), { recursive: true, force: true });
  await bundle.write({
    dir: join(root, directory),
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'shared-[hash].cjs',
    // In a context of node:vm, where Jest runs modules, each use of a global takes as long as a call: these are used in
    // loops.
    intro: `const { ${hotGlobals.join(', ')} } = globalThis;`,
    comments: { legal: true, annotation: true, jsdoc: false },
    // The package has a limit; names stay, for stack traces.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
}

function writeDeclarations() {
  for (const { types } of entries) {
    if (!existsSync(join(root, types.require))) throw new Error(`${types.require} is missing`);
    const target = relative(dirname(types.default), types.require).replace(/\.d\.ts$/, '.js');
    writeWhole(types.default, `export * from '${target.startsWith('.') ? target : `./${target}`}';\n`);
  }
  writeWhole(join(dirname(entries[0].types.require), 'package.json'), '{ "type": "commonjs" }\n');
}

function dropInnerDeclarations() {
  const reached = new Set();
  const visit = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    const imports = readIfPresent(path).matchAll(/\b(?:from |import[ (])['"](\.[^'"]+)\.js['"]/g);
    for (const [, module] of imports) visit(join(dirname(path), `${module}.d.ts`));
  };
  for (const { types } of entries) visit(join(types.require));
  for (const path of listFiles('dist/types')) {
    if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(join(root, path));
  }
}

// The declarations have the comments; the code of the ES modules does without them, since the package has a limit.
// Files with comments for bundlers stay as they are.
function dropComments() {
  const isModule = (path) => path.endsWith('.js') && !/^dist\/(cjs|types)\//.test(path);
  for (const path of listFiles('dist').filter(isModule)) {
    const source = readIfPresent(path);
    if (source.includes('webpackIgnore')) continue;
    const options = { module: true, compress: false, mangle: false, codegen: { removeWhitespace: false } };
    const { code, errors } = minifySync(basename(path), source, options);
    if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
    if (code !== source) writeWhole(path, code);
  }
}

writeDeclarations();
dropInnerDeclarations();
copyHeaders();
await buildCommonJs();
dropComments();
