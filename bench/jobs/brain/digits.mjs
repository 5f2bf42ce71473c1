import { NeuralNetwork } from 'brain.js';
import { digits } from './data.js';

const samples = ({ images, labels }) =>
  Array.from(labels, (label, row) => ({
    input: Float32Array.from(images.subarray(784 * row, 784 * row + 784), (byte) => byte / 255),
    output: Float32Array.from({ length: 10 }, (_, digit) => (digit === label ? 1 : 0)),
  }));
const network = new NeuralNetwork({ hiddenLayers: [64] });
network.train(samples(digits('train', 4000)), { iterations: 8, learningRate: 0.1, errorThresh: 1e-9 });
const test = samples(digits('test', 1000));
const best = (values) => values.indexOf(Math.max(...values));
const right = test.filter(({ input, output }) => best(Object.values(network.run(input))) === best(Array.from(output)));
console.log(JSON.stringify({ accuracy: right.length / test.length }));
