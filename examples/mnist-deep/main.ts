// Two deeper networks on the full MNIST, with batch norm after ReLU and on the logits (tutorial 003).
//   npm run example mnist-deep [-- --quick]
import {
  Adam,
  batchNorm,
  dense,
  type History,
  inverseTime,
  Network,
  relu,
  type Schedule,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';
import { imageGrid, learningCurves } from 'blasnet/report';
import { check, percent, present, quick, seed } from '../support.js';

interface Experiment {
  readonly units: readonly number[];
  readonly learningRate: Schedule;
  /** Accuracies that the tutorial prints. */
  readonly tutorial: { readonly train: number; readonly test: number };
}
const experiments: readonly Experiment[] = [
  {
    units: [100, 100, 64],
    learningRate: inverseTime({ initial: 0.01, rate: 1 }),
    tutorial: { train: 0.9689, test: 0.961 },
  },
  {
    units: [100, 100],
    learningRate: inverseTime({ initial: 0.001, rate: 0.1 }),
    tutorial: { train: 0.97142, test: 0.9664 },
  },
];

// Pixels in [−1, 1].
const data = await mnist({ scale: 2 / 255, offset: -1 });
const [train, test] = quick ? [data.train.take(6000), data.test.take(2000)] : [data.train, data.test];

const histories: Record<string, History> = {};
const rows: string[][] = [];
const accuracies: number[] = [];
let mistakes = '';
for (const { units, learningRate, tutorial } of experiments) {
  using network = new Network({
    input: [784],
    layers: [...units.flatMap((count) => [dense(count), relu(), batchNorm()]), dense(10, { bias: false }), batchNorm()],
    loss: softmaxCrossEntropy(),
    seed,
  });
  const optimizer = new Adam({ learningRate, beta2: 0.99, biasCorrection: false, epsilonPlacement: 'inside' });
  const history = await network.fit(train, { optimizer, batchSize: 64, epochs: 3 });
  const [onTrain, onTest] = [await network.evaluate(train), await network.evaluate(test)].map(
    ({ accuracy = 0 }) => accuracy,
  );
  accuracies.push(onTest);
  const name = [784, ...units, 10].join('-');
  histories[name] = history;
  rows.push([
    name,
    percent(onTrain),
    percent(tutorial.train),
    percent(onTest),
    percent(tutorial.test),
    history.seconds.toFixed(2),
  ]);
  const predictions = classes(network.predict(test));
  const wrong = [...predictions.keys()].filter((row) => predictions[row] !== test.labels?.[row]);
  mistakes = await imageGrid(test, { indices: wrong.slice(0, 40), predictions });
}

/** The largest of each row of ten. */
function classes(probabilities: Float32Array): number[] {
  return Array.from({ length: probabilities.length / 10 }, (_, row) => {
    const own = probabilities.subarray(10 * row, 10 * row + 10);
    return own.indexOf(Math.max(...own));
  });
}

present('mnist-deep', {
  title: 'Deeper networks on MNIST',
  sections: [
    {
      heading: 'Loss',
      text: 'ReLU, then batch norm, in each hidden layer, and batch norm on the logits; three epochs of batches of 64.',
      table: { columns: ['', 'train', 'tutorial', 'test', 'tutorial', 'seconds'], rows },
      svg: await learningCurves(histories, { show: 'batchLoss', logScale: true }),
    },
    {
      heading: 'Mistakes',
      text: 'The first test images that the second network misreads, and in parentheses what they are.',
      svg: mistakes,
    },
  ],
});

const bound = quick ? 0.85 : 0.96;
check(`both reach a test accuracy of ${bound}`, Math.min(...accuracies) >= bound);
