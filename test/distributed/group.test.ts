import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { expect, it } from 'vitest';
import { describeMpi, type Launched, launch } from './support.js';

interface Report {
  rank: number;
  size: number;
  host: object;
  ranksOnHost: number;
  mpi: { interface: string; version: string; file: string };
  turns: number;
  sums: Record<string, string>;
  shortest: number[];
  empty: number;
  codes: Record<string, string>;
  same: boolean;
  around: number[];
  bytes: number[];
  integers: string[];
  nothing: number;
  chained: number[];
}

/** The values of the fixture, summed over the ranks in their order, in double precision. */
function orderedSum<T extends Float32Array | Float64Array>(array: T, size: number): T {
  for (let i = 0; i < array.length; i++) {
    let sum = 0;
    for (let rank = 0; rank < size; rank++) {
      const own = Math.sin(1 + i * (rank + 1)) * 10 ** ((i + rank) % 5);
      sum += array instanceof Float32Array ? Math.fround(own) : own;
    }
    array[i] = sum;
  }
  return array;
}

function digest(array: ArrayBufferView): string {
  return createHash('sha256').update(new Uint8Array(array.buffer)).digest('hex');
}

function reportsOf({ status, signal, stderr, reports }: Launched<Report>): Report[] {
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return reports as Report[];
}

describeMpi('a group', (mpi) => {
  it.each([
    [2, 'library'],
    [4, 'library'],
    [2, 'ordered'],
    [3, 'ordered'],
  ])('of %i ranks, reduction %s', (size, reduction) => {
    const reports = reportsOf(launch<Report>(mpi, size, 'calls', [reduction]));
    const [first] = reports;
    for (const [rank, report] of reports.entries()) {
      expect(report).toMatchObject({ rank, size, same: true, ranksOnHost: size });
      expect(report.host).toEqual({ name: hostname(), index: 0, count: 1 });
      expect(report.mpi).toMatchObject({ interface: mpi.name, version: expect.stringContaining(mpi.name) });
      // The same bits on all ranks.
      expect(report.sums).toEqual(first.sums);
      expect(report.shortest).toEqual(first.shortest);
      expect(report.empty).toBe(0);
      const sum = (size * (size - 1)) / 2;
      expect(report.around).toEqual([-1, -1, sum, sum, sum, -1, -1, -1]);
      const { bytes } = report;
      expect(bytes).toEqual([...Array(3).fill(rank), ...Array(3).fill(size - 1), ...Array(4).fill(rank)]);
      expect(report.integers).toEqual(['-5', String(2n ** 60n)]);
      expect(report.nothing).toBe(0);
      expect(report.chained).toEqual(Array(3).fill(((size * (size + 1)) / 2) * size));
      expect(report.codes).toEqual({
        otherOptions: 'INVALID_ARGUMENT',
        unknownOption: 'UNKNOWN_OPTION',
        sumOfBytes: 'INVALID_ARGUMENT',
        noArray: 'INVALID_ARGUMENT',
        root: 'INVALID_ARGUMENT',
        arity: 'INVALID_ARGUMENT',
      });
      if (rank > 0) expect(report.turns).toBeGreaterThan(5);
    }
    const expected = orderedSum(new Float32Array(5), size);
    for (const [i, value] of first.shortest.entries()) {
      expect(Math.abs(value - expected[i])).toBeLessThan(1e-6 * size * 10 ** 4);
    }
    if (reduction === 'ordered') {
      expect(first.shortest).toEqual([...expected]);
      expect(first.sums).toEqual({
        'Float32Array 1': digest(orderedSum(new Float32Array(1), size)),
        'Float32Array 1003': digest(orderedSum(new Float32Array(1003), size)),
        'Float64Array 1003': digest(orderedSum(new Float64Array(1003), size)),
        'Float32Array 1048583': digest(orderedSum(new Float32Array((1 << 20) + 7), size)),
      });
    }
  });
});
