/** The networks of `npm run bench:distributed`. */
import { findWorkload, perceptron, type Workload } from '../workloads.js';

const residual = (filters: number, stride: number) => ({ kind: 'residual', filters, stride }) as const;

/** The network of examples/resnet, but for the batch norm of its first layer. */
const resnet: Workload = {
  ...perceptron,
  id: 'ResNet',
  optimizer: 'momentum',
  images: [
    { kind: 'convolution', filters: 16, window: 3, pad: 1, pool: false },
    ...[1, 1, 1].map((stride) => residual(16, stride)),
    ...[2, 1, 1].map((stride) => residual(32, stride)),
    ...[2, 1, 1].map((stride) => residual(64, stride)),
  ],
  channelMeans: true,
  widths: [64, 10],
  batchSize: 128,
};

export const measured: readonly Workload[] = [...['M1', 'M2', 'M2L', 'M4'].map(findWorkload), resnet];
