/** Predicts the speedup on more threads than the machine has cores from what one and two cores cost. */
import { readFileSync } from 'node:fs';
import { environmentWith, programPath, runCommand, runProgram } from './program.js';
import { type Column, formatRatio, renderTable } from './report.js';
import type { SharesRequest, StepCosts } from './shares.js';
import { findWorkload, flopsPerSample } from './workloads.js';

export const modelThreads: readonly number[] = [1, 2, 4, 8, 16];
const RUNS = 10;
/** Bytes of parameters, gradients and two moments beyond which the update waits for the memory. */
const BEYOND_CACHES = 32e6;

/** What a step of a network costs on this machine. */
export interface Measured {
  readonly id: string;
  /** Of as many shares as `modelThreads` says, all on one core. */
  readonly shares: readonly StepCosts[];
  /** On two threads. */
  readonly two: StepCosts;
  /** Seconds of a cache line from one core to another. */
  readonly line: number;
}

/**
 * Seconds of a step on that many threads: the shares side by side and the barriers. At a barrier all threads change one
 * line in turn, and then read it in turn. `oneMemory`: no more bandwidth than two cores have, which the update of large
 * parameters needs. Not part of it: what threads read of each other's results.
 */
export function predictedStep({ shares, two, line }: Measured, threads: number, oneMemory: boolean): number {
  const { step, barriers } = shares[modelThreads.indexOf(threads)];
  const { update, parameters } = shares[0];
  const waits = oneMemory && threads > 2 && 16 * parameters > BEYOND_CACHES;
  const updateTime = Math.max(update / threads, waits ? two.update : 0);
  return (step - update) / threads + updateTime + (threads > 1 ? barriers * 2 * threads * line : 0);
}

/** The first core that this process may use. */
function firstCore(): string {
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
}

async function measureNetwork(id: string, seconds: number, line: number): Promise<Measured> {
  console.error(`shares of ${id}`);
  const workload = findWorkload(id);
  // At about 100 GFLOP/s.
  const steps = Math.ceil(((seconds / RUNS) * 1e11) / (flopsPerSample(workload) * workload.batchSize));
  const request: SharesRequest = { workload, steps, runs: RUNS };
  const costs = (threads: number, launcher: readonly string[]) => {
    const [command, ...rest] = [...launcher, process.execPath, programPath('shares'), JSON.stringify(request)];
    return runCommand<StepCosts>(command, rest, environmentWith({ BLASNET_THREADS: String(threads) }));
  };
  const shares: StepCosts[] = [];
  for (const threads of modelThreads) shares.push(await costs(threads, ['taskset', '-c', firstCore()]));
  return { id, shares, two: await costs(2, []), line };
}

/** Throws where the system can't keep a process on one core. */
export async function measureModel(workloads: readonly string[], seconds: number): Promise<Measured[]> {
  const line = await runProgram<number>('line', {}, process.env);
  const measured: Measured[] = [];
  for (const id of workloads) measured.push(await measureNetwork(id, seconds, line));
  return measured;
}

export function renderModel(measured: readonly Measured[]): string[] {
  type Row = readonly [title: string, cell: (network: Measured) => string];
  const alone = ({ shares }: Measured) => shares[0].step;
  const gain = (network: Measured, threads: number) => {
    const of = (oneMemory: boolean) => formatRatio(alone(network) / predictedStep(network, threads, oneMemory));
    return of(true) === of(false) ? of(false) : `${of(true)}–${of(false)}`;
  };
  const rows: Row[] = [
    ['barriers a step', ({ two }) => String(two.barriers)],
    ...modelThreads
      .slice(1)
      .map(
        (threads, i): Row => [
          `${threads} shares on one core, time to one`,
          (network) => formatRatio(network.shares[i + 1].step / alone(network)),
        ],
      ),
    ['2 threads, measured', (network) => formatRatio(alone(network) / network.two.step)],
    ...modelThreads
      .slice(1)
      .map((threads): Row => [`${threads} threads, predicted`, (network) => gain(network, threads)]),
  ];
  const nanoseconds = (1e9 * measured[0].line).toFixed(0);
  const columns = measured.map((network): Column<Row> => ({ title: network.id, cell: ([, cell]) => cell(network) }));
  return [
    '## More threads: a model',
    `\
A step that is divided into shares, all of them on one core, tells what the division costs. Predicted is the time of
these shares side by side, and ${nanoseconds} ns for each cache line that passes from core to core at the barriers. The
first of two figures allows the update of a large network no more memory bandwidth than two cores have. What threads
read of each other's results is not part of the model: compare its figure for 2 threads with the measured one.`,
    renderTable([{ title: 'speedup, or as said', text: true, cell: ([title]) => title }, ...columns], rows),
  ];
}
