// Ends trainings in their middle: twenty by worker.terminate(), one by process.exit().
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { task } from './task.mjs';

const here = fileURLToPath(import.meta.url);
const exits = process.argv[2] === 'exit';

/** Begins a training that would take minutes. */
function begin() {
  const { network, data, optimizer } = task({ rows: 3000, width: 256, backend: 'native' });
  network.fit(data, { optimizer, epochs: 1e5, batchSize: 32 }).catch(() => {});
}

if (!isMainThread) {
  begin();
  parentPort.postMessage('begun');
} else if (exits) {
  begin();
  setTimeout(() => {
    console.log('exiting');
    process.exit(7);
  }, 100);
} else {
  for (let round = 0; round < 20; round++) {
    const worker = new Worker(here);
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, 2 * round));
    const start = performance.now();
    await worker.terminate();
    const took = performance.now() - start;
    assert.ok(took < 2000, `the worker ended ${took} ms after terminate()`);
  }
  const child = spawn(process.execPath, [...process.execArgv, here, 'exit'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  const start = performance.now();
  const [code, signal] = await closed;
  const took = performance.now() - start;
  assert.deepEqual([code, signal], [7, null]);
  assert.ok(took < 2000, `the process ended ${took} ms after exit()`);
  console.log(`20 workers terminated; process.exit took ${took.toFixed(0)} ms`);
}
