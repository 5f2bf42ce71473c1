import {
  AdaGrad,
  Adam,
  dense,
  dropout,
  l1,
  l2,
  Network,
  type Optimizer,
  type Regularizer,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import type { Dataset } from 'blasnet/data';
import { type Panel, panelGrid, type ReportSection } from 'blasnet/report';
import { check, quick, seed } from '../support.js';

interface Series {
  readonly name: string;
  readonly optimizer: Optimizer;
  /** Dropout after each hidden layer. */
  readonly rate?: number;
  readonly penalty?: Regularizer;
  /** Accuracies of the tutorial's program. */
  readonly tutorial: readonly [train: number, test: number];
}

const learningRate = 0.01;
const both = { rate: 0.15, penalty: l2(0.01) };
const series: readonly Series[] = [
  { name: 'none', optimizer: new Sgd({ learningRate }), tutorial: [1, 0.764] },
  { name: 'L2 0.1', optimizer: new Sgd({ learningRate }), penalty: l2(0.1), tutorial: [0.887, 0.696] },
  { name: 'L1 0.005', optimizer: new Sgd({ learningRate: 0.1 }), penalty: l1(0.005), tutorial: [0.927, 0.661] },
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: an accuracy, not ln 2
  { name: 'dropout 0.15, L2 0.01, SGD', optimizer: new Sgd({ learningRate }), ...both, tutorial: [0.863, 0.693] },
  { name: 'the same, momentum', optimizer: new Sgd({ learningRate, momentum: 0.9 }), ...both, tutorial: [1, 0.799] },
  { name: 'the same, AdaGrad', optimizer: new AdaGrad({ learningRate }), ...both, tutorial: [1, 0.78] },
  { name: 'the same, Adam', optimizer: new Adam({ learningRate }), ...both, tutorial: [0.987, 0.727] },
  {
    name: 'dropout 0.1, L1 0.005',
    optimizer: new Sgd({ learningRate: 0.1 }),
    rate: 0.1,
    penalty: l1(0.005),
    tutorial: [0.767, 0.601],
  },
];

/** Six hidden layers on 300 images, which they can memorise. */
export async function overfitting(images: Dataset, test: Dataset): Promise<ReportSection> {
  const train = images.take(300);
  const panels: Panel[] = [];
  const rows: string[][] = [];
  const ends: Record<string, { onTrain: number; onTest: number; small: number }> = {};
  for (const { name, optimizer, rate = 0, penalty, tutorial } of quick ? series.slice(0, 1) : series) {
    const hidden = Array.from({ length: 6 }, () => [dense(100), relu(), dropout(rate)]).flat();
    using network = new Network({
      input: [784],
      layers: [...hidden, dense(10)],
      loss: softmaxCrossEntropy(),
      ...(penalty && { regularizer: penalty }),
      seed,
    });
    const history = await network.fit(train, {
      optimizer,
      batchSize: 100,
      sampling: 'withReplacement',
      stepsPerEpoch: quick ? 10 : 50,
      epochs: 20,
      validation: test,
    });
    const [onTrain, onTest] = [await network.evaluate(train), await network.evaluate(test)].map(
      ({ accuracy = 0 }) => accuracy,
    );
    const weights = network.parameters
      .filter((parameter) => parameter.name.endsWith('.weight'))
      .flatMap(({ value }) => [...value]);
    const small = weights.filter((weight) => Math.abs(weight) < 1e-3).length / weights.length;
    ends[name] = { onTrain, onTest, small };
    rows.push([
      name,
      onTrain.toFixed(3),
      tutorial[0].toFixed(3),
      onTest.toFixed(3),
      tutorial[1].toFixed(3),
      `${(100 * small).toFixed(0)} %`,
    ]);
    const x = history.accuracy.map((_, epoch) => 50 * (epoch + 1));
    panels.push({
      title: name,
      curves: [
        { name: 'training', x, y: history.accuracy },
        { name: 'test', x, y: history.validationAccuracy },
      ],
    });
  }

  if (quick) check('the network learns from 300 images', ends.none.onTrain > 0.5);
  else {
    const gap = (name: string) => ends[name].onTrain - ends[name].onTest;
    check('without help the network learns all 300 by heart', ends.none.onTrain > 0.99 && gap('none') > 0.15);
    check('L2 narrows the gap between train and test', gap('L2 0.1') < gap('none'));
    check('L1 leaves fewer than a tenth of the weights above 0.001', ends['L1 0.005'].small > 0.9);
    check(
      'dropout, L2 and momentum together test better than nothing',
      ends['the same, momentum'].onTest > ends.none.onTest,
    );
  }
  return {
    heading: 'Overfitting',
    text: '784-100-100-100-100-100-100-10 on 300 images, 1000 batches of 100.',
    table: { columns: ['', 'train', 'tutorial', 'test', 'tutorial', 'weights below 0.001'], rows },
    svg: await panelGrid(panels, { columns: 4, width: 1000, yRange: [0, 1], xTitle: 'batches', yTitle: 'accuracy' }),
  };
}
