import { BlasnetError } from '../errors.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { frozenLayer, type Model } from '../program/model.js';

/** How an epoch's rows are divided: `count` batches of `size` rows; the last batch takes the remaining rows. */
export interface Batches {
  readonly rows: number;
  readonly size: number;
  readonly count: number;
}

/** Batches of `size` rows, with a short last batch if the rows don't divide evenly. */
export function divide(rows: number, size: number): Batches {
  return { rows, size: Math.min(size, rows), count: Math.ceil(rows / size) };
}

/**
 * The batches of a training epoch. Only this function decides what happens to rows that don't fill a batch. With
 * `dropLast` they are dropped. A single row that would be normalised by itself joins the batch before it. Otherwise
 * they form a short batch.
 */
export function divideEpoch(
  model: Model,
  optimizer: Optimizer,
  rows: number,
  size: number,
  dropLast: boolean,
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
  const joins = left === 1 && batches.count > 1 && byBatchStatistics(model, optimizer).length > 0;
  return joins ? { ...batches, count: batches.count - 1 } : batches;
}

/** Rows of batch `index`. */
export function rowsOf({ rows, size, count }: Batches, index: number): number {
  return index === count - 1 ? rows - index * size : size;
}

/** Rows of the largest batch. */
export function largest(batches: Batches): number {
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
export function checkStatistics(model: Model, optimizer: Optimizer | undefined, { rows, size, count }: Batches): void {
  // Two rows give at least two values.
  if (size > 1 && rows - (count - 1) * size > 1) return;
  for (const index of byBatchStatistics(model, optimizer)) {
    const { spec, label, name: layer, operation } = model.nodes[index];
    const { valuesPerRow = 1, singleValue } = operation.batchStatistics ?? {};
    if (valuesPerRow > 1 || singleValue === 'allow') continue;
    const name = spec.name === undefined ? label : `layer ${layer}`;
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `batch: a training batch of one row gives batch norm (${name}) one value a feature, which it would make 0; use larger batches ` +
        "(or dropLast), or batchNorm({ singleValue: 'allow' })",
    );
  }
}
