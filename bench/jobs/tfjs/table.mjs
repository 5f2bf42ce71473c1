import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';

const read = (path) => {
  const [names, ...rows] = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
};
const [train, test] = [read('penguins-train.csv'), read('penguins-test.csv')];
const numbers = ['beak_length', 'beak_depth', 'flipper_length', 'body_mass'].map((name) => {
  const known = train.flatMap((row) => (row[name] === '' ? [] : [Number(row[name])])).sort((a, b) => a - b);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
  return { name, median: known[known.length >> 1], mean, deviation };
});
const categories = ['island', 'sex'].map((name) => ({ name, values: [...new Set(train.map((row) => row[name]))] }));
const species = [...new Set(train.map((row) => row.species))];
const encode = (row) => [
  ...numbers.map(({ name, median, mean, deviation }) => {
    const value = row[name] === '' || row[name] == null ? median : Number(row[name]);
    return (value - mean) / deviation;
  }),
  ...categories.flatMap(({ name, values }) => values.map((value) => (row[name] === value ? 1 : 0))),
];
const tensors = (rows) => ({
  x: tf.tensor2d(rows.map(encode)),
  y: tf.oneHot(
    tf.tensor1d(
      rows.map((row) => species.indexOf(row.species)),
      'int32',
    ),
    species.length,
  ),
});
const [a, b] = [tensors(train), tensors(test)];
const model = tf.sequential({
  layers: [
    tf.layers.dense({ inputShape: [a.x.shape[1]], units: 16, activation: 'relu' }),
    tf.layers.dense({ units: species.length, activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
await model.fit(a.x, a.y, { epochs: 30, batchSize: 32, verbose: 0 });
const [, accuracy] = model.evaluate(b.x, b.y);

const bird = {
  island: 'Biscoe',
  beak_length: 47,
  beak_depth: 14.5,
  flipper_length: 217,
  body_mass: null,
  sex: 'FEMALE',
};
const label =
  species[
    model
      .predict(tf.tensor2d([encode(bird)]))
      .argMax(1)
      .dataSync()[0]
  ];
console.log(JSON.stringify({ accuracy: accuracy.dataSync()[0], label }));
