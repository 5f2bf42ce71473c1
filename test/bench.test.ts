import { typescript } from 'blasnet/kernels';
import { describe, expect, it } from 'vitest';
import { AlignedMemory } from '../bench/aligned.js';
import { checkBars } from '../bench/bars.js';
import type { ContenderId, Reply } from '../bench/contenders.js';
import { gemmCalls } from '../bench/floor.js';
import { Operands } from '../bench/kernel-case.js';
import { kernelCases } from '../bench/kernel-cases.js';
import { describeMachine } from '../bench/machine.js';
import { plannedSamples } from '../bench/measure.js';
import { parseKernelOptions, parseOptions } from '../bench/options.js';
import { environmentWith, runProgram } from '../bench/processes.js';
import { gemm } from '../bench/reference/gemm.js';
import { ReferenceNetwork, randomNumbers } from '../bench/reference/network.js';
import { formatRatio, renderReport } from '../bench/report.js';
import type { ContenderResult, Results } from '../bench/results.js';
import { median, ratios, summarize } from '../bench/statistics.js';
import { renderTable } from '../bench/table.js';
import { findWorkload, flopsPerSample, workloads } from '../bench/workloads.js';

describe('statistics', () => {
  it('gives the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('summarizes without changing the list', () => {
    const values = [5, 1, 9];
    expect(summarize(values)).toEqual({ median: 5, min: 1, max: 9 });
    expect(values).toEqual([5, 1, 9]);
    expect(summarize([])).toBeUndefined();
  });

  it('takes ratios round by round', () => {
    // A round in which both were slow counts as any other.
    expect(ratios([100, 10, 100], [50, 5, 20])).toEqual([2, 2, 5]);
    expect(() => ratios([1, 2], [1])).toThrow('2 rounds against 1');
  });
});

describe('workloads', () => {
  it('counts the matrix products', () => {
    expect(flopsPerSample(findWorkload('M1'))).toBe(4 * 784 * 100 + 6 * 100 * 100 + 6 * 100 * 10);
    expect(flopsPerSample(findWorkload('P1'))).toBe(2 * (784 * 100 + 100 * 100 + 100 * 10));
    const dense = 400 * 120 + 120 * 84 + 84 * 10;
    expect(flopsPerSample(findWorkload('M3'))).toBe(4 * 28 * 28 * 25 * 6 + 6 * (10 * 10 * 150 * 16 + dense));
    expect(() => findWorkload('M9')).toThrow('M1, M1bn, M2');
  });

  it('has a floor of just these products', () => {
    for (const workload of workloads.filter(({ convolutions }) => convolutions.length === 0)) {
      const flops = gemmCalls(workload).reduce((sum, [, , , , m, n, k]) => sum + 2 * Number(m) * Number(n) * Number(k), 0);
      expect(flops).toBe(flopsPerSample(workload) * workload.batchSize);
    }
  });

  it('plans whole passes, or whole batches where a pass takes too long', () => {
    const task = { passSamples: 1000, batchSize: 64, begin: () => () => {} };
    expect(plannedSamples(1000, 3.4, task)).toBe(3000);
    expect(plannedSamples(100, 3, task)).toBe(256);
    expect(plannedSamples(1, 3, task)).toBe(64);
  });
});

describe('options', () => {
  it('has defaults, a quick run, and refuses what makes no sense', () => {
    expect(parseOptions([])).toMatchObject({
      workloads: ['M1', 'M1bn', 'M2'],
      rounds: 5,
      seconds: 3,
      check: false,
      name: undefined,
    });
    expect(parseOptions(['--quick', '--workloads', 'M2'])).toMatchObject({ workloads: ['M2'], rounds: 1, seconds: 0.5 });
    expect(parseOptions(['--help'])).toBeUndefined();
    for (const args of [
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--seconds', 'x'],
      ['--workloads', 'M9'],
      ['--name', '../x'],
      ['--fast'],
    ]) {
      expect(() => parseOptions(args), args.join(' ')).toThrow();
    }
    expect(parseKernelOptions(['--seconds', '0.1'])).toEqual({ seconds: 0.1, name: undefined });
  });
});

function contender(id: ContenderId, rates: number[], changes: Partial<ContenderResult> = {}): ContenderResult {
  const rounds = rates.map(() => 60_000);
  return { contender: id, equipment: { threads: 1 }, rates, samplesPerRound: rounds, busyCores: [1], ...changes };
}

const example: Results = {
  date: '2026-01-02',
  machine: describeMachine([0, 0]),
  settings: { rounds: 3, seconds: 3, learnSamples: 60_000, quick: false },
  workloads: [
    {
      workload: 'M1',
      contenders: [
        contender('floor', [500_000, 400_000, 450_000], { equipment: { threads: 1, blas: 'OpenBLAS Haswell' } }),
        contender('native-1', [400_000, 300_000, 360_000], { learned: { loss: 0.25, accuracy: 0.93 } }),
        contender('typescript', [20_000, 10_000, 15_000], { samplesPerRound: [30_016, 29_952, 30_016] }),
        contender('reference', [20_000, 20_000, 20_000]),
      ],
    },
  ],
};

describe('bars', () => {
  it('holds the median of the rounds against the bar, and fails what was not measured', () => {
    const results = checkBars(example);
    expect(results.map(({ bar, passed }) => [bar.contender, bar.against, passed])).toEqual([
      ['native', 'typescript', false],
      ['native-1', 'floor', true],
      ['typescript', 'reference', false],
    ]);
    expect(results[0].ratio).toBeUndefined();
    expect(results[1].ratio).toEqual({ median: 0.8, min: 0.75, max: 0.8 });
    expect(results[2].ratio?.median).toBe(0.75);
  });
});

describe('report', () => {
  it('lines up a table', () => {
    const columns = [{ title: 'name', align: 'left' } as const, { title: 'n', align: 'right' } as const];
    expect(
      renderTable(columns, [
        ['a', '1'],
        ['longer', '1000'],
      ]),
    ).toBe(['| name   |    n |', '| ------ | ---: |', '| a      |    1 |', '| longer | 1000 |'].join('\n'));
  });

  it('gives ratios two or three digits that count', () => {
    expect([123.4, 28.72, 1.234, 0.7249, 0.0483].map(formatRatio)).toEqual(['123', '28.7', '1.23', '0.72', '0.0483']);
  });

  it('tells rates with their spread, ratios, loss, accuracy, parts of epochs and bars', () => {
    const report = renderReport(example);
    expect(report).toContain('450,000 (400,000–500,000)');
    expect(report).toMatch(/native, one thread.*0\.80.*0\.2500.*0\.9300/);
    expect(report).toContain('blasnet TypeScript (29,952 to 30,016 samples a round)');
    expect(report).toMatch(/one thread \/ GEMM floor.*0\.7.*0\.80 \(0\.75–0\.80\).*reached/);
    expect(report).toMatch(/all threads \/ blasnet TypeScript.*not measured.*missed/);
  });

  it('describes the machine without its name or paths', () => {
    const machine = describeMachine([0, 0]);
    expect(machine.cores).toBeGreaterThan(0);
    expect(Object.values(machine.environment).join()).not.toMatch(/[/\\]\w/);
  });
});

describe('reference', () => {
  it('multiplies as the TypeScript backend does', () => {
    const random = randomNumbers(1);
    const floats = (length: number) => Float32Array.from({ length }, () => random() - 0.5);
    for (const [m, n, k] of [
      [1, 1, 1],
      [2, 5, 3],
      [7, 9, 1100],
      [12, 8, 16],
    ]) {
      for (const [transA, transB] of [
        [0, 0],
        [1, 0],
        [0, 1],
      ] as const) {
        const [a, b, c] = [floats(m * k), floats(k * n), floats(m * n)];
        const expected = c.slice();
        typescript.kernels.gemm(expected, a, b, m, n, k, transA, transB, 1, 1);
        gemm(transA === 1, transB === 1, m, n, k, a, b, c, true);
        c.forEach((value, i) => {
          expect(value).toBeCloseTo(expected[i], 4);
        });
      }
    }
  });

  it.each([false, true])('learns to tell two patterns apart, batch norm %s', (batchNorm) => {
    const network = new ReferenceNetwork({ widths: [4, 8, 2], batchNorm, capacity: 8, random: randomNumbers(1) });
    const labels = Int32Array.from({ length: 8 }, (_, i) => i % 2);
    const x = Float32Array.from({ length: 32 }, (_, i) => (i % 4 < 2 ? labels[i >> 2] : 1 - labels[i >> 2]));
    const first = network.step(x, labels, 8);
    for (let i = 0; i < 300; i++) network.step(x, labels, 8);
    const { loss, hits } = network.evaluate(x, labels, 8);
    expect(loss).toBeLessThan(first / 2);
    expect(hits).toBe(8);
  });
});

describe('kernel cases', () => {
  it('covers every kernel, with arguments that the kernels take', () => {
    expect(new Set(kernelCases.map(({ kernel }) => kernel))).toEqual(new Set(Object.keys(typescript.kernels)));
    const memory = new AlignedMemory(64 * 2 ** 20);
    for (const { call } of kernelCases) {
      const operands = new Operands(memory);
      const made = call(operands);
      expect(operands.bytes, made[0]).toBeGreaterThan(0);
      expect(typescript.repeat([made], 0)).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("a contender's process", () => {
  it.each(['typescript', 'reference'] as const)('%s tells its speed', async (id) => {
    const request = { contender: id, workload: 'M1', task: { kind: 'speed', seconds: 0.2 } };
    const reply = await runProgram<Reply>('contender', request, environmentWith({}));
    expect(reply.kind).toBe('speed');
    if (reply.kind !== 'speed') return;
    expect(reply.equipment).toEqual({ threads: 1 });
    expect(reply.measurement.samples % 64).toBe(0);
    expect(reply.measurement.samplesPerSecond).toBeGreaterThan(0);
  });

  it('learns', async () => {
    const request = { contender: 'typescript', workload: 'M1', task: { kind: 'learn', samples: 1280 } };
    const reply = await runProgram<Reply>('contender', request, environmentWith({}));
    expect(reply.kind === 'learn' && reply.learned.accuracy).toBeGreaterThan(0.5);
  });

  it('that fails says why', async () => {
    const request = { contender: 'typescript', workload: 'M9', task: { kind: 'speed', seconds: 0.2 } };
    await expect(runProgram('contender', request, environmentWith({}))).rejects.toThrow('no workload M9');
  });
});
