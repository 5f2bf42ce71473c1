/** Predictions for many ranks, from what was measured on one machine. */
import { flopsPerSample } from '../workloads.js';
import { type Algorithm, computeSeconds, efficiency, inSeries, type Link, stepSeconds, sumSeconds } from './model.js';
import { imagined } from './networks.js';
import type { NetworkResult, Results } from './results.js';

/** A network on one rank. */
export interface Candidate {
  readonly id: string;
  /** Rows of a rank in a step, in training as on one rank. */
  readonly rows: number;
  /** Bytes of its gradients. */
  readonly bytes: number;
  compute(rows: number): number;
}

function measuredCandidate({ workload, parameters, compute }: NetworkResult): Candidate {
  const { id, batchSize } = workload;
  return { id, rows: batchSize, bytes: 4 * parameters, compute: (rows) => computeSeconds(compute, rows) };
}

/** The rate of a network's matrix products with all that belongs to a step, in FLOP/s. */
export function flopRate({ workload, compute }: NetworkResult): number {
  const { batchSize } = workload;
  return (batchSize * flopsPerSample(workload)) / computeSeconds(compute, batchSize);
}

/** The networks of a report: measured ones, and imagined ones at the FLOP rate of M2L. */
export function candidates({ networks }: Pick<Results, 'networks'>): Candidate[] {
  const large = networks.find(({ workload }) => workload.id === 'M2L');
  const computed =
    large === undefined
      ? []
      : imagined.map(({ id, rows, parameters, flops }) => {
          const compute = (count: number) => (count * flops) / flopRate(large);
          return { id, rows, bytes: 4 * parameters, compute };
        });
  return [...networks.map(measuredCandidate), ...computed];
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

/** The share of a rank's computing in which sums may pass at best: of three products, the backward pass makes two. */
export const BACKWARD = 2 / 3;

/** `rows`: those of each rank. `hidden`: the share of its computing in which sums pass. */
export function predict(
  candidate: Candidate,
  algorithm: Algorithm,
  ranks: number,
  link: Link,
  rows = candidate.rows,
  hidden = 0,
): Prediction {
  const compute = candidate.compute(rows);
  const sum = sumSeconds(algorithm, ranks, candidate.bytes, link);
  const overlap = hidden * compute;
  return {
    compute,
    sum,
    efficiency: efficiency(compute, sum, overlap),
    rowsPerSecond: (ranks * rows) / stepSeconds(compute, sum, overlap),
  };
}

/** The most ranks, by powers of two, that share a batch of `rows` and compute at least half of their time. */
export function mostRanks(candidate: Candidate, algorithm: Algorithm, link: Link, rows: number): number {
  let ranks = 1;
  while (2 * ranks <= Math.min(rows, 4096)) {
    const next = predict(candidate, algorithm, 2 * ranks, link, rows / (2 * ranks));
    if (next.efficiency < 0.5) break;
    ranks *= 2;
  }
  return ranks;
}
