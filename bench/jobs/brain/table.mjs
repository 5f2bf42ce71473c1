import { readFileSync } from 'node:fs';
import { NeuralNetwork } from 'brain.js';

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
const encode = (row) => [
  ...numbers.map(({ name, median, mean, deviation }) => {
    const value = row[name] === '' || row[name] == null ? median : Number(row[name]);
    return (value - mean) / deviation;
  }),
  ...categories.flatMap(({ name, values }) => values.map((value) => (row[name] === value ? 1 : 0))),
];
const network = new NeuralNetwork({ hiddenLayers: [16] });
const samples = train.map((row) => ({ input: encode(row), output: { [row.species]: 1 } }));
network.train(samples, { iterations: 100, errorThresh: 1e-9 });
const predict = (row) => {
  const shares = Object.entries(network.run(encode(row)));
  return shares.reduce((best, each) => (each[1] > best[1] ? each : best))[0];
};
const accuracy = test.filter((row) => predict(row) === row.species).length / test.length;

const bird = {
  island: 'Biscoe',
  beak_length: 47,
  beak_depth: 14.5,
  flipper_length: 217,
  body_mass: null,
  sex: 'FEMALE',
};
console.log(JSON.stringify({ accuracy, label: predict(bird) }));
