/** A process that trains on the cores that it may use; prints what a step costs as JSON. */
import { mnist } from 'blasnet/data';
import { createNetwork, createOptimizer } from './blasnet-model.js';
import type { Workload } from './workloads.js';

export interface SharesRequest {
  readonly workload: Workload;
  /** Of each run, of which the fastest counts. */
  readonly steps: number;
  readonly runs: number;
}

/** Seconds of a step, and of its update on the first thread. */
export interface StepCosts {
  readonly step: number;
  readonly update: number;
  readonly barriers: number;
  readonly parameters: number;
}

const { workload, steps, runs } = JSON.parse(process.argv[2]) as SharesRequest;
const { train } = await mnist();
const network = createNetwork(workload, 'native');
const optimizer = createOptimizer(workload);
const { batchSize } = workload;

/** Trains for some steps. */
async function take(steps: number) {
  const data = train.take(Math.min(steps * batchSize, train.length));
  const epochs = Math.ceil((steps * batchSize) / data.length);
  const { seconds, profile } = await network.fit(data, { optimizer, batchSize, epochs, profile: true });
  const instructions = profile?.instructions ?? [];
  const taken = epochs * Math.ceil(data.length / batchSize);
  const updates = instructions.filter(({ kernel }) => kernel === 'adam' || kernel === 'sgd');
  return {
    step: seconds / taken,
    update: updates.reduce((sum, instruction) => sum + instruction.seconds, 0) / taken,
    barriers: instructions.filter(({ barrier }) => barrier).length,
    parameters: network.parameterCount,
  } satisfies StepCosts;
}

// In the others, more threads than cores were tried.
let fastest = await take(steps);
for (let run = 1; run < runs; run++) {
  const costs = await take(steps);
  if (costs.step < fastest.step) fastest = costs;
}
process.stdout.write(`${JSON.stringify(fastest)}\n`);
