import * as tf from '@tensorflow/tfjs';
import { digits } from './data.js';

const FOLDS = 3;
const { images, labels } = digits('train', 1000);
const x = tf.tensor2d(
  Float32Array.from(images, (byte) => byte / 255),
  [labels.length, 784],
);
const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
const order = tf.util.createShuffledIndices(labels.length);
const means = {};
for (const units of [4, 32]) {
  means[units] = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const rows = (inside) =>
      tf.tensor1d(Int32Array.from(order.filter((_, i) => (i % FOLDS === fold) === inside)), 'int32');
    const [held, rest] = [rows(true), rows(false)];
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ inputShape: [784], units, activation: 'relu' }),
        tf.layers.dense({ units: 10, activation: 'softmax' }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(3e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    await model.fit(tf.gather(x, rest), tf.gather(y, rest), { epochs: 10, batchSize: 32, verbose: 0 });
    const [, accuracy] = model.evaluate(tf.gather(x, held), tf.gather(y, held));
    means[units] += accuracy.dataSync()[0] / FOLDS;
  }
}
console.log(JSON.stringify(means));
