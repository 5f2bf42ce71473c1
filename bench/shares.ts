/** A process that trains on the cores that it may use; prints what a step costs as JSON. */
import { mnist } from 'blasnet/data';
import { createNetwork, createOptimizer } from './blasnet-model.js';
import type { Workload } from './workloads.js';

export interface SharesRequest {
  readonly workload: Workload;
  /** Of each epoch, of which the fastest counts. */
  readonly steps: number;
  readonly epochs: number;
}

/** What a step costs, in the fastest epoch of a run. */
export interface StepCosts {
  /** Seconds. */
  readonly step: number;
  /** Seconds of the update on the first thread, the mean of all steps. */
  readonly update: number;
  readonly barriers: number;
  /** Shares into which the step is divided: fewer than threads where it has little work. */
  readonly shares: number;
  readonly parameters: number;
}

const { workload, steps, epochs } = JSON.parse(process.argv[2]) as SharesRequest;
const { train } = await mnist();
const network = createNetwork(workload, 'native');
const data = train.take(Math.min(steps * workload.batchSize, train.length));
const taken = Math.ceil(data.length / workload.batchSize);
// The first epochs find out how many threads pay, and the others try more from time to time.
const history = await network.fit(data, {
  optimizer: createOptimizer(workload),
  batchSize: workload.batchSize,
  epochs,
  profile: true,
});
const instructions = history.profile?.instructions ?? [];
const updates = instructions.filter(({ kernel }) => kernel === 'adam' || kernel === 'sgd');
const costs: StepCosts = {
  step: Math.min(...history.epochs.map(({ seconds }) => seconds)) / taken,
  update: updates.reduce((sum, { seconds }) => sum + seconds, 0) / (taken * epochs),
  barriers: instructions.filter(({ barrier }) => barrier).length,
  shares: network.program.threads,
  parameters: network.parameterCount,
};
process.stdout.write(`${JSON.stringify(costs)}\n`);
