import { CLASSES, imageAt, shuffled } from './support.mjs';

/** What a sigmoid was applied to. */
function logit(share) {
  const inside = Math.min(Math.max(share, 1e-7), 1 - 1e-7);
  return Math.log(inside / (1 - inside));
}

export async function load(packages) {
  const { NeuralNetwork } = packages.require('brain.js');
  return ({ widths }) => {
    const network = new NeuralNetwork({
      inputSize: widths[0],
      hiddenLayers: widths.slice(1, -1),
      outputSize: CLASSES,
      activation: 'sigmoid',
    });
    const targets = Array.from({ length: CLASSES }, (_, label) =>
      Float32Array.from({ length: CLASSES }, (_, i) => (i === label ? 1 : 0)),
    );
    return {
      train({ images, labels }) {
        const samples = Array.from(shuffled(labels.length), (i) => ({
          input: imageAt(images, i),
          output: targets[labels[i]],
        }));
        network.train(samples, { iterations: 1, learningRate: 0.1, errorThresh: 1e-9 });
      },
      // One image per call.
      outputs(images, rows) {
        const logits = new Float32Array(rows * CLASSES);
        for (let i = 0; i < rows; i++) {
          logits.set(Object.values(network.run(imageAt(images, i))).map(logit), i * CLASSES);
        }
        return logits;
      },
    };
  };
}
