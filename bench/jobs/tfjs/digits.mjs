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
model.compile({ optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
const [train, test] = [tensors(digits('train', 4000)), tensors(digits('test', 1000))];
await model.fit(train.x, train.y, { epochs: 8, batchSize: 32, verbose: 0 });
const [, accuracy] = model.evaluate(test.x, test.y);
console.log(JSON.stringify({ accuracy: accuracy.dataSync()[0] }));
