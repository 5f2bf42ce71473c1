/** What is not finite, and the errors that say so. */
import { types } from 'node:util';
import { describe } from '../checks.js';
import { BlasnetError, type NonFiniteDetails } from '../errors.js';
import { feedName } from '../program/losses.js';
import { labelOf } from './columns.js';
import type { Source } from './engine.js';

/** Where it was found, in calls that take one batch. */
export const IN_BATCH = 'in this batch';

/** Whether a block contains neither NaN nor infinities. */
export function allFinite(block: Float32Array): boolean {
  // A product with 0 is NaN only for NaN and infinities.
  let sum = 0;
  for (let i = 0; i < block.length; i++) sum += block[i] * 0;
  return sum === 0;
}

/**
 * The first NaN or infinity in the rows `order` (default: all) of a source: the cause of a non-finite loss, if it was
 * in the data.
 */
export function findNonFinite(source: Source, order?: Int32Array): NonFiniteDetails | undefined {
  const rows = order ?? Int32Array.from({ length: source.rows }, (_, i) => i);
  for (const [name, { values: data }] of Object.entries(source.feeds)) {
    const dot = name.indexOf('.');
    const [role, column] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
    const where = role === 'features' || role === 'weights' ? role : 'targets';
    if (!types.isFloat32Array(data)) continue;
    const list = (role: string) => source.feeds[feedName(role, column === '' ? undefined : column)]?.values;
    const [starts, ends, places] = where === 'features' ? [list('rowStarts'), list('rowEnds'), list('indices')] : [];
    if (starts !== undefined && ends !== undefined && places !== undefined) {
      for (const row of rows) {
        const at = data.subarray(starts[row], ends[row]).findIndex((value) => !Number.isFinite(value));
        if (at < 0) continue;
        const k = starts[row] + at;
        return { where, ...(column !== '' && { name: column }), row, column: places[k], value: data[k] };
      }
      continue;
    }
    const perRow = data.length / source.rows;
    for (const row of rows) {
      for (let i = 0; i < perRow; i++) {
        const value = data[row * perRow + i];
        if (!Number.isFinite(value)) return { where, ...(column !== '' && { name: column }), row, column: i, value };
      }
    }
  }
  return undefined;
}

/** The error for an update that made parameters non-finite. */
export function spoiltError(at: string): BlasnetError {
  const message = `parameters: an update ${at} made one non-finite although the losses are finite; a smaller learning rate usually helps`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'parameters' } });
}

/** The error for the first non-finite gradient; ignores the `frozen` parameters. */
export function gradientError(
  parameters: readonly { readonly name: string; readonly gradient: Float32Array }[],
  frozen: (name: string) => boolean,
): BlasnetError {
  for (const { name, gradient } of parameters) {
    const column = gradient.findIndex((value) => !Number.isFinite(value));
    if (column < 0 || frozen(name)) continue;
    const value = gradient[column];
    const message = `gradients: ${name}: element ${column}: expected a finite number, got ${value}; no parameter was changed`;
    return new BlasnetError('NON_FINITE', message, { details: { where: 'gradients', parameter: name, column, value } });
  }
  return new BlasnetError('NON_FINITE', 'gradients: one is not finite; no parameter was changed', {
    details: { where: 'gradients' },
  });
}

/** The error for a batch with a NaN or an infinity. */
function dataError(found: NonFiniteDetails, at: string): BlasnetError {
  const { where, name, row, column, value } = found;
  const message = `${labelOf(where, name)}: row ${row}, column ${column}: expected a finite number, got ${value} (${at})`;
  return new BlasnetError('NON_FINITE', message, { details: found });
}

/** A place within a sentence; that of a step has no preposition. */
const within = (at: string) => (at.startsWith('in ') ? at : `in ${at}`);

/** The error for a forward pass that made running statistics non-finite. */
export function statisticsError(found: NonFiniteDetails | undefined, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  const message = `state: a running statistic would overflow ${within(at)} although the features are finite; scale them to smaller numbers`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'state' } });
}

/**
 * The error for a rejected training step: its mean loss was not finite, or the running statistics `state` no longer
 * are.
 */
export function stepError(
  state: Float32Array,
  found: NonFiniteDetails | undefined,
  loss: number,
  at: string,
): BlasnetError {
  return allFinite(state) ? nonFiniteError(found, loss, at) : statisticsError(found, at);
}

/** The error on a rank whose own rows are finite, for a batch of which another one's are not. */
export function otherRankError(rank: number, loss: number, at: string): BlasnetError {
  const message = `loss: it became ${describe(loss)} by a number in the rows of rank ${rank}, which names it (${at})`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'loss', value: loss } });
}

/** The error for a mean loss that was not finite. */
export function nonFiniteError(found: NonFiniteDetails | undefined, loss: number, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  return new BlasnetError(
    'NON_FINITE',
    `loss: it became ${describe(loss)} ${within(at)} although features and targets are finite; a smaller learning rate usually helps`,
    { details: { where: 'loss', value: loss } },
  );
}
