import { type Control, control as words } from '../backend/backend.js';
import { clearTimeout, setTimeout } from '../timers.js';

/** Milliseconds that the caller's code may still take after its result is no longer needed. */
const GRACE = 500;

/**
 * A promise that resolves with the reason when one of the signals is aborted (never without signals); `stop` removes
 * the listeners.
 */
function aborted(signals: readonly AbortSignal[]) {
  let settle: (abort: { reason: unknown }) => void = () => {};
  const abort = new Promise<{ reason: unknown }>((resolve) => {
    settle = resolve;
  });
  const listen = (event: Event) => settle({ reason: (event.target as AbortSignal).reason });
  for (const signal of signals) {
    if (signal.aborted) settle({ reason: signal.reason });
    signal.addEventListener('abort', listen, { once: true });
  }
  return {
    abort,
    stop() {
      for (const signal of signals) signal.removeEventListener('abort', listen);
    },
  };
}

/**
 * Settles like `value`. If one of the signals is aborted and `value` does not settle within the grace period, rejects
 * with the signal's reason.
 */
export async function bounded<T>(value: T | PromiseLike<T>, signals: readonly AbortSignal[]): Promise<T> {
  if (typeof (value as PromiseLike<T> | null | undefined)?.then !== 'function') return value;
  const { abort, stop } = aborted(signals);
  let timer: NodeJS.Timeout | undefined;
  const late = abort.then(({ reason }) => {
    return new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(reason), GRACE);
    });
  });
  late.catch(() => {});
  try {
    return await Promise.race([value, late]);
  } finally {
    stop();
    clearTimeout(timer);
  }
}

/** Runs `job`, which `signal` can stop; throws the signal's reason if it did. */
export async function stoppable<T>(
  signal: AbortSignal | undefined,
  control: Control,
  job: () => Promise<T>,
): Promise<T> {
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

/** Asks an iterator to end and waits a short time for it: if its next value is stuck, its end may be too. */
async function close(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  signals: readonly AbortSignal[],
): Promise<void> {
  // Its error matters less than the reason for closing it.
  const closing = (async () => iterator.return?.())().catch(() => {});
  const { abort, stop } = aborted(signals);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, GRACE);
  });
  await Promise.race([closing, abort, late]);
  stop();
  clearTimeout(timer);
}

/**
 * Yields the values of a stream; an abort of one of the signals also ends the wait for the next value, with the
 * signal's reason.
 */
export async function* untilAborted<T>(
  stream: AsyncIterable<T> | Iterable<T>,
  signals: readonly AbortSignal[],
): AsyncGenerator<T> {
  const { [Symbol.asyncIterator]: begin } = stream as Partial<AsyncIterable<T>>;
  const iterator = begin ? begin.call(stream) : (stream as Iterable<T>)[Symbol.iterator]();
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
    if (open) await close(iterator, signals);
  }
}
