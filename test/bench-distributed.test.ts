import { native } from 'blasnet/kernels';
import { describe, expect, it } from 'vitest';
import { createNetwork } from '../bench/blasnet-model.js';
import { findMpis, type Mpi, runAlone, runOnTwo, type Way } from '../bench/distributed/launch.js';
import {
  type Algorithm,
  computeSeconds,
  costOfSum,
  efficiency,
  fitLink,
  inSeries,
  stepSeconds,
  stepsBetweenSums,
  sumSeconds,
} from '../bench/distributed/model.js';
import { betweenHosts } from '../bench/distributed/namespaces.js';
import { imagined, measured } from '../bench/distributed/networks.js';
import { candidates, fabrics, mostRanks, predict } from '../bench/distributed/predict.js';
import { amount, distributedBars, duration, renderResults } from '../bench/distributed/render.js';
import type { Results } from '../bench/distributed/results.js';
import { parseOptions } from '../bench/options.js';
import { reasonOf } from '../bench/program.js';
import { findWorkload } from '../bench/workloads.js';

const link = { latency: 1e-5, bandwidth: 1e9 };

describe('the model of a sum', () => {
  it('counts messages and what they carry', () => {
    expect(costOfSum('tree', 2)).toEqual({ messages: 2, blocks: 2 });
    expect(costOfSum('halving', 2)).toEqual({ messages: 2, blocks: 1 });
    expect(costOfSum('ring', 2)).toEqual({ messages: 2, blocks: 1 });
    expect(costOfSum('tree', 4)).toEqual({ messages: 4, blocks: 4 });
    expect(costOfSum('halving', 4)).toEqual({ messages: 4, blocks: 1.5 });
    expect(costOfSum('ring', 4)).toEqual({ messages: 6, blocks: 1.5 });
    expect(costOfSum('halving', 5)).toEqual({ messages: 6, blocks: 1.6 });
    expect(costOfSum('tree', 4096)).toEqual({ messages: 24, blocks: 24 });
    for (const algorithm of ['tree', 'halving', 'ring'] as const)
      expect(costOfSum(algorithm, 1)).toEqual({ messages: 0, blocks: 0 });
  });

  it('takes the time of its messages', () => {
    expect(sumSeconds('tree', 2, 1e6, link)).toBeCloseTo(2e-5 + 2e-3, 12);
    expect(sumSeconds('halving', 4, 1e6, link)).toBeCloseTo(4e-5 + 1.5e-3, 12);
    expect(sumSeconds('ring', 4, 1e6, link)).toBeCloseTo(6e-5 + 1.5e-3, 12);
  });

  it('finds the link that explains sums', () => {
    const sizes = [8, 4096, 1e6, 3e7];
    for (const algorithm of ['tree', 'halving', 'ring'] as const) {
      const sums = sizes.map((bytes) => ({ bytes, seconds: sumSeconds(algorithm, 2, bytes, link) }));
      const found = fitLink(algorithm, 2, sums);
      expect(found.latency).toBeCloseTo(1e-5, 9);
      expect(found.bandwidth / 1e9).toBeCloseTo(1, 5);
    }
    // Sums of which larger ones are ever slower would need a latency below 0.
    const bent = fitLink('halving', 2, [
      { bytes: 1e3, seconds: 1e-7 },
      { bytes: 1e6, seconds: 1e-3 },
    ]);
    expect(bent.latency).toBe(0);
    // Least squares of 1e3 y / 1e-7 and 1e6 y / 1e-3 about 1: y = (1e10 + 1e9) / (1e20 + 1e18).
    expect(1 / bent.bandwidth).toBeCloseTo(1.1e10 / 1.01e20, 15);
    const faster = [
      { bytes: 8, seconds: 1e-3 },
      { bytes: 1e6, seconds: 1e-4 },
    ];
    expect(() => fitLink('tree', 2, faster)).toThrow('larger blocks did not take longer');
  });

  it('adds a wire', () => {
    const { latency, bandwidth } = inSeries(link, { latency: 1e-4, bandwidth: 1.25e8 });
    expect(latency).toBeCloseTo(1.1e-4, 12);
    expect(1 / bandwidth).toBeCloseTo(1e-9 + 8e-9, 15);
  });
});

describe('the model of a step', () => {
  it('computes along the lines between measurements', () => {
    const points = [
      { rows: 64, seconds: 7 },
      { rows: 8, seconds: 2 },
      { rows: 16, seconds: 4 },
    ];
    expect(computeSeconds(points, 16)).toBe(4);
    expect(computeSeconds(points, 12)).toBe(3);
    expect(computeSeconds(points, 40)).toBe(5.5);
    expect(computeSeconds(points, 128)).toBe(11);
    expect(computeSeconds(points, 4)).toBe(1);
    expect(computeSeconds(points, 0)).toBe(0);
    expect(computeSeconds([points[1], { rows: 16, seconds: 8 }], 1)).toBe(0);
  });

  it('loses what sums take and computing does not hide', () => {
    expect(stepSeconds(3, 1)).toBe(4);
    expect(stepSeconds(3, 1, 0.5)).toBe(3.5);
    expect(stepSeconds(3, 1, 2)).toBe(3);
    expect(efficiency(3, 1)).toBe(0.75);
    expect(efficiency(3, 1, 1)).toBe(1);
  });

  it('tells how many steps a sum must be worth', () => {
    // 16 / (16 + 4) = 0.8
    expect(stepsBetweenSums(1, 4, 0.8)).toBe(16);
    expect(stepsBetweenSums(1, 4.1, 0.8)).toBe(17);
    expect(stepsBetweenSums(1, 0.25, 0.8)).toBe(1);
    expect(stepsBetweenSums(1, 0, 0.8)).toBe(1);
  });
});

/** M1 and M2L with a link of each kind; a rank computes 1 row of M2L in 1 ms. */
function example(): Results {
  const sums = (algorithm: Algorithm) =>
    [8, 1e6].map((bytes) => ({ bytes, seconds: 1.1 * sumSeconds(algorithm, 2, bytes, link) }));
  const of = (title: string, wire?: typeof link) =>
    ({ title, algorithm: 'tree', wire, sums: sums('tree'), link }) as const;
  const [small, large] = [findWorkload('M1'), findWorkload('M2L')];
  return {
    links: [
      of('Open MPI, shared memory'),
      of('Open MPI, TCP on the loopback interface'),
      of('Open MPI, TCP between network namespaces'),
      of('Open MPI, TCP between network namespaces, 1 Gbit/s', { latency: 0, bandwidth: 1.25e8 }),
    ],
    networks: [
      { workload: small, parameters: 89_610, compute: [8, 64].map((rows) => ({ rows, seconds: rows * 1e-6 })) },
      { workload: large, parameters: 5_824_522, compute: [32, 256].map((rows) => ({ rows, seconds: rows * 1e-3 })) },
    ],
    steps: [
      {
        workload: large,
        way: 'Open MPI, shared memory',
        half: [0.1, 0.11, 0.12],
        ranks: [0.15, 0.16, 0.17],
        threads: [0.15, 0.2, 0.17],
        sumShare: 0.3,
        sum: 0.05,
      },
    ],
    missing: ['MPICH: its mpirun was not found'],
  };
}

describe('predictions', () => {
  const results = example();
  const [small, large, gpt, mlp] = candidates(results);

  it('know the networks', () => {
    expect([small.bytes, large.bytes]).toEqual([358_440, 23_298_088]);
    expect([small.rows, large.rows]).toEqual([64, 256]);
    // 6 blocks of two norms, four projections and two layers of the MLP; embeddings and the last norm.
    const w = 384;
    const block = 2 * 2 * w + 4 * (w * w + w) + (w * 4 * w + 4 * w) + (4 * w * w + w);
    expect(imagined[0].parameters).toBe(6 * block + 65 * w + 256 * w + 2 * w);
    expect(imagined[1].parameters).toBe(15 * 8192 * 8193 + 8193 * 10);
    expect(gpt.bytes).toBe(4 * imagined[0].parameters);
    // As many rows as M2L, so as much longer as it has more FLOPs; M2L's first layer needs no gradient of its input.
    const flops = 4 * 784 * 2048 + 6 * 2048 * 2048 + 6 * 2048 * 10;
    expect(mlp.compute(256)).toBeCloseTo((0.256 * imagined[1].flops) / flops, 6);
  });

  it('join hosts by TCP or RDMA', () => {
    const all = fabrics(results);
    expect(all.map(({ title }) => title)).toEqual([
      '10 Gbit/s, TCP',
      '25 Gbit/s, TCP',
      '100 Gbit/s, TCP',
      '100 Gbit/s, RDMA',
    ]);
    expect(all[0].link.latency).toBeCloseTo(2e-5, 12);
    expect(1 / all[0].link.bandwidth).toBeCloseTo(1.8e-9, 15);
    expect(fabrics({ links: [] })).toEqual([]);
  });

  it('add up', () => {
    const { compute, sum, efficiency, rowsPerSecond } = predict(large, 'halving', 4, link);
    expect(compute).toBeCloseTo(0.256, 9);
    expect(sum).toBeCloseTo(4e-5 + 1.5 * 0.023298088, 9);
    expect(efficiency).toBeCloseTo(compute / (compute + sum), 9);
    expect(rowsPerSecond).toBeCloseTo((4 * 256) / (compute + sum), 6);
    // A tenth of the computing hides as much of the sum, all of it the whole.
    expect(predict(large, 'halving', 4, link, 256, 0.1).efficiency).toBeCloseTo(compute / (0.9 * compute + sum), 9);
    expect(predict(large, 'halving', 4, link, 256, 1).efficiency).toBe(1);
  });

  it('share a batch among as many ranks as still compute half of the time', () => {
    // 1 ms a row against 1.75 × 23.3 ms: 8 ranks of 64 rows do, 16 of 32 don't.
    expect(mostRanks(large, 'halving', link, 512)).toBe(8);
    expect(mostRanks(large, 'halving', { latency: 0, bandwidth: 1e18 }, 512)).toBe(512);
    expect(mostRanks(large, 'halving', { latency: 10, bandwidth: 1e9 }, 512)).toBe(1);
  });
});

describe('the report', () => {
  it('tells sums, steps, bars and predictions', () => {
    const results = example();
    const bars = distributedBars(results.steps, 2);
    expect(bars.map(({ missed }) => missed)).toEqual([false, false]);
    expect(bars[0].found?.median).toBe(1);
    expect(bars[1].verdict).toContain('not measured');
    expect(distributedBars(results.steps, 1)[0].verdict).toContain('needs 2 cores');
    const text = renderResults(results, bars).join('\n\n');
    expect(text).toContain('- not measured: MPICH: its mpirun was not found');
    expect(text).toContain('1.00 GB/s');
    expect(text).toContain('(-9 %)');
    expect(text).toMatch(
      /\| M2L +\| Open MPI, shared memory +\| +110 ms \| 50\.0 ms \| +160 ms \|.*\| +0 % \| +30 % \|/,
    );
    expect(text).toMatch(/\| MLP-1B +\| 25 Gbit\/s, TCP/);
    expect(renderResults({ links: [], networks: [], steps: [], missing: [] }, []).join()).toContain(
      'Nothing to predict',
    );
  });

  it('writes times and amounts with three digits', () => {
    expect([1.234e-6, 62e-6, 0.00123, 0.0456, 1.5, 1234].map(duration)).toEqual([
      '1.23 µs',
      '62.0 µs',
      '1.23 ms',
      '45.6 ms',
      '1.50 s',
      '1234 s',
    ]);
    expect([8, 4096, 23_298_088, 4e9].map(amount)).toEqual(['8 B', '4.10 KB', '23.3 MB', '4.00 GB']);
  });

  it('takes fewer and longer rounds than the others', () => {
    expect(parseOptions('bench:distributed', [])).toMatchObject({ rounds: 3, seconds: 1, name: 'latest' });
    expect(parseOptions('bench:distributed', ['--quick'])).toMatchObject({ rounds: 1, seconds: 0.05 });
  });
});

describe.runIf(native.available)('ranks', { timeout: 120_000 }, () => {
  const workload = findWorkload('M1');
  const steps = { kind: 'steps', workload, seconds: 0.02 } as const;

  it('have the parameters that the report assumes', () => {
    const parameters = measured.map((one) => createNetwork(one, 'native').parameterCount);
    // ResNet: the first layer, blocks of 16, 32 and 64 filters, the last layer.
    const block = (from: number, to: number) => 9 * (from + to) * to + 4 * to + (from === to ? 0 : from * to + 2 * to);
    const blocks = [16, 16, 16, 32, 32, 32, 64, 64, 64].map((to, i, all) => block(all[i - 1] ?? 16, to));
    expect(parameters).toEqual([
      ...[89_610, 669_706, 5_824_522],
      9 * 32 + 32 + (9 * 32 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64) + 3137 * 128 + 129 * 10,
      160 + blocks.reduce((sum, count) => sum + count) + 650,
    ]);
  });

  it('train alone', async () => {
    const { seconds, parameters, sumShare } = await runAlone(steps, 1);
    expect(seconds).toBeGreaterThan(0);
    expect(parameters).toBe(89_610);
    expect(sumShare).toBe(0);
  });

  const mpis = findMpis();
  const check = async (way: Way) => {
    const bytes = 23_298_088;
    const times = await runOnTwo(way, { kind: 'sums', sizes: [4096, bytes], seconds: 0.01 });
    expect(times[0]).toBeGreaterThanOrEqual(0);
    // On a busy machine, the small sum may take longer than the large one, but no memory is read at 1 TB/s.
    expect(times[1]).toBeGreaterThan(bytes / 1e12);
  };

  if (mpis.length === 0) it.skip('sum and train together: no mpirun was found', () => {});
  for (const mpi of mpis) {
    it(`sum and train together, ${mpi.name}`, async () => {
      const way = { title: '', mpi, options: [] };
      await check(way);
      const { seconds, parameters, sumShare } = await runOnTwo(way, steps);
      expect(seconds).toBeGreaterThan(0);
      expect(parameters).toBe(89_610);
      expect(sumShare).toBeGreaterThan(0);
      expect(sumShare).toBeLessThan(1);
    });
  }

  it.runIf(mpis.some(({ name }) => name === 'Open MPI'))('sum between two hosts', async ({ skip }) => {
    const mpi = mpis.find(({ name }) => name === 'Open MPI') as Mpi;
    let entered = false;
    try {
      await betweenHosts(mpi, { latency: 1e-4, bandwidth: 1.25e8 }, async (way, wire) => {
        entered = true;
        expect(wire?.bandwidth).toBe(1.25e8);
        const [seconds] = await runOnTwo({ ...way, title: '' }, { kind: 'sums', sizes: [1e6], seconds: 0.05 });
        // Half a megabyte there and half a megabyte back take 8 ms at 1 Gbit/s.
        expect(seconds).toBeGreaterThan(0.007);
      });
    } catch (error) {
      if (entered) throw error;
      skip(`no network namespaces here: ${reasonOf(error)}`);
    }
  });
});
