// Five optimizers on one network, and what prevents overfitting (tutorial 001).
//   npm run example optimizers [-- --quick]
import {
  AdaGrad,
  Adam,
  dense,
  type History,
  heNormal,
  Network,
  normal,
  type Optimizer,
  RmsProp,
  relu,
  Sgd,
  sigmoid,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';
import { type Panel, panelGrid } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';
import { overfitting } from './overfitting.js';

const learningRate = 0.01;
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  SGD: () => new Sgd({ learningRate }),
  momentum: () => new Sgd({ learningRate, momentum: 0.9 }),
  AdaGrad: () => new AdaGrad({ learningRate, epsilon: 0, initialAccumulator: 1e-4 }),
  RMSProp: () => new RmsProp({ learningRate, decay: 0.99, epsilon: 1e-7 }),
  Adam: () => new Adam({ learningRate, epsilon: 1e-7, epsilonPlacement: 'rawRoot' }),
};

const networks = [
  // Test accuracy that the tutorial's program reaches after 2000 batches, in the order of the optimizers. From std
  // 0.01, SGD and momentum are still on the initial plateau, which AdaGrad is about to leave.
  {
    name: 'sigmoid, std 0.01',
    activation: sigmoid,
    weightInitializer: normal({ std: 0.01 }),
    tutorial: [0.114, 0.101, 0.268, 0.956, 0.957],
  },
  { name: 'ReLU, He', activation: relu, weightInitializer: heNormal(), tutorial: [0.909, 0.954, 0.948, 0.954, 0.956] },
];

const { train, test: allTest } = await mnist();
const test = quick ? allTest.take(500) : allTest;
const stepsPerEpoch = quick ? 10 : 100;

const panels: Panel[] = [];
const rows: string[][] = [];
for (const { name, activation, weightInitializer, tutorial } of networks) {
  const histories: Record<string, History> = {};
  for (const [title, optimizer] of Object.entries(optimizers)) {
    using network = new Network({
      input: [784],
      layers: [
        dense(40, { weightInitializer }),
        activation(),
        dense(20, { weightInitializer }),
        activation(),
        dense(10, { weightInitializer }),
      ],
      loss: softmaxCrossEntropy(),
      seed,
    });
    histories[title] = await network.fit(train, {
      optimizer: optimizer(),
      batchSize: 100,
      sampling: 'withReplacement',
      stepsPerEpoch,
      epochs: 20,
      validation: test,
    });
  }
  const accuracies = Object.values(histories).map((history) => history.validationAccuracy[19]);
  for (const [i, [title, { loss }]] of Object.entries(histories).entries()) {
    rows.push([`${name}, ${title}`, loss[19].toFixed(3), accuracies[i].toFixed(4), tutorial[i].toFixed(3)]);
  }
  const x = Array.from({ length: 20 }, (_, epoch) => (epoch + 1) * stepsPerEpoch);
  panels.push({
    title: name,
    curves: Object.entries(histories).map(([title, { loss }]) => ({ name: title, x, y: loss })),
  });
  if (quick) check(`${name}: Adam learns faster than SGD`, histories.Adam.loss[19] < histories.SGD.loss[19]);
  else {
    const within = accuracies.every(
      (accuracy, i) => Math.abs(accuracy - tutorial[i]) <= (tutorial[i] < 0.3 ? 0.05 : 0.03),
    );
    check(`${name}: all accuracies are within 0.03 of the tutorial's (0.05 on the plateau)`, within);
  }
}

present('optimizers', {
  title: 'Optimizers and overfitting',
  sections: [
    {
      heading: 'Five optimizers',
      text: '784-40-20-10 on MNIST at rate 0.01, 2000 batches of 100 images.',
      table: { columns: ['', 'loss', 'test accuracy', 'tutorial'], rows },
      svg: await panelGrid(panels, { width: 1000, logScale: true, xTitle: 'batches', yTitle: 'loss' }),
    },
    await overfitting(train, test),
  ],
});
