/** What the ranks of a training exchange before it, and between its epochs and batches. */
import { types } from 'node:util';
import { share } from '../kernels/share.js';
import { type Batches, divideEpoch, joinBatches, shareBatches } from '../runtime/batches.js';
import type { Source } from '../runtime/engine.js';
import { BatchReader, type TrainingData } from '../runtime/streams.js';
import { type Draft, type Plan, settingsOf } from './plan.js';
import { checksum, checksumOf, type Ranks } from './ranks.js';
import { drawnRows } from './sampling.js';

/** The batches of each epoch over a dataset. */
export async function divideRows(
  { engine: { model }, optimizer, rowChoice, batchSize, dropLast, ranks, sharded }: Draft,
  rows: number,
): Promise<Batches> {
  const own = (count: number, size: number, among: number) =>
    divideEpoch(model, optimizer, drawnRows(rowChoice, count, size), size, dropLast, among);
  if (ranks === undefined) return own(rows, batchSize, 1);
  const { rank, size } = ranks;
  if (!sharded) return shareBatches(own(rows, batchSize, size), rank, size);
  await ranks.meet();
  const counts = await ranks.gather(rows);
  return joinBatches(rank, size, (other) => {
    const [begin, end] = share(batchSize, 1, other, size);
    return own(counts[other], end - begin, 1);
  });
}

/** Makes sure that all ranks train the same, and begins with the first rank's parameters, moments and counters. */
export async function beginTogether(plan: Plan, ranks: Ranks): Promise<void> {
  const { engine, network, optimizer, epochs, firstEpoch, syncEvery, batches } = plan;
  const { rows, size, count } = batches ?? {};
  const text = JSON.stringify([settingsOf(plan), epochs, firstEpoch, syncEvery, rows, size, count, kindsOf(plan)]);
  const what = 'their networks, data or options (without a seed, each network draws one of its own)';
  await ranks.meet({ same: checksumOf(text), what });
  const counters = Float64Array.of(optimizer.steps, optimizer.rateFactor, network.epochs, engine.noiseSteps);
  await ranks.broadcast(engine.parameters, engine.state, engine.attach(optimizer), counters);
  [optimizer.steps, optimizer.rateFactor, network.epochs, engine.noiseSteps] = counters;
}

/** What must be equal of the data, and of those for validation, all of whose rows each rank evaluates. */
function kindsOf({ givenData, data, sharded, classWeights, validation }: Plan): readonly unknown[] {
  // Shards can differ in their number of classes if it is inferred from the labels.
  const classes = sharded ? undefined : (givenData as { classes?: unknown }).classes;
  const rows = validation?.source instanceof BatchReader ? undefined : validation?.source.rows;
  const validated = validation && [
    kindOf(validation.data, validation.source),
    rows,
    validation.average,
    validation.metrics.map(([name]) => name),
  ];
  return [kindOf(givenData, data), classes, classWeights, validated];
}

/** What must be equal on ranks that read the same kind of data; `source`: what `fit` reads of `data`. */
function kindOf(data: TrainingData, source: Source | BatchReader): unknown {
  if (source instanceof BatchReader) return 'stream';
  const { labelNames } = data as { labelNames?: unknown };
  const feeds = Object.entries(source.feeds).map(([name, { values, scale = 1, offset = 0 }]) => {
    return [name, types.isUint8Array(values), scale, offset];
  });
  return [labelNames, feeds, source.goals];
}

/** At the end of an epoch and of the training: agrees on whether to stop, and checks that all ranks are still equal. */
export async function meetAfter({ engine, optimizer, training }: Plan, ranks: Ranks): Promise<boolean> {
  const same = await checksum(engine.parameters, engine.state, Float32Array.of(optimizer.rateFactor));
  const { stop } = await ranks.meet({ same, what: 'their parameters after an epoch', stop: training.stopped });
  return stop;
}

/** What must be equal on all ranks before a batch of a stream, or at its end. */
export function sameBatch(batch: Source | undefined) {
  // 0 is the end. Whether rows have weights decides what is summed.
  const same = batch === undefined ? 0 : checksumOf(JSON.stringify([batch.rows, batch.goals])) || 1;
  return { same, what: 'the batches of their streams' };
}
