/** Predictions for many ranks, from what was measured on one machine. */
import { flopsPerSample } from '../workloads.js';
import { computeSeconds, efficiency, inSeries, type Link, sumSeconds } from './model.js';
import type { NetworkResult, Results } from './results.js';

/** The rate of a network's matrix products with all that belongs to a step, in FLOP/s. */
export function flopRate({ workload, compute }: NetworkResult): number {
  const { batchSize } = workload;
  return (batchSize * flopsPerSample(workload)) / computeSeconds(compute, batchSize);
}

/** A network of hosts. */
export interface Fabric {
  readonly title: string;
  readonly link: Link;
}

const gigabits = (rate: number, latency: number): Link => ({ latency, bandwidth: (rate * 1e9) / 8 });
const SWITCH = 10e-6;

/** Ethernet with the costs of TCP that were measured, and a wire; RDMA with those of shared memory. */
export function fabrics({ links }: Pick<Results, 'links'>): Fabric[] {
  const tcp = links.find(({ title }) => /loopback/.test(title));
  const memory = links.find(({ title }) => /shared memory/.test(title));
  return [
    ...[10, 25, 100].flatMap((rate) =>
      tcp === undefined ? [] : [{ title: `${rate} Gbit/s, TCP`, link: inSeries(tcp.link, gigabits(rate, SWITCH)) }],
    ),
    ...(memory === undefined
      ? []
      : [{ title: '100 Gbit/s, RDMA', link: inSeries(memory.link, gigabits(100, SWITCH / 5)) }]),
  ];
}

/** A step of a number of ranks. */
export interface Prediction {
  readonly compute: number;
  readonly sum: number;
  readonly efficiency: number;
  readonly rowsPerSecond: number;
}

/** `rows`: those of each rank. Nothing of a sum passes while a rank computes. */
export function predict(
  network: NetworkResult,
  ranks: number,
  link: Link,
  rows = network.workload.batchSize,
): Prediction {
  const compute = computeSeconds(network.compute, rows);
  const sum = sumSeconds(ranks, 4 * network.parameters, link);
  return { compute, sum, efficiency: efficiency(compute, sum), rowsPerSecond: (ranks * rows) / (compute + sum) };
}

/** The most ranks, by powers of two, that share a batch of `rows` and compute at least half of their time. */
export function mostRanks(network: NetworkResult, link: Link, rows: number): number {
  let ranks = 1;
  while (2 * ranks <= Math.min(rows, 4096)) {
    if (predict(network, 2 * ranks, link, rows / (2 * ranks)).efficiency < 0.5) break;
    ranks *= 2;
  }
  return ranks;
}
