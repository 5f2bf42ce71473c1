/**
 * Prints the seconds that a cache line takes from one core to another, as JSON: two threads count up a number in turn.
 * Needs two cores.
 */
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { median } from './statistics.js';

/** Pairs of transfers that are timed together, and how often within the time. */
const [PAIRS, BLOCKS, MILLISECONDS] = [500, 200, 1000];
const word = new Int32Array(isMainThread ? new SharedArrayBuffer(4) : (workerData as SharedArrayBuffer));

/** Waits for `number`, and answers with the next. */
function pass(number: number): void {
  while (Atomics.load(word, 0) !== number);
  Atomics.store(word, 0, (number + 1) | 0);
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: word.buffer });
  await once(worker, 'online');
  const times: number[] = [];
  const end = performance.now() + MILLISECONDS;
  for (let number = 0; times.length < BLOCKS && performance.now() < end; ) {
    const begin = performance.now();
    for (let pair = 0; pair < PAIRS; pair++, number += 2) pass(number);
    times.push((performance.now() - begin) / 1000 / (2 * PAIRS));
  }
  process.stdout.write(`${median(times)}\n`);
  await worker.terminate();
} else {
  for (let number = 1; ; number += 2) pass(number);
}
