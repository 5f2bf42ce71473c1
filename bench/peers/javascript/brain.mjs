import { imageAt, outputsOneByOne, shuffled, unitRows } from './support.mjs';

export async function load(packages) {
  const { NeuralNetwork } = packages.require('brain.js');
  return ({ widths }) => {
    const [inputSize, outputSize] = [widths[0], widths[widths.length - 1]];
    const network = new NeuralNetwork({
      inputSize,
      hiddenLayers: widths.slice(1, -1),
      outputSize,
      activation: 'sigmoid',
    });
    const rows = unitRows();
    return {
      train({ images, labels }) {
        const samples = Array.from(shuffled(labels.length), (i) => ({
          input: imageAt(images, i),
          output: rows[labels[i]],
        }));
        network.train(samples, { iterations: 1, learningRate: 0.1, errorThresh: 1e-9 });
      },
      outputs: (images, count) => outputsOneByOne(images, count, (image) => Object.values(network.run(image))),
    };
  };
}
