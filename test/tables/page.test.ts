import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { WEATHER } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('the code of docs/tables.md compiles and runs, as one program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-page-'));
  try {
    const page = readFileSync(join(root, 'docs/tables.md'), 'utf8');
    const blocks = Array.from(page.matchAll(/^```ts\n([\s\S]*?)^```/gm), ([, code]) => code);
    expect(blocks.length).toBe(10);
    const figures = 'console.log(JSON.stringify([accuracy, scores, value, predictions.length, stormy.value]));\n';
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/blasnet'), 'junction');
    copyFileSync(WEATHER, join(folder, 'weather.csv'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'page.ts'), [...blocks, 'export {};', figures].join('\n'));
    const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    // The globals of Node.js are not declared here.
    writeFileSync(join(folder, 'globals.d.ts'), 'declare const console: { log(...values: unknown[]): void };');
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', '', '--skipLibCheck'];
    run(compiler, ...options, 'page.ts', 'globals.d.ts');
    const lines = run('page.js').trim().split('\n');
    const [accuracy, scores, value, predictions, stormy] = JSON.parse(lines.at(-1) as string);
    expect(accuracy).toBeGreaterThan(0.7);
    expect(scores.length).toBe(3);
    for (const score of scores) expect(score).toBeGreaterThan(0.6);
    for (const degrees of [value, stormy]) {
      expect(degrees).toBeGreaterThan(-10);
      expect(degrees).toBeLessThan(40);
    }
    expect(predictions).toBe(100);
    expect(lines).toContain('date year sin, date year cos, precipitation, temp_max, wind');
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);
