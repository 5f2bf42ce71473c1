/**
 * A model of data-parallel training: a step takes what a rank computes on its rows, plus the sum of the gradients over
 * all ranks. Times are in seconds, amounts in bytes.
 */

/**
 * How a library sums a block over N ranks.
 * - `tree`: to one rank along a binomial tree, and back; each message is the whole block.
 * - `halving`: each rank sums a share of the block, by recursive halving, and gathers the other shares, by recursive
 *   doubling (Rabenseifner 2004).
 * - `ring`: the same with shares that go round a ring of all ranks (Patarasu and Yuan 2009).
 */
export type Algorithm = 'tree' | 'halving' | 'ring';

/** A connection between two ranks; a message of n bytes takes `latency` + n / `bandwidth`. */
export interface Link {
  readonly latency: number;
  readonly bandwidth: number;
}

interface Cost {
  /** Messages that wait for each other. */
  readonly messages: number;
  /** What they carry together, in blocks. */
  readonly blocks: number;
}

/** The longest chain of messages in a sum over `ranks`. */
export function costOfSum(algorithm: Algorithm, ranks: number): Cost {
  const levels = Math.ceil(Math.log2(ranks));
  const shares = (2 * (ranks - 1)) / ranks;
  if (algorithm === 'tree') return { messages: 2 * levels, blocks: 2 * levels };
  if (algorithm === 'halving') return { messages: 2 * levels, blocks: shares };
  return { messages: 2 * (ranks - 1), blocks: shares };
}

/** Seconds of a sum of `bytes` over `ranks`. */
export function sumSeconds(algorithm: Algorithm, ranks: number, bytes: number, { latency, bandwidth }: Link): number {
  const { messages, blocks } = costOfSum(algorithm, ranks);
  return messages * latency + (blocks * bytes) / bandwidth;
}

/** A measured sum. */
export interface Sum {
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * The link that explains sums over `ranks` best: least squares of the relative errors, so that small blocks count as
 * much as large ones. Latency is at least 0. Sums too short to be measured, with 0 seconds, don't count. Throws if
 * larger blocks do not take longer.
 */
export function fitLink(algorithm: Algorithm, ranks: number, sums: readonly Sum[]): Link {
  const { messages, blocks } = costOfSum(algorithm, ranks);
  // Minimizes Σ (a x + b y - 1)², where x is the latency and y the seconds a byte.
  let [aa, ab, bb, a1, b1] = [0, 0, 0, 0, 0];
  for (const { bytes, seconds } of sums.filter((sum) => sum.seconds > 0)) {
    const [a, b] = [messages / seconds, (blocks * bytes) / seconds];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    a1 += a;
    b1 += b;
  }
  const determinant = aa * bb - ab * ab;
  const latency = Math.max(0, (a1 * bb - b1 * ab) / determinant);
  const perByte = (b1 - ab * latency) / bb;
  if (!(perByte > 0)) throw new Error('larger blocks did not take longer: no bandwidth explains these sums');
  return { latency, bandwidth: 1 / perByte };
}

/** A link whose messages also pass a wire: the times of both add up. */
export function inSeries(link: Link, wire: Link): Link {
  return {
    latency: link.latency + wire.latency,
    bandwidth: 1 / (1 / link.bandwidth + 1 / wire.bandwidth),
  };
}

/** Seconds that a rank computes on a number of rows. */
export interface Compute {
  readonly rows: number;
  readonly seconds: number;
}

/**
 * Seconds for `rows` rows, from two or more measurements: along the line between the nearest two, and at least 0 below
 * the smallest.
 */
export function computeSeconds(measured: readonly Compute[], rows: number): number {
  const sorted = [...measured].sort((a, b) => a.rows - b.rows);
  const above = sorted.findIndex((point) => point.rows >= rows);
  const next = above < 0 ? sorted.length - 1 : Math.max(1, above);
  const [low, high] = [sorted[next - 1], sorted[next]];
  const slope = (high.seconds - low.seconds) / (high.rows - low.rows);
  return Math.max(0, low.seconds + slope * (rows - low.rows));
}

/** Seconds of a step; `overlap` of the sum's seconds pass while the rank still computes. */
export function stepSeconds(compute: number, sum: number, overlap = 0): number {
  return compute + Math.max(0, sum - overlap);
}

/** The share of a step in which the rank computes: 1 if nothing is lost to sums. */
export function efficiency(compute: number, sum: number, overlap = 0): number {
  return compute / stepSeconds(compute, sum, overlap);
}

/** Steps between two sums of `sum` seconds with which the rank computes at least the share `least` of its time. */
export function stepsBetweenSums(compute: number, sum: number, least: number): number {
  return Math.max(1, Math.ceil((sum * least) / (1 - least) / compute - 1e-9));
}
