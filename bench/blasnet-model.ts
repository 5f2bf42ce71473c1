import { Adam, type BackendName, batchNorm, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import type { Model } from './trainer.js';
import type { Workload } from './workloads.js';

/** blasnet's network for a workload, on one of the backends. */
export function createBlasnetModel(workload: Workload, backend: BackendName): Model {
  const { widths, batchSize } = workload;
  const [input, outputs] = [widths[0], widths[widths.length - 1]];
  const layers = widths
    .slice(1, -1)
    .flatMap((units) => (workload.batchNorm ? [dense(units), batchNorm(), relu()] : [dense(units), relu()]));
  const network = new Network({
    input: [input],
    layers: [...layers, dense(outputs)],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend,
  });
  const optimizer = new Adam({ learningRate: 1e-3 });
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
