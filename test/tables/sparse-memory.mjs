// Trains on 6,000 hashed texts of 32,768 places as a sparse dataset in this process, and prints as JSON how far its
// memory grew above what it was with the table and the network:
//   node --expose-gc test/tables/sparse-memory.mjs [backend]

import { setImmediate as turn } from 'node:timers/promises';
import { Adam, dense, Network, softmaxCrossEntropy } from '../../dist/index.js';
import { encoder, Table } from '../../dist/tables/index.js';

const ROWS = 6000;
const SIZE = 32_768;

const words = (row) => Array.from({ length: 20 }, (_, i) => `w${(row * 7919 + i * i * 104_729) % 9973}`).join(' ');
const table = new Table([
  [
    'text',
    { type: 'text', values: Array.from({ length: ROWS }, (_, row) => `${words(row)} ${row % 2 ? 'odd' : 'even'}`) },
  ],
  ['label', { type: 'category', values: Array.from({ length: ROWS }, (_, row) => (row % 2 ? 'b' : 'a')) }],
]);
const fitted = encoder({ target: 'label', columns: { text: { size: SIZE, ngrams: 1 } } }).fit(table);
const network = new Network({
  input: fitted.shape,
  layers: [dense(2)],
  loss: softmaxCrossEntropy(),
  seed: 1,
  ...(process.argv[2] && { backend: process.argv[2] }),
});
// What is loaded and compiled once.
const small = fitted.sparse(table.subset([0, 1]));
await network.fit(small);
network.predict(small);
for (let i = 0; i < 3; i++) globalThis.gc();
await turn();

const before = process.memoryUsage();
const peak = { rss: before.rss, arrayBuffers: before.arrayBuffers };
const measure = () => {
  const now = process.memoryUsage();
  for (const key of ['rss', 'arrayBuffers']) peak[key] = Math.max(peak[key], now[key]);
};
const timer = setInterval(measure, 5);
const data = fitted.sparse(table);
measure();
await network.fit(data, {
  optimizer: new Adam({ learningRate: 0.01 }),
  batchSize: 32,
  epochs: 1,
  validation: data.take(600),
});
const { accuracy } = await network.evaluate(data.slice(600, 1200));
network.predict(data.slice(600, 1200));
measure();
clearInterval(timer);
const megabytes = (key) => Math.round((peak[key] - before[key]) / 2 ** 20);
const entries = data.values.length;
console.log(JSON.stringify({ entries, accuracy, rss: megabytes('rss'), arrayBuffers: megabytes('arrayBuffers') }));
