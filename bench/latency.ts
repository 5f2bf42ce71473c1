/**
 * `npm run bench:latency`: how working networks affect the event loop: predictions while another network trains, and
 * predictAsync.
 */
import { dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { mnist } from 'blasnet/data';
import { native } from 'blasnet/kernels';
import { createBlasnetModel } from './blasnet-model.js';
import { type Options, runBenchmark } from './options.js';
import { scaledFeatures } from './trainer.js';
import { findWorkload } from './workloads.js';

/** Maximum milliseconds of a single-image prediction in 99 of 100 cases, and of a pause of the event loop. */
const bars = { prediction: 2, gap: 20 };

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Milliseconds of single-image predictions, a few every ten milliseconds, while M4 trains. */
async function predictionsDuringTraining(network: Network, images: Float32Array, seconds: number): Promise<number[]> {
  const { train } = await mnist();
  const workload = findWorkload('M4');
  const training = createBlasnetModel(workload, 'native');
  let over = false;
  const begin = performance.now();
  const run = (async () => {
    while (!over) await training.train(train.take(6400), workload.batchSize, 1);
  })();
  const times: number[] = [];
  for (let i = 0; performance.now() - begin < 1000 * seconds; i = (i + 1) % 1000) {
    await pause(i % 4 === 0 ? 10 : 0);
    const at = performance.now();
    network.predict(images.subarray(784 * i, 784 * (i + 1)));
    times.push(performance.now() - at);
  }
  over = true;
  await run;
  return times.sort((a, b) => a - b);
}

/**
 * The longest time between two turns of the event loop, in milliseconds, during predictAsync of 60,000 rows of ordinary
 * memory.
 */
async function longestGap(network: Network, images: Float32Array): Promise<number> {
  let [longest, last] = [0, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    [longest, last] = [Math.max(longest, now - last), now];
  }, 1);
  await network.predictAsync(images);
  clearInterval(timer);
  return longest;
}

async function main({ seconds, check }: Options): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const layers = [dense(100), relu(), dense(100), relu(), dense(10)];
  const network = new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed: 1, backend: 'native' });
  const { train } = await mnist();
  const images = scaledFeatures(train);
  network.predict(images.subarray(0, 784));
  const times = await predictionsDuringTraining(network, images, seconds);
  const gaps: number[] = [];
  for (let i = 0; i < 5; i++) gaps.push(await longestGap(network, images));
  gaps.sort((a, b) => a - b);
  const [prediction, gap] = [percentile(times, 0.99), percentile(gaps, 0.5)];
  const text = (milliseconds: number) => `${milliseconds.toFixed(3)} ms`;
  console.log(
    `predict, one image of M1 while M4 trains, ${times.length} times: median ${text(percentile(times, 0.5))}, ` +
      `99 of 100 within ${text(prediction)}, longest ${text(times[times.length - 1])}`,
  );
  console.log(
    `predictAsync, ${train.length} images: longest gap of the event loop ${text(gap)} (${gaps.map(text).join(', ')})`,
  );
  if (check && (prediction > bars.prediction || gap > bars.gap))
    throw new Error(`a bar is missed: ${JSON.stringify(bars)} ms`);
}

await runBenchmark('bench:latency', main);
