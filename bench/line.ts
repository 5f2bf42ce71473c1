/** Prints the seconds that a line of the cache takes from one core to another, as JSON: two threads pass a number. */
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const ROUNDS = 100_000;
const word = new Int32Array(isMainThread ? new SharedArrayBuffer(4) : (workerData as SharedArrayBuffer));

/** Waits for each number of one kind and answers with the next. */
function pass(first: number, rounds: number): void {
  for (let number = first; number < first + 2 * rounds; number += 2) {
    while (Atomics.load(word, 0) !== number);
    Atomics.store(word, 0, number + 1);
  }
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: word.buffer });
  // The first rounds start the other thread and let both be compiled.
  pass(0, ROUNDS);
  const begin = performance.now();
  pass(2 * ROUNDS, ROUNDS);
  process.stdout.write(`${(performance.now() - begin) / 1000 / (2 * ROUNDS)}\n`);
  await worker.terminate();
} else {
  pass(1, 2 * ROUNDS);
}
