/** A process that trains one network of the scaling benchmark on the native backend and prints its speed as JSON. */
import { backendInfo } from 'blasnet';
import { mnist } from 'blasnet/data';
import { createBlasnetModel } from './blasnet-model.js';
import { type Measurement, measure } from './measure.js';

export interface ScalingRequest {
  readonly width: number;
  readonly batchSize: number;
  readonly seconds: number;
}

export interface ScalingReply {
  readonly measurement: Measurement;
  readonly blas: string;
}

const LEAST_STEPS = 3;

async function main({ width, batchSize, seconds }: ScalingRequest): Promise<ScalingReply> {
  const { train } = await mnist();
  const model = createBlasnetModel(
    { id: '', task: 'train', optimizer: 'adam', convolutions: [], widths: [784, width, width, 10], batchNorm: false, batchSize },
    'native',
  );
  const work = (samples: number) => {
    const data = train.take(Math.min(samples, passSamples));
    return model.train(data, batchSize, samples / data.length);
  };
  // Whole batches; one network for the warm-up and the timing, as a large one takes long to begin with.
  const passSamples = train.length - (train.length % batchSize);
  const task = { passSamples, batchSize, leastBatches: LEAST_STEPS, begin: () => work };
  const { blas } = backendInfo('native');
  return { measurement: await measure(task, seconds), blas: `${blas.name} ${blas.core}` };
}

process.stdout.write(`${JSON.stringify(await main(JSON.parse(process.argv[2]) as ScalingRequest))}\n`);
