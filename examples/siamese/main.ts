// A siamese network: whether two images show the same digit, by the distance of their embeddings.
//   npm run example siamese [-- --quick]
import {
  Adam,
  add,
  conv2d,
  cosine,
  customLoss,
  dense,
  flatten,
  input,
  metrics,
  multiply,
  Network,
  progressBar,
  relu,
  shared,
  sqrt,
  square,
  subtract,
  sum,
} from 'blasnet';
import { Dataset, mnist } from 'blasnet/data';
import { imageGrid, learningCurves, rocPlot } from 'blasnet/report';
import { check, mean, percent, present, quick, seed } from '../support.js';

const shape = [28, 28, 1] as const;
const data = await mnist({ shape });

/** Random integers below n, from a linear congruential generator. */
let state = seed;
function draw(n: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((n * state) / 2 ** 32);
}

/** Pairs of images of `source`, every other one of the same digit. The target is 1 for those, 0 for the others. */
function pairs(source: Dataset, count: number) {
  const byDigit = Array.from({ length: 10 }, (): number[] => []);
  for (const [row, digit] of (source.labels ?? []).entries()) byDigit[digit].push(row);
  const pick = (rows: readonly number[]) => rows[draw(rows.length)];
  const [left, right] = [new Int32Array(count), new Int32Array(count)];
  for (let i = 0; i < count; i++) {
    const digit = draw(10);
    const other = i % 2 === 0 ? digit : (digit + 1 + draw(9)) % 10;
    left[i] = pick(byDigit[digit]);
    right[i] = pick(byDigit[other]);
  }
  const images = (rows: Int32Array) => ({ values: source.subset(rows).features, shape, scale: 1 / 255 });
  return {
    left,
    right,
    dataset: new Dataset({
      features: { left: images(left), right: images(right) },
      targets: Float32Array.from(left, (_, i) => (i + 1) % 2),
      targetShape: [1],
    }),
  };
}

const train = pairs(data.train, quick ? 3000 : 60_000);
const test = pairs(data.test, quick ? 1000 : 10_000);

// Both images go through the same layers.
const tower = shared(
  conv2d(8, { window: 5, stride: 2, padding: 'same' }),
  relu(),
  conv2d(16, { window: 5, stride: 2, padding: 'same' }),
  relu(),
  flatten(),
  dense(64),
  relu(),
  dense(8),
);
const [left, right] = ['left', 'right'].map((name) => input(shape, { name }).pipe(tower));
// The root has no gradient at 0.
const distance = sqrt(add(sum(square(subtract(left, right))), 1e-6), { name: 'distance' });

// Contrastive loss (Hadsell et al. 2006): equal digits attract each other, others repel each other up to a margin of 1.
const contrastive = customLoss((d, alike) => {
  const gap = subtract(1, d).pipe(relu());
  return add(multiply(alike, square(d)), multiply(subtract(1, alike), square(gap)));
});

using network = new Network({ output: distance, loss: contrastive, seed });
console.log(network.summary());

const epochs = quick ? 4 : 10;
const history = await network.fit(train.dataset, {
  optimizer: new Adam({ learningRate: cosine({ initial: 3e-3, epochs }) }),
  epochs,
  batchSize: quick ? 32 : 64,
  validation: test.dataset,
  callbacks: progressBar(),
});

// Half the margin separates the two kinds.
const THRESHOLD = 0.5;
const distances = network.predict(test.dataset);
const truth = Int32Array.from(test.dataset.targets ?? []);
const decisions = Int32Array.from(distances, (d) => (d < THRESHOLD ? 1 : 0));
const accuracy = metrics.accuracy(decisions, truth);
const similarities = distances.map((d) => -d);
const auc = metrics.rocAuc(similarities, truth);

/** Mean distance of the pairs of one kind. */
const meanDistance = (alike: number) => mean([...distances].filter((_, i) => truth[i] === alike));

/** Pairs side by side, as images of 28 × 56, and below them their distance. */
function pairGrid(rows: readonly number[]): Promise<string> {
  const features = new Uint8Array(rows.length * 28 * 56);
  for (const [i, row] of rows.entries()) {
    for (const [side, index] of [test.left[row], test.right[row]].entries()) {
      for (let y = 0; y < 28; y++) {
        const line = data.test.features.subarray((index * 28 + y) * 28, (index * 28 + y + 1) * 28) as Uint8Array;
        features.set(line, (i * 28 + y) * 56 + 28 * side);
      }
    }
  }
  const images = new Dataset({
    features,
    shape: [28, 56],
    labels: Int32Array.from(rows.keys()),
    labelNames: rows.map((row) => `${truth[row] === 1 ? '=' : '≠'} ${distances[row].toFixed(2)}`),
  });
  return imageGrid(images, { columns: 6 });
}
const order = [...distances.keys()];
const mistakes = order
  .filter((row) => decisions[row] !== truth[row])
  .sort((a, b) => Math.abs(distances[b] - THRESHOLD) - Math.abs(distances[a] - THRESHOLD));

present('siamese', {
  title: 'The same digit or not',
  network,
  sections: [
    {
      heading: 'Test pairs',
      table: {
        columns: ['pairs', 'accuracy', 'AUC', 'distance, same digit', 'distance, others'],
        rows: [
          [distances.length, percent(accuracy), ...[auc, meanDistance(1), meanDistance(0)].map((x) => x.toFixed(3))],
        ],
      },
      svg: await rocPlot(metrics.rocCurve(similarities, truth)),
    },
    { heading: 'Loss', svg: await learningCurves(history) },
    {
      heading: 'Pairs',
      text: 'The first test pairs with their distances: = is the same digit, ≠ another one.',
      svg: await pairGrid(order.slice(0, 24)),
    },
    {
      heading: 'Mistakes',
      text: `The worst mistakes: the same digit (=) at a distance above ${THRESHOLD}, or another one (≠) below.`,
      svg: await pairGrid(mistakes.slice(0, 24)),
    },
  ],
});

const bound = quick ? 0.8 : 0.97;
check(`the test accuracy is at least ${bound}`, accuracy >= bound);
