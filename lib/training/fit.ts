import { checkOptions, invalid } from '../checks.js';
import type { Kept } from '../formats/network-file.js';
import { Optimizer } from '../optimizers/optimizer.js';
import { checkStatistics } from '../runtime/batches.js';
import type { Engine } from '../runtime/engine.js';
import { BatchReader, overShared, type TrainingData } from '../runtime/streams.js';
import { beginTogether, divideRows } from './agreement.js';
import { train } from './epochs.js';
import { type FitOptions, fitOptionNames } from './fit-options.js';
import { checkGroup, readRanks } from './group-options.js';
import type { History } from './history.js';
import { readPlan } from './plan.js';

/** Trains the network of `engine`; see `Network.fit`. */
export async function fit(
  engine: Engine,
  network: Kept,
  data: TrainingData,
  options: FitOptions | undefined,
): Promise<History> {
  // First, so that the other ranks hear of options that this one refuses.
  const ranks = readRanks(options);
  try {
    if (options instanceof Optimizer) throw invalid('fit', 'an object of options, such as { optimizer }', options);
    const given = checkOptions('fit', options, fitOptionNames);
    checkGroup(engine, given);
    const draft = readPlan(engine, network, data, given, ranks);
    const { optimizer, signal, validation, history, data: read } = draft;
    const task = async () => {
      signal?.throwIfAborted();
      const batches = read instanceof BatchReader ? undefined : await divideRows(draft, read.rows);
      if (batches !== undefined) checkStatistics(engine.model, optimizer, batches);
      engine.attach(optimizer);
      if (given.initialEpoch !== undefined) network.epochs = given.initialEpoch;
      const plan = { ...draft, batches };
      if (ranks !== undefined) await beginTogether(plan, ranks);
      const shared = await overShared('fit: data', read);
      const checked = validation && { ...validation, source: await overShared('fit: validation', validation.source) };
      await train({ ...plan, data: shared, validation: checked });
      return history;
    };
    return await engine.hold(task, true);
  } catch (error) {
    await ranks?.fail(error);
    throw error;
  } finally {
    ranks?.end();
  }
}
