import { types } from 'node:util';
import type { Feed } from '../backend/backend.js';
import { checkOptions, invalid, isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { viewLike } from '../numbers.js';
import type { Model } from '../program/model.js';
import { sharedBuffer } from '../shared-memory.js';
import type { SampleSource, TypedArray } from '../types.js';
import { type ResolvedWeights, withClassWeights } from './class-weights.js';
import { isSampleSource } from './columns.js';
import { fromDataset } from './dataset-inputs.js';
import type { Source } from './engine.js';
import { type Features, fromBatch, type Targets } from './inputs.js';
import { sharedInSlices } from './slices.js';
import { untilAborted } from './waiting.js';

/** Weights of a batch's rows in the losses, ≥ 0: for all outputs, or by their names. */
export type SampleWeights = TypedArray | readonly number[] | Readonly<Record<string, TypedArray | readonly number[]>>;

/**
 * A batch of a stream: arrays (by name for several inputs or outputs), or a dataset. Empty batches are skipped.
 */
export type StreamBatch =
  | { readonly x: Features; readonly y: Targets; readonly sampleWeights?: SampleWeights }
  | SampleSource;

/** Batches from one pass over an iterable. */
export type BatchStream = AsyncIterable<StreamBatch> | Iterable<StreamBatch>;

/** Data for `fit` and `evaluate`: a dataset, or batches from an async iterable (one pass is an epoch). */
export type TrainingData = SampleSource | BatchStream;

/** Shared copies of a batch's columns; allocates a new block only for a batch larger than all before it. */
class Staging {
  #blocks = new Map<string, SharedArrayBuffer>();

  shared(source: Source): Source {
    const feeds = Object.entries(source.feeds).map(([name, feed]): [string, Feed] => {
      return [name, { ...feed, values: this.#copy(name, feed.values) }];
    });
    return { ...source, feeds: Object.fromEntries(feeds) };
  }

  #copy<T extends Uint8Array | Int32Array | Float32Array>(name: string, data: T): T {
    if (types.isSharedArrayBuffer(data.buffer)) return data;
    let block = this.#blocks.get(name);
    if (block === undefined || block.byteLength < data.byteLength) {
      block = sharedBuffer(data.byteLength);
      this.#blocks.set(name, block);
    }
    const copy = viewLike(data, block);
    copy.set(data);
    return copy;
  }
}

/** Whether there are no rows: an empty list or array, or only such by name. */
function isEmpty(rows: unknown): boolean {
  if (isSampleSource(rows) || Array.isArray(rows)) return rows.length === 0;
  if (ArrayBuffer.isView(rows)) return (rows as TypedArray).length === 0;
  return isPlain(rows) && Object.values(rows).length > 0 && Object.values(rows).every(isEmpty);
}

/** Reads a stream batch by batch; the next batch reuses the memory of the current one. */
export class BatchReader {
  readonly #name: string;
  readonly #model: Model;
  readonly #stream: BatchStream;
  readonly #signals: readonly AbortSignal[];
  readonly #staging = new Staging();
  /** Applied to each batch. */
  #change: (source: Source) => Source = (source) => source;
  #passes = 0;

  constructor(name: string, model: Model, stream: BatchStream, signals: readonly AbortSignal[]) {
    this.#name = name;
    this.#model = model;
    this.#stream = stream;
    this.#signals = signals;
  }

  /** Changes each batch with `change`, before it is copied. */
  changing(change: (source: Source) => Source): this {
    this.#change = change;
    return this;
  }

  /** Reads one pass, of this epoch in messages; throws `EMPTY_DATA` if it has no rows. */
  async *read(epoch?: number): AsyncGenerator<Source> {
    let read = 0;
    for await (const batch of untilAborted(this.#stream, this.#signals)) {
      const source = this.#check(batch, `${epoch === undefined ? '' : `epoch ${epoch}, `}batch ${read}`);
      if (source === undefined) continue;
      read++;
      yield this.#staging.shared(this.#change(source));
    }
    if (read === 0) {
      const during = epoch === undefined ? '' : ` in epoch ${epoch}`;
      const hint = ' (an iterator can be read only once: give an object whose [Symbol.asyncIterator]() starts again)';
      const message = `${this.#name}: the stream gave no batch${during}${this.#passes > 0 ? hint : ''}`;
      throw new BlasnetError('EMPTY_DATA', message);
    }
    this.#passes++;
  }

  /** Converts a batch to a source; undefined if it has no rows. */
  #check(batch: StreamBatch, at: string): Source | undefined {
    const located = (read: () => Source): Source => {
      try {
        return read();
      } catch (cause) {
        if (!(cause instanceof BlasnetError)) throw cause;
        const { code, message, details } = cause;
        const text = `${this.#name}: ${message} (${at})`;
        throw new BlasnetError(code, text, { cause, ...(details && { details }) });
      }
    };
    if (isSampleSource(batch))
      return batch.length === 0 ? undefined : located(() => fromDataset('batch', this.#model, batch, true));
    const label = `${this.#name.replace(/: data$/, '')}: a batch of the stream (${at})`;
    if (typeof batch !== 'object' || batch === null || !('x' in batch)) {
      throw invalid(label, 'a Dataset or an object { x, y }', batch);
    }
    checkOptions(label, batch, ['x', 'y', 'sampleWeights']);
    const { x, y, sampleWeights } = batch;
    if (isEmpty(x) && (y === undefined || isEmpty(y))) return undefined;
    return located(() => fromBatch(this.#model, x, y, sampleWeights));
  }
}

/**
 * Checks data with targets: returns a source, or a reader that checks each batch as it arrives. An abort of one of the
 * signals ends a wait for a batch, with the signal's reason.
 */
export function readData(
  name: string,
  model: Model,
  data: unknown,
  signals: readonly AbortSignal[],
): Source | BatchReader {
  if (isSampleSource(data)) return fromDataset(name, model, data, true);
  const value = data as Partial<AsyncIterable<StreamBatch> & Iterable<StreamBatch>> | null;
  const iterable = typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
  const numbers = Array.isArray(data) && data.some((batch) => typeof batch !== 'object' || Array.isArray(batch));
  if (!iterable || numbers || typeof (value[Symbol.asyncIterator] ?? value[Symbol.iterator]) !== 'function') {
    throw invalid(name, 'a Dataset or an async iterable of batches { x, y }', data);
  }
  return new BatchReader(name, model, value as BatchStream, signals);
}

/** The data with class weights. */
export function weighClasses<T extends Source | BatchReader>(
  model: Model,
  data: T,
  weights: ResolvedWeights | undefined,
): T {
  if (weights === undefined) return data;
  if (data instanceof BatchReader) return data.changing((source) => withClassWeights(model, source, weights)) as T;
  return withClassWeights(model, data, weights) as T;
}

/** Data for asynchronous runs: copies a source into shared memory in slices if needed. */
export async function overShared<T extends Source | BatchReader>(name: string, data: T): Promise<T> {
  return data instanceof BatchReader ? data : ((await sharedInSlices(name, data)) as T);
}
