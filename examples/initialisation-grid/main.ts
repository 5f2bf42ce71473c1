// How initial weights, activation and batch normalisation decide what a deep network learns (tutorial 001).
//   npm run example initialisation-grid [-- --quick]
import {
  batchNorm,
  dense,
  type History,
  heNormal,
  lecunNormal,
  Network,
  normal,
  relu,
  Sgd,
  sigmoid,
  softmaxCrossEntropy,
} from 'blasnet';
import { mnist } from 'blasnet/data';
import { panelGrid } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';

const activations = { sigmoid, ReLU: relu };
// The tutorial's form of Xavier's rule looks at the inputs only: variance 1 / fanIn.
const initialisers = { 'std 0.01': normal({ std: 0.01 }), Xavier: lecunNormal(), He: heNormal() };

/** Test accuracy that the tutorial's program reaches after 2000 batches: without batch norm, with it. */
const expected: Readonly<Record<string, readonly [plain: number, normalised: number]>> = {
  'sigmoid, std 0.01': [0.101, 0.936],
  'sigmoid, Xavier': [0.881, 0.94],
  'sigmoid, He': [0.894, 0.936],
  'ReLU, std 0.01': [0.915, 0.972],
  'ReLU, Xavier': [0.951, 0.965],
  'ReLU, He': [0.948, 0.963],
};

const { train, test } = await mnist();
const stepsPerEpoch = quick ? 5 : 100; // 20 epochs make 2000 batches; the accuracy is measured after each epoch
const validation = quick ? test.take(500) : test;

async function run(
  activation: keyof typeof activations,
  start: keyof typeof initialisers,
  normalised: boolean,
): Promise<History> {
  const weightInitializer = initialisers[start];
  const hidden = (units: number) => [
    dense(units, { weightInitializer, bias: !normalised }),
    ...(normalised ? [batchNorm({ epsilon: 1e-6 })] : []),
    activations[activation](),
  ];
  using network = new Network({
    input: [784],
    layers: [...hidden(40), ...hidden(20), dense(10, { weightInitializer })],
    loss: softmaxCrossEntropy(),
    seed,
  });
  const optimizer = new Sgd({ learningRate: 0.1 });
  return await network.fit(train, {
    optimizer,
    batchSize: 100,
    sampling: 'withReplacement',
    stepsPerEpoch,
    epochs: 20,
    validation,
  });
}

const panels = [];
const rows: string[][] = [];
const ends: Record<string, number[]> = {};
for (const start of Object.keys(initialisers) as (keyof typeof initialisers)[]) {
  for (const activation of Object.keys(activations) as (keyof typeof activations)[]) {
    const name = `${activation}, ${start}`;
    ends[name] = [];
    for (const normalised of [false, true]) {
      const { accuracy, validationAccuracy } = await run(activation, start, normalised);
      const x = accuracy.map((_, epoch) => (epoch + 1) * stepsPerEpoch);
      const curves = [
        { name: 'training', x, y: accuracy },
        { name: 'test', x, y: validationAccuracy },
      ];
      panels.push({ title: normalised ? `${name}, batch norm` : name, curves });
      ends[name].push(validationAccuracy[19]);
    }
    rows.push([name, ...ends[name].flatMap((accuracy, i) => [accuracy.toFixed(4), expected[name][i].toFixed(3)])]);
  }
}
present('initialisation-grid', {
  title: 'Initial weights, activation and batch normalisation',
  sections: [
    {
      heading: 'Accuracies',
      text: '784-40-20-10 on MNIST, SGD at rate 0.1, 2000 batches of 100 images. The table holds the test accuracy at the end.',
      table: { columns: ['', 'plain', 'tutorial', 'batch norm', 'tutorial'], rows },
      svg: await panelGrid(panels, { columns: 4, width: 1000, yRange: [0, 1], xTitle: 'batches', yTitle: 'accuracy' }),
    },
  ],
});

if (quick) {
  const [plain, normalised] = ends['sigmoid, std 0.01'];
  check('sigmoid from std 0.01 learns with batch norm only', plain < 0.2 && normalised > plain + 0.3);
} else {
  const differences = Object.entries(ends).flatMap(([name, pair]) =>
    pair.map((accuracy, i) => Math.abs(accuracy - expected[name][i])),
  );
  check("each of the 12 accuracies is within 0.02 of the tutorial's", Math.max(...differences) <= 0.02);
}
