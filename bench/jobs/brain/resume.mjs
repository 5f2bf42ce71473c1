import { readFileSync, writeFileSync } from 'node:fs';
import { NeuralNetwork } from 'brain.js';
import { digits } from './data.js';

const { images, labels } = digits('train', 2000);
const samples = Array.from(labels, (label, row) => ({
  input: Float32Array.from(images.subarray(784 * row, 784 * row + 784), (byte) => byte / 255),
  output: Float32Array.from({ length: 10 }, (_, digit) => (digit === label ? 1 : 0)),
}));
const options = { learningRate: 0.1, errorThresh: 1e-9 };
// Weights can't be seeded: both begin from the same file.
const begun = new NeuralNetwork({ hiddenLayers: [32] });
begun.train(samples, { ...options, iterations: 1 });
const load = (json) => {
  const network = new NeuralNetwork();
  network.fromJSON(JSON.parse(json));
  return network;
};
const whole = load(JSON.stringify(begun));
whole.train(samples, { ...options, iterations: 2 });

const first = load(JSON.stringify(begun));
first.train(samples, { ...options, iterations: 1 });
writeFileSync('half.json', JSON.stringify(first));
const half = load(readFileSync('half.json', 'utf8'));
half.train(samples, { ...options, iterations: 1 });

const outputs = (network) => samples.flatMap(({ input }) => Object.values(network.run(input)));
const [a, b] = [outputs(whole), outputs(half)];
console.log(JSON.stringify({ difference: a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) }));
