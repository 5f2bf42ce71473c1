import { appendFileSync, writeFileSync } from 'node:fs';
import { NeuralNetwork } from 'brain.js';
import { digits } from './data.js';

const samples = ({ images, labels }) =>
  Array.from(labels, (label, row) => ({
    input: Float32Array.from(images.subarray(784 * row, 784 * row + 784), (byte) => byte / 255),
    output: Float32Array.from({ length: 10 }, (_, digit) => (digit === label ? 1 : 0)),
  }));
const [train, validation] = [samples(digits('train', 1000)), samples(digits('test', 500))];
const network = new NeuralNetwork({ hiddenLayers: [64] });
// `test` gives the mean of the squared errors; `train` knows no validation.
let [best, since, epochs, kept] = [Infinity, 0, 0];
writeFileSync('log.jsonl', '');
while (epochs < 100 && since < 3) {
  network.train(train, { iterations: 1, learningRate: 0.3, errorThresh: 1e-9 });
  const { error } = network.test(validation);
  appendFileSync('log.jsonl', `${JSON.stringify({ epoch: epochs++, error })}\n`);
  since++;
  if (error < best) [best, since, kept] = [error, 0, JSON.stringify(network)];
}
network.fromJSON(JSON.parse(kept));
console.log(JSON.stringify({ epochs, loss: network.test(validation).error, best }));
