/** `npm run bench`: trains the workloads with every contender, tells their speed and keeps the results. */
import { native } from 'blasnet/kernels';
import { checkBars } from './bars.js';
import { type Contender, contenders, type Reply, type Request } from './contenders.js';
import { keep } from './keep.js';
import { describeMachine, readLoad } from './machine.js';
import { help, type Options, parseOptions } from './options.js';
import { environmentWith, runProgram } from './processes.js';
import { renderReport } from './report.js';
import type { ContenderResult, Results, Settings, WorkloadResult } from './results.js';
import { median } from './statistics.js';
import type { Learned } from './trainer.js';
import { EPOCH_SAMPLES, findWorkload, QUICK_SAMPLES } from './workloads.js';

/** An epoch that would take longer than this many seconds is not trained for its loss and accuracy. */
const LONGEST_EPOCH = 120;

async function ask(contender: Contender, workload: string, task: Request['task']): Promise<Reply> {
  const request: Request = { contender: contender.id, workload, task };
  // A limit of threads that is set outside must not reach the contender that uses all of them.
  const environment = environmentWith({ BLASNET_THREADS: contender.threads?.toString() });
  return runProgram<Reply>('contender', request, environment);
}

async function learn(contender: Contender, workload: string, samples: number, rate: number): Promise<Learned | undefined> {
  const trains = contender.learns && findWorkload(workload).task === 'train';
  if (!trains || samples / rate > LONGEST_EPOCH) return undefined;
  const reply = await ask(contender, workload, { kind: 'learn', samples });
  return reply.kind === 'learn' ? reply.learned : undefined;
}

async function measureWorkload(workload: string, rivals: readonly Contender[], settings: Settings): Promise<WorkloadResult> {
  const replies = new Map(rivals.map(({ id }): [string, Extract<Reply, { kind: 'speed' }>[]] => [id, []]));
  for (let round = 0; round < settings.rounds; round++) {
    console.error(`${workload}: round ${round + 1} of ${settings.rounds}`);
    for (const contender of rivals) {
      const reply = await ask(contender, workload, { kind: 'speed', seconds: settings.seconds });
      if (reply.kind === 'speed') replies.get(contender.id)?.push(reply);
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
  return { workload, contenders: results };
}

async function measureAll(options: Options): Promise<Results> {
  const settings: Settings = {
    rounds: options.rounds,
    seconds: options.seconds,
    learnSamples: options.quick ? QUICK_SAMPLES : EPOCH_SAMPLES,
    quick: options.quick,
  };
  const rivals = contenders.filter((contender) => !contender.native || native.available);
  const before = readLoad();
  const workloads: WorkloadResult[] = [];
  for (const workload of options.workloads) {
    const convolves = findWorkload(workload).convolutions.length > 0;
    const able = convolves ? rivals.filter((contender) => contender.convolves) : rivals;
    workloads.push(await measureWorkload(workload, able, settings));
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine([before, readLoad()]),
    settings,
    // The rest of the reason names files of this machine.
    ...(native.available ? {} : { nativeMissing: native.reason.split(' (')[0] }),
    workloads,
  };
}

async function main(options: Options): Promise<void> {
  const results = await measureAll(options);
  const report = renderReport(results);
  console.log(report);
  console.log(`\nKept in ${keep(options.name === undefined ? 'latest' : `${results.date}-${options.name}`, results, report)}`);
  if (!options.check) return;
  const barResults = checkBars(results);
  if (barResults.length === 0) throw new Error('--check: no bar concerns these workloads');
  if (barResults.some(({ passed }) => !passed)) process.exitCode = 1;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) console.log(help);
  else await main(options);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
