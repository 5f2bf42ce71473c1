/** The page in a real browser. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dashboard, dashboard } from '../../lib/dashboard/index.js';
import { Dataset } from '../../lib/data/index.js';
import { dense, flatten, type History, Network, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { randomFloats } from '../api/support.js';
import { chromiumFlags, chromiumProgram, sink, slowly, until } from './support.js';

const program = chromiumProgram;
const reason = existsSync(program) ? undefined : `there is no ${program} (Debian: apt-get install chromium)`;
if (reason !== undefined) console.warn(`the dashboard in a browser: skipped, ${reason}`);

/** Images whose brightest pixel of the first three is their class, with some labels wrong. */
const features = Uint8Array.from(randomFloats(16 * 300, 5), (x) => 127 + 127 * x);
const labels = Int32Array.from({ length: 300 }, (_, row) => {
  const own = features.subarray(16 * row, 16 * row + 3);
  return row % 10 === 0 ? row % 3 : own.indexOf(Math.max(...own));
});
const images = new Dataset({ features, shape: [4, 4, 1], scale: 1 / 255, labels, classes: 3 });
const HOSTILE = '<img src=x onerror="document.title=1">&amp;';

describe.skipIf(reason !== undefined)('the dashboard in a browser', () => {
  let browser: Browser;
  let folder = '';
  const boards: Dashboard[] = [];
  const trainings: Promise<History>[] = [];
  const problems: string[] = [];
  const requests: string[] = [];

  function train(name: string, epochs: number, learningRate: number) {
    const network = new Network({
      input: [4, 4, 1],
      layers: [flatten(), dense(8), dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 3,
      backend: 'typescript',
    });
    const board = dashboard({ name, network, samples: images, stream: sink(), save: join(folder, 'net.safetensors') });
    boards.push(board);
    trainings.push(
      network.fit(images, {
        optimizer: new Sgd({ learningRate }),
        epochs,
        validation: images,
        metrics: { 'none <b>': () => 0.25 },
        callbacks: [board, slowly(60)],
      }),
    );
  }

  async function openPage(options: BrowserContextOptions = {}): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    page.on('console', (message) => {
      if (message.type() !== 'log') problems.push(message.text());
    });
    page.on('pageerror', (error) => void problems.push(error.message));
    page.on('request', (request) => void requests.push(request.url()));
    await page.goto(boards[0].url as string);
    await page.getByText('connected', { exact: true }).waitFor();
    return page;
  }

  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    folder = mkdtempSync(join(tmpdir(), 'blasnet-browser-'));
    browser = await chromium.launch({ executablePath: program, args: chromiumFlags });
    train('first', Number.POSITIVE_INFINITY, 0.05);
    train(HOSTILE, Number.POSITIVE_INFINITY, 0.01);
    await until(() => boards.every(({ url }) => url !== undefined), 'they have an address');
  });
  afterAll(async () => {
    await browser.close();
    await boards[0].close();
    rmSync(folder, { recursive: true });
  });

  it('shows both runs, their curves, histograms and misread samples', async () => {
    const page = await openPage();
    expect(await page.locator('article').count()).toBe(2);
    const charts = page.locator('figure.chart:visible');
    await charts.nth(4).waitFor();
    const titles = await charts.locator('h3 span:first-child').allInnerTexts();
    expect(titles).toEqual(['loss', 'accuracy', 'none <b>', 'learning rate', 'samples per second']);
    // Training and validation of two runs.
    expect(await charts.first().locator('path.line:not(.far)').count()).toBe(4);
    await page.getByRole('heading', { name: /of 300 samples misread/ }).waitFor();
    expect(await page.locator('#images img').count()).toBeGreaterThan(5);
    expect(await page.locator('#images img').first().getAttribute('alt')).toMatch(/^sample \d+: predicted \d, is \d$/);
    const histograms = page.locator('#histograms svg');
    expect(await histograms.count()).toBe(8);
    expect(await histograms.nth(1).getAttribute('aria-label')).toMatch(
      /^gradient of 1\.weight: from −[\d.]+ to [\d.]+$/,
    );
    await page.close();
  });

  it('goes on while training does', async () => {
    const page = await openPage();
    const epoch = async () => Number(/epoch (\d+)/.exec(await page.locator('article').first().innerText())?.[1]);
    const before = await epoch();
    await expect.poll(epoch, { timeout: 10_000 }).toBeGreaterThan(before + 3);
    await page.close();
  });

  it('takes names for text', async () => {
    const page = await openPage();
    expect(await page.locator('article').nth(1).getByRole('heading').innerText()).toBe(HOSTILE);
    expect(await page.title()).toBe('blasnet: training');
    await page.close();
  });

  it('is used with the keyboard, and says what it shows', async () => {
    const page = await openPage();
    const loss = page.getByRole('group', {
      name: /^loss over \d+ epochs; last: first [\d.]+, first validation [\d.]+, /,
    });
    await loss.focus();
    await page.keyboard.press('Home');
    await expect.poll(() => loss.locator('output').innerText()).toMatch(/^epoch 1: first [\d.]+/);
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => loss.locator('output').innerText()).toMatch(/^epoch 2: /);
    await page.keyboard.press('Escape');
    await expect.poll(() => loss.locator('output').innerText()).toBe('');
    const box = page.getByRole('checkbox', { name: 'first' });
    await box.focus();
    await page.keyboard.press('Space');
    await expect.poll(() => page.locator('figure.chart').first().locator('path.line:not(.far)').count()).toBe(2);
    await page.getByText('Numbers of the last epochs').click();
    await expect.poll(() => page.getByRole('table', { name: 'first' }).getByRole('row').count()).toBeGreaterThan(3);
    // All that can be focused is reached by Tab, and shows that it is.
    await page.reload();
    await page.locator('figure.chart').first().waitFor();
    await page.keyboard.press('Tab');
    for (let i = 0; i < 6; i++) {
      const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
      expect(outline).not.toBe('none');
      await page.keyboard.press('Tab');
    }
    for (const button of await page.getByRole('button').all())
      expect(await button.getAttribute('aria-label')).toMatch(/^(Stop|Save now): /);
    await page.close();
  });

  it.each([
    [1280, 'light'],
    [1280, 'dark'],
    [390, 'light'],
    [390, 'dark'],
  ] as const)('fits %i pixels, %s, and can be read', async (width, colorScheme) => {
    const page = await openPage({ viewport: { width, height: 844 }, colorScheme });
    await page.locator('#histograms svg').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    // WCAG 2.1: 4.5 to 1 for text, each colour against the ground that it stands on.
    const contrasts = (await page.evaluate(CONTRASTS)) as Record<string, number>;
    expect(Object.keys(contrasts).length).toBeGreaterThan(8);
    for (const [what, contrast] of Object.entries(contrasts)) expect(contrast, what).toBeGreaterThanOrEqual(4.5);
    const heights = await Promise.all(
      (await page.getByRole('button').all()).map(async (button) => (await button.boundingBox())?.height ?? 0),
    );
    expect(Math.min(...heights)).toBeGreaterThanOrEqual(width === 390 ? 44 : 36);
    await page.close();
  });

  it('saves and stops when its buttons are pressed, and tells when the process is gone', async () => {
    const page = await openPage();
    await page.getByRole('button', { name: 'Save now: first' }).click();
    await page
      .locator('article')
      .getByText(/saved .*net\.safetensors after epoch \d+/)
      .waitFor();
    expect(readdirSync(folder)).toEqual(['net.safetensors']);
    for (const name of ['first', HOSTILE]) {
      const stop = page.getByRole('button', { name: `Stop: ${name}` });
      await stop.focus();
      await page.keyboard.press('Enter');
    }
    await Promise.all(trainings);
    await expect.poll(() => page.locator('.badge').allInnerTexts()).toEqual(['finished', 'finished']);
    expect(await page.getByRole('button').count()).toBe(0);
    expect(problems).toEqual([]);
    const own = new URL(boards[0].url as string).href;
    expect(requests.filter((url) => !url.startsWith(own) && !url.startsWith('data:'))).toEqual([]);
    await boards[0].close();
    await page.getByText('training is over, and the process has ended').waitFor();
    await page.close();
  });
});

/** For each kind of text on the page, its least contrast to the nearest ground that has a colour. */
const CONTRASTS = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((byte) => {
      const c = byte / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const selector of ['h1', 'h2', 'h3', 'h4', 'p.soft', 'dt', 'dd', '.badge', 'button', 'select', 'svg text', 'figcaption', 'figcaption b', '.ends', '.what', 'summary']) {
    for (const element of document.querySelectorAll(selector)) {
      const style = getComputedStyle(element);
      let ground = element;
      while (ground && /^(rgba\\(0, 0, 0, 0\\)|transparent)$/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
      const [a, b] = [element instanceof SVGElement ? style.fill : style.color, ground ? getComputedStyle(ground).backgroundColor : 'white'].map(luminance);
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      found[selector] = Math.min(found[selector] ?? Infinity, contrast);
    }
  }
  return found;
})()`;
