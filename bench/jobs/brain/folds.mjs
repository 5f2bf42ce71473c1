import { CrossValidate, NeuralNetwork } from 'brain.js';
import { digits } from './data.js';

const { images, labels } = digits('train', 1000);
const samples = Array.from(labels, (label, row) => ({
  input: Float32Array.from(images.subarray(784 * row, 784 * row + 784), (byte) => byte / 255),
  output: Float32Array.from({ length: 10 }, (_, digit) => (digit === label ? 1 : 0)),
}));
const means = {};
for (const units of [4, 32]) {
  const validation = new CrossValidate(() => new NeuralNetwork({ hiddenLayers: [units] }));
  const { sets } = validation.train(samples, { iterations: 10, learningRate: 0.1, errorThresh: 1e-9 }, 3);
  const shares = sets.map(({ total, misclasses }) => 1 - misclasses.length / total);
  means[units] = shares.reduce((sum, share) => sum + share, 0) / shares.length;
}
console.log(JSON.stringify(means));
