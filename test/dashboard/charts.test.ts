/** Figures that are hard to draw, in a real browser. */
import { existsSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EpochLog } from '../../lib/index.js';
import { type Board, board, handle, log, tell } from './hooks.js';
import { chromiumFlags, chromiumProgram, freePort, pause } from './support.js';

describe.skipIf(!existsSync(chromiumProgram))('charts in a browser', () => {
  let browser: Browser;
  let boards: Board[] = [];
  const problems: string[] = [];

  function newBoard(options: Parameters<typeof board>[0] = {}): Board {
    boards.push(board(options));
    return boards[boards.length - 1];
  }

  async function openPage(url: string, context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    page.on('console', (message) => void problems.push(message.text()));
    page.on('pageerror', (error) => void problems.push(error.message));
    await page.goto(url);
    await page.getByText('connected', { exact: true }).waitFor();
    return page;
  }

  /** The page of one training with these epochs. */
  async function shown(logs: readonly EpochLog[], width = 1280): Promise<Page> {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    const page = await openPage(await tell(newBoard(), logs), context);
    await chart(page, 'loss').waitFor();
    return page;
  }

  const chart = (page: Page, title: string) => page.getByRole('group', { name: new RegExp(`^${title} over `) });
  const labels = (page: Page, title: string) =>
    chart(page, title).locator('svg text[text-anchor=end]').allTextContents();
  const latest = (page: Page, title: string) => chart(page, title).locator('h3 .small').innerText();

  beforeAll(async () => {
    const { chromium } = await import('playwright-core');
    browser = await chromium.launch({ executablePath: chromiumProgram, args: chromiumFlags });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const each of boards) await each.close();
    boards = [];
    expect(problems.splice(0)).toEqual([]);
  });
  afterAll(() => browser.close());

  it('draws figures that differ in their last bits alone', async () => {
    const page = await shown([log(0, 0.3), log(1, 0.30000000000000004), log(2, 0.3)]);
    expect(await labels(page, 'loss')).toEqual(['0.28', '0.3', '0.32']);
  });

  it('labels ticks with the digits in which they differ, and large numbers with an exponent', async () => {
    const page = await shown(
      [0, 1, 2, 3].map((epoch) =>
        log(epoch, 0.7931 + epoch * 1e-5, {
          validation: { loss: 0.7931 },
          metrics: {
            offset: 1e6 + epoch * 0.01,
            huge: 1.16e38 * (epoch + 1),
            steep: 10 ** (12 * epoch),
            tiny: -epoch * 1e-30,
          },
        }),
      ),
    );
    expect(await labels(page, 'loss')).toEqual(['0.7931', '0.79311', '0.79312', '0.79313']);
    expect(await labels(page, 'offset')).toEqual(['1,000,000', '1,000,000.01', '1,000,000.02', '1,000,000.03']);
    expect(await labels(page, 'huge')).toEqual(['1e38', '2e38', '3e38', '4e38']);
    expect(await labels(page, 'tiny')).toEqual(['−3e−30', '−2e−30', '−1e−30', '0']);
    expect(await latest(page, 'huge')).toBe('validation 4.64e38');
    expect(await latest(page, 'steep')).toBe('validation 1e36');
    await page.getByLabel('logarithmic losses').check();
    await expect.poll(() => labels(page, 'loss')).toEqual(['0.7931', '0.79312']);
  });

  it('leaves a gap where a figure is no number, and says that the newest is none', async () => {
    const values = [1, 2, Number.NaN, 3, Number.NaN, 4, 5, Number.NaN];
    const page = await shown(values.map((odd, epoch) => log(epoch, 1, { validation: { loss: 1 }, metrics: { odd } })));
    const path = (await chart(page, 'odd').locator('path.line').getAttribute('d')) ?? '';
    expect(path.replace(/[\d. ]+/g, '')).toBe('MLMML');
    expect(await chart(page, 'odd').locator('circle').count()).toBe(1);
    expect(await latest(page, 'odd')).toBe('validation –');
    // The axis has the last epoch, too.
    expect(await chart(page, 'odd').locator('svg text[text-anchor=middle]').last().textContent()).toBe('8');
  });

  it.each([360, 1280])('keeps long names in their places, and the last label whole, at %i pixels', async (width) => {
    const logs = [0, 1999, 3999, 9999].map((epoch) =>
      log(epoch, 0.5, { validation: { loss: 0.5 }, metrics: { mean_absolute_percentage_error: 1234.5678 } }),
    );
    const page = await shown(logs, width);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    const over = `[...document.querySelectorAll('dt, dd, .chart h3 span')]
      .filter(({ scrollWidth, clientWidth, offsetWidth, parentElement }) => scrollWidth > (clientWidth || offsetWidth) || offsetWidth > parentElement.clientWidth)
      .map(({ textContent }) => textContent)`;
    expect(await page.evaluate(over)).toEqual([]);
    const cut = `[...document.querySelectorAll('.chart svg')].flatMap((svg) => [...svg.querySelectorAll('text')]
      .filter((text) => text.getBBox().x < 0 || text.getBBox().x + text.getBBox().width > svg.clientWidth)
      .map(({ textContent }) => textContent))`;
    expect(await page.evaluate(cut)).toEqual([]);
  });

  it('drops the runs that the server drops, while it is open and when it comes back', async () => {
    const port = await freePort();
    const many = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const each = newBoard({ port });
        await tell(each, [log(0, i, { validation: { loss: 1 }, metrics: { [`of ${i}`]: 1 } })]);
        await each.onTrainEnd({} as never);
      }
    };
    await many(3);
    const page = await openPage(boards[0].url as string, await browser.newContext());
    expect(await page.locator('article').count()).toBe(3);
    await many(60);
    await expect.poll(() => page.locator('article').count(), { timeout: 10_000 }).toBe(50);
    await expect.poll(() => page.locator('article').first().getByRole('heading').innerText()).toBe('run 14');
    expect(await page.locator('figure.chart:visible').count()).toBeLessThan(60);
    await hide(page, true);
    await many(5);
    await hide(page, false);
    await expect.poll(() => page.locator('article').first().getByRole('heading').innerText()).toBe('run 19');
    expect(await page.locator('article').count()).toBe(50);
  });

  it('has no connection while nobody sees it', async () => {
    const told = newBoard();
    const url = await tell(told, [log(0, 1)]);
    // Browsers open six connections to an address.
    const context = await browser.newContext();
    const pages: Page[] = [];
    for (let i = 0; i < 8; i++) {
      const page = await openPage(url, context);
      await hide(page, true);
      pages.push(page);
    }
    await told.onEpochEnd(log(1, 0.25), handle);
    await pause(600);
    expect(await latest(pages[0], 'loss')).toBe('1');
    await hide(pages[0], false);
    await expect.poll(() => latest(pages[0], 'loss')).toBe('0.25');
  });
});

const hide = (page: Page, hidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
    document.dispatchEvent(new Event('visibilitychange'))`);
