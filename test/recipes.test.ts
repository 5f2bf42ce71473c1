/** The programs of docs/recipes.md and docs/search.md, as they stand there. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onnxRuntime } from '../bench/jobs/onnx-runtime.js';
import { environment, nodeProgram, projectFile } from './lifecycle/child.js';
import { compilePage, type PageProgram } from './pages-support.js';

const NUMBER = String.raw`(-?[\d.]+(?:e-?\d+)?)`;

/** The numbers at the places `#` of a line that a program prints. */
function figures(output: string, line: string): number[] {
  const found = new RegExp(`^${line.replaceAll('#', NUMBER)}$`, 'm').exec(output);
  expect(found, `${line}\n${output}`).not.toBeNull();
  return (found ?? []).slice(1).map(Number);
}

/** What each program must print, by the heading that it stands under. */
const expectations: Record<string, Record<string, (output: string) => void>> = {
  recipes: {
    'Regression with scaled targets': (output) => {
      const [r2, error] = figures(output, 'R² # error #');
      expect(r2).toBeGreaterThan(0.99);
      // Prices are from 200 to 1000.
      expect(error).toBeLessThan(15);
    },
    'A rare class': (output) => {
      const [plain] = figures(output, 'no weights recall # precision #');
      const [balanced, precision] = figures(output, 'balanced recall # precision #');
      expect(plain).toBeLessThan(0.75);
      expect(balanced).toBeGreaterThan(plain + 0.15);
      expect(precision).toBeGreaterThan(0.2);
    },
    Transfer: (output) => {
      const [transferred, fresh] = figures(output, 'accuracy # from nothing #');
      expect(transferred).toBeGreaterThan(0.75);
      expect(transferred).toBeGreaterThan(fresh);
    },
    'k-fold cross-validation': (output) => {
      const [folds, accuracy, deviation] = figures(output, 'folds # accuracy # ± #');
      expect(folds).toBe(10);
      expect(accuracy).toBeGreaterThan(0.9);
      expect(deviation).toBeGreaterThan(0);
      expect(deviation).toBeLessThan(0.1);
    },
    Search: (output) => {
      // 18 trials, 6 of them again; a third rung would begin below one epoch.
      expect(output).toContain('24/24: ');
      const [accuracy] = figures(output, '.*trainings 24 accuracy #');
      expect(accuracy).toBeGreaterThan(0.88);
    },
    'Data larger than memory': (output) => {
      const [first, last] = figures(output, 'loss # then #');
      expect(last).toBeLessThan(0.02);
      expect(last).toBeLessThan(first / 3);
    },
    'An autoencoder that finds what is odd': (output) => {
      expect(output).toContain('numbers in the middle 8\n');
      expect(figures(output, 'area under the ROC curve #')[0]).toBeGreaterThan(0.97);
    },
    'In a browser': (output) => {
      const shares = figures(output, 'here # # #');
      expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 5);
    },
  },
  search: {
    Search: (output) => {
      const [value, trainings, ...prediction] = figures(
        output.replaceAll('\n', ' '),
        '.*\\} # (\\d+) Float32Array\\(4\\).*',
      );
      expect(value).toBeGreaterThan(0.5);
      expect(trainings).toBe(13);
      expect(prediction).toEqual([]);
    },
    'Cross-validation': (output) => {
      const [mean, deviation] = figures(output, '.*\\] # ± #');
      expect(mean).toBeLessThan(0.1);
      expect(deviation).toBeLessThan(mean);
    },
  },
};

let folder: string;
const pages = new Map<string, PageProgram[]>();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-recipes-'));
  for (const page of Object.keys(expectations)) pages.set(page, compilePage(page));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(file: string): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(nodeProgram, [file], { cwd: folder, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk;
      });
    child.on('error', reject).on('close', (status) => resolve({ status, output }));
  });
}

it.each(Object.keys(expectations))('all programs of docs/%s.md are run', (page) => {
  expect(pages.get(page)?.map(({ heading }) => heading)).toEqual(Object.keys(expectations[page]));
});

const all = Object.entries(expectations).flatMap(([page, programs]) =>
  Object.keys(programs).map((name) => [page, name]),
);
it.each(all)(
  'docs/%s.md: %s',
  async (page, heading) => {
    const program = pages.get(page)?.find((each) => each.heading === heading) as PageProgram;
    const { status, output } = await run(program.file);
    expect(status, output).toBe(0);
    expectations[page][heading](output);
  },
  120_000,
);

const chromium = '/usr/bin/chromium';
const web = join(onnxRuntime.folder, 'node_modules/onnxruntime-web/dist');
const lacking = onnxRuntime.installed ? undefined : 'ONNX Runtime (node scripts/onnxruntime.mjs)';
const absent = existsSync(chromium) ? lacking : chromium;
if (absent !== undefined) console.warn(`the recipe for browsers: skipped, there is no ${absent}`);

it.skipIf(absent !== undefined)(
  'recipes: the page of "In a browser" gives the same numbers in Chromium',
  async () => {
    const program = pages.get('recipes')?.find(({ heading }) => heading === 'In a browser') as PageProgram;
    const here = figures((await run(program.file)).output, 'here # # #');
    const [, page] = /^```html\n([\s\S]*?)^```$/m.exec(readFileSync(projectFile('docs/recipes.md'), 'utf8')) ?? [];
    const types: Record<string, string> = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
    const server = createServer(({ url = '/' }, response) => {
      const ort = /^\/ort\/([\w.-]+)$/.exec(url)?.[1];
      const type = types[extname(url)] ?? (url === '/' ? 'text/html' : 'application/octet-stream');
      const known = url === '/' || url === '/spirals.onnx' || ort !== undefined;
      if (!known) return void response.writeHead(404).end();
      const body = url === '/' ? page : readFileSync(ort === undefined ? join(folder, 'spirals.onnx') : join(web, ort));
      response.writeHead(200, { 'content-type': type }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { chromium: browsers } = await import('playwright-core');
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
    const browser = await browsers.launch({ executablePath: chromium, args: flags });
    try {
      const tab = await browser.newPage();
      const problems: string[] = [];
      tab.on('pageerror', ({ message }) => void problems.push(message));
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const shown = tab.locator('output');
      await expect.poll(() => shown.innerText(), { timeout: 60_000 }).toMatch(/\d/);
      expect(problems).toEqual([]);
      const there = (await shown.innerText()).split(' ').map(Number);
      expect(there.length).toBe(3);
      there.forEach((share, i) => {
        expect(Math.abs(share - here[i])).toBeLessThan(1e-5);
      });
    } finally {
      await browser.close();
      server.close();
    }
  },
  180_000,
);
