import { expect, it } from 'vitest';
import { describeNative } from '../api/support.js';
import { reportOf, runFixture } from './child.js';

describeNative('the threads of runs', () => {
  it.skipIf(process.platform !== 'linux')('one stays for the next run, those of others at the same time end', () => {
    const env = { BLASNET_THREADS: '1' };
    const after = reportOf<number[][]>(runFixture('threads', { args: ['4'], env }));
    expect(after.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1]);
    const [first, second, third, together, last] = after.flat();
    expect([second, third]).toEqual([first, first]);
    expect(last).toBe(together);
  });
});
