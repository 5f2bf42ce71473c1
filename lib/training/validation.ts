import { checkBoolean } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { isOnlyLoss } from '../program/losses.js';
import { goalsOf } from '../program/model.js';
import type { ResolvedWeights } from '../runtime/class-weights.js';
import type { Engine, Source } from '../runtime/engine.js';
import { evaluateData } from '../runtime/evaluate.js';
import { Slices } from '../runtime/slices.js';
import { BatchReader, readData, type TrainingData, weighClasses } from '../runtime/streams.js';
import { bounded } from '../runtime/waiting.js';
import type { SampleSource } from '../types.js';
import type { FitOptions } from './fit-options.js';
import type { EpochLog } from './history.js';
import { checkMetrics, computeMetrics, type MetricFunction } from './own-metrics.js';

/** What is evaluated, and what ends the wait for it. */
interface Trained {
  readonly engine: Engine;
  readonly optimizer: Optimizer;
  readonly signal: AbortSignal | undefined;
  readonly signals: readonly AbortSignal[];
}

/** What to evaluate on after each epoch. */
export interface Validation {
  readonly source: Source | BatchReader;
  readonly data: TrainingData;
  /** With the average of weights. */
  readonly average: boolean;
  readonly metrics: readonly [name: string, metric: MetricFunction][];
}

/** Checks the options of the validation; undefined without data for it. */
export function checkValidation(
  { engine: { model }, optimizer, signals }: Trained,
  given: FitOptions,
  weights: ResolvedWeights | undefined,
): Validation | undefined {
  const { validation, metrics } = given;
  const read = (data: TrainingData) => weighClasses(model, readData('fit: validation', model, data, signals), weights);
  const source = validation === undefined ? undefined : read(validation);
  const goals = goalsOf(model);
  const outputs = isOnlyLoss(goals) ? [] : goals.flatMap(({ name }) => name ?? []);
  const own = checkMetrics(metrics, outputs, source !== undefined && !(source instanceof BatchReader));
  const average = checkBoolean('fit: validateAverage', given.validateAverage ?? false);
  if (average && (source === undefined || optimizer.averageWeights === undefined)) {
    const needs = source === undefined ? 'validation data' : 'an optimizer with averageWeights';
    throw new BlasnetError('INVALID_ARGUMENT', `fit: validateAverage: it needs ${needs}`);
  }
  return source && validation && { source, data: validation, average, metrics: own };
}

type Figures = Pick<EpochLog, 'validation' | 'metrics'>;

/** Computes the figures of an epoch. */
export async function validate(trained: Trained, validation: Validation): Promise<Figures> {
  const { engine, optimizer } = trained;
  if (!validation.average) return validateWeights(trained, validation);
  const kept = new Float32Array(engine.parameters.length);
  const slices = new Slices();
  await slices.copy('validation', kept, engine.parameters);
  try {
    await slices.copy('validation', engine.parameters, engine.averageOf('fit', optimizer));
    return await validateWeights(trained, validation);
  } finally {
    engine.parameters.set(kept);
  }
}

async function validateWeights(
  { engine, signal, signals }: Trained,
  { source, data, metrics }: Validation,
): Promise<Figures> {
  const validation = await evaluateData('fit: validation', engine, source, engine.inferenceBatch, signal);
  if (metrics.length === 0 || source instanceof BatchReader) return { validation };
  const wait = (task: () => number | Promise<number>) => engine.rest(async () => bounded(task(), signals), signals);
  return { validation, metrics: await computeMetrics(metrics, engine, source, data as SampleSource, signal, wait) };
}
