/** One timed training. */
import { performance } from 'node:perf_hooks';
import { Adam, Network, type Schedule, softmaxCrossEntropy } from 'blasnet';
import type { Dataset } from 'blasnet/data';
import type { Recipe } from './recipes.js';

export interface Run {
  readonly seed: number;
  /** Share of `judge` that the trained network reads rightly. */
  readonly accuracy: number;
  readonly loss: number;
  /** From before the network is made until training has ended. */
  readonly seconds: number;
  /** Processor time of all threads in these seconds. */
  readonly cpuSeconds: number;
}

/** The part of the steps in which the rate rises, and where it starts, as a part of the highest. */
const [RISE, START] = [0.15, 0.1];

const loss = softmaxCrossEntropy({ labelSmoothing: 0.1 });

/** Up and down on straight lines, to 0 (as Smith 2017, in one cycle). */
const cycle =
  (rate: number, steps: number): Schedule =>
  ({ step }) => {
    const share = (step + 0.5) / steps;
    return rate * Math.min(START + ((1 - START) * share) / RISE, (1 - share) / (1 - RISE));
  };

/**
 * Trains by the recipe on `train`, then measures the accuracy on `judge`, which nothing before depends on. The clock
 * covers making the network (initial weights included), compiling the program and training; not reading the data, and
 * not measuring the accuracy.
 */
export async function timedRun(recipe: Recipe, seed: number, train: Dataset, judge: Dataset): Promise<Run> {
  const { layers, images = train.length, epochs, batchSize, rate, augment = [] } = recipe;
  const rows = train.take(images);
  const [start, cpuStart] = [performance.now(), process.cpuUsage()];
  using network = new Network({ input: [28, 28, 1], layers, loss, seed });
  const learningRate = cycle(rate, epochs * Math.ceil(rows.length / batchSize));
  const optimizer = new Adam({ learningRate, beta2: 0.99 });
  await network.fit(rows, { optimizer, epochs, batchSize, augment });
  const [seconds, cpu] = [(performance.now() - start) / 1000, process.cpuUsage(cpuStart)];
  const { accuracy, loss: judged } = await network.evaluate(judge);
  return { seed, accuracy: accuracy as number, loss: judged, seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
}
