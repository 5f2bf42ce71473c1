/** Ranks killed at random moments of a training: nothing hangs, nothing is torn, and the training can be continued. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Network } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { builtLibrary, environment, nodeProgram, projectFile } from '../lifecycle/child.js';
import { describeMpi, processRuns, startJob, WATCHDOG } from './support.js';

/** For each MPI. */
const rounds = Number(process.env.BLASNET_KILLS ?? 1);
const seed = Number(process.env.BLASNET_KILL_SEED ?? 1);
const EPOCHS = 40;
/** Seconds from a kill to the end of all ranks. */
const LONGEST = 5;
/** Sums of float32 numbers in another order, over 400 steps. */
const TOLERANCE = 1e-4;

const folder = mkdtempSync(join(tmpdir(), 'blasnet-kills-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Trained {
  /** The epoch of the checkpoint that it began with. */
  readonly from: number;
  readonly values: number[];
}

const read = (where: string) => JSON.parse(readFileSync(join(where, 'parameters.json'), 'utf8')) as Trained;
const difference = (a: readonly number[], b: readonly number[]) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let whole: Trained | undefined;

/** The training of one process, which nothing interrupts. */
function uninterrupted(): Trained {
  if (whole === undefined) {
    const own = mkdtempSync(join(folder, 'whole-'));
    const script = projectFile('test/distributed/fixtures/trains.mjs');
    const args = [script, builtLibrary('index.js').replace(/index\.js$/, ''), own, join(own, 'c'), String(EPOCHS)];
    const { status, stderr } = spawnSync(nodeProgram, args, { env: environment(), encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    whole = read(own);
  }
  return whole;
}

describeMpi('killed at random moments', (mpi) => {
  const random = new RandomStream(seed, mpi.name === 'MPICH' ? 1 : 2);
  const below = (count: number) => Math.floor(random.uniform() * count);

  /** Kills a rank in the middle of a training, and returns what was done and how long the others took to end. */
  async function killOne(own: string, path: string) {
    const [ranks, epoch, part] = [2 + below(2), below(EPOCHS - 2), random.uniform()];
    const victim = below(ranks);
    const what = `${ranks} ranks, rank ${victim} after epoch ${epoch} and ${part.toFixed(2)} of another`;
    const job = startJob(mpi, ranks, 'trains', own, [path, String(EPOCHS)], { env: { BLASNET_THREADS: '1' } });
    await job.printed('epoch', 1);
    const begin = performance.now();
    await job.printed('epoch', 1 + epoch);
    const length = epoch === 0 ? 10 : (performance.now() - begin) / epoch;
    await wait(part * length);
    const processes = job.processes().filter((pid) => pid !== undefined);
    if (processes.length < ranks || !processRuns(processes[victim])) {
      const { output } = await job.ended;
      expect(output, what).toContain(`epoch ${EPOCHS - 1}`);
      return undefined;
    }
    process.kill(processes[victim], 'SIGKILL');
    const killed = performance.now();
    const { status, signal, output } = await job.ended;
    while (processes.some(processRuns) && performance.now() - killed < 1000 * WATCHDOG) await wait(10);
    const seconds = (performance.now() - killed) / 1000;
    expect(signal, `no hang: ${what}`).toBeNull();
    // It was over just before.
    if (status === 0) return undefined;
    // MPICH's launcher may name another rank, which its library has ended because it misses the killed one.
    expect(output, what).toMatch(/signal 9|KILLED|BAD TERMINATION/i);
    expect(seconds, what).toBeLessThan(LONGEST);
    return { what, seconds };
  }

  it(`${rounds} times (seed ${seed})`, { timeout: 20_000 + rounds * 2000 * WATCHDOG }, async () => {
    const expected = uninterrupted();
    for (let round = 0; round < rounds; ) {
      const own = mkdtempSync(join(folder, 'job-'));
      const path = join(own, 'checkpoint.safetensors');
      const done = await killOne(own, path);
      if (done === undefined) continue;
      round += 1;
      const epoch = existsSync(path) ? (await Network.loadCheckpoint(path)).epoch : 0;
      const ranks = 1 + below(3);
      const resumed = startJob(mpi, ranks, 'trains', own, [path, String(EPOCHS)], { env: { BLASNET_THREADS: '1' } });
      const { status, output } = await resumed.ended;
      expect(status, `${done.what}: ${output}`).toBe(0);
      const { from, values } = read(own);
      expect(from).toBe(epoch);
      const error = difference(values, expected.values);
      console.log(
        `${mpi.name} ${round}: ${done.what}; all ended after ${done.seconds.toFixed(2)} s; resumed from epoch ` +
          `${epoch} by ${ranks}, difference ${error.toExponential(1)}`,
      );
      expect(error, done.what).toBeLessThan(TOLERANCE);
    }
  });
});
