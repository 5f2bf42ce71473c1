// Two classes of which one is rare: class weights against none, on the digit 8 among the others.
//   npm run example imbalanced [-- --quick]
import { Adam, binaryCrossEntropy, dense, metrics, Network, relu } from 'blasnet';
import { Dataset, mnist } from 'blasnet/data';
import { confusionMatrixPlot, precisionRecallPlot, rocPlot } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';

const SHARE = 0.02;

/** All other digits, and as many eights as make `SHARE` of all. */
function rare(source: Dataset): Dataset {
  const digits = source.labels ?? [];
  const others = source.length - source.classCounts()[8];
  let left = Math.round((others * SHARE) / (1 - SHARE));
  const rows = [...digits.keys()].filter((row) => digits[row] !== 8 || left-- > 0);
  const { features, scale } = source.subset(rows);
  const labels = rows.map((row) => (digits[row] === 8 ? 1 : 0));
  return new Dataset({ features, shape: [784], scale, labels, labelNames: ['other', '8'] });
}

const data = await mnist();
const train = rare(quick ? data.train.take(20_000) : data.train);
const test = rare(data.test);
const [negatives, positives] = train.classCounts();
console.log(`${positives} eights among ${train.length} images`);

/** Probabilities of the test images after training with the given class weights. */
async function probabilities(classWeights?: 'balanced'): Promise<Float32Array> {
  using network = new Network({
    input: [784],
    layers: [dense(32), relu(), dense(1)],
    loss: binaryCrossEntropy(),
    seed,
  });
  await network.fit(train, {
    optimizer: new Adam({ learningRate: 2e-3 }),
    epochs: quick ? 4 : 5,
    batchSize: 64,
    ...(classWeights && { classWeights }),
  });
  return network.predict(test);
}

const plain = await probabilities();
const weighted = await probabilities('balanced');
const share = positives / (negatives + positives);
const decisions = [
  { name: 'no weights', scores: plain, threshold: 0.5 },
  { name: 'balanced', scores: weighted, threshold: 0.5 },
  { name: 'no weights, lower threshold', scores: plain, threshold: share },
].map(({ name, scores, threshold }) => {
  const matrix = metrics.confusionMatrix(scores, test, { threshold });
  const [, precision] = matrix.precision('none');
  const [, recall] = matrix.recall('none');
  return { name, threshold, matrix, precision, recall };
});
const [without, balanced, moved] = decisions;
const curves = { 'no weights': plain, balanced: weighted };
const curvesOf = <C>(curve: (scores: Float32Array) => C) =>
  Object.fromEntries(Object.entries(curves).map(([name, scores]) => [name, curve(scores)]));

present('imbalanced', {
  title: 'One eight among fifty digits',
  sections: [
    {
      heading: 'Decisions',
      text: `The digit 8 against the others, of which ${(100 * SHARE).toFixed(0)} % are eights, in training and in the test.`,
      table: {
        columns: ['', 'threshold', 'accuracy', 'precision', 'recall', 'F1'],
        rows: decisions.map(({ name, threshold, matrix, precision, recall }) => [
          name,
          ...[threshold, matrix.accuracy, precision, recall, matrix.f1('none')[1]].map((value) => value.toFixed(3)),
        ]),
      },
      svg: await Promise.all(
        decisions
          .slice(0, 2)
          .map(({ name, matrix }) => confusionMatrixPlot(matrix, { title: name, width: 420, height: 340 })),
      ),
    },
    {
      heading: 'Precision and recall',
      text: 'At all thresholds.',
      svg: await precisionRecallPlot(curvesOf((scores) => metrics.precisionRecallCurve(scores, test))),
    },
    { heading: 'ROC', svg: await rocPlot(curvesOf((scores) => metrics.rocCurve(scores, test))) },
  ],
});

check('class weights find more of the eights', balanced.recall > without.recall);
check('and call more of the others eights', balanced.precision < without.precision);
check('so does a lower threshold without them', moved.recall > without.recall && moved.precision < without.precision);
const bound = quick ? 0.7 : 0.8;
check(`with them at least ${bound} of the eights are found`, balanced.recall >= bound);
