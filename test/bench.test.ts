import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { native, typescript } from 'blasnet/kernels';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AlignedMemory } from '../bench/aligned.js';
import { bars, checkBars, judge, requireBars } from '../bench/bars.js';
import {
  type ContenderId,
  contenderEnvironment,
  contenderIds,
  contenders,
  findContender,
  type Reply,
  takesPart,
} from '../bench/contenders.js';
import { gemmCalls } from '../bench/floor.js';
import { Operands } from '../bench/kernel-case.js';
import { kernelCases } from '../bench/kernel-cases.js';
import { describeMachine } from '../bench/machine.js';
import { measure, plannedSamples, together } from '../bench/measure.js';
import type { MemoryReply } from '../bench/memory.js';
import { parseKernelOptions, parseOptions, parseScalingOptions } from '../bench/options.js';
import { besideBusyProcess, environmentWith, root, runProgram } from '../bench/processes.js';
import { gemm } from '../bench/reference/gemm.js';
import { ReferenceNetwork, randomNumbers } from '../bench/reference/network.js';
import { formatRatio, renderReport } from '../bench/report.js';
import type { ContenderResult, Results } from '../bench/results.js';
import type { ScalingReply } from '../bench/scaling-contender.js';
import { renderScaling } from '../bench/scaling-report.js';
import { differences, median, ratios, summarize } from '../bench/statistics.js';
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
    expect(differences([5, 3], [1, 2])).toEqual([4, 1]);
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

  it('is timed when it is ready, after its first two batches, with a fresh network', async () => {
    const events: (string | number)[] = [];
    const begin = () => {
      events.push('begin');
      return async (samples: number) => {
        events.push(samples);
        await new Promise((resolve) => setTimeout(resolve, 20));
      };
    };
    const ready = async () => events.push('ready');
    const { samples } = await measure({ passSamples: 1000, batchSize: 10, begin }, 0.05, ready);
    expect(events).toEqual(['begin', 20, 'begin', 20, 'ready', samples]);
  });

  it('that ran on several cores at once is added up', () => {
    const one = { samplesPerSecond: 100, samples: 300, seconds: 3, cpuSeconds: 2.5 };
    const other = { samplesPerSecond: 50, samples: 200, seconds: 4, cpuSeconds: 4 };
    expect(together([one, other])).toEqual({ samplesPerSecond: 150, samples: 500, seconds: 4, cpuSeconds: 6.5 });
  });

  it('plans whole passes, or whole batches where a pass takes too long', () => {
    const task = { passSamples: 1000, batchSize: 64, begin: () => () => {} };
    expect(plannedSamples(1000, 3.4, task)).toBe(3000);
    expect(plannedSamples(100, 3, task)).toBe(256);
    expect(plannedSamples(1, 3, task)).toBe(64);
    expect(plannedSamples(1, 3, { ...task, leastBatches: 3 })).toBe(192);
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
    expect(parseOptions(['--workloads', 'all'])?.workloads).toEqual(workloads.map(({ id }) => id));
    expect(parseKernelOptions(['--seconds', '0.1'])).toEqual({ seconds: 0.1, name: undefined });
    expect(parseScalingOptions([])).toEqual({ seconds: 1, quick: false, name: undefined });
    expect(parseScalingOptions(['--quick'])).toEqual({ seconds: 0.1, quick: true, name: undefined });
    expect(() => parseScalingOptions(['--seconds', '0'])).toThrow('positive');
  });
});

function contender(id: ContenderId, rates: number[], changes: Partial<ContenderResult> = {}): ContenderResult {
  const rounds = rates.map(() => 60_000);
  return { contender: id, equipment: { threads: 1 }, rates, samplesPerRound: rounds, busyCores: [1], ...changes };
}

const example: Results = {
  date: '2026-01-02',
  machine: { ...describeMachine([0, 0]), cores: 2 },
  settings: { rounds: 3, seconds: 3, learnSamples: 60_000, quick: false },
  workloads: [
    {
      workload: 'M1',
      contenders: [
        contender('floor', [500_000, 400_000, 450_000], { equipment: { threads: 1, blas: 'OpenBLAS Haswell' } }),
        contender('floor-cut', [800_000, 800_000, 800_000]),
        contender('native-1-zeros', [450_000, 340_000, 390_000]),
        contender('native-1', [450_000, 340_000, 390_000], { learned: { loss: 0.25, accuracy: 0.93 } }),
        contender('native-contended', [450_000, 255_000, 273_000]),
        contender('typescript', [20_000, 10_000, 15_000], { samplesPerRound: [30_016, 29_952, 30_016] }),
        contender('reference', [20_000, 20_000, 20_000]),
      ],
      memory: { idle: [100, 101, 102], training: [130, 141, 143] },
    },
  ],
  remaining: ['M2'],
};

describe('contenders', () => {
  const taking = (workload: string, cores: number, native = true) =>
    contenders.filter((item) => takesPart(item, findWorkload(workload), { cores, native })).map(({ id }) => id);

  it('take part where the machine is large enough and they are fast enough', () => {
    expect(taking('M1', 8)).toEqual(contenderIds);
    expect(taking('M1', 2)).not.toContain('native-8');
    expect(taking('M1', 1)).not.toContain('native-contended');
    expect(taking('M1', 1)).not.toContain('floor-all');
    const slow = ['native-8', 'typescript', 'reference'];
    expect(taking('M2L', 2)).toEqual(contenderIds.filter((id) => !slow.includes(id)));
    expect(taking('M3', 1)).toEqual(['native-1', 'native', 'typescript']);
    expect(taking('M2', 8, false)).toEqual(['typescript', 'reference']);
  });

  it('run under the variables that make them what they are', () => {
    expect(contenderEnvironment(findContender('floor'))).toMatchObject({ BLASNET_GEMM_TILES: '0', BLASNET_THREADS: '1' });
    expect(contenderEnvironment(findContender('floor-cut')).BLASNET_GEMM_TILES).toBe(process.env.BLASNET_GEMM_TILES);
    expect(contenderEnvironment(findContender('native')).BLASNET_THREADS).toBeUndefined();
    expect(contenderEnvironment(findContender('native-zeros')).BLASNET_SKIP_ZEROS).toBe('0');
  });
});

describe('bars', () => {
  const verdicts = (results: Pick<Results, 'workloads' | 'machine'>) =>
    checkBars(results).map(({ title, verdict }) => [title.replace(/^\w+: /, ''), verdict]);

  it('holds the median of the rounds against the bar, and misses what was not measured', () => {
    expect(verdicts(example)).toEqual([
      ['one thread, zeros multiplied, too / floor: OpenBLAS’s products', 'reached'],
      ['blasnet native, all threads / blasnet native, one thread', 'missed: not measured'],
      ['blasnet native, all threads / blasnet TypeScript', 'missed: not measured'],
      ['blasnet native, one core taken / blasnet native, one thread', 'missed'],
      ['blasnet TypeScript / pure-JavaScript reference', 'missed'],
      ['memory of training, MB', 'reached'],
    ]);
    const [floor, , , contended, , memory] = checkBars(example);
    expect(floor.found?.median).toBeCloseTo(390 / 450);
    expect(contended.found).toEqual({ median: 0.75, min: 0.7, max: 1 });
    expect(memory.found).toEqual({ median: 40, min: 30, max: 41 });
  });

  it('names only contenders that run the workload on a large machine', () => {
    for (const { workload, contender: first, against } of bars) {
      for (const id of [first, against]) {
        const takes = takesPart(findContender(id), findWorkload(workload), { cores: 8, native: true });
        expect(takes, `${workload}, ${id}`).toBe(true);
      }
    }
  });

  it('excuses what needs a larger machine', () => {
    const workloads = [{ workload: 'M4', contenders: [contender('native-1', [100])] }];
    const small = checkBars({ machine: example.machine, workloads });
    expect(small.map(({ verdict, missed }) => [verdict, missed])).toEqual([['not measured: needs 8 cores', false]]);
    const large = checkBars({ machine: { ...example.machine, cores: 8 }, workloads });
    expect(large.map(({ missed }) => missed)).toEqual([true]);
  });

  it('sets the exit status where one is missed', () => {
    const status = process.exitCode;
    try {
      requireBars([judge('memory', { most: 40 }, summarize([40]))]);
      expect(process.exitCode).toBe(status);
      requireBars([judge('memory', { most: 40 }, summarize([41]))]);
      expect(process.exitCode).toBe(1);
    } finally {
      process.exitCode = status;
    }
    expect(() => requireBars([])).toThrow('no bar');
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
    expect(report).toMatch(/native, one thread.*0\.87.*0\.2500.*0\.9300/);
    expect(report).toContain('blasnet TypeScript (29,952 to 30,016 samples a round)');
    expect(report).toMatch(/one thread, zeros multiplied, too \/ floor.*≥ 0\.85.*0\.87 \(0\.85–0\.90\).*reached/);
    expect(report).toMatch(/all threads \/ blasnet TypeScript.*–.*missed: not measured/);
    expect(report).toMatch(/memory of training, MB.*≤ 40.*40\.0 \(30\.0–41\.0\).*reached/);
    expect(report).toContain('141 MB with native training on all threads, 101 MB with the data alone');
    expect(report).toContain('Not reached: M2.');
  });

  it('tells what threads gain, and what is not known yet', () => {
    const report = renderScaling({
      date: '2026-01-02',
      machine: describeMachine([0, 0]),
      seconds: 1,
      quick: false,
      sizes: { threads: [1, 2, 4], batches: [16, 64], widths: [32] },
      speeds: [{ batchSize: 16, width: 32, blas: 'OpenBLAS Haswell', rates: [1000, 1500, 1250] }],
      remaining: ['batch 64 and width 32'],
    });
    expect(report).toMatch(/2 threads\n\n.*width 32.*\n.*\n\|\s+16 \|\s+1,500 \|\n\|\s+64 \|\s+– \|/);
    expect(report).toMatch(/4 threads \/ one thread\n\n.*\n.*\n\|\s+16 \|\s+1\.25 \|/);
    expect(report).toContain('Not reached: batch 64 and width 32.');
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

function isAlive(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a busy process', () => {
  it('is gone after the work, and after an error', async () => {
    const ids: number[] = [];
    const alive: boolean[] = [];
    const note = (id: number) => {
      ids.push(id);
      alive.push(isAlive(id));
    };
    expect(await besideBusyProcess(async (id) => [note(id)].length)).toBe(1);
    const failure = besideBusyProcess(async (id) => {
      note(id);
      throw new Error('no');
    });
    await expect(failure).rejects.toThrow('no');
    expect(alive).toEqual([true, true]);
    expect(ids.map(isAlive)).toEqual([false, false]);
  });
});

/** A program that measures two items; the second takes for ever, beside a busy process whose number it tells. */
const program = `
  import { besideBusyProcess, environmentWith, runCommand } from '${url('processes')}';
  import { measureInTurn, runAsProgram } from '${url('program')}';
  const forever = () => besideBusyProcess((id) => {
    console.error(id);
    const code = 'setInterval(() => process.ppid === ' + process.pid + ' || process.exit(), 50)';
    return runCommand(process.execPath, ['-e', code], environmentWith({}));
  });
  const measure = async (item) => (item === 'a' ? item : forever());
  const record = (found, remaining) => 'found ' + found + ', remaining ' + remaining;
  await runAsProgram('test', () => measureInTurn(['a', 'b', 'c'], measure, record));
`;

function url(name: string): string {
  return pathToFileURL(join(root, 'build/tools/bench', `${name}.js`)).href;
}

describe('a program that is stopped', () => {
  async function stop(signal: NodeJS.Signals) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    // What it has started ends with it.
    onTestFinished(() => void child.kill('SIGKILL'));
    const said = { output: '', errors: '' };
    child.stdout.on('data', (data) => {
      said.output += data;
    });
    child.stderr.on('data', (data) => {
      said.errors += data;
    });
    await waitFor(() => said.errors.includes('\n'));
    const busy = Number.parseInt(said.errors, 10);
    expect(isAlive(busy)).toBe(true);
    child.kill(signal);
    const [status] = await once(child, 'close');
    await waitFor(() => !isAlive(busy));
    return { ...said, status };
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s tells what it found, and ends its processes', async (signal, expected) => {
    const { output, errors, status } = await stop(signal);
    expect(output).toBe('found a, remaining b,c\n');
    expect(errors).toContain(`test: stopped by ${signal}`);
    expect(status).toBe(expected);
  });

  it('by SIGKILL leaves no busy process', async () => {
    await stop('SIGKILL');
  });
});

describe.skipIf(!native.available)('peak of memory', () => {
  it('is larger where a process trains', async () => {
    const idle = await runProgram<MemoryReply>('memory', {}, environmentWith({}));
    const training = await runProgram<MemoryReply>('memory', { workload: 'M1' }, environmentWith({}));
    expect(idle.peak).toBeGreaterThan(50);
    expect(training.peak).toBeGreaterThan(idle.peak);
  });
});

describe.skipIf(!native.available)('a network of the scaling benchmark', () => {
  it('trains three whole batches at least', async () => {
    const request = { width: 32, batchSize: 4096, seconds: 0.001 };
    const { measurement } = await runProgram<ScalingReply>('scaling-contender', request, environmentWith({}));
    expect(measurement.samples).toBeGreaterThanOrEqual(3 * 4096);
    expect(measurement.samples % 4096).toBe(0);
  });
});
