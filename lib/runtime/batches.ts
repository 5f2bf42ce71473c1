import { BlasnetError } from '../errors.js';
import { share } from '../kernels/share.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { frozenLayer, type Model } from '../program/model.js';

/** How an epoch's rows are divided: `count` batches of `size` rows; the last batch takes the remaining rows. */
export interface Batches {
  readonly rows: number;
  readonly size: number;
  readonly count: number;
  /** What this rank takes of them; undefined without ranks. */
  readonly parts?: Parts;
}

/** A rank's parts of the batches of an epoch. */
export interface Parts {
  /** Rows of this rank's order. */
  readonly drawn: number;
  /** Rows of the largest part of any rank. */
  readonly capacity: number;
  /** See `RankRequest.parts`. */
  readonly table: Int32Array;
}

/** Batches of `size` rows, with a short last batch if the rows don't divide evenly. */
export function divide(rows: number, size: number): Batches {
  return { rows, size: Math.min(size, rows), count: Math.ceil(rows / size) };
}

/**
 * The batches of a training epoch. Only this function decides what happens to rows that don't fill a batch. With
 * `dropLast` they are dropped. Rows of which a rank would normalise a single one by itself join the batch before them.
 * Otherwise they form a short batch.
 */
export function divideEpoch(
  model: Model,
  optimizer: Optimizer,
  rows: number,
  size: number,
  dropLast: boolean,
  ranks = 1,
): Batches {
  const batches = divide(rows, size);
  const left = rows % size;
  if (dropLast && left > 0) {
    if (rows < size) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `fit: dropLast: nothing would be left: ${rows} rows fill no batch of ${size}`,
      );
    }
    return { rows: rows - left, size, count: batches.count - 1 };
  }
  const own = byBatchStatistics(model, optimizer);
  const together = own.every((index) => model.nodes[index].operation.batchStatistics?.sync);
  const joins = left > 0 && left < 2 * (together ? 1 : ranks) && batches.count > 1 && own.length > 0;
  return joins ? { ...batches, count: batches.count - 1 } : batches;
}

/** This rank's parts of batches that all ranks draw alike: each takes its share of every batch. */
export function shareBatches(batches: Batches, rank: number, ranks: number): Batches {
  const table = new Int32Array(4 * batches.count);
  let capacity = 0;
  for (let i = 0; i < batches.count; i++) {
    const of = rowsOf(batches, i);
    const [first, end] = share(of, 1, rank, ranks);
    table.set([i * batches.size + first, end - first, first, of], 4 * i);
    capacity = Math.max(capacity, Math.ceil(of / ranks));
  }
  return { ...batches, parts: { drawn: batches.rows, capacity, table } };
}

/**
 * The batches of ranks that each have rows of their own, divided by `divideOwn(rank)`. Ranks whose rows end earlier
 * have no part in the last batches.
 */
export function joinBatches(rank: number, ranks: number, divideOwn: (rank: number) => Batches): Batches {
  const own = Array.from({ length: ranks }, (_, i) => divideOwn(i));
  const count = Math.max(...own.map((each) => each.count));
  const table = new Int32Array(4 * count);
  const partOf = (batches: Batches, i: number) => (i < batches.count ? rowsOf(batches, i) : 0);
  for (let i = 0; i < count; i++) {
    const rows = own.map((batches) => partOf(batches, i));
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    const begin = rows[rank] > 0 ? i * own[rank].size : 0;
    table.set([begin, rows[rank], sum(rows.slice(0, rank)), sum(rows)], 4 * i);
  }
  const rows = own.reduce((sum, each) => sum + each.rows, 0);
  const parts = { drawn: own[rank].rows, capacity: Math.max(...own.map(largest)), table };
  return { rows, size: own.reduce((sum, each) => sum + each.size, 0), count, parts };
}

/** Rows of batch `index`, of all ranks. */
export function rowsOf({ rows, size, count, parts }: Batches, index: number): number {
  if (parts !== undefined) return parts.table[4 * index + 3];
  return index === count - 1 ? rows - index * size : size;
}

/** Rows of batch `index` that this rank takes. */
export function ownRows(batches: Batches, index: number): number {
  return batches.parts?.table[4 * index + 1] ?? rowsOf(batches, index);
}

/** Rows of the largest batch, or of its largest part. */
export function largest(batches: Batches): number {
  if (batches.parts !== undefined) return batches.parts.capacity;
  return batches.count > 1 ? Math.max(batches.size, rowsOf(batches, batches.count - 1)) : batches.rows;
}

/** Indices of the layers that training normalises with batch statistics. */
function byBatchStatistics(model: Model, optimizer: Optimizer | undefined): number[] {
  return [...model.nodes.keys()].filter((index) => {
    const { batchStatistics } = model.nodes[index].operation;
    return batchStatistics !== undefined && frozenLayer(model, index, optimizer) !== 'evaluation';
  });
}

/**
 * Throws `INVALID_ARGUMENT` if a training batch would give batch norm only one value per feature, which has no
 * variance.
 */
export function checkStatistics(model: Model, optimizer: Optimizer | undefined, batches: Batches): void {
  const { rows, size, count, parts } = batches;
  // Two rows give at least two values.
  const single = (sync: boolean) =>
    parts === undefined
      ? size === 1 || rows - (count - 1) * size === 1
      : parts.table.some((n, i) => i % 4 === (sync ? 3 : 1) && n === 1);
  if (!single(false) && !single(true)) return;
  for (const index of byBatchStatistics(model, optimizer)) {
    const { spec, label, name: layer, operation } = model.nodes[index];
    const { valuesPerRow = 1, singleValue, sync = false } = operation.batchStatistics ?? {};
    if (valuesPerRow > 1 || singleValue === 'allow' || !single(sync)) continue;
    const name = spec.name === undefined ? label : `layer ${layer}`;
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `batch: a training batch of one row gives batch norm (${name}) one value a feature, which it would make 0; use larger batches ` +
        "(or dropLast), or batchNorm({ singleValue: 'allow' })",
    );
  }
}
