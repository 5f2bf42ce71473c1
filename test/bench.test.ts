import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { native, typescript } from 'blasnet/kernels';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BarResult, checkBars, judge, requireBars, speedBars } from '../bench/bars.js';
import {
  contenderEnvironment,
  contenders,
  findContender,
  type Job,
  type Reply,
  takesPart,
} from '../bench/contenders.js';
import { gemmCalls, gemmPeak, peakProducts } from '../bench/floor.js';
import { kernelCases } from '../bench/kernel-cases.js';
import { describeMachine } from '../bench/machine.js';
import { measure, plannedSamples, together } from '../bench/measure.js';
import type { MemoryReply } from '../bench/memory.js';
import { AlignedMemory, makeCall } from '../bench/operands.js';
import { parseOptions } from '../bench/options.js';
import { besideBusyProcess, environmentWith, root, runProgram } from '../bench/program.js';
import { gemm } from '../bench/reference/gemm.js';
import { ReferenceNetwork, randomNumbers } from '../bench/reference/network.js';
import {
  formatRatio,
  ratioOf,
  renderBars,
  renderTable,
  renderWorkload,
  replaceSection,
  speedColumns,
} from '../bench/report.js';
import { type Entrant, measureRounds, type Result, type WorkloadResult } from '../bench/rounds.js';
import {
  type Measured,
  measureShares,
  modelThreads,
  predictedStep,
  renderModel,
  whyNoModel,
} from '../bench/scaling-model.js';
import { differences, median, ratios, summarize } from '../bench/statistics.js';
import { findWorkload, flopsPerSample, perceptron, workloads } from '../bench/workloads.js';

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
    const block = (side: number, from: number, to: number) => side * side * 9 * (from * to + to * to);
    const residual = block(28, 16, 16) + block(14, 16, 32) + block(7, 32, 64) + 14 * 14 * 16 * 32 + 7 * 7 * 32 * 64;
    expect(flopsPerSample(findWorkload('M5'))).toBe(4 * 28 * 28 * 9 * 16 + 6 * (residual + 64 * 10));
    expect(() => findWorkload('M9')).toThrow('M1, M1bn, M2');
  });

  it('has a floor of just these products', () => {
    for (const workload of workloads.filter(({ batchSize }) => batchSize <= 256)) {
      const flops = gemmCalls({ ...workload, batchSize: 1 }).reduce(
        (sum, [, , , , m, n, k]) => sum + 2 * Number(m) * Number(n) * Number(k),
        0,
      );
      const depthwise = workload.id === 'M6' ? 6 * 9 * (28 * 28 * 32 + 14 * 14 * (64 + 128) + 7 * 7 * 128) : 0;
      expect(flops, workload.id).toBe(flopsPerSample(workload) - depthwise);
    }
  });

  it('has a peak of as many operations', () => {
    for (const [id, samples] of [
      ['M1', 64],
      ['M2L', 256],
      ['M4', 64],
    ] as const) {
      const [flops, each] = [samples * flopsPerSample(findWorkload(id)), 2 * 256 ** 3];
      const products = peakProducts(findWorkload(id), samples);
      expect(products * each, id).toBeGreaterThanOrEqual(flops);
      expect((products - 1) * each, id).toBeLessThan(flops);
    }
  });

  it.runIf(native.available)('has a peak', async () => {
    expect((await gemmPeak(findWorkload('M2L'), 0.02)).samplesPerSecond).toBeGreaterThan(0);
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
    expect(events).toEqual(['begin', 20, 20, 'begin', 20, 'ready', samples]);
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
    expect(parseOptions('bench', [])).toMatchObject({
      workloads: ['M1', 'M1bn', 'M2'],
      rounds: 5,
      seconds: 3,
      check: false,
      name: 'latest',
    });
    const quick = parseOptions('bench', ['--quick', '--workloads', 'M2', '--name', 'amd-zen5-2c']);
    expect(quick).toMatchObject({ workloads: ['M2'], rounds: 1, seconds: 0.5, name: 'amd-zen5-2c' });
    expect(parseOptions('bench', ['--help'])).toBeUndefined();
    for (const args of [
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--seconds', 'x'],
      ['--workloads', 'M9'],
      ['--name', '../x'],
      ['--peers', 'jax'],
      ['--fast'],
    ]) {
      expect(() => parseOptions('bench', args), args.join(' ')).toThrow();
    }
    expect(parseOptions('bench', ['--workloads', 'all'])?.workloads).toEqual(workloads.map(({ id }) => id));
    expect(parseOptions('bench:kernels', ['--seconds', '0.1'])).toMatchObject({ seconds: 0.1, name: 'latest' });
    expect(parseOptions('bench:scaling', [])).toMatchObject({ seconds: 1, quick: false });
    expect(parseOptions('bench:scaling', ['--quick'])).toMatchObject({ seconds: 0.1, quick: true });
    expect(() => parseOptions('bench:scaling', ['--seconds', '0'])).toThrow('positive');
    expect(() => parseOptions('bench:latency', ['--quick'])).toThrow('quick');
    expect(parseOptions('bench:tables', ['--quick'])).toMatchObject({ rounds: 1, pythons: ['python3'] });
    expect(() => parseOptions('bench:tables', ['--python', 'python3,python3.11'])).toThrow('--python');
    expect(parseOptions('bench:jobs', [])).toMatchObject({ tools: undefined });
    expect(parseOptions('bench:jobs', ['--tools', 'tfjs,blasnet'])).toMatchObject({ tools: ['tfjs', 'blasnet'] });
    expect(() => parseOptions('bench:jobs', ['--tools', 'jax'])).toThrow('--tools');
  });
});

function result(id: string, rates: number[], changes: Partial<Result> = {}): Result {
  const { title } = findContender(id);
  const samplesPerRound = rates.map(() => 60_000);
  return { id, title, setting: '', equipment: { threads: 1 }, rates, samplesPerRound, busyCores: [1], ...changes };
}

const example: WorkloadResult = {
  workload: 'M1',
  results: [
    result('floor', [500_000, 400_000, 450_000], { equipment: { threads: 1, blas: 'OpenBLAS Haswell' } }),
    result('floor-cut', [800_000, 800_000, 800_000]),
    result('native-1-zeros', [450_000, 340_000, 390_000]),
    result('native-1', [450_000, 340_000, 390_000], { learned: { loss: 0.25, accuracy: 0.93, samples: 60_000 } }),
    result('native-contended', [450_000, 255_000, 273_000]),
    result('typescript', [20_000, 10_000, 15_000], { samplesPerRound: [30_016, 29_952, 30_016] }),
    result('reference', [20_000, 20_000, 20_000], { learned: { loss: Number.NaN, accuracy: 0.5, samples: 480 } }),
  ],
  failures: [{ id: 'x', title: 'X', reason: 'out of memory' }],
  memory: { idle: [100, 101, 102], training: [130, 141, 143] },
};

describe('contenders', () => {
  const taking = (workload: string, cores: number, native = true) =>
    contenders.filter((item) => takesPart(item, findWorkload(workload), { cores, native })).map(({ id }) => id);

  it('take part where the machine is large enough and they are fast enough', () => {
    const wide = ['peak', 'native-1-zeros-fma'];
    expect(taking('M1', 8)).toEqual(contenders.map(({ id }) => id).filter((id) => !wide.includes(id)));
    expect(taking('M1', 2)).not.toContain('native-8');
    expect(taking('M1', 1)).not.toContain('native-contended');
    expect(taking('M1', 1)).not.toContain('floor-all');
    const slow = ['native-8', 'typescript', 'reference'];
    expect(taking('M2L', 2).filter((id) => !wide.includes(id))).toEqual(
      taking('M1', 8).filter((id) => !slow.includes(id)),
    );
    expect(taking('M2L', 1)).toEqual(expect.arrayContaining(wide));
    expect(taking('M3', 1)).toEqual(['floor', 'floor-cut', 'native-1', 'native', 'typescript']);
    expect(taking('M2', 8, false)).toEqual(['typescript', 'reference']);
  });

  it('run under the variables that make them what they are', () => {
    expect(contenderEnvironment(findContender('floor'))).toMatchObject({
      BLASNET_PRODUCTS: 'whole',
      BLASNET_THREADS: '1',
    });
    expect(contenderEnvironment(findContender('floor-cut')).BLASNET_PRODUCTS).toBe('pieces');
    expect(contenderEnvironment(findContender('native')).BLASNET_THREADS).toBeUndefined();
    expect(contenderEnvironment(findContender('native-zeros')).BLASNET_SKIP_ZEROS).toBe('0');
  });
});

describe('rounds', () => {
  const settings = { rounds: 2, seconds: 3, quick: true };
  const entrant = (id: string, ask: (job: Job) => unknown, changes: Partial<Entrant> = {}): Entrant => {
    return { id, title: id, ask: (async (job: Job) => ask(job)) as Entrant['ask'], ...changes };
  };
  const answer = (speed: number) => (job: Job) => {
    if (job.kind === 'learn') return { loss: 0.5, accuracy: 0.9 };
    const measurement = { samplesPerSecond: speed, samples: 640, seconds: 2, cpuSeconds: 3 };
    return { measurement, equipment: { threads: 2 } };
  };

  it('asks in turn for the speed, then for loss and accuracy of what is affordable', async () => {
    const asked: string[] = [];
    const noting = (id: string, speed: number) => (job: Job) => {
      asked.push(`${id} ${job.kind === 'learn' ? job.samples : job.kind}`);
      return answer(speed)(job);
    };
    const entrants = [
      entrant('a', noting('a', 1000)),
      entrant('b', noting('b', 5)),
      entrant('floor', noting('floor', 9), { learnsNothing: true }),
    ];
    const { results } = await measureRounds(findWorkload('M1'), entrants, settings);
    const round = ['a speed', 'b speed', 'floor speed'];
    expect(asked).toEqual([...round, ...round, 'a 4000', 'b 576']);
    expect(results[0]).toMatchObject({
      id: 'a',
      rates: [1000, 1000],
      busyCores: [1.5, 1.5],
      samplesPerRound: [640, 640],
    });
    expect(results[1].learned).toEqual({ loss: 0.5, accuracy: 0.9, samples: 576 });
    expect(results[2].learned).toBeUndefined();
  });

  it('goes on without an entrant that may fail', async () => {
    const broken = () => {
      throw new Error('no memory');
    };
    const failing = entrant('b', broken, { mayFail: true });
    const { results, failures } = await measureRounds(findWorkload('M1'), [failing, entrant('a', answer(1))], settings);
    expect(results.map(({ id }) => id)).toEqual(['a']);
    expect(failures).toEqual([{ id: 'b', title: 'b', reason: 'no memory' }]);
    await expect(measureRounds(findWorkload('M1'), [entrant('a', broken)], settings)).rejects.toThrow('no memory');
  });
});

describe('bars', () => {
  const verdicts = (results: readonly BarResult[]) =>
    results.map(({ title, verdict }) => [title.replace(/^\w+: /, ''), verdict]);

  it('holds the median of the rounds against the bar, and misses what was not measured', () => {
    const checked = checkBars(speedBars, [example], 2);
    expect(verdicts(checked)).toEqual([
      ['one thread, zeros multiplied, too / floor, cut small', 'missed'],
      ['blasnet native, all threads / blasnet native, one thread', 'missed: not measured'],
      ['one thread, bfloat16 / one thread, without AMX', 'missed: not measured'],
      ['blasnet native, one core taken / blasnet native, one thread', 'missed'],
      ['blasnet TypeScript / pure-JavaScript reference', 'missed'],
      ['memory of training, MB', 'reached'],
    ]);
    const [floor, , , contended, , memory] = checked;
    expect(floor.found?.median).toBeCloseTo(390 / 800);
    expect(contended.found).toEqual({ median: 0.75, min: 0.7, max: 1 });
    expect(memory.found).toEqual({ median: 40, min: 30, max: 41 });
  });

  it('names only contenders that run the workload on a large machine', () => {
    for (const { workload, contender, against } of speedBars) {
      for (const id of [contender, ...against]) {
        const takes = takesPart(findContender(id), findWorkload(workload), { cores: 8, native: true });
        expect(takes, `${workload}, ${id}`).toBe(true);
      }
    }
  });

  it('excuses what needs a larger machine', () => {
    const workloads = [{ workload: 'M4', results: [result('native-1', [100])], failures: [] }];
    const small = checkBars(speedBars, workloads, 2);
    expect(small.map(({ verdict, missed }) => [verdict, missed])).toEqual([
      ['missed: not measured', true],
      ['not measured: needs 8 cores', false],
    ]);
    const large = checkBars(speedBars, workloads, 8);
    expect(large.map(({ missed }) => missed)).toEqual([true, true]);
  });

  it('holds bfloat16 against the bars of what multiplies here', () => {
    const found = (way: string) => {
      const rounded = result('native-1-bfloat16', [140], { equipment: { threads: 1, products: way } });
      const bars = checkBars(
        speedBars,
        [
          {
            workload: 'M2',
            results: [result('native-1', [100]), result('native-1-fma', [100]), rounded],
            failures: [],
          },
        ],
        1,
      );
      return bars.filter(({ title }) => title.includes('bfloat16')).map(({ verdict }) => verdict);
    };
    expect(found('amx')).toEqual(['missed', 'not measured: for avx512-bf16, this machine has amx']);
    expect(found('avx512-bf16')).toEqual(['not measured: for amx, this machine has avx512-bf16', 'reached']);
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
    const columns = [
      { title: 'name', text: true, cell: ([name]: [string, string?]) => name },
      { title: 'n', cell: ([, number]: [string, string?]) => number },
    ];
    expect(renderTable(columns, [['a', '1'], ['longer', '1000'], ['b']])).toBe(
      ['| name   |    n |', '| ------ | ---: |', '| a      |    1 |', '| longer | 1000 |', '| b      |    – |'].join(
        '\n',
      ),
    );
  });

  it('gives ratios two or three digits that count', () => {
    expect([123.4, 28.72, 1.234, 0.7249, 0.0483].map(formatRatio)).toEqual(['123', '28.7', '1.23', '0.72', '0.0483']);
    const [floor] = example.results;
    expect(ratioOf(example.results[3], floor)).toBe('0.87');
    expect(ratioOf(floor, floor)).toBeUndefined();
    expect(ratioOf(floor, undefined)).toBeUndefined();
  });

  it('tells rates with their spread, ratios, loss, accuracy, parts of epochs, failures and memory', () => {
    const report = renderWorkload(example, { quick: false }, speedColumns);
    expect(report).toContain('450,000 (400,000–500,000)');
    expect(report).toMatch(/native, one thread.*0\.87.*0\.2500.*0\.9300/);
    expect(report).toMatch(/reference.*–.*0\.5000/);
    expect(report).toContain('blasnet TypeScript (29,952 to 30,016 samples a round)');
    expect(report).toContain('part of an epoch: pure-JavaScript reference (480 samples)');
    expect(report).toContain('X failed: out of memory');
    expect(report).toContain('141 MB with native training on all threads, 101 MB with the data alone');
  });

  it('tells which bars are reached', () => {
    const [, bars] = renderBars(checkBars(speedBars, [example], 2));
    expect(bars).toMatch(/one thread, zeros multiplied, too \/ floor.*≥ 0\.88.*0\.49 \(0\.4[23]–0\.56\).*missed/);
    expect(bars).toMatch(/all threads \/ blasnet native, one thread.*–.*missed: not measured/);
    expect(bars).toMatch(/memory of training, MB.*≤ 40.*40\.0 \(30\.0–41\.0\).*reached/);
    expect(renderBars([])).toEqual([]);
  });

  it('replaces the section of the same title in its file', () => {
    const file = '# Peers: M1 (2026-01-01)\n\nold\n\n## M1\n\n# Peers: M1, M2 (2026-01-01)\n\nothers\n';
    const section = '# Peers: M1 (2026-01-02)\n\nnew';
    expect(replaceSection(file, 'Peers: M1', section)).toBe(
      '# Peers: M1, M2 (2026-01-01)\n\nothers\n\n# Peers: M1 (2026-01-02)\n\nnew\n',
    );
    expect(replaceSection('', 'Peers: M1', section)).toBe(`${section}\n`);
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

  it('learns to tell two patterns apart', () => {
    const network = new ReferenceNetwork({ widths: [4, 8, 2], capacity: 8, random: randomNumbers(1) });
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
    const kernels = new Set<string>();
    const memory = new AlignedMemory(64 * 2 ** 20);
    for (const { kernel, values } of kernelCases) {
      const { call, bytes } = makeCall(kernel, values, memory);
      kernels.add(kernel);
      expect(bytes, kernel).toBeGreaterThan(0);
      expect(typescript.repeat([call], 0)).toBeGreaterThanOrEqual(0);
    }
    expect(kernels).toEqual(new Set(Object.keys(typescript.kernels)));
  });
});

describe("a contender's process", () => {
  const ask = <J extends Job>(contender: string, job: J) => {
    const request = { contender, workload: findWorkload('M1'), job };
    return runProgram<Reply<J>>('contender', request, environmentWith({}));
  };
  const speed = { kind: 'speed', seconds: 0.2 } as const;

  it.each(['typescript', 'reference'] as const)('%s tells its speed', async (id) => {
    const { equipment, measurement } = await ask(id, speed);
    expect(equipment).toEqual({ threads: 1 });
    expect(measurement.samples % 64).toBe(0);
    expect(measurement.samplesPerSecond).toBeGreaterThan(0);
  });

  it('learns', async () => {
    expect((await ask('typescript', { kind: 'learn', samples: 1280 })).accuracy).toBeGreaterThan(0.5);
  });

  it('that fails says why', async () => {
    await expect(ask('nobody', speed)).rejects.toThrow('no contender nobody');
  });

  it.skipIf(!native.available)('trains as many batches as it is told at least', async () => {
    const workload = { ...perceptron, id: '', widths: [784, 32, 32, 10], batchSize: 4096 };
    const job = { kind: 'speed', seconds: 0.001, leastBatches: 3 } as const;
    const request = { contender: 'native', workload, job };
    const { measurement } = await runProgram<Reply<typeof job>>('contender', request, environmentWith({}));
    expect(measurement.samples).toBeGreaterThanOrEqual(3 * 4096);
    expect(measurement.samples % 4096).toBe(0);
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

const program = pathToFileURL(join(root, 'build/tools/bench/program.js')).href;

/** A program that measures two items; the second takes for ever, beside a busy process whose number it tells. */
const source = `
  import { besideBusyProcess, environmentWith, measureInTurn, runAsProgram, runCommand } from '${program}';
  const forever = () => besideBusyProcess((id) => {
    console.error(id);
    const code = 'setInterval(() => process.ppid === ' + process.pid + ' || process.exit(), 50)';
    return runCommand(process.execPath, ['-e', code], environmentWith({}));
  });
  const measure = async (item) => (item === 'a' ? item : forever());
  const record = (found, remaining) => 'found ' + found + ', remaining ' + remaining;
  await runAsProgram('test', () => measureInTurn(['a', 'b', 'c'], measure, record));
`;

describe('a program that is stopped', () => {
  async function stop(signal: NodeJS.Signals) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source]);
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

describe('the model of more threads', () => {
  // A step of 1 ms, 0.1 of it the update; each further share costs 1 %, and there are 10 barriers.
  const costs = { update: 1e-4, barriers: 10, parameters: 3e6 };
  const divided = modelThreads.map((shares) => ({ ...costs, shares, step: 1e-3 * (1 + 0.01 * (shares - 1)) }));
  const network: Measured = { id: 'M', divided, two: { ...costs, shares: 2, step: 6e-4, update: 8e-5 }, line: 1e-7 };

  it('adds shares side by side, barriers, and an update that waits for the memory', () => {
    expect(predictedStep(network, 1, false)).toBeCloseTo(1e-3, 12);
    expect(predictedStep(network, 2, true)).toBeCloseTo(1.01e-3 / 2 + 10 * 2 * 2 * 1e-7, 12);
    expect(predictedStep(network, 8, false)).toBeCloseTo(1.07e-3 / 8 + 10 * 2 * 8 * 1e-7, 12);
    expect(predictedStep(network, 8, true)).toBeCloseTo(0.97e-3 / 8 + 8e-5 + 10 * 2 * 8 * 1e-7, 12);
    const small = { ...network, divided: divided.map((each) => ({ ...each, parameters: 1000 })) };
    expect(predictedStep(small, 8, true)).toBe(predictedStep(small, 8, false));
  });

  it('says nothing of more threads than a step has shares', () => {
    const little = { ...network, divided: divided.map((each) => ({ ...each, shares: Math.min(each.shares, 12) })) };
    expect(predictedStep(little, 16, true)).toBeUndefined();
    expect(renderModel([little])[2]).toMatch(/\| of 16 threads, predicted +\| +– \|/);
  });

  it('is rendered beside what two threads take', () => {
    const [, , table] = renderModel([network]);
    expect(table).toMatch(/\| ns for a cache line +\| +100 \|/);
    expect(table).toMatch(/\| speedup of 2 threads, measured +\| +1.67 \|/);
    expect(table).toMatch(/\| of 8 threads, predicted +\| 4.60–6.68 \|/);
  });

  it.runIf(native.available && whyNoModel() === undefined)('has what one core and two cost', async () => {
    const { divided, two, line } = await measureShares('M1', 0.01);
    expect(divided.map(({ shares }) => shares)).toEqual([1, 2, 4, 8, 12]);
    for (const { step, update, barriers, parameters } of [...divided, two]) {
      expect(step).toBeGreaterThan(1e-6);
      expect(update).toBeGreaterThan(1e-8);
      expect(barriers).toBeGreaterThan(0);
      expect(parameters).toBe(89_610);
    }
    expect(line).toBeGreaterThan(1e-9);
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
