/** The program of a rank: takes a job as JSON in its argument; the first rank prints the reply as JSON. */
import { mnist } from 'blasnet/data';
import { type Group, joinGroup } from 'blasnet/distributed';
import { createNetwork, createOptimizer } from '../blasnet-model.js';
import { median } from '../statistics.js';
import { EPOCH_SAMPLES } from '../workloads.js';
import type { RankJob, StepsJob, StepsReply, SumsJob, SumsReply } from './launch.js';

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** A number that the first rank has chosen. */
async function agree(group: Group, number: number): Promise<number> {
  return (await group.broadcast(new Float64Array([number])))[0];
}

async function timeSum(group: Group, bytes: number, seconds: number): Promise<number> {
  const block = new Float32Array(new SharedArrayBuffer(bytes));
  const repeat = async (calls: number) => {
    const times: number[] = [];
    for (let i = 0; i < calls; i++) times.push(await secondsOf(() => group.allReduce(block)));
    return median(times);
  };
  const trial = await repeat(5);
  return repeat(Math.ceil(await agree(group, Math.min(20_000, Math.max(5, seconds / trial)))));
}

async function timeSums(group: Group, { sizes, seconds }: SumsJob): Promise<SumsReply> {
  // In training no promise and no other thread is between two sums; an empty sum costs just these.
  const call = await timeSum(group, 0, seconds);
  const times: number[] = [];
  for (const bytes of sizes) times.push(Math.max(0, (await timeSum(group, bytes, seconds)) - call));
  return times;
}

const MOST_STEPS = 1_000_000;

async function timeSteps(group: Group, { workload, seconds: wanted }: StepsJob): Promise<StepsReply> {
  const { train } = await mnist();
  const { batchSize } = workload;
  const network = createNetwork(workload, 'native');
  const optimizer = createOptimizer(workload);
  const fit = (steps: number, epochs: number, profile = false) =>
    network.fit(train.take(steps * batchSize), { optimizer, batchSize, epochs, group, profile });
  const trial = 4;
  await fit(trial, 1);
  const estimate = (await secondsOf(() => fit(trial, 1))) / trial;
  const wantedSteps = Math.min(MOST_STEPS, Math.ceil(wanted / estimate));
  // As few epochs as in training: their ends cost more than a step.
  const epochs = await agree(group, Math.ceil(wantedSteps / Math.floor(EPOCH_SAMPLES / batchSize)));
  const steps = await agree(group, Math.max(2 * trial, Math.ceil(wantedSteps / epochs)));
  // The start of a fit, where parameters are sent to all ranks, and the ends of epochs are in both, and so in none.
  const short = await secondsOf(() => fit(trial, epochs));
  const long = await secondsOf(() => fit(steps, epochs));
  const { profile } = await fit(steps, 1, true);
  const sums = profile?.instructions.filter(({ kernel }) => ['allReduce', 'gatherShares'].includes(kernel)) ?? [];
  // On a busy machine the short one can take longer; then the start is counted.
  const seconds = long > short ? (long - short) / (epochs * (steps - trial)) : long / (epochs * steps);
  return {
    seconds,
    parameters: network.parameterCount,
    sumShare: sums.reduce((total, { share }) => total + share, 0),
  };
}

const job = JSON.parse(process.argv[2]) as RankJob;
const group = await joinGroup();
const reply = job.kind === 'sums' ? await timeSums(group, job) : await timeSteps(group, job);
if (group.rank === 0) process.stdout.write(`${JSON.stringify(reply)}\n`);
await group.leave();
