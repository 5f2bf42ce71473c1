// Trains a network on the full MNIST (60,000 images) and reports its accuracy on the 10,000 test images.
//   npm start                    five epochs
//   npm start -- --epochs 1      a short run
//   npm start -- --quick         one epoch on a tenth of the images
//   npm start -- --data <folder> IDX files of your own, raw or gzip
//   npm start -- --profile       and where the time went, kernel by kernel
import { parseArgs } from 'node:util';
import {
  Adam,
  backendInfo,
  batchNorm,
  dense,
  dropout,
  exponential,
  Network,
  progressBar,
  relu,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';

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

const history = await network.fit(train, {
  optimizer: new Adam({ learningRate: exponential({ initial: 3e-3, factor: 0.5 }) }),
  epochs: values.quick ? 1 : Number(values.epochs),
  batchSize: 128,
  validation: test,
  callbacks: progressBar(),
  profile: values.profile,
});
if (history.profile !== undefined) console.log(`${history.profile}`);
console.log(`trained for ${history.seconds.toFixed(2)} s`);

const { accuracy = Number.NaN } = await network.evaluate(test);
console.log(`test accuracy: ${accuracy.toFixed(4)}`);
if (values.quick && !(accuracy > 0.8)) process.exitCode = 1;
