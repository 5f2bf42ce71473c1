/** `npm run bench`: trains the workloads with every contender, prints their speed and saves the report. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import { checkBars, memoryBars, requireBars, speedBars } from './bars.js';
import {
  askContender,
  type Contender,
  contenders,
  type Job,
  multipliesOnly,
  type Reply,
  type SpeedJob,
  type SpeedReply,
  takesPart,
} from './contenders.js';
import { together } from './measure.js';
import type { MemoryReply, MemoryRequest } from './memory.js';
import { type Options, runBenchmark } from './options.js';
import { besideBusyProcess, environmentWith, runProgram } from './program.js';
import {
  describeLearning,
  describeRounds,
  measureAndReport,
  renderBars,
  renderWorkload,
  speedColumns,
} from './report.js';
import { type Entrant, measureRounds, type Settings, type WorkloadResult } from './rounds.js';
import { findWorkload, type Workload } from './workloads.js';

const cores = availableParallelism();

/** Milliseconds for the start of a process and its warm-up. */
const preparation = (seconds: number) => 1000 + 1500 * seconds;

async function askOnEveryCore(contender: Contender, workload: Workload, job: SpeedJob): Promise<SpeedReply> {
  const timed = { ...job, at: Date.now() + preparation(job.seconds) };
  const replies = await Promise.all(Array.from({ length: cores }, () => askContender(contender, workload, timed)));
  const measurement = together(replies.map((reply) => reply.measurement));
  return { measurement, equipment: { ...replies[0].equipment, threads: cores } };
}

function entrantOf(contender: Contender, workload: Workload): Entrant {
  const { id, title, kind, everyCore, contended } = contender;
  const ask = (job: Job): Promise<Reply<Job>> => {
    if (everyCore && job.kind === 'speed') return askOnEveryCore(contender, workload, job);
    const run = () => askContender(contender, workload, job);
    return contended ? besideBusyProcess(run) : run();
  };
  return { id, title, learnsNothing: multipliesOnly(kind), ask: ask as Entrant['ask'] };
}

async function peakMemory(request: MemoryRequest): Promise<number> {
  return (await runProgram<MemoryReply>('memory', request, environmentWith({ BLASNET_THREADS: undefined }))).peak;
}

async function measureWorkload(id: string, settings: Settings): Promise<WorkloadResult> {
  const workload = findWorkload(id);
  const able = contenders.filter((contender) => takesPart(contender, workload, { cores, native: native.available }));
  const entrants = able.map((contender) => entrantOf(contender, workload));
  const memory = { idle: [] as number[], training: [] as number[] };
  if (!native.available || memoryBars[id] === undefined) {
    return { workload: id, ...(await measureRounds(workload, entrants, settings)) };
  }
  const measured = await measureRounds(workload, entrants, settings, async () => {
    memory.idle.push(await peakMemory({}));
    memory.training.push(await peakMemory({ workload: id }));
  });
  return { workload: id, ...measured, memory };
}

function renderMethod(settings: Settings): string {
  return `\
The contenders run in turn, in ${describeRounds(settings)}, each time in a process of its own: a warm-up, then a fresh
network, after its first two batches, for about ${settings.seconds} s, in whole epochs of gather, forward, backward and
update. Rates are medians of the rounds, with the least and the most; ratios are taken within each round, and their
median is reported. The floor is the matrix products of a step alone, on one thread, all steps in one native call:
handed to OpenBLAS whole, and cut small as the network cuts them. The latter on every core, a process each, tells what the machine
gives to threads: less than the sum where cores are halves of one, or others use their caches. The peak is the same
number of operations in products of 256 × 256 matrices, which stay in the caches. The network omits columns of a batch
that are all zero; the rows “zeros multiplied, too” do not. A core is taken by a process that loops. Where fewer cores
were busy than a contender has threads, other programs held it up.
${describeLearning(settings)}`;
}

async function main(options: Options): Promise<void> {
  const check = (found: readonly WorkloadResult[]) => checkBars(speedBars, found, cores);
  const found = await measureAndReport({
    title: `Training speed: ${options.workloads.join(', ')}`,
    options,
    items: options.workloads,
    nameOf: (id) => id,
    measure: (id) => measureWorkload(id, options),
    render: (found) => [
      renderMethod(options),
      // The rest of the reason contains paths of this machine.
      ...(native.available ? [] : [`There are no native contenders: ${native.reason.split(' (')[0]}`]),
      ...found.map((result) => renderWorkload(result, options, speedColumns)),
      ...renderBars(check(found)),
    ],
  });
  if (options.check) requireBars(check(found));
}

await runBenchmark('bench', main);
