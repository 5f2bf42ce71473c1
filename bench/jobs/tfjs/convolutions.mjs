import * as tf from '@tensorflow/tfjs';
import { digits } from './data.js';

const tensors = ({ images, labels }) => ({
  x: tf.tensor4d(
    Float32Array.from(images, (byte) => byte / 255),
    [labels.length, 28, 28, 1],
  ),
  y: tf.oneHot(tf.tensor1d(labels, 'int32'), 10),
});
const model = tf.sequential({
  layers: [
    tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 10, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(3e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
const [train, test] = [tensors(digits('train', 1000)), tensors(digits('test', 1000))];
await model.fit(train.x, train.y, { epochs: 4, batchSize: 32, verbose: 0 });
const [, accuracy] = model.evaluate(test.x, test.y);
console.log(JSON.stringify({ accuracy: accuracy.dataSync()[0] }));
