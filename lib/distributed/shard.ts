import { checkArity, invalid } from '../checks.js';
import { LabelledRows } from '../data/rows.js';
import type { AnyDataset } from '../data/split.js';
import { type Group, isGroup } from './group.js';

/**
 * A copy of this rank's rows of a dataset that all ranks have: of n ranks, rank r gets the rows r, r + n, r + 2 n, …
 * For `fit({ group, sharded: true })`, once the dataset itself is no longer needed. Throws `INVALID_ARGUMENT`.
 */
export function shard<T extends AnyDataset>(dataset: T, group: Group): T {
  checkArity('shard', arguments, 2);
  if (!(dataset instanceof LabelledRows)) throw invalid('dataset', 'a Dataset', dataset);
  if (!isGroup(group)) throw invalid('group', 'a group that joinGroup gave', group);
  const { rank, size } = group;
  const length = Math.max(0, Math.ceil((dataset.length - rank) / size));
  return dataset.subset(Int32Array.from({ length }, (_, i) => rank + i * size)) as T;
}
