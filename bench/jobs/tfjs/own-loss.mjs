import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';

const read = (path) => {
  const [names, ...rows] = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
};
const [train, test] = [read('cars-train.csv'), read('cars-test.csv')];
const scaler = (name) => {
  const known = train.flatMap((row) => (row[name] === '' ? [] : [Number(row[name])])).sort((a, b) => a - b);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const deviation = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
  return { name, median: known[known.length >> 1], mean, deviation };
};
const numbers = ['cylinders', 'displacement', 'horsepower', 'weight', 'acceleration'].map(scaler);
const target = scaler('mpg');
const origins = [...new Set(train.map((row) => row.origin))];
const scaled = (row, { name, median, mean, deviation }) =>
  ((row[name] === '' ? median : Number(row[name])) - mean) / deviation;
const encode = (row) => [
  ...numbers.map((each) => scaled(row, each)),
  ...origins.map((origin) => (row.origin === origin ? 1 : 0)),
];
const x = tf.tensor2d(train.map(encode));
const y = tf.tensor2d(train.map((row) => [scaled(row, target)]));
const loss = (target, prediction) => {
  const error = tf.sub(target, prediction);
  return tf.mean(tf.maximum(tf.mul(error, 0.9), tf.mul(error, -0.1)));
};
const model = tf.sequential({
  layers: [tf.layers.dense({ inputShape: [x.shape[1]], units: 32, activation: 'relu' }), tf.layers.dense({ units: 1 })],
});
model.compile({ optimizer: tf.train.adam(0.003), loss });
await model.fit(x, y, { epochs: 50, batchSize: 32, verbose: 0 });

const outputs = model.predict(tf.tensor2d(test.map(encode))).dataSync();
const below = test.filter((row, i) => Number(row.mpg) < outputs[i] * target.deviation + target.mean).length;
console.log(JSON.stringify({ below: below / test.length }));
