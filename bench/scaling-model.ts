/** Predicts the speedup on more threads than the machine has cores from what one and two cores cost. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { environmentWith, programPath, runCommand, runProgram } from './program.js';
import { type Column, formatRatio, renderTable } from './report.js';
import type { SharesRequest, StepCosts } from './shares.js';
import { findWorkload, flopsPerSample } from './workloads.js';

export const modelThreads: readonly number[] = [1, 2, 4, 8, 16];
const EPOCHS = 12;
/** Of an epoch: fewer steps don't show how many threads pay. */
const LEAST_STEPS = 8;
/** Bytes of parameters, gradients and two moments beyond which the update waits for the memory. */
const BEYOND_CACHES = 32e6;

/** What a step of a network costs on this machine. */
export interface Measured {
  readonly id: string;
  /** Divided into as many shares as `modelThreads` says, all on one core. */
  readonly divided: readonly StepCosts[];
  /** On two threads. */
  readonly two: StepCosts;
  /** Seconds of a cache line from one core to another. */
  readonly line: number;
}

/**
 * Seconds of a step on that many threads: the shares side by side and the barriers. At a barrier all threads change one
 * line in turn, and then read it in turn. `oneMemory`: no more bandwidth than two cores have, which the update of large
 * parameters needs. Not part of it: what threads read of each other's results. Undefined if the step has fewer shares.
 */
export function predictedStep(
  { divided, two, line }: Measured,
  threads: number,
  oneMemory: boolean,
): number | undefined {
  const { step, barriers, shares } = divided[modelThreads.indexOf(threads)];
  if (shares < threads) return undefined;
  const { update, parameters } = divided[0];
  const waits = oneMemory && threads > 2 && 16 * parameters > BEYOND_CACHES;
  const updateTime = Math.max(update / threads, waits ? two.update : 0);
  return (step - update) / threads + updateTime + (threads > 1 ? barriers * 2 * threads * line : 0);
}

/** The first core that this process may use; undefined if the system does not say. */
function firstCore(): string | undefined {
  try {
    return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

/** Why this machine can't measure what the model needs; undefined if it can. */
export function whyNoModel(): string | undefined {
  if (availableParallelism() < 2) return 'that needs two cores';
  const pins = firstCore() !== undefined && spawnSync('taskset', ['--version']).status === 0;
  return pins ? undefined : 'that needs /proc and taskset, which Linux has';
}

export async function measureShares(id: string, seconds: number): Promise<Measured> {
  console.error(`shares of ${id}`);
  const workload = findWorkload(id);
  // At about 100 GFLOP/s.
  const steps = Math.ceil(((seconds / EPOCHS) * 1e11) / (flopsPerSample(workload) * workload.batchSize));
  const request: SharesRequest = { workload, steps: Math.max(LEAST_STEPS, steps), epochs: EPOCHS };
  const costs = (threads: number, launcher: readonly string[]) => {
    const [command, ...rest] = [...launcher, process.execPath, programPath('shares'), JSON.stringify(request)];
    return runCommand<StepCosts>(command, rest, environmentWith({ BLASNET_THREADS: String(threads) }));
  };
  const line = await runProgram<number>('line', {}, process.env);
  const divided: StepCosts[] = [];
  for (const threads of modelThreads) divided.push(await costs(threads, ['taskset', '-c', firstCore() ?? '0']));
  return { id, divided, two: await costs(2, []), line };
}

export function renderModel(measured: readonly Measured[]): string[] {
  type Row = readonly [title: string, cell: (network: Measured) => string | undefined];
  const alone = ({ divided }: Measured) => divided[0].step;
  const gain = (network: Measured, threads: number) => {
    const [slow, fast] = [true, false].map((oneMemory) => predictedStep(network, threads, oneMemory));
    if (slow === undefined || fast === undefined) return undefined;
    const texts = [slow, fast].map((step) => formatRatio(alone(network) / step));
    return texts[0] === texts[1] ? texts[0] : texts.join('–');
  };
  const more = modelThreads.slice(1);
  const rows: Row[] = [
    ['ns for a cache line', ({ line }) => (1e9 * line).toFixed(0)],
    ['barriers of a step', ({ divided }) => String(divided[divided.length - 1].barriers)],
    ...more.map((threads, i): Row => {
      const cell = (network: Measured) => {
        const { step, shares } = network.divided[i + 1];
        return shares < threads ? undefined : formatRatio(step / alone(network));
      };
      return [`time of ${threads} shares / one`, cell];
    }),
    ['speedup of 2 threads, measured', (network) => formatRatio(alone(network) / network.two.step)],
    ...more.map((threads): Row => [`of ${threads} threads, predicted`, (network) => gain(network, threads)]),
  ];
  const columns = measured.map((network): Column<Row> => ({ title: network.id, cell: ([, cell]) => cell(network) }));
  return [
    '## More threads: a model',
    `\
A step that is divided into shares, all of them on one core, shows what the division costs. Predicted is the time of
these shares side by side, and of the barriers, at which a cache line passes from thread to thread twice. The first of
two figures allows the update of a large network no more memory bandwidth than two cores have. What threads read of each
other's results is not part of the model: compare its figure for 2 threads with the measured one. Every time is that of
the fastest of ${EPOCHS} short epochs. A step with little work is not divided into more shares than pay: –.`,
    renderTable([{ title: 'figure', text: true, cell: ([title]) => title }, ...columns], rows),
  ];
}
