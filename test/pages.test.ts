import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as blasnet from '../lib/index.js';
import { blocksOf, compileModules } from './pages-support.js';

const root = fileURLToPath(new URL('..', import.meta.url));

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

/** By page: blocks that are no module of their own, in the order of the page: what comes before and after each. */
const fragments: Record<string, string[][]> = {
  graphs: [
    [givens.image, 'return features.shape;'],
    ['', 'return distance.shape;'],
    // A network and its data, where nodes and columns have the same names.
    [givens.heads, 'return network;', givens.columns, 'return data;'],
  ],
  extending: [
    ["const y = input([4, 4, 8], { name: 'x' });", 'return y.pipe(squeeze(8)).shape;'],
    ['', 'return new Network({ input: [2], layers: [dense(2)], loss: asymmetric, seed: 1 }).summary();'],
    [givens.trained, 'return inputGradient.length;'],
  ],
  onnx: [],
  'from-tfjs': [],
  formats: [],
};

/** A block as the text of a module with a function, which imports what it uses. */
function fragment(block: string, [before, after]: string[]): string {
  const code = `${before}\n${block}\n${after}`;
  const words = code.replaceAll(/'[^']*'/g, '');
  const used = Object.keys(blasnet).filter((name) => new RegExp(`\\b${name}\\b`).test(words));
  const data = /\bDataset\b/.test(code) ? "import { Dataset } from 'blasnet/data';\n" : '';
  return `import { ${[...used, 'type Node'].join(', ')} } from 'blasnet';\n${data}export function run() {\n${code}\n}\n`;
}

it('compiles and runs the code of docs/extending.md, docs/graphs.md and others', () => {
  const modules: Record<string, string> = {};
  for (const [page, around] of Object.entries(fragments)) {
    const blocks = blocksOf(page).map(({ code }) => code);
    const others = blocks.filter((block) => !block.startsWith('import'));
    expect(others.length, page).toBe(around.length);
    for (const [i, block] of blocks.filter((block) => block.startsWith('import')).entries())
      modules[/^export (?:function|class) (\w+)/m.exec(block)?.[1] ?? `${page}${i}`] = block;
    for (const [i, block] of others.entries()) {
      // Of the block with a network and its data, the data are a part of their own.
      const [first, second] = block.split(/^(?=const data =)/m);
      modules[`${page}-part${i}`] = fragment(first, around[i]);
      if (second !== undefined) modules[`${page}-part${i}-data`] = fragment(second, around[i].slice(2));
    }
  }
  const [file] = compileModules('run', modules, { noUnusedLocals: false });
  copyFileSync(join(root, 'test/pages/check.mjs'), join(file, '../check.mjs'));
  const output = execFileSync(process.execPath, ['check.mjs'], { cwd: join(file, '..'), encoding: 'utf8' });
  expect(output).toContain('compiles and runs');
}, 120_000);

/** Pages whose code other tests run: this file, and those of their names. */
const run = [
  'extending',
  'graphs',
  'onnx',
  'from-tfjs',
  'formats',
  'deploying',
  'recipes',
  'search',
  'tables',
  'watching',
];

/** What blocks that are no modules take as given. */
const surroundings = `
  import { Adam, augmentBatch, checkpoint, cosine, cutout, mixUp, Network, randomRotation, randomShift, Sgd } from 'blasnet';
  import type { Dataset } from 'blasnet/data';
  declare const train: Dataset;
  declare const network: Network;
`;

it('compiles the code of the other pages', () => {
  const pages = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => name.slice(0, -'.md'.length))
    .filter((page) => !run.includes(page));
  const modules = pages.flatMap((page) => {
    const blocks = blocksOf(page).map(({ code }) => code);
    // A first block with imports is the beginning of a program that the others go on with.
    if (/^import /m.test(blocks[0] ?? '')) return [blocks.join('\n')];
    return blocks.map((code) => `${surroundings}\nexport async function fragment() {\n${code}\n}\n`);
  });
  expect(modules.length).toBeGreaterThan(8);
  // That of a layer of the library's own imports as its file would, from the folder of that file.
  const inside = (code: string) => code.replaceAll(/'(\.\.?\/[^']*)'/g, (_, path) => `'../../../lib/layers/${path}'`);
  compileModules('pages', modules.map(inside), { noUnusedLocals: false, noEmit: true, rootDir: '../../..' });
});
