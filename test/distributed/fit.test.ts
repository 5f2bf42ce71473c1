/** `fit` on several ranks, which mpirun starts, against one process with the same batches. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('fixtures/fit.mjs', import.meta.url));
const folder = mkdtempSync(`${tmpdir()}/blasnet-fit-`);
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly losses?: number[];
  readonly accuracies?: number[];
  readonly batches?: number[];
  readonly outputs?: number[];
  readonly validation?: number;
  readonly error?: {
    readonly name: string;
    readonly code: string;
    readonly message: string;
    readonly details?: object;
  };
  readonly parameters: number[][];
  readonly moments: number[][];
  /** Of the last step, where ranks divide the update. */
  readonly gradients?: number[][];
  /** Whether each rank has updated its share of the parameters, if the case has a profile. */
  readonly divided?: boolean;
}

const has = (command: string) => spawnSync(command, ['--version']).status === 0;
const native = process.env.BLASNET_BINARY !== 'none';
const openmpi = native && has('mpirun.openmpi');
const mpich = native && has('mpirun.mpich');

/** Runs cases on `ranks` ranks, each on one thread; resolves to the launcher's exit code and what it printed. */
async function launch(launcher: string | undefined, ranks: number, cases: string, ...rest: string[]) {
  const to = mkdtempSync(`${folder}/ranks-`);
  const own = [script, to, cases, ...rest];
  const several = ['-n', String(ranks), process.execPath, ...own];
  const args = launcher === undefined ? own : launcher === 'mpirun.openmpi' ? ['--oversubscribe', ...several] : several;
  const root = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const env = { ...process.env, ...root, BLASNET_THREADS: '1' };
  const child = spawn(launcher ?? process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 100_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const read = (name: string): Outcome[] =>
    Array.from({ length: ranks }, (_, rank) => JSON.parse(readFileSync(`${to}/${name}.${rank}.json`, 'utf8')));
  return { status, output, read };
}
type Launched = Awaited<ReturnType<typeof launch>>;

/** The largest difference of two lists, relative to the larger of 1 and the second's numbers. */
function difference(a: readonly number[] = [], b: readonly number[] = []): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]) / Math.max(1, Math.abs(b[i]))), 0);
}

/** The sums of float32 numbers in another order, over some tens of steps. */
const TOLERANCE = 2e-5;

function expectSame(ranks: readonly Outcome[], one: Outcome): void {
  for (const outcome of ranks) {
    expect(outcome.error).toBeUndefined();
    expect(outcome).toEqual(ranks[0]);
  }
  expect(difference(ranks[0].losses, one.losses)).toBeLessThan(TOLERANCE);
  expect(difference(ranks[0].batches, one.batches)).toBeLessThan(TOLERANCE);
  expect(difference(ranks[0].outputs, one.outputs)).toBeLessThan(TOLERANCE);
  // A row's largest output can be another one only if two are about equal.
  expect(difference(ranks[0].accuracies, one.accuracies)).toBeLessThan(1e-6);
  expect(difference(ranks[0].parameters.flat(), one.parameters.flat())).toBeLessThan(TOLERANCE);
  expect(difference(ranks[0].moments.flat(), one.moments.flat())).toBeLessThan(TOLERANCE);
  expect(difference(ranks[0].gradients?.flat(), one.gradients?.flat())).toBeLessThan(TOLERANCE);
}

/**
 * Local SGD in doubles, of the case 'local': y = x w + b, the mean of squares over rows and outputs, momentum 0.5 and
 * rate 0.1, batches of 12 of 103 rows, of which each rank takes its share, three epochs.
 */
function localSgd(ranks: number, every: number, [w, b]: readonly number[][]) {
  const [ROWS, IN, OUT, BATCH] = [103, 12, 2, 12];
  const wave = (length: number, factor: number) =>
    Float32Array.from({ length }, (_, i) => Math.sin(factor * (i + 1) ** 1.5));
  const [x, y] = [wave(ROWS * IN, 1.7), wave(ROWS * OUT, 0.3)];
  const all = Array.from({ length: ranks }, () => ({
    p: [...w, ...b],
    v: new Array<number>(w.length + b.length).fill(0),
    rows: 0,
  }));
  const losses: number[] = [];
  for (let epoch = 0; epoch < 3; epoch++) {
    let total = 0;
    const steps = Math.ceil(ROWS / BATCH);
    for (let step = 0; step < steps; step++) {
      const [begin, end] = [step * BATCH, Math.min(ROWS, (step + 1) * BATCH)];
      const at = (rank: number) => begin + Math.floor(((end - begin) * rank + (ranks - 1)) / ranks);
      for (const [rank, own] of all.entries()) {
        const g = new Array<number>(own.p.length).fill(0);
        const [first, last] = [at(rank), at(rank + 1)];
        for (let row = first; row < last; row++) {
          for (let o = 0; o < OUT; o++) {
            let z = own.p[IN * OUT + o];
            for (let i = 0; i < IN; i++) z += x[row * IN + i] * own.p[i * OUT + o];
            const d = z - y[row * OUT + o];
            total += (d * d) / OUT;
            const slope = (2 * d) / OUT / (last - first);
            for (let i = 0; i < IN; i++) g[i * OUT + o] += slope * x[row * IN + i];
            g[IN * OUT + o] += slope;
          }
        }
        own.rows += last - first;
        if (last === first) continue;
        for (const [i, slope] of g.entries()) {
          own.v[i] = 0.5 * own.v[i] + slope;
          own.p[i] -= 0.1 * own.v[i];
        }
      }
      if ((step + 1) % every !== 0 && step + 1 < steps) continue;
      const rows = all.reduce((sum, own) => sum + own.rows, 0);
      const mean = (of: 'p' | 'v') =>
        w.concat(b).map((_, i) => all.reduce((sum, own) => sum + (own[of][i] * own.rows) / rows, 0));
      const [p, v] = [mean('p'), mean('v')];
      for (const own of all) Object.assign(own, { p: [...p], v: [...v], rows: 0 });
    }
    losses.push(total / ROWS);
  }
  return { losses, parameters: [all[0].p.slice(0, IN * OUT), all[0].p.slice(IN * OUT)] };
}

const equal = [
  'mlp',
  'clipping',
  'dropout',
  'images',
  'weights',
  'weightsOfName',
  'few',
  'accumulate',
  'replacement',
  'outputs',
  'localOutputs',
  'frozen',
  'stream',
  'streamAccumulate',
  'streamFrozen',
  'mixUp',
  'everyStep',
  'large',
  'divided',
  'dividedGradients',
  'synced',
  'syncedImages',
] as const;
const refused = ['streamSharded', 'mixUpSharded', 'localWeights', 'localAccumulate', 'localSynced', 'nothing'];
const local = ['local', 'localAdam', 'localNan', 'localStop', 'localNanStop', 'localStreamStop', 'localStreamFive'];
const differ = ['seeds', 'names', 'sampleWeights', 'scale', 'classWeights', 'validation'];
const ends = [
  'abort',
  'throws',
  'unknown',
  'otherBackend',
  'textless',
  'watched',
  'stop',
  'late',
  'early',
  'nan',
  'dividedNan',
  'dividedStop',
  ...differ,
  'streams',
  'streamWeights',
  ...refused,
  ...local,
];
const sharded = ['sharded', 'shardedUneven'];
const launches = [
  {
    launcher: 'mpirun.openmpi',
    available: openmpi,
    ranks: 2,
    cases: [...equal, 'doubled', 'normed', ...sharded, ...ends],
  },
  { launcher: 'mpirun.openmpi', available: openmpi, ranks: 3, cases: [...equal, 'normed', ...sharded, ...ends] },
  { launcher: 'mpirun.openmpi', available: openmpi, ranks: 4, cases: ['mlp', 'images', 'few', 'normed', 'divided'] },
  {
    launcher: 'mpirun.mpich',
    available: mpich,
    ranks: 2,
    cases: ['mlp', 'dropout', 'few', 'doubled', 'throws', 'mlp', 'divided', 'dividedNan', 'dividedStop'],
  },
];

let one: Launched;
beforeAll(async () => {
  if (!openmpi && !mpich) return;
  one = await launch(undefined, 1, [...equal, 'doubled', 'sharded', 'uneven2', 'uneven3', 'linear0'].join());
  expect(one.status, one.output).toBe(0);
}, 120_000);

for (const { launcher, available, ranks, cases } of launches) {
  describe.skipIf(!available)(`${launcher}, ${ranks} ranks`, () => {
    let run: Launched;
    beforeAll(async () => {
      run = await launch(launcher, ranks, cases.join());
      expect(run.status, run.output).toBe(0);
    }, 120_000);
    const only = (name: string) => (title: string, check: () => void) => {
      if (cases.includes(name)) it(title, check);
    };

    // 'doubled': with batches of which each rank has the same rows, its statistics are those of all.
    it.each([...equal, 'doubled', 'sharded'].filter((name) => cases.includes(name)))(
      '%s: as one process, with the same bits on all ranks',
      (name) => expectSame(run.read(name), one.read(name)[0]),
    );

    only('weightsOfName')('the loss of a named output counts the weights of the rows', () => {
      const { losses = [] } = run.read('weightsOfName')[0];
      expect(losses.length).toBe(3);
      expect(losses.every((loss) => loss > 0.5)).toBe(true);
    });

    only('divided')('each rank updates its share of large blocks', () => {
      for (const { divided } of run.read('divided')) expect(divided).toBe(true);
      expect(one.read('divided')[0].divided).toBe(false);
    });

    only('dividedNan')('each rank updates its share: parameters and moments are whole where a run ends early', () => {
      for (const [name, code] of [
        ['dividedNan', 'NON_FINITE'],
        ['dividedStop', 'GROUP_FAILED'],
      ]) {
        const outcomes = run.read(name);
        expect(outcomes[0].error?.code).toBe(code);
        for (const { parameters, moments } of outcomes) {
          expect(parameters).toEqual(outcomes[0].parameters);
          expect(moments).toEqual(outcomes[0].moments);
          expect(moments.flat().every(Number.isFinite)).toBe(true);
        }
      }
    });

    only('normed')('batch norm: the same parameters, running statistics and validation on all ranks', () => {
      const outcomes = run.read('normed');
      for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      const [first, , last] = outcomes[0].losses as number[];
      expect(last).toBeLessThan(first);
      expect(outcomes[0].validation).toBeLessThan(first);
    });

    only('shardedUneven')('ranks whose rows end earlier wait for the longest', () => {
      const outcomes = run.read('shardedUneven');
      expectSame(outcomes, one.read(`uneven${ranks}`)[0]);
      // Rank r has 20 + 30 r rows, and about 12 / ranks of each batch.
      const longest = 20 + 30 * (ranks - 1);
      expect(outcomes[0].batches).toHaveLength(3 * Math.ceil(longest / Math.floor(12 / ranks)));
    });

    only('abort')('a signal on one rank ends all after the same step', () => {
      const outcomes = run.read('abort');
      expect(outcomes[1].error).toMatchObject({ name: 'TimeoutError' });
      for (const { error } of outcomes.filter((_, rank) => rank !== 1))
        expect(error).toMatchObject({
          code: 'GROUP_FAILED',
          message: expect.stringMatching(/^fit: rank 1 ended the training: .*timeout/),
        });
      for (const { parameters } of outcomes) expect(parameters).toEqual(outcomes[0].parameters);
    });

    only('throws')('a callback that throws on one rank ends all, and the group can be used again', () => {
      const outcomes = run.read('throws');
      expect(outcomes[1].error?.message).toBe('the callback of rank 1');
      expect(outcomes[0].error).toMatchObject({
        code: 'GROUP_FAILED',
        message: 'fit: rank 1 ended the training: the callback of rank 1',
      });
    });

    only('unknown')('options that one rank refuses, and what it throws without a text, end all', () => {
      for (const [name, code, reason] of [
        ['unknown', 'UNKNOWN_OPTION', 'fit: unknown option "batchsize"'],
        ['otherBackend', 'BACKEND_UNAVAILABLE', 'fit: group: several ranks need the native backend'],
        ['textless', undefined, 'an error without a text'],
      ] as const) {
        const [{ error: first }, { error: second }] = run.read(name);
        expect(second?.code).toBe(code);
        expect(first).toMatchObject({ code: 'GROUP_FAILED', message: expect.stringContaining(reason) });
      }
    });

    only('watched')('epochs that only one rank watches run one by one on all', () => {
      for (const { losses, error } of run.read('watched')) {
        expect(error).toBeUndefined();
        expect(losses).toHaveLength(31);
      }
    });

    only('stop')('one rank stops all after the same epoch', () => {
      for (const { losses } of run.read('stop')) expect(losses).toHaveLength(2);
    });

    only('late')('a rank that is told to stop while it waits stops all after the next epoch', () => {
      for (const { losses } of run.read('late')) expect(losses).toHaveLength(2);
    });

    only('early')('early stopping: after the same epoch', () => {
      const outcomes = run.read('early');
      for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      expect(outcomes[0].losses?.length).toBeLessThan(60);
    });

    only('nan')('a NaN in the rows of one rank ends all before the update, and that rank tells where', () => {
      const outcomes = run.read('nan');
      for (const { error, parameters } of outcomes) {
        expect(error?.code).toBe('NON_FINITE');
        expect(parameters).toEqual(outcomes[0].parameters);
        expect(parameters.flat().every(Number.isFinite)).toBe(true);
      }
      const told = outcomes.map(({ error }) => (error?.details as { where?: string } | undefined)?.where);
      expect(told).toEqual(outcomes.map((_, rank) => (rank === ranks - 1 ? 'features' : 'loss')));
      for (const { error } of outcomes.slice(0, -1))
        expect(error?.message).toMatch(
          new RegExp(`^loss: it became NaN by a number in the rows of rank ${ranks - 1}, which names it \\(epoch 0, `),
        );
    });

    only('seeds')('networks with different seeds, data or options are refused', () => {
      for (const name of differ)
        for (const { error } of run.read(name))
          expect(error, name).toMatchObject({
            code: 'GROUP_FAILED',
            message: expect.stringContaining('rank 1 and rank 0 differ in their networks, data or options'),
          });
    });

    only('nothing')('what ranks can not do is refused', () => {
      for (const name of refused)
        for (const { error } of run.read(name)) expect(error?.code, name).toBe('INVALID_ARGUMENT');
    });

    only('streams')('streams of different lengths, or of which one has weights, end on all ranks', () => {
      for (const { error } of [...run.read('streams'), ...run.read('streamWeights')])
        expect(error).toMatchObject({
          code: 'GROUP_FAILED',
          message: 'fit: rank 1 and rank 0 differ in the batches of their streams',
        });
    });

    only('local')('local steps: the parameters and losses of a simulation in doubles', () => {
      const outcomes = run.read('local');
      const start = one.read('linear0')[0].parameters;
      const { losses, parameters } = localSgd(ranks, 3, start);
      for (const outcome of outcomes) {
        expect(outcome.error).toBeUndefined();
        expect(outcome).toEqual(outcomes[0]);
        expect(difference(outcome.losses, losses)).toBeLessThan(TOLERANCE);
        expect(difference(outcome.parameters.flat(), parameters.flat())).toBeLessThan(TOLERANCE);
      }
    });

    only('localAdam')('local steps: the same on all ranks, with the losses of training together at first', () => {
      const outcomes = run.read('localAdam');
      for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      const [first, , last] = outcomes[0].losses as number[];
      expect(last).toBeLessThan(first);
      expect(difference(outcomes[0].batches?.slice(0, 1), one.read('mlp')[0].batches?.slice(0, 1))).toBeLessThan(1e-6);
    });

    only('localNan')(
      'local steps: a NaN in one rank’s rows ends all with the same finite parameters, and all tell where',
      () => {
        const outcomes = run.read('localNan');
        for (const { error, parameters } of outcomes) {
          expect(error).toMatchObject({ code: 'NON_FINITE', details: { where: 'features', row: 46 } });
          expect(parameters).toEqual(outcomes[0].parameters);
          expect(parameters.flat().every(Number.isFinite)).toBe(true);
        }
      },
    );

    only('localStop')('local steps: a signal ends all with the same parameters', () => {
      for (const name of ['localStop', 'localNanStop', 'localStreamStop']) {
        const outcomes = run.read(name);
        for (const { error, parameters } of outcomes) {
          expect(error, name).toBeDefined();
          expect(parameters, name).toEqual(outcomes[0].parameters);
          expect(parameters.flat().every(Number.isFinite), name).toBe(true);
        }
      }
      expect(run.read('localNanStop')[0].error?.code).toBe('NON_FINITE');
      for (const name of ['localNanStop', 'localStreamStop']) expect(run.read(name)[1].error?.message).toBe('enough');
      // The same mean as at the end of a stream.
      expect(run.read('localStreamStop')[0].parameters).toEqual(run.read('localStreamFive')[0].parameters);
    });
  });
}

describe.skipIf(!openmpi)('a job', () => {
  it('gives the same bits twice', async () => {
    const runs = [await launch('mpirun.openmpi', 3, 'dropout'), await launch('mpirun.openmpi', 3, 'dropout')];
    const [first, second] = runs.map((run) => run.read('dropout'));
    expect(second).toEqual(first);
  }, 120_000);

  it('trains as one process with sums in the order of the ranks', async () => {
    const run = await launch('mpirun.openmpi', 3, 'mlp,images,divided', 'ordered');
    expect(run.status, run.output).toBe(0);
    for (const name of ['mlp', 'images', 'divided']) expectSame(run.read(name), one.read(name)[0]);
  }, 120_000);

  it.each([
    ['first', 'second', 'mlp'],
    ['dividedFirst', 'dividedSecond', 'divided'],
  ])(
    'is continued from its checkpoint by another number of ranks: %s',
    async (first, second, all) => {
      const file = `${folder}/${first}.safetensors`;
      const begun = await launch('mpirun.openmpi', 3, first, file);
      expect(begun.status, begun.output).toBe(0);
      const resumed = await launch('mpirun.openmpi', 2, second, file);
      expect(resumed.status, resumed.output).toBe(0);
      const whole = one.read(all)[0];
      for (const { parameters, moments } of resumed.read(second)) {
        expect(difference(parameters.flat(), whole.parameters.flat())).toBeLessThan(TOLERANCE);
        expect(difference(moments.flat(), whole.moments.flat())).toBeLessThan(TOLERANCE);
      }
    },
    120_000,
  );

  it('ends when a rank is killed', async () => {
    const { status, output } = await launch('mpirun.openmpi', 3, 'killed');
    expect(status, output).toBeGreaterThan(0);
  }, 120_000);

  it('ends when a rank ends between two runs', async () => {
    const { status, output } = await launch('mpirun.openmpi', 2, 'exits');
    expect(status, output).toBeGreaterThan(0);
    expect(output).toMatch(/rank 1 of 2 on \S+ ends the job: it ended while other ranks wait for it\n/);
  }, 120_000);

  it('ends when a run that has started fails on a rank', async () => {
    const { status, output } = await launch('mpirun.openmpi', 2, 'noThread');
    expect(status, output).toBeGreaterThan(0);
    expect(output).toMatch(/rank 1 of 2 on \S+ ends the job: a run failed: Error: no thread\n/);
  }, 120_000);

  it('ends when nothing catches an error of a rank', async () => {
    const { status, output } = await launch('mpirun.openmpi', 2, 'uncaught');
    expect(status, output).toBeGreaterThan(0);
    expect(output).toContain('nothing catches this');
  }, 120_000);
});
