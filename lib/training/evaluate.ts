import { type Control, control as words } from '../backend/backend.js';
import { invalid } from '../checks.js';
import { sharedBuffer } from '../shared-memory.js';
import type { Engine, Source } from './engine.js';
import type { Evaluation } from './history.js';

/** Rows of a batch in evaluation and prediction: enough to feed the kernels, small enough to stay in cache. */
export const INFERENCE_BATCH = 512;

export function newControl(): Control {
  return new Int32Array(sharedBuffer(words.length * 4));
}

export function checkSignal(name: string, signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid(name, 'an AbortSignal', signal);
}

/** Runs `job` while `signal` may stop it; the signal's reason is thrown when it did. */
export async function stoppable<T>(signal: AbortSignal | undefined, control: Control, job: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  const stop = () => Atomics.store(control, words.cancel, 1);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const result = await job();
    signal?.throwIfAborted();
    return result;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** The values of a stream; an abort of one of the signals ends the wait for the next one too, with the signal's reason. */
export async function* untilAborted<T>(
  stream: AsyncIterable<T> | Iterable<T>,
  signals: readonly AbortSignal[],
): AsyncGenerator<T> {
  const iterator = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]();
  let giveUp: (reason: unknown) => void = () => {};
  const stop = (event: Event) => giveUp((event.target as AbortSignal).reason);
  let open = true;
  const advance = async () => {
    try {
      const step = await iterator.next();
      if (step.done) open = false;
      return step;
    } catch (error) {
      open = false;
      throw error;
    }
  };
  const next = () =>
    new Promise<IteratorResult<T>>((resolve, reject) => {
      giveUp = reject;
      advance().then(resolve, reject);
    });
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      for (const signal of signals) signal.throwIfAborted();
      const step = await next();
      if (step.done) return;
      yield step.value;
    }
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', stop);
    if (open) {
      const closing = Promise.resolve(iterator.return?.());
      // A stream that keeps its next value back may keep its end back as well.
      if (signals.some((signal) => signal.aborted)) closing.catch(() => {});
      else await closing;
    }
  }
}

/** Mean over all rows of per-batch means, and the share of hits. */
export function average(report: Float64Array, rows: number, batchSize: number, counts: boolean): Evaluation {
  let loss = 0;
  let hits = 0;
  for (let step = 0; step * 2 < report.length; step++) {
    loss += report[2 * step] * Math.min(batchSize, rows - step * batchSize);
    hits += report[2 * step + 1];
  }
  return counts ? { loss: loss / rows, accuracy: hits / rows } : { loss: loss / rows };
}

/** Numbers of doubles in shared memory, for an asynchronous run to write. */
export function sharedDoubles(length: number): Float64Array {
  return new Float64Array(sharedBuffer(Math.max(length, 1) * 8), 0, length);
}

/** Mean loss (penalties included) and accuracy over a source, in inference mode. */
export async function evaluateSource(
  engine: Engine,
  source: Source,
  batchSize: number,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const control = newControl();
  const report = sharedDoubles(2 * Math.ceil(source.rows / batchSize));
  await stoppable(signal, control, () => engine.run({ kind: 'evaluate', source, batchSize, report }, control));
  return average(report, source.rows, batchSize, engine.model.loss.writeHits !== undefined);
}
