import { type Control, control as words } from '../backend/backend.js';
import { invalid } from '../checks.js';
import { elements } from '../program/instructions.js';
import { feedName } from '../program/losses.js';
import { type Model, placeOf, shapeOf } from '../program/model.js';
import { sharedBuffer } from '../shared-memory.js';
import { divide } from './batches.js';
import type { Engine, Source } from './engine.js';
import { findNonFinite, nonFiniteError } from './non-finite.js';
import { BatchReader } from './streams.js';
import { type Evaluation, reportWidth, Tally } from './tally.js';
import { stoppable } from './waiting.js';

export function newControl(): Control {
  return new Int32Array(sharedBuffer(words.length * 4));
}

function isSignal(value: unknown): value is AbortSignal {
  const { aborted, throwIfAborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>;
  const methods = [throwIfAborted, addEventListener, removeEventListener];
  return typeof aborted === 'boolean' && methods.every((method) => typeof method === 'function');
}

export function checkSignal(name: string, signal: unknown): void {
  // Not by instanceof: a signal may come from another realm.
  if (signal !== undefined && !isSignal(signal)) throw invalid(name, 'an AbortSignal', signal);
}

/** Allocates doubles in shared memory, for an asynchronous run to write. */
export function sharedDoubles(length: number): Float64Array {
  return new Float64Array(sharedBuffer(Math.max(length, 1) * 8), 0, length);
}

/** Signals that end a wait for the caller: the given signal and the network's disposal. */
export function signalsOf(engine: Engine, signal: AbortSignal | undefined): readonly AbortSignal[] {
  return signal === undefined ? [engine.disposal] : [signal, engine.disposal];
}

/**
 * Mean loss (including penalties) and accuracy over a source or one pass of a stream, in inference mode; throws
 * `NON_FINITE` if the loss is not finite. `name` is the data's name in messages.
 */
export async function evaluateData(
  name: string,
  engine: Engine,
  data: Source | BatchReader,
  batchSize: number,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const tally = new Tally(engine.model);
  if (!(data instanceof BatchReader)) await evaluateSource(name, engine, data, batchSize, tally, signal);
  else for await (const source of data.read()) await evaluateSource(name, engine, source, batchSize, tally, signal);
  return tally.means;
}

async function evaluateSource(
  name: string,
  engine: Engine,
  source: Source,
  batchSize: number,
  tally: Tally,
  signal?: AbortSignal,
): Promise<void> {
  const batches = divide(source.rows, batchSize);
  const control = newControl();
  const report = sharedDoubles(reportWidth(engine.model, source.goals) * batches.count);
  await stoppable(signal, control, () => engine.run({ kind: 'evaluate', source, batchSize, report }, control));
  tally.add(report, source.goals, batches, 0, batches.count, 0);
  const { loss } = tally.means;
  if (!Number.isFinite(loss)) throw nonFiniteError(findNonFinite(source), loss, `in ${name}`);
}

/** Values of the network by name: of its outputs, or of the nodes asked for. */
export type Predictions = Float32Array | Readonly<Record<string, Float32Array>>;

/** A value that a program gives for each row. */
export interface Result {
  /** Name of the output or node; undefined for an only output without a name. */
  readonly name: string | undefined;
  readonly feed: string;
  /** Numbers per row. */
  readonly size: number;
}

/** What a program gives: the network's outputs, or the nodes with the names `outputs`. */
export function resultsOf(model: Model, names: readonly string[] | undefined): readonly Result[] {
  const given =
    names?.map((name) => ({ name, shape: shapeOf(model, placeOf(model, name) as number) })) ?? model.outputs;
  return given.map(({ name, shape }) => ({ name, feed: feedName('output', name), size: elements(shape) }));
}

/** The arrays as `predict` returns them: that of an output without a name, or all by name. */
export function asPredictions(
  model: Model,
  names: readonly string[] | undefined,
  arrays: readonly Float32Array[],
): Predictions {
  if (names === undefined && model.outputs[0].name === undefined) return arrays[0];
  return Object.fromEntries(resultsOf(model, names).map(({ name }, i) => [name ?? 'output', arrays[i]]));
}

/** The predictions for a source, computed off the event loop, in shared memory. */
export async function predictSource(engine: Engine, source: Source, signal?: AbortSignal): Promise<Float32Array[]> {
  const control = newControl();
  const results = resultsOf(engine.model, undefined);
  const arrays = results.map(({ size }) => new Float32Array(sharedBuffer(source.rows * size * 4)));
  const job = {
    kind: 'predict',
    source: { ...source, goals: [] },
    batchSize: engine.inferenceBatch,
    results: Object.fromEntries(results.map(({ feed }, i) => [feed, arrays[i]])),
  } as const;
  await stoppable(signal, control, () => engine.run(job, control));
  return arrays;
}
