import { appendFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { digits } from './data.js';

const tensors = ({ images, labels }) => ({
  x: tf.tensor2d(
    Float32Array.from(images, (byte) => byte / 255),
    [labels.length, 784],
  ),
  y: tf.oneHot(tf.tensor1d(labels, 'int32'), 10),
});
const model = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [784], units: 64, activation: 'relu' }),
    tf.layers.dense({ units: 10, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(3e-3), loss: 'categoricalCrossentropy' });
const [train, validation] = [tensors(digits('train', 1000)), tensors(digits('test', 500))];
// `earlyStopping` does not restore weights.
let [best, since, weights] = [Infinity, 0, []];
writeFileSync('log.jsonl', '');
const onEpochEnd = async (epoch, logs) => {
  appendFileSync('log.jsonl', `${JSON.stringify({ epoch, ...logs })}\n`);
  if (logs.val_loss < best) {
    tf.dispose(weights);
    [best, since, weights] = [logs.val_loss, 0, model.getWeights().map((weight) => weight.clone())];
  } else if (++since === 3) model.stopTraining = true;
};
const { epoch } = await model.fit(train.x, train.y, {
  epochs: 100,
  batchSize: 32,
  validationData: [validation.x, validation.y],
  callbacks: { onEpochEnd },
  verbose: 0,
});
model.setWeights(weights);
const loss = model.evaluate(validation.x, validation.y).dataSync()[0];
console.log(JSON.stringify({ epochs: epoch.length, loss, best }));
