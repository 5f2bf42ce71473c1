// The same package by require.
const assert = require('node:assert/strict');
const { Adam, backendInfo, dense, Network, meanSquaredError } = require('blasnet');
const { native } = require('blasnet/kernels');

assert.ok(native.available);
assert.equal(backendInfo().backend, 'native');
const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
const [x, y] = [Float32Array.of(0, 1, 2, 3), Float32Array.of(1, 3, 5, 7)];
const optimizer = new Adam({ learningRate: 0.1 });
const losses = Array.from({ length: 300 }, () => network.trainBatch(x, y, optimizer).loss);
assert.ok(losses.at(-1) < losses[0] / 100, `the loss falls to a hundredth: ${losses[0]}, ${losses.at(-1)}`);
// Node.js, Bun and Deno can require ES modules: there is one Network, whoever asks for it.
import('blasnet').then((imported) => assert.equal(imported.Network, Network));
console.log(`required: loss ${losses[0].toFixed(3)} to ${losses.at(-1).toFixed(6)}`);
