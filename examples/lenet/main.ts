// A convolutional network in the style of LeNet-5 on the full MNIST.
//   npm run example lenet [-- --quick]
import {
  Adam,
  argmax,
  conv2d,
  dense,
  exponential,
  flatten,
  maxPool2d,
  metrics,
  Network,
  progressBar,
  relu,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';
import { imageGrid, metricCurves } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';

const data = await mnist({ shape: [28, 28, 1] });
const [train, test] = quick ? [data.train.take(1500), data.test.take(500)] : [data.train, data.test];

using network = new Network({
  input: [28, 28, 1],
  layers: [
    conv2d(6, { window: 5, padding: 'same' }),
    relu(),
    maxPool2d(2), // 14 × 14 × 6
    conv2d(16, { window: 5 }),
    relu(),
    maxPool2d(2), // 5 × 5 × 16
    flatten(),
    dense(120),
    relu(),
    dense(84),
    relu(),
    dense(10),
  ],
  loss: softmaxCrossEntropy(),
  seed,
});
console.log(`${network.parameterCount.toLocaleString('en-US')} parameters`);

const history = await network.fit(train, {
  optimizer: new Adam({ learningRate: exponential({ initial: 2e-3, factor: 0.3 }) }),
  epochs: quick ? 2 : 3,
  batchSize: quick ? 16 : 32,
  validation: test,
  callbacks: progressBar(),
});
console.log(
  `trained for ${history.seconds.toFixed(2)} s, ${Math.round((train.length * history.epochs.length) / history.seconds)} images/s`,
);

const outputs = network.predict(test);
const predictions = argmax(outputs, 10);
const accuracy = metrics.accuracy(outputs, test);
const wrong = Array.from(predictions.keys()).filter((row) => predictions[row] !== test.labels?.[row]);
present('lenet', {
  title: 'LeNet on MNIST',
  network,
  sections: [
    { heading: 'Training', svg: await metricCurves(history) },
    {
      heading: 'Mistakes',
      text: 'The first test images that the network misreads, and in parentheses what they are.',
      svg: await imageGrid(test, { indices: wrong.slice(0, 40), predictions, columns: 10 }),
    },
  ],
});
console.log(`test accuracy: ${accuracy.toFixed(4)}`);
const bound = quick ? 0.75 : 0.988;
check(`the test accuracy is at least ${bound}`, accuracy >= bound);
