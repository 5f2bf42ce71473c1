import {
  Adam,
  add,
  type BackendName,
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  flatten,
  globalAvgPool2d,
  input,
  maxPool2d,
  Network,
  type Node,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import type { Model } from './trainer.js';
import { IMAGE_SIDE, type ImageLayer, type Workload } from './workloads.js';

/** A convolution with batch norm, which has the bias. */
const normalised =
  (filters: number, window: number, stride: number) =>
  (x: Node): Node =>
    x.pipe(conv2d(filters, { window, stride, padding: (window - 1) / 2, bias: false }), batchNorm());

function residual(x: Node, filters: number, stride: number): Node {
  const same = stride === 1 && x.shape[2] === filters;
  const branch = x.pipe(normalised(filters, 3, stride), relu(), normalised(filters, 3, 1));
  return add(same ? x : normalised(filters, 1, stride)(x), branch).pipe(relu());
}

function separable(x: Node, filters: number, stride: number): Node {
  const depthwise = depthwiseConv2d({ window: 3, stride, padding: 1, bias: false });
  return x.pipe(depthwise, batchNorm(), relu(), normalised(filters, 1, 1), relu());
}

function imageNode(x: Node, layer: ImageLayer): Node {
  if (layer.kind === 'residual') return residual(x, layer.filters, layer.stride);
  if (layer.kind === 'separable') return separable(x, layer.filters, layer.stride);
  const { filters, window, pad, pool } = layer;
  return x.pipe(conv2d(filters, { window, padding: pad }), relu(), ...(pool ? [maxPool2d()] : []));
}

/** blasnet's network for a workload, on one of the backends. */
export function createNetwork(
  workload: Workload,
  backend: BackendName,
  precision: 'float32' | 'bfloat16' = 'float32',
): Network {
  const { images, channelMeans, widths } = workload;
  const outputs = widths[widths.length - 1];
  const hidden = widths
    .slice(1, -1)
    .flatMap((units) => (workload.batchNorm ? [dense(units), batchNorm(), relu()] : [dense(units), relu()]));
  const features =
    images.length === 0
      ? input([widths[0]])
      : images.reduce(imageNode, input([IMAGE_SIDE, IMAGE_SIDE, 1])).pipe(channelMeans ? globalAvgPool2d() : flatten());
  return new Network({
    output: features.pipe(...hidden, dense(outputs)),
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend,
    precision,
  });
}

export function createOptimizer({ optimizer }: Workload): Adam | Sgd {
  return optimizer === 'adam' ? new Adam({ learningRate: 1e-3 }) : new Sgd({ learningRate: 0.01, momentum: 0.9 });
}

/** A workload's network as a contender. */
export function createBlasnetModel(workload: Workload, backend: BackendName, precision?: 'bfloat16'): Model {
  const { widths, batchSize } = workload;
  const network = createNetwork(workload, backend, precision);
  const optimizer = createOptimizer(workload);
  const predicted = new Float32Array(batchSize * widths[widths.length - 1]);
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
