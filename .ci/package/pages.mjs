// Compiles and runs the TypeScript of some pages of docs (see `fragments`), as the package has them, with nothing but
// the package:
//   node .ci/package/pages.mjs <folder with the package's files> <file of the TypeScript compiler>
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [contents, compiler] = process.argv.slice(2).map((path) => resolve(path));
const project = realpathSync(mkdtempSync(join(tmpdir(), 'blasnet-pages-')));
const installed = join(project, 'node_modules/blasnet');

function run(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' });
  assert.equal(status, 0, `node ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`);
  return stdout;
}

/** What fragments of the pages take as given. */
const givens = {
  image: "const stem = input([8, 8, 16], { name: 'stem' });",
  heads: `const [image, meta] = [input([3, 3, 1], { name: 'image' }), input([2], { name: 'meta' })];
    const trunk = concat(image.pipe(flatten()), meta);`,
  columns: `const rows = 6;
    const [image, meta] = [{ values: new Uint8Array(9 * rows), shape: [3, 3, 1], scale: 1 / 255 }, new Float32Array(2 * rows)];
    const digit = Int32Array.from({ length: rows }, (_, i) => i % 10);
    const parity = Float32Array.from(digit, (label) => label % 2);`,
  trained: `const network = new Network({ input: [2], layers: [dense(3)], loss: meanSquaredError(), seed: 1 });
    const [x, target, optimizer] = [new Float32Array(8), new Float32Array(12), new Sgd({ learningRate: 0.1 })];`,
};

/** By page: blocks that are no module of their own, in the order of the pages: what comes before and after each. */
const fragments = {
  'graphs.md': [
    [givens.image, 'return features.shape;'],
    ['', 'return distance.shape;'],
    // A network and its data, where nodes and columns have the same names.
    [givens.heads, 'return network;', givens.columns, 'return data;'],
  ],
  'extending.md': [
    ["const y = input([4, 4, 8], { name: 'x' });", 'return y.pipe(squeeze(8)).shape;'],
    ['', 'return new Network({ input: [2], layers: [dense(2)], loss: asymmetric, seed: 1 }).summary();'],
    [givens.trained, 'return inputGradient.length;'],
  ],
  'onnx.md': [],
  'from-tfjs.md': [],
  'formats.md': [],
};

const blocksOf = (page) =>
  Array.from(
    readFileSync(join(contents, 'docs', page), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm),
    ([, code]) => code,
  );

/** A block as the text of a module with a function, which imports what it uses. */
function fragment(block, [before, after], names) {
  const code = `${before}\n${block}\n${after}`;
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(code.replaceAll(/'[^']*'/g, '')));
  const data = /\bDataset\b/.test(code) ? "import { Dataset } from 'blasnet/data';\n" : '';
  return `import { ${[...used, 'type Node'].join(', ')} } from 'blasnet';\n${data}export function run() {\n${code}\n}\n`;
}

try {
  mkdirSync(dirname(installed), { recursive: true });
  cpSync(contents, installed, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  cpSync(fileURLToPath(new URL('pages', import.meta.url)), project, { recursive: true });
  const names = JSON.parse(
    run(['--input-type=module', '-e', "console.log(JSON.stringify(Object.keys(await import('blasnet'))))"]),
  );
  const files = [];
  const add = (name, text) => {
    files.push(name);
    writeFileSync(join(project, name), text);
  };
  for (const [page, around] of Object.entries(fragments)) {
    const blocks = blocksOf(page);
    const modules = blocks.filter((block) => block.startsWith('import'));
    const others = blocks.filter((block) => !block.startsWith('import'));
    assert.equal(others.length, around.length, `${page}: ${others.length} blocks that are no modules`);
    modules.forEach((block, i) => {
      add(`${/^export (?:function|class) (\w+)/m.exec(block)?.[1] ?? `${page.slice(0, -3)}${i}`}.ts`, block);
    });
    others.forEach((block, i) => {
      // Of the block with a network and its data, the data are a part of their own.
      const at = block.indexOf('const data =');
      const [first, second] = at < 0 ? [block, undefined] : [block.slice(0, at), block.slice(at)];
      const name = `${page.slice(0, -3)}-part${i}`;
      add(`${name}.ts`, fragment(first, around[i], names));
      if (second !== undefined) add(`${name}-data.ts`, fragment(second, around[i].slice(2), names));
    });
  }
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', ''];
  run([compiler, ...options, ...files]);
  process.stdout.write(run(['check.mjs']));
} finally {
  rmSync(project, { recursive: true });
}
