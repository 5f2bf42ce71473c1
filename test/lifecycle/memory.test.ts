import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, it } from 'vitest';
import { describeNative, onBackends } from '../api/support.js';
import { instrumented, reportOf, runFixture } from './child.js';

// V8 collects in such a loop because the addon tells it of the bytes of shared memory (`adopt`), which it does not
// count itself.
describeNative('memory of a loop that never turns to the event loop', () => {
  // 60 networks of 16 MB, or 100 optimizers of 8 MB: without collection a gigabyte.
  for (const what of ['networks, disposed', 'networks', 'optimizers']) {
    it.skipIf(instrumented)(`does not grow with the number of ${what}`, () => {
      const { stdout, stderr, status } = runFixture('memory', { args: [what, 'native'] });
      expect(status, stderr).toBe(0);
      expect(Number(stdout)).toBeLessThan(400);
    });
  }
});

/** By how many kB memory may grow, however often the loops of fixtures/leaks.mjs go round. */
const limits: Record<string, { heap: number; buffers: number; rss: number }> = {
  'predict into an array': { heap: 600, buffers: 16, rss: 8_000 },
  kernels: { heap: 600, buffers: 16, rss: 8_000 },
  'a refused call': { heap: 600, buffers: 16, rss: 8_000 },
  worker: { heap: 600, buffers: 64, rss: 24_000 },
};
const usual = { heap: 600, buffers: 64, rss: 16_000 };

onBackends('memory of objects that are made, used and dropped', (backend) => {
  const times = Number(process.env.BLASNET_LEAK_TIMES ?? 40);

  it.skipIf(instrumented)('is given back', { timeout: 60_000 + 1000 * times }, () => {
    const result = runFixture('leaks', { args: [backend, String(times)], timeout: 60 + times });
    const report = reportOf<Record<string, { count: number; heap: number; buffers: number; rss: number }>>(result);
    expect(Object.keys(report).length).toBeGreaterThan(15);
    for (const [name, grown] of Object.entries(report)) {
      const limit = limits[name] ?? usual;
      if (times > 100) console.log(`${backend}, ${name}, ${grown.count} times: ${JSON.stringify(grown)} kB`);
      for (const kind of ['heap', 'buffers', 'rss'] as const) {
        expect(grown[kind], `${name}: ${kind}: kB after ${grown.count} times`).toBeLessThan(limit[kind]);
      }
    }
  });
});

// Copies in shared memory, which V8 would not count by itself: each call makes new ones, or uses the last one's again.
onBackends('memory of what is copied for a call', (backend) => {
  const calls = Number(process.env.BLASNET_COPIES ?? 60);
  const full = calls >= 300;
  const megabytes = { evaluate: full ? 40 : 12, bytes: 10, datasets: 10, growing: 10 };

  it.skipIf(instrumented).each(Object.entries(megabytes))(
    '%s: does not grow with the number of calls',
    { timeout: 400_000 },
    (what, size) => {
      const args = [backend, what, String(calls), String(size)];
      const result = runFixture('copies', { args, timeout: 390 });
      const { before, after, buffers } = reportOf<{ before: number; after: number; buffers: number }>(result);
      if (full) console.log(`${backend}, ${what}: ${before} MB after 20 calls, ${after} MB after ${calls}`);
      // Few calls end anywhere between two collections: what all of them have copied would be 600 MB.
      expect(after).toBeLessThan(full && what !== 'growing' ? 1.5 * before : 400);
      expect(buffers).toBeLessThan(400);
    },
  );
});

// A block that was made before the addon was loaded counts from then on, too, as does one that was never part of a
// network.
describeNative('memory of datasets', () => {
  it.skipIf(instrumented)('does not grow with their number, before a network is made and after', () => {
    const { before, after } = reportOf<{ before: number; after: number }>(runFixture('datasets'));
    // Held, each half would take 1500 MB.
    expect(before).toBeLessThan(800);
    expect(after).toBeLessThan(800);
  });
});

/** Why datasets can't lie in large pages here; '' where they can. */
function noLargePages(): string {
  if (process.platform !== 'linux') return 'large pages are requested on Linux only';
  if (instrumented) return 'sanitizers have memory of their own';
  const setting = '/sys/kernel/mm/transparent_hugepage/enabled';
  try {
    if (/\[never\]/.test(readFileSync(setting, 'utf8'))) return `${setting} says never`;
  } catch {
    return `there is no ${setting}`;
  }
  const [major, minor] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 1) ? '' : 'Linux before 6.1 does not move memory to large pages';
}

describeNative('memory of a dataset', () => {
  const reason = noLargePages();
  const because = reason && ` (${reason})`;
  const pagesOf = (memory: string) =>
    reportOf<{ loaded: number; trained: number }>(runFixture('large-pages', { args: [memory] }));
  it.skipIf(reason !== '')(`lies in large pages from the start${because}`, () => {
    const { loaded, trained } = pagesOf('copied');
    expect(loaded).toBeGreaterThan(30_000);
    expect(trained).toBeGreaterThan(30_000);
  });
  it.skipIf(reason !== '')(`moves to large pages when a network trains if the caller shares it${because}`, () => {
    const { loaded, trained } = pagesOf('shared by the caller');
    expect(trained - loaded).toBeGreaterThan(30_000);
  });
});
