import { expect, it } from 'vitest';
import { describeNative } from '../api/support.js';
import { runFixture } from './child.js';

describeNative('memory of a loop that never turns to the event loop', () => {
  // 60 networks of 16 MB, or 100 optimizers of 8 MB: without collection a gigabyte.
  for (const what of ['networks', 'optimizers']) {
    it(`does not grow with the number of ${what}`, () => {
      const { stdout, stderr, status } = runFixture('memory', { args: [what, 'native'] });
      expect(status, stderr).toBe(0);
      expect(Number(stdout)).toBeLessThan(400);
    });
  }
});
