// Runs what pages.mjs has compiled: the layer, the loss and the optimizer of docs/extending.md against those of the
// library that do the same, and the other code of the pages.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dense, halfSquaredError, Network, Sgd, silu, tanh } from 'blasnet';
import { native } from 'blasnet/kernels';
import { gate } from './gate.js';
import { run as features } from './graphs-part0.js';
import { run as distance } from './graphs-part1.js';
import { run as severalOutputs } from './graphs-part2.js';
import { run as columns } from './graphs-part2-data.js';
import './graphs0.js';
import './onnx0.js';
import './formats0.js';
import './from-tfjs0.js';
import { run as squeezed } from './extending-part0.js';
import { run as asymmetric } from './extending-part1.js';
import { run as ownGradient } from './extending-part2.js';
import { Plain } from './Plain.js';
import { scaledError } from './scaledError.js';

const x = Float32Array.from({ length: 20 }, (_, i) => Math.sin(3 * i));
const y = Float32Array.from({ length: 10 }, (_, i) => Math.cos(i));
const near = (actual, expected, name) => {
  assert.equal(actual.length, expected.length, name);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]) < 1e-6, `${name}[${i}]: ${value}, expected ${expected[i]}`);
  });
};

for (const backend of native.available ? ['native', 'typescript'] : ['typescript']) {
  const make = (layer, loss) =>
    new Network({ input: [4], layers: [dense(5), layer, tanh(), dense(2)], loss, seed: 1, backend });
  const own = make(gate({ name: 'gated' }), scaledError({ factor: 1 }));
  const library = make(silu({ name: 'gated' }), halfSquaredError());
  near(own.predict(x), library.predict(x), 'predictions');
  near(own.gradients(x, y).inputGradient, library.gradients(x, y).inputGradient, 'input gradient');
  const [plain, sgd] = [new Plain({ learningRate: 0.1 }), new Sgd({ learningRate: 0.1 })];
  const train = (network, optimizer) => Array.from({ length: 5 }, () => network.trainBatch(x, y, optimizer).loss);
  const losses = train(own, plain);
  near(losses, train(library, sgd), 'losses');
  assert.ok(losses[4] < losses[0]);
  own.parameters.forEach(({ name, value }, i) => near(value, library.parameters[i].value, name));
  // Registered types are in files.
  const bytes = own.toBytes({ optimizer: plain });
  const again = new Plain({ learningRate: 0.1 });
  const loaded = Network.fromBytes(bytes, { backend, optimizer: again });
  assert.deepEqual([loaded.layers[1].type, again.steps], ['gate', 5]);
  assert.deepEqual(loaded.predict(x), own.predict(x));
  assert.deepEqual(train(loaded, again), train(own, plain));
}

assert.deepEqual([features(), distance(), squeezed()], [[8, 8, 16], [1], [4, 4, 8]]);
assert.match(asymmetric(), /dense/);
assert.equal(ownGradient(), 8);
const optimizer = new Sgd({ learningRate: 0.01 });
const history = await severalOutputs().fit(columns(), { optimizer, epochs: 2, batchSize: 3 });
assert.ok(Number.isFinite(history.output('digit').loss.at(-1)));
assert.ok(existsSync('digits.onnx'));
console.log('the code of the pages compiles and runs');
