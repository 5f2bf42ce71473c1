import type { Dataset } from 'blasnet/data';
import { ReferenceNetwork, randomNumbers } from './reference/network.js';
import { labelsOf, type Model, scaledFeatures } from './trainer.js';
import type { Workload } from './workloads.js';

/** Batch size of the evaluation. */
const EVALUATION_BATCH = 1000;

/**
 * The plain JavaScript trainer that blasnet's TypeScript backend is compared with; gathers and scales bytes as blasnet
 * does.
 */
export function createReferenceModel({ widths, batchSize }: Workload): Model {
  const random = randomNumbers(1);
  const network = new ReferenceNetwork({ widths, capacity: Math.max(batchSize, EVALUATION_BATCH), random });
  const width = widths[0];

  const pass = (data: Dataset, size: number) => {
    const { features, scale, offset } = data;
    const labels = labelsOf(data);
    const x = new Float32Array(size * width);
    const y = new Int32Array(size);
    const order = Int32Array.from(labels, (_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let begin = 0; begin < order.length; begin += size) {
      const rows = Math.min(size, order.length - begin);
      for (let i = 0; i < rows; i++) {
        const row = order[begin + i];
        const [from, to] = [row * width, i * width];
        for (let j = 0; j < width; j++) x[to + j] = features[from + j] * scale + offset;
        y[i] = labels[row];
      }
      network.step(x, y, rows);
    }
  };

  return {
    train(data, size, epochs) {
      for (let epoch = 0; epoch < epochs; epoch++) pass(data, size);
    },
    predict(images) {
      network.forward(images, images.length / width);
    },
    evaluate(data) {
      const [features, labels] = [scaledFeatures(data), labelsOf(data)];
      let [loss, hits] = [0, 0];
      for (let begin = 0; begin < data.length; begin += EVALUATION_BATCH) {
        const end = Math.min(data.length, begin + EVALUATION_BATCH);
        const batch = network.evaluate(
          features.subarray(begin * width, end * width),
          labels.subarray(begin, end),
          end - begin,
        );
        loss += batch.loss * (end - begin);
        hits += batch.hits;
      }
      return { loss: loss / data.length, accuracy: hits / data.length };
    },
  };
}
