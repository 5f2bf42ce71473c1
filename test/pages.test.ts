import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { blocksOf, compileModules } from './pages-support.js';

const root = fileURLToPath(new URL('..', import.meta.url));

it('compiles and runs the code of docs/extending.md, docs/graphs.md and docs/onnx.md with the packed package alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-pages-'));
  try {
    const contents = join(folder, 'contents');
    mkdirSync(contents);
    const pack = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
    execFileSync('npm', pack, { cwd: root, stdio: 'pipe', shell: process.platform === 'win32' });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
    execFileSync('tar', ['-xzf', tarball, '-C', 'contents', '--strip-components=1'], { cwd: folder });
    const script = join(root, '.ci/package/pages.mjs');
    const args = [script, contents, join(root, 'node_modules/typescript/bin/tsc')];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toContain('compiles and runs');
  } finally {
    rmSync(folder, { recursive: true });
  }
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
const givens = `
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
    return blocks.map((code) => `${givens}\nexport async function fragment() {\n${code}\n}\n`);
  });
  expect(modules.length).toBeGreaterThan(8);
  // That of a layer of the library's own imports as its file would, from the folder of that file.
  const inside = (code: string) => code.replaceAll(/'(\.\.?\/[^']*)'/g, (_, path) => `'../../../lib/layers/${path}'`);
  compileModules('pages', modules.map(inside), { noUnusedLocals: false, noEmit: true, rootDir: '../../..' });
});
