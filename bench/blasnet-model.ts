import {
  Adam,
  type BackendName,
  batchNorm,
  conv2d,
  dense,
  flatten,
  maxPool2d,
  Network,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import type { Model } from './trainer.js';
import { IMAGE_SIDE, type Workload } from './workloads.js';

/** blasnet's network for a workload, on one of the backends. */
export function createBlasnetModel(workload: Workload, backend: BackendName): Model {
  const { convolutions, widths, batchSize } = workload;
  const outputs = widths[widths.length - 1];
  const convolved = convolutions.flatMap(({ filters, window, pad, pool }) => [
    conv2d(filters, { window, padding: pad }),
    relu(),
    ...(pool ? [maxPool2d()] : []),
  ]);
  const hidden = widths
    .slice(1, -1)
    .flatMap((units) => (workload.batchNorm ? [dense(units), batchNorm(), relu()] : [dense(units), relu()]));
  const network = new Network({
    input: convolved.length === 0 ? [widths[0]] : [IMAGE_SIDE, IMAGE_SIDE, 1],
    layers: [...convolved, ...(convolved.length === 0 ? [] : [flatten()]), ...hidden, dense(outputs)],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend,
  });
  const optimizer =
    workload.optimizer === 'adam' ? new Adam({ learningRate: 1e-3 }) : new Sgd({ learningRate: 0.01, momentum: 0.9 });
  const predicted = new Float32Array(batchSize * outputs);
  return {
    async train(data, size, epochs) {
      await network.fit(data, { optimizer, batchSize: size, epochs });
    },
    predict(images) {
      network.predict(images, predicted);
    },
    async evaluate(data) {
      const { loss, accuracy = Number.NaN } = await network.evaluate(data);
      return { loss, accuracy };
    },
  };
}
