import type { Dataset } from 'blasnet/data';
import { mnist } from 'blasnet/data';
import type { Equipment, Job, Learned, Reply } from './contenders.js';
import { measure, type Task, type Work } from './measure.js';
import { passSamples, type Workload } from './workloads.js';

/** A network created by a contender, with new weights. */
export interface Model {
  /** Trains in a new random order for each pass. */
  train(data: Dataset, batchSize: number, epochs: number): void | Promise<void>;
  /** Predicts some images, at most as many as announced. */
  predict(images: Float32Array): void | Promise<void>;
  evaluate(data: Dataset): Learned | Promise<Learned>;
}

export type CreateModel = (workload: Workload) => Model;

/** Samples of training before a prediction is timed. */
const PREPARATION = 6_400;

/** Images as the networks see them: floats from 0 to 1. */
export function scaledFeatures({ features, scale, offset }: Dataset): Float32Array {
  const scaled = new Float32Array(features.length);
  for (let i = 0; i < scaled.length; i++) scaled[i] = features[i] * scale + offset;
  return scaled;
}

export function labelsOf({ labels }: Dataset): Int32Array {
  if (labels === undefined) throw new Error('the data has no labels');
  return labels;
}

function predictions(model: Model, images: Float32Array, width: number, batchSize: number): Work {
  const batches = Array.from({ length: images.length / width / batchSize }, (_, i) =>
    images.subarray(i * batchSize * width, (i + 1) * batchSize * width),
  );
  let next = 0;
  return async (samples) => {
    for (let done = 0; done < samples; done += batchSize) {
      const pending = model.predict(batches[next]);
      // Await only a pending promise: an await takes longer than a small network.
      if (pending !== undefined) await pending;
      next = (next + 1) % batches.length;
    }
  };
}

/** A workload as a task for `measure`. */
async function createTask(create: CreateModel, workload: Workload): Promise<Task> {
  const { train, test } = await mnist();
  const { batchSize } = workload;
  const beginTraining = (): Work => {
    const model = create(workload);
    return (samples) => {
      const data = samples < train.length ? train.take(samples) : train;
      return model.train(data, batchSize, samples / data.length);
    };
  };
  const images = workload.task === 'predict' ? scaledFeatures(test) : new Float32Array(0);
  const beginPrediction = async (): Promise<Work> => {
    const model = create(workload);
    await model.train(train.take(PREPARATION), 64, 1);
    return predictions(model, images, test.featureCount, batchSize);
  };
  const begin = workload.task === 'train' ? beginTraining : beginPrediction;
  return { passSamples: passSamples(workload), batchSize, begin };
}

/** Runs the job of a contender's process that trains or predicts, and returns the reply. */
export async function perform(
  create: CreateModel,
  workload: Workload,
  job: Job,
  equipment: Equipment,
): Promise<Reply<Job>> {
  if (job.kind === 'speed') {
    const { leastBatches = 1, seconds } = job;
    const task = { ...(await createTask(create, workload)), leastBatches };
    return { measurement: await measure(task, seconds), equipment };
  }
  const { train, test } = await mnist();
  const model = create(workload);
  await model.train(train.take(job.samples), workload.batchSize, 1);
  return model.evaluate(test);
}
