// Trains a network on the full MNIST (60,000 images) and reports its accuracy on the 10,000 test images.
//   npm start                    five epochs; the last line is the path of the report
//   npm start -- --epochs 1      a short run
//   npm start -- --quick         one epoch on a tenth of the images
//   npm start -- --data <folder> IDX files of your own, raw or gzip
//   npm start -- --profile       and where the time went, kernel by kernel
import { parseArgs } from 'node:util';
import {
  Adam,
  argmax,
  backendInfo,
  batchNorm,
  dense,
  dropout,
  exponential,
  metrics,
  Network,
  progressBar,
  relu,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';
import { confusionMatrixPlot, imageGrid, metricCurves } from 'blasnet/report';
import { present } from '../present.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    data: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

const info = backendInfo();
console.log(`backend: ${info.backend} (${info.reason})`);
console.log(`BLAS: ${info.blas.name}, core ${info.blas.core}; SIMD: ${info.simd.set}; threads: ${info.threads}`);

const data = values.data === undefined ? await mnist() : await mnist(values.data);
const [train, test] = values.quick ? [data.train.take(6000), data.test.take(1000)] : [data.train, data.test];
console.log(`data: ${train.length} images to train on, ${test.length} to test on`);

using network = new Network({
  input: [784],
  layers: [
    dense(256, { bias: false }),
    batchNorm(),
    relu(),
    dropout(0.2),
    dense(128, { bias: false }),
    batchNorm(),
    relu(),
    dropout(0.2),
    dense(10),
  ],
  loss: softmaxCrossEntropy(),
  seed: Number(values.seed),
});
console.log(`network: 784-256-128-10, ${network.parameterCount.toLocaleString('en-US')} parameters`);

const optimizer = new Adam({ learningRate: exponential({ initial: 3e-3, factor: 0.5 }) });
const epochs = values.quick ? 1 : Number(values.epochs);
const batchSize = 128;
const history = await network.fit(train, {
  optimizer,
  epochs,
  batchSize,
  validation: test,
  callbacks: progressBar(),
  profile: values.profile,
});
if (history.profile !== undefined) console.log(`${history.profile}`);
console.log(`trained for ${history.seconds.toFixed(2)} s`);

const outputs = network.predict(test);
const predictions = argmax(outputs, 10);
const matrix = metrics.confusionMatrix(outputs, test);
const wrong = Array.from(predictions.keys()).filter((row) => predictions[row] !== test.labels?.[row]);
present('mnist', {
  title: 'MNIST',
  network,
  hyperparameters: { epochs, batchSize, optimizer, seed: network.seed },
  sections: [
    { heading: 'Training', svg: await metricCurves(history) },
    {
      heading: 'Confusion',
      text: `Of the ${test.length} test images, ${wrong.length} are misread.`,
      svg: await confusionMatrixPlot(matrix),
    },
    {
      heading: 'Mistakes',
      text: 'The first test images that the network misreads, and in parentheses what they are.',
      svg: await imageGrid(test, { indices: wrong.slice(0, 40), predictions, columns: 10 }),
    },
  ],
});
const { accuracy } = matrix;
console.log(`test accuracy: ${accuracy.toFixed(4)}`);
if (values.quick && !(accuracy > 0.8)) process.exitCode = 1;
