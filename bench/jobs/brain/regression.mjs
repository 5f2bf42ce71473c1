import { readFileSync } from 'node:fs';
import { NeuralNetwork } from 'brain.js';

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
// Outputs are those of a sigmoid.
const values = train.map((row) => Number(row.mpg));
const [least, most] = [Math.min(...values), Math.max(...values)];
const origins = [...new Set(train.map((row) => row.origin))];
const scaled = (row, { name, median, mean, deviation }) =>
  ((row[name] === '' ? median : Number(row[name])) - mean) / deviation;
const encode = (row) => [
  ...numbers.map((each) => scaled(row, each)),
  ...origins.map((origin) => (row.origin === origin ? 1 : 0)),
];
const network = new NeuralNetwork({ hiddenLayers: [32] });
const samples = train.map((row, i) => ({ input: encode(row), output: [(values[i] - least) / (most - least)] }));
network.train(samples, { iterations: 300, learningRate: 0.1, errorThresh: 1e-9 });

const predicted = test.map((row) => network.run(encode(row))[0] * (most - least) + least);
const actual = test.map((row) => Number(row.mpg));
const mean = actual.reduce((sum, value) => sum + value, 0) / actual.length;
const residual = actual.reduce((sum, value, i) => sum + (value - predicted[i]) ** 2, 0);
const total = actual.reduce((sum, value) => sum + (value - mean) ** 2, 0);
const error = actual.reduce((sum, value, i) => sum + Math.abs(value - predicted[i]), 0) / actual.length;
console.log(JSON.stringify({ r2: 1 - residual / total, error }));
