import { checkBoolean, checkInteger, checkOptions, invalid, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { describeModel, type Kept } from '../formats/network-file.js';
import { describeOptimizer } from '../formats/optimizer-state.js';
import { toPlain } from '../formats/plain.js';
import { Adam } from '../optimizers/adam.js';
import { checkOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { type Augments, checkAugment, checkMixing } from '../program/augment.js';
import { goalsOf } from '../program/model.js';
import type { Batches } from '../runtime/batches.js';
import { type ResolvedWeights, resolveClassWeights } from '../runtime/class-weights.js';
import { isSampleSource, ownEntry } from '../runtime/columns.js';
import { checkSameClasses } from '../runtime/dataset-inputs.js';
import type { Engine, Source } from '../runtime/engine.js';
import { checkSignal, signalsOf } from '../runtime/evaluate.js';
import { Profile } from '../runtime/profile.js';
import { BatchReader, readData, type TrainingData, weighClasses } from '../runtime/streams.js';
import { type Callbacks, callbackList, callbacksOfRank, Training, type TrainingSettings } from './callbacks.js';
import type { FitOptions } from './fit-options.js';
import { checkCombining, checkSharded, readSyncEvery } from './group-options.js';
import { History } from './history.js';
import type { Ranks } from './ranks.js';
import { type RowChoice, resolveSampling } from './sampling.js';
import { checkValidation, type Validation } from './validation.js';

/** A checked training, ready to start. */
export interface Plan {
  readonly engine: Engine;
  readonly network: Kept;
  readonly optimizer: Optimizer;
  readonly epochs: number;
  /** The data as they were given. */
  readonly givenData: TrainingData;
  readonly data: Source | BatchReader;
  readonly batchSize: number;
  readonly dropLast: boolean;
  /** The batches of each epoch over a dataset; undefined for a stream. */
  readonly batches: Batches | undefined;
  readonly rowChoice: RowChoice;
  /** Batches per step of the optimizer. */
  readonly accumulate: number;
  readonly augment: Augments | undefined;
  readonly classWeights: ResolvedWeights | undefined;
  readonly validation: Validation | undefined;
  readonly callbacks: readonly Callbacks[];
  readonly signal: AbortSignal | undefined;
  /** Signals that end every wait: `signal`, and disposal of the network. */
  readonly signals: readonly AbortSignal[];
  readonly firstEpoch: number;
  readonly history: History;
  /** Number of logs the history keeps. */
  readonly kept: number;
  readonly training: Training;
  /** The ranks that train together; undefined for one alone. */
  readonly ranks: Ranks | undefined;
  readonly sharded: boolean;
  /** Steps that ranks make before they average their parameters; undefined if they sum gradients. */
  readonly syncEvery: number | undefined;
}

/** A plan before the rows are divided, which takes an exchange among ranks that have rows of their own. */
export type Draft = Omit<Plan, 'batches'>;

/** Checks the options and the data of a `fit`. */
export function readPlan(
  engine: Engine,
  network: Kept,
  data: TrainingData,
  given: FitOptions,
  ranks: Ranks | undefined,
): Draft {
  const optimizer = checkOptimizer('fit: optimizer', given.optimizer ?? new Adam());
  const { signal, initialEpoch } = given;
  checkSignal('fit: signal', signal);
  if (initialEpoch !== undefined) checkInteger('fit: initialEpoch', initialEpoch, { min: 0, below: 2 ** 32 });
  const batchSize = checkInteger('fit: batchSize', given.batchSize ?? 32, SIZES);
  const dropLast = checkBoolean('fit: dropLast', given.dropLast ?? false);
  const accumulate = checkInteger('fit: accumulate', given.accumulate ?? 1, SIZES);
  const signals = signalsOf(engine, signal);
  const { model } = engine;
  const unweighted = readData('fit: data', model, data, signals);
  if (ranks !== undefined) checkSharded(unweighted, given, batchSize, ranks);
  const syncEvery = readSyncEvery(given);
  const counted = unweighted instanceof BatchReader ? undefined : unweighted;
  const classWeights = resolveClassWeights('fit', model, given.classWeights, data, counted);
  const read = weighClasses(model, unweighted, classWeights);
  const stream = read instanceof BatchReader;
  if (!stream) checkCombining({ accumulate, syncEvery }, model, read.goals);
  const validation = checkValidation({ engine, optimizer, signal, signals }, given, classWeights);
  const rowChoice = resolveSampling(given, stream);
  for (const option of ['batchSize', 'dropLast'] as const) {
    if (stream && given[option] !== undefined)
      throw new BlasnetError('INVALID_ARGUMENT', `fit: ${option}: the batches of a stream have their own size`);
  }
  const firstEpoch = initialEpoch ?? 0;
  const plan = {
    engine,
    network,
    optimizer,
    epochs: checkEpochs(given.epochs ?? 1, firstEpoch),
    givenData: data,
    data: read,
    batchSize,
    dropLast,
    rowChoice,
    accumulate,
    augment: readAugment(engine, data, given),
    classWeights,
    validation,
    callbacks: callbacksOfRank(callbackList(given.callbacks), ranks?.rank ?? 0),
    signal,
    signals,
    firstEpoch,
    history: new History(checkBoolean('fit: profile', given.profile ?? false) ? new Profile() : undefined),
    kept: checkHistory(given.history),
    training: new Training(engine, network, optimizer),
    ranks,
    sharded: given.sharded ?? false,
    syncEvery,
  };
  if (isSampleSource(data) && isSampleSource(given.validation))
    checkSameClasses('fit: validation', given.validation, data);
  return plan;
}

function checkEpochs(epochs: unknown, firstEpoch: number): number {
  if (epochs === Number.POSITIVE_INFINITY) return epochs;
  return checkInteger('fit: epochs', epochs, { min: 0, max: Number.MAX_SAFE_INTEGER - firstEpoch });
}

function checkHistory(history: unknown = 'all'): number {
  if (history === 'all') return Number.POSITIVE_INFINITY;
  if (history === 'last') return 1;
  if (typeof history !== 'number') throw invalid('fit: history', "'all', 'last' or a number of logs", history);
  return checkInteger('fit: history', history, { min: 1 });
}

/** Checks the augmentations of each input. */
function readAugment({ model }: Engine, data: TrainingData, { augment }: FitOptions): Augments | undefined {
  if (augment === undefined) return undefined;
  const { inputs } = model;
  const losses = goalsOf(model).map(({ loss }) => loss);
  const shapes = isSampleSource(data) ? data : undefined;
  if (Array.isArray(augment) || (inputs.length === 1 && inputs[0].name === undefined)) {
    if (inputs.length > 1) throw invalid('fit: augment', "an object of lists by the inputs' names", augment);
    return [checkAugment('fit: augment', augment, inputs[0], shapes?.shape, losses)];
  }
  const lists = checkOptions<Record<string, unknown>>(
    'fit: augment',
    augment as Record<string, unknown>,
    inputs.flatMap(({ name }) => name ?? []),
  );
  const augments = inputs.map((input) => {
    const { name } = input;
    if (name === undefined) return undefined;
    const list = ownEntry(lists, name);
    if (list === undefined) return undefined;
    return checkAugment(`fit: augment: ${name}`, list, input, shapes?.inputs?.[name]?.shape, losses);
  });
  checkMixing('fit: augment', inputs, augments);
  return augments;
}

/** What a training is, as plain data. */
export function settingsOf({ engine, optimizer, batches, rowChoice, accumulate, augment }: Plan): TrainingSettings {
  const { kind, options } = describeOptimizer(optimizer);
  return {
    network: toPlain(describeModel(engine.model)),
    parameters: Array.from(engine.model.parameters.values()).reduce((sum, { tensor }) => sum + tensor.fixed, 0),
    backend: engine.backend.name,
    optimizer: { kind, options },
    batchSize: batches?.size,
    sampling: batches === undefined ? 'inOrder' : rowChoice.sampling,
    accumulate,
    augment: augment && toPlain(augment.map((each) => each?.list)),
  };
}
