// node train.mjs native|typescript: trains on that backend, which the library must have chosen by itself.
import assert from 'node:assert/strict';
import { task } from './task.mjs';

const [, , expected] = process.argv;
const { network, data, optimizer } = task();
// A second network must not warn again.
const other = task().network;
assert.deepEqual([network.backend, other.backend], [expected, expected]);

const history = await network.fit(data, { optimizer, epochs: 20, batchSize: 32 });
const losses = history.epochs.map(({ loss }) => loss);
assert.ok(losses.at(-1) < losses[0] / 3, `the loss falls to a third: ${losses}`);
const { accuracy } = await network.evaluate(data);
assert.ok(accuracy > 0.9, `accuracy ${accuracy}`);
console.log(`${expected}: loss ${losses[0].toFixed(3)} to ${losses.at(-1).toFixed(3)}, accuracy ${accuracy}`);
