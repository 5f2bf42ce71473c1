/** The options of a `fit` on several ranks. */
import { checkBoolean, checkInteger, invalid, SIZES } from '../checks.js';
import { isGroup } from '../distributed/group.js';
import { BlasnetError } from '../errors.js';
import type { Model } from '../program/model.js';
import type { Engine, Source } from '../runtime/engine.js';
import { BatchReader } from '../runtime/streams.js';
import type { FitOptions } from './fit-options.js';
import { Ranks } from './ranks.js';

/** The ranks of the option `group`; undefined for a group of one. */
export function readRanks(options: FitOptions | undefined): Ranks | undefined {
  // Others than objects are refused with the options.
  const group = typeof options === 'object' && options !== null ? options.group : undefined;
  if (group !== undefined && !isGroup(group)) throw invalid('fit: group', 'a group that joinGroup gave', group);
  return group === undefined || group.size === 1 ? undefined : new Ranks(group);
}

/** Checks what a group needs, and what needs a group. */
export function checkGroup(engine: Engine, { group, sharded }: FitOptions): void {
  if (checkBoolean('fit: sharded', sharded ?? false) && group === undefined)
    throw new BlasnetError('INVALID_ARGUMENT', 'fit: sharded: it needs a group');
  if (group !== undefined && group.size > 1 && engine.backend.name !== 'native')
    throw new BlasnetError('BACKEND_UNAVAILABLE', 'fit: group: several ranks need the native backend');
}

/** Throws `INVALID_ARGUMENT` for what several ranks can't do with rows of their own. */
export function checkSharded(
  data: Source | BatchReader,
  { augment, classWeights, sharded }: FitOptions,
  batchSize: number,
  ranks: Ranks,
) {
  if (!sharded) return;
  const refuse = (option: string, why: string) =>
    new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: with a group of several ranks, ${why}`);
  if (data instanceof BatchReader) throw refuse('sharded', 'the batches of a stream are those of all ranks');
  const lists = Array.isArray(augment) ? augment : Object.values(augment ?? {}).flat();
  if (lists.some((each) => each?.type === 'mixUp'))
    throw refuse('augment', 'mixUp needs the rows of all ranks on each, but the data are sharded');
  if (batchSize < ranks.size) throw refuse('batchSize', `sharded data need at least one row for each rank`);
  const balanced = [classWeights, ...Object.values(classWeights ?? {})].includes('balanced');
  if (balanced) throw refuse('classWeights', "'balanced' would count each rank's own rows: give numbers");
}

/** Checks the option `syncEvery`; undefined for a group of one. */
export function readSyncEvery({ syncEvery, group, accumulate }: FitOptions): number | undefined {
  if (syncEvery === undefined) return undefined;
  checkInteger('fit: syncEvery', syncEvery, SIZES);
  const refuse = (why: string) => new BlasnetError('INVALID_ARGUMENT', `fit: syncEvery: ${why}`);
  if (group === undefined) throw refuse('it needs a group');
  if ((accumulate ?? 1) > 1) throw refuse('not with accumulate: a step takes one batch of each rank');
  return group.size === 1 ? undefined : syncEvery;
}

/** What combines the results of several batches, or of ranks that each make steps of their own. */
export interface Combining {
  readonly accumulate: number;
  readonly syncEvery: number | undefined;
}

/** Throws `INVALID_ARGUMENT` for what can't be combined. */
export function checkCombining({ accumulate, syncEvery }: Combining, { nodes }: Model, goals: Source['goals']): void {
  const option = syncEvery !== undefined ? 'syncEvery' : accumulate > 1 ? 'accumulate' : undefined;
  const refuse = (what: string) => new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: not with ${what}`);
  if (option === undefined) return;
  // The mean of a batch is over its own weights.
  if (goals.some(({ weighted }) => weighted)) throw refuse('weights of rows or classes');
  if (syncEvery !== undefined && nodes.some(({ operation }) => operation.batchStatistics?.sync))
    throw refuse('batchNorm({ sync: true })');
}
