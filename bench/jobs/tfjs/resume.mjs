import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { digits } from './data.js';

const { images, labels } = digits('train', 2000);
const x = tf.tensor2d(
  Float32Array.from(images, (byte) => byte / 255),
  [labels.length, 784],
);
const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
const make = () => {
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [784], units: 32, activation: 'relu', kernelInitializer }),
      tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy' });
  return model;
};
// Shuffles can't be seeded.
const options = { batchSize: 32, shuffle: false, verbose: 0 };
const whole = make();
await whole.fit(x, y, { ...options, epochs: 2 });

const first = make();
await first.fit(x, y, { ...options, epochs: 1 });
const saveHandler = tf.io.withSaveHandler(async ({ weightData, ...rest }) => {
  writeFileSync('half.json', JSON.stringify(rest));
  writeFileSync('half.bin', Buffer.from(weightData));
  return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
});
await first.save(saveHandler, { includeOptimizer: true });
const weightData = new Uint8Array(readFileSync('half.bin')).buffer;
const artifacts = { ...JSON.parse(readFileSync('half.json', 'utf8')), weightData };
const half = await tf.loadLayersModel(tf.io.fromMemory(artifacts));
await half.fit(x, y, { ...options, epochs: 1 });

const difference = tf.max(tf.abs(tf.sub(whole.predict(x), half.predict(x)))).dataSync()[0];
console.log(JSON.stringify({ difference }));
