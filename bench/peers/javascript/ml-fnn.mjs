import { CLASSES, imageAt, shuffled } from './support.mjs';

/** Samples per pass of full-batch descent: the library keeps several matrices with this many rows. */
const ROWS = 2_000;

export async function load(packages) {
  const loaded = packages.require('ml-fnn');
  const FeedForwardNeuralNetworks = loaded.FeedForwardNeuralNetworks ?? loaded.default ?? loaded;
  return ({ widths }) => {
    const hiddenLayers = widths.slice(1, -1);
    const network = new FeedForwardNeuralNetworks({
      hiddenLayers,
      iterations: 1,
      learningRate: 0.01,
      activation: 'tanh',
    });
    return {
      train({ images, labels }) {
        const order = shuffled(labels.length);
        for (let begin = 0; begin < order.length; begin += ROWS) {
          const indices = Array.from(order.subarray(begin, begin + ROWS));
          network.train(
            indices.map((i) => Array.from(imageAt(images, i))),
            indices.map((i) => labels[i]),
          );
        }
      },
      outputs(images, rows) {
        // It predicts only labels.
        const labels = network.predict(Array.from({ length: rows }, (_, i) => Array.from(imageAt(images, i))));
        const outputs = new Float32Array(rows * CLASSES);
        labels.forEach((label, i) => {
          outputs[i * CLASSES + label] = 1;
        });
        return outputs;
      },
    };
  };
}
