// Writes a CSV of the given size, trains on it as a stream in this process, and prints what that took as JSON:
//   node test/tables/larger.mjs <file> <megabytes> [whole]
// `whole` reads the file as one table instead, for comparison.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { Adam, dense, meanSquaredError, Network } from '../../dist/index.js';
import { encoder, readCsv, streamCsv } from '../../dist/tables/index.js';

const [path, megabytes, whole] = process.argv.slice(2);

/** Rows of about 1 kB: two numbers, a category, a note that differs in each row, and a target. */
async function write(bytes) {
  const file = createWriteStream(path);
  file.write('a,b,kind,note,y\n');
  let [written, rows] = [0, 0];
  for (; written < bytes; rows++) {
    const [a, b, kind] = [(rows * 7919) % 1000, (rows * 104_729) % 997, (rows * 31) % 4];
    const line = `${a},${rows % 50 === 0 ? '' : b},k${kind},${`${rows} `.repeat(1000 / `${rows} `.length)},${a / 100 + kind}\n`;
    written += line.length;
    if (!file.write(line)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
  return rows;
}

const rows = await write(Number(megabytes) * 1e6);
globalThis.gc?.();
const before = process.memoryUsage().rss;
let peak = before;
const timer = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss);
}, 20);
const plan = encoder({ target: 'y', ignore: ['note'] });
const stream = streamCsv(path, { rows: 4096 });
const table = whole && (await readCsv(path));
const fitted = table ? plan.fit(table) : await plan.fitStream(stream);
const batches = () => (table ? fitted.batches(table) : fitted.stream(stream, { batchSize: 64 }));
const network = new Network({ input: fitted.shape, layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
const history = await network.fit(batches(), { optimizer: new Adam({ learningRate: 0.01 }), epochs: 1 });
clearInterval(timer);
const growth = (Math.max(peak, process.memoryUsage().rss) - before) / 1e6;
console.log(JSON.stringify({ rows, growth, loss: history.loss, width: fitted.shape[0] }));
