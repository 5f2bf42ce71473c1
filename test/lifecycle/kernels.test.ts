import { expect, it } from 'vitest';
import { onBackends } from '../api/support.js';
import { reportOf, runFixture } from './child.js';

onBackends('kernels with nothing to write', (backend) => {
  it('return at once, however large their other sizes are', () => {
    const { made } = reportOf<{ made: number }>(runFixture('empty-kernels', { args: [backend, '1500'] }));
    expect(made).toBeGreaterThan(50_000);
  });
});
