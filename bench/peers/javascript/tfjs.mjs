// TensorFlow.js, on the backend `options.backend`. Two styles of training: `fit`, as in its tutorials, and `loop`,
// which calls the optimizer for each batch. Both use tensors that hold all images.
import { CLASSES, PIXELS, shuffled } from './support.mjs';

export async function load(packages, { backend, style }) {
  const tf = packages.require(backend === 'tensorflow' ? '@tensorflow/tfjs-node' : '@tensorflow/tfjs');
  if (backend === 'wasm') packages.require('@tensorflow/tfjs-backend-wasm');
  await tf.setBackend(backend);
  await tf.ready();
  if (tf.getBackend() !== backend) throw new Error(`runs on the backend ${tf.getBackend()}`);
  let tensors;
  const hold = (samples) => {
    tensors ??= tensorsOf(tf, samples);
    return tensors;
  };
  return (workload) => createModel(tf, workload, style, hold);
}

/** Tensors of the full image array, of which the given images are the first. */
function tensorsOf(tf, { images, labels }) {
  const x = tf.tensor2d(new Float32Array(images.buffer), [images.buffer.byteLength / 4 / PIXELS, PIXELS]);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(new Int32Array(labels.buffer), 'int32'), CLASSES).toFloat());
  return { x, y };
}

function buildNetwork(tf, { images, widths, batchNorm }) {
  const { layers } = tf;
  const network = tf.sequential();
  network.add(layers.inputLayer({ inputShape: images.length === 0 ? [PIXELS] : [28, 28, 1] }));
  for (const { filters, window, pad, pool } of images) {
    const padding = pad === 0 ? 'valid' : 'same';
    const kernelInitializer = 'heNormal';
    network.add(layers.conv2d({ filters, kernelSize: window, padding, activation: 'relu', kernelInitializer }));
    if (pool) network.add(layers.maxPooling2d({ poolSize: 2, strides: 2 }));
  }
  if (images.length > 0) network.add(layers.flatten());
  for (const units of widths.slice(1, -1)) {
    network.add(layers.dense({ units, kernelInitializer: 'heNormal' }));
    if (batchNorm) network.add(layers.batchNormalization());
    network.add(layers.activation({ activation: 'relu' }));
  }
  network.add(layers.dense({ units: CLASSES }));
  return network;
}

function createModel(tf, workload, style, hold) {
  const network = buildNetwork(tf, workload);
  const optimizer = workload.optimizer === 'adam' ? tf.train.adam(1e-3) : tf.train.momentum(0.01, 0.9);
  const loss = (targets, logits) => tf.losses.softmaxCrossEntropy(targets, logits);
  network.compile({ optimizer, loss });
  const shape = (rows) => (workload.images.length === 0 ? [rows, PIXELS] : [rows, 28, 28, 1]);

  async function loop(samples, batchSize) {
    const { x, y } = hold(samples);
    const order = shuffled(samples.labels.length);
    const variables = network.trainableWeights.map((weight) => weight.read());
    let last;
    for (let begin = 0; begin < order.length; begin += batchSize) {
      last?.dispose();
      last = tf.tidy(() => {
        const indices = tf.tensor1d(order.subarray(begin, begin + batchSize), 'int32');
        const [images, targets] = [tf.gather(x, indices).reshape(shape(indices.size)), tf.gather(y, indices)];
        return optimizer.minimize(() => loss(targets, network.apply(images, { training: true })), true, variables);
      });
    }
    await last.data();
    last.dispose();
  }

  async function fit(samples, batchSize) {
    const count = samples.labels.length;
    const all = hold(samples);
    const x = tf.tidy(() => all.x.slice(0, count).reshape(shape(count)));
    const y = all.y.slice(0, count);
    await network.fit(x, y, { epochs: 1, batchSize, shuffle: true, verbose: 0 });
    x.dispose();
    y.dispose();
  }

  return {
    train: style === 'loop' ? loop : fit,
    outputs(images, rows) {
      const logits = tf.tidy(() => network.predict(tf.tensor(images, shape(rows)), { batchSize: rows }));
      const values = logits.dataSync();
      logits.dispose();
      return values;
    },
  };
}
