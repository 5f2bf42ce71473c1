// A curve through ten points, and logistic regression by three kinds of descent (tutorial 004).
//   npm run example regression [-- --quick]
import { Adam, batchNorm, dense, dropout, type LayerSpec, meanSquaredError, Network, normal, sigmoid } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { type Curve, fittedCurve, lossSurface } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';
import { descend, exam, logisticRegression, lossAt } from './logistic.js';

const x = [-4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5];
const y = [0.9819, 0.7973, 1.9737, 0.1838, 1.318, -0.8361, -0.6591, -2.4701, -2.8122, -6.2512];
const points = new Dataset({ features: x, shape: [1], targets: y });
const start = { weightInitializer: normal({ std: 0.1 }), biasInitializer: normal({ std: 0.1 }) };

const hidden: Record<string, (units: number) => LayerSpec[]> = {
  plain: (units) => [dense(units, start), sigmoid()],
  dropout: (units) => [dense(units, start), sigmoid(), dropout(0.2)],
  'batch norm': (units) => [
    dense(units, { ...start, bias: false }),
    batchNorm({ epsilon: 1e-3, momentum: 0.99 }),
    sigmoid(),
  ],
};

const grid = Float32Array.from({ length: 100 }, (_, i) => -5 + (10 * i) / 99);
const curves: Curve[] = [];
const rows: string[][] = [];
const errors: Record<string, number> = {};
for (const [name, block] of Object.entries(hidden)) {
  using network = new Network({
    input: [1],
    layers: [...[30, 100, 100, 30].flatMap(block), dense(1, start)],
    loss: meanSquaredError(),
    seed,
  });
  const history = await network.fit(points, {
    optimizer: new Adam({ learningRate: 1e-3, epsilonPlacement: 'rawRoot' }),
    batchSize: 50,
    sampling: 'withReplacement',
    stepsPerEpoch: 100,
    epochs: quick ? 20 : 100,
  });
  curves.push({ name, x: grid, y: network.predict(grid) });
  const { loss } = await network.evaluate(points);
  // The running averages of four batch norms in a row lag behind the weights: let them settle on the ten points.
  for (let pass = 0; pass < 1000; pass++) network.forward(points, { training: true });
  errors[name] = (await network.evaluate(points)).loss;
  if (name === 'batch norm') curves.push({ name: 'batch norm, settled', x: grid, y: network.predict(grid) });
  rows.push([name, (history.loss.at(-1) ?? 0).toPrecision(2), loss.toPrecision(2), errors[name].toPrecision(2)]);
}

const kinds = [
  await descend('single samples', 1, quick ? 20 : 40, 0.1),
  await descend('mini-batches of 5', 5, quick ? 25 : 100, 0.2),
  await descend('full batch', exam.length, quick ? 100 : 400, 0.5),
];
using surface = logisticRegression();
const paths = kinds.map(({ name, path }) => ({
  name,
  x: path.map(([weight]) => weight),
  y: path.map(([, bias]) => bias),
}));

present('regression', {
  title: 'Regression',
  sections: [
    {
      heading: 'Ten points',
      text: '1-30-100-100-30-1 with sigmoid units, Adam, batches of 50 drawn from ten points.',
      table: { columns: ['', 'loss in training', 'error', 'error, statistics settled'], rows },
      svg: await fittedCurve({ x, y }, curves, { xTitle: 'x', yTitle: 'y' }),
    },
    {
      heading: 'Three kinds of descent',
      text: 'Logistic regression: the way of weight and bias over the loss.',
      table: {
        columns: ['', 'steps', 'loss'],
        rows: kinds.map(({ name, path, loss }) => [name, path.length - 1, loss.toFixed(4)]),
      },
      svg: await lossSurface((weight, bias) => lossAt(surface, weight, bias), paths, {
        xTitle: 'weight',
        yTitle: 'bias',
      }),
    },
  ],
});

const bound = quick ? 0.4 : 0.01;
check(`plain, the network comes to an error below ${bound}`, errors.plain < bound);
check('dropout keeps it from learning the points by heart', errors.dropout > errors.plain);
check('with batch norm the error is below 0.5, given settled statistics', errors['batch norm'] < 0.5);
check('the three descents end near each other', Math.max(...kinds.map(({ loss }) => loss)) < 0.42);
