/** `npm run bench`: trains the workloads with every contender, tells their speed and keeps the results. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import { checkBars, memoryBars, requireBars } from './bars.js';
import {
  type Contender,
  contenderEnvironment,
  contenders,
  type Reply,
  type Request,
  type SpeedReply,
  takesPart,
} from './contenders.js';
import { keep } from './keep.js';
import { describeMachine, readLoad } from './machine.js';
import { together } from './measure.js';
import type { MemoryReply, MemoryRequest } from './memory.js';
import { help, type Options, parseOptions } from './options.js';
import { besideBusyProcess, environmentWith, runProgram } from './processes.js';
import { measureInTurn, runAsProgram } from './program.js';
import { renderReport } from './report.js';
import type { ContenderResult, Results, Settings, WorkloadResult } from './results.js';
import { median } from './statistics.js';
import type { Learned } from './trainer.js';
import { EPOCH_SAMPLES, findWorkload, QUICK_SAMPLES } from './workloads.js';

/** An epoch that would take longer than this many seconds is not trained for its loss and accuracy. */
const LONGEST_EPOCH = 120;

/** One process of a contender. */
function runContender<R extends Reply>(contender: Contender, workload: string, task: Request['task']): Promise<R> {
  const request: Request = { contender: contender.id, workload, task };
  return runProgram<R>('contender', request, contenderEnvironment(contender));
}

function ask(contender: Contender, workload: string, task: Request['task']): Promise<Reply> {
  if (contender.everyCore && task.kind === 'speed') return askOnEveryCore(contender, workload, task.seconds);
  const run = () => runContender(contender, workload, task);
  return contender.contended ? besideBusyProcess(run) : run();
}

/** Time for the start of a process and its warm-up, milliseconds. */
const preparation = (seconds: number) => 1000 + 1500 * seconds;

async function askOnEveryCore(contender: Contender, workload: string, seconds: number): Promise<Reply> {
  const task = { kind: 'speed', seconds, at: Date.now() + preparation(seconds) } as const;
  const threads = availableParallelism();
  const run = () => runContender<SpeedReply>(contender, workload, task);
  const replies = await Promise.all(Array.from({ length: threads }, run));
  const measurement = together(replies.map((reply) => reply.measurement));
  return { ...replies[0], measurement, equipment: { ...replies[0].equipment, threads } };
}

async function learn(contender: Contender, workload: string, samples: number, rate: number): Promise<Learned | undefined> {
  const trains = contender.kind !== 'floor' && findWorkload(workload).task === 'train';
  if (!trains || samples / rate > LONGEST_EPOCH) return undefined;
  const reply = await ask(contender, workload, { kind: 'learn', samples });
  return reply.kind === 'learn' ? reply.learned : undefined;
}

async function peakMemory(request: MemoryRequest): Promise<number> {
  return (await runProgram<MemoryReply>('memory', request, environmentWith({ BLASNET_THREADS: undefined }))).peak;
}

async function measureWorkload(workload: string, rivals: readonly Contender[], settings: Settings): Promise<WorkloadResult> {
  const replies = new Map(rivals.map(({ id }): [string, SpeedReply[]] => [id, []]));
  const memory = { idle: [] as number[], training: [] as number[] };
  const measuresMemory = native.available && memoryBars[workload] !== undefined;
  for (let round = 0; round < settings.rounds; round++) {
    console.error(`${workload}: round ${round + 1} of ${settings.rounds}`);
    for (const contender of rivals) {
      const reply = await ask(contender, workload, { kind: 'speed', seconds: settings.seconds });
      if (reply.kind === 'speed') replies.get(contender.id)?.push(reply);
    }
    if (measuresMemory) {
      memory.idle.push(await peakMemory({}));
      memory.training.push(await peakMemory({ workload }));
    }
  }
  console.error(`${workload}: loss and accuracy`);
  const results: ContenderResult[] = [];
  for (const contender of rivals) {
    const rounds = replies.get(contender.id) ?? [];
    const rates = rounds.map(({ measurement }) => measurement.samplesPerSecond);
    const learned = await learn(contender, workload, settings.learnSamples, median(rates));
    const samplesPerRound = rounds.map(({ measurement }) => measurement.samples);
    const busyCores = rounds.map(({ measurement }) => measurement.cpuSeconds / measurement.seconds);
    const { equipment } = rounds[0];
    results.push({ contender: contender.id, equipment, rates, samplesPerRound, busyCores, ...(learned && { learned }) });
  }
  return { workload, contenders: results, ...(measuresMemory && { memory }) };
}

async function main({ rounds, seconds, quick, name, check, workloads: ids }: Options): Promise<void> {
  const settings: Settings = { rounds, seconds, quick, learnSamples: quick ? QUICK_SAMPLES : EPOCH_SAMPLES };
  const date = new Date().toISOString().slice(0, 10);
  const before = readLoad();
  const machine = describeMachine([before, before]);
  const measure = (id: string) => {
    const able = contenders.filter((contender) =>
      takesPart(contender, findWorkload(id), { cores: machine.cores, native: native.available }),
    );
    return measureWorkload(id, able, settings);
  };
  const workloads = await measureInTurn(ids, measure, (found, remaining) => {
    const results: Results = {
      date,
      machine: { ...machine, load: [before, readLoad()] },
      settings,
      // The rest of the reason names files of this machine.
      ...(native.available ? {} : { nativeMissing: native.reason.split(' (')[0] }),
      workloads: found,
      remaining,
    };
    const report = renderReport(results);
    return `${report}\n\nKept in ${keep(name === undefined ? 'latest' : `${date}-${name}`, results, report)}`;
  });
  if (check) requireBars(checkBars({ workloads, machine }));
}

await runAsProgram('bench', async () => {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await main(options);
});
