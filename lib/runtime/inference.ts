/** A network's calls in inference mode, and its forward pass in training mode. */
import { types } from 'node:util';
import { checkInteger, checkOptions, checkStorage, invalid, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { plainView } from '../numbers.js';
import { nodeNamed } from '../program/model.js';
import { isSameMemory, sharedBuffer } from '../shared-memory.js';
import { type ClassWeights, resolveClassWeights } from './class-weights.js';
import type { Engine, Source } from './engine.js';
import {
  asPredictions,
  checkSignal,
  evaluateData,
  newControl,
  type Predictions,
  type Result,
  resultsOf,
  signalsOf,
} from './evaluate.js';
import { type Features, fromFeatures } from './inputs.js';
import { allFinite, findNonFinite, IN_BATCH, statisticsError } from './non-finite.js';
import { Slices, sharedInSlices } from './slices.js';
import { BatchReader, overShared, readData, type TrainingData, weighClasses } from './streams.js';
import type { Evaluation } from './tally.js';
import { stoppable } from './waiting.js';

/** Options of `network.predict`. */
export interface PredictOptions {
  /**
   * Receives the outputs: rows × outputs numbers. Must not share memory with `x` or the network. Default: a new array.
   * Only for a network with one output.
   */
  out?: Float32Array;
  /** Rows processed at a time. Default: up to 512, fewer if their work memory would exceed 64 MiB. */
  batchSize?: number;
}

/** Options of `network.evaluate`. */
export interface EvaluateOptions {
  /** Rows processed at a time, as in {@link PredictOptions}. */
  batchSize?: number;
  /** As in `fit`; 'balanced' takes the counts of the evaluated data. */
  classWeights?: ClassWeights;
  signal?: AbortSignal;
}

/** For the values of nodes instead of the outputs. */
export interface NodeOptions<N extends string> {
  /** Names of the nodes wanted, in inference mode and before any loss's link. */
  outputs: readonly N[];
  batchSize?: number;
}

/** Options of `network.predictAsync`. */
export interface PredictAsyncOptions extends PredictOptions {
  /**
   * Stops at the end of a batch. The call rejects with the signal's reason; `out` is unchanged unless its memory is
   * shared.
   */
  signal?: AbortSignal;
}

/** The options of `infer` and `predictAsync`; only the latter heeds `signal`. */
export type InferenceOptions = PredictAsyncOptions & Partial<NodeOptions<string>>;

function checkBatch(engine: Engine, name: string, batchSize: number | undefined): number {
  if (batchSize === undefined) return engine.inferenceBatch;
  return checkInteger(`${name}: batchSize`, batchSize, SIZES);
}

/** Kernels write outputs while still reading inputs, so the two must not share memory. */
function checkApart(out: Float32Array, name: string, other: ArrayBufferView): void {
  const begin = Math.max(out.byteOffset, other.byteOffset);
  const end = Math.min(out.byteOffset + out.byteLength, other.byteOffset + other.byteLength);
  if (begin < end && isSameMemory(out.buffer, other.buffer, begin))
    throw new BlasnetError('ALIASED_BUFFERS', `out: it overlaps ${name}`);
}

/** Checks features, `out` and `outputs`; returns the source and what the program gives. */
function checkInference(
  name: string,
  { model, parameters, gradients, state }: Engine,
  x: Features,
  { out, outputs }: InferenceOptions,
): { source: Source; results: readonly Result[] } {
  const source = fromFeatures('x', model, x);
  if (outputs !== undefined) {
    if (!Array.isArray(outputs) || outputs.length === 0) throw invalid(`${name}: outputs`, 'names of nodes', outputs);
    for (const wanted of outputs) nodeNamed(model, wanted);
  }
  const results = resultsOf(model, outputs);
  if (out !== undefined) {
    if (results[0].name !== undefined)
      throw invalid(`${name}: out`, 'none for a network whose outputs have names, or with outputs given', out);
    if (!types.isFloat32Array(out)) throw invalid('out', 'a Float32Array', out);
    checkStorage('out', out);
    const length = source.rows * results[0].size;
    if (out.length !== length)
      throw new BlasnetError('SHAPE_MISMATCH', `out: expected ${length} elements, got ${out.length}`);
    const feeds = Object.values(source.feeds).map(({ values }): [string, ArrayBufferView] => ['x', values]);
    for (const [what, other] of [...feeds, ...Object.entries({ parameters, gradients, state })])
      checkApart(out, what, other);
  }
  return { source, results };
}

function byFeed(results: readonly Result[], arrays: readonly Float32Array[]): Record<string, Float32Array> {
  return Object.fromEntries(results.map(({ feed }, i) => [feed, plainView(arrays[i], Float32Array)]));
}

/** The outputs for `x`; with `forwardTraining` all rows are one batch. See `predict` and `forward` of `Network`. */
export function infer(
  engine: Engine,
  kind: 'predict' | 'forward' | 'forwardTraining',
  x: Features,
  options: InferenceOptions = {},
): Predictions {
  const { out, batchSize, outputs } = options;
  const most = kind === 'forwardTraining' ? Number.POSITIVE_INFINITY : checkBatch(engine, kind, batchSize);
  engine.checkIdle();
  const { source, results } = checkInference(kind, engine, x, options);
  const arrays = results.map(({ size }) => out ?? new Float32Array(source.rows * size));
  const restore = kind === 'forwardTraining' ? engine.copyState() : undefined;
  const job = { kind, source, batchSize: Math.min(most, source.rows), results: byFeed(results, arrays) };
  engine.runSync(outputs ? { ...job, outputs } : job);
  if (restore !== undefined && !allFinite(engine.state)) {
    restore();
    throw statisticsError(findNonFinite(source), IN_BATCH);
  }
  return asPredictions(engine.model, outputs, arrays);
}

/** The same off the event loop; see `Network.predictAsync`. */
export async function predictAsync(
  engine: Engine,
  x: Features,
  options: InferenceOptions | undefined,
): Promise<Predictions> {
  engine.checkIdle();
  const given = checkOptions<InferenceOptions>('predictAsync', options, ['out', 'batchSize', 'signal', 'outputs']);
  const { out, batchSize, signal, outputs } = given;
  checkSignal('predictAsync: signal', signal);
  const rows = checkBatch(engine, 'predictAsync', batchSize);
  const { source, results } = checkInference('predictAsync', engine, x, given);
  return engine.hold(async () => {
    signal?.throwIfAborted();
    const shared = await sharedInSlices('x', source);
    const direct = out !== undefined && types.isSharedArrayBuffer(out.buffer);
    const arrays = results.map(({ size }) => (direct ? out : new Float32Array(sharedBuffer(4 * size * source.rows))));
    const control = newControl();
    const job = { kind: 'predict', source: shared, batchSize: rows, results: byFeed(results, arrays) } as const;
    await stoppable(signal, control, () => engine.run(outputs ? { ...job, outputs } : job, control));
    if (direct) return out;
    const copies = arrays.map(({ length }) => out ?? new Float32Array(length));
    for (const [i, copy] of copies.entries()) await new Slices().copy('out', copy, arrays[i]);
    return asPredictions(engine.model, outputs, copies);
  });
}

/** See `Network.evaluate`. */
export async function evaluate(
  engine: Engine,
  data: TrainingData,
  options: EvaluateOptions | undefined,
): Promise<Evaluation> {
  engine.checkIdle();
  const { model } = engine;
  const known = ['batchSize', 'classWeights', 'signal'] as const;
  const { batchSize, classWeights, signal } = checkOptions('evaluate', options, known);
  checkSignal('evaluate: signal', signal);
  const rows = checkBatch(engine, 'evaluate', batchSize);
  const unweighted = readData('evaluate: data', model, data, signalsOf(engine, signal));
  const counted = unweighted instanceof BatchReader ? undefined : unweighted;
  const weights = resolveClassWeights('evaluate', model, classWeights, data, counted);
  const read = weighClasses(model, unweighted, weights);
  return engine.hold(async () => {
    signal?.throwIfAborted();
    return evaluateData('evaluate: data', engine, await overShared('evaluate: data', read), rows, signal);
  });
}
